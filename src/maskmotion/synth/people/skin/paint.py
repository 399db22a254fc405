"""Pictures of a person's skin and eyes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from maskmotion.synth.people.skin import strokes as paint
from maskmotion.synth.people.skin.atlas import SIZE, atlas

if TYPE_CHECKING:
    from maskmotion.synth.people.skin import Skin

__all__ = ["albedo", "eyeball"]

Array = np.ndarray
Rng = np.random.Generator

# sRGB of skin by melanin, without the blood's red.
TONES = np.array(
    [(229, 197, 178), (217, 175, 147), (199, 150, 119), (168, 117, 86), (119, 79, 57), (68, 46, 37)]
)
BLOOD = np.array([0.05, 0.24, 0.16])  # what redness 1 takes of sRGB, as an exponent
LEVELS = 128  # of melanin and of redness in the table of colours
LEAST_RED, MOST_RED = -0.5, 1.5
EYE_PX = 256
IRIS_DEG, EYE_DEG = 24, 100  # from the pupil to the iris's and to the picture's edge

# (x, z) in m of the average face's left half.
UPPER_LID = np.array(
    [(0.0188, 1.7153), (0.0215, 1.7170), (0.0238, 1.7183), (0.0276, 1.7195), (0.0315, 1.7201),
     (0.0351, 1.7199), (0.0382, 1.7194), (0.0409, 1.7186), (0.0437, 1.7173), (0.0455, 1.7162)]
)  # fmt: skip
LOWER_LID = np.array(
    [(0.0209, 1.7132), (0.0249, 1.7125), (0.0281, 1.7122), (0.0318, 1.7119), (0.0355, 1.7119),
     (0.0388, 1.7123), (0.0425, 1.7140)]
)  # fmt: skip
LID_FOLD = np.array([0.0, 0.0042])  # above the lid's edge
BROW = np.array(
    [(0.012, 1.737), (0.023, 1.741), (0.036, 1.7445), (0.0465, 1.7435), (0.0555, 1.738)]
)
# Lines of age, and how early they come: 0 in everybody's face, 1 only in the old.
CREASES = (
    ([(0.0175, 1.6735), (0.0235, 1.6660), (0.0285, 1.6570), (0.0305, 1.6480)], 0.15),
    ([(0.0275, 1.6400), (0.0285, 1.6330), (0.0265, 1.6260)], 0.5),
    ([(0.0060, 1.7330), (0.0070, 1.7390), (0.0062, 1.7450)], 0.35),
    ([(0.0195, 1.7100), (0.0240, 1.7065), (0.0310, 1.7048), (0.0390, 1.7065)], 0.25),
    ([(0.0495, 1.7165), (0.0550, 1.7180), (0.0600, 1.7205)], 0.4),
    ([(0.0500, 1.7150), (0.0555, 1.7145), (0.0610, 1.7150)], 0.35),
    ([(0.0490, 1.7130), (0.0540, 1.7105), (0.0590, 1.7085)], 0.45),
)  # fmt: skip
FOREHEAD = (1.7545, 1.7625, 1.7710, 1.7790)  # z of the lines


def albedo(skin: Skin) -> Array:
    """(SIZE, SIZE, 4) uint8: sRGB, and how much the skin shines."""
    rng = np.random.default_rng(skin.seed)
    melanin, redness, gloss = (paint.enlarge(field) for field in _soft(skin, rng))
    _roughen(melanin, redness, skin)
    _mark(melanin, redness, skin, rng)
    _crease(melanin, redness, skin, rng)
    index = np.clip(melanin * (LEVELS - 1), 0, LEVELS - 1).astype(np.uint16) * LEVELS
    share = (redness - LEAST_RED) / (MOST_RED - LEAST_RED)
    index += np.clip(share * (LEVELS - 1), 0, LEVELS - 1).astype(np.uint16)
    picture = _table(skin.warmth).ravel()[index].view(np.uint8).reshape(SIZE, SIZE, 4)
    picture[..., 3] = np.clip(255 * gloss, 0, 255)
    _shave(picture, skin)
    _make_up(picture, skin)
    _brows(picture, skin, rng)
    return picture


def _table(warmth: float) -> Array:
    """(LEVELS, LEVELS) uint32 of RGB, by melanin 0 to 1 and redness."""
    melanin, knots = np.linspace(0, 1, LEVELS), np.linspace(0, 1, len(TONES))
    tones = np.stack([np.interp(melanin, knots, TONES[:, k] / 255) for k in range(3)], -1)
    tones = tones * (1 + warmth * np.array([0.0, 0.012, -0.05]))
    redness = np.linspace(LEAST_RED, MOST_RED, LEVELS)[:, None]
    out = np.zeros((LEVELS, LEVELS, 4), np.uint8)
    out[..., :3] = np.clip(255 * tones[:, None] * np.exp(-redness * BLOOD), 0, 255)
    return out.view(np.uint32)[..., 0]


def _soft(skin: Skin, rng: Rng) -> tuple[Array, Array, Array]:
    """Melanin, redness and gloss at the resolution of the soft fields."""
    at = paint.fields()
    mix = rng.normal(0, 1, (2, paint.NOISES)) * np.array([0.5, 0.8, 0.8, 0.7, 0.5, 0.5])
    uneven = np.tensordot(mix, paint.noises(), 1) * skin.blotches
    dark = skin.melanin
    joints = at["knuckles"] + at["elbows"] + at["knees"]
    melanin = dark + 0.013 * uneven[0]
    melanin += 0.05 * at["lids"] + 0.09 * skin.shadows * at["below_eyes"] + 0.06 * at["folds"]
    melanin += 0.06 * dark * at["forehead"] + 0.15 * at["nipples"] + 0.05 * joints
    melanin -= 0.75 * np.maximum(dark - 0.25, 0) * at["palms"]
    melanin -= (0.03 + 0.4 * np.maximum(dark - 0.2, 0)) * at["nails"]
    flushed = 0.45 + 0.55 * at["cheeks"] + 0.6 * at["nose"] + 0.5 * at["ears"] + 0.25 * at["chin"]
    redness = skin.redness * flushed + 0.055 * uneven[1]
    redness += (
        0.12 * at["lids"] + (0.1 + 0.3 * skin.shadows) * at["below_eyes"] + 0.15 * at["folds"]
    )
    redness += 0.2 * (joints + at["palms"]) + 0.4 * at["nipples"] + 0.25 * at["nails"]
    inside = at["gums"]
    melanin, redness = (
        field + inside * (value - field) for field, value in ((melanin, 0.4), (redness, 1.5))
    )
    bright = at["forehead"] + 0.8 * at["nose"] + 0.5 * at["cheeks"] + 0.5 * at["chin"]
    gloss = 0.08 + 0.12 * skin.oil + (0.15 + 0.35 * skin.oil) * bright
    return melanin, redness, gloss + 0.6 * at["nails"] + 0.5 * inside


def _roughen(melanin: Array, redness: Array, skin: Skin) -> None:
    """Add pores and the lips, in place."""
    grain, lips = paint.grain(), atlas().masks["lips"]
    melanin += (0.010 + 0.010 * skin.blotches) * grain
    redness += 0.035 * grain
    high, wide = _box("lips")
    lip = lips[high, wide]
    folds = 1 + 0.3 * paint.grain()[17, wide]  # the same down a column
    dark = (0.05 + 0.1 * skin.lips * folds) * (1 - 1.4 * skin.melanin)  # dark skin's are paler
    melanin[high, wide] += lip * dark
    redness[high, wide] += lip * (0.30 + 0.45 * skin.lips) * (1 + 0.3 * skin.melanin) * folds


@functools.cache
def _box(mask: str) -> tuple[slice, slice]:
    """Rows and columns of the picture where a mask is not 0."""
    rows, columns = np.nonzero(atlas().masks[mask] > 0.02)
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


def _mark(melanin: Array, redness: Array, skin: Skin, rng: Rng) -> None:
    """Add freckles, moles and spots of age, in place."""
    at = paint.fields()
    sunny = at["cheeks"] + 1.3 * at["bridge"] + 0.25 * at["forehead"] + 0.02 * at["trunk"]
    old = at["temples"] + 0.6 * at["forehead"] + 0.5 * at["cheeks"] + 0.4 * at["hands"]
    anywhere = 0.5 * at["head"] + 0.7 * at["trunk"] + 0.2 * at["hands"]
    for density, count, least, most, dark in (
        (sunny, int(500 * skin.freckles), 0.5, 1.1, 0.16),
        (old, int(30 * skin.spots), 1.2, 3.5, 0.09),
        (anywhere, 3 * skin.moles, 0.6, 1.3, 0.45),
    ):
        spots = paint.scatter(density, count, rng)
        strength = dark * rng.uniform(0.4, 1, count)
        paint.stamp(melanin, spots, rng.uniform(least, most, count), strength)
    pimples = paint.scatter(
        at["head"] * (at["chin"] + at["cheeks"] + at["forehead"]), int(8 * skin.blotches), rng
    )
    paint.stamp(
        redness, pimples, rng.uniform(1, 2, len(pimples)), rng.uniform(0.1, 0.4, len(pimples))
    )


def _crease(melanin: Array, redness: Array, skin: Skin, rng: Rng) -> None:
    """Add the lines of the face, in place: a dark groove with a light edge below."""
    lines = []
    for points, late in CREASES:
        depth = np.clip(1.3 * (skin.lines - late) / (1 - late) + 0.12, 0, 1)
        lines += _both_sides(np.array(points), depth, rng)
    for k, z in enumerate(FOREHEAD):
        depth = np.clip(1.6 * skin.lines - 0.35 - 0.1 * k, 0, 1) * rng.uniform(0.4, 1)
        x = np.linspace(-1, 1, 9) * rng.uniform(0.022, 0.04)
        wave = z + 0.003 * np.cos(x / 0.014) * rng.uniform(0, 1) + rng.normal(0, 0.0006, 9)
        lines.append((paint.face_px(np.stack([x, wave], 1)), float(depth)))
    lines += _both_sides(UPPER_LID + LID_FOLD, 0.55, rng)
    left, top, right, bottom = paint.around(np.concatenate([line for line, _ in lines]), 6)
    groove = paint.strokes(lines, (left, top, right, bottom), 2, 2)
    fine = paint.soften(groove, 0.7) + 0.7 * paint.soften(groove, 2.2)
    melanin[top:bottom, left:right] += 0.22 * fine - 0.09 * np.roll(fine, 3, 0)
    redness[top:bottom, left:right] += 0.35 * fine


def _both_sides(points: Array, dark: float, rng: Rng) -> list[paint.Line]:
    lines = []
    for side in (-1, 1):
        moved = points + rng.normal(0, 0.0005, points.shape)
        lines.append((paint.face_px(moved * (side, 1)), float(dark * rng.uniform(0.8, 1))))
    return lines


def _blend(window: Array, cover: Array, colour: Array) -> None:
    """Mix a colour (sRGB in [0, 1]) into a picture's first three channels, in place."""
    mixed = window[..., :3] * (1 - cover[..., None]) + (255 * cover)[..., None] * colour
    window[..., :3] = mixed


