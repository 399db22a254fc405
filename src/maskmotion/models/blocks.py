"""The building blocks that all networks share (docs/method.md, section Blocks).

Attribute names (`conv`, `norm`, `down_blocks`, `up_blocks`, ...) are the ones of released
checkpoints, so that conversion only renames prefixes.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DownBlock(nn.Module):
    """conv3x3 - BN - ReLU - average pool 2x2: (B, in, H, W) -> (B, out, H/2, W/2)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(F.relu(self.norm(self.conv(x))), 2)


class UpBlock(nn.Module):
    """nearest x2 - conv3x3 - BN - ReLU: (B, in, H, W) -> (B, out, 2H, 2W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(F.interpolate(x, scale_factor=2))))


class SameBlock(nn.Module):
    """conv7x7 - BN - ReLU: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 7, padding=3)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class ResidualBlock(nn.Module):
    """Pre-activation residual block, twice BN - ReLU - conv3x3: shape and channels kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(out)))


class Hourglass(nn.Module):
    """Encoder of `levels` downs, decoder of `levels` ups.

    Level i of the encoder has min(max_channels, expansion * 2^(i+1)) channels, level i of the
    decoder min(max_channels, expansion * 2^i). With skips, every up's output is concatenated with
    the encoder's input at that resolution, the last one with the network's own input.

    Args:
        in_channels: channels of the input.
        expansion: channels at full resolution.
        max_channels: upper bound of any level's channels.
        skips: concatenate encoder features.
        levels: number of halvings; H and W must be divisible by 2^levels.

    `out_channels` is expansion, plus in_channels with skips.
    """

    def __init__(
        self, in_channels: int, expansion: int, max_channels: int, *, skips: bool, levels: int = 5
    ) -> None:
        super().__init__()
        wide = [in_channels] + [min(max_channels, expansion * 2 ** (i + 1)) for i in range(levels)]
        self.down_blocks = nn.ModuleList(DownBlock(a, b) for a, b in pairwise(wide))
        ups = []
        for level in reversed(range(levels)):
            doubled = skips and level < levels - 1
            in_up = wide[level + 1] * (2 if doubled else 1)
            ups.append(UpBlock(in_up, min(max_channels, expansion * 2**level)))
        self.up_blocks = nn.ModuleList(ups)
        self.skips = skips
        self.out_channels = expansion + (in_channels if skips else 0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, out_channels, H, W)."""
        passed = []
        for down in self.down_blocks:
            passed.append(x)
            x = down(x)
        for up in self.up_blocks:
            x = up(x)
            skip = passed.pop()
            if self.skips:
                x = torch.cat([x, skip], dim=1)
        return x


def gaussian_line(sigma: float, size: int) -> Tensor:
    """Normalised 1-D Gaussian, (size,), sum 1; its outer product is the 2-D one."""
    at = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    line = torch.exp(-(at**2) / (2 * sigma**2))
    return line / line.sum()


class AntiAliasDownsample(nn.Module):
    """Gaussian low-pass, then every n-th pixel (docs/method.md: sigma 1.5, 13x13 for x1/4).

    A factor n takes sigma = (n - 1) / 2 and a kernel of 2 * round(4 sigma) + 1 pixels, zero padded.
    A Gaussian is separable, so each axis is one matrix product, several times as fast as the 2-D
    convolution and its gradient.

    Args:
        factor: the sub-sampling step n; 1 leaves the input as it is.
    """

    line: Tensor

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor
        sigma = (factor - 1) / 2
        self.padding = round(4 * sigma)
        line = gaussian_line(sigma, 2 * self.padding + 1) if factor > 1 else torch.ones(1)
        self.register_buffer("line", line, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H/n, W/n)."""
        if self.factor == 1:
            return x
        with torch.autocast(x.device.type, enabled=False):
            rows, columns = (self.matrix(size, x) for size in x.shape[-2:])
            return rows @ x @ columns.mT

    def matrix(self, size: int, like: Tensor) -> Tensor:
        """(size / n, size): what each output pixel takes from each pixel of a line."""
        identity = torch.eye(size, dtype=like.dtype, device=like.device)[:, None]
        kernel = self.line.to(like)[None, None]
        return F.conv1d(identity, kernel, stride=self.factor, padding=self.padding)[:, 0].mT


def resize(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bilinear D and U of docs/method.md (align_corners=False): (B, C, H, W) -> size."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def scaled(channels: int, width: float) -> int:
    """A channel count of the paper under the width multiplier, at least 1."""
    return max(1, round(channels * width))


def channels_last(module: nn.Module) -> None:
    """Lay a module's weights out as its convolutions run fastest, in place; values unchanged."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs
