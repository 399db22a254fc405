"""Landscapes, beaches and streets."""

from __future__ import annotations

import numpy as np

from maskmotion.synth._canvas import Canvas, Colour, darker, ellipse, hsv, lighter, mix, muted


def _sky(canvas: Canvas, rng: np.random.Generator, horizon: float) -> bool:
    """Sky with sun, moon, clouds or stars; tells whether it is night."""
    kind = rng.choice(["day", "day", "dusk", "night", "grey"])
    top, low = {
        "day": ((112, 172, 226), (206, 230, 244)),
        "dusk": ((120, 98, 150), (246, 190, 150)),
        "night": ((26, 32, 62), (66, 80, 122)),
        "grey": ((150, 160, 170), (208, 212, 214)),
    }[str(kind)]
    tint = muted(rng)
    canvas.gradient(mix(top, tint, 0.15), mix(low, tint, 0.12), 0, horizon + 0.02)
    night = bool(kind == "night")
    if night:
        for x, y in rng.random((30, 2)):
            canvas.disc(x, y * horizon, rng.uniform(0.001, 0.004), (226, 226, 210))
    if rng.random() < 0.6:
        x, y, r = rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.6) * horizon, rng.uniform(0.03, 0.07)
        canvas.disc(x, y, r, (236, 236, 220) if night else (252, 226, 150))
    cloud = mix(low, (255, 255, 255), 0.1 if night else 0.7)
    for _ in range(rng.integers(0, 5)):
        x, y = rng.random(), rng.uniform(0.05, 0.7) * horizon
        for _ in range(5):
            dx, dy = rng.normal(0, 0.05), rng.normal(0, 0.012)
            canvas.disc(x + dx, y + dy, rng.uniform(0.015, 0.045), cloud)
    return night


def _hills(
    canvas: Canvas, rng: np.random.Generator, height: float, rough: float, colour: Colour
) -> None:
    x = np.linspace(0, 1, 60)
    y = np.full(60, height)
    for wave in range(1, 5):
        y += rough / wave * np.sin(wave * rng.uniform(2, 6) * x + rng.uniform(0, 6))
    outline = np.concatenate([np.stack([x, y], axis=-1), [[1, 1.01], [0, 1.01]]])
    canvas.polygon(outline, colour)


def _tree(canvas: Canvas, rng: np.random.Generator, x: float, y: float, height: float) -> None:
    trunk = hsv(rng.uniform(0.05, 0.09), 0.4, rng.uniform(0.3, 0.5))
    leaf = hsv(rng.choice([0.08, 0.28, 0.33, 0.4]), rng.uniform(0.3, 0.5), rng.uniform(0.35, 0.65))
    canvas.sweep(np.array([[x, y], [x, y - 0.6 * height]]), np.array([0.07, 0.04]) * height, trunk)
    if rng.random() < 0.4:
        for k in range(3):
            base, half = y - (0.25 + 0.22 * k) * height, (0.3 - 0.06 * k) * height
            peak = [x, base - 0.38 * height]
            canvas.polygon(
                np.array([[x - half, base], [x + half, base], peak]), lighter(leaf, 0.07 * k)
            )
        return
    for k in range(7):
        dx, dy = rng.normal(0, 0.14, 2) * height
        canvas.disc(
            x + dx,
            y - 0.75 * height + dy,
            rng.uniform(0.12, 0.24) * height,
            lighter(leaf, 0.03 * k),
        )


def _ground_marks(canvas: Canvas, rng: np.random.Generator, horizon: float, colour: Colour) -> None:
    """Tufts, pebbles or ripples that grow towards the viewer."""
    for depth in np.sort(rng.random(70)):
        y, size = horizon + (1 - horizon) * depth, 0.006 + 0.02 * depth
        shade = lighter(colour, 0.18) if rng.random() < 0.5 else darker(colour, 0.14)
        canvas.polygon(ellipse((rng.random(), y), size, 0.22 * size, 10), shade)


def landscape(canvas: Canvas, rng: np.random.Generator) -> None:
    horizon = rng.uniform(0.5, 0.72)
    night = _sky(canvas, rng, horizon)
    hue = rng.choice([0.1, 0.13, 0.25, 0.3, 0.36, 0.6])
    dim = 0.35 if night else 0.0
    for layer in range(rng.integers(1, 4)):
        far = darker(hsv(hue + 0.08 * (3 - layer), 0.25, 0.72 - 0.08 * layer), dim)
        _hills(canvas, rng, horizon - 0.12 + 0.05 * layer, rng.uniform(0.02, 0.09), far)
    ground = darker(hsv(hue, rng.uniform(0.25, 0.5), rng.uniform(0.55, 0.8)), dim)
    canvas.gradient(lighter(ground, 0.12), darker(ground, 0.15), horizon, 1)
    _ground_marks(canvas, rng, horizon, ground)
    for depth in np.sort(rng.uniform(0, 0.3, rng.integers(0, 7))):
        _tree(
            canvas, rng, rng.random(), horizon + 0.02 + depth * 0.4, rng.uniform(0.2, 0.34) + depth
        )