def _shave(picture: Array, skin: Skin) -> None:
    """The shaven beard: a cool shade with dots."""
    if skin.stubble < 0.02:
        return
    high, wide, where = _beard()
    _blend(picture[high, wide], 0.6 * skin.stubble * where, 0.6 * np.array(skin.brow))


@functools.cache
def _beard() -> tuple[slice, slice, Array]:
    """Rows and columns, and how much of the skin hairs cover there."""
    where = paint.enlarge(paint.fields()["beard"]) * (1 - np.clip(2 * atlas().masks["lips"], 0, 1))
    rows, columns = np.nonzero(where > 0.02)
    high = slice(rows.min(), rows.max() + 1)
    wide = slice(columns.min(), columns.max() + 1)
    dots = np.random.default_rng(3).random((SIZE, SIZE), np.float32)[high, wide]
    return high, wide, where[high, wide] * (0.5 + 0.5 * (dots > 0.55))


def _make_up(picture: Array, skin: Skin) -> None:
    """Lipstick, the lids' colours, and nail polish."""
    for mask, (colour, cover), power in (
        ("lips", skin.lipstick, 2.0),
        ("fingernails", skin.polish, 1.0),
    ):
        if cover > 0:
            high, wide = _box(mask)
            _blend(
                picture[high, wide],
                cover * atlas().masks[mask][high, wide] ** power,
                np.array(colour),
            )
            shine = picture[high, wide, 3]
            shine[:] = np.maximum(shine, 160 * cover * atlas().masks[mask][high, wide])
    high, wide = _box("lips")
    picture[high, wide, 3] = np.maximum(
        picture[high, wide, 3], 110 * atlas().masks["lips"][high, wide]
    )
    lid = np.concatenate([UPPER_LID, LOWER_LID])
    for side in (-1, 1):
        left, top, right, bottom = box = paint.around(paint.face_px(lid * (side, 1)), 30)
        window = picture[top:bottom, left:right]
        if skin.shadow[1] > 0:
            soft = paint.enlarge(paint.fields()["lids"])[top:bottom, left:right]
            _blend(window, skin.shadow[1] * np.clip(1.3 * soft, 0, 1), np.array(skin.shadow[0]))
        lines = [(paint.face_px(UPPER_LID * (side, 1)), 0.5 + 0.45 * skin.liner)]
        lines.append((paint.face_px(LOWER_LID * (side, 1)), 0.22 + 0.3 * skin.liner))
        dark = paint.soften(paint.strokes(lines, box, 3, 4), 0.6)
        _blend(window, dark, 0.5 * np.array(skin.brow) + 0.04)


