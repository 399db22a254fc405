"""w, the warper, and what h does with the picture that it makes; neither is in the paper.

l and h see the source where it was, and have to paint anew whatever moves. w tells where each pixel
of the picture comes from, so that h can take it from there as sharp as it is.

Source: docs/method.md, The warped source.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskmotion.models.blocks import Hourglass, resize, scaled
from maskmotion.models.gate import stretched


class Warper(nn.Module):
    """w: a flow from the driving mask's pose back to the source's.

    Args:
        width: multiplier on all channel counts.

    It begins as no flow at all.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.hourglass = Hourglass(5, scaled(64, width), scaled(1024, width), skips=True)
        self.final = nn.Conv2d(self.hourglass.out_channels, 2, 7, padding=3)
        nn.init.zeros_(self.final.weight)
        nn.init.zeros_(self.final.bias)  # type: ignore[arg-type]  # torch's stubs

    def forward(self, source: Tensor, source_mask: Tensor, mask: Tensor) -> Tensor:
        """Find where the source's pixels go.

        Args:
            source: (B, 3, h, w) RGB in [0, 1], at the masks' size.
            source_mask: (B, 1, h, w) in [0, 1].
            mask: (B, 1, h, w) in [0, 1], of the pose that is wanted.
        Returns:
            (B, 2, h, w) float32: how far right and down of a pixel lies what belongs there, in
            half sides of the picture.
        """
        return self.final(self.hourglass(torch.cat([source, source_mask, mask], dim=1))).float()


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """What stands at flow's places, bilinear; beyond the picture its border goes on.

    Args:
        picture: (B, C, H, W).
        flow: (B, 2, h, w) of `Warper`; enlarged to the picture's size.
    Returns:
        (B, C, H, W) float32; the picture itself, up to rounding, where flow is zero.
    """
    height, width = picture.shape[-2:]
    right, down = resize(flow, (height, width)).unbind(1)
    x, y = (
        (2 * torch.arange(n, device=flow.device, dtype=flow.dtype) + 1) / n - 1
        for n in (width, height)
    )
    grid = torch.stack([x + right, y[:, None] + down], dim=-1)
    return F.grid_sample(picture.float(), grid, padding_mode="border", align_corners=False)


def mixed(painted: Tensor, warped: Tensor) -> tuple[Tensor, Tensor]:
    """Put the warped source in where h says so.

    Args:
        painted: (B, C + 1, H, W) of h, in [0, 1]: RGB, a gate or none, and how much of the picture
            h painted itself.
        warped: (B, 3, H, W) RGB in [0, 1].
    Returns:
        (B, C, H, W): RGB and the gate or none, as `laid_over` takes it; and how much of the
        picture h painted itself, (B, 1, H, W) in [0, 1]. Float32.
    """
    own = stretched(painted[:, -1:])
    picture = torch.lerp(warped, painted[:, :3], own)
    return torch.cat([picture, painted[:, 3:-1]], dim=1), own


def figure(mask: Tensor) -> Tensor:
    """Where h's gate stands open because the figure is there: the mask without its outline.

    The figure comes warped or painted. Nothing of the source that is left half in view where it
    was makes it better: two faces show, each half.

    Args:
        mask: (B, 1, H, W) in [0, 1], of the pose that is wanted.
    Returns:
        (B, 1, H, W) float32 in [0, 1].
    """
    return (2 * mask.float() - 1).clamp(0)
