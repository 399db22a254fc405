"""The blocks of maskmotion.models in exact forms of fewer operations, for inference alone.

Exact: the same sums in another order. BatchNorm is folded into convolutions, and a picture that was
enlarged by repeating its pixels is never written out. Activations lie channels last.

A picture of double size can be held in phases: phase (a, b) is what stands at its pixels
(2i + a, 2j + b), and the four phases are channels of a picture of half the size.
"""

import copy
from collections.abc import Callable
from typing import NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskmotion.errors import ModelError
from maskmotion.models.blocks import (
    AntiAliasDownsample,
    DownBlock,
    Hourglass,
    ResidualBlock,
    SameBlock,
    UpBlock,
)

Block = TypeVar("Block", bound=nn.Module)
PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))  # (a, b) in the order of their channels


class Phases(NamedTuple):
    """A picture in phases, from one convolution whose output has a row and a column too many.

    seen (B, 4C, h + 1, w + 1): phase (a, b) is its part that starts at row a and column b.
    skip (B, E, 2h, 2w): more channels of the picture, as they are; None for none.
    """

    seen: Tensor
    skip: Tensor | None = None


def all_of(kind: type[Block], blocks: nn.Sequential | nn.ModuleList) -> list[Block]:
    """The blocks, which are all of one kind."""
    found = [block for block in blocks if isinstance(block, kind)]
    assert len(found) == len(blocks)
    return found


def laid_out(x: Tensor, dtype: torch.dtype) -> Tensor:
    """(B, C, H, W) in the dtype, channels last."""
    # Both at once takes torch twice as long.
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias, float64, of a convolution followed by a BatchNorm in evaluation mode."""
    scale, shift = affine(norm)
    weight = conv.weight.detach().double() * scale[:, None, None, None]
    return weight, own_bias(conv) * scale + shift


def affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift, (C,) float64 each, that a BatchNorm in evaluation mode applies."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.detach().double() - norm.running_mean.double() * scale


def own_bias(conv: nn.Conv2d) -> Tensor:
    """The bias of a convolution that has one, float64."""
    assert conv.bias is not None
    return conv.bias.detach().double()


def enlarging_weight(weight: Tensor) -> Tensor:
    """A 3x3 convolution of a picture of repeated pixels, as a 2x2 one of the picture itself.

    With padding 1, the output is `Phases.seen`: 16 / 36 of the multiplications.

    Args:
        weight: (out, in, 3, 3).
    Returns:
        (4 out, in, 2, 2).
    """
    # Of three neighbours, two are one pixel repeated: which two depends on the phase.
    rows = weight.new_tensor([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
    return torch.einsum("apm,bqn,oimn->aboipq", rows, rows, weight).flatten(0, 2)


def quartet_weight(weight: Tensor) -> Tensor:
    """A 7x7 convolution of padding 3, as one of stride 2 whose outputs are the four phases.

    Three outputs fill a fifth of a vector unit's lanes, twelve most of them. The padding stays 3.

    Args:
        weight: (out, in, 7, 7).
    Returns:
        (4 out, in, 8, 8).
    """
    taps = weight.new_zeros(4, *weight.shape[:2], 8, 8)
    for (a, b), phase in zip(PHASES, taps, strict=True):
        phase[:, :, a : a + 7, b : b + 7] = weight
    return taps.flatten(0, 1)


def seen_weight(quartet: Tensor) -> Tensor:
    """The same for an input that is `Phases.seen`: (O, in, 8, 8) -> (O, 4 in, 4, 4), padding 1."""
    # Row t of the window in phase a is row 2t + 1 - a of the window in the picture.
    phases = [quartet[:, :, 1 - a :: 2, 1 - b :: 2] for a, b in PHASES]
    return torch.cat(phases, dim=1)


def join_phases(phases: Tensor) -> Tensor:
    """(B, 4C, h, w) -> the picture, (B, C, 2h, 2w)."""
    grid = phases.unflatten(1, (2, 2, -1)).permute(0, 3, 4, 1, 5, 2)  # (B, C, h, 2, w, 2)
    return grid.flatten(4, 5).flatten(2, 3)


def join(parts: Phases) -> Tensor:
    """The picture with its skip's channels behind its own: (B, C + E, 2h, 2w), in one copy."""
    seen = parts.seen.permute(0, 2, 3, 1)  # (B, h + 1, w + 1, 4C)
    batch, height, width = seen.shape[0], seen.shape[1] - 1, seen.shape[2] - 1
    own = seen.shape[3] // 4
    extra = 0 if parts.skip is None else parts.skip.shape[1]
    out = seen.new_empty(batch, 2 * height, 2 * width, own + extra)
    for (a, b), phase in zip(PHASES, seen.split(own, dim=3), strict=True):
        out[:, a::2, b::2, :own] = phase[:, a : a + height, b : b + width]
    if parts.skip is not None:
        out[..., own:] = parts.skip.permute(0, 2, 3, 1)
    return out.permute(0, 3, 1, 2)


