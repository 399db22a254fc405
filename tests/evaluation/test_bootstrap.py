"""Intervals against closed forms and simulations, and the verdicts drawn from them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmotion.evaluation.bootstrap import compare, estimate
from maskmotion.evaluation.results import Comparison, Estimate, Metric

PSNR = Metric("psnr", "PSNR", "dB", "higher", "all pixels", "peak signal to noise ratio")
LPIPS = Metric("lpips", "LPIPS", "", "lower", "all pixels", "learned distance")
POSE_IOU = Metric("pose_iou", "IoU with driver", "", "neither", "all frames", "overlap")

VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


def estimated(
    values: list[float] | np.ndarray, frames: int = 7, identities: list[str] | None = None
) -> Estimate:
    found = estimate(np.array(values), frames, identities)
    assert found is not None
    return found


def compared(
    values: list[float] | np.ndarray,
    others: list[float] | np.ndarray,
    metric: Metric = PSNR,
    identities: list[str] | None = None,
) -> Comparison:
    difference = np.array(values) - np.array(others)
    found = compare(metric, "ours", "theirs", difference, 7, identities)
    assert found is not None
    return found


def normal(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=count)


def width(found: Estimate) -> float:
    return found.high - found.low


# Intervals ---------------------------------------------------------------------------------


@given(value=st.floats(-100, 100), clips=st.integers(1, 30))
def test_the_interval_of_a_constant_is_the_constant(value: float, clips: int) -> None:
    found = estimated([value] * clips, frames=9)
    assert [found.mean, found.low, found.high] == pytest.approx([value] * 3)
    assert (found.clips, found.frames) == (clips, 9)


def test_two_clips_reach_from_one_to_the_other() -> None:
    assert estimated([3.0, 1.0]) == Estimate(2, 1, 3, 2, 7)  # a quarter of the draws is at each


@given(values=VALUES)
def test_the_interval_holds_the_mean_and_lies_within_the_values(values: list[float]) -> None:
    found = estimated(values)
    assert found.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    ends = [min(values), found.low, found.mean, found.high, max(values)]
    assert all(a <= b + 1e-9 for a, b in pairwise(ends))


def test_many_clips_have_the_interval_of_the_normal_law() -> None:
    values = normal(0, 400)
    found = estimated(values)
    reach = 1.96 * values.std() / 400**0.5
    assert found.high - found.mean == pytest.approx(reach, rel=0.08)
    assert found.mean - found.low == pytest.approx(reach, rel=0.08)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    def share(clips: int) -> float:
        drawn = [estimated(normal(seed, clips)) for seed in range(500)]
        return float(np.mean([found.low <= 0 <= found.high for found in drawn]))

    assert 0.90 < share(clips=40) < 0.98
    assert 0.90 < share(clips=5) < 0.98  # plain percentiles would be at 0.83


@given(values=VALUES, shift=st.floats(-50, 50), scale=st.floats(0.1, 10))
def test_the_interval_moves_with_the_values(
    values: list[float], shift: float, scale: float
) -> None:
    plain, moved = estimated(values), estimated(scale * np.array(values) + shift)
    expected = [scale * end + shift for end in (plain.mean, plain.low, plain.high)]
    assert [moved.mean, moved.low, moved.high] == pytest.approx(expected, abs=1e-6)


@given(values=VALUES, data=st.data())
def test_the_order_of_the_clips_does_not_matter(values: list[float], data: st.DataObject) -> None:
    assert estimated(data.draw(st.permutations(values))) == estimated(values)


def test_clips_without_a_value_do_not_count() -> None:
    found = estimated([np.nan, 1.0, 2.0, np.nan, 4.0])
    assert found == estimated([1.0, 2.0, 4.0])
    assert found.clips == 3


@pytest.mark.parametrize("values", [[], [np.nan], [np.nan, np.nan]])
def test_no_values_have_no_estimate(values: list[float]) -> None:
    assert estimate(np.array(values), 0) is None


def test_the_same_values_have_the_same_interval_and_the_callers_draws_are_left_alone() -> None:
    # The state that all of a program shares is what must stay as it is.
    np.random.seed(3)  # noqa: NPY002
    first = estimated(normal(1, 12))
    drawn = np.random.rand()  # noqa: NPY002
    second = estimated(normal(1, 12))
    np.random.seed(3)  # noqa: NPY002
    assert first == second
    assert np.random.rand() == drawn  # noqa: NPY002


# Identities --------------------------------------------------------------------------------


@given(values=VALUES)
def test_clips_of_one_identity_have_no_interval(values: list[float]) -> None:
    found = estimated(values, identities=["a"] * len(values))
    assert found.low == found.high == found.mean
    assert found.clips == len(values)


@given(values=VALUES)
def test_left_out_identities_are_the_clips_own(values: list[float]) -> None:
    names = [str(i) for i in range(len(values))]
    assert estimated(values, identities=names) == estimated(values)


@given(values=VALUES, copies=st.integers(2, 5))
def test_copies_of_clips_tell_nothing_new(values: list[float], copies: int) -> None:
    names = [str(i) for i in range(len(values))]
    found = estimated(values * copies, identities=names * copies)
    once = estimated(values)
    ends = [once.mean, once.low, once.high]
    assert [found.mean, found.low, found.high] == pytest.approx(ends, abs=1e-6)
    assert found.clips == copies * len(values)


def test_the_mean_is_over_clips_and_the_draw_over_identities() -> None:
    # Two identities: a mean of draws is 0, 1, or that of all four clips.
    assert estimated([0, 0, 0, 1], identities=["a", "a", "a", "b"]) == Estimate(0.25, 0, 1, 4, 7)


def test_an_identity_weighs_as_much_as_it_has_clips() -> None:
    """One of ten is drawn not at all, or up to some three times with its fifty clips."""
    names = ["many"] * 50 + list("abcdefghi")
    found = estimated([1.0] * 50 + [0.0] * 9, identities=names)
    assert (found.low, found.mean) == (0, pytest.approx(50 / 59))
    assert 150 / 157 <= found.high <= 250 / 255


def test_intervals_of_clips_alike_within_identities_hold_the_truth() -> None:
    names = [str(i) for i in range(20) for _ in range(5)]

    def holds(seed: int, identities: list[str] | None) -> bool:
        values = np.repeat(normal(seed, 20), 5) + 0.1 * normal(seed + 1000, 100)
        found = estimated(values, identities=identities)
        return found.low <= 0 <= found.high

    assert 0.90 < np.mean([holds(seed, names) for seed in range(200)]) < 0.98
    assert np.mean([holds(seed, None) for seed in range(200)]) < 0.75


# Verdicts ----------------------------------------------------------------------------------

HARDNESS = 10 * normal(0, 20)
SLIGHT = 0.2 * normal(1, 20)


@pytest.mark.parametrize(
    ("metric", "shift", "verdict"),
    [
        (PSNR, 1.0, "better"),
        (PSNR, -1.0, "worse"),
        (PSNR, 0.0, "no clear difference"),
        (LPIPS, 1.0, "worse"),
        (LPIPS, -1.0, "better"),
        (LPIPS, 0.0, "no clear difference"),
    ],
)
def test_verdicts(metric: Metric, shift: float, verdict: str) -> None:
    noise = SLIGHT - SLIGHT.mean()
    found = compared(HARDNESS + shift + noise, HARDNESS, metric)
    assert found.verdict == verdict
    assert found.difference.mean == pytest.approx(shift, abs=1e-9)
    assert (found.metric, found.contender, found.against) == (metric.name, "ours", "theirs")
    assert (found.difference.clips, found.difference.frames) == (20, 7)


def test_equal_contenders_do_not_differ() -> None:
    found = compared(HARDNESS, HARDNESS)
    assert found.verdict == "no clear difference"
    assert found.difference == Estimate(0, 0, 0, 20, 7)


def test_an_end_at_zero_leaves_nothing_out() -> None:
    others = [0.0] * 5
    assert compared([1.0, 0.0, 0.0, 0.0, 0.0], others).verdict == "no clear difference"
    assert compared([1.0, 0.1, 0.1, 0.1, 0.1], others).verdict == "better"


def test_four_clips_are_too_few_for_a_verdict() -> None:
    assert compared([1.0, 1.1, 1.2, 1.3], [0.0] * 4).verdict == "too few clips"
    assert compared([1.0, 1.1, 1.2, 1.3, 1.4], [0.0] * 5).verdict == "better"


def test_many_clips_of_four_identities_are_too_few() -> None:
    values, others = [1.0 + i / 10 for i in range(10)], [0.0] * 10
    four = [str(i % 4) for i in range(10)]
    five = [str(i % 5) for i in range(10)]
    assert compared(values, others, identities=four).verdict == "too few clips"
    assert compared(values, others, identities=five).verdict == "better"
    values[4] = values[9] = np.nan  # the fifth identity has no value left
    assert compared(values, others, identities=five).verdict == "too few clips"


def test_pairs_see_what_groups_do_not() -> None:
    values, others = HARDNESS + 0.5 + SLIGHT, HARDNESS
    paired, ours, theirs = compared(values, others), estimated(values), estimated(others)
    assert paired.verdict == "better"
    assert ours.low < theirs.high  # the intervals of the two overlap
    assert width(paired.difference) < width(ours) / 10


@given(seed=st.integers(0, 1000), shift=st.floats(-1, 1))
def test_the_other_way_round_says_the_opposite(seed: int, shift: float) -> None:
    values, others = normal(seed, 30) + shift, normal(seed + 1, 30)
    there, back = compared(values, others), compared(others, values)
    assert back.difference.mean == pytest.approx(-there.difference.mean, abs=1e-9)
    assert width(back.difference) == pytest.approx(width(there.difference), rel=0.2)
    assert {there.verdict, back.verdict} != {"better"}
    assert {there.verdict, back.verdict} != {"worse"}
    assert compared(values, others, LPIPS).difference == there.difference


def test_only_clips_of_both_are_compared() -> None:
    nan = np.nan
    found = compared([1.0, nan, 3.0, 9.0, 5.0], [0.0, 7.0, 1.0, nan, 2.0])
    assert found.difference == estimated([1.0, 2.0, 3.0])


def test_without_a_common_clip_there_is_no_comparison() -> None:
    assert compare(PSNR, "a", "b", np.array([np.nan, np.nan]), 0) is None


def test_metrics_that_are_not_judged_have_no_comparison() -> None:
    assert compare(POSE_IOU, "a", "b", 1 + SLIGHT, 7) is None
    judged = replace(POSE_IOU, better="higher")
    assert compared(HARDNESS + 1, HARDNESS, judged).verdict == "better"
