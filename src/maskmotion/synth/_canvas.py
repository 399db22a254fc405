"""Supersampled drawing: a few shapes that Pillow fills fast, reduced to anti-aliased pixels."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Array = np.ndarray
Colour = tuple[int, int, int]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Colour from hue, saturation and value in [0, 1]; the hue wraps around."""
    r, g, b = colorsys.hsv_to_rgb(
        hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)
    )
    return round(255 * r), round(255 * g), round(255 * b)


def mix(a: Colour, b: Colour, amount: float) -> Colour:
    """`a` moved by `amount` in [0, 1] towards `b`."""
    r, g, b_ = (round(x + amount * (y - x)) for x, y in zip(a, b, strict=True))
    return r, g, b_


def lighter(colour: Colour, amount: float = 0.25) -> Colour:
    return mix(colour, (255, 255, 255), amount)


def darker(colour: Colour, amount: float = 0.25) -> Colour:
    return mix(colour, (0, 0, 0), amount)


def muted(rng: np.random.Generator) -> Colour:
    """A calm colour, for what stands behind the figures."""
    return hsv(rng.random(), rng.uniform(0.12, 0.42), rng.uniform(0.5, 0.92))


def supersampling(size: int) -> int:
    """Samples a pixel and axis; larger frames need fewer for the same smoothness."""
    return 4 if size <= 160 else 3 if size <= 320 else 2


def ellipse(centre: tuple[float, float], rx: float, ry: float, points: int = 24) -> Array:
    """(points, 2) outline of an ellipse."""
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([centre[0] + rx * np.cos(turn), centre[1] + ry * np.sin(turn)], axis=-1)


class Canvas:
    """Square image drawn with `supersample` samples a pixel and axis.

    Args:
        size: side of the finished image in pixels.
        mode: "RGB", or "RGBA" which starts fully transparent.
        unit: pixels a coordinate unit; `size` gives coordinates in [0, 1].
    """

    def __init__(self, size: int, mode: str, unit: float = 1.0) -> None:
        self.supersample = supersampling(size)
        self.scale = self.supersample * unit
        self.image = Image.new(mode, (size * self.supersample,) * 2)
        self.pen = ImageDraw.Draw(self.image)

    def polygon(self, points: Array, colour: Colour) -> None:
        self.pen.polygon((np.asarray(points) * self.scale).ravel().tolist(), fill=colour)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        k = self.scale
        left, right = sorted((x0 * k, x1 * k))
        top, bottom = sorted((y0 * k, y1 * k))
        self.pen.rectangle((left, top, right, bottom), fill=colour)

    def gradient(self, top: Colour, bottom: Colour, y0: float, y1: float) -> None:
        """Fill the whole width between the heights y0 and y1."""
        side = self.image.width
        start, end = round(y0 * self.scale), round(y1 * self.scale)
        if end <= start:
            return
        ramp = np.linspace(top, bottom, end - start).round().astype(np.uint8)[:, None]
        self.image.paste(Image.fromarray(np.repeat(ramp, side, axis=1)), (0, start))

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        x, y, radius = x * self.scale, y * self.scale, radius * self.scale
        self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def sweep(self, points: Array, radii: Array | float, colour: Colour) -> None:
        """Area covered by a disc that moves along `points` (n, 2) with changing radius."""
        points = np.asarray(points, dtype=float)
        radii = np.broadcast_to(np.asarray(radii, dtype=float), points.shape[:1])
        for (x, y), radius in zip(points.tolist(), radii.tolist(), strict=True):
            self.disc(x, y, radius, colour)
        for quad in _tangent_quads(points, radii):
            self.polygon(quad, colour)

    def finish(self) -> Array:
        """(size, size, channels) uint8; colours of RGBA are weighted by their alpha."""
        return np.asarray(self.image.reduce(self.supersample))


def _tangent_quads(points: Array, radii: Array) -> Array:
    """(n - 1, 4, 2) quadrilaterals that join successive discs along their outer tangents."""
    step = np.diff(points, axis=0)
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    along = step / length[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=-1)
    slope = np.clip(-np.diff(radii) / length, -1.0, 1.0)
    tilt = np.sqrt(1 - slope**2)[:, None]
    one, other = (slope[:, None] * along + side * tilt * across for side in (1, -1))
    start, end = radii[:-1, None], radii[1:, None]
    return np.stack(
        [
            points[:-1] + start * one,
            points[1:] + end * one,
            points[1:] + end * other,
            points[:-1] + start * other,
        ],
        axis=1,
    )


@dataclass(frozen=True)
class Shape:
    """A filled polygon, or a sweep where `radii` is given."""

    points: Array
    colour: Colour
    radii: Array | float | None = None

    def paint(self, canvas: Canvas, colour: Colour | None = None, grow: float = 0.0) -> None:
        colour = self.colour if colour is None else colour
        if self.radii is not None:
            canvas.sweep(self.points, np.asarray(self.radii) + grow, colour)
            return
        canvas.polygon(self.points, colour)
        if grow:
            closed = np.concatenate([self.points, self.points[:1]])
            canvas.sweep(closed, grow, colour)


def paint_group(canvas: Canvas, shapes: Iterable[Shape], ink: Colour, ink_width: float) -> None:
    """Paint shapes as one object: a common outline first, then the fills."""
    shapes = list(shapes)
    if ink_width:
        for shape in shapes:
            shape.paint(canvas, ink, ink_width)
    for shape in shapes:
        shape.paint(canvas)


@dataclass(frozen=True)
class Ribbon:
    """Surface between two polylines; (s, u) in [0, 1] x [-1, 1] runs along and across it."""

    left: Array
    right: Array

    @classmethod
    def around(cls, centre: Array, radii: Array) -> Ribbon:
        along = np.gradient(centre, axis=0)
        along /= np.maximum(np.hypot(along[:, :1], along[:, 1:]), 1e-9)
        across = np.stack([-along[:, 1], along[:, 0]], axis=-1) * radii[:, None]
        return cls(centre - across, centre + across)

    def at(self, s: Array | float, u: Array | float) -> Array:
        s, u = np.broadcast_arrays(np.asarray(s, float), np.asarray(u, float))
        knots = np.linspace(0, 1, len(self.left))
        weight = (u[..., None] + 1) / 2
        left, right = (
            np.stack([np.interp(s, knots, side[:, axis]) for axis in (0, 1)], axis=-1)
            for side in (self.left, self.right)
        )
        return (1 - weight) * left + weight * right

    def patch(self, s0: float, s1: float, u0: float, u1: float) -> Array:
        """Outline of the part s0..s1, u0..u1."""
        s = np.linspace(s0, s1, 4)
        return np.concatenate([self.at(s, u0), self.at(s[::-1], u1)])

    def outline(self) -> Array:
        return np.concatenate([self.left, self.right[::-1]])

    def extent(self) -> tuple[float, float]:
        """Mean length and mean width."""
        middle = (self.left + self.right) / 2
        length = np.hypot(*np.diff(middle, axis=0).T).sum()
        return float(length), float(np.hypot(*(self.right - self.left).T).mean())
