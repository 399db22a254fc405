"""What is evaluated: clips, pairs of clips and rendered truth, read batch by batch.

Nothing here grows with the length of a clip or the number of clips.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from maskmotion.data.clips import PACKED_ENDING, Clip, find_clips
from maskmotion.data.load import packed_clip
from maskmotion.data.store import square
from maskmotion.errors import DataError, MediaError
from maskmotion.media import PICTURE_ENDINGS, on_white, open_video, read_still, to_tensor
from maskmotion.synth.people.truth import TruthCase

BATCH_FRAMES = 8


@dataclass(frozen=True)
class Batch:
    """Frames of a case, and what is known about them; S is the side of the networks' pictures.

    Pictures are (B, 3, S, S) RGB in [0, 1], alphas (B, 1, S, S) in [0, 1].

    Attributes:
        number: of the first frame, counted from 0 over those that are evaluated.
        source: (1, 3, S, S), what is animated.
        driving: whose motion.
        target: what should come out.
        target_alpha, driving_alpha: (B, 1, S, S), true shares of the subject.
        background: (1, 3, S, S), the new background.
        swapped: what should come out on the new background.
        plate: (1, 3, S, S), the source's scene without its subject.
    """

    number: int
    source: Tensor
    driving: Tensor
    target: Tensor | None = None
    target_alpha: Tensor | None = None
    driving_alpha: Tensor | None = None
    background: Tensor | None = None
    swapped: Tensor | None = None
    plate: Tensor | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        moved: dict[str, Any] = {
            name: x.to(device) for name, x in vars(self).items() if isinstance(x, Tensor)
        }
        return replace(self, **moved)


class Case(Protocol):
    """One clip to be evaluated."""

    @property
    def name(self) -> str:
        """Tells it from the others."""

    @property
    def identity(self) -> str:
        """Whom it shows; cases of one identity are no independent samples."""

    def batches(self, size: int, every: int) -> Iterator[Batch]:
        """Every n-th frame at a size, in order.

        Raises:
            MediaError, DataError: the clip cannot be read.
        """


@dataclass(frozen=True)
class SameClip:
    """A clip driven by itself: its first frame is the source, each later one its own target."""

    clip: Clip
    background: Path | None = None

    @property
    def name(self) -> str:
        return self.clip.path.name

    @property
    def identity(self) -> str:
        return self.clip.identity

    def batches(self, size: int, every: int) -> Iterator[Batch]:
        background = None if self.background is None else still_square(self.background, size)
        frames = clip_frames(self.clip, size, every)
        source = to_tensor([next(frames)])
        batch = None
        for number, driving in _batched(frames):
            batch = Batch(number + 1, source, driving, driving, background=background)
            yield batch
        if batch is None:
            raise MediaError(
                f"{self.clip.path} has no second frame at --every {every}; evaluate more frames"
            )


@dataclass(frozen=True)
class OtherClip:
    """A clip's first frame, driven by a clip of another identity."""

    clip: Clip
    driver: Clip

    @property
    def name(self) -> str:
        return f"{self.clip.path.name} by {self.driver.path.name}"

    @property
    def identity(self) -> str:
        return self.clip.identity

    def batches(self, size: int, every: int) -> Iterator[Batch]:
        source = to_tensor([next(clip_frames(self.clip, size, 1))])
        for number, frames in _batched(clip_frames(self.driver, size, every)):
            yield Batch(number, source, frames)


@dataclass(frozen=True)
class RenderedCase:
    """A case of rendered truth, see `maskmotion.synth.people.truth`."""

    truth: TruthCase

    @property
    def name(self) -> str:
        return f"{self.truth.name} ({self.truth.framing})"

    @property
    def identity(self) -> str:
        return self.truth.name

    def batches(self, size: int, every: int) -> Iterator[Batch]:
        source, plate, background = (
            to_tensor([square(picture, size)])
            for picture in (
                self.truth.source(),
                self.truth.background(),
                self.truth.new_background(),
            )
        )
        shots = islice(self.truth.shots(), 0, None, every)
        number = 0
        while some := list(islice(shots, BATCH_FRAMES)):
            yield Batch(
                number,
                source,
                to_tensor([square(shot.driving, size) for shot in some]),
                to_tensor([square(shot.target, size) for shot in some]),
                _alpha([shot.target_alpha for shot in some], size),
                _alpha([shot.driving_alpha for shot in some], size),
                background,
                to_tensor([square(shot.swapped, size) for shot in some]),
                plate,
            )
            number += len(some)


