"""l and h, the low- and high-resolution generators, and the two bodies that the background
networks share with them."""

import torch
from torch import Tensor, nn

from maskmotion.models.blocks import Hourglass, ResidualBlock, SameBlock, UpBlock, scaled


class ResidualBody(nn.Module):
    """Body of l and BGBase: same in->256, six residual blocks, two ups, conv7x7, sigmoid.

    Args:
        in_channels: channels of the input.
        width: multiplier on all channel counts.
    """

    def __init__(self, in_channels: int, width: float) -> None:
        super().__init__()
        wide, middle, narrow = (scaled(c, width) for c in (256, 128, 64))
        self.first = SameBlock(in_channels, wide)
        self.bottleneck = nn.Sequential(*(ResidualBlock(wide) for _ in range(6)))
        self.up_blocks = nn.Sequential(UpBlock(wide, middle), UpBlock(middle, narrow))
        self.final = nn.Conv2d(narrow, 3, 7, padding=3)

    def paint(self, x: Tensor) -> Tensor:
        """(B, in_channels, h, w) -> (B, 3, 4h, 4w) RGB in [0, 1], float32."""
        x = self.up_blocks(self.bottleneck(self.first(x)))
        return torch.sigmoid(self.final(x).float())


class HourglassBody(nn.Module):
    """Body of h and BGRefine: hourglass with skips, conv7x7, sigmoid.

    Args:
        in_channels: channels of the input.
        width: multiplier on all channel counts.
        more: channels that are painted besides RGB, see `maskmotion.models.gate` and `.warp`.
    """

    def __init__(self, in_channels: int, width: float, *, more: int = 0) -> None:
        super().__init__()
        self.hourglass = Hourglass(in_channels, scaled(64, width), scaled(1024, width), skips=True)
        self.final = nn.Conv2d(self.hourglass.out_channels, 3 + more, 7, padding=3)

    def paint(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, 3 + more, H, W), RGB first, in [0, 1], float32."""
        return torch.sigmoid(self.final(self.hourglass(x)).float())


class LowResGenerator(ResidualBody):
    """l: a first picture of the source in the mask's pose, from a quarter of the resolution.

    Args:
        width: multiplier on all channel counts; 1 is the paper (7.5 M parameters).

    Source: Perturbed Masks, section 3; docs/method.md l.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__(5, width)

    def forward(self, source: Tensor, source_mask: Tensor, mask: Tensor) -> Tensor:
        """Paint the source in the pose of the mask.

        Args:
            source: (B, 3, h, w) RGB in [0, 1], at the masks' size.
            source_mask: (B, 1, h, w) in [0, 1].
            mask: (B, 1, h, w) in [0, 1]: the driving mask in training, the refined one after.
        Returns:
            (B, 3, 4h, 4w) RGB in [0, 1].
        """
        return self.paint(torch.cat([source, source_mask, mask], dim=1))


class HighResGenerator(HourglassBody):
    """h: the final picture, adding the source's details to the low-resolution picture.

    Args:
        width: multiplier on all channel counts; 1 is the paper (37.6 M parameters).
        gate: paint one channel more, how much of the picture is used; False is the paper.
        warp: see the warped source, too, and paint another channel, how much of the picture is not
            taken from it; False is the paper.

    Source: Perturbed Masks, section 3; docs/method.md h.
    """

    def __init__(self, width: float = 1.0, *, gate: bool = False, warp: bool = False) -> None:
        super().__init__(11 if warp else 8, width, more=gate + warp)

    def forward(
        self,
        source: Tensor,
        source_mask: Tensor,
        low_res: Tensor,
        mask: Tensor,
        warped: Tensor | None = None,
    ) -> Tensor:
        """Paint the source in the pose of the mask at full resolution.

        Args:
            source: (B, 3, H, W) RGB in [0, 1].
            source_mask: (B, 1, H, W) in [0, 1], enlarged.
            low_res: (B, 3, H, W) output of l.
            mask: (B, 1, H, W) in [0, 1], enlarged.
            warped: (B, 3, H, W), the source as w warps it; where h was built with warp.
        Returns:
            (B, 3, H, W) RGB in [0, 1]; with a gate (B, 4, H, W), for `laid_over`; with warp one
            channel more, for `mixed`.
        """
        seen = [source, source_mask, low_res, mask] + ([] if warped is None else [warped])
        return self.paint(torch.cat(seen, dim=1))
