"""The part of a picture that the perceptual loss looks at."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from maskmotion.config import WINDOW_STEP, LossConfig, TrainConfig, validate
from maskmotion.errors import ConfigError
from maskmotion.models.draws import WHOLE, Draws, Share
from maskmotion.training.losses import PerceptualLoss
from maskmotion.training.vgg import VGG19
from maskmotion.training.windows import draw_windows


def draws(seed: int = 0, share: Share = WHOLE) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), share)


def places(batch: int, size: int) -> Tensor:
    """(B, 2, S, S): every pixel's row and column."""
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.stack([row, column]).float().expand(batch, 2, size, size)


def corners(source: Tensor, target: Tensor, share: float, seed: int = 0) -> Tensor:
    """(B, 2) upper left pixel of each window."""
    cut = draw_windows(source, target, share, draws(seed))
    return cut(places(len(source), source.shape[-1]))[:, :, 0, 0]


@given(size=st.sampled_from([128, 256]), share=st.floats(0.25, 1), seed=st.integers(0, 99))
def test_a_window_is_a_square_part_of_its_picture(size: int, share: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    source, target = torch.rand(2, 3, 3, size, size, generator=generator)
    cut = draw_windows(source, target, share, draws(seed))
    found = cut(places(3, size))
    side = found.shape[-1]
    assert abs(side - share * size) <= WINDOW_STEP / 2
    assert found.shape == (3, 2, side, side)
    assert torch.equal(found - found[:, :, :1, :1], places(3, side))
    assert torch.equal(cut(target[:, :1]), cut(target)[:, :1])


def test_the_whole_picture_is_left_as_it_is() -> None:
    picture = torch.rand(2, 3, 128, 128)
    assert draw_windows(picture, 1 - picture, 1, draws())(picture) is picture
    assert TrainConfig().loss.window == 1


def test_three_quarters_of_the_windows_are_where_something_changes() -> None:
    source = torch.zeros(1000, 1, 128, 128)
    target = source.clone()
    target[..., 88:96, 24:32] = 0.3
    found = corners(source, target, 0.25)
    around = ((found == torch.tensor([92.0 - 16, 28 - 16])).all(1)).float().mean()
    assert around == pytest.approx(3 / 4 + 1 / 4 / 16**2, abs=0.04)  # 3 standard deviations


def test_without_a_change_every_part_is_seen() -> None:
    still = torch.full((1000, 1, 128, 128), 0.5)
    found = corners(still, still, 0.5)
    assert found.min() == 0
    assert found.max() == 64
    at_border = (found == 0).float().mean(0)
    assert (found == 64).float().mean(0) == pytest.approx([4 / 16] * 2, abs=0.042)
    assert at_border == pytest.approx([4 / 16] * 2, abs=0.042)  # centres 4 to 28 of 4 to 124


def test_a_batch_is_cut_alike_however_it_is_shared_out() -> None:
    source, target = torch.rand(2, 4, 3, 128, 128)
    whole = draw_windows(source, target, 0.5, draws())(target)
    halves = [
        draw_windows(a, b, 0.5, draws(share=Share(index, 2)))(b)
        for index, (a, b) in enumerate(zip(source.chunk(2), target.chunk(2), strict=True))
    ]
    assert torch.equal(torch.cat(halves), whole)


def test_the_loss_sees_the_window_alone() -> None:
    loss = PerceptualLoss(VGG19((1, 2)), LossConfig(vgg_layers=(1, 2), scales=(1, 8)))
    source, target = torch.rand(2, 2, 3, 128, 128)
    cut = draw_windows(source, target, 0.5, draws(3))
    painted = source.clone().requires_grad_()
    loss(cut(painted), loss.features(cut(target))).backward()
    seen = torch.zeros(2, 128, 128, dtype=torch.bool)
    for sample, (row, column) in enumerate(corners(source, target, 0.5, 3).int().tolist()):
        seen[sample, row : row + 64, column : column + 64] = True
    assert (painted.grad.abs().sum(1) > 0)[seen].float().mean() > 0.99
    assert not painted.grad.abs().sum(1)[~seen].any()


def test_a_change_counts_by_its_strongest_colour_within_its_picture() -> None:
    """Faint and downwards, in one colour or in all, beside a picture that changes everywhere."""
    source = torch.full((300, 3, 128, 128), 0.5)
    target = source.clone()
    target[0] = 0
    target[1:, 2, 88:96, 24:32] -= 0.05
    target[1:, :, 24:32, 88:96] -= 0.05
    found = corners(source, target, 0.25)[1:]
    for place in ((76.0, 12), (12.0, 76)):
        at = (found == torch.tensor(place)).all(1).float().mean()
        assert at == pytest.approx(3 / 8, abs=0.1), place


def test_windows_are_laid_out_channels_last() -> None:
    source, target = torch.rand(2, 2, 3, 128, 128)
    cut = draw_windows(source, target, 0.5, draws())(target)
    assert cut.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("size", "layers", "least"),
    [(128, (1, 2, 3), 0.25), (128, (1, 4), 0.5), (128, (1, 5), 1), (256, (1, 5), 0.5)],
)
def test_windows_that_vgg_cannot_reduce_are_refused(
    size: int, layers: tuple[int, ...], least: float
) -> None:
    def settings(window: float) -> dict[str, object]:
        return {"model": {"image_size": size}, "loss": {"vgg_layers": layers, "window": window}}

    config = validate(settings(least), "mine")
    picture = torch.rand(2, 3, size, size)
    cut = draw_windows(picture, picture, config.loss.window, draws())(picture)
    PerceptualLoss(VGG19(layers), config.loss).features(cut)
    if least > 0.25:
        with pytest.raises(ConfigError, match=f"loss.window must be at least {least:g} with these"):
            validate(settings(least - 0.1), "mine")
