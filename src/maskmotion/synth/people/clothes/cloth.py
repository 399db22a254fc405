"""Cloth: colours, patterns, prints and folds, painted into small textures that repeat."""

from __future__ import annotations

import colorsys
import functools
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["Cloth", "draw_cloth", "paint_cloth", "paint_print", "paint_relief"]

Array = np.ndarray
Colour = tuple[float, float, float]  # sRGB in [0, 1]
SIDE = 256  # px of a texture
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "dots", "flowers", "camouflage", "melange")


@dataclass(frozen=True)
class Cloth:
    """What a garment is made of.

    Attributes:
        pattern: one of PATTERNS.
        colours: of the ground and of what is on it.
        tile_m: side of what the texture shows.
        weave: strength of the threads' texture.
        folds: strength of creases.
        shine, rough: strength and width of the reflection.
        trim_m: width of cuffs, hems and collars in another colour; 0: none.
        trim: their colour, linear RGB.
        upright: stripes run down instead of round.
        print_seed: picture on the chest; negative: none.
        seed: of the pattern's details.
    """

    pattern: str
    colours: tuple[Colour, Colour, Colour]
    tile_m: float
    weave: float
    folds: float
    shine: float
    rough: float
    trim_m: float
    trim: Colour
    upright: bool
    print_seed: int
    seed: int


def draw_cloth(rng: np.random.Generator, use: str) -> Cloth:
    """Random cloth.

    Args:
        use: "top", "jacket", "trousers", "skirt" or "shoes".
    """
    odds = {
        "top": (0.42, 0.14, 0.05, 0.1, 0.06, 0.07, 0.03, 0.13),
        "jacket": (0.55, 0.02, 0.08, 0.12, 0.01, 0.01, 0.04, 0.17),
        "trousers": (0.68, 0.02, 0.05, 0.05, 0.01, 0.02, 0.04, 0.13),
        "skirt": (0.42, 0.07, 0.05, 0.12, 0.12, 0.14, 0.01, 0.07),
        "shoes": (0.9, 0.0, 0.0, 0.03, 0.0, 0.02, 0.0, 0.05),
    }[use]
    pattern = str(rng.choice(PATTERNS, p=odds))
    ground = _draw_colour(rng, use)
    others = [_beside(rng, ground) for _ in range(2)]
    glossy = rng.random() < (0.35 if use == "shoes" else 0.08)
    trimmed = use in ("top", "jacket") and rng.random() < 0.25
    r, g, b = (float(c**2.2) for c in (others[0] if trimmed else ground))
    return Cloth(
        pattern=pattern,
        colours=(ground, others[0], others[1]),
        tile_m=float(rng.uniform(0.12, 0.5) if pattern != "camouflage" else rng.uniform(0.5, 0.9)),
        weave=float(rng.uniform(0.01, 0.07)),
        folds=float(rng.uniform(0.5, 2.2)) * (0.4 if use == "shoes" else 1),
        shine=float(rng.uniform(1.2, 3.0) if glossy else rng.uniform(0.0, 0.35)),
        rough=float(rng.uniform(0.2, 0.4) if glossy else rng.uniform(0.5, 0.9)),
        trim_m=float(rng.uniform(0.008, 0.03)) if trimmed else 0.0,
        trim=(r, g, b),
        upright=bool(rng.random() < (0.3 if use == "top" else 0.8)),
        print_seed=int(rng.integers(1 << 30)) if use == "top" and rng.random() < 0.3 else -1,
        seed=int(rng.integers(1 << 30)),
    )


def _draw_colour(rng: np.random.Generator, use: str) -> Colour:
    """What people wear: much black, white, grey, blue and brown, now and then a strong colour."""
    kind = rng.choice(
        ["dark", "white", "grey", "blue", "earth", "strong", "pastel"],
        p={
            "top": (0.2, 0.17, 0.1, 0.13, 0.1, 0.2, 0.1),
            "jacket": (0.35, 0.05, 0.15, 0.2, 0.15, 0.07, 0.03),
            "trousers": (0.33, 0.05, 0.12, 0.3, 0.14, 0.03, 0.03),
            "skirt": (0.3, 0.1, 0.1, 0.15, 0.1, 0.15, 0.1),
            "shoes": (0.5, 0.2, 0.08, 0.04, 0.14, 0.04, 0.0),
        }[use],
    )
    hue = float(rng.random())
    low, high, weak, strong = {
        "dark": (0.05, 0.2, 0.0, 0.4),
        "white": (0.8, 0.95, 0.0, 0.06),
        "grey": (0.25, 0.7, 0.0, 0.08),
        "blue": (0.2, 0.6, 0.25, 0.7),
        "earth": (0.2, 0.7, 0.2, 0.55),
        "strong": (0.35, 0.9, 0.55, 0.95),
        "pastel": (0.7, 0.95, 0.12, 0.35),
    }[str(kind)]
    if kind == "blue":
        hue = float(rng.normal(0.6, 0.03)) % 1
    if kind == "earth":
        hue = float(rng.normal(0.09, 0.03)) % 1
    return colorsys.hsv_to_rgb(hue, float(rng.uniform(weak, strong)), float(rng.uniform(low, high)))


