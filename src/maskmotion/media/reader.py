"""Open anything that moves: video files, animations, folders and strips of frames."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Self, cast
from weakref import WeakSet

from maskmotion.errors import MediaError
from maskmotion.media import pictures, streams
from maskmotion.media.frames import Frame, VideoInfo
from maskmotion.media.still import PICTURE_ENDINGS


class VideoReader:
    """A video's frames, one at a time; each `iter` starts again at the first.

    Attributes:
        info: size, rate and length.
    """

    def __init__(
        self,
        info: VideoInfo,
        frames: Callable[[], Iterator[Frame]],
        reduced: Callable[[int], Iterator[Frame]] | None = None,
    ) -> None:
        self.info = info
        self._frames = frames
        self._reduced = reduced
        self._running: WeakSet[Generator[Frame]] = WeakSet()

    def __iter__(self) -> Iterator[Frame]:
        return self._started(self._frames())

    def reduced(self, factor: int) -> Iterator[Frame]:
        """As `iter`, with pictures about `factor` times smaller each way, where that saves time.

        Converting a large frame of a video file to RGB takes longer than decoding it. Elsewhere the
        pictures are whole, so ask each for its shape.
        """
        if self._reduced is None or factor == 1:
            return iter(self)
        return self._started(self._reduced(factor))

    def _started(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        running = cast(Generator[Frame], frames)
        self._running.add(running)
        return running

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; iterations that are still running end."""
        for running in list(self._running):
            running.close()


def open_video(path: str | Path, *, threads: int = 0) -> VideoReader:
    """Open a video for reading, frame by frame.

    Reads whatever FFmpeg decodes; animated GIF, WebP, PNG and AVIF; a folder of pictures of one
    size; and a picture whose width is a multiple of its height, as square frames side by side.
    Frames come as displayed: upright, with square pixels, in the range and primaries of sRGB.

    Args:
        path: the file or folder.
        threads: that decode a video file; 0: as many as FFmpeg sees fit.
    Returns:
        A reader: `info`, and an iterable of `Frame`; use it in a `with` statement.
    Raises:
        MediaError: the path is missing, broken, too large, or has no moving pictures.
    """
    path = Path(path)
    if path.is_dir():
        return VideoReader(*pictures.open_folder(path))
    if path.suffix.lower() in PICTURE_ENDINGS:
        return VideoReader(*pictures.open_picture_video(path))
    info = streams.probe(path)
    return VideoReader(
        info,
        lambda: streams.decode(info, threads),
        lambda factor: streams.decode(info, threads, factor),
    )


def is_video(path: str | Path) -> bool:
    """Whether a path names moving pictures, by its ending and, for a picture, its frames.

    A folder is a video, and so is an animation with more than one frame; a strip of frames is a
    still here, for it cannot be told from a wide picture.

    Raises:
        MediaError: the path is missing, or a broken picture.
    """
    path = Path(path)
    if not path.exists():
        raise MediaError(f"{path} does not exist; check the path.")
    if path.is_dir() or path.suffix.lower() not in PICTURE_ENDINGS:
        return True
    return pictures.is_animated(path)
