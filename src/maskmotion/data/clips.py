"""Finding clips in folders, as users of first-order motion models keep them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from maskmotion.errors import DataError
from maskmotion.media import PICTURE_ENDINGS, VIDEO_ENDINGS

PACKED_ENDING = ".safetensors"
TRUTH = "truth"  # folders beside those of clips
COUNTERFACTUALS = "counterfactuals"


@dataclass(frozen=True)
class Clip:
    """A clip on disk: a video file, a folder of frames, a one-picture strip, or a packed clip.

    identity: its folder, and the name's part before "#"; clips of one identity are sampled as one.
    motion: the path of the clip that it moves like, frame by frame, its own where others are like
    it; None where there are none.
    """

    path: Path
    identity: str
    motion: str | None = None

    @property
    def name(self) -> str:
        """What it is called in a pack: its file's name; of others who move alike, after whom."""
        name = _name(self.path)
        if not _is_counterfactual(self.path):
            return name
        return f"{self.path.parent.name}-{name}".replace("#", "~")  # nobody's identity but its own

    @property
    def alpha(self) -> Path | None:
        """The grey video of its true alpha, where there is one."""
        file = alpha_place(self.path)
        return file if file.is_file() else None


class TrainingClip(Protocol):
    """A clip whose frames are read in any order, by several threads at once.

    identity: clips of one identity are sampled as one; motion: clips of one motion show others who
    move alike, frame by frame (None: there are none); length: frames; still: the camera does not
    move, so that |frame - median| shows the object; has_alpha: its true alpha is known.
    """

    identity: str
    motion: str | None
    length: int
    still: bool
    has_alpha: bool

    @property
    def median(self) -> np.ndarray:
        """The temporal median, (S, S, 3) uint8."""

    def frame(self, index: int) -> np.ndarray:
        """Frame number `index`, (S, S, 3) uint8."""

    def alpha(self, index: int) -> np.ndarray:
        """True alpha of a frame, (S, S) uint8, 255 = foreground; only where `has_alpha`."""


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
        hint = "it is a file, so name the folder that it lies in"
        if not folder.exists():
            here = "" if folder.is_absolute() else f", which is seen from {Path.cwd()}"
            hint = f"check the path{here}"
        raise DataError(f"there is no folder of clips {folder}; {hint}")
    if (folder / "train").is_dir():
        folder = folder / split
    elif split != "train":
        return []
    if not folder.is_dir():
        return []
    return [Clip(path, _identity(path)) for path in sorted(folder.iterdir()) if _is_clip(path)]


def find_training_clips(folder: Path, split: str = "train") -> list[Clip]:
    """Clips of one split as `find_clips`; each to train on after rendered others who move alike.

    Those lie in FOLDER/counterfactuals/NAME/ of FOLDER/clips/NAME.mp4, or of FOLDER/train/NAME.mp4
    (`synth people --other-people`).

    Raises:
        DataError: the folder is missing.
    """
    found = find_clips(folder, split)
    return [each for clip in found for each in _alike(clip)] if split == "train" else found


def _alike(clip: Clip) -> list[Clip]:
    place = clip.path.parent.parent / COUNTERFACTUALS / _name(clip.path)
    others = sorted(place.glob("person-*.mp4"))
    if not others or clip.path.suffix == PACKED_ENDING:
        return [clip]
    motion = str(clip.path)
    found = [Clip(path, "", motion) for path in others]
    # Named, and in this order, as in a pack, so that a run may go on with one.
    named = [replace(other, identity=f"{clip.path.parent}/{other.name}") for other in found]
    return [*named, replace(clip, motion=motion)]


def alpha_place(clip: Path) -> Path:
    """Where the true alpha of a clip lies: FOLDER/truth/NAME/alpha.mkv of FOLDER/clips/NAME.mp4.

    Of counterfactuals/NAME/person-1.mp4 it is counterfactuals/NAME/person-1/alpha.mkv.
    """
    if _is_counterfactual(clip):
        return clip.parent / _name(clip) / "alpha.mkv"
    return clip.parent.parent / TRUTH / _name(clip) / "alpha.mkv"


def _is_counterfactual(path: Path) -> bool:
    return path.parent.parent.name == COUNTERFACTUALS


def _identity(path: Path) -> str:
    return f"{path.parent}/{_name(path).split('#')[0]}"


def _name(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _is_clip(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return any(p.suffix.lower() in PICTURE_ENDINGS for p in path.iterdir())
    return path.suffix.lower() in VIDEO_ENDINGS | PICTURE_ENDINGS | {PACKED_ENDING}