def _brows(picture: Array, skin: Skin, rng: Rng) -> None:
    """Many short hairs along the ridges above the eyes, over a shade of their own."""
    guide = BROW + np.array([0, 0.002]) * skin.brow_arch * np.array([-0.5, 0, 1, 1, -0.5])[:, None]
    for side in (-1, 1):
        lines = _brow_hairs(guide, skin, side, rng)
        left, top, right, bottom = box = paint.around(
            np.concatenate([line for line, _ in lines]), 4
        )
        hairs = paint.strokes(lines, box, 4, 3)
        shade = paint.soften(np.clip(2 * hairs, 0, 1), 1.6)
        cover = 1 - (1 - hairs) * (1 - (0.25 + 0.4 * skin.brow_cover) * shade)
        _blend(picture[top:bottom, left:right], cover, np.array(skin.brow))


def _brow_hairs(guide: Array, skin: Skin, side: int, rng: Rng) -> list[paint.Line]:
    count = int(60 + 130 * skin.brow_cover)
    along, across = rng.random(count), rng.uniform(-0.5, 0.5, count)
    places = np.linspace(0, 1, len(guide))
    x, z = (np.interp(along, places, guide[:, k]) for k in range(2))
    taper = np.interp(along, [0, 0.12, 0.5, 1], [0.75, 1, 0.8, 0.25])
    z = z + across * taper * skin.brow_mm / 1000
    # Hairs stand up near the nose and lie down towards the temple; the upper ones lean down.
    angle = np.interp(along, [0, 0.25, 1], [60, 28, -25]) - 25 * across + rng.normal(0, 9, count)
    length = rng.uniform(0.0035, 0.0065, count)
    angle = np.radians(angle)
    half = 0.5 * np.stack([length * np.cos(angle), length * np.sin(angle)], -1)
    middle = np.stack([x, z], -1)
    ends = paint.face_px(np.stack([middle - half, middle + half], 1) * (side, 1))
    dark = rng.uniform(0.3, 0.75, count)
    return [(ends[k], float(dark[k])) for k in range(count)]


