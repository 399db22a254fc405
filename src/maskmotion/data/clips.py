"""Finding clips in folders, as users of first-order motion models keep them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from maskmotion.errors import DataError
from maskmotion.media import PICTURE_ENDINGS, VIDEO_ENDINGS

PACKED_ENDING = ".safetensors"


@dataclass(frozen=True)
class Clip:
    """A clip on disk: a video file, a folder of frames, a one-picture strip, or a packed clip.

    identity: its folder, and the name's part before "#"; clips of one identity are sampled as one.
    """

    path: Path
    identity: str


class TrainingClip(Protocol):
    """A clip whose frames are read in any order, by several threads at once.

    identity: clips of one identity are sampled as one; length: frames; still: the camera does not
    move, so that |frame - median| shows the object.
    """

    identity: str
    length: int
    still: bool

    @property
    def median(self) -> np.ndarray:
        """The temporal median, (S, S, 3) uint8."""

    def frame(self, index: int) -> np.ndarray:
        """Frame number `index`, (S, S, 3) uint8."""


def find_clips(folder: Path, split: str = "train") -> list[Clip]:
    """Clips of one split, sorted by path.

    Args:
        folder: holds clips, or folders `train` and `test` that do.
        split: "train" or "test"; a folder without splits is all "train".
    Raises:
        DataError: the folder is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        hint = "; it is a file, so name the folder that it lies in" if folder.exists() else ""
        raise DataError(f"there is no folder of clips {folder}{hint}")
    if (folder / "train").is_dir():
        folder = folder / split
    elif split != "train":
        return []
    if not folder.is_dir():
        return []
    return [Clip(path, _identity(path)) for path in sorted(folder.iterdir()) if _is_clip(path)]


def _identity(path: Path) -> str:
    name = path.name if path.is_dir() else path.stem
    return f"{path.parent}/{name.split('#')[0]}"


def _is_clip(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return any(p.suffix.lower() in PICTURE_ENDINGS for p in path.iterdir())
    return path.suffix.lower() in VIDEO_ENDINGS | PICTURE_ENDINGS | {PACKED_ENDING}
