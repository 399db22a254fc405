"""How much light reaches what the rays meet.

Shadows are soft and approximate: each shape darkens what lies near it, by its distance, and keeps
off the main lamp's light, by a ray's way through it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from maskmotion.synth.people.scenery.textures import Spots
from maskmotion.synth.people.scenery.tracing import FAR_M, Shape, View, surface

Array = np.ndarray
F32 = np.float32
Colour = Array  # (3,) linear RGB
FRAYED = 0.68  # of the size of what has holes: that much of it keeps light off


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
    shines: Callable[[Array], Array] | None = None


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


@dataclass(frozen=True)
class Samples:
    """The rays that meet something, n of them, and what they meet.

    Attributes:
        number: (n,) of the shape.
        where: (side, side) each ray's index among them, -1 where nothing is met.
        points: (3, n) m.
        normals: (3, n) towards the eye.
        albedo: (n, 3).
        glow: (n,) radiance of what shines, 0 for what is lit.
    """

    number: Array
    where: Array
    points: Array
    normals: Array
    albedo: Array
    glow: Array


def shade(
    view: View,
    shapes: Sequence[Shape],
    depth: Array,
    number: Array,
    lighting: Lighting,
    shadows: bool = True,
) -> Array:
    """What the camera sees of shapes that `trace` has found.

    Args:
        depth, number: (side, side), as `trace` returns them.
        shadows: whether shapes keep light off each other.
    Returns:
        (side, side, 3) radiance, 0 where a ray meets nothing.
    """
    samples = _samples(view, shapes, depth, number)
    around, direct = _corners(samples, lighting), np.ones(len(samples.number), F32)
    for k, shape in enumerate(shapes if shadows else ()):
        if shape.casts and shape.form != "floor":
            _cast(view, k, shape, samples, lighting, around, direct)
    light = _arriving(lighting, samples, around, direct)
    radiance = samples.albedo * np.where(samples.glow > 0, samples.glow, light.T).T
    met = samples.where >= 0
    if lighting.haze_m < 1e6:
        air = 1 - np.exp(-depth[met] / F32(lighting.haze_m))
        radiance += (lighting.haze - radiance) * air[:, None]
    picture = np.zeros((view.side, view.side, 3), F32)
    picture[met] = radiance
    return picture


def _samples(view: View, shapes: Sequence[Shape], depth: Array, number: Array) -> Samples:
    met = number >= 0
    numbers, meets, rays = number[met], depth[met], view.rays[:, met]
    count = len(numbers)
    where = np.full(number.shape, -1, np.int32)
    where[met] = np.arange(count, dtype=np.int32)
    points = view.eye[:, None].astype(F32) + meets * rays
    albedo, normals = np.empty((count, 3), F32), np.empty((3, count), F32)
    glow = np.zeros(count, F32)
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(len(shapes) + 1))
    for k, shape in enumerate(shapes):
        index = order[ends[k] : ends[k + 1]]
        if not len(index):
            continue
        size = meets[index] * F32(view.sample)
        spots, normal = surface(shape, points[:, index], size)
        slant = np.abs((normal * rays[:, index]).sum(0))
        spots = Spots(spots.u, spots.v, size / np.sqrt(np.clip(slant, 0.03, 1)))
        albedo[index], glow[index] = shape.material(spots), shape.glow
        normals[:, index] = normal
    normals *= np.where((normals * rays).sum(0) > 0, F32(-1), F32(1))
    return Samples(numbers, where, points, normals, albedo, glow)


def _corners(samples: Samples, lighting: Lighting) -> Array:
    """(n,) share of the light from all around that gets near the room's walls."""
    around = np.ones(len(samples.number), F32)
    for normal, offset in lighting.walls:
        away = np.abs(normal.astype(F32) @ samples.points - F32(offset))
        facing = np.abs(normal.astype(F32) @ samples.normals)
        dark = 0.7 * np.exp(-away / F32(0.12)) + 0.5 * np.exp(-away / F32(0.6))
        around *= 1 - F32(lighting.shade) * F32(0.7) * dark * (1 - facing)
    return around


