"""What a person's skin, eyes and mouth look like, and the pieces of a figure they make."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people import _face_paint as paint
from maskmotion.synth.people._atlas import SIZE, atlas, average
from maskmotion.synth.people.body import Body, parts
from maskmotion.synth.people.figure import Piece
from maskmotion.synth.people.person import Traits

__all__ = ["Skin", "draw_skin", "skin_pieces"]

Array = np.ndarray
Rng = np.random.Generator
Colour = tuple[float, float, float]  # sRGB in [0, 1]

# sRGB of skin by melanin, without the blood's red.
TONES = np.array(
    [(250, 224, 208), (236, 197, 170), (212, 164, 132), (175, 123, 91), (123, 82, 59), (70, 47, 38)]
)
BLOOD = np.array([0.10, 0.50, 0.46])  # what redness 1 takes of linear RGB, as an exponent
EYE_PX = 256
EYE_REACH = np.radians(100)  # from the pupil to the edge of the eye's picture
IRISES = (
    ((0.16, 0.09, 0.05), 0.45), ((0.30, 0.18, 0.09), 0.27), ((0.40, 0.33, 0.17), 0.09),
    ((0.36, 0.40, 0.27), 0.06), ((0.35, 0.45, 0.55), 0.10), ((0.45, 0.48, 0.50), 0.03),
)  # fmt: skip


@dataclass(frozen=True)
class Skin:
    """What a skin looks like; all but colours are 0 to 1 where nothing else is said.

    Attributes:
        seed: of the small marks' places.
        melanin: darkness.
        redness: of the blood below.
        warmth: -1 rosy to 1 yellowish.
        blotches: uneven tone.
        freckles: how many.
        moles: number.
        spots: brown marks of age.
        lines: wrinkles.
        shadows: below the eyes.
        lips: how much darker and redder than the skin.
        lipstick: its sRGB and cover; cover 0: none.
        shadow: of the lids, likewise.
        liner: dark line along the lids.
        polish: of the nails, sRGB and cover.
        brow: sRGB of the brows.
        brow_cover: 0 sparse to 1 dense.
        brow_mm: height.
        brow_arch: -1 straight to 1 arched.
        iris: sRGB.
        stubble: density of a shaven beard.
        oil: shine.
        teeth: 0 white to 1 yellow.
    """

    seed: int
    melanin: float
    redness: float
    warmth: float
    blotches: float
    freckles: float
    moles: int
    spots: float
    lines: float
    shadows: float
    lips: float
    lipstick: tuple[Colour, float]
    shadow: tuple[Colour, float]
    liner: float
    polish: tuple[Colour, float]
    brow: Colour
    brow_cover: float
    brow_mm: float
    brow_arch: float
    iris: Colour
    stubble: float
    oil: float
    teeth: float


def draw_skin(rng: Rng, traits: Traits, hair_colour: Colour) -> Skin:
    """A random skin that suits a person and the hair's sRGB."""
    african, asian, caucasian = traits.ancestry
    melanin = 0.78 * african + 0.36 * asian + 0.2 * caucasian + 0.1 * rng.normal()
    melanin = float(np.clip(melanin, 0.03, 0.97))
    age = (traits.age_years - 18) / 62
    woman = traits.gender > 0.5
    adorned = woman and rng.random() < 0.45
    grey = np.mean(hair_colour) > 0.45 and age > 0.5
    brow = np.array(hair_colour) * (0.75 if grey else rng.uniform(0.55, 0.85))
    return Skin(
        seed=int(rng.integers(2**31)),
        melanin=melanin,
        redness=float(np.clip(rng.normal(0.4, 0.2), 0.05, 1)),
        warmth=float(np.clip(0.6 * asian - 0.2 * caucasian + 0.35 * rng.normal(), -1, 1)),
        blotches=float(rng.beta(2, 3)),
        freckles=float(rng.random() ** 3 * (melanin < 0.35) * caucasian),
        moles=int(rng.poisson(5)),
        spots=float(np.clip(1.6 * (age - 0.45), 0, 1) * rng.random()),
        lines=float(np.clip(age * rng.uniform(0.7, 1.2), 0, 1)),
        shadows=float(rng.beta(2, 3)),
        lips=float(rng.uniform(0.3, 1)),
        lipstick=(_lipstick(rng), float(rng.uniform(0.3, 0.9) * (adorned and rng.random() < 0.7))),
        shadow=(_lid_colour(rng), float(rng.uniform(0.2, 0.7) * (adorned and rng.random() < 0.5))),
        liner=float(rng.uniform(0.3, 1) * (adorned and rng.random() < 0.7)),
        polish=(_lipstick(rng), float(woman and rng.random() < 0.3)),
        brow=_tuple(brow),
        brow_cover=float(np.clip(rng.normal(0.6 - 0.15 * woman, 0.18), 0.15, 1)),
        brow_mm=float(np.clip(rng.normal(8.5 - 2.5 * woman, 1.3), 3.5, 12)),
        brow_arch=float(np.clip(rng.normal(0.3 * woman, 0.4), -1, 1)),
        iris=_iris(rng, melanin, caucasian),
        stubble=float(rng.beta(1.2, 1.6) * (traits.gender < 0.5) * (1 - 0.4 * asian)),
        oil=float(rng.beta(2, 2.5)),
        teeth=float(np.clip(rng.normal(0.3 + 0.3 * age, 0.2), 0, 1)),
    )


