"""Clips decoded once into memory-mapped uint8 frames, which training reads without decoding.

A stored clip is a .safetensors file: `frames` (T, S, S, 3), `median` (S, S, 3), where it is known
the true `alpha` (T, S, S), and as metadata `version`, `still`, and whatever its writer wants to
remember. Readers that know nothing of alpha read the rest, so it is no other version.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open

from maskmotion.data.motion import is_still_camera
from maskmotion.durable import write_atomically
from maskmotion.errors import DataError, MediaError
from maskmotion.media import VideoInfo, on_white, open_video

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

    identity: clips of one identity are sampled as one; motion: clips of one motion move alike;
    still: the camera does not move, so that |frame - median| shows the object; has_alpha: its true
    alpha is known; length: frames; size: their side, px; about: the metadata.

    Raises:
        BrokenClipError: the file is cut off, damaged, or no stored clip.
        DataError: it is of a newer version of maskmotion.
    """

    def __init__(self, path: Path, identity: str, motion: str | None = None) -> None:
        try:
            self._file = safe_open(path, framework="np")
            self._frames = self._file.get_slice("frames")
            self.about: dict[str, str] = self._file.metadata()
            self.still = self.about["still"] == "yes"
            self.length, self.size = self._frames.get_shape()[:2]
            version = int(self.about.get("version", 1))
            if self._file.get_slice("median").get_shape() != [self.size, self.size, 3]:
                raise KeyError("median")
            self.has_alpha = "alpha" in self._file.keys()  # noqa: SIM118, it is no mapping
            if self.has_alpha:
                self._alpha = self._file.get_slice("alpha")
                if self._alpha.get_shape() != [self.length, self.size, self.size]:
                    raise KeyError("alpha")
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
        self.motion = motion or self.about.get("motion")

    @property
    def median(self) -> np.ndarray:
        """The temporal median, (S, S, 3) uint8; read anew, as a set's would fill the memory."""
        return self._file.get_tensor("median")

    def frame(self, index: int) -> np.ndarray:
        """Frame number `index`, (S, S, 3) uint8."""
        return self._frames[index]

    def alpha(self, index: int) -> np.ndarray:
        """True alpha of a frame, (S, S) uint8, 255 = foreground; only where `has_alpha`."""
        return self._alpha[index]


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
    alpha: Path | None = None,
    about: dict[str, str] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Decode a clip into a file that `StoredClip` reads; memory does not grow with its length.

    Args:
        source: what `open_video` reads.
        size: side of the stored square frames, px.
        path: the file; it appears complete or not at all.
        alpha: a grey video of its true alpha, frame by frame; cropped and resized as its frames.
        about: more metadata to keep.
        stopped: asked before each frame; once it says yes, nothing is written.
    Raises:
        MediaError: the clip or its alpha cannot be read, they do not fit together, or it is too
            short.
        DataError: the disk is too full, or cannot be written.
    """
    with open_video(source, threads=1) as video, ExitStack() as stack:
        planes = None
        if alpha is not None:
            truth = stack.enter_context(open_video(alpha, threads=1))
            require_same_size(source, video.info, truth.info)
            planes = (square(f.image, size)[..., 0] for f in truth if not _halted(stopped))
        _require_room(path.parent, (video.info.frames or 0) * size * size * (4 if alpha else 3))
        frames = (square(on_white(f.image, f.alpha), size) for f in video if not _halted(stopped))
        try:
            write_atomically(path, lambda p: _write(p, frames, planes, source, size, about or {}))
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


def require_same_size(source: Path, info: VideoInfo, truth: VideoInfo) -> None:
    """Refuse an alpha of other pixels than the clip's.

    Raises:
        MediaError: their sizes differ.
    """
    if (info.width, info.height) != (truth.width, truth.height):
        raise MediaError(
            f"{truth.path} has {truth.width}x{truth.height} px, but {source} "
            f"{info.width}x{info.height}; make both of the same frames, or remove the former"
        )


def require_same_length(source: Path, length: int, planes: int) -> None:
    """Refuse an alpha of more or fewer frames than the clip's.

    Raises:
        MediaError: their lengths differ.
    """
    if planes != length:
        raise MediaError(
            f"the true alpha of {source} has {planes} frames, but the clip {length}; make both of "
            "the same frames, or remove the former"
        )


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
    path: Path,
    frames: Iterator[np.ndarray],
    planes: Iterator[np.ndarray] | None,
    source: Path,
    size: int,
    about: dict[str, str],
) -> None:
    """The header comes first in the file, but only the last frame tells what stands in it."""
    with path.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        length = _append(file, frames)
        require_length(source, length)
        file.flush()
        shapes: dict[str, tuple[int, ...]] = {"frames": (length, size, size, 3)}
        written = np.memmap(path, np.uint8, "r", HEADER_BYTES, shapes["frames"])
        median, still = summary(written[spread(length)])
        if planes is not None:
            require_same_length(source, length, _append(file, planes))
            shapes["alpha"] = (length, size, size)
        _append(file, [median])
        shapes["median"] = median.shape
        about = {"version": str(STORE_VERSION), "still": "yes" if still else "no"} | about
        file.seek(0)
        file.write(_header(shapes, about))


def _append(file: BinaryIO, pictures: Iterable[np.ndarray]) -> int:
    """Write pictures one behind the other; returns how many they were."""
    count = 0
    for picture in pictures:
        file.write(np.ascontiguousarray(picture).data)
        count += 1
    return count


def _header(shapes: dict[str, tuple[int, ...]], about: dict[str, str]) -> bytes:
    """The safetensors header of uint8 tensors in this order, filled up to HEADER_BYTES."""
    entries: dict[str, object] = {"__metadata__": about}
    begin = 0
    for name, shape in shapes.items():
        end = begin + math.prod(shape)
        entries[name] = {"dtype": "U8", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    room = HEADER_BYTES - 8
    text = json.dumps(entries).encode()
    assert len(text) <= room
    return room.to_bytes(8, "little") + text.ljust(room)