def _cast(
    view: View,
    k: int,
    shape: Shape,
    samples: Samples,
    lighting: Lighting,
    around: Array,
    direct: Array,
) -> None:
    """Darken (n,) `around` and `direct` where the k-th shape keeps off light."""
    large = min(max(shape.half), 1.5)
    corners = np.concatenate([shape.corners(0.35 * large + 0.04), _shadow(shape, lighting)])
    window = view.window(corners)
    if window is None:
        return
    index = samples.where[window].ravel()
    index = index[index >= 0]
    index = index[samples.number[index] != k]
    if not len(index):
        return
    here, normal = samples.points[:, index], samples.normals[:, index]
    thin = 0.5 if shape.cover is not None else 1.0  # leaves let light through
    step = F32(0.25 * large + 0.02)
    hidden = np.clip(1 - _distance(shape, here + normal * step) / step, 0, 1)
    around[index] *= 1 - F32(lighting.shade * thin) * hidden * (0.45 + 0.4 * hidden * hidden)
    start = here + normal * F32(0.01)
    if lighting.sun is not None:
        towards = lighting.sun.towards.astype(F32)[:, None]
        direct[index] *= _passing(shape, start, towards, 0.03, _reach(shape, lighting))
    elif lighting.lamps and max(shape.half) > 0.06:
        lamp = lighting.lamps[0]
        towards = np.array(lamp.at, F32)[:, None] - here
        towards /= np.sqrt((towards * towards).sum(0))
        far = float(np.linalg.norm(np.subtract(lamp.at, shape.at)))
        spread = 0.5 * lamp.radius / max(far, 0.5)
        direct[index] *= _passing(shape, start, towards, spread, _reach(shape, lighting))


def _reach(shape: Shape, lighting: Lighting) -> float:
    """How many m a shadow is followed; it fades away before."""
    if lighting.sun is None:
        return min(2.0, 0.3 + 2.5 * max(shape.half))
    top = shape.at[2] + shape.half[2]
    return min(30.0, 2 * top / max(float(lighting.sun.towards[2]), 0.2))


def _shadow(shape: Shape, lighting: Lighting) -> Array:
    """(8, 3) corners of the shape moved to where its shadow ends."""
    reach = _reach(shape, lighting)
    if lighting.sun is not None:
        return shape.corners() - reach * lighting.sun.towards
    if not lighting.lamps:
        return shape.corners()
    corners = shape.corners(0.2 * reach)
    away = corners - np.array(lighting.lamps[0].at)
    return corners + reach * away / np.linalg.norm(away, axis=1, keepdims=True)


def sun_reaches(shapes: Sequence[Shape], sun: Sun, points: Array) -> Array:
    """(n,) share of the sun that gets to (3, n) free points."""
    points = points.astype(F32)
    share = np.ones(points.shape[1], F32)
    if sun.shines is not None:
        share = share * sun.shines(points)
    for shape in shapes:
        if shape.casts and shape.form != "floor":
            share = share * _passing(shape, points, sun.towards.astype(F32)[:, None], 0.05, FAR_M)
    return share


def _passing(shape: Shape, start: Array, towards: Array, spread: float, reach: float) -> Array:
    """(n,) share of a lamp's light that passes a shape on its way to (3, n) points.

    Args:
        towards: (3, n) or (3, 1) unit vectors to the lamp.
        spread: growth of the half shadow with the distance.
        reach: m from the shape to where its shadow has faded away.
    """
    x, y = shape.to_local(start[0] - F32(shape.at[0]), start[1] - F32(shape.at[1]))
    tx, ty = shape.to_local(towards[0], towards[1])
    origin, direction = (x, y, start[2] - F32(shape.at[2])), (tx, ty, towards[2])
    half = [F32(FRAYED * h if shape.cover is not None else h) for h in shape.half]
    if shape.form == "card":
        half[1] = F32(0.02)
    if shape.form == "ball":
        rim = 0.1 if shape.cover is None else 0.9
        return _past_ball(origin, direction, half, rim, spread / min(shape.half), reach)
    return _past_box(origin, direction, half, spread, reach)


