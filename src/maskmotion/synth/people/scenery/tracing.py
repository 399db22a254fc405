"""Shapes, and the rays that meet them.

All in the scenery's own frame: metres, z up, the person at the origin, and the camera looks along
+y. A sample is one ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.scenery.textures import Cover, Material, Spots

Array = np.ndarray
F32 = np.float32
FAR_M = 1e4


# -- the camera's view -----------------------------------------------------------------------------


Form = Literal["box", "tube", "ball", "card", "floor"]


@dataclass(frozen=True)
class View:
    """The camera in the scenery's frame.

    Attributes:
        eye: (3,) m.
        axes: (3, 3) rows: right, up, backward.
        focal: as `Camera.focal`.
        reach: half side of the widened picture, in half heights of the camera's own.
        side: samples along the picture's side.
        rays: (3, side, side) float32 directions, as long as it takes to get 1 m deeper.
    """

    eye: Array
    axes: Array
    focal: float
    reach: float
    side: int
    rays: Array

    @property
    def sample(self) -> float:
        """Size of a sample in m for each m of depth."""
        return 2 * self.reach / self.side / self.focal

    def depth(self, points: Array) -> Array:
        """(n,) m in front of the camera, of (n, 3) points."""
        return -(points - self.eye) @ self.axes[2]

    def window(self, points: Array, extra: float = 0.0) -> tuple[slice, slice] | None:
        """Rows and columns that hold the hull of (n, 3) points, None if it is out of sight."""
        local = (points - self.eye) @ self.axes.T
        depth = -local[:, 2]
        if depth.max() < 0.05:
            return None
        if depth.min() < 0.05:
            return slice(0, self.side), slice(0, self.side)
        x = self.focal * local[:, 0] / depth / self.reach
        y = -self.focal * local[:, 1] / depth / self.reach
        edges = np.array([y.min(), y.max(), x.min(), x.max()]) * 0.5 + 0.5
        low, high, left, right = np.clip(edges * self.side, -1, self.side + 1)
        rows = slice(max(int(low), 0), min(int(high) + 2, self.side))
        columns = slice(max(int(left), 0), min(int(right) + 2, self.side))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        return rows, columns


def heading(camera: Camera) -> float:
    """Angle from the world's +y to where the camera looks, about z."""
    ahead = np.subtract(camera.target, camera.position)
    return float(np.arctan2(-ahead[0], ahead[1]))


