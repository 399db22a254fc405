"""What a video consists of, as the rest of the package sees it."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

DEFAULT_FPS = Fraction(25)


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames are read.

    `width` and `height` are those of the displayed picture: rotated, with square pixels. `fps` is
    the average rate. `frames` and `duration_s` are the container's claims, good for a progress bar.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int | None
    duration_s: float | None
    has_audio: bool
    has_alpha: bool


@dataclass(frozen=True)
class Frame:
    """One displayed picture of a video.

    `image` is (H, W, 3) uint8 RGB. `alpha` is (H, W) uint8, 255 = opaque, and None where the video
    has none. `time_s` counts from the first frame, whose time is 0.
    """

    image: np.ndarray
    alpha: np.ndarray | None
    time_s: float
    duration_s: float
