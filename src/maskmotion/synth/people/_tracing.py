"""Shapes, the rays that meet them, and the light they throw back.

All in the scenery's own frame: metres, z up, the person at the origin, and the camera looks along
+y. A sample is one ray; `Samples` lists those that meet something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from maskmotion.synth.people._textures import Cover, Material, Spots
from maskmotion.synth.people.camera import Camera

Array = np.ndarray
F32 = np.float32
FAR_M = 1e4
FRAYED = 0.68  # of the size of what has holes: that much of it keeps light off
Colour = Array  # (3,) linear RGB


# -- the camera's view -----------------------------------------------------------------------------


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

    form: Literal["box", "tube", "ball", "card", "floor"]
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


def _local_eye(shape: Shape, view: View) -> tuple[Array, Array, Array]:
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


def _meet_tube(o: tuple, d: tuple, radius: Array, height: Array) -> Array:
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
    spots, normals = _surface(shape, points, met[index] * F32(view.sample))
    there = shape.cover(spots)
    if shape.form == "ball":  # it frays towards its rim
        d = rays[:, index[0], index[1]]
        facing = (normals * d).sum(0) ** 2 / (d * d).sum(0)
        there -= np.clip(2.6 * (np.sqrt(np.clip(1 - facing, 0, 1)) - F32(0.7)), 0, 3)
    kept = closer.copy()
    kept[index] = there > 0.5
    return kept


def _surface(shape: Shape, points: Array, size: Array) -> tuple[Spots, Array]:
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


# -- light -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lamp:
    """A lamp at a point: its light at 1 m, and a `radius` within which it does not grow."""

    at: tuple[float, float, float]
    power: Colour
    radius: float = 0.3


@dataclass(frozen=True)
class Sun:
    """Parallel light; `shines` tells where it gets through: (3, n) points to (n,) in [0, 1]."""

    towards: Array  # (3,) unit
    colour: Colour
    shines: object = None


@dataclass(frozen=True)
class Lighting:
    """All that shines on the shapes.

    Attributes:
        sky: from above, on a surface that faces up.
        ground: from below, on a surface that faces down.
        lamps: near lamps.
        sun: far lamp.
        walls: (normal (3,), offset) of planes that darken what is close to them.
        shade: 0 to 1, how dark it gets in corners and under things.
        haze: (3,) colour of the air, and `haze_m`, the distance at which 63% of it is seen.
    """

    sky: Colour
    ground: Colour
    lamps: tuple[Lamp, ...] = ()
    sun: Sun | None = None
    walls: tuple[tuple[Array, float], ...] = ()
    shade: float = 0.5
    haze: Colour = field(default_factory=lambda: np.zeros(3, F32))
    haze_m: float = 1e9


def shade(
    view: View,
    shapes: Sequence[Shape],
    depth: Array,
    number: Array,
    lighting: Lighting,
    shadows: bool = True,
) -> Array:
    """(side, side, 3) radiance; 0 where a ray meets nothing."""
    flat = np.flatnonzero(number.ravel() >= 0)
    colours = np.zeros((view.side**2, 3), F32)
    if not len(flat):
        return colours.reshape(view.side, view.side, 3)
    meets = depth.ravel()[flat]
    rays = view.rays.reshape(3, -1)[:, flat]
    points = view.eye[:, None].astype(F32) + meets * rays
    albedo, normals, glow = _surfaces(view, shapes, number.ravel()[flat], points, meets, rays)
    open_ = _openness(view, shapes, number, flat, points, normals, lighting, shadows)
    light = _arriving(lighting, points, normals, open_)
    radiance = np.where(glow[:, None] > 0, albedo * glow[:, None], albedo * light)
    if lighting.haze_m < 1e6:
        air = 1 - np.exp(-meets / F32(lighting.haze_m))
        radiance += (lighting.haze - radiance) * air[:, None]
    colours[flat] = radiance
    return colours.reshape(view.side, view.side, 3)


def _surfaces(
    view: View, shapes: Sequence[Shape], numbers: Array, points: Array, meets: Array, rays: Array
) -> tuple[Array, Array, Array]:
    """(n, 3) albedo, (3, n) normals towards the eye, (n,) glow."""
    count = len(numbers)
    albedo, glow = np.empty((count, 3), F32), np.zeros(count, F32)
    normals = np.empty((3, count), F32)
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(len(shapes) + 1))
    for k, shape in enumerate(shapes):
        index = order[ends[k] : ends[k + 1]]
        if not len(index):
            continue
        here = points[:, index]
        size = meets[index] * F32(view.sample)
        spots, normal = _surface(shape, here, size)
        slant = np.abs((normal * rays[:, index]).sum(0))
        spots = Spots(spots.u, spots.v, size / np.sqrt(np.clip(slant, 0.03, 1)))
        albedo[index] = shape.material(spots)
        glow[index] = shape.glow
        normals[:, index] = normal
    away = (normals * rays).sum(0) > 0
    normals[:, away] *= -1
    return albedo, normals, glow


def _openness(
    view: View,
    shapes: Sequence[Shape],
    number: Array,
    flat: Array,
    points: Array,
    normals: Array,
    lighting: Lighting,
    shadows: bool,
) -> tuple[Array, Array]:
    """Shares in [0, 1] that get there: (n,) from all around, (2, n) of first lamp and sun."""
    around = np.ones(len(flat), F32)
    direct = np.ones((2, len(flat)), F32)
    for normal, offset in lighting.walls:
        away = np.abs(normal.astype(F32) @ points - F32(offset))
        facing = np.abs(normal.astype(F32) @ normals)
        dark = 0.7 * np.exp(-away / F32(0.12)) + 0.5 * np.exp(-away / F32(0.6))
        around *= 1 - F32(lighting.shade) * 0.7 * dark * (1 - facing)
    where = np.full(number.size, -1, np.int32)
    where[flat] = np.arange(len(flat), dtype=np.int32)
    where = where.reshape(number.shape)
    for k, shape in enumerate(shapes if shadows else ()):
        if shape.casts and shape.form != "floor":
            _cast(view, k, shape, number, where, points, normals, lighting, around, direct)
    return around, direct


def _cast(
    view: View,
    k: int,
    shape: Shape,
    number: Array,
    where: Array,
    points: Array,
    normals: Array,
    lighting: Lighting,
    around: Array,
    direct: Array,
) -> None:
    """Darken `around` and `direct` near one shape."""
    large = min(max(shape.half), 1.5)
    corners = shape.corners(0.35 * large + 0.04)
    if lighting.sun is not None:
        reach = min(8.0, 2.5 * shape.half[2] / max(float(lighting.sun.towards[2]), 0.2))
        corners = np.concatenate([corners, shape.corners() - reach * lighting.sun.towards])
    elif lighting.lamps:
        away = np.subtract(shape.at, lighting.lamps[0].at)
        reach = min(1.2, 1.5 * max(shape.half))
        corners = np.concatenate([corners, shape.corners() + reach * away / np.linalg.norm(away)])
    window = view.window(corners)
    if window is None:
        return
    index = where[window][(number[window] != k) & (number[window] >= 0)]
    if not len(index):
        return
    here, normal = points[:, index], normals[:, index]
    thin = 0.5 if shape.cover is not None else 1.0  # leaves let light through
    for step, strength in ((0.06 * large + 0.01, 0.55), (0.3 * large + 0.02, 0.6)):
        free = _distance(shape, here + normal * F32(step)) / F32(step)
        around[index] *= 1 - F32(lighting.shade * strength * thin) * np.clip(1 - free, 0, 1)
    if lighting.sun is not None:
        towards = lighting.sun.towards.astype(F32)[:, None]
        direct[-1, index] *= _passing(shape, here + normal * F32(0.01), towards, 0.03)
    elif lighting.lamps and max(shape.half) > 0.06:
        lamp = lighting.lamps[0]
        towards = np.array(lamp.at, F32)[:, None] - here
        towards /= np.sqrt((towards * towards).sum(0))
        far = float(np.linalg.norm(np.subtract(lamp.at, shape.at)))
        soft = 0.5 * lamp.radius / max(far, 0.5)
        direct[0, index] *= _passing(shape, here + normal * F32(0.01), towards, soft)


def _passing(shape: Shape, start: Array, t: Array, spread: float) -> Array:
    """(n,) share of a lamp's light that passes a shape on its way to (3, n) points.

    Args:
        t: (3, n) or (3, 1) unit vectors to the lamp.
        spread: growth of the half shadow with the distance.
    """
    x, y = shape.to_local(start[0] - F32(shape.at[0]), start[1] - F32(shape.at[1]))
    tx, ty = shape.to_local(t[0], t[1])
    o = (x, y, start[2] - F32(shape.at[2]))
    half = [F32(FRAYED * h if shape.cover is not None else h) for h in shape.half]
    if shape.form == "card":
        half[1] = F32(0.02)
    if shape.form == "ball":
        o, d = tuple(c / h for c, h in zip(o, half, strict=True)), (tx / half[0], ty / half[1], t[2] / half[2])
        a, b = sum(c * c for c in d), sum(p * c for p, c in zip(o, d, strict=True))
        near = sum(p * p for p in o) - b * b / a
        rim = F32(0.1 if shape.cover is None else 0.9) + np.maximum(-b / a, 0) * F32(spread / min(shape.half))
        return np.where(b < 0, np.clip(0.5 + (near - 1) / rim, 0, 1), 1).astype(F32)
    enter, leave = F32(-FAR_M), F32(FAR_M)
    for origin, direction, h in zip(o, (tx, ty, t[2]), half, strict=True):
        inverse = 1 / np.where(np.abs(direction) < 1e-6, F32(1e-6), direction)
        middle, extent = -origin * inverse, np.abs(h * inverse)
        enter, leave = np.maximum(enter, middle - extent), np.minimum(leave, middle + extent)
    soft = 0.01 + spread * np.maximum(enter, 0)  # no lamp is a point
    # how far inside the outline the ray passes, from the length of its way through the shape
    through = np.where(leave > 0.005, leave - np.maximum(enter, 0), -1)
    thick = F32(min(half) * 2)
    depth = through * np.minimum(F32(0.5), F32(max(half)) / (thick + F32(0.05)))
    return np.clip(0.5 - depth / soft, 0, 1).astype(F32)


def _distance(shape: Shape, points: Array) -> Array:
    """(n,) m from (3, n) points to the shape, negative inside; a tube counts as round."""
    x, y = shape.to_local(points[0] - F32(shape.at[0]), points[1] - F32(shape.at[1]))
    z = points[2] - F32(shape.at[2])
    hx, hy, hz = (F32(FRAYED * h if shape.cover is not None else h) for h in shape.half)
    if shape.form == "ball":
        ratio = np.sqrt((x / hx) ** 2 + (y / hy) ** 2 + (z / hz) ** 2)
        return (ratio - 1) * min(hx, hy, hz)
    if shape.form == "tube":
        a, b = np.sqrt(x * x + y * y) - hx, np.abs(z) - hz
        return np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2) + np.minimum(np.maximum(a, b), 0)
    a, b, c = np.abs(x) - hx, np.abs(y) - (F32(0.01) if shape.form == "card" else hy), np.abs(z) - hz
    outside = np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2 + np.maximum(c, 0) ** 2)
    return outside + np.minimum(np.maximum(np.maximum(a, b), c), 0)


def _arriving(lighting: Lighting, points: Array, normals: Array, open_: tuple[Array, Array]) -> Array:
    """(n, 3) light on each surface."""
    around, direct = open_
    up = (0.5 + 0.5 * normals[2])[:, None]
    light = (lighting.sky * up + lighting.ground * (1 - up)) * around[:, None]
    for k, lamp in enumerate(lighting.lamps):
        to_lamp = np.array(lamp.at, F32)[:, None] - points
        squared = (to_lamp * to_lamp).sum(0)
        facing = np.clip((to_lamp * normals).sum(0) / np.sqrt(squared + 1e-6), 0, 1)
        if k == 0:
            facing *= 0.1 + 0.9 * direct[0]
        strength = (0.12 + 0.88 * facing) / (squared + F32(lamp.radius**2))
        light += (strength * (0.35 + 0.65 * around))[:, None] * lamp.power.astype(F32)
    if lighting.sun is not None:
        facing = np.clip(lighting.sun.towards.astype(F32) @ normals, 0, 1) * direct[1]
        if callable(lighting.sun.shines):
            facing = facing * lighting.sun.shines(points)
        light += facing[:, None] * lighting.sun.colour.astype(F32)
    return light.astype(F32)
