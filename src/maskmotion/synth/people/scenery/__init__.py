"""Scenery behind rendered people, and the light that falls on them there.

Rooms, streets, parks and studios are traced from analytic shapes; or a photograph is taken. All
random numbers come from the seed; the size of the picture changes nothing but its sharpness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.light import Colour, Light
from maskmotion.synth.people.scenery.interiors import make_interior
from maskmotion.synth.people.scenery.lens import defocus, disc_blur, halve
from maskmotion.synth.people.scenery.outdoors import make_outdoors
from maskmotion.synth.people.scenery.photos import photograph
from maskmotion.synth.people.scenery.sets import Set
from maskmotion.synth.people.scenery.shading import shade, sun_reaches
from maskmotion.synth.people.scenery.studios import make_studio
from maskmotion.synth.people.scenery.tracing import (
    View,
    heading,
    make_view,
    mirrored,
    trace,
    turned,
)

__all__ = ["Scene", "make_scene"]

Array = np.ndarray
Rng = np.random.Generator
F32 = np.float32
KINDS = {"interior": 0.58, "outdoors": 0.29, "studio": 0.13}
KINDS_MADE_BY = {"interior": make_interior, "outdoors": make_outdoors, "studio": make_studio}
PORTRAIT_M = 2.6  # a camera this near shows the head and little else
DARKEST, BRIGHTEST = 0.05, 0.6  # mean radiance of a picture
MIRROR = 4  # samples along a side that share one sample of a mirrored picture


@dataclass(frozen=True)
class Scene:
    """A background.

    Attributes:
        picture: (S, S, 3) float32 linear radiance; lamps, windows and sky may exceed 1.
        margin: share of the camera's picture that is added on each side.
        light: what falls on the person.
        parameters: what was drawn, fit for JSON.
    """

    picture: Array
    margin: float
    light: Light
    parameters: dict[str, object]


def make_scene(
    seed: int,
    camera: Camera,
    size: int,
    *,
    margin: float = 0.08,
    photos: Sequence[Path] | None = None,
) -> Scene:
    """Build the background that a camera sees behind a person at the origin.

    Args:
        seed: the same seed, camera and margin give the same scene at every size.
        size: side in px of the camera's picture; with the margin it is round(size * (1 + 2 *
            margin)).
        margin: share of the side that is added on each side.
        photos: take one of these instead of building something.
    Raises:
        ConfigError: `photos` is an empty list.
        MediaError: a photograph is missing, broken, or not a picture.
    """
    rng = np.random.default_rng([71, seed])
    side = round(size * (1 + 2 * margin))
    if photos is not None:
        return _from_photograph(rng, photos, side, margin, camera)
    stage_rng, lens_rng, exposure_rng = rng.spawn(3)
    focus_m, portrait = _person_m(camera), _is_portrait(camera)
    opening = _opening(lens_rng, portrait)
    samples = 1 if portrait and opening > 0.02 else 2  # along a pixel's side; blur hides the rest
    view = make_view(camera, samples * side, margin)
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    stage = KINDS_MADE_BY[kind](stage_rng, view, portrait)
    picture, depth = _render(view, stage)
    if samples == 2:
        picture, depth = halve(picture), 1 / halve(1 / depth)
    picture = _contrast(picture, exposure_rng, kind)
    picture = defocus(picture, depth, focus_m, opening * size)
    picture = disc_blur(picture, size / 256 * float(lens_rng.uniform(0.5, 0.9)))
    picture, light = _exposed(exposure_rng, picture, _light(stage, camera), camera)
    return Scene(picture.astype(F32), margin, light, {**stage.parameters, "opening": opening})


def _render(view: View, stage: Set) -> tuple[Array, Array]:
    """(side, side, 3) radiance and (side, side) depth in m."""
    depth, number = trace(view, stage.shapes)
    picture = shade(view, stage.shapes, depth, number, stage.lighting)
    if stage.backdrop is not None:
        open_ = number < 0
        picture[open_] = stage.backdrop(view.rays[:, open_])
    for k, shape in enumerate(stage.shapes):
        if shape.form == "floor" and shape.gloss > 0.01:
            _mirror(view, stage, number == k, shape.gloss, picture)
    return picture, depth


def _mirror(view: View, stage: Set, floor: Array, gloss: float, picture: Array) -> None:
    """Add what a floor mirrors, the more the flatter one looks at it, to (side, side, 3)."""
    coarse = -(-view.side // MIRROR)
    below = mirrored(view, coarse)
    shapes = [s for s in stage.shapes if s.form != "floor" and max(s.half) > 0.08]
    depth, number = trace(below, shapes)
    seen = shade(below, shapes, depth, number, stage.lighting, shadows=False)
    if stage.backdrop is not None:
        seen[number < 0] = stage.backdrop(below.rays[:, number < 0])
    # a floor is not quite even, which blurs the more the farther away a thing stands
    seen = disc_blur(np.minimum(seen, 3), coarse / 60)
    rows, columns = np.nonzero(floor)
    rays = view.rays[:, rows, columns]
    facing = -rays[2] / np.sqrt((rays * rays).sum(0))
    share = F32(gloss) + F32(min(1, 8 * gloss)) * (1 - facing) ** 5
    picture[rows, columns] += seen[rows // MIRROR, columns // MIRROR] * share[:, None]


def _person_m(camera: Camera) -> float:
    """From the camera to the person, on the floor."""
    return float(np.hypot(*camera.position[:2]))


def _is_portrait(camera: Camera) -> bool:
    return _person_m(camera) < PORTRAIT_M


def _opening(rng: Rng, portrait: bool) -> float:
    """Radius of the blur at infinity, as a share of the picture's side."""
    sharp = rng.random() < (0.33 if portrait else 0.55)
    low, high = (0.001, 0.005) if sharp else (0.01, 0.055) if portrait else (0.005, 0.02)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _light(stage: Set, camera: Camera) -> Light:
    """The stage's light on the person, in the world's frame."""
    (towards, key), softness = stage.key, stage.softness
    if stage.sunlit and stage.lighting.sun is not None:
        heights = np.outer([0, 0, 1.0], [0.3, 0.7, 1.0, 1.3, 1.6])
        share = float(sun_reaches(stage.shapes, stage.lighting.sun, heights).mean())
        key, softness = key * (0.15 + 0.85 * share), max(softness, 1 - share)
    x, y, z = (float(v) for v in turned(np.asarray(towards, float), heading(camera)))
    sky, ground = _colour(stage.lighting.sky), _colour(stage.lighting.ground)
    return Light((x, y, z), _colour(key), sky, ground, softness, floor=not _is_portrait(camera))


