"""Colours, and noise that every machine repeats: what materials are made of.

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
    """(n,) fractal noise of deviation 1 that repeats after `metres`, in v `stretch` times that."""
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


def line(distance: Array, width: float | Array, size: Array) -> Array:
    """(n,) share of a spot that a line of this width covers, `distance` from its middle."""
    soft = np.maximum(size, 1e-4)
    near = np.clip(0.5 + (width / 2 - np.abs(distance)) / soft, 0, 1)
    return (near * np.minimum(1, width / soft + 0.2)).astype(F32)


def shaded(colour: Array, factor: Array) -> Array:
    return np.maximum(colour * factor[:, None], 0.0).astype(F32)


def seed_of(rng: Rng) -> int:
    return int(rng.integers(1 << 20))
