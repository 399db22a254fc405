"""Clips whose frames are decoded when they are asked for: for sets too large to keep decoded."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from maskmotion.data.clips import Clip
from maskmotion.data.store import (
    NO_ROOM,
    STORE_VERSION,
    require_length,
    require_same_length,
    require_same_size,
    spread,
    square,
    summary,
)
from maskmotion.durable import write_atomically
from maskmotion.errors import DataError
from maskmotion.media import FrameIndex, FrameReader, VideoInfo, index_frames, on_white
from maskmotion.media.frames import DEFAULT_FPS

OPEN_BYTES = 2**28  # that decoders kept open may take
OPEN_FILES = 64  # some systems let a process open 256
DECODER_BYTES = 2**20  # of a decoder, as measured, besides its frames
FRAMES_BYTES_PER_PIXEL = 20  # of the frames that a decoder keeps, likewise


class OpenVideos:
    """Video files kept open between frames, few enough for the memory; for any number of threads.

    Args:
        room_bytes: that all decoders which are not in use may take.
    """

    def __init__(self, room_bytes: int = OPEN_BYTES) -> None:
        self._room_bytes = room_bytes
        self._lock = Lock()
        self._idle: OrderedDict[Path, tuple[FrameReader, int]] = OrderedDict()

    @contextmanager
    def reader(self, index: FrameIndex) -> Iterator[FrameReader]:
        """A reader of one file, nobody else's meanwhile; files used last stay open."""
        with self._lock:
            reader, _ = self._idle.pop(index.info.path, (None, 0))
        reader = reader or FrameReader(index)
        try:
            yield reader
        except BaseException:
            reader.close()
            raise
        pixels = index.info.width * index.info.height
        self._keep(index.info.path, reader, DECODER_BYTES + FRAMES_BYTES_PER_PIXEL * pixels)

    def close(self) -> None:
        """Close all files; they open again when they are asked for."""
        with self._lock:
            for reader, _ in self._idle.values():
                reader.close()
            self._idle.clear()

    def _keep(self, path: Path, reader: FrameReader, size_bytes: int) -> None:
        with self._lock:
            if path in self._idle:  # another thread has given one back meanwhile
                reader.close()
                return
            self._idle[path] = reader, size_bytes
            while len(self._idle) > OPEN_FILES or self._held_bytes() > self._room_bytes:
                _, (oldest, _) = self._idle.popitem(last=False)
                oldest.close()

    def _held_bytes(self) -> int:
        return sum(size_bytes for _, size_bytes in self._idle.values())


class VideoClip:
    """A video file that is read like a `StoredClip`, with the same frames bit for bit.

    identity, motion, still, has_alpha, length and size are those of `StoredClip`.

    Args:
        source: a video file.
        path: its index, as `index_clip` wrote it.
        videos: where the file stays open.
        alpha: the grey video of its true alpha, at the same size.
    Raises:
        DataError: the index is broken.
        MediaError: the alpha is of other frames.
    """

    def __init__(
        self,
        source: Clip,
        path: Path,
        videos: OpenVideos,
        alpha: "VideoClip | None" = None,
    ) -> None:
        try:
            self._file = safe_open(path, framework="np")
            about = self._file.metadata()
            self.still = about["still"] == "yes"
            width, height = int(about["width"]), int(about["height"])
            transparent = about["alpha"] == "yes"
            matrix, times, fingerprints, keys = map(
                self._file.get_tensor, ("matrix", "times", "fingerprints", "keys")
            )
            self.size: int = self._file.get_slice("median").get_shape()[0]
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"the index {path} is broken ({error}); delete it") from None
        self.length = len(times)
        self.identity = source.identity
        self.motion = source.motion
        info = VideoInfo(
            source.path, width, height, DEFAULT_FPS, len(times), None, False, transparent
        )
        self._index = FrameIndex(info, matrix, times, fingerprints, keys)
        self._videos = videos
        self._alpha = alpha
        self.has_alpha = alpha is not None
        if alpha is not None:
            require_same_size(source.path, info, alpha._index.info)
            require_same_length(source.path, self.length, alpha.length)

    @property
    def median(self) -> np.ndarray:
        """The temporal median, (S, S, 3) uint8."""
        return self._file.get_tensor("median")

    def frame(self, index: int) -> np.ndarray:
        """Frame number `index`, (S, S, 3) uint8.

        Raises:
            MediaError: the file is gone, or not what was indexed.
        """
        with self._videos.reader(self._index) as reader:
            return square(on_white(*reader.frame(index)), self.size)

    def alpha(self, index: int) -> np.ndarray:
        """True alpha of a frame, (S, S) uint8, 255 = foreground; only where `has_alpha`.

        Raises:
            MediaError: the file is gone, or not what was indexed.
        """
        assert self._alpha is not None
        return self._alpha.frame(index)[..., 0]


def index_clip(source: Path, size: int, path: Path) -> bool:
    """Write what `VideoClip` needs to know of a video file: some 12 bytes a frame, and the median.

    Args:
        source: the video file.
        size: side of the frames, px.
        path: the index; it appears complete or not at all.
    Returns:
        Whether its frames can be read in any order; nothing is written where they cannot.
    Raises:
        MediaError: the clip cannot be read, or is too short.
        DataError: the index cannot be written.
    """
    index = index_frames(source)
    if index is None:
        return False
    require_length(source, len(index.times))
    with FrameReader(index) as reader:
        numbers = spread(len(index.times))
        picked = np.stack([square(on_white(*reader.frame(int(i))), size) for i in numbers])
    median, still = summary(picked)
    tensors = {
        "matrix": index.matrix,
        "times": index.times,
        "fingerprints": index.fingerprints,
        "keys": index.keys,
        "median": median,
    }
    about = {
        "version": str(STORE_VERSION),
        "still": "yes" if still else "no",
        "width": str(index.info.width),
        "height": str(index.info.height),
        "alpha": "yes" if index.info.has_alpha else "no",
    }
    try:
        write_atomically(path, lambda p: save_file(tensors, p, metadata=about))
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be written ({error}); {NO_ROOM}") from None
    return True