def _tuple(colour: Array) -> Colour:
    red, green, blue = (round(float(c), 4) for c in np.clip(colour, 0, 1))
    return red, green, blue


def _lipstick(rng: Rng) -> Colour:
    shades = np.array([(0.66, 0.10, 0.14), (0.72, 0.32, 0.36), (0.45, 0.12, 0.16), (0.70, 0.42, 0.36)])
    return _tuple(shades[rng.integers(4)] + rng.normal(0, 0.04, 3))


def _lid_colour(rng: Rng) -> Colour:
    shades = np.array([(0.38, 0.26, 0.20), (0.30, 0.28, 0.30), (0.45, 0.28, 0.32), (0.30, 0.33, 0.42)])
    return _tuple(shades[rng.integers(4)] + rng.normal(0, 0.03, 3))


def _iris(rng: Rng, melanin: float, caucasian: float) -> Colour:
    light = caucasian > 0.5 and melanin < 0.4
    shares = np.array([share for _, share in IRISES]) * ([1] * 2 + [3.0 * light] * 4)
    colour = IRISES[rng.choice(len(IRISES), p=shares / shares.sum())][0]
    return _tuple(np.array(colour) * rng.uniform(0.8, 1.2))


# Pieces ----------------------------------------------------------------------------------


def skin_pieces(body: Body, skin: Skin, hidden: Array | None) -> list[Piece]:
    """A body's own pieces.

    Args:
        hidden: (V,) bool over the body's vertices: covered by clothes; None: nothing is.
    """
    covered = np.zeros(len(body.vertices), bool) if hidden is None else hidden
    teeth = np.array([0.80, 0.77, 0.70]) - skin.teeth * np.array([0.12, 0.17, 0.26])
    pieces = [
        _piece(
            body, "body", "skin", ~(covered | ~atlas().seen), atlas().coordinates, _openness(),
            {"albedo": _albedo(skin)}, {"shine": 0.35 + 0.7 * skin.oil, "rough": 0.5},
        ),
        _piece(
            body, "eyes", "eye", None, _eye_coordinates(), _openness(), {"albedo": _eye(skin)},
        ),
        _piece(
            body, "teeth", "mouth", None, None, _openness(), {}, {"tint": tuple(teeth)}
        ),
        _piece(
            body, "tongue", "mouth", None, None, _openness(), {}, {"tint": (0.42, 0.13, 0.12)}
        ),
        _piece(body, "lashes", "lash", None, None, _openness(), {}, {"tint": (0.02, 0.015, 0.01)}, casts=False),
    ]  # fmt: skip
    return pieces


def _piece(
    body: Body,
    name: str,
    material: str,
    shown: Array | None,
    coordinates: Array | None,
    openness: Array,
    textures: dict[str, Array],
    uniforms: dict[str, float | tuple[float, ...]] | None = None,
    casts: bool = True,
) -> Piece:
    """A part of the body, without the faces of which no corner is shown."""
    faces, corners = parts().faces[name], parts().corners[name]
    if shown is not None:
        kept = shown[faces].any(1)
        faces, corners = faces[kept], corners[kept]
    used = np.unique(faces)
    if coordinates is None or len(coordinates) != len(body.vertices):
        coordinates = parts().coordinates if coordinates is None else coordinates
    else:
        corners = faces
    rows = np.full(len(body.vertices), -1, np.int32)
    rows[used] = np.arange(len(used))
    aux = np.zeros((len(used), 4), np.float32)
    aux[:, 3] = openness[used]
    return Piece(
        material,
        body.vertices[used],
        body.weights[used],
        rows[faces],
        coordinates,
        aux,
        corners=corners,
        follows=used,
        textures=textures,
        uniforms=uniforms or {},
        casts=casts,
    )