def _alpha(alphas: Sequence[np.ndarray], size: int) -> Tensor:
    """(H, W) uint8 each -> (B, 1, S, S) in [0, 1]."""
    return to_tensor([square(np.repeat(a[..., None], 3, 2), size) for a in alphas])[:, :1]


def evaluation_clips(folder: Path, most: int | None = None) -> list[Clip]:
    """The clips of a folder to evaluate on: where it has a folder test/, those in that.

    Args:
        folder: as training takes it.
        most: take so many, spread over the sorted clips; None: all.
    Raises:
        DataError: the folder is missing, or holds no clips to evaluate on.
    """
    folder = Path(folder)
    if (folder / "train").is_dir() and not (folder / "test").is_dir():
        raise DataError(
            f"{folder} has no test/ to evaluate on; name {folder / 'train'} to evaluate on what "
            "models were trained on"
        )
    clips = find_clips(folder / "test" if (folder / "test").is_dir() else folder)
    if not clips:
        raise DataError(
            f"there are no clips in {folder}; name a folder of video files, of folders of frames "
            "or of packed clips"
        )
    if most is not None and most < len(clips):
        clips = [clips[i] for i in np.linspace(0, len(clips) - 1, most).round().astype(int)]
    return clips


def on_backgrounds(clips: Sequence[Clip], folder: Path) -> list[SameClip]:
    """Each clip with a picture of a folder (or one picture for all), taken in turn.

    Raises:
        DataError: there are no pictures.
        MediaError: one of them cannot be read.
    """
    pictures = [folder]
    if folder.is_dir():
        pictures = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_ENDINGS)
    if not pictures or not pictures[0].is_file():
        raise DataError(f"there are no pictures in {folder}; --backgrounds takes a folder of some")
    for picture in pictures[: len(clips)]:
        read_still(picture)
    return [SameClip(clip, pictures[i % len(pictures)]) for i, clip in enumerate(clips)]


def crossed(clips: Sequence[Clip]) -> list[OtherClip]:
    """Each clip driven by another of another identity, half of the set further on.

    Raises:
        DataError: all clips are of one identity.
    """
    if len({clip.identity for clip in clips}) < 2:
        raise DataError(
            "driving clips of another identity takes two identities; name a folder with more clips"
        )
    return [OtherClip(clip, _driver(clips, index)) for index, clip in enumerate(clips)]


def _driver(clips: Sequence[Clip], index: int) -> Clip:
    further = (clips[(index + len(clips) // 2 + step) % len(clips)] for step in range(len(clips)))
    return next(clip for clip in further if clip.identity != clips[index].identity)


def clip_frames(clip: Clip, size: int, every: int) -> Iterator[np.ndarray]:
    """Every n-th frame, the square in its middle: (S, S, 3) uint8.

    Raises:
        MediaError: the clip cannot be read, or has no frames.
        DataError: it is packed at another size.
    """
    if clip.path.suffix == PACKED_ENDING:
        stored = packed_clip(clip, size)
        yield from (stored.frame(index) for index in range(0, stored.length, every))
        return
    shown = 0
    with open_video(clip.path) as video:
        for frame in islice(iter(video), 0, None, every):
            shown += 1
            yield square(on_white(frame.image, frame.alpha), size)
    if not shown:
        raise MediaError(f"{clip.path} has no frames; leave it out")


def still_square(path: Path, size: int) -> Tensor:
    """A picture, the square in its middle: (1, 3, S, S) RGB in [0, 1].

    Raises:
        MediaError: it cannot be read.
    """
    still = read_still(path)
    return to_tensor([square(on_white(still.image, still.alpha), size)])


def _batched(frames: Iterator[np.ndarray]) -> Iterator[tuple[int, Tensor]]:
    number = 0
    while images := list(islice(frames, BATCH_FRAMES)):
        yield number, to_tensor(images)
        number += len(images)
