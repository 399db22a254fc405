"""Meshes of hair: close fur, and locks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people._looks import Hair
from maskmotion.synth.people._scalp import Head, directions, hairline_deg, roots
from maskmotion.synth.people._strands import Growth, Mesh, grid, grow, joined, ribbons, trim, waved

__all__ = ["CUTS", "fur_layers", "hair_locks"]

Array = np.ndarray


@dataclass(frozen=True)
class _Cut:
    """How a style's locks grow.

    Attributes:
        top_m, side_m: shortest and longest locks on top and at the sides.
        ends: height below which locks are cut, as (bone, m above it); None: nowhere.
        comb: of COMBS.
        lift: 0 along the scalp to 1 straight out of it.
        weight, stiffness, reach_m: of Growth.
        rise_m: clearance of the outermost locks at volume 0 and 1.
        count, segments: of locks.
        width_m: of a lock.
        fur_m: how long the fur below is.
    """

    top_m: tuple[float, float] = (0.0, 0.0)
    side_m: tuple[float, float] = (0.0, 0.0)
    ends: tuple[str, float, float] | None = None
    comb: str = "parted"
    lift: float = 0.3
    weight: float = 1.0
    stiffness: float = 1.0
    reach_m: float = 0.1
    rise_m: tuple[float, float] = (0.008, 0.022)
    count: int = 200
    segments: int = 8
    width_m: float = 0.024
    fur_m: float = 0.003


CUTS = {
    "bald": _Cut(),
    "wreath": _Cut(fur_m=0.006),
    "buzz": _Cut(fur_m=0.005),
    "crew": _Cut((0.02, 0.035), (0.0, 0.0), None, "forward", 0.6, 0.1, 1.0, 0.03, (0.004, 0.01),
                 330, 3, 0.016, 0.009),
    "side": _Cut((0.055, 0.09), (0.02, 0.035), None, "parted", 0.4, 0.3, 0.9, 0.06, (0.006, 0.02),
                 330, 5, 0.018, 0.007),
    "slick": _Cut((0.09, 0.13), (0.04, 0.06), None, "back", 0.25, 0.3, 0.9, 0.12, (0.005, 0.018),
                  300, 6, 0.018, 0.006),
    "bob": _Cut((0.3, 0.34), (0.3, 0.34), ("head", -0.055, -0.02), count=230),
    "shoulder": _Cut((0.36, 0.46), (0.36, 0.46), ("neck01", -0.05, 0.01), count=230, segments=9),
    "long": _Cut((0.5, 0.72), (0.48, 0.66), None, count=240, segments=11),
}  # fmt: skip

# Fur ---------------------------------------------------------------------------------------

COLUMNS, ROWS = 40, 11


def _fur(head: Head, hair: Hair, cut: _Cut) -> Mesh:
    """Layers over the scalp."""
    layers = 2 if cut.top_m[1] > 0.05 else 4
    meshes = [_layer(head, hair, cut, n / (layers - 1)) for n in range(layers)]
    return joined(meshes[::-1])


def _layer(head: Head, hair: Hair, cut: _Cut, height: float) -> Mesh:
    """One layer of fur; height 0 at the scalp to 1 at the tips."""
    azimuth = np.linspace(0, 360, COLUMNS + 1)
    line = hairline_deg(azimuth, hair.recession) - 1.5
    top = np.full_like(azimuth, 90.0)
    t = np.linspace(0, 1, ROWS)[:, None]
    elevation = top + (line - top) * t
    place = head.on_skull(azimuth, elevation)
    outward = place - head.middle
    outward /= np.linalg.norm(outward, axis=2, keepdims=True)
    down = np.array([0, 0, -1.0]) * np.sin(np.pi * t)[..., None]
    rise = 0.003 + cut.fur_m * height * np.interp(t, [0, 0.8, 1], [1, 1, 0.4])
    vertices = place + rise[..., None] * (outward + 0.6 * down * height)
    aux = np.zeros((*elevation.shape, 4))
    # Above the border the lowest layer is closed.
    border = np.clip((elevation - line) / 7, 0, 1)
    aux[..., 0] = np.maximum(0.15 + 0.8 * height, 0.9 - 0.9 * border) * (1 - (height == 0) * border)
    aux[..., 2], aux[..., 3] = 0.5, 0.55 + 0.45 * height
    u = azimuth[None] / 360 * 6 * np.ones_like(t)
    coordinates = np.stack([u, elevation / 60], -1)
    return grid(vertices, coordinates, aux)


# Locks -------------------------------------------------------------------------------------


def _locks(head: Head, hair: Hair, cut: _Cut, rng: np.random.Generator) -> Mesh:
    spots = roots()
    inside = spots[:, 1] - hairline_deg(spots[:, 0], hair.recession)
    upper = _smooth((spots[:, 1] - 22) / 25)
    kept = (inside > 0.7) & ((upper > 0.35) | (cut.side_m[1] > 0))
    spots, upper, inside = (x[kept][: cut.count] for x in (spots, upper, inside))
    n = len(spots)
    layer = rng.random(n)
    top, side = (low + hair.length * (high - low) for low, high in (cut.top_m, cut.side_m))
    length = (side + (top - side) * upper) * rng.uniform(0.85, 1.05, n)
    start = head.on_skull(spots[:, 0], spots[:, 1])
    outward = _unit(start - head.middle)
    fringe = (np.abs(spots[:, 0]) < 15 + 35 * hair.fringe) & (spots[:, 1] < 62) & (hair.fringe > 0)
    comb = COMBS[cut.comb](head, hair, start, fringe)
    first = _tangent(comb(start), outward)
    first += rng.normal(0, 0.15, (n, 3))
    heading = (1 - cut.lift) * first + cut.lift * outward
    rise = cut.rise_m[0] + hair.volume * (cut.rise_m[1] - cut.rise_m[0])
    lines = grow(
        head,
        Growth(
            start, heading, comb, np.where(fringe, np.minimum(length, 0.2), length),
            0.005 + rise * layer * np.interp(inside, [0, 14], [0.3, 1]),
            cut.weight, cut.stiffness, cut.reach_m,
            np.where(np.abs(spots[:, 0]) < 75 + 30 * rng.random(n), -1.0, 1.0), fringe,
        ),
    )  # fmt: skip
    lines = trim(lines, _ends(head, hair, cut, fringe, rng), cut.segments)
    lines = waved(
        lines, (0.0, 0.008, 0.012)[round(2 * hair.curl)] * rng.uniform(0.5, 1.2, n),
        (1, 0.09, 0.04)[round(2 * hair.curl)], np.radians(3 * spots[:, 0]) + rng.normal(0, 0.8, n),
        0.06,
    )  # fmt: skip
    t = np.linspace(0, 1, cut.segments + 1)
    light = (0.45 + 0.55 * layer)[:, None] * np.interp(t, [0, 0.3], [0.8, 1])
    outer = np.argsort(-layer)
    mesh = [
        x[outer]
        for x in (
            lines, cut.width_m * rng.uniform(0.75, 1.25, n), rng.normal(0, 0.25, n),
            _slots(rng, layer), rng.normal(0, 0.07, n), light,
        )
    ]  # fmt: skip
    return ribbons(head, *mesh)


def _slots(rng: np.random.Generator, layer: Array) -> Array:
    """Denser locks within, sparser ones outside."""
    return np.clip((layer * 2.2 + rng.normal(0.4, 0.7, len(layer))).astype(int), 0, 3)


def _ends(head: Head, hair: Hair, cut: _Cut, fringe: Array, rng: np.random.Generator) -> Array:
    """(n,) heights where locks are cut."""
    lowest = np.full(len(fringe), -np.inf)
    if cut.ends is not None:
        bone, high, low = cut.ends
        level = head.bone(bone)[2] + high + hair.length * (low - high)
        lowest[:] = level + rng.normal(0, 0.006, len(fringe))
    brow = head.brow[2] + 0.006 + rng.normal(0, 0.004, len(fringe))
    return np.where(fringe, brow, lowest)


Comb = Callable[[Array], Array]


def _parted(head: Head, hair: Hair, start: Array, fringe: Array) -> Comb:
    """Away from a line over the top, to both sides and a little back; a fringe falls forward."""
    side = np.sign(start[:, 0] - hair.parting * head.width - 1e-6)[:, None]
    ahead = np.clip((head.eyes[0, 1] + 0.06 - start[:, 1:2]) / 0.06, 0, 1)
    way = np.concatenate([side, 0.35 + 0.5 * ahead, -0.25 + 0 * side], 1)
    # Behind the crown hair falls straight back and down.
    rear = _smooth((start[:, 1:2] - head.middle[1] + 0.01) / 0.05)
    fall = np.array([0, 0.7, -1.0]) + 0.8 * start * [1 / head.width, 0, 0]
    way += rear * (fall - way)
    forward = np.array([0, -1.0, -0.5]) + 0.5 * start * [1 / head.width, 0, 0]
    way = np.where(fringe[:, None], forward, way)
    return lambda places: way


def _forward(head: Head, hair: Hair, start: Array, fringe: Array) -> Comb:
    """From the crown to the forehead and down the sides."""
    way = np.tile([0, -1.0, -0.1], (len(start), 1))
    way[:, 0] = 0.8 * start[:, 0] / head.width - 0.5 * hair.parting
    return lambda places: way


def _back(head: Head, hair: Hair, start: Array, fringe: Array) -> Comb:
    way = np.tile([0, 1.0, -0.15], (len(start), 1))
    return lambda places: way


COMBS: dict[str, Callable[[Head, Hair, Array, Array], Comb]] = {
    "parted": _parted,
    "forward": _forward,
    "back": _back,
}


def _tangent(x: Array, normal: Array) -> Array:
    return _unit(x - np.einsum("na,na->n", x, normal)[:, None] * normal)


def _unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def _smooth(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
