"""Textures of hair, painted: brightness of the strands, and where there are any (alpha)."""

from __future__ import annotations

import functools

import numpy as np

from maskmotion.synth.people.hair.strands import SLOTS

__all__ = ["fur", "lock"]

Array = np.ndarray
SIDE = 256


def lock(curl: float, colour: Array, tips: Array, grey: float) -> Array:
    """(SIDE, SIDE, 4) uint8: SLOTS locks side by side, their roots in the first row.

    Args:
        curl: 0 straight, 1 wavy, 2 curly.
        colour, tips: (3,) sRGB in [0, 1] at the roots and at the tips.
        grey: share of strands without colour.
    """
    bright, strand, alpha = _lock(round(curl))
    along = np.linspace(0, 1, SIDE)[:, None, None] ** 1.5
    base = colour * (1 - along) + tips * along
    pale = (strand < grey)[..., None]
    base = np.where(pale, 0.35 * base + 0.65 * np.array([0.72, 0.71, 0.69]), base)
    return _bytes(base * bright[..., None], alpha)


def fur(grain: float, colour: Array, grey: float) -> Array:
    """(SIDE, SIDE, 4) uint8, to be repeated: short hair seen from above.

    Args:
        grain: 0 fine dots, 1 streaks, 2 knots.
    """
    bright, strand, alpha = _fur(round(grain))
    pale = (strand < grey)[..., None]
    base = np.where(pale, 0.35 * colour + 0.65 * np.array([0.72, 0.71, 0.69]), colour)
    return _bytes(base * bright[..., None], alpha)


def _bytes(colour: Array, alpha: Array) -> Array:
    both = np.concatenate([np.clip(colour, 0, 1), np.clip(alpha, 0, 1)[..., None]], -1)
    return (both * 255 + 0.5).astype(np.uint8)


@functools.cache
def _lock(curl: int) -> tuple[Array, Array, Array]:
    """Brightness, each strand's own number, and cover, of SLOTS different locks."""
    rng = np.random.default_rng([7, curl])
    parts = [_one_lock(rng, curl, sparse) for sparse in np.linspace(0, 1, SLOTS)]
    bright, strand, alpha = (np.concatenate(p, 1) for p in zip(*parts, strict=True))
    return bright, strand, alpha


def _one_lock(rng: np.random.Generator, curl: int, sparse: float) -> tuple[Array, Array, Array]:
    wide = SIDE // SLOTS
    v, u = np.mgrid[0:SIDE, 0:wide] / np.array([SIDE, wide])[:, None, None]
    sway = (0.03, 0.1, 0.16)[curl] * np.sin(2 * np.pi * ((1, 2, 5)[curl] * v + rng.random()))
    sway += (0.02, 0.04, 0.06)[curl] * np.sin(2 * np.pi * ((2, 5, 11)[curl] * v + rng.random()))
    # Strands draw together towards the tip.
    x = (u - 0.5 + sway * np.minimum(1, v * 4)) / (1 - (0.25 + 0.2 * sparse) * v**2) + 0.5
    count = 22
    column = np.clip((x * count).astype(int), -1, count) + 1
    strand, shade = rng.random(count + 2), rng.normal(0, 1, count + 2)
    fine = rng.normal(0, 1, 4 * count + 2)[np.clip((x * 4 * count).astype(int), -1, 4 * count) + 1]
    inside = 1 - np.abs(2 * (x * count - np.floor(x * count)) - 1) ** 2
    bright = 0.93 + 0.16 * shade[column] + 0.09 * fine + 0.1 * (inside - 0.6)
    bright *= 0.8 + 0.2 * np.clip(v * 5, 0, 1)  # shade at the roots
    edge = 1 - np.abs(2 * x - 1)
    end = (0.74 + 0.26 * strand ** (0.7 + sparse))[column] - 0.18 * (1 - np.clip(edge * 3, 0, 1))
    tip = np.clip((end - v) * 14 + 0.5, 0, 1)
    side = np.clip(edge * (9 - 4 * sparse) + 0.9 * (strand[column] - 0.6), 0, 1)
    gaps = 1 - sparse * np.clip(v * 1.5, 0, 1) * np.clip(0.9 - 1.5 * strand[column], 0, 1)
    alpha = tip * side * gaps * (0.75 + 0.25 * inside)
    return np.clip(bright, 0.3, 1.5), strand[column], alpha


@functools.cache
def _fur(grain: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng([8, grain])
    sigma = ((1.0, 1.0), (0.8, 3.0), (3.0, 3.0))[grain]
    noise = _smooth(rng.normal(0, 1, (SIDE, SIDE)), *sigma)
    other = _smooth(rng.normal(0, 1, (SIDE, SIDE)), *sigma)
    coarse = _smooth(rng.normal(0, 1, (SIDE, SIDE)), 10, 14)
    alpha = np.argsort(np.argsort((noise + 0.25 * coarse).ravel())).reshape(SIDE, SIDE) / SIDE**2
    bright = 0.9 + 0.12 * noise + 0.05 * coarse + (0.05 if grain < 2 else 0.1) * other
    strand = np.argsort(np.argsort(other.ravel())).reshape(SIDE, SIDE) / SIDE**2
    return np.clip(bright, 0.3, 1.4), strand, alpha


def _smooth(noise: Array, across: float, along: float) -> Array:
    """Periodic Gaussian blur, back to a spread of 1."""
    fx = np.fft.fftfreq(noise.shape[1])[None]
    fy = np.fft.fftfreq(noise.shape[0])[:, None]
    gain = np.exp(-2 * np.pi**2 * ((across * fx) ** 2 + (along * fy) ** 2))
    out = np.fft.ifft2(np.fft.fft2(noise) * gain).real
    return out / out.std()
