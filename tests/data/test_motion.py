import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.footage import moving_square, panning, scene

from maskmotion.data.motion import is_still_camera, motion_target


def camera_is_still(frames: list[np.ndarray]) -> bool:
    median = np.median(frames, axis=0).astype(np.uint8)
    return is_still_camera(torch.from_numpy(np.stack(frames)), torch.from_numpy(median))


def test_nothing_moves_in_a_still() -> None:
    frame = torch.rand(2, 3, 64, 64)
    assert torch.equal(motion_target(frame, frame), torch.zeros(2, 1, 64, 64))


@given(st.floats(0, 0.4), st.sampled_from([0, 1, 2]), st.sampled_from([-1, 1]))
def test_a_change_everywhere_is_scaled_and_clipped(change: float, channel: int, sign: int) -> None:
    median = torch.full((1, 3, 32, 32), 0.5)
    frames = median.expand(2, -1, -1, -1).clone()
    frames[1, channel] += sign * change  # the largest channel counts, and its size alone
    target = motion_target(frames, median)
    wanted = min(1.0, max(0.0, (change - 0.04) / 0.12))
    assert target[0].abs().max() == 0
    torch.testing.assert_close(target[1], torch.full_like(target[1], wanted), atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [64, 128, 256])
def test_a_square_that_moved(side: int) -> None:
    median = torch.full((1, 3, side, side), 0.2)
    frame = median.clone()
    quarter = side // 4
    inside = (..., slice(quarter, 2 * quarter), slice(quarter, 3 * quarter))
    frame[inside] = 0.9
    target = motion_target(frame, median)
    assert target.shape == (1, 1, side, side)
    assert (target[inside] == 1).all()
    far = torch.ones_like(target, dtype=torch.bool)
    reach = side // 16
    far[..., quarter - reach : 2 * quarter + reach, quarter - reach : 3 * quarter + reach] = False
    assert (target[far] == 0).all()


def test_the_blur_is_a_share_of_the_side() -> None:
    def edge(side: int) -> torch.Tensor:
        frame = torch.zeros(1, 3, side, side)
        frame[..., side // 2 :] = 0.15
        return motion_target(frame, torch.zeros(1, 3, side, side))[0, 0, side // 2]

    large = edge(256)
    torch.testing.assert_close(edge(128), (large[::2] + large[1::2]) / 2, atol=0.02, rtol=0)


def test_single_noisy_pixels_are_blurred_away() -> None:
    frame = torch.zeros(1, 3, 128, 128)
    frame[..., 64, 64] = 1
    # a Gaussian of 2 pixels leaves 1 / (2 pi 4) of it, as good as still
    assert motion_target(frame, torch.zeros_like(frame)).max() < 0.01


def test_a_still_camera() -> None:
    assert camera_is_still(moving_square())
    assert camera_is_still([scene()] * 5)


def test_a_still_camera_with_a_large_object_at_one_border() -> None:
    frames = []
    for index in range(9):
        frame = scene()
        frame[40:, 8 + 4 * index : 24 + 4 * index] = 250
        frames.append(frame)
    assert camera_is_still(frames)


def test_a_moving_camera() -> None:
    assert not camera_is_still(panning())
    assert not camera_is_still([np.full((64, 64, 3), 20 * i, np.uint8) for i in range(12)])
