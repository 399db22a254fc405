"""Pairs of frames in an order that is a function of (seed, epoch, position)."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from maskmotion.data.clips import TrainingClip
from maskmotion.errors import DataError
from maskmotion.models.draws import WHOLE, Share
from maskmotion.processes import cores

COMPARED_EVERY_PX = 4
MOST_THREADS = 8  # each holds a batch


@dataclass(frozen=True)
class _Stacked:
    """Tensors of the same samples."""

    def split(self, size: int) -> list[Self]:
        """Smaller shares of so many samples."""
        stacks = [getattr(self, field.name).split(size) for field in fields(self)]
        return [type(self)(*parts) for parts in zip(*stacks, strict=True)]


@dataclass(frozen=True)
class Alpha(_Stacked):
    """True alpha of a share's frames.

    source, driving: (B, 1, S, S) uint8, 255 = foreground. known (B,) bool marks the clips that have
    it; of others it is zero.
    """

    source: Tensor
    driving: Tensor
    known: Tensor


@dataclass(frozen=True)
class Twins(_Stacked):
    """Who drives instead, where `used` (B,) bool says so: others who move alike.

    driving: (B, 3, S, S) uint8, the twin's frame at the time of the batch's driving frame, and
    alpha, (B, 1, S, S) uint8, its true alpha; zero where not used.
    """

    driving: Tensor
    alpha: Tensor
    used: Tensor


@dataclass(frozen=True)
class Batch:
    """A share of a batch, as stored.

    source, driving (another frame of the same clip) and the clip's median: (B, 3, S, S) uint8.
    still (B,) bool marks samples that m can learn from: of a still camera, or whose alpha is known;
    still_in_whole counts them in the whole batch. scene: (B, 3, S, S) uint8, medians of clips drawn
    anew, to put foregrounds on. scene, alpha and twins are None where they were not asked for.
    """

    source: Tensor
    driving: Tensor
    median: Tensor
    still: Tensor
    still_in_whole: int
    scene: Tensor | None = None
    alpha: Alpha | None = None
    twins: Twins | None = None

    def split(self, parts: int) -> list["Batch"]:
        """As many smaller shares of the same whole, equally large."""
        names = [
            field.name for field in fields(self) if hasattr(getattr(self, field.name), "split")
        ]
        split = [getattr(self, name).split(len(self.source) // parts) for name in names]
        return [
            replace(self, **dict(zip(names, part, strict=True)))
            for part in zip(*split, strict=True)
        ]


class PairSampler:
    """Draws training batches; the same (seed, step) gives the same batch, on any machine.

    Each epoch sees every identity `repeats` times in a new order; one of its clips and two of
    its frames are drawn at random. Drawing both frames freely includes the method's time flip.

    Args:
        clips: the training clips.
        batch_size: samples a step; the rest of an epoch that fills no batch is left out.
        repeats: times that each identity is seen in an epoch.
        candidates: pairs drawn, of which the one that changes most is kept.
        truth: read the true alpha of clips that have it; the order does not depend on it.
        twins: share of the samples, of clips beside which others move alike and whose alpha is
            known, that such another of the same length is to drive; nor does it depend on this.
            Without `truth` nobody does.
        scenes: read another clip's median for each sample; nor does the order depend on this.
        seed: decides the whole order.
        share: of each batch, which is read here; the order does not depend on it.
    Raises:
        DataError: an epoch would not fill one batch.
    """

    def __init__(
        self,
        clips: Sequence[TrainingClip],
        *,
        batch_size: int,
        repeats: int = 1,
        candidates: int = 1,
        truth: bool = False,
        twins: float = 0.0,
        scenes: bool = False,
        seed: int = 0,
        share: Share = WHOLE,
    ) -> None:
        groups: dict[str, list[TrainingClip]] = defaultdict(list)
        for clip in clips:
            groups[clip.identity].append(clip)
        self.identities = [groups[name] for name in sorted(groups)]
        self.batch_size = batch_size
        self.repeats = repeats
        self.candidates = candidates
        self.truth = truth
        self.twins = twins
        self.scenes = scenes
        self.alike: dict[str, list[TrainingClip]] = defaultdict(list)
        for clip in clips:
            if clip.motion is not None and clip.has_alpha:
                self.alike[clip.motion].append(clip)
        self.seed = seed
        self.share = share
        self.steps_per_epoch = len(self.identities) * repeats // batch_size
        if not self.steps_per_epoch:
            raise DataError(
                f"{len(self.identities)} identities seen {repeats} times do not fill a batch of "
                f"{batch_size}; raise data.repeats or lower schedule.batch_size"
            )

    def batch(self, step: int) -> Batch:
        """This share of the batch of a step, counted from 0 over the whole run."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(
            len(self.identities) * self.repeats
        )
        first = position * self.batch_size
        picked = order[first : first + self.batch_size] % len(self.identities)
        rng = np.random.default_rng([self.seed, epoch, position + 1])
        drawn = [self._draw(self.identities[i], rng) for i in picked]
        rows = self.share.rows(self.batch_size // self.share.count)
        clips = [clip for clip, _ in drawn[rows]]
        read = [_read(clip, pairs) for clip, pairs in drawn[rows]]
        scene = None
        if self.scenes:
            others = self._scenes(np.random.default_rng([self.seed, epoch, position + 1, 1]))
            scene = _stack([other.median for other in others[rows]])
        alpha = _alpha(clips, [pair for pair, _, _ in read]) if self.truth else None
        twins = None
        if self.truth and self.twins > 0:
            drivers = self._drivers(
                drawn, np.random.default_rng([self.seed, epoch, position + 1, 2])
            )
            twins = _twins(drivers[rows], read)
        return Batch(
            _stack([source for _, source, _ in read]),
            _stack([driving for _, _, driving in read]),
            _stack([clip.median for clip in clips]),
            torch.tensor([self._teaches(clip) for clip in clips]),
            sum(self._teaches(clip) for clip, _ in drawn),
            scene,
            alpha,
            twins,
        )

    def twins_of(self, clip: TrainingClip) -> list[TrainingClip]:
        """The others who can drive it."""
        alike = self.alike.get(clip.motion or "", []) if clip.has_alpha else []
        return [other for other in alike if other is not clip and other.length == clip.length]

    def _drivers(
        self, drawn: list[tuple[TrainingClip, list[np.ndarray]]], rng: np.random.Generator
    ) -> list[TrainingClip | None]:
        """For each sample of the whole batch another clip to drive it, or None."""
        found = []
        for clip, _ in drawn:
            others = self.twins_of(clip)
            chance, choice = rng.random(2)
            used = others and chance < self.twins
            found.append(others[int(choice * len(others))] if used else None)
        return found

    def _scenes(self, rng: np.random.Generator) -> list[TrainingClip]:
        """A clip for each sample of the whole batch."""
        drawn = [
            self.identities[i] for i in rng.integers(len(self.identities), size=self.batch_size)
        ]
        return [clips[rng.integers(len(clips))] for clips in drawn]

    def _teaches(self, clip: TrainingClip) -> bool:
        return clip.still or (self.truth and clip.has_alpha)

    def _draw(
        self, clips: list[TrainingClip], rng: np.random.Generator
    ) -> tuple[TrainingClip, list[np.ndarray]]:
        """A clip, and candidate pairs of different frames of it."""
        clip = clips[rng.integers(len(clips))]
        pairs = [rng.choice(clip.length, size=2, replace=False) for _ in range(self.candidates)]
        return clip, pairs


Pair = tuple[int, int]


def _read(clip: TrainingClip, pairs: list[np.ndarray]) -> tuple[Pair, np.ndarray, np.ndarray]:
    """The pair of frames that changes most: their numbers, and the frames."""
    numbers = ((int(i), int(j)) for i, j in pairs)
    read = (((i, j), clip.frame(i), clip.frame(j)) for i, j in numbers)
    return next(read) if len(pairs) == 1 else max(read, key=lambda each: _change(each[1], each[2]))


def _alpha(clips: list[TrainingClip], pairs: list[Pair]) -> Alpha:
    """The alpha of the pairs' frames, zero where it is not known."""
    planes = [
        [clip.alpha(i) if clip.has_alpha else np.zeros_like(clip.median[..., 0]) for i in pair]
        for clip, pair in zip(clips, pairs, strict=True)
    ]
    stacked = torch.from_numpy(np.array(planes))  # (B, 2, S, S)
    known = torch.tensor([clip.has_alpha for clip in clips])
    return Alpha(stacked[:, :1], stacked[:, 1:], known)


def _twins(
    others: list[TrainingClip | None], read: list[tuple[Pair, np.ndarray, np.ndarray]]
) -> Twins:
    """The others' frames and alpha at the time of the driving frames, zero where there is none."""
    frames, planes = [], []
    for other, ((_, time), _, driving) in zip(others, read, strict=True):
        frames.append(np.zeros_like(driving) if other is None else other.frame(time))
        planes.append(np.zeros_like(driving[..., 0]) if other is None else other.alpha(time))
    alpha = torch.from_numpy(np.stack(planes))[:, None]
    return Twins(_stack(frames), alpha, torch.tensor([other is not None for other in others]))


@contextmanager
def read_ahead(
    sampler: PairSampler, step: int = 0, threads: int | None = None
) -> Iterator[Iterator[Batch]]:
    """Batches from `step` on, read by threads while earlier ones are worked on.

    Args:
        sampler: whose batches; their order does not depend on the threads.
        step: the first, counted from 0 over the whole run.
        threads: each reads one batch; as many batches are kept ready. None: one a core, at most
            eight.
    """
    threads = threads or min(MOST_THREADS, cores())
    with ThreadPoolExecutor(threads) as pool:
        upcoming = deque(pool.submit(sampler.batch, step + i) for i in range(threads))

        def batches() -> Iterator[Batch]:
            position = step + threads
            while True:
                batch = upcoming.popleft().result()
                upcoming.append(pool.submit(sampler.batch, position))
                position += 1
                yield batch

        try:
            yield batches()
        finally:
            pool.shutdown(cancel_futures=True)


def _change(a: np.ndarray, b: np.ndarray) -> float:
    every = COMPARED_EVERY_PX
    reduced = a[::every, ::every].astype(np.int16) - b[::every, ::every]
    return float(np.abs(reduced).mean())


def _stack(frames: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
