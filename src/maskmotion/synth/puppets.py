"""Cartoon figures in motion, with the exact mask and background of every frame.

A clip is given by three seeds: who moves, how, and where. Changing one of them leaves the rest
as it was, so a clip's truth under another background, or with another figure, can be rendered.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from maskmotion.errors import ConfigError
from maskmotion.media import open_writer
from maskmotion.synth._background import draw_background
from maskmotion.synth._canvas import Canvas
from maskmotion.synth._draw import draw_figure
from maskmotion.synth._figure import Figure, make_figure
from maskmotion.synth._layers import composite
from maskmotion.synth._motion import make_motion
from maskmotion.synth._seeding import stream
from maskmotion.synth._skeleton import JOINTS, pose_joints

__all__ = [
    "JOINTS",
    "PuppetClip",
    "composite",
    "draw_figure",
    "render_background",
    "render_clip",
    "write_dataset",
]

Array = np.ndarray
MARGIN = 0.025  # of the frame, kept free around the figure


@dataclass(frozen=True)
class PuppetClip:
    """A rendered clip and what it was made of.

    Attributes:
        frames: (T, H, W, 3) uint8, `composite(foreground, alpha, background)`.
        alpha: (T, H, W) uint8 coverage of the figure.
        background: (H, W, 3) uint8.
        joints: (T, J, 2) float32 pixels (x, y), in the order of `JOINTS`.
        foreground: (T, H, W, 3) uint8 colour of the figure; black where alpha is 0.
    """

    frames: Array
    alpha: Array
    background: Array
    joints: Array
    foreground: Array


def render_background(seed: int, size: int) -> Array:
    """(size, size, 3) uint8 scene of this seed."""
    return draw_background(seed, size)


def render_clip(
    *,
    figure_seed: int,
    motion_seed: int,
    background_seed: int,
    frames: int = 48,
    size: int = 128,
    fps: float = 25.0,
) -> PuppetClip:
    """Render one figure performing one motion before one background.

    Args:
        figure_seed: who; proportions, clothes, hair and face.
        motion_seed: joint angles over time, the same for every figure.
        background_seed: where; never changes the figure's alpha.
        frames: length T.
        size: height and width in pixels.
        fps: frames a second; sets how far the motion gets in one frame.
    Raises:
        ConfigError: no frame, a size too small to show a figure, or no positive rate.
    """
    if frames < 1 or size < 16 or not fps > 0:
        raise ConfigError(f"need 1 frame, 16 pixels and a positive rate: {frames}, {size}, {fps}")
    figure = make_figure(figure_seed)
    motion = make_motion(motion_seed, frames, fps)
    units = pose_joints(figure.body, motion)
    joints, height_px = _place(figure, units, size, stream("placement", motion_seed))
    layers = np.empty((frames, size, size, 4), np.uint8)
    for t in range(frames):
        canvas = Canvas(size, "RGBA")
        draw_figure(
            canvas,
            figure,
            joints[t],
            height_px=height_px,
            turn=float(motion.channels["turn"][t]),
            arm_in_front=motion.arm_in_front[t].tolist(),
            leg_in_front=motion.leg_in_front,
        )
        layers[t] = canvas.finish()
    foreground, alpha = layers[..., :3].copy(), layers[..., 3].copy()
    foreground[alpha == 0] = 0
    background = render_background(background_seed, size)
    return PuppetClip(
        frames=composite(foreground, alpha, background),
        alpha=alpha,
        background=background,
        joints=joints.astype(np.float32),
        foreground=foreground,
    )


def _place(
    figure: Figure, units: Array, size: int, rng: np.random.Generator
) -> tuple[Array, float]:
    """Joints in pixels and the standing height in pixels: as large as wished, never cut off."""
    reach = _reach(figure)[:, None]
    low = (units - reach).min(axis=(0, 1))
    high = (units + reach).max(axis=(0, 1))
    room = (1 - 2 * MARGIN) * size
    height = min(figure.height * size, room / float((high - low).max()))
    wish = size * np.array([rng.uniform(0.45, 0.55), rng.uniform(0.88, 0.96)])
    least, most = MARGIN * size - height * low, (1 - MARGIN) * size - height * high
    return height * units + np.clip(wish, least, most), height


def _reach(figure: Figure) -> Array:
    """(J,) how far the drawing extends around each joint, in standing heights."""
    body = figure.body
    radius = 1.5 * figure.top.flare * body.arm_radius
    leg = 1.6 * max(1.0, figure.bottom.flare) * body.leg_radius
    sizes = {
        "head": figure.head_reach * body.head * max(1.0, body.head_aspect),
        "hand": max(2.2 * body.arm_radius, 1.3 * body.hand),
        "toe": 1.2 * body.leg_radius,
        "shoulder": max(radius, body.arm_radius),
        "elbow": radius,
        "wrist": max(radius, body.hand),
        "pelvis": body.hip + leg,
        "spine": body.waist,
        "neck": body.shoulder,
    }
    return np.array([sizes.get(name.split("_")[-1], leg) + figure.ink_width for name in JOINTS])


# Data sets --------------------------------------------------------------------------------


def write_dataset(
    out: Path,
    *,
    clips: int,
    test_clips: int,
    seed: int,
    size: int = 128,
    frames: int = 64,
    fps: float = 25.0,
    clips_per_identity: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write clips of many figures, those of training and test sharing no seed.

    Args:
        out: folder; receives train/figNNNNN#NNN.mp4, test/..., test_alpha/....npz (`alpha`)
            and manifest.json with the seeds. The part of a name before '#' is the identity.
        clips: number of training clips.
        test_clips: number of test clips.
        seed: another seed gives other figures, motions and backgrounds.
        clips_per_identity: clips that show the same figure, each with its own motion and scene.
        progress: called with (clips done, clips in all).
    """
    out = Path(out)
    plan = [
        *_plan("train", clips, clips_per_identity, 2 * seed),
        *_plan("test", test_clips, clips_per_identity, 2 * seed + 1),
    ]
    for folder in ("train", "test", "test_alpha"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    for done, entry in enumerate(plan, start=1):
        seeds = {
            f"{part}_seed": entry[f"{part}_seed"] for part in ("figure", "motion", "background")
        }
        clip = render_clip(**seeds, frames=frames, size=size, fps=fps)
        _write_video(out / entry["split"] / f"{entry['name']}.mp4", clip.frames, fps)
        if entry["split"] == "test":
            np.savez_compressed(out / "test_alpha" / f"{entry['name']}.npz", alpha=clip.alpha)
        if progress is not None:
            progress(done, len(plan))
    manifest = {"seed": seed, "size": size, "frames": frames, "fps": fps, "clips": plan}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _plan(split: str, clips: int, clips_per_identity: int, block: int) -> list[dict[str, Any]]:
    """Names and seeds; every block holds a million seeds of its own."""
    first = 1_000_000 * block
    plan = []
    for index in range(clips):
        identity, take = divmod(index, clips_per_identity)
        plan.append(
            {
                "split": split,
                "name": f"fig{identity:05d}#{take:03d}",
                "figure_seed": first + identity,
                "motion_seed": first + index,
                "background_seed": first + index,
            }
        )
    return plan


def _write_video(path: Path, frames: Array, fps: float) -> None:
    height, width = frames.shape[1:3]
    rate = Fraction(fps).limit_denominator(1001)
    with open_writer(path, width=width, height=height, fps=rate) as writer:
        for frame in frames:
            writer.write(frame)
