"""Write videos of every kind, atomically: they appear complete or not at all."""

import os
import re
from fractions import Fraction
from pathlib import Path
from typing import Self

import numpy as np

from maskmotion.errors import MediaError, ShapeError
from maskmotion.media.files import remove, temporary_beside, writing
from maskmotion.media.kinds import kind_of
from maskmotion.media.sinks import FileSink, FolderSink, Sink

_FRAME_NAME = re.compile(r"\d+\.png")


def is_folder_of_frames(path: str | Path) -> bool:
    """Whether an output is a folder of numbered frames: no ending, or a slash behind it."""
    return str(path).endswith(("/", os.sep)) or not Path(path).suffix


def open_writer(
    path: str | Path,
    *,
    width: int,
    height: int,
    fps: Fraction,
    alpha: bool = False,
    audio_from: str | Path | None = None,
    max_duration_s: float | None = None,
) -> "VideoWriter":
    """Open a video for writing; the path's ending says of which kind.

    .mp4, .mov and .mkv hold H.264 and .webm VP9; with alpha, .mov ProRes 4444 and .webm VP9. .gif,
    .webp and .png are animations that loop for ever. A path without an ending, or with a slash at
    its end, becomes a folder of numbered PNG frames.

    Args:
        path: where to; missing folders are made. What is there is replaced at the end.
        width: of the frames in px.
        height: of the frames in px; H.264 and VP9 repeat the last row or column of odd sizes.
        fps: the rate of frames written without a time; the last frame is shown for 1 / fps unless
            it is written with a duration.
        alpha: whether transparency is kept.
        audio_from: a clip whose sound is taken, in step with its first frame and no longer than
            the frames written. A silent clip is no error, nor a kind of file without sound.
        max_duration_s: where the sound ends at the latest.
    Returns:
        A writer, to be used in a `with` statement; left by an exception, it leaves nothing behind.
    Raises:
        MediaError: the ending is unknown or cannot keep alpha, the path cannot be written, or
            `audio_from` is missing.
    """
    is_folder = is_folder_of_frames(path)
    path = Path(path)
    temporary = temporary_beside(path)
    sink: Sink
    if is_folder:
        _require_frames_folder(path)
        sink = FolderSink(temporary)
    elif path.is_dir():
        raise MediaError(f"{path} is a folder; choose another name for the video.")
    else:
        kind = kind_of(path, alpha)
        rate = Fraction(fps).limit_denominator(1001)
        sound = None if audio_from is None else Path(audio_from)
        sink = FileSink(temporary, kind, (height, width), rate, sound, max_duration_s)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return VideoWriter(path, temporary, sink, (height, width), Fraction(fps), alpha)


class VideoWriter:
    """Frames on their way into a video, which appears when the `with` block is left."""

    def __init__(
        self,
        path: Path,
        temporary: Path,
        sink: Sink,
        size: tuple[int, int],
        fps: Fraction,
        alpha: bool,
    ) -> None:
        self.path = path
        self._temporary = temporary
        self._sink = sink
        self._size = size
        self._frame_s = self._last_frame_s = 1 / fps
        self._alpha = alpha
        self._last_s: Fraction | None = None

    def write(
        self,
        image: np.ndarray,
        alpha: np.ndarray | None = None,
        time_s: float | None = None,
        duration_s: float | None = None,
    ) -> None:
        """Append a frame.

        Args:
            image: (H, W, 3) uint8 RGB.
            alpha: (H, W) uint8, by default opaque; unused unless the writer was opened with alpha.
            time_s: when the frame is shown; by default when the one before ends.
            duration_s: how long it is shown if it is the last, or if the next one comes without a
                time; by default 1 / fps.
        Raises:
            ShapeError: the frame is not of the size that the writer was opened with.
            MediaError: the time is not after the frame before, the duration is not above 0, or the
                frame cannot be written.
        """
        if image.shape != (*self._size, 3) or (alpha is not None and alpha.shape != self._size):
            raise ShapeError(f"{self.path}: expected {(*self._size, 3)}, got {image.shape}")
        time = self._end_s() if time_s is None else Fraction(time_s)
        if self._last_s is not None and time <= self._last_s:
            raise MediaError(
                f"{self.path}: a frame at {float(time):.3f} s cannot follow one at "
                f"{float(self._last_s):.3f} s; give rising times."
            )
        if duration_s is not None and not duration_s > 0:
            raise MediaError(f"{self.path}: a frame cannot be shown for {duration_s} s")
        if self._alpha:
            opaque = np.full(self._size, 255, np.uint8)
            image = np.dstack([image, opaque if alpha is None else alpha])
        with writing(self.path):
            self._sink.append(image, time)
        self._last_s = time
        self._last_frame_s = self._frame_s if duration_s is None else Fraction(duration_s)

    def close(self) -> None:
        """Complete the video and put it in place.

        Raises:
            MediaError: no frame was written, or the disk does not take the rest.
        """
        try:
            if self._last_s is None:
                raise MediaError(f"{self.path} is not written, for it got no frames.")
            with writing(self.path):
                self._sink.finish(self._end_s())
                self._sink.close()
                _put_in_place(self._temporary, self.path)
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop what is not complete; what was at the path before stays."""
        self._sink.close()
        remove(self._temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def _end_s(self) -> Fraction:
        return Fraction(0) if self._last_s is None else self._last_s + self._last_frame_s


def _put_in_place(temporary: Path, path: Path) -> None:
    if not temporary.is_dir():
        temporary.replace(path)
        return
    _require_frames_folder(path)
    old = temporary_beside(path)
    if path.exists():
        path.rename(old)
    temporary.rename(path)
    remove(old)


def _require_frames_folder(path: Path) -> None:
    """Only a folder of numbered frames, or an empty one, may be replaced."""
    if not path.exists():
        return
    if not path.is_dir():
        raise MediaError(f"{path} is a file; choose another name for the folder of frames.")
    if not all(_FRAME_NAME.fullmatch(entry.name) for entry in path.iterdir()):
        raise MediaError(
            f"{path} holds other things than numbered frames; choose a new or empty folder."
        )
