"""Where hair grows on a body's head, and the surface that it lies on.

Directions from the middle of the skull are an azimuth (0 ahead, positive to the left) and an
elevation, in degrees. Places are found once on a template; all bodies have the same triangles.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.body import Body, make_body, parts
from maskmotion.synth.people.figure import faces_normals

__all__ = ["Head", "directions", "hairline_deg", "measure_head", "roots"]

Array = np.ndarray
AZIMUTHS, LOWEST_DEG, ELEVATIONS = 72, -60.0, 26
MIDDLE_M = (0.0, 0.075, 0.015)  # of the skull from between the eyes, on the template
CANDIDATES = 5000
# The natural border of hair, from the forehead over temple, sideburn and ear to the nape.
LINE_DEG = np.array(
    [
        (0, 27), (15, 28), (30, 30.5), (42, 30), (52, 21), (60, 8), (68, -2), (74, -14), (80, -17),
        (84, -3), (95, 7), (108, 5), (118, -10), (126, -29), (140, -40), (160, -45), (180, -46),
    ],
    float,
)  # fmt: skip


@dataclass(frozen=True)
class _Places:
    """What is the same for all bodies, as vertices of the body's mesh.

    Attributes:
        triangles: (E, A, 3) vertices round the place where a direction leaves the skull.
        shares: (E, A, 3) float32 of these vertices.
        known: (E, A) whether that direction meets the skull outside the ears and the face.
        surface: (N,) vertices that stand for the body's surface above the waist, without arms.
        around: (N, K, 3) corners of the faces at each of them; repeated to fill.
        ears: two vertices, at the outermost of each ear.
        brows, chin, nose: one vertex each in the middle plane.
        offset: (3,) from the mean of all known places to the skull's middle.
    """

    triangles: Array
    shares: Array
    known: Array
    surface: Array
    around: Array
    ears: Array
    brow: int
    chin: int
    nose: int
    offset: Array


@dataclass(frozen=True)
class Head:
    """One body's head at rest, and the rest of the body as far as hair reaches.

    Attributes:
        body: whose.
        middle: (3,) of the skull.
        places: (E, A, 3) float32 on the skull by elevation and azimuth.
        points, across: (N, 3) float32 places on the surface and their normals.
        weights: (N, J) float32 of the bones there, none of the arms'.
        eyes: (2, 3) middles of the left and right eyeball.
        ears: (2, 3) outermost of the left and right ear.
        brow, chin, nose: (3,) in the middle plane.
        width: m, half the skull's width.
    """

    body: Body
    middle: Array
    places: Array
    points: Array
    across: Array
    weights: Array
    eyes: Array
    ears: Array
    brow: Array
    chin: Array
    nose: Array
    width: float

    def on_skull(self, azimuth: Array, elevation: Array) -> Array:
        """(..., 3) float32 where directions leave the skull."""
        column = np.mod(np.asarray(azimuth, float), 360.0) * (AZIMUTHS / 360.0)
        step = (90.0 - LOWEST_DEG) / (ELEVATIONS - 1)
        row = np.clip((np.asarray(elevation, float) - LOWEST_DEG) / step, 0, ELEVATIONS - 1.001)
        i, j = row.astype(int), column.astype(int) % AZIMUTHS
        a, b = (row - i)[..., None], (column - np.floor(column))[..., None]
        k = (j + 1) % AZIMUTHS
        low = self.places[i, j] * (1 - b) + self.places[i, k] * b
        high = self.places[i + 1, j] * (1 - b) + self.places[i + 1, k] * b
        return (low * (1 - a) + high * a).astype(np.float32)

    def outside_skull(self, points: Array, clearance: float) -> Array:
        """Points (..., 3), moved outwards where they are below the scalp."""
        step = points - self.middle
        distance = np.maximum(np.linalg.norm(step, axis=-1), 1e-6)
        elevation = np.degrees(np.arcsin(step[..., 2] / distance))
        azimuth = np.degrees(np.arctan2(step[..., 0], -step[..., 1]))
        skull = np.linalg.norm(self.on_skull(azimuth, elevation) - self.middle, axis=-1)
        short = np.maximum(skull + clearance - distance, 0)
        short = np.where(elevation > hairline_deg(azimuth, 0.0), short, 0)
        return points + (short / distance)[..., None] * step

    def bone(self, name: str) -> Array:
        return self.body.skeleton.heads[self.body.skeleton.index(name)]

    def nearest(self, points: Array) -> Array:
        """(n,) rows of `self.points` closest to points (n, 3)."""
        points = points.astype(np.float32)  # twice as fast
        squares = np.einsum("na,na->n", self.points, self.points)
        return np.argmin(squares - 2 * (points @ self.points.T), 1)

    def hang_weights(self, points: Array) -> Array:
        """(n, J) float32 for hair: the skull's above the jaw, the neck's, then the torso's."""
        names = self.body.skeleton.index
        chain = [names(n) for n in ("spine01", "neck01", "neck02", "neck03", "head")]
        base, top = self.bone("neck01")[2], self.bone("head")[2]
        knots = np.array([base - 0.05, base + 0.005, *np.linspace(base, top, 4)[1:3], top + 0.005])
        place = np.interp(points[:, 2], knots, np.arange(5.0))
        share = np.clip(1 - np.abs(place[:, None] - np.arange(5.0)), 0, 1)
        weights = np.zeros((len(points), self.body.weights.shape[1]), np.float32)
        weights[:, chain] = share
        low = np.clip((base + 0.02 - points[:, 2]) / 0.09, 0, 1)[:, None]
        low = low * low * (3 - 2 * low)
        hanging = low[:, 0] > 0
        near = self.weights[self.nearest(points[hanging])]
        weights[hanging] += low[hanging] * (near - weights[hanging])
        return weights / weights.sum(1, keepdims=True)