@functools.cache
def _openness() -> Array:
    """(V,) of light from all around; an opening mouth lets more in than the closed one has."""
    out = atlas().openness.copy()
    body = average().vertices
    inside = [np.unique(parts().faces[name]) for name in ("teeth", "tongue")]
    faces, corners = parts().faces["body"], parts().corners["body"]
    spots = atlas().coordinates[corners]
    cavity = (spots[..., 0].min(1) > 0.705) & (spots[..., 1].max(1) < 0.225) & (spots[..., 0].max(1) < 0.82)
    inside.append(np.unique(faces[cavity]))
    for members in inside:
        depth = body[members, 1] + 0.158
        out[members] = np.maximum(out[members], 0.75 * np.exp(-np.maximum(depth, 0) / 0.018))
    return out


# Paint -----------------------------------------------------------------------------------


def _linear(srgb: Array) -> Array:
    return srgb * srgb * (0.8 + 0.2 * srgb)  # as in shaders/figure.frag


def _table(warmth: float) -> Array:
    """(128, 128) uint32 of RGB, by melanin 0 to 1 and redness -0.5 to 1.5."""
    melanin = np.linspace(0, 1, 128)
    knots = np.linspace(0, 1, len(TONES))
    tones = np.stack([np.interp(melanin, knots, TONES[:, k] / 255) for k in range(3)], -1)
    tones = tones * (1 + warmth * np.array([0.0, 0.012, -0.05]))
    redness = np.linspace(-0.5, 1.5, 128)[:, None]
    srgb = tones[:, None] * np.exp(-redness * BLOOD / 2.2)
    out = np.zeros((128, 128, 4), np.uint8)
    out[..., :3] = np.clip(srgb, 0, 1) * 255
    return out.view(np.uint32)[..., 0]


def _albedo(skin: Skin) -> Array:
    """(SIZE, SIZE, 4) uint8."""
    rng = np.random.default_rng(skin.seed)
    melanin, redness = (paint.enlarge(field) for field in _soft(skin, rng))
    grain = paint.grain()
    lips = atlas().masks["lips"]
    melanin += (0.012 + 0.01 * skin.blotches) * grain + 0.12 * skin.lips * lips
    redness += 0.03 * grain + (0.35 + 0.5 * skin.lips) * lips
    index = np.clip(melanin * 127, 0, 127).astype(np.uint16) * 128
    index += np.clip((redness + 0.5) * 63.5, 0, 127).astype(np.uint16)
    picture = _table(skin.warmth).ravel()[index].view(np.uint8).reshape(SIZE, SIZE, 4)
    _brows(picture, skin, rng)
    picture[..., 3] = 60
    return picture


def _soft(skin: Skin, rng: Rng) -> tuple[Array, Array]:
    """Melanin and redness at the resolution of the soft fields."""
    at, noise = paint.fields(), paint.noises()
    mix = rng.normal(0, 1, (2, paint.NOISES)) * np.array([0.5, 0.8, 0.8, 0.7, 0.5, 0.5])
    uneven = np.tensordot(mix, noise, 1) * skin.blotches
    dark = skin.melanin
    melanin = dark + 0.012 * uneven[0]
    melanin = melanin + 0.05 * (at["lids"] + skin.shadows * 1.4 * at["below_eyes"] + at["folds"])
    melanin += 0.03 * at["forehead"] * dark + 0.06 * at["nipples"] + 0.05 * at["knuckles"] + 0.05 * at["elbows"]
    melanin -= 0.75 * np.maximum(dark - 0.25, 0) * at["palms"]
    melanin -= 0.4 * np.maximum(dark - 0.2, 0) * at["nails"] + 0.03 * at["nails"]
    redness = skin.redness * (0.45 + 0.5 * at["cheeks"] + 0.55 * at["nose"] + 0.55 * at["ears"] + 0.25 * at["chin"])
    redness += 0.07 * uneven[1] + 0.12 * at["lids"] + 0.2 * at["below_eyes"] * skin.shadows
    redness += 0.2 * (at["knuckles"] + at["elbows"] + at["knees"] + at["palms"]) + 0.4 * at["nipples"] + 0.25 * at["nails"]
    inside = at["gums"]
    return melanin * (1 - inside) + 0.35 * inside, redness * (1 - inside) + 1.5 * inside


