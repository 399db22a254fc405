import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskmotion.models.background import (
    BackgroundBase,
    BackgroundRefiner,
    background,
    binarize,
    composition,
    composition_channels,
    foreground,
)

seeds = st.integers(0, 2**31)
thresholds = st.sampled_from([0.0, 60 / 255, 100 / 255, 0.9])


def uniform(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_binarize_keeps_only_what_is_above_the_threshold() -> None:
    mask = torch.tensor([0.0, 0.25, 0.2500001, 1.0])
    assert binarize(mask, 0.25).tolist() == [0, 0, 1, 1]
    assert binarize(mask.half(), 0.25).dtype == torch.float16


@given(seeds, thresholds)
def test_foreground_and_background_share_out_the_picture(seed: int, threshold: float) -> None:
    picture = uniform(seed, 2, 3, 4, 5)
    mask = binarize(uniform(seed + 1, 2, 1, 4, 5), threshold)
    front, back = foreground(picture, mask), background(picture, mask)
    assert torch.equal(front + back, picture)
    assert torch.equal(front * back, torch.zeros_like(picture))
    assert torch.equal(front.amax(1, keepdim=True) > 0, mask.bool())


@given(seeds, thresholds, st.sampled_from(["binary", "soft", "none"]))
def test_composition(seed: int, threshold: float, mask_input: str) -> None:
    x, y = uniform(seed, 2, 3, 4, 5), uniform(seed + 1, 2, 3, 4, 5)
    mask_x, mask_y = uniform(seed + 2, 2, 1, 4, 5), uniform(seed + 3, 2, 1, 4, 5)
    out = composition(x, y, mask_x, mask_y, threshold, mask_input)
    assert out.shape[1] == composition_channels(mask_input) == (6 if mask_input == "none" else 8)
    pictures = out[:, -6:]  # cut with binary masks whatever masks are fed
    assert torch.equal(pictures[:, :3], torch.where(mask_x > threshold, 0.0, x))
    assert torch.equal(pictures[:, 3:], torch.where(mask_y > threshold, y, 0.0))
    if mask_input == "binary":
        assert torch.equal(out[:, :1], (mask_x > threshold).float())
        assert torch.equal(out[:, 1:2], (mask_y > threshold).float())
    elif mask_input == "soft":
        assert torch.equal(out[:, :2], torch.cat([mask_x, mask_y], 1))


@pytest.mark.parametrize("mask_input", ["binary", "soft", "none"])
def test_background_networks_take_what_composition_gives(mask_input: str) -> None:
    base_network = BackgroundBase(1 / 16, mask_input).eval()
    refiner = BackgroundRefiner(1 / 16, mask_input).eval()
    composed = uniform(0, 2, composition_channels(mask_input), 128, 128)
    base = base_network(composed[..., ::4, ::4])
    refined = refiner(composed, base)
    assert base.shape == refined.shape == (2, 3, 128, 128)
    assert ((refined >= 0) & (refined <= 1)).all()
