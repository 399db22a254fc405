"""One clip of a rendered person: who, how, where and from where, each from a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageFilter

from maskmotion.errors import ConfigError
from maskmotion.synth._layers import composite, shaded
from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.dressing import make_person
from maskmotion.synth.people.light import Light
from maskmotion.synth.people.motion import make_motion, perform
from maskmotion.synth.people.render import Grade, Renderer
from maskmotion.synth.people.scenery import Scene, make_scene
from maskmotion.synth.people.seeding import stream

__all__ = [
    "JOINTS",
    "ClipSeeds",
    "PeopleClip",
    "PeopleRenderer",
    "composite",
    "holds_still",
    "shaded",
]

Array = np.ndarray
Framing = Literal["body", "portrait"]
PORTRAIT_HEAD_M = 1.55  # where everybody's head is in portraits, which show no floor
MARGIN = 0.08  # of the picture's side, for the camera's drift

# Name of a joint -> the bone that starts there.
JOINTS = {
    "head": "head",
    "neck": "neck01",
    "chest": "spine01",
    "pelvis": "root",
    **{
        f"{side}_{joint}": f"{bone}.{side[0].upper()}"
        for side in ("left", "right")
        for joint, bone in (
            ("shoulder", "upperarm01"),
            ("elbow", "lowerarm01"),
            ("wrist", "wrist"),
            ("hip", "upperleg01"),
            ("knee", "lowerleg01"),
            ("ankle", "foot"),
            ("eye", "eye"),
        )
    },
}


@dataclass(frozen=True)
class ClipSeeds:
    """What a clip is drawn from; changing one leaves the others as they were.

    Attributes:
        person: who: body, face, hair, clothes.
        motion: how.
        scene: where: background, light, exposure and compression.
        camera: from where: the camera's place and angle, and how it is held.
    """

    person: int
    motion: int
    scene: int
    camera: int


@dataclass(frozen=True)
class PeopleClip:
    """A rendered clip and what it was made of.

    Attributes:
        frames: (T, H, W, 3) uint8 sRGB, `composite(foreground, alpha, shaded(background, shade))`.
        alpha: (T, H, W) uint8 share of each pixel that the person covers.
        foreground: (T, H, W, 3) uint8 colour of the person; 0 where alpha is 0.
        background: (1 or T, H, W, 3) uint8 without the person; T if the camera drifts.
        shade: (T, H, W) uint8 share of the background's brightness that the person's shadow leaves.
        joints: (T, J, 2) float32 px (x, y), in the order of `JOINTS`; may lie outside.
        visible: (T, J) bool, inside the picture.
        crf: quality of H.264 with which the clip is written; part of its looks.
        parameters: everything that was drawn, for JSON.
    """

    frames: Array
    alpha: Array
    foreground: Array
    background: Array
    shade: Array
    joints: Array
    visible: Array
    crf: int
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Drift:
    """How the camera's picture moves: to zoom * place + shift, in half sides from the middle.

    Attributes:
        zoom: (T,).
        shift: (T, 2) to the right and upwards.
    """

    zoom: Array
    shift: Array

    @property
    def still(self) -> bool:
        return bool(np.all(self.zoom == 1) and np.all(self.shift == 0))

    def matrix(self, t: int) -> Array:
        """(4, 4) in OpenGL's clip space."""
        moved = np.eye(4, dtype=np.float32)
        moved[0, 0] = moved[1, 1] = self.zoom[t]
        moved[:2, 3] = self.shift[t]
        return moved


