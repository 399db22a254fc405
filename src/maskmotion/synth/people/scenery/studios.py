"""Plain studios: paper, painted cloth, coloured screens, curtains."""

from __future__ import annotations

import numpy as np

from maskmotion.synth.people.scenery import materials as mt
from maskmotion.synth.people.scenery import textures as tx
from maskmotion.synth.people.scenery.sets import Room, Set
from maskmotion.synth.people.scenery.shading import Lamp, Lighting
from maskmotion.synth.people.scenery.textures import Material, Rng, Spots
from maskmotion.synth.people.scenery.tracing import View

Array = np.ndarray
F32 = np.float32
KINDS = ("paper", "screen", "canvas", "curtain", "stage")


def make_studio(rng: Rng, view: View, portrait: bool) -> Set:
    """A backdrop that runs from the wall onto the floor, a curtain or a screen."""
    kind = str(rng.choice(KINDS, p=[0.36, 0.22, 0.14, 0.16, 0.12]))
    distance = float(rng.uniform(0.8, 3))
    room = Room(distance, float(rng.normal(0, 0.06)))
    material = _backdrop(rng, kind)
    high = float(rng.uniform(2.6, 4))
    room.add("card", 0, 0, 0, (30, 0, high + 3), material, casts=False)
    floor = material if kind in ("paper", "screen") and rng.random() < 0.7 else mt.concrete(rng)
    room.add("floor", 0, 0, 0, (1000, 1, 0), floor, casts=False)
    side = 1.0 if rng.random() < 0.5 else -1.0
    at = np.array([side * rng.uniform(0.5, 2), rng.uniform(-2.5, -0.8), rng.uniform(1.8, 2.8)])
    white = tx.hsv(rng.uniform(0.08, 0.14), rng.uniform(0, 0.12), 1)
    lamps = [Lamp(tuple(at), white * rng.uniform(2.5, 5), 0.6)]
    for _ in range(int(rng.integers(0, 3))):
        spot = room.point(rng.uniform(-1.2, 1.2), rng.uniform(0.4, 1.2), rng.uniform(0.2, 2.4))
        coloured = kind == "stage" or rng.random() < 0.2
        tint = tx.hsv(rng.random(), rng.uniform(0.3, 0.8), 1) if coloured else white
        lamps.append(Lamp(tuple(spot), tint * rng.uniform(0.1, 0.7), rng.uniform(0.4, 0.8)))
    ambient = white * (rng.uniform(0.03, 0.1) if kind == "stage" else rng.uniform(0.1, 0.35))
    walls: tuple[tuple[Array, float], ...] = ()
    if floor is not material:
        walls = ((room.out, float(room.out @ room.point(0, 0, 0))), (np.array([0, 0, 1.0]), 0.0))
    lighting = Lighting(ambient, ambient * 0.6, tuple(lamps), walls=walls, shade=0.6)
    towards = at - np.array([0, 0, 1.3])
    far = float(np.linalg.norm(towards))
    key = (towards / far, lamps[0].power / (far**2 + lamps[0].radius ** 2))
    return Set(
        room.shapes, lighting, key, float(rng.uniform(0.4, 0.95)),
        parameters={"kind": "studio", "mood": kind, "wall_m": distance},
    )  # fmt: skip


def _backdrop(rng: Rng, kind: str) -> Material:
    if kind == "stage":
        return mt.curtain(rng, tx.hsv(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.1, 0.4)))
    if kind == "curtain":
        return mt.curtain(rng)
    if kind == "screen":
        colour = tx.hsv(
            rng.choice([0.36, 0.38, 0.52, 0.55, 0.6]),
            rng.uniform(0.55, 0.9),
            rng.uniform(0.45, 0.8),
        )
        return mt.plain(colour, rng, rng.uniform(0.005, 0.02))
    colour = tx.neutral(rng, 0.15, 0.95) if rng.random() < 0.65 else tx.muted(rng)
    if kind == "paper":
        return mt.plain(colour, rng, rng.uniform(0.004, 0.02))
    seed, strength = tx.seed_of(rng), rng.uniform(0.04, 0.16)

    def canvas(spots: Spots) -> Array:
        clouds = tx.noise(spots, 4.0, seed, 0.55)
        return tx.shaded(colour, np.exp(strength * clouds) + 0.02 * tx.noise(spots, 0.5, seed, 1.0))

    return canvas
