"""New backgrounds: a picture, a video looped or cut to length, a colour, or none at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import ImageColor
from torch import Tensor

from maskmotion.errors import InputError, MediaError
from maskmotion.media import (
    Frame,
    VideoReader,
    is_video,
    on_white,
    open_video,
    read_still,
    to_tensor,
)

TRANSPARENT = "transparent"
COLOUR_SIDE_PX = 16


class Backdrop(Protocol):
    """A background in time: still (1, 3, H, W), or None where it moves and `at` is to be asked.

    `size_px` is the number of pixels of one picture.
    """

    still: Tensor | None
    size_px: int

    def at(self, times_s: list[float]) -> Tensor | None:
        """(B, 3, H, W) frames shown at rising times; None for a still."""


class StillBackdrop:
    """A picture or a colour, (1, 3, H, W) RGB in [0, 1]."""

    def __init__(self, picture: Tensor) -> None:
        self.still: Tensor | None = picture
        self.size_px = picture.shape[-2] * picture.shape[-1]

    def at(self, times_s: list[float]) -> Tensor | None:
        """None: the picture does not move."""
        return None


class VideoBackdrop:
    """A video, started again when it ends; one frame is held at a time."""

    still: Tensor | None = None

    def __init__(self, reader: VideoReader) -> None:
        self.reader = reader
        self.size_px = reader.info.height * reader.info.width
        self._frames: Iterator[Frame] = iter(reader)
        self._start_s = 0.0  # when the running round began
        self._frame = self._first()

    def at(self, times_s: list[float]) -> Tensor | None:
        """Frames shown at rising times, (B, 3, H, W) RGB in [0, 1]."""
        return to_tensor([self._at(time) for time in times_s])

    def _at(self, time_s: float) -> np.ndarray:
        while time_s >= self._start_s + self._frame.time_s + self._frame.duration_s - 1e-6:
            following = next(self._frames, None)
            if following is None:
                self._start_s += self._frame.time_s + self._frame.duration_s
                self._frames = iter(self.reader)
                following = self._first()
            self._frame = following
        return on_white(self._frame.image, self._frame.alpha)

    def _first(self) -> Frame:
        frame = next(self._frames, None)
        if frame is None or frame.duration_s <= 0:
            raise MediaError(f"the background {self.reader.info.path} has no frames to show")
        return frame


@contextmanager
def open_backdrop(background: str | Path) -> Iterator[Backdrop]:
    """Open a background: a path of a picture or video, or a colour such as "#20c040" or "navy".

    Raises:
        InputError: neither a file nor a colour.
        MediaError: the file cannot be read.
    """
    path = Path(background)
    if not path.exists():
        yield StillBackdrop(_colour(str(background)))
    elif is_video(path):
        with open_video(path) as reader:
            yield VideoBackdrop(reader)
    else:
        still = read_still(path)
        yield StillBackdrop(to_tensor([on_white(still.image, still.alpha)]))


def _colour(text: str) -> Tensor:
    try:
        rgb = ImageColor.getrgb(text)[:3]
    except ValueError:
        raise InputError(
            f"the background {text!r} is neither a file nor a colour; give a picture, a video, "
            f"a colour such as '#20c040' or 'navy', or {TRANSPARENT!r}"
        ) from None
    side = COLOUR_SIDE_PX
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, side, side).float() / 255
