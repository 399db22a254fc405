"""New backgrounds: a picture, a video looped or cut to length, a colour, or none at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import ImageColor

from maskmotion.errors import InputError, MediaError
from maskmotion.media import Frame, VideoReader, is_video, on_white, open_video, read_still
from maskmotion.media.fit import cover, reduction_for

TRANSPARENT = "transparent"


class Backdrop(Protocol):
    """A background in time, fitted to a canvas of H x W pixels.

    still: (H, W, 3) uint8 RGB, or None where it moves and `at` is to be asked.
    """

    still: np.ndarray | None

    def at(self, time_s: float) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB, the frame shown at a time; times rise. None for a still."""


class StillBackdrop:
    """A picture or a colour, (H, W, 3) uint8 RGB."""

    def __init__(self, picture: np.ndarray) -> None:
        self.still: np.ndarray | None = picture

    def at(self, time_s: float) -> None:
        """None: the picture does not move."""


class VideoBackdrop:
    """A video, started again when it ends; one frame is held at a time.

    Args:
        reader: of the video.
        height: of the canvas, px.
        width: of the canvas, px.
    """

    still: np.ndarray | None = None

    def __init__(self, reader: VideoReader, height: int, width: int) -> None:
        self.reader = reader
        self.height, self.width = height, width
        own_height, own_width = reader.info.height, reader.info.width
        self._reduction = min(reduction_for(own_height, height), reduction_for(own_width, width))
        self._frames = self._started()
        self._start_s = 0.0  # when the running round began
        self._frame = self._first()
        self._fitted: tuple[Frame, np.ndarray] | None = None  # shown until the next frame's time

    def at(self, time_s: float) -> np.ndarray:
        """The frame shown at a time, (H, W, 3) uint8 RGB; times rise."""
        while time_s >= self._start_s + self._frame.time_s + self._frame.duration_s - 1e-6:
            following = next(self._frames, None)
            if following is None:
                self._start_s += self._frame.time_s + self._frame.duration_s
                self._frames = self._started()
                following = self._first()
            self._frame = following
        if self._fitted is None or self._fitted[0] is not self._frame:
            shown = on_white(self._frame.image, self._frame.alpha)
            self._fitted = self._frame, cover(shown, self.height, self.width)
        return self._fitted[1]

    def _started(self) -> Iterator[Frame]:
        return self.reader.reduced(self._reduction)

    def _first(self) -> Frame:
        frame = next(self._frames, None)
        if frame is None or frame.duration_s <= 0:
            raise MediaError(f"the background {self.reader.info.path} has no frames to show")
        return frame


@contextmanager
def open_backdrop(background: str | Path, height: int, width: int) -> Iterator[Backdrop]:
    """Open a background: a path of a picture or video, or a colour such as "#20c040" or "navy".

    Args:
        background: what to open.
        height: of the canvas that it is to cover, px.
        width: of the canvas, px.
    Raises:
        InputError: neither a file nor a colour.
        MediaError: the file cannot be read.
    """
    path = Path(background)
    if not str(background) or not path.exists():  # "" would be this folder
        colour = np.array(_colour(str(background)), np.uint8)
        yield StillBackdrop(np.broadcast_to(colour, (height, width, 3)))
    elif is_video(path):
        with open_video(path) as reader:
            yield VideoBackdrop(reader, height, width)
    else:
        still = read_still(path)
        yield StillBackdrop(cover(on_white(still.image, still.alpha), height, width))


def _colour(text: str) -> tuple[int, ...]:
    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise InputError(
            f"the background {text!r} is neither a file nor a colour; give a picture, a video, "
            f"a colour such as '#20c040' or 'navy', or {TRANSPARENT!r}"
        ) from None