def turned(points: Array, angle: float) -> Array:
    """(..., 3) turned about z."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])


def make_view(camera: Camera, side: int, margin: float) -> View:
    angle, reach = heading(camera), 1 + 2 * margin
    axes = turned(camera.axes(), -angle)
    steps = (((np.arange(side) + 0.5) / side * 2 - 1) * (reach / camera.focal)).astype(F32)
    right, up, backward = axes.astype(F32)
    rays = np.empty((3, side, side), F32)
    for k in range(3):
        rays[k] = (steps * right[k])[None, :] - (steps * up[k])[:, None] - backward[k]
    eye = turned(np.asarray(camera.position, float), -angle)
    return View(eye, axes, camera.focal, reach, side, rays)


# -- shapes ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """A body that stands upright, turned about z.

    Attributes:
        form: "box", upright "tube", "ball", or "card", a thin upright sheet that is seen from both
            sides; "floor" is flat and reaches as deep as its x.
        at: (x, y, z) m of the middle.
        half: (x, y, z) m from the middle to the sides; a card's y is not used.
        yaw: turn about z.
        material: its colours.
        cover: where a card or ball has holes.
        glow: if positive, the material shines with this radiance and is not lit.
        casts: whether it keeps light off others.
        gloss: share of light that is mirrored when seen from the front.
    """

    form: Form
    at: tuple[float, float, float]
    half: tuple[float, float, float]
    material: Material
    yaw: float = 0.0
    cover: Cover | None = None
    glow: float = 0.0
    casts: bool = True
    gloss: float = 0.0

    def corners(self, extra: float = 0.0) -> Array:
        """(8, 3) of the box around it, `extra` m larger on all sides."""
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), -1).reshape(8, 3)
        half = np.array([self.half[0], 0 if self.form == "card" else self.half[1], self.half[2]])
        return turned(signs * (half + extra), self.yaw) + self.at

    def to_local(self, x: Array, y: Array) -> tuple[Array, Array]:
        c, s = F32(np.cos(self.yaw)), F32(np.sin(self.yaw))
        return c * x + s * y, c * y - s * x


def mirrored(view: View, side: int) -> View:
    """What the camera sees in a floor that mirrors: from below it, coarser."""
    step = view.side // side
    flip = np.array([1.0, 1.0, -1.0])
    rays = view.rays[:, step // 2 :: step, step // 2 :: step].copy()[:, :side, :side]
    rays[2] *= -1
    return View(view.eye * flip, view.axes * flip, view.focal, view.reach, side, rays)


def trace(view: View, shapes: Sequence[Shape]) -> tuple[Array, Array]:
    """What each ray meets first.

    Returns:
        (side, side) depth in m, `FAR_M` where it meets nothing, and the shape's number there or -1.
    """
    depth = np.full((view.side, view.side), FAR_M, F32)
    number = np.full((view.side, view.side), -1, np.int16)
    everywhere = slice(0, view.side), slice(0, view.side)
    for k, shape in enumerate(shapes):
        window = everywhere if shape.form == "floor" else view.window(shape.corners())
        if window is None:
            continue
        rays = view.rays[:, window[0], window[1]]
        met = _meet(shape, view, rays)
        closer = (met < depth[window]) & (met > 0.05)
        if shape.cover is not None:
            closer = _keep_covered(shape, view, rays, met, closer)
        depth[window][closer] = met[closer]
        number[window][closer] = k
    return depth, number


def _local_eye(shape: Shape, view: View) -> tuple[np.float32, np.float32, np.float32]:
    x, y = shape.to_local(view.eye[0] - shape.at[0], view.eye[1] - shape.at[1])
    return F32(x), F32(y), F32(view.eye[2] - shape.at[2])


def _meet(shape: Shape, view: View, rays: Array) -> Array:
    """Depth in m at which rays (3, h, w) meet the shape; `FAR_M` if they do not."""
    ox, oy, oz = _local_eye(shape, view)
    dx, dy = shape.to_local(rays[0], rays[1])
    dz = rays[2]
    hx, hy, hz = (F32(h) for h in shape.half)
    with np.errstate(divide="ignore", invalid="ignore"):
        if shape.form == "floor":
            met = -oz / dz
            return np.where((met > 0) & (met < hx), met, F32(FAR_M))
        if shape.form == "card":
            met = -oy / dy
            hit = (np.abs(ox + met * dx) <= hx) & (np.abs(oz + met * dz) <= hz)
            return np.where(hit, met, F32(FAR_M))
        if shape.form == "box":
            return _meet_box((ox, oy, oz), (dx, dy, dz), (hx, hy, hz))
        if shape.form == "tube":
            return _meet_tube((ox, oy, oz), (dx, dy, dz), hx, hz)
        return _meet_ball((ox / hx, oy / hy, oz / hz), (dx / hx, dy / hy, dz / hz))


def _meet_box(o: tuple, d: tuple, half: tuple) -> Array:
    enter, leave = F32(-FAR_M), F32(FAR_M)
    for origin, direction, h in zip(o, d, half, strict=True):
        inverse = 1 / np.where(direction == 0, F32(1e-9), direction)
        middle, reach = -origin * inverse, np.abs(h * inverse)
        enter, leave = np.maximum(enter, middle - reach), np.minimum(leave, middle + reach)
    return np.where(enter < leave, enter, F32(FAR_M))


def _meet_tube(o: tuple, d: tuple, radius: np.float32, height: np.float32) -> Array:
    a = d[0] ** 2 + d[1] ** 2
    b = o[0] * d[0] + o[1] * d[1]
    root = b * b - a * (o[0] ** 2 + o[1] ** 2 - radius**2)
    side = (-b - np.sqrt(root)) / a
    on_side = (root > 0) & (np.abs(o[2] + side * d[2]) <= height)
    top = (np.sign(o[2]) * height - o[2]) / d[2]
    on_top = (o[0] + top * d[0]) ** 2 + (o[1] + top * d[1]) ** 2 <= radius**2
    met = np.where(on_side, side, F32(FAR_M))
    return np.where(on_top & (top > 0), np.minimum(met, top), met)


def _meet_ball(o: tuple, d: tuple) -> Array:
    a = d[0] ** 2 + d[1] ** 2 + d[2] ** 2
    b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
    root = b * b - a * (o[0] ** 2 + o[1] ** 2 + o[2] ** 2 - 1)
    return np.where(root > 0, (-b - np.sqrt(root)) / a, F32(FAR_M))


def _keep_covered(shape: Shape, view: View, rays: Array, met: Array, closer: Array) -> Array:
    assert shape.cover is not None
    index = np.nonzero(closer)
    points = view.eye[:, None].astype(F32) + met[index] * rays[:, index[0], index[1]]
    spots, normals = surface(shape, points, met[index] * F32(view.sample))
    there = shape.cover(spots)
    if shape.form == "ball":  # it frays towards its rim
        d = rays[:, index[0], index[1]]
        facing = (normals * d).sum(0) ** 2 / (d * d).sum(0)
        there -= np.clip(2.6 * (np.sqrt(np.clip(1 - facing, 0, 1)) - F32(0.7)), 0, 3)
    kept = closer.copy()
    kept[index] = there > 0.5
    return kept


def surface(shape: Shape, points: Array, size: Array) -> tuple[Spots, Array]:
    """The surface's own coordinates and (3, n) outward normals at (3, n) points of it."""
    x, y = shape.to_local(points[0] - F32(shape.at[0]), points[1] - F32(shape.at[1]))
    z = points[2] - F32(shape.at[2])
    zero = np.zeros_like(x)
    if shape.form == "floor":
        return Spots(points[0], points[1], size), np.stack([zero, zero, zero + 1])
    hx, hy, hz = (F32(h) for h in shape.half)
    up = z + hz
    if shape.form == "card":
        return Spots(x, up, size), _normals(shape, zero, zero - 1, zero)
    if shape.form == "ball":
        nx, ny, nz = x / hx**2, y / hy**2, z / hz**2
        length = np.sqrt(nx * nx + ny * ny + nz * nz) + F32(1e-9)
        return Spots(x, up, size), _normals(shape, nx / length, ny / length, nz / length)
    if shape.form == "tube":
        top = np.abs(z) > hz * F32(0.9999)
        u = np.where(top, x, hx * np.arctan2(x, -y))
        nx, ny = np.where(top, 0, x / hx), np.where(top, 0, y / hx)
        return Spots(u, np.where(top, y, up), size), _normals(shape, nx, ny, top * np.sign(z))
    ratios = np.stack([np.abs(x) / hx, np.abs(y) / hy, np.abs(z) / hz])
    face = ratios.argmax(0)
    # rounded edges: within the bevel the normal turns towards the neighbouring side
    bevel = F32(min(0.012, 0.2 * min(shape.half)) + 1e-6)
    normals = [
        np.where(face == k, np.sign(c), np.sign(c) * np.clip((np.abs(c) - h) / bevel + 1, 0, 1))
        for k, (c, h) in enumerate(zip((x, y, z), (hx, hy, hz), strict=True))
    ]
    length = np.sqrt(normals[0] ** 2 + normals[1] ** 2 + normals[2] ** 2)
    normals = [n / length for n in normals]
    u, v = np.where(face == 0, y, x), np.where(face == 2, y, up)
    return Spots(u, v, size), _normals(shape, *normals)


def _normals(shape: Shape, x: Array, y: Array, z: Array) -> Array:
    """From the shape's frame to the scenery's."""
    c, s = F32(np.cos(shape.yaw)), F32(np.sin(shape.yaw))
    return np.stack([c * x - s * y, s * x + c * y, z]).astype(F32)
