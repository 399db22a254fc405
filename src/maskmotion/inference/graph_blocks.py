"""The blocks of maskmotion.models in exact forms that ONNX Runtime and OpenVINO run fast.

As in fast_blocks, BatchNorm is folded and no picture is enlarged by repeating its pixels; but in
operators of ONNX alone. These modules are there to be exported, and cannot be called in torch.

The usual form of an enlarging convolution, a 4x4 transposed one of stride 2, takes ONNX Runtime up
to a third longer (docs/export.md, How fast they are).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskmotion.inference.fast_blocks import (
    PHASES,
    affine,
    all_of,
    enlarging_weight,
    folded,
    own_bias,
    quartet_weight,
)
from maskmotion.models.animator import Animator
from maskmotion.models.blocks import (
    AntiAliasDownsample,
    DownBlock,
    Hourglass,
    ResidualBlock,
    SameBlock,
    UpBlock,
)
from maskmotion.models.generator import ResidualBody
from maskmotion.models.mask import MaskGenerator

OnePhase = tuple[int, int]
Parts = tuple[list[Tensor], Tensor | None]
"""A picture as its four phases, (B, C, h, w) each; and its skip, (B, E, 2h, 2w) or None."""


def use_graph_blocks(model: Animator) -> None:
    """Replace the blocks of a model's networks by those of this module, in place."""
    for network in model.children():
        if isinstance(network, MaskGenerator):
            network.add_module("down", GraphDownsample(network.down, model.config.image_size))
        ups: nn.Sequential | nn.ModuleList
        if isinstance(network, ResidualBody):
            ups = network.up_blocks
            residuals = all_of(ResidualBlock, network.bottleneck)
            network.add_module("first", GraphSame(network.first))
            network.add_module("bottleneck", nn.Sequential(*map(GraphResidual, residuals)))
            network.add_module("up_blocks", GraphUps(ups))
        else:
            assert isinstance(network.hourglass, Hourglass)
            ups = network.hourglass.up_blocks
            network.add_module("hourglass", GraphHourglass(network.hourglass))
        assert isinstance(network.final, nn.Conv2d)
        channels = all_of(UpBlock, ups)[-1].conv.out_channels
        network.add_module("final", GraphFinal(network.final, channels))


def depth_to_space(phases: Tensor) -> Tensor:
    """Four phases, (B, 4C, h, w) in the order of PHASES, as one picture: (B, C, 2h, 2w)."""
    batch, channels, height, width = phases.shape
    # torch's pixel_shuffle has another order of channels, in which phases would be interleaved.
    return torch.onnx.ops.symbolic(
        "DepthToSpace",
        [phases],
        attrs={"blocksize": 2, "mode": "DCR"},
        dtype=phases.dtype,
        shape=(batch, channels // 4, 2 * height, 2 * width),
    )


class GraphConvolution(nn.Module):
    """A convolution: (B, in, H, W) -> (B, out, H', W').

    Args:
        weight: (out, in, k, k), any float dtype.
        bias: (out,).
        before: zeros above and left of the picture: rows, columns.
        after: zeros below and right of it.
        stride: between outputs.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        *,
        before: OnePhase,
        after: OnePhase,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.float(), requires_grad=False)
        self.bias = nn.Parameter(bias.float(), requires_grad=False)
        (top, left), (bottom, right) = before, after
        self.padding, self.stride = [left, right, top, bottom], stride

    def forward(self, x: Tensor) -> Tensor:
        # The exporter makes one operator of both.
        return F.conv2d(F.pad(x, self.padding), self.weight, self.bias, self.stride)


def convolution(weight: Tensor, bias: Tensor, padding: int, stride: int = 1) -> GraphConvolution:
    """A convolution with zeros on all sides."""
    sides = padding, padding
    return GraphConvolution(weight, bias, before=sides, after=sides, stride=stride)


class GraphDown(nn.Module):
    """DownBlock: (B, in, H, W) -> (B, out, H/2, W/2)."""

    def __init__(self, block: DownBlock) -> None:
        super().__init__()
        self.conv = convolution(*folded(block.conv, block.norm), padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.relu(self.conv(x)), 2)


class GraphSame(nn.Module):
    """SameBlock: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, block: SameBlock) -> None:
        super().__init__()
        self.conv = convolution(*folded(block.conv, block.norm), padding=3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x))