def _colour(values: Array) -> Colour:
    r, g, b = (max(float(v), 0.0) for v in values)
    return r, g, b


def _contrast(picture: Array, rng: Rng, kind: str) -> Array:
    """Deepen the shadows as cameras do."""
    strength = float(rng.uniform(1.2, 1.75) if kind == "outdoors" else rng.uniform(1.05, 1.55))
    bright = picture @ np.array([0.25, 0.6, 0.15], F32)
    level = float(np.clip(bright, 0, 1).mean())
    gain = (np.minimum(bright, 1) / level + F32(1e-4)) ** F32(strength - 1)
    return picture * np.clip(gain, 0, 2.5)[..., None]


def _exposed(rng: Rng, picture: Array, light: Light, camera: Camera) -> tuple[Array, Light]:
    """Scale picture and light as a camera does that is set for both the person and the rest."""
    key, sky, ground = (np.array(c) for c in (light.key, light.sky, light.ground))
    # of the key light, the camera sees what falls on the side that it looks at
    ahead = np.subtract(camera.position, camera.target)
    front = max(float(np.dot(light.towards, ahead / np.linalg.norm(ahead))), 0)
    on_person = float(np.mean((0.15 + 0.65 * front) * key + 0.5 * sky + 0.5 * ground))
    for_person = float(np.exp(rng.normal(np.log(0.8), 0.2))) / on_person
    mean = float(np.clip(picture * for_person, 0, 3).mean())
    wanted = float(np.clip((mean * 0.28) ** 0.5, DARKEST, BRIGHTEST))
    for_picture = for_person * wanted / max(mean, 1e-6)
    # the person follows the picture halfway, and never gets lost in the dark or in the light
    follow = float(np.clip((for_picture / for_person) ** 0.5, 0.7, 1.3)) * for_person
    lit = Light(
        light.towards, _colour(key * follow), _colour(sky * follow), _colour(ground * follow),
        light.softness, light.floor,
    )  # fmt: skip
    return picture * F32(for_picture), lit


def _from_photograph(
    rng: Rng, photos: Sequence[Path], side: int, margin: float, camera: Camera
) -> Scene:
    picture, parameters = photograph(rng, photos, side)
    picture = disc_blur(picture, side / 297 * float(rng.uniform(0.5, 2.5)))
    return Scene(picture.astype(F32), margin, _photograph_light(picture, camera), parameters)


def _photograph_light(picture: Array, camera: Camera) -> Light:
    """From the brighter side and from above, in the colours of the picture's top and bottom."""
    half = picture.shape[0] // 2
    left, right = float(picture[:, :half].mean()), float(picture[:, half:].mean())
    side = float(np.clip((right - left) / (right + left + 1e-6) * 3, -1, 1))
    towards = np.array([0.3 + 0.7 * side, -0.7, 0.6])
    towards = turned(towards / np.linalg.norm(towards), heading(camera))
    top, bottom = picture[:half].mean((0, 1)), picture[half:].mean((0, 1))
    sky = 0.6 * top + 0.4 * top.mean()
    ground = 0.6 * bottom + 0.4 * bottom.mean()
    key = 0.5 * sky + 0.5 * sky.mean()
    level = 0.8 / max(float(np.mean(0.55 * key + 0.5 * sky + 0.5 * ground)), 0.05)
    level = min(level, 2.5)
    x, y, z = (float(v) for v in towards)
    return Light(
        (x, y, z),
        _colour(key * level),
        _colour(sky * level),
        _colour(ground * level),
        0.8,
        floor=False,
    )