def eyeball(skin: Skin) -> Array:
    """(EYE_PX, EYE_PX, 4) uint8 sRGB of an eyeball, the pupil in the middle."""
    rng = np.random.default_rng([skin.seed, 1])
    radius, turn, lid = _polar()
    white = np.array([0.79, 0.755, 0.725]) - skin.teeth * np.array([0.02, 0.04, 0.07])
    picture = white - _veins(rng, 0.3 + 0.5 * skin.redness)[..., None] * np.array([0.05, 0.3, 0.3])
    waves = sum(rng.normal() * np.cos(k * turn + rng.uniform(0, 6.3)) for k in range(9, 60, 3))
    fibres = 1 + 0.08 * waves * np.clip(radius * 1.5 - 0.4, 0, 1)
    shade = fibres * (1.3 - 0.4 * radius) * (1 - 0.75 * np.clip((radius - 0.8) / 0.2, 0, 1))
    shade = shade * np.clip((radius - rng.uniform(0.3, 0.42)) / 0.06, 0, 1)
    edge = np.clip((1.05 - radius) / 0.12, 0, 1)[..., None]
    picture = (picture * (1 - edge) + shade[..., None] * np.array(skin.iris) * edge) * lid[
        ..., None
    ]
    out = np.full((EYE_PX, EYE_PX, 4), 255, np.uint8)
    out[..., :3] = np.clip(picture, 0, 1) * 255
    return out


@functools.cache
def _polar() -> tuple[Array, Array, Array]:
    """Distance from the pupil (1: the iris's edge), direction, and how the lids dim the light."""
    steps = ((np.arange(EYE_PX) + 0.5) / EYE_PX * 2 - 1) * EYE_DEG / IRIS_DEG
    x, down = np.meshgrid(steps.astype(np.float32), steps.astype(np.float32))
    upper = np.clip((down + 0.95) / 0.7, 0, 1)
    corners = np.clip((2.6 - np.hypot(x, down)) / 1.2, 0, 1)
    return np.hypot(x, down), np.arctan2(down, x), (0.5 + 0.5 * upper) * (0.75 + 0.25 * corners)


def _veins(rng: Rng, strength: float) -> Array:
    """(EYE_PX, EYE_PX) of fine red lines in the corners."""
    lines = []
    for k in range(26):
        away = np.linspace(95, 34, 6) + rng.normal(0, 2, 6)
        turn = np.pi * (k % 2) + rng.uniform(-0.6, 0.6) + np.cumsum(rng.normal(0, 0.05, 6))
        points = EYE_PX / 2 + away[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
        lines.append((points[: rng.integers(3, 7)], rng.uniform(0.2, 0.7) * strength))
    return paint.strokes(lines, (0, 0, EYE_PX, EYE_PX), 2, 1)