def _beside(rng: np.random.Generator, ground: Colour) -> Colour:
    """A colour that goes with another: lighter or darker of its kind, neutral, or any."""
    kind = rng.choice(["shade", "neutral", "any"], p=[0.5, 0.3, 0.2])
    h, s, v = colorsys.rgb_to_hsv(*ground)
    if kind == "shade":
        v = v + rng.uniform(0.2, 0.45) * (1 if v < 0.5 else -1)
        return colorsys.hsv_to_rgb(h, s * float(rng.uniform(0.5, 1.1)) % 1, float(np.clip(v, 0, 1)))
    if kind == "neutral":
        return (float(rng.choice([0.07, 0.5, 0.92])),) * 3
    return colorsys.hsv_to_rgb(
        float(rng.random()), float(rng.uniform(0.3, 0.9)), float(rng.uniform(0.3, 0.9))
    )


# Painting ----------------------------------------------------------------------------------


def paint_cloth(cloth: Cloth) -> Array:
    """(SIDE, SIDE, 3) uint8 sRGB; repeats in both directions."""
    rng = np.random.default_rng([7, cloth.seed])
    amounts = _pattern(cloth, rng)  # (SIDE, SIDE, 2) of the second and third colour
    a, b, c = (np.asarray(colour, np.float32) for colour in cloth.colours)
    first, second = amounts[..., :1], amounts[..., 1:]
    picture = (a * (1 - first) + b * first) * (1 - second) + c * second
    threads = _weave()
    tone = 1 + cloth.weave * threads[..., None] + 0.04 * _cloud(rng, 4)[..., None]
    if cloth.pattern == "melange":
        tone = tone + 0.14 * rng.normal(size=(SIDE, SIDE, 1)).astype(np.float32)
    return (np.clip(picture * tone, 0, 1) * 255 + 0.5).astype(np.uint8)


def _pattern(cloth: Cloth, rng: np.random.Generator) -> Array:
    amounts = np.zeros((SIDE, SIDE, 2), np.float32)
    u = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    if cloth.pattern in ("stripes", "pinstripes"):
        count = int(rng.integers(2, 7)) if cloth.pattern == "stripes" else int(rng.integers(6, 14))
        width = rng.uniform(0.25, 0.6) if cloth.pattern == "stripes" else 0.1
        band = (u * count % 1 < width).astype(np.float32)
        thin = (u * count % 1 > 0.93).astype(np.float32) * float(rng.random() < 0.3)
        lines = np.stack([band, thin], -1)
        amounts[:] = lines[None] if cloth.upright else lines[:, None]
    elif cloth.pattern == "checks":
        count = int(rng.integers(1, 5))
        wide = (u * count % 1 < rng.uniform(0.3, 0.55)).astype(np.float32)
        thin = (np.abs(u * count % 1 - 0.8) < 0.04).astype(np.float32)
        amounts[..., 0] = 0.5 * (wide[None] + wide[:, None])
        amounts[..., 1] = 0.7 * np.maximum(thin[None], thin[:, None])
    elif cloth.pattern in ("dots", "flowers"):
        _scatter(amounts, cloth.pattern, rng)
    elif cloth.pattern == "camouflage":
        amounts[..., 0] = _cloud(rng, 5) > 0.3
        amounts[..., 1] = _cloud(rng, 6) > 0.6
    return amounts


def _scatter(amounts: Array, pattern: str, rng: np.random.Generator) -> None:
    """Dots in a lattice, or flowers anywhere; what leaves one side comes in at the other."""
    picture = [Image.new("L", (SIDE, SIDE)) for _ in range(2)]
    pens = [ImageDraw.Draw(p) for p in picture]
    count = int(rng.integers(3, 7))
    for i in range(count):
        for j in range(count):
            x, y = (i + 0.5 * (j % 2)) * SIDE / count, j * SIDE / count
            size = SIDE / count * 0.25
            which = 0
            if pattern == "flowers":
                x, y = rng.uniform(0, SIDE, 2)
                size = SIDE * rng.uniform(0.02, 0.07)
                which = int(rng.integers(2))
            petals = int(rng.integers(4, 7)) if pattern == "flowers" else 0
            for dx in (-SIDE, 0, SIDE):
                for dy in (-SIDE, 0, SIDE):
                    _blossom(pens[which], x + dx, y + dy, size, petals)
    for k in range(2):
        amounts[..., k] = np.asarray(picture[k].filter(ImageFilter.GaussianBlur(0.8))) / 255.0


