"""The gate: h and BGRefine say how much of their picture is used; the rest stays as it is.

Source: docs/method.md, The gate; not in the paper.
"""

import torch
from torch import Tensor

MARGIN = 1 / 64  # alpha is 0 below a logit of -4.2, and 1 above 4.2


def stretched(openness: Tensor) -> Tensor:
    """Alpha from a sigmoid, so that it reaches 0 and 1: widened by MARGIN at both ends, and cut.

    Gradients do not see the cut, which would leave neither alpha nor picture one where alpha is 0:
    no pixel is shut for good. With no bias alpha starts at 1/2, where both learn.

    Args:
        openness: (B, 1, H, W) in [0, 1].
    Returns:
        (B, 1, H, W) in [0, 1].
    """
    wide = (1 + 2 * MARGIN) * openness - MARGIN
    return wide + (wide.clamp(0, 1) - wide).detach()


def laid_over(
    painted: Tensor, still: Tensor, opened: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Lay what a network painted over a picture that stands still.

    Args:
        painted: (B, 3, H, W) RGB in [0, 1], or (B, 4, H, W) with a gate: RGB and openness.
        still: (B, 3, H, W) RGB in [0, 1].
        opened: (B, 1, H, W) in [0, 1]: alpha is no less.
    Returns:
        The picture, (B, 3, H, W) in [0, 1], which is still's bit for bit where alpha is 0, and
        painted's where it is 1; and alpha, (B, 1, H, W), 1 everywhere without a gate. Float32.
    """
    if painted.shape[1] == 3:
        return painted, painted.new_ones(1).expand_as(painted[:, :1])
    picture, alpha = painted[:, :3], stretched(painted[:, 3:])
    if opened is not None:
        alpha = torch.maximum(alpha, opened)
    return torch.lerp(still.float(), picture, alpha), alpha
