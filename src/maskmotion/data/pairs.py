"""Pairs of frames in an order that is a function of (seed, epoch, position)."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from maskmotion.data.store import StoredClip
from maskmotion.errors import DataError

COMPARED_EVERY_PX = 4


@dataclass(frozen=True)
class Batch:
    """Frames as stored, uint8 (B, 3, S, S): source, driving (another frame of the same clip) and
    the clip's median; still (B,) bool marks clips of a still camera."""

    source: Tensor
    driving: Tensor
    median: Tensor
    still: Tensor


class PairSampler:
    """Draws training batches; the same (seed, step) gives the same batch, on any machine.

    Each epoch sees every identity `repeats` times in a new order; one of its clips and two of
    its frames are drawn at random. Drawing both frames freely includes the method's time flip.

    Args:
        clips: the decoded training clips.
        batch_size: samples a step; the rest of an epoch that fills no batch is left out.
        repeats: times that each identity is seen in an epoch.
        candidates: pairs drawn, of which the one that changes most is kept.
        seed: decides the whole order.
    Raises:
        DataError: an epoch would not fill one batch.
    """

    def __init__(
        self,
        clips: list[StoredClip],
        *,
        batch_size: int,
        repeats: int = 1,
        candidates: int = 1,
        seed: int = 0,
    ) -> None:
        groups: dict[str, list[StoredClip]] = defaultdict(list)
        for clip in clips:
            groups[clip.identity].append(clip)
        self.identities = [groups[name] for name in sorted(groups)]
        self.batch_size = batch_size
        self.repeats = repeats
        self.candidates = candidates
        self.seed = seed
        self.steps_per_epoch = len(self.identities) * repeats // batch_size
        if not self.steps_per_epoch:
            raise DataError(
                f"{len(self.identities)} identities seen {repeats} times do not fill a batch of "
                f"{batch_size}; raise data.repeats or lower schedule.batch_size"
            )

    def batch(self, step: int) -> Batch:
        """The batch of a step, counted from 0 over the whole run."""
        epoch, position = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(
            len(self.identities) * self.repeats
        )
        first = position * self.batch_size
        picked = order[first : first + self.batch_size] % len(self.identities)
        rng = np.random.default_rng([self.seed, epoch, position + 1])
        samples = [self._sample(self.identities[i], rng) for i in picked]
        sources, drivings, medians, still = zip(*samples, strict=True)
        return Batch(_stack(sources), _stack(drivings), _stack(medians), torch.tensor(still))

    def _sample(
        self, clips: list[StoredClip], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
        clip = clips[rng.integers(len(clips))]
        best, best_change = None, -1.0
        for _ in range(self.candidates):
            i, j = rng.choice(clip.length, size=2, replace=False)
            pair = clip.frame(int(i)), clip.frame(int(j))
            change = _change(*pair) if self.candidates > 1 else 0.0
            if change > best_change:
                best, best_change = pair, change
        assert best is not None
        return *best, clip.median, clip.still


def _change(a: np.ndarray, b: np.ndarray) -> float:
    every = COMPARED_EVERY_PX
    reduced = a[::every, ::every].astype(np.int16) - b[::every, ::every]
    return float(np.abs(reduced).mean())


def _stack(frames: tuple[np.ndarray, ...]) -> Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