def _brows(picture: Array, skin: Skin, rng: Rng) -> None:
    """Many short hairs along the ridges above the eyes."""
    lines = []
    arch = 0.0022 * skin.brow_arch
    guide = np.array([(0.0125, 1.7375), (0.024, 1.7415), (0.037, 1.7445 + arch), (0.047, 1.7435 + arch), (0.0555, 1.7375)])
    count = int(60 + 150 * skin.brow_cover)
    for side in (-1, 1):
        along = rng.random(count) ** 1.15
        across = rng.uniform(-0.5, 0.5, count)
        lines += _brow_hairs(guide, along, across, skin.brow_mm / 1000, side, rng)
    spots = np.concatenate([line for line, _ in lines])
    left, top = np.floor(spots.min(0)).astype(int) - 2
    right, bottom = np.ceil(spots.max(0)).astype(int) + 2
    cover = paint.strokes(lines, (left, top, right, bottom), 3, 2)[..., None]
    window = picture[top:bottom, left:right, :3]
    window[:] = window * (1 - cover) + cover * np.array(skin.brow) * 255


def _brow_hairs(
    guide: Array, along: Array, across: Array, height: float, side: int, rng: Rng
) -> list[paint.Line]:
    places = np.linspace(0, 1, len(guide))
    x, z = (np.interp(along, places, guide[:, k]) for k in range(2))
    taper = np.interp(along, [0, 0.12, 0.5, 1], [0.75, 1, 0.8, 0.25])
    z = z + across * height * taper
    # Hairs stand up near the nose and lie down towards the temple; the upper ones lean down.
    angle = np.radians(np.interp(along, [0, 0.25, 1], [70, 32, -28]) - 25 * across + rng.normal(0, 9, len(x)))
    length = rng.uniform(0.004, 0.0075, len(x)) * np.interp(along, [0, 1], [0.9, 0.8])
    tip = np.stack([x + length * np.cos(angle), z + length * np.sin(angle)], -1)
    root = np.stack([x, z], -1)
    flip = np.array([side, 1])
    dark = rng.uniform(0.35, 0.8, len(x))
    ends = paint.face_px(np.stack([root, tip], 1) * flip)
    return [(ends[k], float(dark[k])) for k in range(len(x))]


# Eyes ------------------------------------------------------------------------------------


@functools.cache
def _eye_coordinates() -> Array:
    """(V, 2) of the eyes' vertices: angle from the pupil, the same for both eyes."""
    body = average()
    out = np.zeros_like(body.vertices[:, :2])
    for side in "LR":
        middle = body.skeleton.heads[body.skeleton.index(f"eye.{side}")]
        members = np.unique(parts().faces["eyes"])
        members = members[np.sign(body.vertices[members, 0]) == np.sign(middle[0])]
        local = body.vertices[members] - (body.vertices[members].min(0) + body.vertices[members].max(0)) / 2
        flat = np.linalg.norm(local[:, [0, 2]], axis=1)
        angle = np.arctan2(flat, -local[:, 1]) / EYE_REACH
        out[members] = 0.5 + 0.5 * local[:, [0, 2]] * (angle / np.maximum(flat, 1e-9))[:, None]
    return out


def _eye(skin: Skin) -> Array:
    """(EYE_PX, EYE_PX, 4) uint8 of an eyeball, the pupil in the middle."""
    rng = np.random.default_rng([skin.seed, 1])
    steps = (np.arange(EYE_PX) + 0.5) / EYE_PX * 2 - 1
    x, y = np.meshgrid(steps, steps)
    radius = np.hypot(x, y) * EYE_REACH / np.radians(23)  # 1 at the iris's edge
    turn = np.arctan2(y, x)
    picture = np.empty((EYE_PX, EYE_PX, 3))
    picture[:] = np.array([0.86, 0.83, 0.80]) - 0.06 * skin.teeth
    waves = sum(rng.normal() * np.cos(k * turn + rng.uniform(0, 6.3)) for k in range(9, 60, 3))
    fibres = 1 + 0.09 * waves * np.clip(radius * 1.5 - 0.4, 0, 1)
    iris = np.array(skin.iris) * (fibres * (1.25 - 0.35 * radius))[..., None]
    rim = np.clip((radius - 0.78) / 0.2, 0, 1)[..., None]
    iris = iris * (1 - 0.7 * rim)
    pupil = np.clip((radius - 0.36) / 0.05, 0, 1)[..., None]
    iris = iris * pupil
    edge = np.clip((1.04 - radius) / 0.10, 0, 1)[..., None]
    picture = picture * (1 - edge) + iris * edge
    lid = 1 - 0.45 * np.clip(0.3 - (y * EYE_REACH / np.radians(23) + 0.55), 0, 0.8)[..., None]
    out = np.empty((EYE_PX, EYE_PX, 4), np.uint8)
    out[..., :3] = np.clip(picture * lid, 0, 1) * 255
    out[..., 3] = 255
    return out