def _blossom(pen: ImageDraw.ImageDraw, x: float, y: float, size: float, petals: int) -> None:
    spots = (
        [(x, y)]
        if not petals
        else [
            (x + size * np.cos(2 * np.pi * k / petals), y + size * np.sin(2 * np.pi * k / petals))
            for k in range(petals)
        ]
    )
    for px, py in spots:
        r = size if not petals else 0.6 * size
        pen.ellipse((px - r, py - r, px + r, py + r), fill=255)


def paint_relief(cloth: Cloth) -> Array:
    """(SIDE, SIDE, 3) uint8 slope of creases and threads along u and v; 128 is flat."""
    return _relief(cloth.seed % 6)


@functools.cache
def _relief(kind: int) -> Array:
    rng = np.random.default_rng([8, kind])
    height = np.zeros((SIDE, SIDE), np.float32)
    for cells, strength in ((3, 1.0), (6, 0.6), (11, 0.3)):
        ridge = 1 - np.abs(_cloud(rng, cells))
        height += strength * ridge * ridge
    rise = [np.roll(height, -1, axis) - np.roll(height, 1, axis) for axis in (1, 0)]
    slope = np.stack(rise, -1)
    slope *= 0.16 / slope.std()
    slope += 0.03 * rng.normal(size=slope.shape)
    picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
    picture[..., :2] = np.clip(slope * 128 + 128, 0, 255)
    return picture


@functools.cache
def _weave() -> Array:
    """(SIDE, SIDE) threads, of mean 0."""
    rng = np.random.default_rng(9)
    across = rng.normal(size=(1, SIDE)) + 0.5 * rng.normal(size=(SIDE, SIDE))
    down = rng.normal(size=(SIDE, 1)) + 0.5 * rng.normal(size=(SIDE, SIDE))
    return ((across + down) / 1.6).astype(np.float32)


def _cloud(rng: np.random.Generator, cells: int) -> Array:
    """(SIDE, SIDE) smooth noise of about unit spread that repeats."""
    grid = rng.normal(size=(cells, cells)).astype(np.float32)
    grid = np.pad(grid, 2, mode="wrap")
    side = SIDE * (cells + 4) // cells
    wide = np.asarray(Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC))
    start = (side - SIDE) // 2
    return wide[start : start + SIDE, start : start + SIDE] * 1.5


def paint_print(cloth: Cloth) -> Array:
    """(128, 128, 4) uint8 sRGB picture on the chest and where it covers; none: nothing covers."""
    if cloth.print_seed < 0:
        return np.zeros((4, 4, 4), np.uint8)
    rng = np.random.default_rng([10, cloth.print_seed])
    picture = Image.new("RGBA", (128, 128))
    pen = ImageDraw.Draw(picture)
    colours = [tuple(int(255 * c) for c in colour) for colour in cloth.colours[1:]]
    colours.append(tuple(int(c) for c in rng.integers(0, 256, 3)))
    for _ in range(int(rng.integers(1, 6))):
        fill = (*colours[int(rng.integers(3))], 255)
        x, y = rng.uniform(34, 94, 2)
        w, h = rng.uniform(8, 34, 2)
        shape = rng.integers(4)
        if shape == 0:
            pen.ellipse((x - w, y - h, x + w, y + h), fill=fill)
        elif shape == 1:
            pen.rectangle((x - w, y - h / 3, x + w, y + h / 3), fill=fill)
        elif shape == 2:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
            spots = [(x + w * np.cos(a), y + w * np.sin(a)) for a in angles]
            pen.polygon(spots, fill=fill)
        else:
            _letters(pen, rng, fill)
    return np.asarray(picture).copy()


def _letters(pen: ImageDraw.ImageDraw, rng: np.random.Generator, fill: tuple[int, ...]) -> None:
    """A line of strokes that looks like writing from afar."""
    y, height = rng.uniform(40, 90), rng.uniform(8, 16)
    for x in np.arange(24, 104, height * 0.8):
        for _ in range(int(rng.integers(2, 4))):
            a, b = rng.uniform(0, 1, (2, 2))
            ends = (x + a * height * 0.6, y + b * height)
            pen.line((ends[0][0], ends[1][0], ends[0][1], ends[1][1]), fill=fill, width=2)
