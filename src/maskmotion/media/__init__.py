"""Frames in and out of files: the only place with uint8 pictures."""

from maskmotion.media.convert import on_white, to_tensor, to_uint8
from maskmotion.media.frames import Frame, VideoInfo
from maskmotion.media.reader import VideoReader, is_video, open_video
from maskmotion.media.seek import FrameIndex, FrameReader, index_frames
from maskmotion.media.still import PICTURE_ENDINGS, Still, read_still, save_png
from maskmotion.media.streams import VIDEO_ENDINGS
from maskmotion.media.writer import VideoWriter, is_folder_of_frames, open_writer

__all__ = [
    "PICTURE_ENDINGS",
    "VIDEO_ENDINGS",
    "Frame",
    "FrameIndex",
    "FrameReader",
    "Still",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "index_frames",
    "is_folder_of_frames",
    "is_video",
    "on_white",
    "open_video",
    "open_writer",
    "read_still",
    "save_png",
    "to_tensor",
    "to_uint8",
]
