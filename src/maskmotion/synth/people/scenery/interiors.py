"""Rooms: walls, floor, windows, furniture, lamps."""

from __future__ import annotations

import numpy as np

from maskmotion.synth.people.scenery import materials as mt
from maskmotion.synth.people.scenery import textures as tx
from maskmotion.synth.people.scenery.furniture import WHITE, furnish
from maskmotion.synth.people.scenery.sets import Room, Set
from maskmotion.synth.people.scenery.shading import Lamp, Lighting, Sun
from maskmotion.synth.people.scenery.textures import Material, Rng
from maskmotion.synth.people.scenery.tracing import View

Array = np.ndarray
F32 = np.float32
MOODS = ("living", "office", "kitchen", "gym", "library", "bare")


def make_interior(rng: Rng, view: View, portrait: bool) -> Set:
    """A room of a random mood."""
    mood = str(rng.choice(MOODS, p=[0.36, 0.2, 0.13, 0.1, 0.09, 0.12]))
    distance = float(rng.uniform(0.9, 4.5) if portrait else rng.uniform(1.1, 5.5))
    yaw = float(np.clip(rng.normal(0, 0.18), -0.5, 0.5))
    room = Room(distance, yaw)
    height = float(rng.uniform(2.4, 3.1) if mood != "gym" else rng.uniform(3.5, 6))
    half = _visible_half(view, distance) + 0.3
    wall_colour = tx.paint_colour(rng)
    people, _ = room.coordinates(np.stack([np.zeros(3), view.eye], 1))
    _shell(rng, room, mood, height, half, wall_colour, people)
    lighting, key, softness, name = _light(rng, room, height, half, wall_colour)
    furnish(rng, room, mood, half, height, portrait, distance)
    return Set(
        room.shapes,
        lighting,
        key,
        softness,
        parameters={
            "kind": "interior", "mood": mood, "light": name,
            "wall_m": distance, "wall_deg": float(np.degrees(yaw)), "height_m": height,
        },
    )  # fmt: skip


def _visible_half(view: View, distance: float) -> float:
    """Half of the width in m that the picture shows of the wall."""
    return float((distance - view.eye[1]) * view.reach / view.focal)


# -- walls, floor, ceiling -------------------------------------------------------------------------


def floor_material(rng: Rng, mood: str) -> tuple[Material, str]:
    pick = rng.random()
    if mood == "gym":
        return (mt.planks(rng), "wood") if pick < 0.5 else (mt.carpet(rng), "mat")
    if mood == "kitchen":
        return (mt.tiles(rng), "tiles") if pick < 0.65 else (mt.planks(rng), "wood")
    if pick < 0.45:
        return mt.planks(rng), "wood"
    if pick < 0.6:
        return mt.tiles(rng), "tiles"
    if pick < 0.85:
        return mt.carpet(rng), "carpet"
    return mt.concrete(rng), "concrete"


def wall_material(rng: Rng, mood: str, colour: Array) -> Material:
    pick = rng.random()
    if mood == "kitchen" and pick < 0.4:
        return mt.tiles(rng)
    if mood == "gym" and pick < 0.4:
        return mt.bricks(rng)
    if pick < 0.55:
        return mt.plain(colour, rng, rng.uniform(0.004, 0.016))
    if pick < 0.65:
        return mt.bricks(rng)
    if pick < 0.75:
        return mt.wallpaper(rng)
    if pick < 0.83:
        return mt.panels(rng)
    if pick < 0.91:
        return mt.planks(rng, upright=bool(rng.random() < 0.7))
    return mt.concrete(rng)


def _shell(
    rng: Rng, room: Room, mood: str, height: float, half: float, colour: Array, people: Array
) -> None:
    """Floor, walls, ceiling; `people` (2,) are the person's and the camera's places along u."""
    floor, name = floor_material(rng, mood)
    shiny = {"carpet": 0.0, "mat": 0.02, "concrete": 0.02}.get(name, 0.06)
    gloss = shiny * float(rng.uniform(0, 1.5))
    room.add("floor", 0, 0, 0, (1000, 1, 0), floor, casts=False, gloss=gloss)
    wide = 30.0
    room.add("card", 0, 0, 0, (wide, 0, height), wall_material(rng, mood, colour), casts=False)
    if mood != "gym":
        ceiling = mt.plain(WHITE * rng.uniform(0.8, 1), rng)
        room.add("box", 0, 10, height, (wide, 24, 0.1), ceiling, casts=False)
    for side in (-1, 1):
        if rng.random() < 0.3:
            # outside of where the person and the camera stand
            clear = max(side * people[0] + 0.9, side * people[1] + 0.4)
            at = side * max(half * rng.uniform(0.55, 1.0), clear)
            face = mt.plain(colour, rng) if rng.random() < 0.7 else wall_material(rng, mood, colour)
            room.add("box", at + side * 0.05, 6, 0, (0.1, 12.0, height), face, casts=False)
    if rng.random() < 0.75:
        skirting = mt.plain(WHITE if rng.random() < 0.6 else tx.wood_colour(rng), rng)
        room.add("box", 0, 0.01, 0, (wide, 0.02, rng.uniform(0.06, 0.14)), skirting, casts=False)
    if rng.random() < 0.12:
        room.add("box", 0, 0.03, height - 0.1, (wide, 0.06, 0.1), mt.plain(WHITE, rng), casts=False)


# -- light -----------------------------------------------------------------------------------------


