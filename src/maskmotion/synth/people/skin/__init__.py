"""What a person's skin, eyes and mouth look like, and the pieces of a figure they make."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskmotion.synth.people.body import Body, parts
from maskmotion.synth.people.figure import Piece
from maskmotion.synth.people.person import Traits
from maskmotion.synth.people.skin.atlas import MOUTH, atlas, average
from maskmotion.synth.people.skin.paint import albedo, eyeball

__all__ = ["Skin", "draw_skin", "skin_pieces"]

Array = np.ndarray
Rng = np.random.Generator
Colour = tuple[float, float, float]  # sRGB in [0, 1]

EYE_REACH = np.radians(100)  # from the pupil to the edge of the eye's picture
MM_ALONG_LID = 610.0  # a unit of anny's coordinates on the lashes
LASH_GAP_MM = 0.75
TEETH_A_RADIAN = 4.6
# Colour and share of the irises; all but the first two are rare where few of the ancestors are
# European.
IRISES = (
    ((0.24, 0.14, 0.08), 0.45), ((0.38, 0.23, 0.12), 0.27), ((0.46, 0.37, 0.20), 0.09),
    ((0.42, 0.46, 0.32), 0.06), ((0.42, 0.54, 0.66), 0.10), ((0.52, 0.56, 0.58), 0.03),
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
        lash_mm: length.
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
    lash_mm: float


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
        redness=float(np.clip(rng.normal(0.45, 0.2), 0.1, 1)),
        warmth=float(np.clip(0.6 * asian - 0.2 * caucasian + 0.35 * rng.normal(), -1, 1)),
        blotches=float(rng.beta(2, 3)),
        freckles=float(rng.random() ** 3 * (melanin < 0.35) * caucasian),
        moles=int(rng.poisson(5)),
        spots=float(np.clip(1.6 * (age - 0.45), 0, 1) * rng.random()),
        lines=float(np.clip(age * rng.uniform(0.7, 1.2), 0, 1)),
        shadows=float(rng.beta(2, 3)),
        lips=float(rng.uniform(0.3, 1)),
        lipstick=(_lipstick(rng), float(rng.uniform(0.25, 0.8) * (adorned and rng.random() < 0.7))),
        shadow=(_lid_colour(rng), float(rng.uniform(0.2, 0.7) * (adorned and rng.random() < 0.5))),
        liner=float(rng.uniform(0.3, 1) * (adorned and rng.random() < 0.7)),
        polish=(_lipstick(rng), float(woman and rng.random() < 0.3)),
        brow=_tuple(brow),
        brow_cover=float(np.clip(rng.normal(0.6 - 0.2 * woman, 0.17), 0.15, 1)),
        brow_mm=float(np.clip(rng.normal(8.0 - 2.8 * woman, 1.2), 3.5, 11)),
        brow_arch=float(np.clip(rng.normal(0.25 * woman, 0.3), -1, 1)),
        iris=_iris(rng, melanin, caucasian),
        stubble=float(rng.beta(1, 2) * (traits.gender < 0.5) * (1 - 0.4 * asian)),
        oil=float(rng.beta(2, 2.5)),
        teeth=float(np.clip(rng.normal(0.3 + 0.3 * age, 0.2), 0, 1)),
        lash_mm=float(rng.uniform(2.2, 3.2) + 0.9 * woman),
    )


def _tuple(colour: Array) -> Colour:
    red, green, blue = (round(float(c), 4) for c in np.clip(colour, 0, 1))
    return red, green, blue


def _lipstick(rng: Rng) -> Colour:
    shades = np.array(
        [(0.66, 0.10, 0.14), (0.72, 0.32, 0.36), (0.45, 0.12, 0.16), (0.70, 0.42, 0.36)]
    )
    return _tuple(shades[rng.integers(4)] + rng.normal(0, 0.04, 3))


def _lid_colour(rng: Rng) -> Colour:
    shades = np.array(
        [(0.38, 0.26, 0.20), (0.30, 0.28, 0.30), (0.45, 0.28, 0.32), (0.30, 0.33, 0.42)]
    )
    return _tuple(shades[rng.integers(4)] + rng.normal(0, 0.03, 3))


def _iris(rng: Rng, melanin: float, caucasian: float) -> Colour:
    light = caucasian > 0.5 and melanin < 0.4
    shares = np.array([share for _, share in IRISES]) * ([1] * 2 + [3.0 * light] * 4)
    colour = IRISES[rng.choice(len(IRISES), p=shares / shares.sum())][0]
    return _tuple(np.array(colour) * rng.uniform(0.6, 1.0))


# Pieces ----------------------------------------------------------------------------------


def skin_pieces(body: Body, skin: Skin, hidden: Array | None) -> list[Piece]:
    """A body's own pieces.

    Args:
        hidden: (V,) bool over the body's vertices: covered by clothes; None: nothing is.
    """
    seen = atlas().seen if hidden is None else atlas().seen & ~hidden
    gloss = {"shine": 0.3 + 0.5 * skin.oil, "rough": 0.5 - 0.1 * skin.oil}
    return [
        _piece(
            body,
            "skin",
            _Mesh(parts().faces["body"], parts().corners["body"], atlas().coordinates, seen),
            textures={"albedo": albedo(skin)},
            uniforms=gloss,
        ),
        _piece(body, "eye", _eyes(), textures={"albedo": eyeball(skin)}),
        _teeth(body, skin),
        _piece(body, "mouth", _plain("tongue"), uniforms={"tint": (0.42, 0.13, 0.12)}),
        _lashes(body, skin),
    ]


def _teeth(body: Body, skin: Skin) -> Piece:
    """Both rows; a little narrower and farther back than anny's, which show beside closed lips."""
    enamel = np.array([0.60, 0.55, 0.46]) - skin.teeth * np.array([0.08, 0.12, 0.19])
    piece = _piece(body, "mouth", _plain("teeth"), uniforms={"tint": _tuple(enamel)})
    vertices = piece.vertices * np.array([0.84, 1, 1], np.float32)
    vertices[:, 1] += 0.003
    aux = piece.aux.copy()
    rest = average().vertices[np.unique(parts().faces["teeth"])]
    aux[:, 0] = np.arctan2(rest[:, 0], -0.105 - rest[:, 1]) * TEETH_A_RADIAN
    aux[:, 1] = 1.0
    return dataclasses.replace(piece, vertices=vertices, aux=aux)