def black_outside(seen: Tensor) -> Tensor:
    """`Phases.seen` with zeros in the rows and columns that are no part of a phase; in place."""
    phases = seen.unflatten(1, (2, 2, -1))  # (B, 2, 2, C, h + 1, w + 1)
    phases[:, 0, :, :, -1] = 0
    phases[:, 1, :, :, 0] = 0
    phases[:, :, 0, :, :, -1] = 0
    phases[:, :, 1, :, :, 0] = 0
    return seen


def packs(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether oneDNN's own layout of weights is to be had there."""
    if device.type != "cpu" or torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return False
    if not torch.backends.mkldnn.is_available() or not hasattr(
        torch.ops.mkldnn, "_convolution_pointwise"
    ):
        return False
    return dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Convolution(nn.Module):
    """A convolution, rectified where asked: (B, in, H, W) -> (B, out, H', W'), channels last.

    On a processor the weights are laid out as oneDNN computes with them, which torch's own
    convolution does anew at every call (a third of the time where weights outnumber pixels), and
    the output is rectified as it is written.

    Args:
        weight: (out, in, k, k), any float dtype.
        bias: (out,).
        padding: of zeros, on all sides.
        dtype: of weights, input and output.
        relu: rectify the output.
        stride: between outputs.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        *,
        padding: int,
        dtype: torch.dtype,
        relu: bool = False,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.bias = nn.Parameter(bias.to(dtype), requires_grad=False)
        self.padding, self.stride = [padding, padding], [stride, stride]
        self.relu, self.dtype = relu, dtype
        weight = laid_out(weight, dtype)
        self.packed = packs(weight.device, dtype)
        if self.packed:
            weight = torch.ops.mkldnn._reorder_convolution_weight(
                weight, self.padding, self.stride, [1, 1], 1
            )
        self.weight = weight  # no parameter: what is packed can be neither moved nor saved

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) channels last, of the dtype."""
        if not self.packed:
            out = F.conv2d(x, self.weight, self.bias, self.stride, self.padding)
            return out.relu_() if self.relu else out
        return torch.ops.mkldnn._convolution_pointwise(
            x,
            self.weight,
            self.bias,
            self.padding,
            self.stride,
            [1, 1],
            1,
            "relu" if self.relu else "none",
            [],
            "",
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        moved = fn(self.bias)
        if (moved.device, moved.dtype) != (self.bias.device, self.bias.dtype):
            raise ModelError(
                "an engine stays on its device and in its dtype; move the model it was made from, "
                "and make another one"
            )
        return self

    def _save_to_state_dict(self, *_: object) -> None:
        raise ModelError("an engine has no weights to save; save the model it was made from")


class FastDown(nn.Module):
    """DownBlock: (B, in, H, W) -> (B, out, H/2, W/2)."""

    def __init__(self, block: DownBlock, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv = Convolution(*folded(block.conv, block.norm), padding=1, dtype=dtype, relu=True)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(x), 2)


class FastUp(nn.Module):
    """UpBlock, up to the joining of its phases: (B, in, H, W) -> (B, 4 out, H + 1, W + 1)."""

    def __init__(self, block: UpBlock, dtype: torch.dtype) -> None:
        super().__init__()
        weight, bias = folded(block.conv, block.norm)
        self.conv = Convolution(
            enlarging_weight(weight), bias.repeat(4), padding=1, dtype=dtype, relu=True
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class FastSame(nn.Module):
    """SameBlock; takes any dtype and layout: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, block: SameBlock, dtype: torch.dtype) -> None:
        super().__init__()
        self.conv = Convolution(*folded(block.conv, block.norm), padding=3, dtype=dtype, relu=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(laid_out(x, self.conv.dtype))


class FastResidual(nn.Module):
    """ResidualBlock: shape and channels kept.

    The first BatchNorm stays a scale and a shift: what it normalises is also passed on as it is.
    """

    def __init__(self, block: ResidualBlock, dtype: torch.dtype) -> None:
        super().__init__()
        scale, shift = (line.to(dtype)[:, None, None] for line in affine(block.norm1))
        self.scale = nn.Parameter(scale, requires_grad=False)
        self.shift = nn.Parameter(shift, requires_grad=False)
        self.conv1 = Convolution(
            *folded(block.conv1, block.norm2), padding=1, dtype=dtype, relu=True
        )
        weight = block.conv2.weight.detach()
        self.conv2 = Convolution(weight, own_bias(block.conv2), padding=1, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        normalised = torch.addcmul(self.shift, x, self.scale).relu_()
        return self.conv2(self.conv1(normalised)).add_(x)


class FastUps(nn.Module):
    """The up blocks of a ResidualBody: (B, in, H, W) -> Phases of a picture four times as large."""

    def __init__(self, blocks: nn.Sequential, dtype: torch.dtype) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FastUp(block, dtype) for block in all_of(UpBlock, blocks))

    def forward(self, x: Tensor) -> Phases:
        for block in self.blocks[:-1]:
            x = join(Phases(block(x)))
        return Phases(self.blocks[-1](x))


class FastHourglass(nn.Module):
    """Hourglass; takes any dtype and layout: (B, in, H, W) -> Phases of as large a picture."""

    def __init__(self, glass: Hourglass, dtype: torch.dtype) -> None:
        super().__init__()
        downs, ups = all_of(DownBlock, glass.down_blocks), all_of(UpBlock, glass.up_blocks)
        self.down_blocks = nn.ModuleList(FastDown(block, dtype) for block in downs)
        self.up_blocks = nn.ModuleList(FastUp(block, dtype) for block in ups)
        self.skips, self.dtype = glass.skips, dtype

    def forward(self, x: Tensor) -> Phases:
        x = laid_out(x, self.dtype)
        passed = []
        for down in self.down_blocks:
            passed.append(x)
            x = down(x)
        for up in self.up_blocks[:-1]:
            x = join(Phases(up(x), skip=passed.pop() if self.skips else None))
        return Phases(self.up_blocks[-1](x), skip=passed[0] if self.skips else None)


class FastFinal(nn.Module):
    """The last convolution of a network, 7x7: Phases of (B, C + E, H, W) -> (B, out, H, W) float32.

    Without padding (out, H - 6, W - 6), as in the plain form.

    Args:
        final: the convolution.
        channels: C, those of the picture in phases; the others are of its skip.
        dtype: of weights and input.
    """

    def __init__(self, final: nn.Conv2d, channels: int, dtype: torch.dtype) -> None:
        super().__init__()
        weight, bias = quartet_weight(final.weight.detach()), own_bias(final).repeat(4)
        self.own = Convolution(seen_weight(weight[:, :channels]), bias, padding=1, dtype=dtype)
        self.other: Convolution | None = None
        if weight.shape[1] > channels:
            other, none = weight[:, channels:], torch.zeros_like(bias)
            self.other = Convolution(other, none, padding=3, stride=2, dtype=dtype)
        self.lost = 0 if final.padding == (3, 3) else 3

    def forward(self, parts: Phases) -> Tensor:
        out = self.own(black_outside(parts.seen)).float()
        if self.other is not None:
            assert parts.skip is not None
            out = out + self.other(parts.skip).float()
        picture = join_phases(out)
        height, width = picture.shape[-2:]
        return picture[..., self.lost : height - self.lost, self.lost : width - self.lost]


class FastDownsample(nn.Module):
    """AntiAliasDownsample that keeps its matrices: (B, C, H, W) -> (B, C, H/n, W/n)."""

    def __init__(self, down: AntiAliasDownsample) -> None:
        super().__init__()
        self.make_matrix = copy.deepcopy(down).matrix  # no submodule, which could be moved
        self.matrices: dict[int, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            rows, columns = (self._matrix(size, x) for size in x.shape[-2:])
            return rows @ x @ columns.mT

    def _matrix(self, size: int, like: Tensor) -> Tensor:
        if size not in self.matrices:
            self.matrices[size] = self.make_matrix(size, like)
        return self.matrices[size]
