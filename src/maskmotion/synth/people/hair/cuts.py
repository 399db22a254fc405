"""Meshes of hair: close fur, and locks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.hair.looks import Hair
from maskmotion.synth.people.hair.scalp import Head, hairline_deg, roots
from maskmotion.synth.people.hair.strands import (
    Growth,
    Mesh,
    grid,
    grow,
    joined,
    ribbons,
    trim,
    waved,
)

__all__ = ["CUTS", "fur_layers", "hair_locks"]

Array = np.ndarray
Comb = Callable[[Array], Array]


@dataclass(frozen=True)
class _Cut:
    """How a style's locks grow.

    Attributes:
        top_m, side_m: shortest and longest locks on top and at the sides.
        ends: height below which locks are cut, as (bone, m above it when short, when long); None:
            nowhere.
        comb: of COMBS.
        lift: 0 along the scalp to 1 straight out of it.
        weight, stiffness, reach_m: of Growth.
        rise_m: clearance of the outermost locks at volume 0 and 1.
        count, segments: of locks.
        width_m: of a lock.
        fur_m: how long the fur below is, when short and when long.
        layers: of fur.
    """

    top_m: tuple[float, float] = (0.0, 0.0)
    side_m: tuple[float, float] = (0.0, 0.0)
    ends: tuple[str, float, float] | None = None
    comb: str = "parted"
    lift: float = 0.3
    weight: float = 1.0
    stiffness: float = 1.0
    reach_m: float = 0.1
    rise_m: tuple[float, float] = (0.006, 0.019)
    count: int = 240
    segments: int = 8
    width_m: float = 0.024
    fur_m: tuple[float, float] = (0.003, 0.003)
    layers: int = 2


_TIED = _Cut((0.2, 0.2), (0.2, 0.2), None, "tied", 0.05, 0.05, 0.5, 1.0, (0.003, 0.012), 160, 7,
             0.028)  # fmt: skip
CUTS = {
    "bald": _Cut(),
    "wreath": _Cut(fur_m=(0.003, 0.012), layers=4),
    "buzz": _Cut(fur_m=(0.002, 0.007), layers=4),
    "crew": _Cut((0.018, 0.04), (0.0, 0.0), None, "forward", 0.5, 0.1, 1.0, 0.03, (0.004, 0.012),
                 300, 3, 0.017, (0.004, 0.01), 4),
    "side": _Cut((0.055, 0.1), (0.02, 0.035), None, "parted", 0.35, 0.3, 0.9, 0.06, (0.006, 0.022),
                 290, 5, 0.02, (0.007, 0.007)),
    "slick": _Cut((0.09, 0.13), (0.035, 0.06), None, "back", 0.25, 0.3, 0.9, 0.12, (0.005, 0.02),
                  250, 6, 0.021, (0.006, 0.006)),
    "curls": _Cut((0.05, 0.11), (0.03, 0.08), None, "loose", 0.75, 0.35, 0.8, 0.05, (0.008, 0.03),
                  300, 6, 0.017, (0.022, 0.04), 2),
    "afro": _Cut(fur_m=(0.025, 0.085), layers=4),
    "bob": _Cut((0.3, 0.34), (0.3, 0.34), ("head", -0.04, -0.085), count=160, width_m=0.03),
    "shoulder": _Cut((0.36, 0.46), (0.36, 0.46), ("neck01", -0.05, 0.02), count=150,
                     width_m=0.03),
    "long": _Cut((0.5, 0.72), (0.48, 0.66), None, count=150, segments=10, width_m=0.031),
    "ponytail": _TIED,
    "bun": _TIED,
    "knot": _TIED,
    "braid": _TIED,
}  # fmt: skip
RIM_DEG = {"cap": (24, 12, -8), "beanie": (18, 2, -22), "hat": (30, 22, 8)}  # front, side, back


# Fur ---------------------------------------------------------------------------------------

COLUMNS, ROWS = 40, 11
BUSH_M = 0.02  # longer fur stands out by itself
BUSH_CLOSED = 0.25  # height of its closed layer


def fur_layers(head: Head, hair: Hair) -> Mesh:
    """Layers over the scalp, the outermost first."""
    cut = CUTS[hair.style]
    long = cut.fur_m[0] + hair.length * (cut.fur_m[1] - cut.fur_m[0])
    if hair.headwear in RIM_DEG:
        long = min(long, 0.004)
    lowest = BUSH_CLOSED if long > BUSH_M else 0.0
    heights = np.linspace(1, lowest, cut.layers)
    return joined([_layer(head, hair, cut, long, float(height)) for height in heights])


def _layer(head: Head, hair: Hair, cut: _Cut, long: float, height: float) -> Mesh:
    """One layer of fur; height 0 at the scalp to 1 at the tips."""
    azimuth = np.linspace(0, 360, COLUMNS + 1)
    line = hairline_deg(azimuth, hair.recession) - 1.5
    t = np.linspace(0, 1, ROWS)[:, None]
    top = _wreath_top(azimuth, line) if hair.style == "wreath" else np.full_like(azimuth, 90.0)
    elevation = top + (line - top) * t
    place = head.on_skull(azimuth, elevation)
    outward = _unit(place - head.middle)
    inside = np.clip((elevation - line) / 7, 0, 1)
    inside *= np.clip((top - elevation) / 9 + (top > 89), 0, 1)
    if long > BUSH_M:
        vertices, aux = _bush(place, outward, elevation - line, long, height, hair.seed)
    else:
        rise = 0.003 + long * height * (0.4 + 0.6 * inside)
        down = np.array([0, 0, -1.0]) * np.sin(np.pi * np.clip(t, 0, 1))[..., None]
        vertices = place + rise[..., None] * (outward + 0.5 * down * height)
        aux = np.zeros((*elevation.shape, 4))
        # Within the border the lowest layer is closed.
        aux[..., 0] = np.maximum(0.15 + 0.75 * height, 0.92 - 0.92 * inside)
        aux[..., 0] *= 1 - (height == 0) * inside
        # Below long locks it is as dark as their roots.
        aux[..., 1] = -0.22 if cut.top_m[1] > 0 else 0.0
        aux[..., 2], aux[..., 3] = 0.5, 0.6 + 0.4 * height
    # Nothing beside a wreath, not even a shadow.
    beside = top - line < 2
    aux[..., 0] = np.where(beside, 2, aux[..., 0])
    vertices = np.where(beside[:, None], place, vertices)
    fine = 2 if long > BUSH_M else 1
    u = azimuth[None] / 360 * 6 * fine + 0 * t
    # Down from the crown by the way along the surface, which is steep over the forehead.
    steps = np.linalg.norm(np.diff(vertices, axis=0), axis=2)
    v = -np.concatenate([0 * steps[:1], np.cumsum(steps, 0)]) / 0.1 * fine
    return grid(vertices, np.stack([u, v], -1), aux)


def _wreath_top(azimuth: Array, line: Array) -> Array:
    """Upper border of a wreath of hair."""
    side = np.abs(np.mod(azimuth + 180, 360) - 180)
    return np.maximum(line + 0.5, np.interp(side, [50, 64, 85, 130, 180], [0, 12, 26, 30, 24]))


def _bush(
    place: Array, outward: Array, above: Array, long: float, height: float, seed: int
) -> tuple[Array, Array]:
    """Vertices and aux of a layer of hair that stands out by itself."""
    rng = np.random.default_rng([seed, 4])
    much = np.clip(above / 28, 0.01, 1) ** 0.42
    bumps = sum(
        rng.uniform(0.4, 1) * np.sin(outward @ rng.normal(0, 7, 3) + rng.uniform(0, 6.3))
        for _ in range(6)
    )
    reach = long * much * (1 + 0.035 * bumps)
    rise = 0.003 + reach * (0.62 + 0.38 * height)
    aux = np.zeros((*above.shape, 4))
    inside = np.clip(above / 6, 0, 1)
    # Farther out ever fewer strands are left; all thin out at the border.
    aux[..., 0] = 0.0 if height <= BUSH_CLOSED else 0.05 + 0.8 * height**1.5
    aux[..., 0] = np.maximum(aux[..., 0], 0.75 * (1 - inside))
    aux[..., 2], aux[..., 3] = 0.5, 0.35 + 0.65 * height
    return place + rise[..., None] * outward, aux


# Locks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Roots:
    """Where n locks start.

    Attributes:
        azimuth: (n,) degrees.
        inside: (n,) degrees above the hairline.
        upper: (n,) 1 on top of the head to 0 at the sides.
        start, outward: (n, 3) m on the scalp; away from the skull.
        fringe: (n,) whether it falls over the forehead.
    """

    azimuth: Array
    inside: Array
    upper: Array
    start: Array
    outward: Array
    fringe: Array


def hair_locks(head: Head, hair: Hair, rng: np.random.Generator) -> Mesh | None:
    """All locks, the outermost first; None where a style has none."""
    cut = CUTS[hair.style]
    hidden = hair.headwear in RIM_DEG and cut.ends is None and cut.top_m[1] < 0.15
    if cut.top_m[1] == 0 or hidden:
        return None
    meshes = [_grown(head, hair, cut, _rooted(head, hair, cut), rng)]
    if cut.comb == "tied":
        meshes = [*TAILS[hair.style](head, hair, rng), *meshes]
    return joined(meshes)


def _rooted(head: Head, hair: Hair, cut: _Cut) -> _Roots:
    spots = roots()
    azimuth, elevation = spots[:, 0], spots[:, 1]
    inside = elevation - hairline_deg(azimuth, hair.recession)
    upper = _smooth((elevation - 22) / 25)
    kept = (inside > 0.7) & ((upper > 0.35) | (cut.side_m[1] > 0))
    if hair.headwear in RIM_DEG:
        side = np.abs(azimuth)
        kept &= elevation < np.interp(side, [0, 90, 180], RIM_DEG[hair.headwear]) + 6
        kept &= side > 50  # nothing comes out over the forehead
    rows = np.flatnonzero(kept)[: cut.count]
    azimuth, elevation, inside, upper = (x[rows] for x in (azimuth, elevation, inside, upper))
    start = head.on_skull(azimuth, elevation)
    ahead = (np.abs(azimuth) < 15 + 35 * hair.fringe) & (elevation < 62)
    has = hair.fringe > 0 and cut.comb in ("parted", "tied", "loose")
    outward = _unit(start - head.middle)
    return _Roots(azimuth, inside, upper, start, outward, ahead & has)


def _grown(head: Head, hair: Hair, cut: _Cut, at: _Roots, rng: np.random.Generator) -> Mesh:
    n = len(at.start)
    layer = rng.random(n)
    comb = COMBS[cut.comb](head, hair, at)
    first = _tangent(comb(at.start), at.outward)
    first += rng.normal(0, 0.15 if cut.comb != "tied" else 0.03, (n, 3))
    rise = cut.rise_m[0] + hair.volume * (cut.rise_m[1] - cut.rise_m[0])
    if hair.headwear != "none":
        rise = min(rise, 0.01 if hair.headwear == "band" else 0.003)
    clearance = 0.007 + rise * layer * np.interp(at.inside, [0, 14], [0.3, 1])
    growth = Growth(
        at.start,
        (1 - cut.lift) * first + cut.lift * at.outward,
        _lengths(head, hair, cut, at, layer, rng),
        np.where(at.fringe, 0.5 * clearance, clearance),
        comb,
        np.where(at.fringe, 0.04, cut.reach_m),
        np.where(at.fringe, 1.5, cut.weight),
        cut.stiffness,
        np.where(np.abs(at.azimuth) < 75 + 30 * rng.random(n), -1.0, 1.0),
        at.fringe,
    )
    lines = trim(grow(head, growth), _ends(head, hair, cut, at.fringe, rng), cut.segments)
    if cut.comb != "tied":
        lines = _curled(lines, hair, at.azimuth, rng)
    t = np.linspace(0, 1, cut.segments + 1) ** 1.5
    light = (0.38 + 0.62 * layer)[:, None] * np.interp(t, [0, 0.3], [0.85, 1])
    outer = np.argsort(-layer)
    width = cut.width_m * rng.uniform(0.75, 1.25, n) * (1.3 if hair.headwear in RIM_DEG else 1)
    twist, tone = rng.normal(0, 0.16, n), rng.normal(0, 0.07, n)
    slot = _slots(rng, layer) if cut.comb != "tied" else np.zeros(n)
    return ribbons(head, *(x[outer] for x in (lines, width, twist, slot, tone, light)))


def _lengths(
    head: Head, hair: Hair, cut: _Cut, at: _Roots, layer: Array, rng: np.random.Generator
) -> Array:
    if cut.comb == "tied":
        tie = _tie(head, hair, at)
        arc = np.arccos(np.clip(np.einsum("na,na->n", _unit(tie - head.middle), at.outward), -1, 1))
        length = 0.01 + arc * 1.08 * np.linalg.norm(at.start - head.middle, axis=1)
    else:
        top, side = (low + hair.length * (high - low) for low, high in (cut.top_m, cut.side_m))
        length = (side + (top - side) * at.upper) * rng.uniform(0.85, 1.05, len(at.start))
        length *= 0.75 + 0.25 * _smooth(2 * layer)  # shorter below
        if cut.top_m[1] < 0.05:  # a short one does not jut out over the forehead
            length *= np.interp(at.inside, [0, 14], [0.45, 1])
    return np.where(at.fringe, np.clip(length, 0.1, 0.2), length)


def _curled(lines: Array, hair: Hair, azimuth: Array, rng: np.random.Generator) -> Array:
    kind = round(2 * hair.curl)
    straight = 0.05 if hair.style == "curls" else 0.12  # lies flat on the head
    size = (0.0012, 0.009, 0.012)[kind] * rng.uniform(0.5, 1.2, len(lines))
    phase = np.radians(3 * azimuth) + rng.normal(0, (2, 0.8, 2)[kind], len(lines))
    return waved(lines, size, (0.14, 0.1, 0.045)[kind], phase, straight)


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
    brow = max(head.brow[2] + 0.004, head.eyes[0, 2] + 0.016)
    brow = brow + np.clip(rng.normal(0, 0.004, len(fringe)), -0.005, 0.01)
    return np.where(fringe, brow, lowest)


def _parted(head: Head, hair: Hair, at: _Roots) -> Comb:
    """Away from a line over the top, to both sides and a little back; a fringe falls forward."""
    start = at.start
    side = np.sign(start[:, 0] - hair.parting * head.width - 1e-6)[:, None]
    ahead = np.clip((head.eyes[0, 1] + 0.06 - start[:, 1:2]) / 0.06, 0, 1)
    way = np.concatenate([side, 0.35 + 0.5 * ahead, -0.25 + 0 * side], 1)
    # Behind the crown hair falls straight back and down.
    rear = _smooth((start[:, 1:2] - head.middle[1] + 0.01) / 0.05)
    fall = np.array([0, 0.7, -1.0]) + 0.8 * start * [1 / head.width, 0, 0]
    way += rear * (fall - way)
    return _fixed(np.where(at.fringe[:, None], _to_brows(head, at), way))


def _forward(head: Head, hair: Hair, at: _Roots) -> Comb:
    """From the crown to the forehead and down the sides."""
    way = np.tile([0, -1.0, -0.1], (len(at.start), 1))
    way[:, 0] = 0.8 * at.start[:, 0] / head.width - 0.5 * hair.parting
    rear = _smooth((at.start[:, 1:2] - head.middle[1] - 0.01) / 0.05)
    return _fixed(way + rear * (np.array([0, 0.3, -1.0]) - way))


def _back(head: Head, hair: Hair, at: _Roots) -> Comb:
    way = np.tile([0, 1.0, -0.15], (len(at.start), 1))
    way[:, 0] = 0.3 * np.sign(at.start[:, 0]) * (1 - at.upper)
    return _fixed(way)


def _loose(head: Head, hair: Hair, at: _Roots) -> Comb:
    """Every which way, down from the crown."""
    way = at.outward * [1, 1, 0.2] + np.random.default_rng(hair.seed).normal(0, 0.5, at.start.shape)
    return _fixed(np.where(at.fringe[:, None], _to_brows(head, at), way))


def _tied(head: Head, hair: Hair, at: _Roots) -> Comb:
    """Along the head to where it is tied."""
    tie = _tie(head, hair, at)
    to_brows = _to_brows(head, at)
    return lambda places: np.where(at.fringe[:, None], to_brows, 4 * _unit(tie - places))


COMBS: dict[str, Callable[[Head, Hair, _Roots], Comb]] = {
    "parted": _parted,
    "forward": _forward,
    "back": _back,
    "loose": _loose,
    "tied": _tied,
}


def _fixed(way: Array) -> Comb:
    return lambda places: way


def _to_brows(head: Head, at: _Roots) -> Array:
    return np.array([0, -1.0, -0.5]) + 0.5 * at.start * [1 / head.width, 0, 0]


# Tied hair ---------------------------------------------------------------------------------


def _knots(head: Head, hair: Hair) -> Array:
    """(k, 3) where hair is tied: one place, or two for two braids."""
    height = {"ponytail": 5 + 40 * hair.volume, "bun": 2 + 38 * hair.volume, "knot": 68.0,
              "braid": -22.0}[hair.style]  # fmt: skip
    azimuth = np.array([-140.0, 140.0] if _two_braids(hair) else [180.0])
    place = head.on_skull(azimuth, np.full(len(azimuth), height))
    return place + 0.012 * _unit(place - head.middle)


def _two_braids(hair: Hair) -> bool:
    return hair.style == "braid" and hair.seed % 2 == 0


def _tie(head: Head, hair: Hair, at: _Roots) -> Array:
    """(n, 3) where each lock is led."""
    knots = _knots(head, hair)
    return knots[(at.start[:, 0] > 0).astype(int) % len(knots)]


def _tail(head: Head, hair: Hair, rng: np.random.Generator) -> list[Mesh]:
    n = 56
    outward = _unit(_knots(head, hair) - head.middle)[0]
    layer = rng.random(n)
    spread = rng.normal(0, 1, (n, 3))
    growth = Growth(
        _knots(head, hair)[0] + 0.005 * spread - 0.006 * outward,
        outward + 0.22 * spread + np.array([0, 0.3, 0.2]),
        (0.18 + 0.4 * hair.length) * rng.uniform(0.85, 1, n),
        0.008 + 0.02 * layer,
        _fixed(np.tile(outward, (n, 1))),
        reach_m=0.04,
        weight=1.2,
        stiffness=1.1,
    )
    lines = trim(grow(head, growth), np.full(n, -np.inf), 9)
    lines = _curled(lines, hair, np.zeros(n), rng)
    light = np.tile((0.55 + 0.45 * layer)[:, None], (1, 10))
    return [ribbons(head, lines, np.full(n, 0.022), rng.normal(0, 0.7, n), _slots(rng, layer),
                    rng.normal(0, 0.07, n), light)]  # fmt: skip


def _bun(head: Head, hair: Hair, rng: np.random.Generator) -> list[Mesh]:
    """A coil: a flattened ball whose strands wind round its axis."""
    outward = _unit(_knots(head, hair) - head.middle)[0]
    side = _unit(np.cross(outward, [0.1, 0.2, 1.0]))
    other = np.cross(side, outward)
    size = (0.022 if hair.style == "knot" else 0.028) + 0.016 * hair.length
    turn = np.linspace(0, 2 * np.pi, 19)
    polar = np.linspace(0.02, 2.6, 11)[:, None]
    wobble = 1 + 0.06 * np.sin(3 * turn + 9 * polar) + 0.05 * np.sin(2 * turn - 5 * polar + 1)
    flat = size * wobble * np.sin(polar)
    place = (
        _knots(head, hair)[0] + 0.55 * size * outward
        + flat[..., None] * (np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * other)
        + (0.75 * size * np.cos(polar) + 0 * turn)[..., None] * outward
    )  # fmt: skip
    aux = np.zeros((*place.shape[:2], 4))
    aux[..., 0], aux[..., 1] = 0.1, 0.1 * np.sin(3 * polar + turn)
    aux[..., 2], aux[..., 3] = 0.5, np.interp(polar, [0, 1.2, 2.6], [1, 0.9, 0.4])
    # Strands run round: v along the turn, u from the pole outwards, a little wound.
    u = 0.03 + 0.19 * np.mod(polar / 2.7 + 0 * turn, 1)
    v = 0.9 - 0.5 * np.abs(turn / np.pi - 1) + 0 * polar
    ball = grid(place, np.stack([u, v], -1), aux)
    loose = 14
    start = _knots(head, hair)[0] + rng.normal(0, 0.012, (loose, 3))
    heading, length = rng.normal(0, 1, (loose, 3)), rng.uniform(0.03, 0.06, loose)
    growth = Growth(start, heading, length, 0.012, weight=0.3)
    lines = trim(grow(head, growth), np.full(loose, -np.inf), 3)
    ends = ribbons(head, lines, np.full(loose, 0.012), rng.normal(0, 1, loose),
                   np.full(loose, 3), np.zeros(loose), np.ones((loose, 4)))  # fmt: skip
    return [ball, ends]


def _braids(head: Head, hair: Hair, rng: np.random.Generator) -> list[Mesh]:
    knots = _knots(head, hair)
    n = len(knots)
    heading = _unit(knots - head.middle) + np.array([0, 0, -1.0])
    length = np.full(n, 0.28 + 0.22 * hair.length)
    growth = Growth(
        knots, heading, length, 0.022, weight=1.4, stiffness=0.9, behind=-1.0 if n == 2 else 1.0
    )
    lines = grow(head, growth)
    return [mesh for line in lines for mesh in _plaited(line)]


def _plaited(line: Array) -> list[Mesh]:
    """Three cords round a line, each swinging over and under the others."""
    rings = 34
    place = np.linspace(0, len(line) - 1.001, rings)
    first = place.astype(int)
    middle = line[first] + (place - first)[:, None] * (line[first + 1] - line[first])
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))])
    tangent = _unit(np.gradient(middle, axis=0))
    side = _unit(np.cross(tangent, [0.0, 1.0, 0.25]))
    over = np.cross(side, tangent)
    taper = np.interp(way / way[-1], [0, 0.1, 0.9, 1], [0.8, 1, 0.6, 0.25])
    meshes = []
    for k in range(3):
        angle = 2 * np.pi * (way / 0.075 + k / 3)
        centre = (
            middle + (0.011 * taper * np.sin(angle))[:, None] * side
            + (0.006 * taper * np.sin(2 * angle))[:, None] * over
        )  # fmt: skip
        turn = np.linspace(0, 2 * np.pi, 7)[:, None, None]
        radius = (0.0095 * taper)[:, None]
        tube = centre + radius * (np.cos(turn) * side + 0.8 * np.sin(turn) * over)
        aux = np.zeros((*tube.shape[:2], 4))
        aux[..., 0], aux[..., 3] = 0.1, 0.65 + 0.35 * np.sin(2 * angle) * np.sign(over[0, 1] + 1e-9)
        u = 0.03 + 0.19 * np.abs(turn[:, 0, 0] / np.pi - 1)[:, None] + 0 * way
        v = np.abs(np.mod(way / 0.2, 2) - 1)[None] * 0.5 + 0.4 + 0 * u
        meshes.append(grid(tube, np.stack([u, v], -1), aux))
    return meshes


TAILS: dict[str, Callable[[Head, Hair, np.random.Generator], list[Mesh]]] = {
    "ponytail": _tail,
    "bun": _bun,
    "knot": _bun,
    "braid": _braids,
}


def _tangent(x: Array, normal: Array) -> Array:
    return _unit(x - np.einsum("na,na->n", x, normal)[:, None] * normal)


def _unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)


def _smooth(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)