class PeopleRenderer:
    """Renders clips one after the other; to be used in a `with` statement, one a process.

    Args:
        size: height and width of the frames in px.
    Raises:
        MissingExtraError: the extra or OpenGL is missing.
    """

    def __init__(self, size: int) -> None:
        if not 32 <= size <= 2048:
            raise ConfigError(f"people are rendered at 32 to 2048 px a side, not {size}")
        self.size = size
        self._renderer = Renderer(size)

    def __enter__(self) -> PeopleRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self._renderer.close()

    @property
    def device(self) -> str:
        """What draws, by OpenGL's name for it."""
        return self._renderer.device

    def clip(
        self,
        seeds: ClipSeeds,
        *,
        framing: Framing = "body",
        frames: int = 96,
        fps: float = 25.0,
        backgrounds: Sequence[Path] | None = None,
    ) -> PeopleClip:
        """Render a clip.

        Args:
            seeds: who, how, where and from where.
            framing: "body": head to foot; "portrait": head and shoulders.
            frames: length T.
            fps: frames a second; sets how far the motion gets in one frame.
            backgrounds: photographs to stand before; None: drawn scenes.
        Raises:
            ConfigError: no frame, or no positive rate.
        """
        if frames < 1 or not fps > 0:
            raise ConfigError(f"a clip needs a frame and a positive rate, not {frames} and {fps}")
        person = make_person(seeds.person)
        motion = make_motion(seeds.motion, frames=frames, fps=fps, framing=framing)
        camera = _camera(seeds.camera, framing)
        scene = make_scene(seeds.scene, camera, self.size, margin=MARGIN, photos=backgrounds)
        look = _look(seeds, frames, fps)
        performance = perform(motion, person.figure.body)
        shift = performance.shift
        if framing == "portrait":
            shift = shift + np.array([0, 0, PORTRAIT_HEAD_M - person.head_m])
        posed = person.figure.pose(performance.rotations, shift, performance.actions)
        renderer = self._renderer
        renderer.load(person.figure)
        shape = (frames, self.size, self.size)
        foreground, alpha = np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8)
        shade, shown = np.full(shape, 255, np.uint8), np.empty((*shape, 3), np.uint8)
        background = _backgrounds(scene, look, self.size)
        for t in range(frames):
            drift = look.drift.matrix(t)
            foreground[t], alpha[t] = renderer.draw(
                posed, t, camera, scene.light, look.grade, drift
            )
            if scene.light.floor:
                lamp, contact = renderer.floor(camera, scene.light, drift)
                shade[t] = _shade(lamp, contact, scene.light, self.size)
            behind = shaded(background[min(t, len(background) - 1)], shade[t])
            shown[t] = composite(foreground[t], alpha[t], behind)
        heads = posed.heads[:, [person.figure.body.skeleton.index(b) for b in JOINTS.values()]]
        joints = drifted(camera.project(heads, self.size), look.drift, self.size)
        return PeopleClip(
            frames=shown,
            alpha=alpha,
            foreground=foreground,
            background=background,
            shade=shade,
            joints=joints.astype(np.float32),
            visible=np.all((joints >= 0) & (joints <= self.size), axis=-1),
            crf=look.crf,
            parameters={
                "seeds": asdict(seeds),
                "framing": framing,
                "person": person.parameters,
                "motion": motion.describe(),
                "scene": scene.parameters,
                "light": asdict(scene.light),
                "camera": asdict(camera),
                "look": look.describe(),
            },
        )


# Camera ------------------------------------------------------------------------------------


def _camera(seed: int, framing: Framing) -> Camera:
    """Where the camera stands, the same for every person and motion."""
    rng = stream("camera", seed)
    aside, roll = float(rng.normal(0, 0.06)), float(rng.normal(0, 0.7))
    if framing == "portrait":
        away, covered = float(rng.uniform(1.0, 2.0)), float(rng.uniform(0.5, 1.0))
        low = 0.2 * (covered - 0.3)
        target = (float(rng.normal(0, 0.02)), -0.05, PORTRAIT_HEAD_M + 0.06 - low)
        height = PORTRAIT_HEAD_M + float(rng.normal(0.02, 0.1))
    else:
        away, covered = float(rng.uniform(3.2, 6.0)), float(rng.uniform(2.05, 2.55))
        floor = float(rng.uniform(0.14, 0.26))  # m that are seen below the feet
        target = (float(rng.normal(0, 0.05)), 0.0, covered / 2 - floor)
        height = float(rng.uniform(0.8, 1.7))
    view = 2 * np.degrees(np.arctan(covered / 2 / away))
    return Camera((aside * away, -away, height), target, float(view), roll)


def holds_still(camera: int) -> bool:
    """Whether the camera of a seed stands on a tripod: its picture never drifts, for any scene."""
    return _look(ClipSeeds(0, 0, 0, camera), frames=2, fps=25.0).drift.still


