from collections import Counter
from dataclasses import dataclass, replace
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskmotion.data.pairs import Batch, PairSampler, read_ahead
from maskmotion.errors import DataError
from maskmotion.models.draws import Share

SIDE = 8


@dataclass
class FakeClip:
    """Frames whose red is the clip's number and whose green is 10 times the frame's."""

    number: int
    identity: str
    length: int = 6
    still: bool = True
    has_alpha: bool = False
    motion: str | None = None

    @property
    def median(self) -> np.ndarray:
        return np.full((SIDE, SIDE, 3), (self.number, 255, 0), np.uint8)

    def frame(self, index: int) -> np.ndarray:
        assert 0 <= index < self.length
        return np.full((SIDE, SIDE, 3), (self.number, 10 * index, 0), np.uint8)

    def alpha(self, index: int) -> np.ndarray:
        assert self.has_alpha
        return np.full((SIDE, SIDE), 10 * index + 1, np.uint8)


def sampler(count: int = 6, **settings: int) -> PairSampler:
    clips = [FakeClip(i, f"identity {i}", still=i % 2 == 0) for i in range(count)]
    return PairSampler(clips, **({"batch_size": 3} | settings))


def mixed(truth: bool, **settings: Any) -> PairSampler:
    """Clips of all four kinds: with and without alpha and a still camera."""
    clips = [FakeClip(i, f"identity {i}", still=i % 2 == 0, has_alpha=i % 4 < 2) for i in range(8)]
    return PairSampler(clips, truth=truth, **({"batch_size": 4} | settings))


def same(a: Batch, b: Batch) -> bool:
    return all(
        torch.equal(getattr(a, name), getattr(b, name))
        for name in ("source", "driving", "median", "still")
    )


def clip_numbers(batch: Batch) -> list[int]:
    return batch.source[:, 0, 0, 0].tolist()