def beach(canvas: Canvas, rng: np.random.Generator) -> None:
    horizon, shore = rng.uniform(0.4, 0.5), rng.uniform(0.6, 0.72)
    night = _sky(canvas, rng, horizon)
    sea = hsv(rng.uniform(0.48, 0.6), 0.45, 0.45 if night else 0.72)
    canvas.gradient(darker(sea, 0.15), lighter(sea, 0.3), horizon, shore + 0.06)
    for _ in range(14):
        x, y = rng.random(), rng.uniform(horizon + 0.01, shore)
        canvas.sweep(
            np.array([[x, y], [x + rng.uniform(0.03, 0.14), y]]), 0.003, lighter(sea, 0.45)
        )
    sand = hsv(0.11, 0.3, 0.55 if night else 0.88)
    _hills(canvas, rng, shore - 0.01, 0.014, lighter(sand, 0.5))
    _hills(canvas, rng, shore + 0.02, 0.012, sand)
    _ground_marks(canvas, rng, shore + 0.06, sand)
    if rng.random() < 0.7:
        x = rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.8, 0.95)])
        _parasol(canvas, rng, x, shore + 0.1)


def _parasol(canvas: Canvas, rng: np.random.Generator, x: float, y: float) -> None:
    canvas.sweep(np.array([[x, y], [x + 0.02, y - 0.4]]), 0.007, (150, 130, 110))
    colour = muted(rng)
    turn = np.linspace(np.pi, 2 * np.pi, 9)
    for k in range(8):
        arc = np.array(
            [[x + 0.02 + 0.17 * np.cos(a), y - 0.32 + 0.14 * np.sin(a)] for a in turn[k : k + 2]]
        )
        foot = np.array([[x + 0.02 + (k / 4 - 1 + d) * 0.17, y - 0.32] for d in (0.25, 0)])
        canvas.polygon(np.concatenate([arc, foot]), colour if k % 2 else (244, 240, 232))


def city(canvas: Canvas, rng: np.random.Generator) -> None:
    ground = rng.uniform(0.68, 0.8)
    night = _sky(canvas, rng, ground)
    for depth in (0.35, 0.0):
        x = rng.uniform(-0.1, 0)
        while x < 1:
            width, height = rng.uniform(0.12, 0.26), rng.uniform(0.25, 0.6) + 0.3 * depth
            wall = mix(muted(rng), (160, 175, 195), depth)
            wall = darker(wall, 0.55 if night else 0.1)
            _house(canvas, rng, (x, ground - height, x + width, ground), wall, night)
            x += width + rng.uniform(0, 0.03)
    pavement = hsv(rng.random(), 0.06, rng.uniform(0.35, 0.7))
    canvas.gradient(lighter(pavement, 0.1), darker(pavement, 0.15), ground, 1)
    for k in range(-9, 10):
        line = np.array([[0.5 + 0.09 * k, ground], [0.5 + 0.24 * k, 1.0]])
        canvas.sweep(line, 0.002, darker(pavement, 0.18))
    canvas.rectangle(0, ground, 1, ground + 0.012, darker(pavement, 0.3))


def _house(
    canvas: Canvas,
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
    wall: Colour,
    night: bool,
) -> None:
    x0, y0, x1, y1 = box
    canvas.rectangle(x0, y0, x1, y1, wall)
    if rng.random() < 0.35:
        peak = [(x0 + x1) / 2, y0 - rng.uniform(0.05, 0.12)]
        canvas.polygon(np.array([[x0 - 0.01, y0], peak, [x1 + 0.01, y0]]), darker(wall, 0.3))
    columns = int(rng.integers(2, 5))
    step = (x1 - x0) / columns
    lit: Colour = (244, 214, 140) if night else lighter(wall, 0.4)
    for row in np.arange(y0 + 0.3 * step, y1 - 0.8 * step, 1.1 * step):
        for column in range(columns):
            x = x0 + (column + 0.25) * step
            shade = lit if rng.random() < 0.5 else darker(wall, 0.35)
            canvas.rectangle(x, row, x + 0.5 * step, row + 0.6 * step, shade)