def _light(
    rng: Rng, room: Room, height: float, half: float, walls: Array
) -> tuple[Lighting, tuple[Array, Array], float, str]:
    """Daylight from a side, ceiling lamps, warm evening lamps, or coloured lamps."""
    name = str(
        rng.choice(
            ["day", "sunny", "ceiling", "evening", "coloured"], p=[0.3, 0.18, 0.27, 0.17, 0.08]
        )
    )
    side = 1.0 if rng.random() < 0.5 else -1.0
    bounce = 0.75 + 0.25 * walls / max(float(walls.mean()), 0.05)  # walls tint what they throw back
    lamps: list[Lamp] = []
    sun = None
    if name in ("day", "sunny"):
        cool = tx.hsv(rng.uniform(0.55, 0.62), rng.uniform(0, 0.16), 1)
        key_at = room.point(
            side * rng.uniform(1.8, 3.2), rng.uniform(0.8, 3.5), rng.uniform(1.3, 1.9)
        )
        key_at[1] = min(key_at[1], 0.6)
        lamps.append(Lamp(tuple(key_at), cool * rng.uniform(2.0, 4.5), 0.9))
        ambient = bounce * cool * rng.uniform(0.12, 0.36)
        if name == "sunny":
            sun = _sun_through_window(rng, room, side)
    elif name == "ceiling":
        white = tx.hsv(rng.choice([0.09, 0.12, 0.55]), rng.uniform(0, 0.22), 1)
        key_at = np.array([rng.uniform(-1, 1), rng.uniform(-1.8, 0.3), height - 0.15])
        lamps.append(Lamp(tuple(key_at), white * rng.uniform(1.2, 2.4), 0.5))
        if rng.random() < 0.6:
            more = room.point(rng.uniform(-half, half), rng.uniform(0.4, 2.0), height - 0.2)
            lamps.append(Lamp(tuple(more), white * rng.uniform(0.5, 1.6), 0.4))
        ambient = bounce * white * rng.uniform(0.12, 0.36)
    else:
        warm = tx.hsv(rng.uniform(0.06, 0.11), rng.uniform(0.25, 0.5), 1)
        key_at = np.array(
            [side * rng.uniform(0.6, 1.8), rng.uniform(-2.5, -0.6), rng.uniform(1.6, 2.3)]
        )
        key_white = warm if name == "evening" else tx.hsv(0.1, rng.uniform(0, 0.15), 1)
        lamps.append(Lamp(tuple(key_at), key_white * rng.uniform(1.2, 2.4), 0.5))
        # blue to pink mostly, as lamps for streaming are
        hue = rng.uniform(0.52, 0.95) if rng.random() < 0.75 else rng.uniform(-0.05, 0.52)
        colour = warm if name == "evening" else tx.hsv(hue, rng.uniform(0.3, 0.7), 1)
        spot = room.point(
            -side * rng.uniform(0.2, 1) * half, rng.uniform(0.3, 0.8), rng.uniform(0.4, 2.2)
        )
        lamps.append(Lamp(tuple(spot), colour * rng.uniform(0.15, 0.7), rng.uniform(0.2, 0.5)))
        ambient = bounce * colour * rng.uniform(0.05, 0.2)
    lighting = Lighting(
        sky=(ambient * 1.15).astype(F32),
        ground=(ambient * 0.7).astype(F32),
        lamps=tuple(lamps),
        sun=sun,
        walls=((room.out, float(room.out @ room.point(0, 0, 0))), (np.array([0, 0, 1.0]), 0.0),
               (np.array([0, 0, 1.0]), height)),
        shade=float(rng.uniform(0.55, 0.9)),
    )  # fmt: skip
    towards = key_at - np.array([0, 0, 1.3])
    far = float(np.linalg.norm(towards))
    key = (towards / far, lamps[0].power / (far**2 + lamps[0].radius ** 2))
    return lighting, key, float(rng.uniform(0.35, 0.9)), name


def _sun_through_window(rng: Rng, room: Room, side: float) -> Sun:
    """Sunlight through a window out of sight, with bars, on a side of the room."""
    towards = room.along * side * rng.uniform(0.7, 1.4) + room.out * rng.uniform(-0.2, 0.6)
    towards = towards + np.array([0, 0, rng.uniform(0.35, 0.9)])
    towards /= np.linalg.norm(towards)
    # aim at a point of the wall or floor that may be seen
    aim = room.point(rng.uniform(-1, 1), rng.uniform(0, 1.2), rng.uniform(0, 1.2))
    plane = float(rng.uniform(2.5, 4))
    middle = aim + towards * plane
    wide, tall = rng.uniform(0.5, 1.3), rng.uniform(0.6, 1.3)
    bars = int(rng.integers(1, 4))
    blinds = rng.random() < 0.2

    def shines(points: Array) -> Array:
        t = towards.astype(F32)
        axis = (room.along * side).astype(F32)
        away = F32(axis @ middle) - axis @ points
        way = away / F32(axis @ t)
        u = (room.out.astype(F32) @ points + way * F32(room.out @ towards)) - F32(room.out @ middle)
        v = points[2] + way * F32(t[2]) - F32(middle[2])
        soft = 0.015 + 0.01 * np.abs(way)
        inside = np.minimum(wide - np.abs(u), tall - np.abs(v))
        light = np.clip(0.5 + inside / soft, 0, 1)
        pane = np.abs((u + wide) / (2 * wide) * bars % 1 - 0.5) * (2 * wide / bars)
        light *= np.clip(0.5 + (wide / bars - pane - 0.025) / soft, 0, 1)
        if blinds:
            light *= np.clip(0.5 + (np.abs(v / 0.06 % 1 - 0.5) - 0.2) * 0.06 / soft * 2, 0, 1)
        return (light * (way > 0)).astype(F32)

    colour = tx.hsv(rng.uniform(0.07, 0.12), rng.uniform(0.08, 0.35), 1) * rng.uniform(0.7, 1.9)
    return Sun(towards, colour, shines)
