"""Smooth curves over time."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def ease(x: Array) -> Array:
    """0 up to x = 0, 1 from x = 1, with two derivatives that vanish at both (quintic)."""
    x = np.clip(x, 0, 1)
    return x * x * x * (x * (6 * x - 15) + 10)


def bump(x: Array) -> Array:
    """0 outside 0..1, 1 in the middle, with two derivatives that vanish at the ends."""
    x = np.clip(x, 0, 1)
    return 64 * (x * (1 - x)) ** 3


def moves(keys: Array, times: Array, lasting: Array, at: Array) -> Array:
    """From pose to pose, at rest in each.

    Args:
        keys: (K + 1, ...) poses.
        times: (K,) when each move begins.
        lasting: (K,) how long it takes.
        at: (T,) times to evaluate.
    Returns:
        (T, ...).
    """
    share = ease((at[:, None] - times) / lasting)
    return keys[0] + np.tensordot(share, np.diff(keys, axis=0), 1)


def flow(keys: Array, times: Array, at: Array) -> Array:
    """Through the poses without a halt: a cubic spline, at rest before the first and the last.

    Args:
        keys: (K, ...) poses.
        times: (K,) increasing.
        at: (T,) times to evaluate.
    """
    flat = keys.reshape(len(keys), -1)
    step = np.diff(times)
    slope = np.diff(flat, axis=0) / step[:, None]
    system, right = np.eye(len(keys)), np.zeros_like(flat)
    for i in range(1, len(keys) - 1):
        system[i, i - 1 : i + 2] = 1 / step[i - 1], 2 / step[i - 1] + 2 / step[i], 1 / step[i]
        right[i] = 3 * (slope[i - 1] / step[i - 1] + slope[i] / step[i])
    speed = np.linalg.solve(system, right)
    at = np.clip(at, times[0], times[-1])
    now = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(keys) - 2)
    h = step[now][:, None]
    x = (at - times[now])[:, None] / h
    out = (
        (2 * x**3 - 3 * x**2 + 1) * flat[now]
        + (x**3 - 2 * x**2 + x) * h * speed[now]
        + (3 * x**2 - 2 * x**3) * flat[now + 1]
        + (x**3 - x**2) * h * speed[now + 1]
    )
    return out.reshape(len(at), *keys.shape[1:])


def smooth(values: Array, sigma: float) -> Array:
    """Gaussian average along the first axis, `sigma` in samples; the ends are held."""
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.concatenate([values[:1]] * reach + [values] + [values[-1:]] * reach)
    flat = padded.reshape(len(padded), -1)
    windows = np.lib.stride_tricks.sliding_window_view(flat, len(kernel), axis=0)
    return (windows @ (kernel / kernel.sum())).reshape(values.shape)


def drift(rng: np.random.Generator, time: Array, width: int, period: float) -> Array:
    """(T, width) aimless slow movement within about -1..1."""
    out = np.zeros((len(time), width))
    for part in (1.0, 0.6, 0.37):
        rate = 2 * np.pi / (period * part * rng.uniform(0.8, 1.25, width))
        out += part * np.sin(rate * time[:, None] + rng.uniform(0, 2 * np.pi, width))
    return out / 1.5


def soft_max(x: Array, floor: Array | float, softness: float) -> Array:
    """max(x, floor) without the corner."""
    return 0.5 * (x + floor + np.sqrt((x - floor) ** 2 + softness**2))


def below(values: Array, reach: float) -> Array:
    """A smooth curve (T,) nowhere above the values; it looks `reach` samples around."""
    n = max(int(reach), 1)
    padded = np.concatenate([np.full(2 * n, values[0]), values, np.full(2 * n, values[-1])])
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * n + 1).min(1)
    kernel = bump(np.arange(1, 2 * n + 2) / (2 * n + 2))
    windows = np.lib.stride_tricks.sliding_window_view(lowest, 2 * n + 1)
    return windows @ (kernel / kernel.sum())