def measure_head(body: Body) -> Head:
    """Everything about a head that hair and headwear need."""
    at = _places()
    found = np.einsum("eak,eakx->eax", at.shares, body.vertices[at.triangles])
    middle = found[at.known].mean(0) + at.offset
    corners = body.vertices[at.around]
    first = corners[:, :, 0]
    across = np.cross(corners[:, :, 1] - first, corners[:, :, 2] - first).sum(1)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    names = body.skeleton.names
    weights = body.weights[at.surface] * _trunk(names)
    weights /= weights.sum(1, keepdims=True)
    eyes = body.skeleton.heads[[names.index("eye.L"), names.index("eye.R")]]
    places = _fill(found, at.known, middle)
    sides = places[:, :, 0]
    return Head(
        body, middle, places, body.vertices[at.surface], across.astype(np.float32), weights, eyes,
        body.vertices[at.ears], body.vertices[at.brow], body.vertices[at.chin],
        body.vertices[at.nose], float(np.ptp(sides) / 2),
    )  # fmt: skip


def hairline_deg(azimuth: Array, recession: float) -> Array:
    """Elevation of the border of hair.

    Args:
        azimuth: in degrees, any sign.
        recession: 0 none, 1 far back over the temples, 2 only a wreath is left.
    """
    side = np.abs(np.mod(np.asarray(azimuth, float) + 180, 360) - 180)
    line = np.interp(side, LINE_DEG[:, 0], LINE_DEG[:, 1])
    temples = np.exp(-(((side - 33) / 17) ** 2))
    front = np.clip((70 - side) / 40, 0, 1)
    return line + min(recession, 1.0) * (22 * temples + 7 * front)


@functools.cache
def roots() -> Array:
    """(n, 2) azimuths and elevations, evenly spread; any first few of them are spread too."""
    rng = np.random.default_rng(5)
    z = rng.uniform(np.sin(np.radians(-50)), 1, CANDIDATES)
    azimuth = rng.uniform(-np.pi, np.pi, CANDIDATES)
    flat = np.sqrt(1 - z * z)
    points = np.stack([flat * np.sin(azimuth), -flat * np.cos(azimuth), z], 1)
    distance = np.full(CANDIDATES, np.inf)
    order = np.empty(1400, int)
    order[0] = 0
    for n in range(1, len(order)):
        distance = np.minimum(distance, 1 - points @ points[order[n - 1]])
        order[n] = np.argmax(distance)
    return np.degrees(np.stack([azimuth, np.arcsin(z)], 1))[order]


