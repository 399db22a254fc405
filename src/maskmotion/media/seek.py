"""Single frames of a video file in any order, exactly as reading it from its beginning gives them.

Where a seek lands is up to the container, and a frame flagged as a key may still hang on others
before it. So one pass over the file leaves each frame's time and a fingerprint of its pixels, and
a frame counts as found only when both agree; else the reader starts farther back.
"""

import math
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from maskmotion.errors import MediaError
from maskmotion.media.files import require_file
from maskmotion.media.frames import VideoInfo
from maskmotion.media.streams import (
    decoded,
    decoder_of,
    display_matrix,
    displayed,
    open_container,
    open_input,
    packets,
    probe,
    require_picture_stream,
)

# More would decode frames beyond the one that is wanted, and fill damaged ones in otherwise.
THREADS = 1


@dataclass(frozen=True)
class FrameIndex:
    """What one pass over a video file leaves behind.

    info: the video; matrix: (2, 2) from stored to displayed coordinates; times: (T,) int64, when
    each frame is shown, in the stream's ticks; fingerprints: (T,) uint32; keys: (K,) int64, times
    of the frames that decoding can begin with.
    """

    info: VideoInfo
    matrix: np.ndarray
    times: np.ndarray
    fingerprints: np.ndarray
    keys: np.ndarray


def index_frames(path: Path) -> FrameIndex | None:
    """Decode a video file once, without converting its frames.

    Args:
        path: what `open_video` hands to FFmpeg: no pictures, no folder.
    Returns:
        The index; None where frames are damaged, or have no times of their own in rising order.
    Raises:
        MediaError: as `open_video`.
    """
    info = probe(path)
    times: list[int] = []
    fingerprints: list[int] = []
    keys: set[int] = set()
    matrix = np.eye(2)
    with open_container(path) as container:
        stream = require_picture_stream(container, path)
        decoder = decoder_of(stream, THREADS)
        for packet in packets(container, stream):
            if packet is not None and packet.is_keyframe and packet.pts is not None:
                keys.add(packet.pts)
            for frame in decoded(decoder, packet):
                # The decoder fills a damaged frame in by what it saw last, so never alike.
                if frame.pts is None or (times and frame.pts <= times[-1]) or frame.is_corrupt:
                    return None
                if not times:
                    matrix = display_matrix(frame)
                times.append(frame.pts)
                fingerprints.append(_fingerprint(frame))
    return FrameIndex(
        info,
        matrix,
        np.array(times, np.int64),
        np.array(fingerprints, np.uint32),
        np.array(sorted(keys), np.int64),
    )


class FrameReader:
    """An open video file that gives its frames in any order; for one thread at a time.

    Args:
        index: of the file as it is now.
    Raises:
        MediaError: the file is gone or cannot be opened.
    """

    def __init__(self, index: FrameIndex) -> None:
        self._index = index
        self._scaler = VideoReformatter()
        self._wanted = 0  # time of the frame that is looked for
        self._skips = False  # packets before it that no other frame hangs on
        self._shown: int | None = None  # time of the frame given last, where the file stands
        self._frames: Iterator[av.VideoFrame] = iter(())  # those that follow it
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._frames = iter(())
        self._container.close()

    def frame(self, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Frame `number`: `image` and `alpha` as in `Frame`.

        Raises:
            MediaError: the file has changed since it was indexed.
        """
        time = int(self._index.times[number])
        mark = int(self._index.fingerprints[number])
        for frames in self._approaches(time):
            for frame in frames:
                if frame.pts is None or frame.pts < time:
                    continue
                self._shown = frame.pts
                if frame.pts == time and _fingerprint(frame) == mark:
                    index = self._index
                    return displayed(frame, index.info, index.matrix, self._scaler)
                break
        raise MediaError(
            f"{self._index.info.path} does not give the same frames twice; is it being written, "
            "or its disk failing?"
        )

    def _approaches(self, time: int) -> Iterator[Iterator[av.VideoFrame]]:
        """Ways to a frame, the shortest first; the last decodes all that comes before it."""
        self._wanted, self._skips = time, True
        keys = self._index.keys
        last = bisect_right(keys, time) - 1
        nearest = int(keys[last]) if last >= 0 else -math.inf
        if self._shown is not None and nearest <= self._shown < time:
            yield self._frames
        back = 0
        while last - back >= 0:
            yield self._from(int(keys[last - back]))
            back = 2 * back + 1
        self.close()
        self._open()
        self._skips = False
        yield self._frames

    def _open(self) -> None:
        path = self._index.info.path
        require_file(path)
        try:
            self._container = open_input(path)
        except av.FFmpegError as error:
            raise MediaError(f"{path} cannot be opened again ({error.strerror})") from error
        self._stream = require_picture_stream(self._container, path)
        self._decoder = decoder_of(self._stream, THREADS)
        self._shown, self._frames = None, self._following()

    def _from(self, time: int) -> Iterator[av.VideoFrame]:
        try:
            self._container.seek(time, stream=self._stream)
        except av.FFmpegError:
            return iter(())
        self._decoder.flush_buffers()
        self._shown, self._frames = None, self._following()
        return self._frames

    def _following(self) -> Iterator[av.VideoFrame]:
        """Frames from where the file stands; those that nothing hangs on may be left out."""
        for packet in packets(self._container, self._stream):
            unwanted = packet is not None and packet.pts is not None and packet.pts < self._wanted
            self._decoder.skip_frame = "NONREF" if unwanted and self._skips else "DEFAULT"
            yield from decoded(self._decoder, packet)


def _fingerprint(frame: av.VideoFrame) -> int:
    """CRC of the planes, a byte for each pixel; what lies beside the picture is left out."""
    crc = 0
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
        crc = zlib.crc32(np.ascontiguousarray(rows[:, : plane.width]).data, crc)
    return crc
