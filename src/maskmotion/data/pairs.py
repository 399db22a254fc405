"""Pairs of frames in an order that is a function of (seed, epoch, position)."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

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
class Batch:
    """A share of a batch, as stored.

    source, driving (another frame of the same clip) and the clip's median: (B, 3, S, S) uint8.
    still (B,) bool marks clips of a still camera; still_in_whole counts them in the whole batch.
    """

    source: Tensor
    driving: Tensor
    median: Tensor
    still: Tensor
    still_in_whole: int

    def split(self, parts: int) -> list["Batch"]:
        """As many smaller shares of the same whole, equally large."""
        size = len(self.source) // parts
        return [
            Batch(source, driving, median, still, self.still_in_whole)
            for source, driving, median, still in zip(
                self.source.split(size),
                self.driving.split(size),
                self.median.split(size),
                self.still.split(size),
                strict=True,
            )
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
        samples = [_read(clip, pairs) for clip, pairs in drawn[rows]]
        sources, drivings, medians, still = zip(*samples, strict=True)
        return Batch(
            _stack(sources),
            _stack(drivings),
            _stack(medians),
            torch.tensor(still),
            sum(clip.still for clip, _ in drawn),
        )

    def _draw(
        self, clips: list[TrainingClip], rng: np.random.Generator
    ) -> tuple[TrainingClip, list[np.ndarray]]:
        """A clip, and candidate pairs of different frames of it."""
        clip = clips[rng.integers(len(clips))]
        pairs = [rng.choice(clip.length, size=2, replace=False) for _ in range(self.candidates)]
        return clip, pairs


def _read(
    clip: TrainingClip, pairs: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """The pair of frames that changes most, the clip's median, and whether its camera is still."""
    read = ((clip.frame(int(i)), clip.frame(int(j))) for i, j in pairs)
    best = next(read) if len(pairs) == 1 else max(read, key=lambda pair: _change(*pair))
    return *best, clip.median, clip.still


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


def _stack(frames: tuple[np.ndarray, ...]) -> Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
