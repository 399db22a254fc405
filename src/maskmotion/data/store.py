"""Clips decoded once into memory-mapped uint8 frames, which training reads without decoding.

A stored clip is a .safetensors file: `frames` (T, S, S, 3), `median` (S, S, 3), and as metadata
`version`, `still`, and whatever its writer wants to remember.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open

from maskmotion.data.motion import is_still_camera
from maskmotion.durable import write_atomically
from maskmotion.errors import DataError, MediaError
from maskmotion.media import on_white, open_video

MEDIAN_FRAMES = 25
MIN_FRAMES = 2
STORE_VERSION = 1  # raise it when stored frames would come out otherwise
HEADER_BYTES = 4096  # frames begin at a page of memory
SPARE_BYTES = 2**28  # that a disk keeps free
NO_ROOM = (
    "free some space, or name a folder on another disk (--set data.cache=FOLDER in training, "
    "--out in packing); the same command goes on"
)


class BrokenClipError(DataError):
    """A stored clip that cannot be read."""


class StoredClip:
    """A decoded clip, read frame by frame from its file without decoding.

    identity: clips of one identity are sampled as one; still: the camera does not move, so that
    |frame - median| shows the object; length: frames; size: their side, px; about: the metadata.

    Raises:
        BrokenClipError: the file is cut off, damaged, or no stored clip.
        DataError: it is of a newer version of maskmotion.
    """

    def __init__(self, path: Path, identity: str) -> None:
        try:
            self._file = safe_open(path, framework="np")
            self._frames = self._file.get_slice("frames")
            self.about: dict[str, str] = self._file.metadata()
            self.still = self.about["still"] == "yes"
            self.length, self.size = self._frames.get_shape()[:2]
            version = int(self.about.get("version", 1))
            if self._file.get_slice("median").get_shape() != [self.size, self.size, 3]:
                raise KeyError("median")
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise BrokenClipError(
                f"the stored clip {path} is broken ({error}); delete it"
            ) from None
        if version > STORE_VERSION:
            raise DataError(
                f"the stored clip {path} is of version {version}, this maskmotion reads "
                f"{STORE_VERSION}; upgrade maskmotion"
            )
        self.identity = identity

    @property
    def median(self) -> np.ndarray:
        """The temporal median, (S, S, 3) uint8; read anew, as a set's would fill the memory."""
        return self._file.get_tensor("median")

    def frame(self, index: int) -> np.ndarray:
        """Frame number `index`, (S, S, 3) uint8."""
        return self._frames[index]


def square(image: np.ndarray, size: int) -> np.ndarray:
    """Centre crop to a square and resize with a low-pass: (H, W, 3) uint8 -> (size, size, 3)."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    crop = image[top : top + side, left : left + side]
    if side == size:
        return crop.copy()  # lets go of the frame's margins
    return np.asarray(Image.fromarray(crop).resize((size, size), Image.Resampling.BICUBIC))


def store_clip(
    source: Path,
    size: int,
    path: Path,
    *,
    about: dict[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Decode a clip into a file that `StoredClip` reads; memory does not grow with its length.

    Args:
        source: what `open_video` reads.
        size: side of the stored square frames, px.
        path: the file; it appears complete or not at all.
        about: more metadata to keep.
        stopped: asked before each frame; once it says yes, nothing is written.
    Raises:
        MediaError: the clip cannot be read, or is too short.
        DataError: the disk is too full, or cannot be written.
    """
    with open_video(source, threads=1) as video:
        _require_room(path.parent, (video.info.frames or 0) * size * size * 3)
        frames = (square(on_white(f.image, f.alpha), size) for f in video if not _halted(stopped))
        try:
            write_atomically(path, lambda p: _write(p, frames, source, size, about or {}))
        except OSError as error:
            raise DataError(f"{path} cannot be written ({error.strerror}); {NO_ROOM}") from None


def summary(picked: np.ndarray) -> tuple[np.ndarray, bool]:
    """The temporal median of a few frames, and whether their camera stands still.

    Args:
        picked: (N, S, S, 3) uint8.
    Returns:
        (S, S, 3) uint8, and True for a still camera.
    """
    median = np.median(picked, axis=0).astype(np.uint8)
    return median, is_still_camera(torch.from_numpy(picked), torch.from_numpy(median))


def spread(length: int) -> np.ndarray:
    """Numbers of the frames, spread over a clip of `length`, that its median is taken of."""
    return np.linspace(0, length - 1, min(MEDIAN_FRAMES, length)).astype(int)


def require_length(source: Path, length: int) -> None:
    """Refuse a clip that is too short for a pair.

    Raises:
        MediaError: it is.
    """
    if length < MIN_FRAMES:
        raise MediaError(f"{source} has {length} frame; a clip needs at least {MIN_FRAMES}")


class StoppedError(Exception):
    """Whoever asked for a clip does not want it any more."""


def _halted(stopped: Callable[[], bool]) -> bool:
    if stopped():
        raise StoppedError
    return False


def _require_room(folder: Path, frames_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < frames_bytes + SPARE_BYTES:
        raise DataError(f"the disk of {folder} is too full for the decoded frames; {NO_ROOM}")


def _write(
    path: Path, frames: Iterator[np.ndarray], source: Path, size: int, about: dict[str, str]
) -> None:
    """The header comes first in the file, but only the last frame tells what stands in it."""
    length = 0
    with path.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        for frame in frames:
            file.write(np.ascontiguousarray(frame).data)
            length += 1
        require_length(source, length)
        file.flush()
        shape = (length, size, size, 3)
        written = np.memmap(path, np.uint8, "r", HEADER_BYTES, shape)
        median, still = summary(written[spread(length)])
        file.write(np.ascontiguousarray(median).data)
        about = {"version": str(STORE_VERSION), "still": "yes" if still else "no"} | about
        file.seek(0)
        file.write(_header(shape, about))


def _header(shape: tuple[int, ...], about: dict[str, str]) -> bytes:
    """The safetensors header, filled up with spaces to HEADER_BYTES."""
    end = int(np.prod(shape))
    entries = {
        "__metadata__": about,
        "frames": {"dtype": "U8", "shape": shape, "data_offsets": [0, end]},
        "median": {
            "dtype": "U8",
            "shape": shape[1:],
            "data_offsets": [end, end + int(np.prod(shape[1:]))],
        },
    }
    room = HEADER_BYTES - 8
    text = json.dumps(entries).encode()
    assert len(text) <= room
    return room.to_bytes(8, "little") + text.ljust(room)
