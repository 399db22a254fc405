"""Surfaces: noise that every machine repeats, and the materials made of it.

A material is a function from `Spots` to (n, 3) colours: linear RGB of what the surface throws back.
Whatever is finer than a spot's size is averaged away, so that nothing flickers in the distance.
"""

from __future__ import annotations

import colorsys
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Rng = np.random.Generator

TILE = 512  # texels along a side of a noise tile
F32 = np.float32


@dataclass(frozen=True)
class Spots:
    """Points of a surface: (n,) `u` to the right and `v` upwards in m, and their `size` in m."""

    u: Array
    v: Array
    size: Array


Material = Callable[[Spots], Array]
Cover = Callable[[Spots], Array]  # (n,) in [0, 1]: how much of a spot is there


# -- colours ---------------------------------------------------------------------------------------


def linear(srgb: Array | tuple[float, ...]) -> Array:
    """Linear light of sRGB values in [0, 1]."""
    x = np.asarray(srgb, F32)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(F32)


def hsv(hue: float, saturation: float, value: float) -> Array:
    """(3,) linear RGB."""
    return linear(colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1)))


def neutral(rng: Rng, low: float = 0.45, high: float = 0.92) -> Array:
    """White, grey, cream or beige: what most rooms are painted in."""
    hue, share = [(0.08, 1.0), (0.1, 1.0), (0.13, 1.0), (0.58, 0.5)][int(rng.integers(4))]
    return hsv(hue + rng.normal(0, 0.02), share * rng.beta(1.3, 8), rng.uniform(low, high))


def muted(rng: Rng, low: float = 0.25, high: float = 0.8) -> Array:
    return hsv(rng.random(), rng.uniform(0.1, 0.45), rng.uniform(low, high))


def strong(rng: Rng) -> Array:
    return hsv(rng.random(), rng.uniform(0.5, 0.9), rng.uniform(0.3, 0.85))


def paint_colour(rng: Rng) -> Array:
    pick = rng.random()
    if pick < 0.72:
        return neutral(rng)
    if pick < 0.95:
        return hsv(rng.random(), rng.uniform(0.06, 0.3), rng.uniform(0.3, 0.85))
    return strong(rng)


def cloth_colour(rng: Rng) -> Array:
    pick = rng.random()
    if pick < 0.18:
        return neutral(rng, 0.06, 0.16)
    return neutral(rng, 0.12, 0.85) if pick < 0.55 else muted(rng) if pick < 0.88 else strong(rng)


def wood_colour(rng: Rng) -> Array:
    return hsv(rng.uniform(0.045, 0.1), rng.uniform(0.2, 0.65), rng.uniform(0.2, 0.78))


# -- noise -----------------------------------------------------------------------------------------


def cell_hash(i: Array, j: Array, seed: int) -> Array:
    """(n,) float32 in [0, 1): one number for each integer cell (i, j)."""
    h = i.astype(np.int32).view(np.uint32) * np.uint32(0x8DA6B343)
    h ^= j.astype(np.int32).view(np.uint32) * np.uint32(0xD8163841)
    h ^= np.uint32((seed * 0xCB1AB31F) & 0xFFFFFFFF)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x2C1B3C6D)
    h ^= h >> np.uint32(12)
    h *= np.uint32(0x297A2D39)
    h ^= h >> np.uint32(15)
    return (h >> np.uint32(8)).astype(F32) * F32(2**-24)


