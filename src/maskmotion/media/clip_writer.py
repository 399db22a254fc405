"""Clips for training: any frame of the file is a few frames away from one that stands alone."""

from fractions import Fraction
from pathlib import Path

from maskmotion.media.files import temporary_beside, writing
from maskmotion.media.kinds import Encoder, Kind
from maskmotion.media.sinks import FileSink
from maskmotion.media.writer import VideoWriter

KEY_EVERY = 12  # frames
CRF = 17
_GROUP = {"g": str(KEY_EVERY), "bf": "0"}
# Else the same frames now and then come out as other bytes on a busy machine.
_ALIKE = {"x264-params": "threads=1:mbtree=0:rc-lookahead=0:weightp=0"}


def open_clip_writer(path: Path, side: int, fps: Fraction, *, crf: int = CRF) -> VideoWriter:
    """Open a silent .mp4 of square frames for writing, whose frames can be read in any order.

    Args:
        path: where to; missing folders are made. What is there is replaced at the end.
        side: of the frames in px, even.
        fps: frames a second.
        crf: H.264's loss, from 0 (none) to 51.
    Returns:
        A writer, to be used in a `with` statement; left by an exception, it leaves nothing behind.
    Raises:
        MediaError: the path cannot be written.
    """
    temporary = temporary_beside(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = Fraction(fps).limit_denominator(1001)
        sink = FileSink(temporary, _kind(crf), (side, side), rate, None, None)
    return VideoWriter(path, temporary, sink, (side, side), rate, alpha=False)


def _kind(crf: int) -> Kind:
    h264 = {"crf": str(crf), "preset": "medium", "sc_threshold": "0"}
    return Kind(
        "mp4",
        "yuv420p",
        (
            Encoder("libx264", h264 | _ALIKE | _GROUP),
            Encoder("libopenh264", {"b": "8M"} | _GROUP),
            Encoder("mpeg4", {"qmin": "2", "qmax": "4"} | _GROUP, Fraction(1, 60_000)),
        ),
        {"movflags": "+faststart"},
    )
