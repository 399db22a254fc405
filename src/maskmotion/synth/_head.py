"""Head, hair, hat and face, in coordinates of the head: radius 1, y downwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskmotion.synth._canvas import (
    Canvas,
    Colour,
    Shape,
    darker,
    ellipse,
    lighter,
    mix,
    paint_group,
)
from maskmotion.synth._figure import Figure, Head

Array = np.ndarray
WHITE: Colour = (250, 250, 248)
BLACK: Colour = (26, 20, 24)


@dataclass(frozen=True)
class HeadFrame:
    """Where the head is: places head coordinates on the picture."""

    centre: Array
    up: Array  # unit vector
    radius: float
    aspect: float
    turn: float  # -1 .. 1

    def at(self, points: Array) -> Array:
        points = np.asarray(points, float)
        right = np.array([-self.up[1], self.up[0]])
        x, y = points[..., :1] * self.aspect, points[..., 1:]
        return np.asarray(self.centre + self.radius * (x * right - y * self.up))

    def shape(self, points: Array, colour: Colour) -> Shape:
        return Shape(self.at(points), colour)

    def round(self, x: float, y: float, radius: float, colour: Colour) -> Shape:
        return Shape(self.at(np.array([[x, y]])), colour, radius * self.radius)

    def line(self, points: Array, width: float, colour: Colour) -> Shape:
        return Shape(self.at(points), colour, 0.5 * width * self.radius)


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> Array:
    """Points of an ellipse from `start` to `end` degrees; 0 is right, 90 is down."""
    turn = np.radians(np.linspace(start, end, 20))
    return np.stack([x + rx * np.cos(turn), y + ry * np.sin(turn)], axis=-1)


def draw_head_back(canvas: Canvas, figure: Figure, frame: HeadFrame) -> None:
    """Hair that hangs or stands behind the head and the body."""
    shapes = _back_hair(figure.head, frame)
    paint_group(canvas, shapes, figure.ink, figure.ink_width / figure.body.head * frame.radius)


def draw_head(canvas: Canvas, figure: Figure, frame: HeadFrame) -> None:
    """Skull, face, hair and hat."""
    head = figure.head
    ink_width = figure.ink_width / figure.body.head * frame.radius
    ears = [frame.round(x - 0.15 * frame.turn, 0.08, 0.2, head.skin) for x in (-0.98, 0.98)]
    skull = frame.shape(ellipse((0, 0), 1, 1, 32), head.skin)
    paint_group(canvas, [*ears, skull], figure.ink, ink_width)
    frame.shape(ellipse((-0.18, -0.2), 0.7, 0.68), lighter(head.skin, 0.12)).paint(canvas)
    for shape in _face(head, frame):
        shape.paint(canvas)
    paint_group(canvas, _front_hair(head, frame), figure.ink, ink_width)
    if head.hat:
        paint_group(canvas, _hat(head, frame), figure.ink, ink_width)


# Hair -------------------------------------------------------------------------------------


def _back_hair(head: Head, frame: HeadFrame) -> list[Shape]:
    colour = darker(head.hair_colour, 0.12)
    lag = -0.25 * frame.turn
    if head.hair == "long":
        fall = [[-1.12, -0.2], [-1.2, 1.0], [-0.95 + lag, 1.65], [0.95 + lag, 1.65], [1.2, 1.0]]
        return [frame.shape(np.array([*fall, [1.12, -0.2]]), colour)]
    if head.hair == "bob":
        return [frame.shape(ellipse((0, 0.2), 1.28, 1.0), colour)]
    if head.hair == "pigtails":
        tails = [np.array([[s, -0.1], [1.35 * s, 0.3], [1.4 * s + lag, 0.9]]) for s in (-1, 1)]
        return [
            Shape(frame.at(t), colour, np.array([0.2, 0.34, 0.16]) * frame.radius) for t in tails
        ]
    if head.hair == "ponytail":
        tail = np.array([[0.2, -0.9], [1.1, -0.8], [1.42, 0.0], [1.3 + lag, 0.9]])
        return [Shape(frame.at(tail), colour, np.array([0.3, 0.32, 0.3, 0.12]) * frame.radius)]
    if head.hair == "afro":
        return [frame.shape(ellipse((0, -0.32), 1.5, 1.3, 32), colour)]
    if head.hair == "bun" and not head.hat:
        return [frame.round(0.1, -1.22, 0.42, colour)]
    return []


def _cap(frame: HeadFrame, colour: Colour, brow: float, droop: float) -> Shape:
    """Hair or cloth over the top of the skull, down to `brow` at the middle."""
    outer = _arc(0, -0.02, 1.07, 1.1, 180 - droop, 360 + droop)
    shift = 0.3 * frame.turn
    inner = np.array([[0.8, -0.1], [0.55 + shift, brow], [-0.4 + shift, brow - 0.1], [-0.8, -0.1]])
    return frame.shape(np.concatenate([outer, inner]), colour)


def _spikes(frame: HeadFrame, colour: Colour, start: float, end: float, count: int) -> Shape:
    turn = np.radians(np.linspace(start, end, 2 * count + 1))
    reach = np.where(np.arange(2 * count + 1) % 2, 1.55, 1.0)
    rim = np.stack([reach * np.cos(turn), reach * np.sin(turn)], axis=-1)
    return frame.shape(np.concatenate([rim, [[0.6, -0.45], [-0.6, -0.45]]]), colour)


def _front_hair(head: Head, frame: HeadFrame) -> list[Shape]:
    colour = head.hair_colour
    if head.hair == "bald":
        return []
    if head.hair == "mohawk":
        return [_spikes(frame, colour, 248, 292, 3)]
    if head.hair == "spiky":
        return [_spikes(frame, colour, 190, 350, 6)] if not head.hat else []
    if head.hair == "fringe":
        fringe = np.concatenate(
            [_arc(0, -0.02, 1.07, 1.1, 175, 365), [[0.85, -0.3], [-0.85, -0.3]]]
        )
        return [frame.shape(fringe, colour)]
    brow, droop = {"short": (-0.62, 0), "afro": (-0.6, 8), "bob": (-0.45, 18)}.get(
        head.hair, (-0.6, 10)
    )
    cap = _cap(frame, colour, brow, droop)
    shine = frame.line(_arc(-0.1, 0.02, 0.85, 0.9, 225, 268), 0.12, lighter(colour, 0.22))
    return [cap, shine]


def _hat(head: Head, frame: HeadFrame) -> list[Shape]:
    colour, band = head.hat_colour, darker(head.hat_colour, 0.45)
    dome = frame.shape(
        np.concatenate([_arc(0, -0.1, 1.12, 1.15, 190, 350), [[1.0, -0.42], [-1.0, -0.42]]]), colour
    )
    if head.hat == "beanie":
        rim = frame.line(np.array([[-1.0, -0.42], [1.0, -0.42]]), 0.3, band)
        return [dome, rim, frame.round(0, -1.3, 0.24, lighter(colour, 0.6))]
    if head.hat == "cap":
        peak = np.array([[0.2 * frame.turn, -0.45], [1.35 + 0.2 * frame.turn, -0.4]])
        return [dome, frame.line(peak, 0.24, band)]
    if head.hat == "top hat":
        tube = frame.shape(
            np.array([[-0.72, -0.6], [-0.8, -1.8], [0.8, -1.8], [0.72, -0.6]]), colour
        )
        ribbon = frame.line(np.array([[-0.68, -0.85], [0.68, -0.85]]), 0.24, lighter(colour, 0.6))
        return [tube, ribbon, frame.line(np.array([[-1.15, -0.58], [1.15, -0.58]]), 0.22, colour)]
    if head.hat == "brim":
        ribbon = frame.line(np.array([[-1.0, -0.6], [1.0, -0.6]]), 0.22, lighter(colour, 0.5))
        return [dome, ribbon, frame.shape(ellipse((0, -0.42), 1.65, 0.2), band)]
    if head.hat == "party":
        cone = frame.shape(np.array([[-0.7, -0.65], [0.05, -2.0], [0.7, -0.65]]), colour)
        dots = [frame.round(x, y, 0.11, lighter(colour, 0.7)) for x, y in PARTY_DOTS]
        return [cone, *dots, frame.round(0.05, -2.0, 0.18, lighter(colour, 0.7))]
    if head.hat == "crown":
        x = np.linspace(-0.75, 0.75, 7)
        top = np.stack([x * 1.15, np.where(np.arange(7) % 2, -1.05, -1.5)], axis=-1)
        base = np.array([[0.75, -0.62], [-0.75, -0.62]])
        gold: Colour = (246, 196, 60)
        return [frame.shape(np.concatenate([top, base]), gold)]
    band_line = _arc(0, -0.05, 1.0, 0.55, 200, 340)
    return [frame.line(band_line, 0.26, colour)]


PARTY_DOTS = ((-0.25, -0.9), (0.25, -1.05), (-0.02, -1.4))


# Face -------------------------------------------------------------------------------------


def _face(head: Head, frame: HeadFrame) -> list[Shape]:
    shift = 0.34 * frame.turn
    shapes: list[Shape] = []
    if head.cheeks:
        blush = mix(head.skin, (240, 90, 100), 0.4)
        shapes += [frame.round(x + 0.8 * shift, 0.3, 0.17, blush) for x in (-0.56, 0.56)]
    if head.beard == "full":
        jaw = np.concatenate([_arc(0, 0, 1.0, 1.02, 8, 172), [[-0.55, 0.25], [0.55, 0.25]]])
        shapes.append(frame.shape(jaw, head.hair_colour))
    shapes += _mouth(head, frame, shift)
    shapes.append(frame.round(1.15 * shift, 0.18, head.nose, darker(head.skin, 0.17)))
    if head.beard == "moustache":
        moustache = np.array([[shift - 0.36, 0.42], [shift, 0.34], [shift + 0.36, 0.42]])
        shapes.append(frame.line(moustache, 0.17, head.hair_colour))
    for side in (-1, 1):
        shapes += _eye(head, frame, side, shift)
    return shapes


def _eye(head: Head, frame: HeadFrame, side: int, shift: float) -> list[Shape]:
    x, y, size = side * head.eye_gap + shift, -0.1, head.eye
    brow = np.array([[x - 0.18, y - size - 0.15], [x + 0.18, y - size - 0.17]])
    shapes = [frame.line(brow, 0.09, darker(head.hair_colour, 0.3))]
    if head.glasses:
        shapes.append(frame.round(x, y, size + 0.15, BLACK))
        shapes.append(frame.round(x, y, size + 0.07, lighter(head.skin, 0.5)))
        shapes.append(frame.line(np.array([[shift - 0.1, y], [shift + 0.1, y]]), 0.08, BLACK))
    if not head.eye_white:
        return [*shapes, frame.round(x, y, 0.75 * size, BLACK)]
    look = x + 0.35 * size * frame.turn
    return [
        *shapes,
        frame.round(x, y, size, WHITE),
        frame.round(look, y, 0.62 * size, head.iris),
        frame.round(look - 0.2 * size, y - 0.22 * size, 0.22 * size, WHITE),
    ]


def _mouth(head: Head, frame: HeadFrame, shift: float) -> list[Shape]:
    lips = mix(head.skin, (150, 30, 40), 0.65)
    if head.mouth == "smile":
        return [frame.line(_arc(shift, 0.35, 0.36, 0.27, 15, 165), 0.1, lips)]
    if head.mouth == "open":
        inside = frame.shape(ellipse((shift, 0.58), 0.2, 0.18), darker(lips, 0.35))
        return [inside, frame.shape(ellipse((shift, 0.67), 0.13, 0.08), (232, 110, 116))]
    if head.mouth == "grin":
        half = _arc(shift, 0.42, 0.36, 0.34, 0, 180)
        teeth = np.array([[-0.33, 0.43], [0.33, 0.43], [0.29, 0.54], [-0.29, 0.54]])
        return [
            frame.shape(half, darker(lips, 0.35)),
            frame.shape(teeth + np.array([shift, 0]), WHITE),
        ]
    return [frame.line(np.array([[shift - 0.14, 0.56], [shift + 0.14, 0.54]]), 0.1, lips)]
