"""Between uint8 frames and float tensors."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from maskmotion.errors import ShapeError
from maskmotion.media import on_white, to_tensor, to_uint8


@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
    )
)
def test_round_trip(frames: np.ndarray) -> None:
    tensor = to_tensor(list(frames))
    batch, height, width, channels = frames.shape
    assert tensor.shape == (batch, channels, height, width)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert 0 <= tensor.min() <= tensor.max() <= 1
    np.testing.assert_array_equal(to_uint8(tensor), frames)
    np.testing.assert_array_equal(to_uint8(tensor.double()), frames)


def test_all_levels_survive_half_precision() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(to_uint8(to_tensor([levels]).half())[0], levels)


def test_values_are_rounded_and_clamped() -> None:
    x = torch.tensor([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 7.0]).view(1, 1, 1, 7)
    assert to_uint8(x).ravel().tolist() == [0, 0, 0, 1, 255, 255, 255]


def test_a_read_only_and_flipped_view_is_taken() -> None:
    frame = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::-1]
    frame.flags.writeable = False
    np.testing.assert_array_equal(to_uint8(to_tensor([frame]))[0], frame)


def test_gradients_are_no_hindrance() -> None:
    assert to_uint8(torch.rand(1, 3, 2, 2, requires_grad=True)).shape == (1, 2, 2, 3)


@pytest.mark.parametrize(
    "frames",
    [[], [np.zeros((2, 2), np.uint8)], [np.zeros((2, 2, 3)), np.zeros((2, 3, 3))]],
)
def test_unfitting_frames(frames: list[np.ndarray]) -> None:
    with pytest.raises(ShapeError):
        to_tensor(frames)


def test_unfitting_tensor() -> None:
    with pytest.raises(ShapeError):
        to_uint8(torch.zeros(3, 4, 4))


def test_on_white() -> None:
    image = np.array([[[0, 100, 200]] * 3], np.uint8)
    alpha = np.array([[255, 0, 128]], np.uint8)
    laid = on_white(image, alpha)
    assert laid.dtype == np.uint8
    assert laid.tolist() == [[[0, 100, 200], [255, 255, 255], [127, 177, 227]]]
    assert on_white(image, None) is image
