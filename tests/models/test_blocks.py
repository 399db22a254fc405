import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from maskmotion.models.blocks import (
    AntiAliasDownsample,
    DownBlock,
    Hourglass,
    ResidualBlock,
    SameBlock,
    UpBlock,
    channels_last,
    gaussian_line,
    resize,
    scaled,
)

# BatchNorm with untrained statistics divides by this
UNIT = (1 + 1e-5) ** 0.5


def passing(block: nn.Module) -> nn.Module:
    """The block with convolutions that pass their input on."""
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.dirac_(module.weight)
            nn.init.zeros_(module.bias)
    return block.eval()


@given(st.floats(0.3, 5), st.integers(1, 31))
def test_gaussian_line_is_normalised_and_symmetric(sigma: float, size: int) -> None:
    kernel = gaussian_line(sigma, size)
    assert kernel.shape == (size,)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(kernel, kernel.flip(0))


def test_gaussian_line_falls_as_a_gaussian() -> None:
    kernel = gaussian_line(1.5, 13)
    ratio = kernel[8] / kernel[6]
    assert ratio.item() == pytest.approx(torch.tensor(-(2**2) / (2 * 1.5**2)).exp().item())


@pytest.mark.parametrize(("factor", "size"), [(2, 5), (4, 13), (8, 29)])
def test_anti_alias_keeps_a_constant_picture_away_from_the_border(factor: int, size: int) -> None:
    down = AntiAliasDownsample(factor)
    assert down.line.shape == (size,)
    out = down(torch.full((2, 3, 64, 64), 0.7))
    assert out.shape == (2, 3, 64 // factor, 64 // factor)
    margin = -(-(size // 2) // factor)
    torch.testing.assert_close(
        out[..., margin:-margin, margin:-margin],
        torch.full_like(out, 0.7)[..., margin:-margin, margin:-margin],
    )
    assert (out[..., 0, 0] < 0.7).all()  # zero padding darkens the corner


def test_anti_alias_picks_every_fourth_pixel_of_the_blurred_picture() -> None:
    picture = torch.zeros(1, 3, 64, 64)
    picture[0, 1, 33, 22] = 1  # output (8, 5) looks at pixel (32, 20)
    out = AntiAliasDownsample(4)(picture)
    kernel = gaussian_line(1.5, 13)
    torch.testing.assert_close(out[0, 1, 8, 5], kernel[6 + 1] * kernel[6 + 2])
    torch.testing.assert_close(out[0, 1, 9, 5], kernel[6 - 3] * kernel[6 + 2])
    assert out[0, 0].abs().max() == 0
    assert out[0, 2].abs().max() == 0


def test_anti_alias_by_one_changes_nothing() -> None:
    picture = torch.rand(1, 3, 8, 8)
    assert torch.equal(AntiAliasDownsample(1)(picture), picture)


def test_anti_alias_kernel_is_not_stored() -> None:
    assert AntiAliasDownsample(4).state_dict() == {}


def test_down_block_is_the_mean_of_four_rectified_pixels() -> None:
    x = torch.randn(2, 3, 8, 12)
    wanted = (x.clamp(min=0) / UNIT).unflatten(3, (6, 2)).unflatten(2, (4, 2)).mean((3, 5))
    torch.testing.assert_close(passing(DownBlock(3, 3))(x), wanted)


def test_up_block_repeats_each_pixel_in_a_square() -> None:
    x = torch.randn(2, 3, 4, 6)
    wanted = (x.clamp(min=0) / UNIT).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(passing(UpBlock(3, 3))(x), wanted)


def test_same_block_sees_seven_by_seven_pixels() -> None:
    block = SameBlock(1, 1).eval()
    nn.init.ones_(block.conv.weight)
    nn.init.zeros_(block.conv.bias)
    x = torch.zeros(1, 1, 16, 16)
    x[..., 8, 8] = 1
    out = block(x)
    wanted = torch.zeros_like(x)
    wanted[..., 5:12, 5:12] = 1 / UNIT
    torch.testing.assert_close(out, wanted)


def test_residual_block_normalises_and_rectifies_before_each_convolution() -> None:
    x = torch.randn(2, 3, 5, 7)
    wanted = x + x.clamp(min=0) / UNIT**2
    torch.testing.assert_close(passing(ResidualBlock(3))(x), wanted)


@given(
    in_channels=st.integers(1, 5),
    expansion=st.integers(1, 4),
    maximum=st.integers(4, 20),
    levels=st.integers(1, 4),
    skips=st.booleans(),
)
def test_hourglass_channels(
    in_channels: int, expansion: int, maximum: int, levels: int, skips: bool
) -> None:
    glass = Hourglass(in_channels, expansion, maximum, skips=skips, levels=levels).eval()
    encoder = [min(maximum, expansion * 2 ** (i + 1)) for i in range(levels)]
    decoder = [min(maximum, expansion * 2**i) for i in range(levels)][::-1]
    assert [block.conv.out_channels for block in glass.down_blocks] == encoder
    assert [block.conv.out_channels for block in glass.up_blocks] == decoder
    assert glass.out_channels == expansion + (in_channels if skips else 0)
    x = torch.randn(1, in_channels, 2**levels, 2 * 2**levels)
    out = glass(x)
    assert out.shape == (1, glass.out_channels, *x.shape[2:])
    if skips:
        assert torch.equal(out[:, expansion:], x)
        seen = [block.conv.in_channels for block in glass.up_blocks]
        assert seen == [encoder[-1], *(2 * c for c in encoder[-2::-1])]


@pytest.mark.parametrize("skips", [True, False])
def test_only_skips_carry_what_the_bottleneck_drops(skips: bool) -> None:
    glass = Hourglass(1, 2, 8, skips=skips, levels=2).eval()
    for parameter in glass.down_blocks[-1].parameters():
        nn.init.zeros_(parameter)  # nothing passes the bottleneck
    a, b = (glass(torch.randn(1, 1, 8, 8))[:, :2] for _ in range(2))
    assert torch.equal(a, b) is not skips


def test_reducing_reads_the_middle_of_each_square() -> None:
    x = torch.rand(2, 3, 16, 24)
    blocks = x.unflatten(3, (6, 4)).unflatten(2, (4, 4))  # (B, C, 4, 4, 6, 4)
    torch.testing.assert_close(resize(x, (4, 6)), blocks[:, :, :, 1:3, :, 1:3].mean((3, 5)))


def test_enlarging_keeps_a_ramp_in_place() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    wanted = (torch.arange(32.0) + 0.5) / 4 - 0.5
    torch.testing.assert_close(resize(ramp, 32)[0, 0, 0], wanted.clamp(0, 7))


@given(st.integers(1, 1024), st.floats(1e-4, 4))
def test_scaled_channels(channels: int, width: float) -> None:
    assert scaled(channels, 1.0) == channels
    assert scaled(channels, width) >= 1
    assert abs(scaled(channels, width) - channels * width) <= max(0.5, 1 - channels * width)


def test_channels_last_changes_the_layout_alone() -> None:
    block = SameBlock(3, 4).eval()
    x = torch.rand(1, 3, 9, 9)
    before = block(x)
    channels_last(block)
    assert block.conv.weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(block(x), before)