@dataclass(frozen=True)
class _Mesh:
    """One of the body's parts, and which of its vertices some camera may see; None: all."""

    faces: Array
    corners: Array
    coordinates: Array
    seen: Array | None = None

    def shown(self) -> tuple[Array, Array]:
        """Faces and corners without those of which no vertex is seen."""
        if self.seen is None:
            return self.faces, self.corners
        kept = self.seen[self.faces].any(1)
        return self.faces[kept], self.corners[kept]


def _plain(name: str) -> _Mesh:
    return _Mesh(parts().faces[name], parts().corners[name], parts().coordinates)


def _piece(body: Body, material: str, mesh: _Mesh, **more: Any) -> Piece:
    faces, corners = mesh.shown()
    used = np.unique(faces)
    rows = np.full(len(body.vertices), -1, np.int32)
    rows[used] = np.arange(len(used))
    aux = np.zeros((len(used), 4), np.float32)
    aux[:, 3] = _openness()[used]
    return Piece(
        material,
        body.vertices[used],
        body.weights[used],
        rows[faces],
        mesh.coordinates,
        aux,
        corners=corners,
        follows=used,
        **more,
    )


@functools.cache
def _eyes() -> _Mesh:
    """Both eyeballs over the same picture: the angle from the pupil, right and up."""
    body, faces = average(), parts().faces["eyes"]
    coordinates = np.zeros((len(body.vertices), 2), np.float32)
    for sign in (-1, 1):
        members = np.unique(faces)
        members = members[sign * body.vertices[members, 0] > 0]
        ball = body.vertices[members]
        local = ball - (ball.min(0) + ball.max(0)) / 2
        flat = np.linalg.norm(local[:, [0, 2]], axis=1)
        angle = np.arctan2(flat, -local[:, 1]) / EYE_REACH
        away = local[:, [0, 2]] / np.maximum(flat, 1e-9)[:, None]
        coordinates[members] = 0.5 + 0.5 * away * angle[:, None]
    return _Mesh(faces, faces, coordinates)


def _lashes(body: Body, skin: Skin) -> Piece:
    """Panels along the lids, of which shaders/figure.frag leaves hairs."""
    place, depth, upper = _lash_grid()
    dark = 0.35 * np.array(skin.brow) ** 2 * (1 - 0.8 * skin.liner)
    piece = _piece(body, "lash", _plain("lashes"), uniforms={"tint": _tuple(dark)}, casts=False)
    long = np.where(upper, 1.0, 0.35) * skin.lash_mm
    aux = np.stack([place, long, depth, piece.aux[:, 3]], 1).astype(np.float32)
    return dataclasses.replace(piece, aux=aux)


@functools.cache
def _lash_grid() -> tuple[Array, Array, Array]:
    """Of the lashes' vertices: hairs before it along the lid, mm from the lid, upper or not."""
    body = average().vertices
    used, skin = np.unique(parts().faces["lashes"]), np.unique(parts().faces["body"])
    skin = skin[(np.abs(body[skin, 2] - 1.717) < 0.03) & (body[skin, 1] < -0.1)]
    apart = np.linalg.norm(body[used][:, None] - body[skin][None], axis=-1)
    coordinates = np.zeros((len(body), 2))
    coordinates[parts().faces["lashes"]] = parts().coordinates[parts().corners["lashes"]]
    along = coordinates[used, 0] * MM_ALONG_LID / LASH_GAP_MM
    return along, 1000 * apart.min(1), coordinates[used, 1] < 0.957


@functools.cache
def _openness() -> Array:
    """(V,) of light from all around; an opening mouth lets more in than the closed one has."""
    out = atlas().openness.copy()
    body, corners = average().vertices, parts().corners["body"]
    cavity = parts().faces["body"][(atlas().islands[corners] == MOUTH).all(1)]
    # Where daylight begins to fade, how much is there, and over which depth it fades.
    for faces, front_m, most, fade_m in (
        (parts().faces["teeth"], -0.148, 0.9, 0.03),
        (parts().faces["tongue"], -0.155, 0.75, 0.02),
        (cavity, -0.158, 0.75, 0.018),
    ):
        members = np.unique(faces)
        beside = np.maximum(np.abs(body[members, 0]) - 0.012, 0)
        depth = np.maximum(body[members, 1] - front_m, 0) + beside
        out[members] = np.maximum(out[members], most * np.exp(-depth / fade_m))
    return out