def _past_ball(o: tuple, d: tuple, half: list, rim: float, spread: float, reach: float) -> Array:
    """As `_passing`; all turned into the ball's frame, with a half shadow `rim` radii wide."""
    o, d = (tuple(c / h for c, h in zip(v, half, strict=True)) for v in (o, d))
    squared = d[0] ** 2 + d[1] ** 2 + d[2] ** 2
    ahead = -(o[0] * d[0] + o[1] * d[1] + o[2] * d[2]) / squared
    nearest = o[0] ** 2 + o[1] ** 2 + o[2] ** 2 - ahead**2 * squared
    soft = F32(rim) + np.maximum(ahead, 0) * F32(spread)
    dark = np.clip(0.5 - (nearest - 1) / soft, 0, 1) * _faded(ahead, reach)
    return np.where(ahead > 0, 1 - dark, 1).astype(F32)


def _past_box(o: tuple, d: tuple, half: list, spread: float, reach: float) -> Array:
    """As `_passing`; how deep a ray dives into the box tells how dark it gets."""
    enter, leave = F32(-FAR_M), F32(FAR_M)
    for origin, direction, h in zip(o, d, half, strict=True):
        inverse = 1 / np.where(np.abs(direction) < 1e-6, F32(1e-6), direction)
        middle, extent = -origin * inverse, np.abs(h * inverse)
        enter, leave = np.maximum(enter, middle - extent), np.minimum(leave, middle + extent)
    soft = 0.01 + spread * np.maximum(enter, 0)  # no lamp is a point
    through = np.where(leave > 0.005, leave - np.maximum(enter, 0), -1)
    # the way through a thin box is short also where the ray passes far from its outline
    steep = min(F32(0.5), F32(max(half)) / (2 * min(half) + F32(0.05)))
    dark = np.clip(through * steep / soft, 0, 1) * _faded(np.asarray(enter), reach)
    return (1 - dark).astype(F32)


def _faded(way: Array, reach: float) -> Array:
    return np.clip(2 - way * F32(2 / reach), 0, 1)


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
        return np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2) + np.minimum(
            np.maximum(a, b), 0
        )
    a, b, c = (
        np.abs(x) - hx,
        np.abs(y) - (F32(0.01) if shape.form == "card" else hy),
        np.abs(z) - hz,
    )
    outside = np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2 + np.maximum(c, 0) ** 2)
    return outside + np.minimum(np.maximum(np.maximum(a, b), c), 0)


def _arriving(lighting: Lighting, samples: Samples, around: Array, direct: Array) -> Array:
    """(n, 3) light on each surface; `direct` is the share of the sun, or else of the first lamp."""
    points, normals = samples.points, samples.normals
    up = (0.5 + 0.5 * normals[2])[:, None]
    light = (lighting.sky * up + lighting.ground * (1 - up)) * around[:, None]
    for k, lamp in enumerate(lighting.lamps):
        to_lamp = np.array(lamp.at, F32)[:, None] - points
        squared = (to_lamp * to_lamp).sum(0)
        facing = np.clip((to_lamp * normals).sum(0) / np.sqrt(squared + 1e-6), 0, 1)
        if k == 0 and lighting.sun is None:
            facing *= 0.1 + 0.9 * direct
        strength = (0.12 + 0.88 * facing) / (squared + F32(lamp.radius**2))
        light += (strength * (0.35 + 0.65 * around))[:, None] * lamp.power.astype(F32)
    if lighting.sun is not None:
        facing = np.clip(lighting.sun.towards.astype(F32) @ normals, 0, 1) * direct
        if lighting.sun.shines is not None:
            facing = facing * lighting.sun.shines(points)
        light += facing[:, None] * lighting.sun.colour.astype(F32)
    return light.astype(F32)
