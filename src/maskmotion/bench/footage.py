"""What is painted in a benchmark: drawn figures, as pictures and as a video file."""

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from maskmotion.media import open_writer, save_png
from maskmotion.synth.puppets import render_background, render_clip

WIDTH, HEIGHT, FRAMES = 1920, 1080, 100
DRAWN_PX = 360  # then enlarged: drawing is what takes longest
GRAIN = 2.0  # grey levels, as of a camera: decoding costs little where nothing changes
NAMES = SOURCE, DRIVING, SCENE = "source.png", "driving.mp4", "scene.png"


class Pictures(NamedTuple):
    """source and scene (S, S, 3), squares (B, S, S, 3), all uint8."""

    source: np.ndarray
    squares: np.ndarray
    scene: np.ndarray


@cache
def pictures(size: int, count: int) -> Pictures:
    """The same pictures every time.

    Args:
        size: S, px.
        count: driving frames.
    """
    clip = render_clip(figure_seed=1, motion_seed=1, background_seed=1, frames=count, size=size)
    other = render_clip(figure_seed=2, motion_seed=2, background_seed=2, frames=1, size=size)
    return Pictures(other.frames[0], clip.frames, render_background(3, size))


def write_files(folder: Path) -> None:
    """Write SOURCE, a picture, DRIVING, H.264 of 1920x1080, and SCENE, a new background."""
    still = pictures(DRAWN_PX, 1)
    save_png(folder / SOURCE, _enlarged(still.source))
    save_png(folder / SCENE, _wide(_enlarged(still.scene)))
    with open_writer(folder / DRIVING, width=WIDTH, height=HEIGHT, fps=Fraction(25)) as writer:
        for frame in _filmed(pictures(DRAWN_PX, FRAMES // 2).squares):
            writer.write(frame)


def _filmed(drawn: np.ndarray) -> Iterator[np.ndarray]:
    """Drawn frames there and back, large, wide and with grain: (HEIGHT, WIDTH, 3) uint8."""
    rng = np.random.default_rng(0)
    slack = 64
    grain = rng.normal(0, GRAIN, (HEIGHT + slack, WIDTH + slack, 1)).round().astype(np.int16)
    for frame in (*drawn, *drawn[::-1]):
        top, left = rng.integers(0, slack, 2)
        noisy = _wide(_enlarged(frame)) + grain[top : top + HEIGHT, left : left + WIDTH]
        yield noisy.clip(0, 255).astype(np.uint8)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((HEIGHT, HEIGHT), Image.Resampling.BICUBIC))


def _wide(picture: np.ndarray) -> np.ndarray:
    """(HEIGHT, HEIGHT, 3) -> (HEIGHT, WIDTH, 3), mirrored at its sides."""
    side = (WIDTH - HEIGHT) // 2
    return np.pad(picture, ((0, 0), (side, side), (0, 0)), mode="reflect")
