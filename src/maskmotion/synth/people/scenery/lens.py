"""A lens: what lies off its plane of focus is blurred by depth."""

from __future__ import annotations

import itertools

import numpy as np

Array = np.ndarray
F32 = np.float32
LAYERS = 3
SHARP_PX = 0.5  # a disc smaller than this is not worth its cost


def halve(picture: Array) -> Array:
    """(2h, 2w, ...) to (h, w, ...) by averaging."""
    rows = picture[0::2] + picture[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]) * F32(0.25)


def defocus(picture: Array, depth: Array, focus_m: float, opening: float) -> Array:
    """Blur each depth by a disc of its own; near things spread over far ones.

    Args:
        picture: (S, S, 3) radiance.
        depth: (S, S) m.
        focus_m: depth that is sharp.
        opening: radius in px of the disc for what is endlessly far away.
    Returns:
        (S, S, 3).
    """
    radius = F32(opening) * np.abs(1 - F32(focus_m) / depth)
    if radius.max() < SHARP_PX:
        return picture
    borders = _borders(depth, radius)
    result, weight = np.zeros_like(picture), np.zeros_like(picture[..., :1])
    for far, near in itertools.pairwise(borders):
        here = ((depth <= far) & (depth > near)).astype(F32)[..., None]
        if not here.any():
            continue
        size = float((radius[..., None] * here).sum() / here.sum())
        layer = disc_blur(np.concatenate([picture * here, here], -1), size)
        cover = np.clip(layer[..., 3:], 0, 1)
        result = result * (1 - cover) + layer[..., :3]
        weight = weight * (1 - cover) + cover
    return result / np.maximum(weight, F32(1e-3))


def _borders(depth: Array, radius: Array) -> list[float]:
    """Depths from far to near between which the disc is about as large."""
    order = np.argsort(-depth, axis=None)[:: max(1, depth.size // 4096)]
    sizes, depths = radius.ravel()[order], depth.ravel()[order]
    span = float(sizes.max() - sizes.min())
    layers = min(LAYERS, 1 + int(span / 0.7))
    borders = [np.inf]
    for k in range(1, layers):
        below = np.flatnonzero(sizes < sizes[0] + (sizes[-1] - sizes[0]) * k / layers)
        if len(below) and depths[below[0]] < borders[-1]:
            borders.append(float(depths[below[0]]))
    return [*borders, -1.0]


def disc_blur(picture: Array, radius: float) -> Array:
    """(h, w, c) averaged over a disc with a soft rim; edges are repeated outwards."""
    if radius < SHARP_PX:
        return picture
    pad = int(radius) + 2
    padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    shape = tuple(_easy(n + 2 * pad) for n in picture.shape[:2])
    y = np.minimum(np.arange(shape[0]), shape[0] - np.arange(shape[0]))
    x = np.minimum(np.arange(shape[1]), shape[1] - np.arange(shape[1]))
    kernel = np.clip(radius + 0.5 - np.hypot(y[:, None], x[None, :]), 0, 1).astype(F32)
    spectrum = np.fft.rfft2(kernel / kernel.sum())
    result = np.empty_like(picture)
    for k in range(picture.shape[2]):
        plane = np.fft.irfft2(np.fft.rfft2(padded[..., k], shape) * spectrum, shape)
        result[..., k] = plane[pad : pad + picture.shape[0], pad : pad + picture.shape[1]]
    return np.maximum(result, 0, out=result)


def _easy(length: int) -> int:
    """The next length with small factors, which transforms are fast for."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
