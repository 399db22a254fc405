"""Rooms with furniture, and a stage."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskmotion.synth._canvas import Canvas, Colour, darker, ellipse, hsv, lighter, mix, muted


def room(canvas: Canvas, rng: np.random.Generator) -> None:
    skirting = rng.uniform(0.66, 0.8)
    wall = muted(rng)
    canvas.gradient(lighter(wall, 0.1), darker(wall, 0.06), 0, skirting)
    _wallpaper(canvas, rng, wall, skirting)
    _floor(canvas, rng, skirting)
    canvas.rectangle(0, skirting - 0.025, 1, skirting, lighter(wall, 0.55))
    things: list[Callable[[Canvas, np.random.Generator, float, float], None]] = [
        _window,
        _picture,
        _shelf,
        _lamp,
        _plant,
        _sofa,
    ]
    slots = rng.permutation([0.16, 0.5, 0.84])
    for x, index in zip(slots, rng.permutation(len(things))[: rng.integers(1, 4)], strict=False):
        things[index](canvas, rng, float(x), skirting)


def _wallpaper(canvas: Canvas, rng: np.random.Generator, wall: Colour, bottom: float) -> None:
    kind = rng.choice(["plain", "stripes", "dots", "bricks", "panels"])
    tone = darker(wall, 0.1) if rng.random() < 0.5 else lighter(wall, 0.16)
    step = rng.uniform(0.05, 0.12)
    for i, x in enumerate(np.arange(0, 1, step)):
        if kind == "stripes":
            canvas.rectangle(x, 0, x + step / 2, bottom, tone)
        elif kind == "panels":
            canvas.rectangle(x, 0.45 * bottom, x + 0.004, bottom, tone)
        elif kind == "dots":
            for y in np.arange(0, bottom, step):
                canvas.disc(x + step / 2, y + (i % 2) * step / 2, 0.16 * step, tone)
    if kind == "panels":
        canvas.rectangle(0, 0.43 * bottom, 1, 0.45 * bottom, tone)
    if kind == "bricks":
        _bricks(canvas, rng, wall, bottom)


def _bricks(canvas: Canvas, rng: np.random.Generator, wall: Colour, bottom: float) -> None:
    for row, y in enumerate(np.arange(0, bottom, 0.045)):
        for x in np.arange(-0.1, 1, 0.11):
            shade = mix(wall, darker(wall, 0.3), rng.uniform(0.1, 0.7))
            x0, end = x + 0.055 * (row % 2), min(y + 0.039, bottom)
            canvas.rectangle(x0, y, x0 + 0.103, end, shade)


def _floor(canvas: Canvas, rng: np.random.Generator, top: float) -> None:
    wood = hsv(rng.uniform(0.03, 0.12), rng.uniform(0.15, 0.5), rng.uniform(0.35, 0.75))
    canvas.gradient(darker(wood, 0.1), lighter(wood, 0.1), top, 1)
    line = darker(wood, 0.22)
    for k in range(-14, 15):
        canvas.sweep(np.array([[0.5 + 0.07 * k, top], [0.5 + 0.15 * k, 1.0]]), 0.002, line)
    if rng.random() < 0.4:
        for k in range(1, 5):
            y = top + (1 - top) * (k / 5) ** 1.5
            canvas.rectangle(0, y, 1, y + 0.004, line)
    if rng.random() < 0.4:
        rug = muted(rng)
        for shrink, shade in ((1, rug), (0.8, lighter(rug, 0.3)), (0.6, darker(rug, 0.1))):
            middle = (0.5, (top + 1.03) / 2)
            canvas.polygon(ellipse(middle, 0.42 * shrink, 0.42 * (1 - top) * shrink, 40), shade)


def _window(canvas: Canvas, rng: np.random.Generator, x: float, floor: float) -> None:
    half, top, low = rng.uniform(0.1, 0.15), 0.1, 0.42
    frame: Colour = (236, 230, 220)
    canvas.rectangle(x - half - 0.015, top - 0.015, x + half + 0.015, low + 0.015, frame)
    sky = hsv(rng.uniform(0.5, 0.62), rng.uniform(0.15, 0.5), rng.uniform(0.35, 0.95))
    canvas.rectangle(x - half, top, x + half, low, sky)
    canvas.rectangle(x - half, low - 0.08, x + half, low, hsv(0.3, 0.3, 0.5))
    canvas.rectangle(x - 0.006, top, x + 0.006, low, frame)
    canvas.rectangle(x - half, 0.255, x + half, 0.265, frame)
    if rng.random() < 0.6:
        cloth = muted(rng)
        for side in (-1, 1):
            edge = x + side * (half + 0.03)
            canvas.rectangle(edge - 0.035, top - 0.04, edge + 0.035, low + 0.1, cloth)


def _picture(canvas: Canvas, rng: np.random.Generator, x: float, floor: float) -> None:
    half, y = rng.uniform(0.06, 0.12), rng.uniform(0.2, 0.32)
    canvas.rectangle(x - half, y - half, x + half, y + half, darker(muted(rng), 0.5))
    inner = 0.82 * half
    canvas.rectangle(x - inner, y - inner, x + inner, y + inner, lighter(muted(rng), 0.3))
    for _ in range(3):
        dx, dy = rng.uniform(-0.4, 0.4, 2) * half
        canvas.disc(x + dx, y + dy, rng.uniform(0.15, 0.38) * half, muted(rng))


def _shelf(canvas: Canvas, rng: np.random.Generator, x: float, floor: float) -> None:
    half, top = 0.13, rng.uniform(0.15, 0.3)
    wood = hsv(0.07, 0.35, rng.uniform(0.3, 0.6))
    canvas.rectangle(x - half, top, x + half, floor + 0.02, wood)
    rows = 4
    step = (floor - top) / rows
    for row in range(rows):
        y = top + row * step + 0.015
        canvas.rectangle(
            x - half + 0.012, y, x + half - 0.012, y + step - 0.015, darker(wood, 0.45)
        )
        book = x - half + 0.016
        while book < x + half - 0.04:
            width, height = rng.uniform(0.012, 0.026), step * rng.uniform(0.5, 0.8)
            base = y + step - 0.015
            canvas.rectangle(book, base - height, book + width, base, muted(rng))
            book += width + 0.003


def _lamp(canvas: Canvas, rng: np.random.Generator, x: float, floor: float) -> None:
    base = floor + 0.05
    canvas.sweep(np.array([[x, base], [x, 0.4]]), 0.007, (70, 64, 66))
    canvas.polygon(ellipse((x, base), 0.06, 0.015), (70, 64, 66))
    shade = lighter(muted(rng), 0.4)
    canvas.polygon(
        np.array([[x - 0.05, 0.26], [x + 0.05, 0.26], [x + 0.1, 0.42], [x - 0.1, 0.42]]), shade
    )


def _plant(canvas: Canvas, rng: np.random.Generator, x: float, floor: float) -> None:
    base, leaf = floor + 0.06, hsv(rng.uniform(0.25, 0.42), 0.4, rng.uniform(0.35, 0.6))
    for angle in np.linspace(-1.2, 1.2, 9):
        reach = rng.uniform(0.16, 0.3)
        tip = [x + reach * np.sin(angle), base - 0.12 - reach * np.cos(angle)]
        middle = [x + 0.5 * reach * np.sin(0.6 * angle), base - 0.12 - 0.55 * reach]
        blade = np.array([[x, base - 0.1], middle, tip])
        canvas.sweep(
            blade, np.array([0.005, 0.02, 0.002]), mix(leaf, (220, 240, 180), rng.uniform(0, 0.3))
        )
    pot = np.array([[-0.07, -0.13], [0.07, -0.13], [0.05, 0], [-0.05, 0]])
    canvas.polygon(pot + np.array([x, base]), muted(rng))


def _sofa(canvas: Canvas, rng: np.random.Generator, x: float, floor: float) -> None:
    cloth, base = muted(rng), floor + 0.04
    canvas.sweep(np.array([[x - 0.2, base - 0.2], [x + 0.2, base - 0.2]]), 0.06, darker(cloth, 0.2))
    canvas.rectangle(x - 0.24, base - 0.2, x + 0.24, base - 0.02, darker(cloth, 0.2))
    canvas.rectangle(x - 0.2, base - 0.13, x + 0.2, base - 0.03, cloth)
    for side in (-1, 1):
        arm = np.array([[x + 0.24 * side, base - 0.13], [x + 0.24 * side, base - 0.04]])
        canvas.sweep(arm, 0.04, lighter(cloth, 0.1))
    cushion = np.array([[-0.04, -0.04], [0.05, -0.03], [0.04, 0.05], [-0.05, 0.04]])
    place = np.array([x + rng.uniform(-0.1, 0.1), base - 0.16])
    canvas.polygon(cushion + place, muted(rng))


def stage(canvas: Canvas, rng: np.random.Generator) -> None:
    floor, folds = rng.uniform(0.72, 0.82), int(rng.integers(9, 18))
    cloth = hsv(rng.random(), rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.55))
    for k in range(folds):
        for part, shade in enumerate((0.0, 0.12, 0.3, 0.15)):
            x = (k + part / 4) / folds
            canvas.rectangle(x, 0, x + 0.26 / folds, floor, darker(cloth, shade))
    canvas.gradient((96, 82, 74), (150, 126, 106), floor, 1)
    canvas.polygon(ellipse((0.5, (1 + floor) / 2), 0.45, 0.09, 40), (190, 168, 140))
    swag = lighter(cloth, 0.12)
    for k in range(6):
        canvas.polygon(ellipse((k / 5, 0.0), 0.11, 0.11), darker(swag, 0.12 * (k % 2)))
