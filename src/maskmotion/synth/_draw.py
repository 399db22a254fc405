"""Draws a posed figure, from the parts behind to the parts in front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maskmotion.synth._canvas import (
    Canvas,
    Colour,
    Ribbon,
    Shape,
    darker,
    ellipse,
    lighter,
    paint_group,
)
from maskmotion.synth._figure import Figure, Garment, Pattern
from maskmotion.synth._head import HeadFrame, draw_head, draw_head_back
from maskmotion.synth._motion import SIDES
from maskmotion.synth._skeleton import JOINTS

Array = np.ndarray
LIGHT = np.array([-0.3, -0.24])  # where highlights move to, in limb radii


def draw_figure(
    canvas: Canvas,
    figure: Figure,
    joints: Array,
    *,
    height_px: float,
    turn: float = 0.0,
    arm_in_front: Sequence[bool] = (True, True),
    leg_in_front: int = 1,
) -> None:
    """Draw a figure in one pose.

    Args:
        canvas: receives the figure; coordinates are pixels of the finished picture.
        joints: (J, 2) positions in pixels, in the order of `JOINTS`.
        height_px: standing height, which the widths are measured in.
        turn: the head's turn, -1 (left) to 1 (right).
        arm_in_front: left and right arm before the body.
        leg_in_front: 0 or 1, the leg drawn last.
    """
    painter = _Painter(canvas, figure, dict(zip(JOINTS, joints, strict=True)), height_px)
    frame = painter.head_frame(turn)
    draw_head_back(canvas, figure, frame)
    for index, side in enumerate(SIDES):
        if not arm_in_front[index]:
            painter.arm(side)
    for side in (SIDES[1 - leg_in_front], SIDES[leg_in_front]):
        painter.leg(side)
    painter.torso()
    draw_head(canvas, figure, frame)
    for index, side in enumerate(SIDES):
        if arm_in_front[index]:
            painter.arm(side)


class _Painter:
    """One figure in one pose, on one canvas."""

    def __init__(
        self, canvas: Canvas, figure: Figure, at: dict[str, Array], height_px: float
    ) -> None:
        self.canvas, self.figure, self.at, self.px = canvas, figure, at, height_px
        self.ink_width = figure.ink_width * height_px

    def group(self, shapes: list[Shape]) -> None:
        paint_group(self.canvas, shapes, self.figure.ink, self.ink_width)

    def head_frame(self, turn: float) -> HeadFrame:
        body = self.figure.body
        up = self.at["head"] - self.at["neck"]
        up = up / max(float(np.hypot(*up)), 1e-9)
        return HeadFrame(self.at["head"], up, body.head * self.px, body.head_aspect, turn)

    # Limbs

    def arm(self, side: str) -> None:
        figure, body = self.figure, self.figure.body
        shoulder, elbow, wrist, hand = (
            self.at[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hand")
        )
        centre = _limb(shoulder, elbow, wrist, figure.softness)
        radius = body.arm_radius * self.px
        radii = radius * np.linspace(1.1, 0.85, len(centre))
        palm = max(1.25 * radius, 0.55 * body.hand * self.px)
        out = (hand - wrist) / max(float(np.hypot(*(hand - wrist))), 1e-9)
        across = np.array([out[1], -out[0]]) * (1 if side == "l" else -1)
        thumb = np.stack([wrist, wrist + 0.9 * palm * (out + 1.2 * across)])
        self.group(
            [
                Shape(centre, figure.skin, radii),
                Shape(np.stack([wrist, hand]), figure.hands, np.array([0.8, 1.0]) * palm),
                Shape(thumb, figure.hands, 0.42 * palm),
            ]
        )
        self._highlight(centre, radii, figure.skin)
        self._sleeve(centre, radii, figure.top)

    def leg(self, side: str) -> None:
        figure, body = self.figure, self.figure.body
        hip, knee, ankle, toe = (
            self.at[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "toe")
        )
        centre = _limb(hip, knee, ankle, figure.softness)
        radius = body.leg_radius * self.px
        radii = radius * np.linspace(1.35, 0.85, len(centre))
        self.group([Shape(centre, figure.skin, radii)])
        self._highlight(centre, radii, figure.skin)
        self._sleeve(centre, radii, figure.bottom)
        foot = np.stack([ankle, toe])
        size = np.array([0.95, 0.8]) * 0.9 * radius
        sole = foot + np.array([0.0, 0.35 * radius])
        self.group([Shape(sole, figure.soles, 0.75 * size), Shape(foot, figure.shoes, size)])
        self._highlight(foot, size, figure.shoes)

    def _highlight(self, centre: Array, radii: Array, colour: Colour) -> None:
        self.canvas.sweep(centre + LIGHT * radii[:, None], 0.5 * radii, lighter(colour, 0.16))

    def _sleeve(self, centre: Array, radii: Array, garment: Garment) -> None:
        if not garment.cover:
            return
        count = max(3, round(garment.cover * len(centre)))
        centre = centre[:count]
        radii = radii[:count] * np.linspace(1.12, 1.12 * garment.flare, count)
        self.group([Shape(centre, garment.colour, radii)])
        self._highlight(centre, radii, garment.colour)
        self._pattern(Ribbon.around(centre, radii), garment.pattern)

    # Torso

    def torso(self) -> None:
        figure = self.figure
        ribbon = self._torso_ribbon()
        self._neck()
        if not figure.skirt:
            hips = _part(ribbon, -0.02, 0.3)
            self.group([Shape(hips.outline(), figure.bottom.colour)])
            self._pattern(hips, figure.bottom.pattern)
        shirt = _part(ribbon, 0.2, 1.0)
        self.group([Shape(shirt.outline(), figure.top.colour)])
        middle = shirt.patch(0.1, 0.95, -0.75, 0.1)
        Shape(middle, lighter(figure.top.colour, 0.1)).paint(self.canvas)
        self._pattern(shirt, figure.top.pattern)
        if figure.skirt:
            skirt = self._skirt(ribbon)
            self.group([Shape(skirt.outline(), figure.bottom.colour)])
            self._pattern(skirt, figure.bottom.pattern)
        if figure.belt:
            Shape(ribbon.patch(0.17, 0.23, -1, 1), figure.belt).paint(self.canvas)

    def _neck(self) -> None:
        radius = max(0.32 * self.figure.body.head, 0.03) * self.px
        neck = np.stack([self.at["neck"], 0.5 * (self.at["neck"] + self.at["head"])])
        self.group([Shape(neck, darker(self.figure.skin, 0.12), radius)])

    def _torso_ribbon(self) -> Ribbon:
        """The trunk from crotch (s = 0) to shoulders (s = 1), bent along the spine."""
        body = self.figure.body
        t = np.linspace(0, 1.0, 14)[:, None]
        pelvis, spine, neck = (self.at[name] for name in ("pelvis", "spine", "neck"))
        centre = (1 - t) ** 2 * pelvis + 2 * t * (1 - t) * spine + t**2 * neck
        hip = body.hip + 1.3 * body.leg_radius
        knots = [0, 0.12, 0.4, 0.8, 0.94, 1.0]
        top = body.shoulder * np.array([1.0, 0.93, 0.68])
        widths = [0.8 * hip, hip, body.waist, *top]
        return Ribbon.around(centre, np.interp(t[:, 0], knots, widths) * self.px)

    def _skirt(self, ribbon: Ribbon) -> Ribbon:
        """From the waist to a hem that follows the thighs."""
        figure, at = self.figure, self.at
        hems = [
            at[f"{side}_hip"] + figure.skirt * (at[f"{side}_knee"] - at[f"{side}_hip"])
            for side in SIDES
        ]
        flare = (0.6 + figure.bottom.flare) * figure.body.leg_radius * self.px
        left, right = (hems[0], hems[1]) if hems[0][0] < hems[1][0] else (hems[1], hems[0])
        t = np.linspace(0, 1, 8)[:, None]
        sides = []
        for sign, hem in ((-1, left), (1, right)):
            start, bulge = ribbon.at(0.24, sign), ribbon.at(0.04, 1.12 * sign)
            end = hem + np.array([sign * flare, 0.0])
            sides.append((1 - t) ** 2 * start + 2 * t * (1 - t) * bulge + t**2 * end)
        return Ribbon(*sides)

    # Patterns

    def _pattern(self, ribbon: Ribbon, pattern: Pattern) -> None:
        length, width = ribbon.extent()
        period = pattern.period * self.px
        rows, columns = max(2, round(length / period)), max(2, round(width / period))
        for patch in _patches(ribbon, pattern.kind, rows, columns):
            self.canvas.polygon(patch, pattern.colour)
        if pattern.kind == "dots":
            for x, y in _dot_grid(ribbon, rows, columns).tolist():
                self.canvas.disc(x, y, 0.27 * period, pattern.colour)
        if pattern.kind == "emblem" and width > 3 * period:
            centre = ribbon.at(0.62, 0.0)
            self.canvas.polygon(_star(centre, 1.3 * period), pattern.colour)


def _part(ribbon: Ribbon, start: float, end: float) -> Ribbon:
    s = np.linspace(start, end, 14)
    return Ribbon(ribbon.at(s, -1), ribbon.at(s, 1))


def _patches(ribbon: Ribbon, kind: str, rows: int, columns: int) -> list[Array]:
    s, u = np.linspace(0, 1, 2 * rows + 1), np.linspace(-1, 1, 2 * columns + 1)
    if kind == "hoops":
        return [ribbon.patch(s[i], s[i + 1], -1, 1) for i in range(1, 2 * rows, 2)]
    if kind == "lines":
        return [ribbon.patch(0, 1, u[j], u[j + 1]) for j in range(1, 2 * columns, 2)]
    if kind == "checks":
        s, u = s[::2], u[::2]
        return [
            ribbon.patch(s[i], s[i + 1], u[j], u[j + 1])
            for i in range(rows)
            for j in range(columns)
            if (i + j) % 2
        ]
    if kind == "band":
        return [ribbon.patch(0.5, 0.75, -1, 1)]
    if kind == "halves":
        return [ribbon.patch(0, 1, 0, 1)]
    return []


def _dot_grid(ribbon: Ribbon, rows: int, columns: int) -> Array:
    """(n, 2) staggered points that keep clear of the edges."""
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    s = (row + 0.5) / rows
    u = (2 * column + 1 + 0.5 * (-1.0) ** row) / columns - 1
    inside = np.abs(u) < 1 - 0.6 / columns
    return ribbon.at(s[inside], u[inside])


def _star(centre: Array, radius: float) -> Array:
    outer, inner = (
        ellipse((0, 0), radius, radius, 10),
        ellipse((0, 0), 0.45 * radius, 0.45 * radius, 10),
    )
    points = np.where(np.arange(10)[:, None] % 2, inner, outer)
    return centre + points @ np.array([[0.0, -1.0], [1.0, 0.0]])


def _limb(start: Array, joint: Array, end: Array, softness: float) -> Array:
    """(11, 2) centre line of a limb, its joint rounded off by `softness`."""
    near = joint + softness * 0.75 * (start - joint)
    far = joint + softness * 0.75 * (end - joint)
    t = np.linspace(0, 1, 5)[:, None]
    bend = (1 - t) ** 2 * near + 2 * t * (1 - t) * joint + t**2 * far
    first = start + np.linspace(0, 1, 4)[:3, None] * (near - start)
    last = far + np.linspace(0, 1, 4)[1:, None] * (end - far)
    return np.concatenate([first, bend, last])
