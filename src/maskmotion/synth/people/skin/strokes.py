"""To paint skin with: soft fields over the whole body, noise, strokes, and places on the face."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from maskmotion.synth.people.body import parts
from maskmotion.synth.people.figure import faces_normals
from maskmotion.synth.people.skin.atlas import (
    HANDS,
    HEAD,
    HEAD_ROWS,
    MOUTH,
    SIZE,
    TRUNK,
    atlas,
    average,
    corner_places,
    cover,
    grow,
)

__all__ = [
    "Line", "around", "enlarge", "face_px", "fields", "grain", "noises", "scatter", "soften",
    "stamp", "strokes",
]  # fmt: skip

Array = np.ndarray
COARSE = 4  # texels of the picture to one of the soft fields
NOISES = 6
MAP_PX = 560  # over 28 cm of the face
Line = tuple[Array, float]  # (n, 2) px, and how dark


@functools.cache
def _coarse() -> tuple[Array, Array]:
    """Places (n, n, 3) and islands (n, n) of the soft fields' texels."""
    middle = slice(COARSE // 2, None, COARSE)
    return atlas().place[middle, middle], atlas().island[middle, middle]


def enlarge(field: Array) -> Array:
    """(SIZE, SIZE) float32 of a soft field."""
    return np.array(Image.fromarray(field.astype(np.float32)).resize((SIZE, SIZE), 2))


def _ball(x: float, y: float, z: float, width: float, depth: float, height: float) -> Array:
    """A soft spot on both sides of the body; the three lengths are standard deviations in m."""
    place, _ = _coarse()
    apart = (
        (np.abs(place[..., 0]) - x) / width,
        (place[..., 1] - y) / depth,
        (place[..., 2] - z) / height,
    )
    return np.exp(-0.5 * (apart[0] ** 2 + apart[1] ** 2 + apart[2] ** 2))


def _shrunk(mask: Array) -> Array:
    return mask.reshape(SIZE // COARSE, COARSE, SIZE // COARSE, COARSE).mean((1, 3))


@functools.cache
def fields() -> dict[str, Array]:
    """Soft fields in [0, 1] of the places that differ from the rest of the skin."""
    place, island = _coarse()
    skeleton = average().skeleton
    joints = {
        "knuckles": [f"finger{i}-{j}" for i in (2, 3, 4, 5) for j in (1, 2, 3)],
        "elbows": ["lowerarm01"],
        "knees": ["lowerleg01"],
    }
    x, y, z = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    out = {
        "cheeks": _ball(0.041, -0.143, 1.683, 0.013, 0.02, 0.012),
        "nose": np.maximum(
            _ball(0, -0.172, 1.678, 0.010, 0.014, 0.008),
            _ball(0.015, -0.16, 1.673, 0.006, 0.01, 0.006),
        ),
        "chin": _ball(0, -0.156, 1.617, 0.012, 0.02, 0.009),
        "forehead": _ball(0, -0.155, 1.765, 0.035, 0.04, 0.018),
        "below_eyes": _ball(0.029, -0.145, 1.7075, 0.0095, 0.012, 0.0035),
        "lids": _ball(0.032, -0.147, 1.7245, 0.012, 0.012, 0.0038),
        "folds": _ball(0.0205, -0.156, 1.671, 0.0035, 0.01, 0.006),
        "mouth": _ball(0, -0.163, 1.645, 0.02, 0.012, 0.009),
        "ears": _shrunk(atlas().masks["ears"]) * (island == HEAD),
        "nails": _shrunk(np.maximum(atlas().masks["fingernails"], atlas().masks["toenails"])),
        "bridge": _ball(0, -0.165, 1.69, 0.016, 0.014, 0.011),
        "temples": _ball(0.065, -0.11, 1.735, 0.014, 0.03, 0.02),
        "head": (island == HEAD).astype(np.float32),
        "trunk": (island == TRUNK).astype(np.float32),
        "hands": np.isin(island, HANDS).astype(np.float32),
        "nipples": _shrunk(atlas().masks["aureolae"]),
        "gums": (island == MOUTH).astype(np.float32),
        "beard": _beard(x, y, z) * np.isin(island, (HEAD, TRUNK)),
    }
    for name, bones in joints.items():
        spots = [skeleton.heads[skeleton.index(f"{bone}.L")] for bone in bones]
        reach = 0.007 if name == "knuckles" else 0.03
        out[name] = np.max([_ball(*abs(s[:1]), *s[1:], *[reach] * 3) for s in spots], 0)
    out["palms"] = _palms() * np.isin(island, HANDS)
    return {name: field.astype(np.float32) for name, field in out.items()}


def _beard(x: Array, y: Array, z: Array) -> Array:
    """Where a man's beard grows."""

    def below(edge: Array, softness: float) -> Array:
        return 1 / (1 + np.exp(np.clip((z - edge) / softness, -30, 30)))

    # Down from before the ear, below the cheek, up to the side of the mouth and the nose.
    edge = np.interp(
        x,
        [0, 0.018, 0.03, 0.045, 0.062, 0.07, 0.08],
        [1.668, 1.668, 1.662, 1.656, 1.672, 1.705, 1.70],
    )
    neck = below(1.60 - 0.35 * (y + 0.14), 0.004)
    behind = 1 / (1 + np.exp(np.clip((y + 0.062) / 0.005, -30, 30)))
    return below(edge, 0.0022) * behind * (1 - neck) * (z > 1.5)


def _palms() -> Array:
    """1 on the side of a hand that grasps."""
    skeleton = average().skeleton
    names = ("wrist", "finger3-1", "finger2-1", "finger5-1")
    wrist, middle, index, little = (skeleton.heads[skeleton.index(f"{n}.L")] for n in names)
    out_of = np.cross(middle - wrist, little - index)
    out_of /= np.linalg.norm(out_of)
    faces, corners = parts().faces["body"], parts().corners["body"]
    across = faces_normals(average().vertices, faces)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    across[:, 0] *= np.sign(average().vertices[faces, 0].mean(1))
    size = SIZE // COARSE
    pixel, face, _ = cover(corner_places(atlas().coordinates)[corners] / COARSE, size)
    out = np.zeros(size * size, np.float32)
    out[pixel] = across[face] @ out_of < -0.15
    place = _coarse()[0].copy()
    place[..., 0] = np.abs(place[..., 0])
    past_wrist = (place - wrist) @ (middle - wrist) / ((middle - wrist) ** 2).sum()
    return soften(out.reshape(size, size), 0.8) * np.clip(3 * past_wrist, 0, 1)


@functools.cache
def noises() -> Array:
    """(NOISES, n, n) soft noise of different widths without seams; standard deviation about 1."""
    place, _ = _coarse()
    rng = np.random.default_rng(1)
    return np.stack([_lattice(rng, place, w) for w in (0.12, 0.06, 0.03, 0.018, 0.012, 0.012)])


def _lattice(rng: np.random.Generator, place: Array, width: float) -> Array:
    """Noise between random values `width` m apart."""
    cell = (place + 4.0) / np.float32(width)
    values = rng.normal(0, 1.6, (64, 64, 64)).astype(np.float32)
    whole = cell.astype(np.int16)
    t = cell - whole
    t = t * t * (3 - 2 * t)
    total = np.zeros(place.shape[:-1], np.float32)
    for i, j, k in np.ndindex(2, 2, 2):
        share = abs(1 - i - t[..., 0]) * abs(1 - j - t[..., 1]) * abs(1 - k - t[..., 2])
        at = (whole + np.array([i, j, k], np.int16)) & 63
        total += share * values[at[..., 0], at[..., 1], at[..., 2]]
    return total


@functools.cache
def grain() -> Array:
    """(SIZE, SIZE) float32 pores and small marks; standard deviation about 1."""
    rng = np.random.default_rng(2)
    place = atlas().place
    wide = _lattice(rng, place, 0.004) + 0.7 * _lattice(rng, place, 0.002)
    return (0.6 * wide + 0.5 * rng.normal(size=wide.shape)).astype(np.float32)


# The face --------------------------------------------------------------------------------


@functools.cache
def _face_map() -> Array:
    """(n, n, 2) px in the picture, of what one sees of the average face from the front."""
    body, faces = average().vertices, parts().faces["body"]
    front = faces_normals(body, faces)[:, 1] < 0
    front &= (body[faces, 2].min(1) > 1.5) & (body[faces, 1].max(1) < -0.05)
    rows = corner_places(atlas().coordinates)[parts().corners["body"], 1]
    front &= rows.max(1) < HEAD_ROWS  # not what lies behind the eyes
    faces, corners = faces[front], parts().corners["body"][front]
    pixel, face, shares = cover(_seen_from_front(body[faces][..., [0, 2]]), MAP_PX)
    order = np.argsort(-np.einsum("nk,nk->n", shares, body[faces[face], 1]), kind="stable")
    spots = corner_places(atlas().coordinates)[corners[face]]
    out = np.full((MAP_PX * MAP_PX, 3), -1.0)
    out[pixel[order], :2] = np.einsum("nk,nka->na", shares, spots)[order]  # the nearest is last
    out[pixel, 2] = 0
    table = out.reshape(MAP_PX, MAP_PX, 3)
    grow(table, 12)  # over the eyes' and the mouth's opening
    return table[..., :2]


def _seen_from_front(at: Array) -> Array:
    return (at - (-0.1, 1.56)) * (MAP_PX / 0.28)


def face_px(at: Array) -> Array:
    """(..., 2) px of points (..., 2) (x, z) on the front of the average face."""
    spot = np.clip(_seen_from_front(np.asarray(at)) - 0.5, 0, MAP_PX - 1.001)
    j, i = np.moveaxis(spot.astype(int), -1, 0)
    t, s = np.moveaxis(spot - np.floor(spot), -1, 0)[..., None]
    table = _face_map()
    upper = table[i, j] * (1 - t) + table[i, j + 1] * t
    lower = table[i + 1, j] * (1 - t) + table[i + 1, j + 1] * t
    return upper * (1 - s) + lower * s


def strokes(lines: list[Line], box: tuple[int, int, int, int], fine: int, width: int) -> Array:
    """Lines drawn smoothly; where they cross, the later one counts.

    Args:
        lines: px of the whole picture, and how dark.
        box: left, top, right, bottom px that is drawn.
        fine: samples a texel and direction.
        width: of the lines, in samples.
    Returns:
        (bottom - top, right - left) float32 in [0, 1].
    """
    left, top, right, bottom = box
    picture = Image.new("L", ((right - left) * fine, (bottom - top) * fine))
    pen = ImageDraw.Draw(picture)
    for points, dark in lines:
        spots = (points - (left, top)) * fine
        pen.line([tuple(spot) for spot in spots.tolist()], round(255 * dark), width, "curve")
    small = picture.resize((right - left, bottom - top), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255


def soften(picture: Array, radius: float) -> Array:
    """A picture in [0, 1], blurred."""
    blurred = Image.fromarray((255 * picture).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(radius)
    )
    return np.asarray(blurred, np.float32) / 255


def around(points: Array, margin: int) -> tuple[int, int, int, int]:
    """Box of `strokes` that holds points (n, 2) px."""
    low = np.floor(points.min(0)).astype(int) - margin
    high = np.ceil(points.max(0)).astype(int) + margin
    return (
        max(int(low[0]), 0),
        max(int(low[1]), 0),
        min(int(high[0]), SIZE),
        min(int(high[1]), SIZE),
    )


def stamp(field: Array, spots: Array, radius: Array, strength: Array) -> None:
    """Add soft round marks to a field (SIZE, SIZE), in place.

    Args:
        spots: (n, 2) px.
        radius: (n,) px, standard deviation.
        strength: (n,) in the middle.
    """
    reach = int(np.ceil(2.5 * radius.max(initial=0.5)))
    steps = np.arange(-reach, reach + 1)
    column = spots[:, 0].astype(int)[:, None, None] + steps[None, None]
    row = spots[:, 1].astype(int)[:, None, None] + steps[None, :, None]
    apart = (column + 0.5 - spots[:, :1, None]) ** 2 + (row + 0.5 - spots[:, 1:, None]) ** 2
    values = strength[:, None, None] * np.exp(-0.5 * apart / radius[:, None, None] ** 2)
    inside = (column >= 0) & (column < SIZE) & (row >= 0) & (row < SIZE)
    row, column = np.broadcast_arrays(row, column)
    np.add.at(field, (row[inside], column[inside]), values[inside])


def scatter(density: Array, count: int, rng: np.random.Generator) -> Array:
    """(count, 2) px at random, more where a soft field is high."""
    total = np.cumsum(density.ravel())
    cells = np.searchsorted(total, rng.random(count) * total[-1])
    row, column = np.unravel_index(np.minimum(cells, density.size - 1), density.shape)
    return (np.stack([column, row], 1) + rng.random((count, 2))) * COARSE
