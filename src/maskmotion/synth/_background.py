"""Static scenes: indoors, outdoors and plain designs, in calmer colours than the figures.

A scene is drawn in coordinates from 0 to 1, so that a seed gives the same scene at any size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from maskmotion.synth._canvas import Canvas, Colour, darker, ellipse, lighter, mix, muted
from maskmotion.synth._indoors import room, stage
from maskmotion.synth._outdoors import beach, city, landscape
from maskmotion.synth._seeding import stream

Array = np.ndarray


def draw_background(seed: int, size: int) -> Array:
    """(size, size, 3) uint8 scene."""
    rng = stream("background", seed)
    canvas = Canvas(size, "RGB", unit=size)
    SCENES[rng.integers(len(SCENES))](canvas, rng)
    picture = canvas.finish().astype(np.float32)
    picture += _texture(stream("grain", seed), size)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator, size: int) -> Array:
    """Soft light, mottle and fine grain: (size, size, 1) to add."""
    total = np.zeros((size, size), np.float32)
    for cells, strength in ((3, 9.0), (12, rng.uniform(1, 5)), (48, rng.uniform(1, 5))):
        grid = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
        total += strength * np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC))
    fine = rng.normal(size=(256, 256)).astype(np.float32) * rng.uniform(1, 3)
    total += np.asarray(Image.fromarray(fine).resize((size, size), Image.Resampling.BOX))
    return total[..., None]


def _design(canvas: Canvas, rng: np.random.Generator) -> None:
    """Studio wall: soft gradient with stripes, blobs or tiles."""
    base = muted(rng)
    other = muted(rng)
    canvas.gradient(base, other, 0, 1)
    kind = rng.choice(["stripes", "blobs", "tiles", "rays", "triangles"])
    if kind == "stripes":
        _slanted_stripes(canvas, rng, mix(base, other, 0.4))
    elif kind == "blobs":
        for _ in range(26):
            shade = mix(muted(rng), base, 0.45)
            x, y = rng.random(2)
            rx, ry = rng.uniform(0.03, 0.16, 2)
            canvas.polygon(ellipse((x, y), rx, ry, 30), shade)
    elif kind == "tiles":
        _tiles(canvas, rng, base)
    elif kind == "rays":
        _rays(canvas, rng, base)
    else:
        for _ in range(22):
            corner, shape = rng.random(2), rng.normal(0, 0.12, (3, 2))
            canvas.polygon(corner + shape, mix(muted(rng), other, 0.4))


def _slanted_stripes(canvas: Canvas, rng: np.random.Generator, colour: Colour) -> None:
    slant, step = rng.uniform(-0.8, 0.8), rng.uniform(0.08, 0.2)
    for x in np.arange(-1, 2, step):
        shade = lighter(colour, 0.25) if rng.random() < 0.6 else mix(colour, muted(rng), 0.5)
        half = step / 2
        stripe = [[x, 0], [x + half, 0], [x + half + slant, 1.01], [x + slant, 1.01]]
        canvas.polygon(np.array(stripe), shade)


def _tiles(canvas: Canvas, rng: np.random.Generator, colour: Colour) -> None:
    count = int(rng.integers(6, 13))
    for i in range(count):
        for j in range(count):
            shade = mix(colour, darker(colour, 0.35), rng.uniform(0, 0.7))
            canvas.rectangle(i / count, j / count, (i + 0.94) / count, (j + 0.94) / count, shade)


def _rays(canvas: Canvas, rng: np.random.Generator, colour: Colour) -> None:
    count, centre = int(rng.integers(10, 20)), np.array([rng.uniform(0.3, 0.7), 0.6])
    for k in range(count):
        angles = 2 * np.pi * np.array([k, k + 0.5]) / count
        tips = centre + 2 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        canvas.polygon(np.concatenate([[centre], tips]), lighter(colour, 0.28))


SCENES: tuple[Callable[[Canvas, np.random.Generator], None], ...] = (
    landscape,
    landscape,
    beach,
    city,
    city,
    room,
    room,
    room,
    stage,
    _design,
    _design,
)