@dataclass(frozen=True)
class Tile:
    """A picture that repeats, with its reduced copies behind each other: (texels, channels)."""

    texels: Array
    levels: int

    @classmethod
    def of(cls, picture: Array) -> Tile:
        """Of (TILE, TILE, channels)."""
        copies = [picture]
        while copies[-1].shape[0] > 4:
            p = copies[-1]
            copies.append((p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4)
        channels = picture.shape[2]
        return cls(np.concatenate([c.reshape(-1, channels) for c in copies]), len(copies))

    def at(self, u: Array, v: Array, size: Array) -> Array:
        """(n, channels) around (u, v), averaged over `size`; all in texels of the finest copy."""
        level = np.log2(np.maximum(size, 1)).astype(np.int32)  # rounds down: sharp, not smeared
        np.minimum(level, self.levels - 1, out=level)
        shrink = np.ldexp(F32(1), -level)
        x, y = u * shrink - F32(0.5), v * shrink - F32(0.5)
        left, low = np.floor(x), np.floor(y)
        fx, fy = (x - left)[:, None], (y - low)[:, None]
        x0, y0 = left.astype(np.int32), low.astype(np.int32)
        side = np.right_shift(TILE, level)
        start = LEVEL_STARTS[level]
        mask = side - 1
        x1, y1 = (x0 + 1) & mask, ((y0 + 1) & mask) * side + start
        x0, y0 = x0 & mask, (y0 & mask) * side + start
        t = self.texels
        lower = t[y0 + x0] * (1 - fx) + t[y0 + x1] * fx
        upper = t[y1 + x0] * (1 - fx) + t[y1 + x1] * fx
        return lower + (upper - lower) * fy


LEVEL_STARTS = np.cumsum([0] + [(TILE >> k) ** 2 for k in range(8)], dtype=np.int32)


@functools.cache
def fractal(fall: float = 0.6) -> Tile:
    """One channel, mean 0 and deviation 1; each finer octave is `fall` times as strong."""
    rng = np.random.default_rng([11, round(100 * fall)])
    picture = rng.standard_normal((4, 4), F32)
    strength = 1.0
    while picture.shape[0] < TILE:
        strength *= fall
        picture = _double(picture)
        picture += F32(strength) * rng.standard_normal(picture.shape, F32)
    picture = (picture - picture.mean()) / picture.std()
    return Tile.of(picture[:, :, None])


def _double(picture: Array) -> Array:
    """Twice the side, smoothly, around the edges."""
    for axis in (0, 1):
        near, before, after = 0.75 * picture, np.roll(picture, 1, axis), np.roll(picture, -1, axis)
        pairs = np.stack([near + 0.25 * before, near + 0.25 * after], axis + 1)
        rows = picture.shape[0] * (2 if axis == 0 else 1)
        picture = pairs.reshape(rows, -1)
    return picture.astype(F32)


@functools.cache
def stones() -> Tile:
    """Two channels: a stone's own number in [0, 1), and 0 in the joints to 1 on its middle."""
    cells = 32
    rng = np.random.default_rng(12)
    points = rng.uniform(0.1, 0.9, (cells, cells, 2)).astype(F32)
    numbers = rng.random((cells, cells), F32)
    grid = np.arange(TILE, dtype=F32) * (cells / TILE)
    x, y = np.meshgrid(grid, grid)
    i, j = x.astype(int), y.astype(int)
    nearest = np.full((TILE, TILE), 9, F32)
    second, number = nearest.copy(), nearest.copy()
    for dj in (-1, 0, 1):
        for di in (-1, 0, 1):
            a, b = (i + di) % cells, (j + dj) % cells
            far = np.hypot(i + di + points[b, a, 0] - x, j + dj + points[b, a, 1] - y)
            closer = far < nearest
            second = np.where(closer, nearest, np.minimum(second, far))
            number = np.where(closer, numbers[b, a], number)
            nearest = np.minimum(nearest, far)
    middle = np.clip((second - nearest) * 2.5, 0, 1)
    return Tile.of(np.stack([number, middle], -1).astype(F32))


@functools.cache
def leaves() -> Tile:
    """Three channels: brightness around 0.5, a leaf's own number, and 1 where any leaf is."""
    rng = np.random.default_rng(13)
    bright = np.full((TILE, TILE), 0.08, F32)
    number, there = np.full_like(bright, 0.5), np.zeros_like(bright)
    for layer, cells in enumerate((40, 44, 40, 36, 32)):  # the last lies on top
        inside, light, own = _leaf_layer(rng, cells)
        depth = 0.25 + 0.75 * layer / 4
        bright = np.where(inside, light * depth, bright * np.where(inside, 1, 0.98))
        number = np.where(inside, own, number)
        there = np.where(inside, F32(1), there)
    return Tile.of(np.stack([bright, number, there], -1).astype(F32))


def _leaf_layer(rng: Rng, cells: int) -> tuple[Array, Array, Array]:
    """Scattered leaves over the tile: where one is, its brightness and its number."""
    points = rng.random((cells, cells, 2))
    turn = rng.uniform(0, 2 * np.pi, (cells, cells))
    own = rng.random((cells, cells)).astype(F32)
    long = rng.uniform(0.5, 0.95, (cells, cells))
    grid = (np.arange(TILE) + 0.5) * (cells / TILE)
    x, y = np.meshgrid(grid, grid)
    i, j = x.astype(int), y.astype(int)
    inside = np.zeros((TILE, TILE), bool)
    light, number = np.zeros((TILE, TILE), F32), np.zeros((TILE, TILE), F32)
    for dj in (-1, 0, 1):
        for di in (-1, 0, 1):
            a, b = (i + di) % cells, (j + dj) % cells
            dx, dy = x - i - di - points[b, a, 0], y - j - dj - points[b, a, 1]
            c, s = np.cos(turn)[b, a], np.sin(turn)[b, a]
            along, across = (c * dx + s * dy) / long[b, a], (c * dy - s * dx) / (0.45 * long[b, a])
            hit = (np.abs(across) < 1 - along**2) & (own[b, a] < 0.8)
            # each half of a leaf stands at another angle to the light
            shade = 0.45 + 0.55 * own[b, a] ** 2 * 1.2 + 0.12 * np.sign(across) + 0.15 * along
            light, number = np.where(hit, shade, light), np.where(hit, own[b, a], number)
            inside |= hit
    return inside, light.astype(F32), number.astype(F32)


def noise(spots: Spots, metres: float, seed: int, fall: float = 0.6, stretch: float = 1) -> Array:
    """(n,) fractal noise of deviation 1 that repeats after `metres`, `stretch` times as long in v."""
    scale = F32(TILE / metres)
    shift = _shift(seed)
    if stretch == 1:  # any angle, so that the tile's rows and columns do not show
        c, s = F32(np.cos(seed * 1.7)) * scale, F32(np.sin(seed * 1.7)) * scale
        u, v = c * spots.u + s * spots.v + shift[0], c * spots.v - s * spots.u + shift[1]
    else:
        u, v = spots.u * scale + shift[0], spots.v * (scale / F32(stretch)) + shift[1]
    return fractal(fall).at(u, v, spots.size * (scale / F32(stretch**0.5)))[:, 0]


def _shift(seed: int) -> Array:
    """(2,) texels: another part of a tile for another seed."""
    return np.array([(seed * 181) % TILE, (seed * 307) % TILE], F32)


# -- helpers for patterns --------------------------------------------------------------------------


def mix(a: Array, b: Array, share: Array) -> Array:
    """(n, 3) between colours a and b."""
    return a + (b - a) * share[:, None]


def line(distance: Array, width: float, size: Array) -> Array:
    """(n,) share of a spot that a line of this width covers, `distance` from its middle."""
    soft = np.maximum(size, 1e-4)
    near = np.clip(0.5 + (width / 2 - np.abs(distance)) / soft, 0, 1)
    return (near * np.minimum(1, width / soft + 0.2)).astype(F32)


def shaded(colour: Array, factor: Array) -> Array:
    return np.maximum(colour * factor[:, None], 0.0).astype(F32)


def seed_of(rng: Rng) -> int:
    return int(rng.integers(1 << 20))


# -- materials -------------------------------------------------------------------------------------


def plain(colour: Array, rng: Rng, rough: float = 0.03) -> Material:
    """Paint, plastic or metal: almost one colour, with faint stains and roughness."""
    fine, wide = seed_of(rng), seed_of(rng)

    def material(spots: Spots) -> Array:
        stains = 1 + rough * noise(spots, 0.9, fine, 0.95) + rough * noise(spots, 9.0, wide, 0.4)
        return shaded(colour, stains)

    return material


def wood(colour: Array, rng: Rng, upright: bool = False) -> Material:
    """Boards with grain along u, or along v."""
    seed, strength = seed_of(rng), rng.uniform(0.06, 0.22)

    def material(spots: Spots) -> Array:
        s = spots if upright else Spots(spots.v, spots.u, spots.size)
        grain = noise(s, 0.7, seed, 0.8, stretch=14)
        wide = noise(s, 3.0, seed + 5, 0.6, stretch=5)
        return shaded(colour, 1 + strength * (0.7 * grain + 0.5 * wide))

    return material


def planks(rng: Rng, upright: bool = False) -> Material:
    """Boards side by side, each of its own shade; upright ones have no joints at their ends."""
    colour = wood_colour(rng)
    width, length = rng.uniform(0.07, 0.22), 9.0 if upright else rng.uniform(0.7, 2.4)
    seed, grain = seed_of(rng), rng.uniform(0.05, 0.18)
    differ, gap = rng.uniform(0.03, 0.16), rng.uniform(0.002, 0.006)

    def material(spots: Spots) -> Array:
        u, v = (spots.v, spots.u) if upright else (spots.u, spots.v)
        row = np.floor(v / width)
        along = u / length + cell_hash(row, row, seed)
        board = np.floor(along)
        own = cell_hash(row, board, seed + 1)
        turned = Spots(v + own * 5, u + own * 9, spots.size)
        lines = noise(turned, 0.6, seed, 0.82, stretch=16)
        shade = 1 + differ * (own - 0.5) * 3 + grain * lines
        to_side = np.abs(v / width - row - 0.5) * width - width / 2
        to_end = np.abs(along - board - 0.5) * length - length / 2
        dark = np.maximum(line(to_side, gap, spots.size), line(to_end, gap, spots.size))
        return shaded(colour, shade * (1 - 0.7 * dark))

    return material


def tiles(rng: Rng, colour: Array | None = None) -> Material:
    """Square or long tiles with joints."""
    if colour is None:
        colour = neutral(rng, 0.3, 0.9) if rng.random() < 0.75 else muted(rng, 0.3, 0.8)
    other = colour * rng.uniform(0.25, 1) if rng.random() < 0.12 else colour
    width = rng.uniform(0.08, 0.6)
    height = width * rng.choice([1, 1, 0.5, 0.33])
    joint, shift = rng.uniform(0.003, 0.012), rng.choice([0, 0, 0.5])
    joint_colour = neutral(rng, 0.35, 0.85)
    seed, differ = seed_of(rng), rng.uniform(0.01, 0.07)
    marble = rng.uniform(0.0, 0.09)

    def material(spots: Spots) -> Array:
        row = np.floor(spots.v / height)
        across = spots.u / width + shift * row
        column = np.floor(across)
        own = cell_hash(row, column, seed)
        moved = Spots(spots.u + own * 7, spots.v, spots.size)
        shade = 1 + differ * (own - 0.5) * 2 + marble * noise(moved, 1.1, seed, 0.7)
        face = mix(colour, other, ((row + column) % 2).astype(F32))
        in_u = np.abs(across - column - 0.5) * width - width / 2
        in_v = np.abs(spots.v / height - row - 0.5) * height - height / 2
        joints = np.maximum(line(in_u, joint, spots.size), line(in_v, joint, spots.size))
        return mix(shaded(face, shade), joint_colour, joints)

    return material


def bricks(rng: Rng, colour: Array | None = None) -> Material:
    """Bricks in mortar, rough, lit from above."""
    red = hsv(rng.uniform(0.01, 0.06), rng.uniform(0.3, 0.65), rng.uniform(0.35, 0.65))
    base = colour if colour is not None else red if rng.random() < 0.65 else neutral(rng, 0.4, 0.9)
    painted = colour is None and rng.random() < 0.25
    mortar = base * 0.8 if painted else neutral(rng, 0.4, 0.75)
    height, ratio = rng.uniform(0.06, 0.09), rng.uniform(2.6, 3.4)
    joint, seed = rng.uniform(0.008, 0.014), seed_of(rng)
    differ, rough = (0.05, 0.06) if painted else (rng.uniform(0.15, 0.4), rng.uniform(0.1, 0.2))

    def material(spots: Spots) -> Array:
        wobble = 0.003 * noise(spots, 0.8, seed, 0.6)
        v, u = spots.v + wobble, spots.u + wobble
        row = np.floor(v / height)
        across = u / (height * ratio) + 0.5 * (row % 2)
        column = np.floor(across)
        own = cell_hash(row, column, seed)
        shade = 1 + differ * (own - 0.5) * 2 + rough * noise(spots, 0.5, seed + 3, 0.85)
        shade += 0.1 * noise(spots, 6.0, seed + 4, 0.6)
        high = (v / height - row - 0.5) * height
        in_v = np.abs(high) - height / 2
        in_u = (np.abs(across - column - 0.5) - 0.5) * height * ratio
        joints = np.maximum(line(in_u, joint, spots.size), line(in_v, joint, spots.size))
        under = line(high + height / 2 - joint, joint, spots.size)  # the edge's own shadow
        face = shaded(base, shade * (1 - 0.3 * under))
        return mix(face, mortar * 0.8, joints)

    return material


def concrete(rng: Rng, colour: Array | None = None) -> Material:
    """Plaster, concrete or asphalt: stains at all scales, and grit."""
    colour = neutral(rng, 0.35, 0.75) if colour is None else colour
    seed, stains, grit = seed_of(rng), rng.uniform(0.05, 0.16), rng.uniform(0.03, 0.12)

    def material(spots: Spots) -> Array:
        shade = 1 + stains * noise(spots, 5.0, seed, 0.65) + grit * noise(spots, 0.6, seed + 1, 1.1)
        return shaded(colour, shade)

    return material


def carpet(rng: Rng, colour: Array | None = None) -> Material:
    """Pile: fine grain with soft lighter and darker areas."""
    if colour is None:
        colour = neutral(rng, 0.15, 0.7) if rng.random() < 0.7 else muted(rng, 0.2, 0.6)
    seed, grain = seed_of(rng), rng.uniform(0.08, 0.25)

    def material(spots: Spots) -> Array:
        shade = 1 + grain * noise(spots, 0.7, seed, 1.15) + 0.07 * noise(spots, 4.0, seed + 1, 0.6)
        return shaded(colour, shade)

    return material


def woven(rng: Rng, colour: Array | None = None) -> Material:
    """Upholstery: threads, wrinkles, sometimes stripes or checks."""
    colour = cloth_colour(rng) if colour is None else colour
    other = cloth_colour(rng) if rng.random() < 0.25 else colour
    pitch, checked, seed = rng.uniform(0.03, 0.15), rng.random() < 0.5, seed_of(rng)

    def material(spots: Spots) -> Array:
        up = (np.floor(spots.v / pitch) % 2) * 0.5
        across = (np.floor(spots.u / pitch) % 2) * (0.5 if checked else 1.0)
        face = mix(colour, other, (across + (up if checked else 0)).astype(F32))
        wrinkles = noise(spots, 1.6, seed, 0.55)
        return shaded(face, 1 + 0.07 * wrinkles + 0.06 * noise(spots, 0.4, seed + 2, 1.1))

    return material


def wallpaper(rng: Rng) -> Material:
    """Stripes or a repeated motif, one shade apart."""
    colour = paint_colour(rng)
    other = colour * rng.uniform(0.6, 1.25) if rng.random() < 0.8 else muted(rng, 0.4, 0.9)
    other = np.minimum(other, 0.9)
    pitch, stripes, seed = rng.uniform(0.06, 0.4), rng.random() < 0.45, seed_of(rng)
    share = rng.uniform(0.2, 0.5)

    def material(spots: Spots) -> Array:
        column = np.floor(spots.u / pitch)
        across = spots.u / pitch - column
        if stripes:
            figure = line((across - 0.5) * pitch, share * pitch, spots.size)
        else:
            up = spots.v / pitch + 0.5 * (column % 2)
            # one motif, mirrored about its middle, repeated
            local = Spots(np.abs(across - 0.5), up - np.floor(up), spots.size / F32(pitch))
            figure = np.clip(0.5 + 1.6 * (noise(local, 4.0, seed, 0.55) - 0.4), 0, 1)
        plain_shade = 1 + 0.02 * noise(spots, 3.0, seed, 0.7)
        return shaded(mix(colour, other, figure), plain_shade)

    return material


def panels(rng: Rng) -> Material:
    """Wainscot: raised frames on a painted wall."""
    colour, seed = paint_colour(rng), seed_of(rng)
    width, height = rng.uniform(0.4, 1.1), rng.uniform(0.6, 1.4)
    inset, bevel = rng.uniform(0.06, 0.12), rng.uniform(0.012, 0.03)

    def material(spots: Spots) -> Array:
        u = spots.u / width
        v = spots.v / height
        x, y = (u - np.floor(u) - 0.5) * width, (v - np.floor(v) - 0.5) * height
        outside = np.maximum(np.abs(x) - width / 2 + inset, np.abs(y) - height / 2 + inset)
        frame = line(outside, bevel, spots.size)
        lit = np.sign(-y) * (np.abs(y) - height / 2 > np.abs(x) - width / 2) + 0.3 * np.sign(x)
        return shaded(colour, (1 + 0.25 * frame * lit) * (1 + 0.02 * noise(spots, 2.0, seed, 0.7)))

    return material


def curtain(rng: Rng, colour: Array | None = None) -> Material:
    """Hanging folds."""
    colour = cloth_colour(rng) if colour is None else colour
    seed, pitch, deep = seed_of(rng), rng.uniform(0.08, 0.25), rng.uniform(0.25, 0.6)

    def material(spots: Spots) -> Array:
        # folds run down, and wander a little: noise that is stretched very long in v
        bent = Spots(spots.u + 0.012 * noise(spots, 6.0, seed, 0.4), spots.v, spots.size)
        folds = noise(bent, pitch * 16, seed, 0.55, stretch=20)
        ripple = np.abs(2 * ((bent.u / pitch + 0.35 * folds) % 1) - 1)
        light = 1 - deep * (1 - ripple) ** 1.5 + 0.12 * folds
        return shaded(colour, light * (1 + 0.04 * noise(spots, 0.5, seed, 1.0)))

    return material


def foliage(
    rng: Rng, colour: Array, leaf: float = 0.05
) -> tuple[Material, Cover]:
    """Leaves of about `leaf` m, and where there are any."""
    seed = seed_of(rng)
    scale = F32(TILE / (leaf * 40))
    other = np.clip(colour * np.array([1.5, 1.15, 0.8], F32), 0, 1)
    shift = _shift(seed)

    def texels(spots: Spots) -> Array:
        size = spots.size * scale
        return leaves().at(spots.u * scale + shift[0], spots.v * scale + shift[1], size)

    def material(spots: Spots) -> Array:
        bright, own, _ = texels(spots).T
        clumps = noise(spots, leaf * 60, seed, 0.62)
        shade = (0.12 + 1.9 * bright) * np.exp(0.45 * clumps)
        return shaded(mix(colour, other, own), np.minimum(shade, 3.5))

    def cover(spots: Spots) -> Array:
        return texels(spots)[:, 2] + 0.45 * noise(spots, leaf * 35, seed + 1, 0.72)

    return material, cover


def fronds(rng: Rng, colour: Array, half: float, high: float) -> tuple[Material, Cover]:
    """Long leaves that bend out of one point at the bottom: a palm, a lily, a spider plant."""
    count = int(rng.integers(7, 18))
    lean = np.sort(rng.uniform(-1.25, 1.25, count))
    lean = lean[rng.permutation(count)]
    long = high * rng.uniform(0.6, 1.0, count) * (1 - 0.25 * np.abs(lean))
    droop, broad = rng.uniform(0.1, 0.9) * np.sign(lean), rng.uniform(0.04, 0.12)
    own = rng.uniform(0.45, 1.5, count)
    seed = seed_of(rng)

    def leaf(spots: Spots) -> tuple[Array, Array]:
        """(n,) number of the leaf on top or -1, and how far to its one side, -1 to 1."""
        top, side = np.full(len(spots.u), -1, np.int32), np.zeros_like(spots.u)
        for k in range(count):
            c, s = F32(np.cos(lean[k])), F32(np.sin(lean[k]))
            along = (s * spots.u + c * spots.v) / F32(long[k])
            across = (c * spots.u - s * spots.v) / F32(long[k]) - F32(0.35 * droop[k]) * along**2
            width = F32(broad) * np.sqrt(np.clip(along * (1 - along), 0, 1)) * 2 + F32(1e-4)
            here = (np.abs(across) < width) & (along > 0) & (along < 1)
            top = np.where(here, k, top)
            side = np.where(here, across / width, side)
        return top, side

    def material(spots: Spots) -> Array:
        top, side = leaf(spots)
        rib = np.clip(1 - np.abs(side) * 6, 0, 1)
        shade = own[np.maximum(top, 0)] * (0.85 + 0.3 * np.sign(side) + 0.3 * rib)
        low = np.clip(0.35 + 0.9 * spots.v / high, 0, 1)
        return shaded(colour, shade * low * (1 + 0.1 * noise(spots, 0.6, seed, 0.8)))

    def cover(spots: Spots) -> Array:
        return (leaf(spots)[0] >= 0).astype(F32)

    return material, cover


def books(rng: Rng, shelf: float) -> Material:
    """Backs of books that stand on boards `shelf` m apart, with gaps and things between."""
    seed, width = seed_of(rng), rng.uniform(0.025, 0.05)
    palette = np.stack([cloth_colour(rng) for _ in range(12)])
    dark, full = np.array([0.02, 0.018, 0.015], F32), rng.uniform(0.6, 0.97)

    def material(spots: Spots) -> Array:
        row = np.floor(spots.v / shelf)
        high = spots.v / shelf - row
        u = spots.u + 0.31 * row
        slot = np.floor(u / width)
        edge = (0.6 * cell_hash(slot, row, seed) - 0.3) * width  # widths differ
        slot -= u < slot * width + edge
        left = slot * width + (0.6 * cell_hash(slot, row, seed) - 0.3) * width
        right = (slot + 1) * width + (0.6 * cell_hash(slot + 1, row, seed) - 0.3) * width
        own = cell_hash(slot, row, seed + 1)
        group = cell_hash(np.floor(slot / 7), row, seed + 2)
        tall = 0.55 + 0.2 * group + 0.2 * cell_hash(slot, row, seed + 3)
        face = palette[(own * 12).astype(int)]
        label = line((high - 0.55 * tall) * shelf, shelf * 0.12 * own, spots.size)
        face = mix(face, palette[(own * 97 % 12).astype(int)], label * (own > 0.4))
        across = (u - left) / np.maximum(right - left, 1e-3)
        rounded = 0.55 + 1.8 * across * (1 - across)
        deep = np.clip(1.15 - 0.5 * high, 0, 1)  # the board above keeps light off
        there = (high < tall) & (group < full)
        return np.where(there[:, None], shaded(face, rounded * deep), dark).astype(F32)

    return material


def artwork(rng: Rng, width: float, height: float) -> Material:
    """What hangs on walls: photographs of nothing, bold shapes, print on white."""
    seed, kind = seed_of(rng), rng.integers(3)
    first = strong(rng) if rng.random() < 0.25 else muted(rng, 0.15, 0.7)
    palette = np.stack([first, muted(rng), neutral(rng, 0.1, 0.95), muted(rng, 0.1, 0.6)])
    border = rng.choice([0, 0.03, 0.08])
    paper = neutral(rng, 0.75, 0.95)
    scale = float(rng.uniform(0.5, 1.6)) * max(width, height)

    def material(spots: Spots) -> Array:
        if kind == 2:  # rows of print
            row = np.floor(spots.v / 0.03)
            ink = (cell_hash(row, np.floor(spots.u / 0.012), seed) > 0.35) & (row % 3 > 0)
            short = np.abs(spots.u) < width * (0.25 + 0.2 * cell_hash(row, row, seed))
            blur = np.clip(0.02 / spots.size - 0.5, 0, 1) * 0.8
            face = mix(paper, palette[3], (ink & short) * blur)
        else:
            fall = 0.5 if kind == 0 else 0.7
            a, b = noise(spots, scale * 3, seed, fall), noise(spots, scale * 2, seed + 9, fall)
            steps = np.clip(3 * a, 0, 1) if kind == 0 else (a > 0).astype(F32)
            face = mix(palette[0], palette[1], steps)
            face = mix(face, palette[2], np.clip(4 * (b - 0.6), 0, 1))
            face = mix(face, palette[3], np.clip(2 * (a - b - 0.5), 0, 1) * 0.8)
            face = shaded(face, np.exp(0.25 * noise(spots, scale, seed + 4, 0.8)))
            sky = np.clip(spots.v / height * 1.4 - 0.6, 0, 1) if kind == 0 else 0 * a
            face = mix(face, palette[2], sky.astype(F32))
        inner = (np.abs(spots.u) < width / 2 - border) & (np.abs(spots.v - height / 2) < height / 2 - border)
        return np.where(inner[:, None], face, paper).astype(F32)

    return material


def gravel(rng: Rng, colour: Array, grain: float) -> Material:
    """Stones of about `grain` m, or a cobbled street."""
    seed = seed_of(rng)
    scale = F32(TILE / (grain * 32))
    shift, differ = _shift(seed), rng.uniform(0.3, 0.7)

    def material(spots: Spots) -> Array:
        size = spots.size * scale
        own, middle = stones().at(spots.u * scale + shift[0], spots.v * scale + shift[1], size).T
        shade = (1 + differ * (own - 0.5)) * (0.35 + 0.65 * middle)
        shade *= 1 + 0.12 * noise(spots, 6.0, seed, 0.65) + 0.08 * noise(spots, 0.4, seed, 0.9)
        return shaded(colour, 1.3 * shade)

    return material


def grass(rng: Rng, colour: Array, eye: tuple[float, float]) -> Material:
    """Blades, which look longer the flatter one looks, with bare and dry patches.

    Args:
        eye: (x, y) m of the camera over the ground.
    """
    seed, dry = seed_of(rng), colour * np.array([1.7, 1.1, 1.0], F32)
    earth = hsv(rng.uniform(0.07, 0.1), 0.4, rng.uniform(0.3, 0.5))
    bare, patch = rng.uniform(0.8, 3.0), rng.uniform(0.05, 0.3)

    def material(spots: Spots) -> Array:
        x, y = spots.u - eye[0], spots.v - eye[1]
        far = np.hypot(x, y)
        # blades stand up, so on the ground they are smeared away from the eye
        upright = Spots(x / np.maximum(far, 0.5) * 6, far, spots.size * 0.5)
        blades = noise(upright, 1.2, seed, 1.0, stretch=3) + noise(spots, 0.5, seed + 1, 1.0)
        wide = noise(spots, 9.0, seed + 2, 0.65)
        fade = np.clip(0.03 / np.maximum(spots.size, 1e-3), 0.3, 1)
        shade = np.exp(0.36 * fade * blades + 0.18 * wide)
        face = mix(colour, dry, np.clip(patch * (1 + noise(spots, 5.0, seed + 3, 0.7)), 0, 1))
        face = mix(face, earth, np.clip(wide + 0.3 * blades - bare, 0, 1))
        return shaded(face, np.minimum(shade, 3.0))

    return material