@dataclass(frozen=True)
class _Look:
    """What the camera does to all that it sees."""

    grade: Grade
    drift: Drift
    crf: int

    def describe(self) -> dict[str, Any]:
        return {
            **asdict(self.grade),
            "crf": self.crf,
            "zoom": self.drift.zoom.tolist(),
            "shift": self.drift.shift.tolist(),
        }


def _look(seeds: ClipSeeds, frames: int, fps: float) -> _Look:
    """Colours belong to the scene; sharpness and the hand that holds it to the camera."""
    scene, camera = stream("grade", seeds.scene), stream("hold", seeds.camera)
    grade = Grade(
        exposure=float(1.25 * np.exp(scene.normal(0, 0.18))),
        balance=tuple(np.exp(scene.normal(0, 0.05, 3) * [1, 0.4, 1]).tolist()),
        vignette=float(max(0.0, scene.uniform(-0.2, 0.35))),
        # No lens and no codec keeps single pixels.
        softness_px=float(camera.uniform(0.4, 0.9)),
    )
    return _Look(grade, _drift(camera, frames, fps), int(scene.integers(17, 29)))


def _drift(rng: np.random.Generator, frames: int, fps: float) -> Drift:
    """A tripod in three of four clips; else a hand that holds rather still."""
    zoom, shift = np.ones(frames), np.zeros((frames, 2))
    if rng.random() < 0.25:
        time = np.arange(frames) / fps
        for strength, rate in ((0.02, 0.15), (0.006, 0.6), (0.0015, 2.0)):
            phase = rng.uniform(0, 2 * np.pi, 3)
            size = rng.normal(0, strength, 3)
            wave = np.sin(2 * np.pi * rate * time[:, None] + phase) - np.sin(phase)
            zoom = zoom * np.exp(size[2] * wave[:, 2])
            shift = shift + size[:2] * wave[:, :2]
    # What lies beyond the margin was not rendered; a hand slows down before it gets there.
    zoom = np.exp(0.05 * np.tanh(np.log(zoom) / 0.05))
    return Drift(zoom, MARGIN / 2 * np.tanh(shift / (MARGIN / 2)))


def drifted(points: Array, drift: Drift, size: int) -> Array:
    """(T, J, 2) px after the camera's drift."""
    half = size / 2
    shift = drift.shift[:, None] * np.array([half, -half])
    return (points - half) * drift.zoom[:, None, None] + shift + half


# What is behind ----------------------------------------------------------------------------


def _backgrounds(scene: Scene, look: _Look, size: int) -> Array:
    """(1 or T, size, size, 3) uint8."""
    light = look.grade.soften(scene.picture)
    picture = Image.fromarray(np.rint(255 * look.grade.tone(light)).astype(np.uint8))
    scale = len(scene.picture) / (size * (1 + 2 * scene.margin))
    shown = []
    for t in range(1 if look.drift.still else len(look.drift.zoom)):
        zoom, (x, y) = float(look.drift.zoom[t]), look.drift.shift[t]
        step = scale / zoom
        middle = len(scene.picture) / 2
        left = middle - step * size / 2 * (1 + x)
        top = middle - step * size / 2 * (1 - y)
        moved = picture.transform(
            (size, size),
            Image.Transform.AFFINE,
            (step, 0, left, 0, step, top),
            Image.Resampling.BICUBIC,
        )
        shown.append(np.rint(np.asarray(moved) * look.grade.corners(size)).astype(np.uint8))
    return np.stack(shown)


def _shade(lamp: Array, contact: Array, light: Light, size: int) -> Array:
    """(size, size) uint8 share of the floor's light that a person leaves."""
    blur = size / 256 * (0.8 + 9 * light.softness)
    weak = float(np.clip(light.softness, 0, 1))
    direct = np.mean(light.key) * max(light.towards[2], 0.1)
    share = 0.85 * direct / (direct + np.mean(light.sky)) * (1 - 0.5 * weak)
    cast = _blurred(lamp, blur) * share
    near = _blurred(contact, size / 256 * 3.0) * 0.55
    return np.rint(255 * (1 - cast) * (1 - near)).astype(np.uint8)


def _blurred(mask: Array, radius: float) -> Array:
    picture = Image.fromarray(mask).filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(picture, np.float32) / 255