def times(frames: torch.Tensor) -> list[int]:
    return (frames[:, 1, 0, 0] // 10).tolist()


def test_a_batch_is_two_frames_of_each_clip_with_its_median() -> None:
    for step in range(20):
        batch = sampler().batch(step)
        assert batch.source.shape == batch.driving.shape == batch.median.shape == (3, 3, SIDE, SIDE)
        assert batch.source.dtype == torch.uint8
        assert torch.equal(batch.source[:, 0], batch.driving[:, 0])
        assert torch.equal(batch.source[:, 0], batch.median[:, 0])
        assert (batch.median[:, 1] == 255).all()
        assert batch.still.tolist() == [n % 2 == 0 for n in clip_numbers(batch)]
        assert all(a != b for a, b in zip(times(batch.source), times(batch.driving), strict=True))


@given(st.integers(0, 2**63), st.lists(st.integers(0, 50), max_size=5), st.integers(0, 50))
def test_a_batch_depends_on_seed_and_step_alone(seed: int, before: list[int], step: int) -> None:
    used, fresh = (sampler(seed=seed, repeats=2, candidates=2) for _ in range(2))
    for other in before:
        used.batch(other)
    assert same(used.batch(step), fresh.batch(step))


def test_clips_may_be_listed_in_any_order() -> None:
    clips = [FakeClip(i, f"identity {i}") for i in range(6)]
    a, b = (PairSampler(c, batch_size=3) for c in (clips, clips[::-1]))
    assert all(same(a.batch(step), b.batch(step)) for step in range(6))


def test_seeds_epochs_and_steps_differ() -> None:
    batches = [sampler(seed=seed).batch(step) for seed in range(3) for step in range(6)]
    assert not any(same(a, b) for i, a in enumerate(batches) for b in batches[:i])


@given(
    identities=st.integers(1, 7),
    repeats=st.integers(1, 4),
    batch_size=st.integers(1, 6),
    epoch=st.integers(0, 3),
)
def test_an_epoch_sees_every_identity_alike(
    identities: int, repeats: int, batch_size: int, epoch: int
) -> None:
    total = identities * repeats
    if total < batch_size:
        with pytest.raises(DataError):
            sampler(identities, repeats=repeats, batch_size=batch_size)
        return
    pairs = sampler(identities, repeats=repeats, batch_size=batch_size)
    steps = pairs.steps_per_epoch
    assert steps == total // batch_size
    seen = Counter(
        number
        for step in range(epoch * steps, (epoch + 1) * steps)
        for number in clip_numbers(pairs.batch(step))
    )
    assert sum(seen.values()) == steps * batch_size
    assert max(seen.values()) <= repeats
    if total % batch_size == 0:
        assert seen == dict.fromkeys(range(identities), repeats)


def test_steps_of_an_epoch_draw_their_own_frames() -> None:
    pairs = sampler(1, batch_size=1, repeats=20)
    drawn = {(*times(b.source), *times(b.driving)) for b in map(pairs.batch, range(20))}
    assert len(drawn) > 5


def test_epochs_have_different_orders() -> None:
    pairs = sampler(6, batch_size=6)
    assert len({tuple(clip_numbers(pairs.batch(epoch))) for epoch in range(5)}) > 1


def test_clips_of_one_identity_share_its_turns() -> None:
    clips = [FakeClip(0, "ann"), FakeClip(1, "ann"), FakeClip(2, "ann"), FakeClip(9, "bob")]
    pairs = PairSampler(clips, batch_size=2)
    seen = Counter(n for step in range(60) for n in clip_numbers(pairs.batch(step)))
    assert seen[9] == 60
    assert all(seen[n] > 5 for n in (0, 1, 2))


def test_both_directions_of_time_are_drawn() -> None:
    pairs = sampler()
    drawn = [
        b > a
        for step in range(30)
        for a, b in zip(
            times(pairs.batch(step).source), times(pairs.batch(step).driving), strict=True
        )
    ]
    assert 0.3 < sum(drawn) / len(drawn) < 0.7


def test_the_pair_that_changes_most_is_kept() -> None:
    def mean_change(candidates: int) -> float:
        pairs = sampler(candidates=candidates)
        changes = []
        for step in range(40):
            batch = pairs.batch(step)
            changes += (batch.source.int() - batch.driving.int())[:, 1, 0, 0].abs().tolist()
        return sum(changes) / len(changes)

    # the mean difference of two of six is 7/3 frames, the largest is 5 frames of 10 grey levels
    assert mean_change(1) == pytest.approx(70 / 3, rel=0.15)
    assert mean_change(16) > 40


def test_a_batch_that_cannot_be_filled_is_refused() -> None:
    with pytest.raises(DataError, match="2 identities seen 3 times do not fill a batch of 7"):
        sampler(2, repeats=3, batch_size=7)
    with pytest.raises(DataError):
        PairSampler([], batch_size=1)


@pytest.mark.parametrize("threads", [1, 3])
def test_reading_ahead_keeps_the_order(threads: int) -> None:
    pairs = sampler(candidates=2)
    with read_ahead(pairs, 5, threads) as batches:
        for step in range(5, 15):
            assert same(next(batches), pairs.batch(step))


def test_threads_read_side_by_side_and_no_farther_than_one_batch_each() -> None:
    together = Barrier(3, timeout=30)
    asked = []

    class Slow(PairSampler):
        def batch(self, step: int) -> Batch:
            asked.append(step)
            if step < 3:
                together.wait()  # breaks unless three threads are here at once
            return super().batch(step)

    clips = [FakeClip(i, f"identity {i}") for i in range(6)]
    with read_ahead(Slow(clips, batch_size=3), 0, 3) as batches:
        next(batches)
    assert sorted(asked) in ([0, 1, 2], [0, 1, 2, 3])


def test_what_goes_wrong_in_a_thread_is_told_where_the_batch_is_wanted() -> None:
    class Failing(FakeClip):
        def frame(self, index: int) -> np.ndarray:
            raise DataError("gone")

    pairs = PairSampler([Failing(0, "a")], batch_size=1)
    with read_ahead(pairs, 0, 2) as batches, pytest.raises(DataError, match="gone"):
        next(batches)


@given(st.integers(0, 2**63), st.integers(0, 20), st.integers(1, 3))
def test_alpha_is_that_of_the_frames(seed: int, step: int, candidates: int) -> None:
    batch = mixed(True, seed=seed, candidates=candidates).batch(step)
    numbers = torch.tensor(clip_numbers(batch))
    alpha = batch.alpha
    assert alpha is not None
    assert torch.equal(alpha.known, numbers % 4 < 2)
    for plane, frames in ((alpha.source, batch.source), (alpha.driving, batch.driving)):
        assert plane.shape == (4, 1, SIDE, SIDE)
        assert plane.dtype == torch.uint8
        assert torch.equal(
            plane[:, 0], torch.where(alpha.known, 1, 0)[:, None, None] * (frames[:, 1] + 1)
        )
    assert torch.equal(batch.still, (numbers % 2 == 0) | alpha.known)
    assert batch.still_in_whole == int(batch.still.sum())


def test_asking_for_alpha_changes_no_pair() -> None:
    with_alpha, without = mixed(True, candidates=3), mixed(False, candidates=3)
    for step in range(6):
        a, b = with_alpha.batch(step), without.batch(step)
        assert b.alpha is None
        assert b.still.tolist() == [n % 2 == 0 for n in clip_numbers(b)]
        for name in ("source", "driving", "median"):
            assert torch.equal(getattr(a, name), getattr(b, name))


def test_parts_of_a_batch_have_their_alpha() -> None:
    batch = mixed(True).batch(3)
    parts = batch.split(2)
    for name in ("source", "driving", "known"):
        joined = torch.cat([getattr(part.alpha, name) for part in parts])
        assert torch.equal(joined, getattr(batch.alpha, name))
    assert {part.still_in_whole for part in parts} == {batch.still_in_whole}


def test_scenes_are_medians_of_any_clips_and_the_same_however_a_batch_is_shared() -> None:
    whole = mixed(truth=False, scenes=True)
    shares = [mixed(truth=False, scenes=True, share=Share(index, 2)) for index in range(2)]
    plain = mixed(truth=False)
    seen = set()
    for step in range(12):
        scene = whole.batch(step).scene
        assert scene.shape == (4, 3, SIDE, SIDE)
        assert (scene[:, 1] == 255).all()  # what marks medians
        assert torch.equal(scene, torch.cat([own.batch(step).scene for own in shares]))
        seen |= set(scene[:, 0, 0, 0].tolist())
        assert plain.batch(step).scene is None
        assert same(plain.batch(step), whole.batch(step))  # nor does the order depend on them
    assert seen == set(range(8))


def twinned(used: float, has_alpha: bool = True, **settings: int) -> PairSampler:
    """Clips 0 and 4 move alike, as do 1 and 5; 2 and 3 move alone."""
    clips = [
        FakeClip(
            i, f"identity {i}", has_alpha=has_alpha, motion=f"motion {i % 4}" if i % 4 < 2 else None
        )
        for i in range(6)
    ]
    return PairSampler(clips, truth=True, twins=used, **({"batch_size": 6} | settings))


def test_another_who_moves_alike_drives_at_the_same_time() -> None:
    for step in range(10):
        batch = twinned(1).batch(step)
        numbers = torch.tensor(clip_numbers(batch))
        twins = batch.twins
        assert torch.equal(twins.used, numbers % 4 < 2)
        other = torch.where(twins.used, (numbers + 4) % 8, 0)
        assert twins.driving[:, 0, 0, 0].tolist() == other.tolist()
        time = batch.driving[:, 1] * twins.used[:, None, None]
        assert torch.equal(twins.driving[:, 1], time)
        assert torch.equal(twins.alpha[:, 0], time + twins.used[:, None, None].byte())


def test_twins_drive_their_share_and_change_nothing_else() -> None:
    some, none = twinned(0.4), twinned(0)
    used = []
    for step in range(60):
        a, b = some.batch(step), none.batch(step)
        assert same(a, b)
        assert b.twins is None
        used += a.twins.used.tolist()
    assert 0.3 < sum(used) / (len(used) * 4 / 6) < 0.5
    assert not twinned(1, has_alpha=False).batch(0).twins.used.any()


def test_twins_are_the_same_however_a_batch_is_shared_or_split() -> None:
    whole = twinned(0.5).batch(2)
    shares = [twinned(0.5, share=Share(index, 2)).batch(2) for index in range(2)]
    for parts in (shares, whole.split(3)):
        for name in ("driving", "alpha", "used"):
            joined = torch.cat([getattr(part.twins, name) for part in parts])
            assert torch.equal(joined, getattr(whole.twins, name))


def test_only_others_of_its_length_and_with_alpha_drive() -> None:
    def used(**of_other: object) -> list[bool]:
        clip = FakeClip(0, "a", has_alpha=True, motion="m")
        clips = [clip, replace(clip, number=1, identity="b", **of_other)]
        return PairSampler(clips, batch_size=2, truth=True, twins=1).batch(0).twins.used.tolist()

    assert used() == [True, True]
    assert used(length=5) == used(has_alpha=False) == used(motion="n") == [False, False]


def test_each_of_several_others_drives() -> None:
    clips = [FakeClip(i, f"{i}", has_alpha=True, motion="m") for i in range(4)]
    ready = PairSampler(clips, batch_size=4, truth=True, twins=1)
    pairs = set()
    for step in range(40):
        batch = ready.batch(step)
        pairs |= set(
            zip(clip_numbers(batch), batch.twins.driving[:, 0, 0, 0].tolist(), strict=True)
        )
    assert pairs == {(a, b) for a in range(4) for b in range(4) if a != b}


def test_twins_of_every_step_are_shared_alike() -> None:
    for step in range(8):
        whole = twinned(0.5).batch(step).twins.used
        shares = [twinned(0.5, share=Share(i, 2)).batch(step).twins.used for i in range(2)]
        assert torch.equal(torch.cat(shares), whole)


def test_without_the_truth_nobody_drives() -> None:
    clips = [FakeClip(i, f"{i}", has_alpha=True, motion="m") for i in range(2)]
    assert PairSampler(clips, batch_size=2, twins=1).batch(0).twins is None