def directions(azimuth: Array, elevation: Array) -> Array:
    """(..., 3) of length 1."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.stack([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)], -1)


# The template -----------------------------------------------------------------------------


@functools.cache
def _places() -> _Places:
    phenotype = {"gender": 0.5, "age": 2 / 3, "muscle": 0.5, "weight": 0.5, "height": 0.5}
    body = make_body(phenotype, {})
    v, faces = body.vertices, parts().faces["body"]
    eye = body.skeleton.heads[[body.skeleton.index(f"eye.{s}") for s in "LR"]].mean(0)
    middle = eye + np.array(MIDDLE_M)
    q = v - eye
    ear = (
        (np.abs(q[:, 0]) > 0.055) & (q[:, 1] > 0.052) & (q[:, 1] < 0.125)
        & (q[:, 2] > -0.065) & (q[:, 2] < 0.022)
    )  # fmt: skip
    face = (q[:, 1] < 0.035) & (q[:, 2] < 0.025)
    skull = (q[:, 2] > -0.13) & ~ear & ~face
    on_skull = faces[skull[faces].all(1)]
    triangles, shares, known = _leave(v, on_skull, middle)
    found = np.einsum("eak,eakx->eax", shares, v[triangles])
    used = np.unique(faces)
    head_only = used[q[used, 2] > -0.09]
    at_ear = head_only[ear[head_only]]
    plane = head_only[np.abs(q[head_only, 0]) < 0.004]
    front = plane[q[plane, 1] < 0.03]
    surface, around = _surface(body, faces, ear, eye)
    return _Places(
        triangles, shares, known, surface, around,
        np.array([at_ear[np.argmax(v[at_ear, 0])], at_ear[np.argmin(v[at_ear, 0])]]),
        int(front[np.argmin(np.abs(q[front, 2] - 0.018))]),
        int(used[np.argmin(np.linalg.norm(q[used] - [0, -0.022, -0.105], axis=1))]),
        int(front[np.argmin(q[front, 1])]),
        (middle - found[known].mean(0)).astype(np.float32),
    )  # fmt: skip


def _leave(vertices: Array, faces: Array, middle: Array) -> tuple[Array, Array, Array]:
    """Triangle and shares of its corners where each direction leaves the skull, and if it does."""
    azimuth = np.arange(AZIMUTHS) * 360.0 / AZIMUTHS
    elevation = np.linspace(LOWEST_DEG, 90, ELEVATIONS)
    elevation[-1] = 89.9
    rays = directions(*np.meshgrid(azimuth, elevation)).reshape(-1, 3)
    a, b, c = (vertices[faces[:, k]] - middle for k in range(3))
    # A ray is a sum of the corners with shares that have one sign: Cramer's rule.
    volume = np.einsum("fa,fa->f", a, np.cross(b, c))
    shares = (
        np.stack([rays @ np.cross(b, c).T, rays @ np.cross(c, a).T, rays @ np.cross(a, b).T], -1)
        / volume[None, :, None]
    )
    total = shares.sum(-1)
    inside = (shares.min(-1) >= -1e-6 * np.abs(total)) & (total > 0)
    distance = np.where(inside, 1 / np.maximum(total, 1e-9), -1.0)
    best = np.argmax(distance, 1)
    known = distance[np.arange(len(rays)), best] > 0
    share = shares[np.arange(len(rays)), best]
    share = np.where(known[:, None], share / share.sum(1, keepdims=True), 1 / 3)
    grid = (ELEVATIONS, AZIMUTHS)
    return (
        faces[best].reshape(*grid, 3),
        share.astype(np.float32).reshape(*grid, 3),
        known.reshape(grid),
    )


def _surface(body: Body, faces: Array, ear: Array, eye: Array) -> tuple[Array, Array]:
    """Vertices that stand for the surface, and the faces around them."""
    v, names = body.vertices, body.skeleton.names
    normals = np.zeros_like(v)
    across = faces_normals(v, faces)
    for k in range(3):
        np.add.at(normals, faces[:, k], across)
    q = v - eye
    arms = body.weights[:, [not bool(t) for t in _trunk(names)]].sum(1)
    # Insides of the mouth, the nose and the eye sockets face the middle of the head.
    inner = (q[:, 2] > -0.1) & (np.einsum("va,va->v", normals, q - np.array(MIDDLE_M)) < 0)
    wanted = np.zeros(len(v), bool)
    wanted[np.unique(faces)] = True
    wanted &= (q[:, 2] > -0.75) & (arms < 0.35) & ~inner & ~ear
    chosen = np.flatnonzero(wanted)
    cell = np.where(q[chosen, 2:] > -0.12, 0.013, 0.026)
    _, first = np.unique(np.floor(q[chosen] / cell), axis=0, return_index=True)
    chosen = np.sort(chosen[first])
    around = np.empty((len(chosen), 8, 3), np.int64)
    order = np.argsort(faces.ravel(), kind="stable")
    starts = np.searchsorted(faces.ravel()[order], chosen)
    ends = np.searchsorted(faces.ravel()[order], chosen, "right")
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        at = order[start:end] // 3
        around[n] = faces[at[np.arange(8) % len(at)]]
    return chosen, around


@functools.cache
def _trunk(names: tuple[str, ...]) -> Array:
    """(J,) 1 for bones of head, neck and torso, 0 for those of the limbs."""
    kept = ("head", "neck", "spine", "clavicle", "shoulder", "breast", "root", "pelvis", "eye")
    return np.array([float(name.startswith(kept)) for name in names], np.float32)


def _fill(found: Array, known: Array, middle: Array) -> Array:
    """Places on the skull; over ears and face the distance of the known ones, round the azimuth."""
    azimuth = np.arange(AZIMUTHS) * 360.0 / AZIMUTHS
    elevation = np.linspace(LOWEST_DEG, 90, ELEVATIONS)
    distance = np.linalg.norm(found - middle, axis=-1)
    for row in range(ELEVATIONS - 1, -1, -1):
        good = known[row]
        if good.sum() < 8:
            distance[row] = distance[min(row + 1, ELEVATIONS - 1)]
        elif not good.all():
            distance[row, ~good] = np.interp(
                azimuth[~good], azimuth[good], distance[row, good], period=360
            )
    out = middle + distance[..., None] * directions(*np.meshgrid(azimuth, elevation))
    return np.where(known[..., None], found, out).astype(np.float32)
