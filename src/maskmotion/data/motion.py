"""What moves in a clip: the soft target of the motion warm start, for still cameras."""

import torch
from torch import Tensor
from torch.nn import functional as F

from maskmotion.models.blocks import gaussian_line

SOFT_LOW = 0.04
SOFT_WIDTH = 0.12
BLUR_SIGMA = 2 / 128  # of the frame's side
BORDER = 1 / 8  # of the frame's side
MOVING_BORDER = 0.3  # share of border pixels that change when the camera moves


def motion_target(frames: Tensor, median: Tensor) -> Tensor:
    """Where a frame differs from its clip's temporal median.

    The largest channel of |frame - median|, blurred, then (v - 0.04) / 0.12 clipped to [0, 1].

    Args:
        frames: (B, 3, H, W) RGB in [0, 1].
        median: (B or 1, 3, H, W) RGB in [0, 1].
    Returns:
        (B, 1, H, W) in [0, 1], 1 = moving.
    Source: docs/method.md, What the small budgets need.
    """
    change = (frames - median).abs().amax(dim=1, keepdim=True)
    sigma = BLUR_SIGMA * frames.shape[-1]
    radius = max(1, round(3 * sigma))
    line = gaussian_line(sigma, 2 * radius + 1).to(change)
    change = F.pad(change, [radius] * 4, mode="replicate")
    change = F.conv2d(F.conv2d(change, line[None, None, None]), line[None, None, :, None])
    return ((change - SOFT_LOW) / SOFT_WIDTH).clamp(0, 1)


def is_still_camera(frames: Tensor, median: Tensor) -> bool:
    """Whether the camera stands still: most of the frame's border stays as it is.

    Args:
        frames: (T, H, W, 3) uint8, spread over the clip.
        median: (H, W, 3) uint8, their temporal median.
    """
    still = _picture(median)
    # One by one: all at once would take a hundred megabytes at 256 px.
    moving = torch.cat([motion_target(_picture(frame), still) > 0.5 for frame in frames])
    band = max(1, round(BORDER * moving.shape[-1]))
    border = torch.ones_like(moving[0])
    border[..., band:-band, band:-band] = False
    return bool(moving[:, border].float().mean() < MOVING_BORDER)


def _picture(frame: Tensor) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return frame.permute(2, 0, 1)[None].float() / 255
