from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.footage import moving_square, panning, scene

from maskmotion.data.scenes import (
    SAMPLED,
    THUMBNAIL_PX,
    Spread,
    centre_square,
    judge_motion,
    mark_cuts,
    thumbnail,
)
from maskmotion.media import open_video


def cuts(frames: list[np.ndarray]) -> list[int]:
    return [number for number, (_, cut) in enumerate(mark_cuts(iter(frames))) if cut]


def negative(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [255 - frame for frame in frames]


@pytest.mark.parametrize("first", [1, 2, 5, 6, 20])
@pytest.mark.parametrize("second", [3, 7, 20])
def test_a_cut_is_found_at_its_frame(first: int, second: int) -> None:
    assert cuts(moving_square(first) + negative(moving_square(second))) == [first]


def test_several_cuts() -> None:
    one, other = moving_square(15), negative(moving_square(15))
    assert cuts(one + other + one) == [15, 30]


def test_what_is_no_cut() -> None:
    frames = moving_square(30)
    assert cuts(frames) == []
    assert cuts(frames[:1]) == []
    flash = [*frames[:10], np.full_like(frames[0], 255), *frames[10:]]
    assert cuts(flash) == []
    assert cuts([*flash[:11], np.full_like(frames[0], 255), *flash[11:]]) == []
    assert cuts(panning(20)) == []


def test_a_jump_before_the_same_background_is_no_cut() -> None:
    frames = [scene() for _ in range(20)]
    for index, frame in enumerate(frames):
        left = 4 if index < 10 else 40
        frame[10:50, left : left + 20] = 250
    assert cuts(frames) == []


@given(st.integers(0, 40))
def test_every_thumbnail_comes_out_in_order(count: int) -> None:
    frames = [np.full((8, 12, 3), index, np.uint8) for index in range(count)]
    out = [picture for picture, _ in mark_cuts(iter(frames))]
    assert [picture[0, 0, 0] for picture in out] == list(range(count))


def test_few_frames_are_held_at_a_time() -> None:
    taken = 0

    def stream() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in moving_square(100):
            taken += 1
            yield frame

    for number, _ in enumerate(mark_cuts(stream())):
        assert taken <= number + 10


@given(st.integers(1, 2000))
def test_spread_frames_are_few_and_even(count: int) -> None:
    spread = Spread()
    for index in range(count):
        spread.add(np.full((1, 1, 1), index, np.int64))
        assert len(spread.kept) <= 2 * SAMPLED
    numbers = spread.frames()[:, 0, 0, 0]
    assert len(numbers) == min(count, SAMPLED)
    assert (np.diff(numbers) > 0).all()
    # no gap is longer than two stretches of those that twice SAMPLED frames come from
    longest = 2 * max(1, count / SAMPLED) + 1
    assert numbers[0] <= longest
    assert count - 1 - numbers[-1] <= 2 * longest
    assert np.diff(numbers).max(initial=0) <= 2 * longest


@pytest.mark.parametrize("period", [2, 3, 4, 8, 16])
def test_a_loop_is_not_sampled_in_step_with_itself(period: int) -> None:
    spread = Spread()
    for index in range(50 * period):
        spread.add(np.full((1, 1, 1), index % period, np.int64))
    phases = np.bincount(spread.frames()[:, 0, 0, 0], minlength=period)
    assert phases.max() <= 0.8 * phases.sum()


@given(st.integers(1, 300), st.integers(1, 300))
def test_thumbnails_keep_the_shape(height: int, width: int) -> None:
    small = thumbnail(np.full((height, width, 3), 99, np.uint8))
    assert (small == 99).all()
    assert max(small.shape[:2]) == min(THUMBNAIL_PX, max(height, width))
    wanted = height * min(1, THUMBNAIL_PX / max(height, width))
    assert abs(small.shape[0] - wanted) <= 1


@given(st.integers(1, 300), st.integers(1, 300))
def test_the_centre_square(height: int, width: int) -> None:
    left, top, side = centre_square(height, width)
    assert side == min(height, width)
    assert 0 <= left - (width - left - side) + 1 <= 1
    assert 0 <= top - (height - top - side) + 1 <= 1


def test_motion_of_a_scene() -> None:
    moving = judge_motion(np.stack(moving_square(12)))
    assert moving.camera_still
    assert not moving.static
    assert (moving.time_share[:12] == 0).all()  # the square stays in the middle
    assert 0 < moving.time_share[14:50, 14:50].mean() < 0.5
    assert not judge_motion(np.stack(panning(12))).camera_still
    assert judge_motion(np.stack([scene()] * 12)).static
    noise = np.random.default_rng(0).normal(0, 4, (12, 64, 64, 3))
    noisy = (scene() + noise).clip(0, 255).astype(np.uint8)
    assert judge_motion(noisy).static


@pytest.mark.slow
def test_real_clips(testdata: Path) -> None:
    """Each robot clip is one scene in which something moves; two of them joined have a cut."""
    scenes = []
    for path in sorted((testdata / "clips" / "robot" / "train").glob("*.mp4"))[::3]:
        with open_video(path) as video:
            frames = [thumbnail(frame.image) for frame in video]
        assert cuts(frames) == []
        motion = judge_motion(np.stack(frames[:: max(1, len(frames) // SAMPLED)]))
        assert motion.camera_still
        assert not motion.static
        scenes.append(frames[:20])
    half = len(scenes) // 2
    assert half > 4
    # neighbours by name were often taken in one room
    found = [cuts(a + b) for a, b in zip(scenes[:half], scenes[half:], strict=False)]
    assert sum(found_one == [20] for found_one in found) >= 0.9 * len(found)
