"""Frames in and out of files: the only place with uint8 pictures."""

from maskmotion.media.convert import to_tensor, to_uint8
from maskmotion.media.frames import Frame, VideoInfo
from maskmotion.media.reader import VideoReader, is_video, open_video
from maskmotion.media.still import Still, read_still, save_png
from maskmotion.media.writer import VideoWriter, open_writer

__all__ = [
    "Frame",
    "Still",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "is_video",
    "open_video",
    "open_writer",
    "read_still",
    "save_png",
    "to_tensor",
    "to_uint8",
]
