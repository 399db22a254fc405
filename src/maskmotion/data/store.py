"""Clips decoded once into memory-mapped uint8 frames, which training reads without decoding."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from maskmotion.checkpoint import write_atomically
from maskmotion.data.clips import Clip
from maskmotion.data.motion import is_still_camera
from maskmotion.errors import DataError, MediaError
from maskmotion.media import on_white, open_video

MEDIAN_FRAMES = 25
MIN_FRAMES = 2
STORE_VERSION = 1  # raise it when stored frames would come out otherwise


class StoredClip:
    """A decoded clip, read frame by frame from its file without decoding.

    identity: clips of one identity are sampled as one; still: the camera does not move, so that
    |frame - median| shows the object; median: (S, S, 3) uint8, the temporal median.
    """

    def __init__(self, path: Path, identity: str) -> None:
        try:
            file = safe_open(path, framework="np")
            self._frames = file.get_slice("frames")
            self.median: np.ndarray = file.get_tensor("median")
            self.still = file.metadata()["still"] == "yes"
        except (SafetensorError, OSError, KeyError, TypeError) as error:
            raise DataError(f"the stored clip {path} is broken ({error}); delete it") from None
        self.identity = identity
        self.length: int = self._frames.get_shape()[0]

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


def store_clips(
    clips: list[Clip],
    size: int,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[StoredClip], list[str]]:
    """Decode what is not yet in the store, then map all of it.

    Args:
        clips: clips on disk.
        size: side of the stored square frames, px.
        folder: the store; made where missing, and shared freely between runs.
        progress: called with (clips done, clips in all).
    Returns:
        The clips that could be read, and one sentence for each that could not.
    Raises:
        DataError: the disk is too full, or no clip could be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored, problems = [], []
    for done, clip in enumerate(clips):
        try:
            path = _stored_path(clip, size, folder)
            if not path.exists():
                _decode(clip, size, path)
            stored.append(StoredClip(path, clip.identity))
        except MediaError as error:
            problems.append(str(error))
        if progress:
            progress(done + 1, len(clips))
    if not stored:
        reason = problems[0] if problems else "the folders hold no clips"
        raise DataError(f"there is nothing to train on: {reason}")
    return stored, problems


def _stored_path(clip: Clip, size: int, folder: Path) -> Path:
    try:
        files = sorted(clip.path.iterdir()) if clip.path.is_dir() else [clip.path]
        states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError:
        raise MediaError(f"{clip.path} cannot be read; check the file") from None
    key = f"{STORE_VERSION}|{clip.path.resolve()}|{states}|{size}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return folder / f"{clip.path.stem[:60]}-{digest}.safetensors"


def _decode(clip: Clip, size: int, path: Path) -> None:
    with open_video(clip.path) as video:
        frames = [square(on_white(frame.image, frame.alpha), size) for frame in video]
    if len(frames) < MIN_FRAMES:
        raise MediaError(f"{clip.path} has {len(frames)} frame; a clip needs at least {MIN_FRAMES}")
    if shutil.disk_usage(path.parent).free < 2 * len(frames) * frames[0].nbytes + 2**28:
        raise DataError(
            f"the disk of {path.parent} is too full for the decoded frames; free some space or "
            "name another folder with --set data.cache=FOLDER"
        )
    array = np.stack(frames)
    picked = array[np.linspace(0, len(array) - 1, min(MEDIAN_FRAMES, len(array))).astype(int)]
    median = np.median(picked, axis=0).astype(np.uint8)
    still = is_still_camera(torch.from_numpy(picked), torch.from_numpy(median))
    tensors = {"frames": array, "median": median}
    metadata = {"still": "yes" if still else "no"}
    write_atomically(path, lambda p: save_file(tensors, p, metadata=metadata))
