"""Clips whose frames come back as they were written, value for value: masks and other truth."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from maskmotion.errors import ShapeError
from maskmotion.media.files import remove, temporary_beside, writing
from maskmotion.media.kinds import Encoder, Kind
from maskmotion.media.sinks import FileSink

# One thread, else the same frames may come out as other bytes; the groups are short, so that any
# frame is read quickly.
_H264 = {"qp": "0", "g": "12", "bf": "0", "x264-params": "threads=1"}
# For builds of FFmpeg without x264; its files are half as large again.
_FFV1 = Encoder("ffv1", {"level": "3", "slices": "4", "slicecrc": "1", "g": "1"})
# Matroska marks every file with a random number otherwise.
_ALIKE = {"fflags": "+bitexact"}
_GREY = Kind("matroska", "gray", (Encoder("libx264", {"preset": "medium"} | _H264), _FFV1), _ALIKE)
_COLOUR = Kind(
    "matroska", "bgr0", (Encoder("libx264rgb", {"preset": "veryfast"} | _H264), _FFV1), _ALIKE
)


def save_lossless(path: Path, frames: np.ndarray, fps: Fraction) -> None:
    """Write a .mkv that keeps every value; it appears complete or not at all.

    `open_video` reads it; a grey one comes back as RGB of three equal channels.

    Args:
        path: where to; missing folders are made. What is there is replaced.
        frames: (T, H, W) uint8 grey, 0 to 255, or (T, H, W, 3) uint8 RGB; T is 1 or more.
        fps: frames a second.
    Raises:
        ShapeError: another shape, or no frames.
        MediaError: the file cannot be written.
    """
    if not len(frames) or frames.ndim not in (3, 4) or frames.shape[3:] not in ((), (3,)):
        raise ShapeError(f"{path}: expected (T, H, W) or (T, H, W, 3), got {frames.shape}")
    kind = _GREY if frames.ndim == 3 else _COLOUR
    height, width = frames.shape[1:3]
    rate = Fraction(fps).limit_denominator(1001)
    temporary = temporary_beside(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = FileSink(temporary, kind, (height, width), rate, None, None)
        try:
            for number, frame in enumerate(frames):
                sink.append(frame, number / rate)
            sink.finish(len(frames) / rate)
            sink.close()
            temporary.replace(path)
        finally:
            sink.close()
            remove(temporary)
