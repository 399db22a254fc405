"""What happens in footage, seen on thumbnails: scene changes, stillness, moving cameras."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
import torch
from PIL import Image

from maskmotion.data.motion import is_still_camera

THUMBNAIL_PX = 96  # its longer side
CELL_PX = 4  # cuts are sought on means of so many thumbnail pixels squared
CUT_CHANGE = 0.1  # a cell changes when a channel's mean does by more than this
CUT_SHARE = 0.5  # of cells that change at a cut
CUT_SUDDEN = 2.5  # times the usual change between frames around it
REACH = 6  # frames looked at before and after a cut
SAMPLED = 25  # frames that motion is judged from, at least, where there are so many
MOVED_CHANGE = 0.1  # a pixel moves when a channel is this far from usual
STATIC_SHARE = 0.002  # of the pixels that ever move; less is a still picture


def centre_square(height: int, width: int) -> tuple[int, int, int]:
    """The largest square in the middle of a picture: left, top, side."""
    side = min(height, width)
    return (width - side) // 2, (height - side) // 2, side


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Reduce a picture with a low-pass: (H, W, 3) uint8 -> the longer side 96 px or less."""
    height, width = image.shape[:2]
    scale = min(1.0, THUMBNAIL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


@dataclass(frozen=True)
class _Seen:
    """A frame in the window: its thumbnail, cells (h, w, 3), and change since the one before."""

    thumbnail: np.ndarray
    cells: np.ndarray
    change: float | None


def mark_cuts(thumbnails: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    """Each thumbnail, and whether a new scene begins with it; a few frames are held at a time.

    A scene changes where most of the picture becomes another one, at once and for good: neither a
    fast motion nor a flash is a cut, and neither is a jump in time before the same background.
    Slow fades are not found.

    Args:
        thumbnails: (h, w, 3) uint8 of `thumbnail`, all of one size.
    """
    window: deque[_Seen | None] = deque([None] * (2 * REACH + 1), maxlen=2 * REACH + 1)
    last: _Seen | None = None
    for picture in chain(thumbnails, repeat(None, REACH)):
        if picture is None:
            window.append(None)
        else:
            cells = _cells(picture)
            change = None if last is None else float(np.abs(cells - last.cells).mean())
            last = _Seen(picture, cells, change)
            window.append(last)
        judged = window[REACH]
        if judged is not None:
            yield judged.thumbnail, _begins_scene(list(window))


def _cells(picture: np.ndarray) -> np.ndarray:
    """Means of squares of pixels, (h, w, 3) in [0, 1]."""
    height, width = (max(1, round(side / CELL_PX)) for side in picture.shape[:2])
    small = Image.fromarray(picture).resize((width, height), Image.Resampling.BOX)
    return np.asarray(small).astype(np.float32) / 255


def _begins_scene(window: list[_Seen | None]) -> bool:
    """Whether the frame in the middle of the window is unlike all that came before."""
    before = [seen.cells for seen in window[:REACH] if seen]
    after = [seen.cells for seen in window[REACH:] if seen]
    judged = window[REACH]
    if not before or judged is None or judged.change is None:
        return False
    # The frames two steps away, too: what comes back after a flash is the same scene.
    pairs = [(a, b) for a in before[-1:] + before[-3:-2] for b in after[:1] + after[2:3]]
    if min(_changed_share(a, b) for a, b in pairs) < CUT_SHARE:
        return False
    others = [s.change for s in window[:REACH] + window[REACH + 1 :] if s and s.change is not None]
    return not others or judged.change > CUT_SUDDEN * float(np.median(others))


def _changed_share(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.abs(a - b).max(-1) > CUT_CHANGE).mean())


class Spread:
    """Frames spread evenly over a stream of unknown length, in memory that does not grow.

    Between `SAMPLED` and twice as many are kept, where there were so many: one of each stretch of
    the stream, drawn at random (the same each time), since a loop sampled in step with itself
    would seem to stand still.
    """

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []
        self._rng = np.random.default_rng(0)
        self._stretch = 1
        self._count = 0
        self._wanted = 0  # frame of the present stretch

    def add(self, frame: np.ndarray) -> None:
        """Take the stream's next frame."""
        if self._count % self._stretch == 0:
            if len(self.kept) == 2 * SAMPLED:
                self.kept = [
                    pair[self._rng.integers(2)]
                    for pair in zip(self.kept[::2], self.kept[1::2], strict=True)
                ]
                self._stretch *= 2
            self._wanted = self._count + int(self._rng.integers(self._stretch))
        if self._count == self._wanted:
            self.kept.append(frame)
        self._count += 1

    def frames(self, count: int = SAMPLED) -> np.ndarray:
        """At most `count` of the kept frames, evenly spread: (T, h, w, 3) uint8."""
        picked = np.linspace(0, len(self.kept) - 1, min(count, len(self.kept))).astype(int)
        return np.stack([self.kept[i] for i in picked])


@dataclass(frozen=True)
class Motion:
    """How a scene moves.

    time_share: (h, w) in [0, 1], the share of frames in which a pixel is not as usual; camera_still
    as training sees it; static: nothing moves at all.
    """

    time_share: np.ndarray
    camera_still: bool

    @property
    def static(self) -> bool:
        return bool((self.time_share > 0).mean() < STATIC_SHARE)


def judge_motion(frames: np.ndarray) -> Motion:
    """How thumbnails spread over a scene, (T, h, w, 3) uint8, differ from their temporal median."""
    median = np.median(frames, axis=0).astype(np.uint8)
    # Not blurred like training's motion target, which would hide what is small in the picture.
    change = np.abs(frames.astype(np.int16) - median).max(-1) / 255
    still = is_still_camera(torch.from_numpy(frames), torch.from_numpy(median))
    return Motion((change > MOVED_CHANGE).mean(0), still)