class GraphResidual(nn.Module):
    """ResidualBlock: shape and channels kept."""

    def __init__(self, block: ResidualBlock) -> None:
        super().__init__()
        scale, shift = (line.float()[:, None, None] for line in affine(block.norm1))
        self.scale = nn.Parameter(scale, requires_grad=False)
        self.shift = nn.Parameter(shift, requires_grad=False)
        self.conv1 = convolution(*folded(block.conv1, block.norm2), padding=1)
        self.conv2 = convolution(block.conv2.weight.detach(), own_bias(block.conv2), padding=1)

    def forward(self, x: Tensor) -> Tensor:
        normalised = F.relu(x * self.scale + self.shift)
        return x + self.conv2(F.relu(self.conv1(normalised)))


class GraphUp(nn.Module):
    """UpBlock, up to the joining of its phases: (B, in, H, W) -> four of (B, out, H, W)."""

    def __init__(self, block: UpBlock) -> None:
        super().__init__()
        weight, bias = folded(block.conv, block.norm)
        weights = enlarging_weight(weight).chunk(4)
        self.phases = nn.ModuleList(
            GraphConvolution(phase, bias, before=(1 - a, 1 - b), after=(a, b))
            for phase, (a, b) in zip(weights, PHASES, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        return [F.relu(phase(x)) for phase in self.phases]


class GraphUps(nn.Module):
    """The up blocks of a ResidualBody: (B, in, H, W) -> Parts of a picture four times as large."""

    def __init__(self, blocks: nn.Sequential | nn.ModuleList) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(map(GraphUp, all_of(UpBlock, blocks)))

    def forward(self, x: Tensor) -> Parts:
        for block in self.blocks[:-1]:
            x = depth_to_space(torch.cat(block(x), dim=1))
        return self.blocks[-1](x), None


class GraphHourglass(nn.Module):
    """Hourglass: (B, in, H, W) -> Parts of as large a picture."""

    def __init__(self, glass: Hourglass) -> None:
        super().__init__()
        self.down_blocks = nn.ModuleList(map(GraphDown, all_of(DownBlock, glass.down_blocks)))
        self.up_blocks = nn.ModuleList(map(GraphUp, all_of(UpBlock, glass.up_blocks)))
        self.skips = glass.skips

    def forward(self, x: Tensor) -> Parts:
        passed = []
        for down in self.down_blocks:
            passed.append(x)
            x = down(x)
        for up in self.up_blocks[:-1]:
            x = depth_to_space(torch.cat(up(x), dim=1))
            if self.skips:
                x = torch.cat([x, passed.pop()], dim=1)
        return self.up_blocks[-1](x), passed[0] if self.skips else None


class GraphFinal(nn.Module):
    """The last convolution of a network, 7x7: Parts of (B, C + E, H, W) -> (B, out, H, W).

    Without padding (out, H - 6, W - 6), as in the plain form. Each phase of the picture has a
    convolution of its own, so that the largest picture of features is never put together.

    Args:
        final: the convolution.
        channels: C, those of the picture in phases; the others are of its skip.
    """

    def __init__(self, final: nn.Conv2d, channels: int) -> None:
        super().__init__()
        weight, bias = quartet_weight(final.weight.detach()), own_bias(final).repeat(4)
        none = torch.zeros_like(bias)
        own, other = weight[:, :channels], weight[:, channels:]
        # Row t of the window is row t - 3 of the picture: an even one, of phase 0, where t is odd.
        self.phases = nn.ModuleList(
            GraphConvolution(
                own[:, :, 1 - a :: 2, 1 - b :: 2],
                none if (a, b) != (0, 0) else bias,
                before=(1 + a, 1 + b),
                after=(2 - a, 2 - b),
            )
            for a, b in PHASES
        )
        self.other: GraphConvolution | None = None
        if other.shape[1]:
            self.other = convolution(other, none, padding=3, stride=2)
        self.lost = 0 if final.padding == (3, 3) else 3

    def forward(self, parts: Parts) -> Tensor:
        phases, skip = parts
        first, *rest = (own(x) for own, x in zip(self.phases, phases, strict=True))
        out = sum(rest, start=first)
        if self.other is not None:
            assert skip is not None
            out = out + self.other(skip)
        picture = depth_to_space(out)
        height, width = picture.shape[-2:]
        return picture[..., self.lost : height - self.lost, self.lost : width - self.lost]


class GraphDownsample(nn.Module):
    """AntiAliasDownsample of squares of one size: (B, C, S, S) -> (B, C, S/n, S/n)."""

    matrix: Tensor

    def __init__(self, down: AntiAliasDownsample, size: int) -> None:
        super().__init__()
        self.register_buffer("matrix", down.matrix(size, down.line), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.matrix @ x @ self.matrix.mT
