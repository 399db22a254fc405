"""BGBase and BGRefine, the networks of the background-swap extension.

X gives the background, Y the foreground. In training X is the source and Y the target; in a swap X
is the new background and Y the animated picture.
"""

import torch
from torch import Tensor

from maskmotion.config import MaskInput
from maskmotion.models.generator import HourglassBody, ResidualBody


def foreground(x: Tensor, mask: Tensor) -> Tensor:
    """F of docs/method.md: x where the mask is 1, else black; (B, 3, H, W) and (B, 1, H, W)."""
    return x * mask


def background(x: Tensor, mask: Tensor) -> Tensor:
    """B of docs/method.md: x where the mask is 0, else black; (B, 3, H, W) and (B, 1, H, W)."""
    return x * (1 - mask)


def binarize(mask: Tensor, threshold: float) -> Tensor:
    """bi of docs/method.md: 1 where the mask is above the threshold, else 0; shape kept."""
    return (mask > threshold).to(mask.dtype)


def composition_channels(mask_input: MaskInput) -> int:
    """Channels that `composition` returns: two masks and two pictures, or the pictures alone."""
    return 6 if mask_input == "none" else 8


def composition(
    x: Tensor, y: Tensor, mask_x: Tensor, mask_y: Tensor, threshold: float, mask_input: MaskInput
) -> Tensor:
    """[bi(X), bi(Y), B(X), F(Y)], what both background networks look at.

    Args:
        x: (B, 3, H, W) RGB in [0, 1], gives the background.
        y: (B, 3, H, W) RGB in [0, 1], gives the foreground.
        mask_x: (B, 1, H, W) soft mask of x's own foreground, to be removed.
        mask_y: (B, 1, H, W) soft mask of y's foreground, to be kept.
        threshold: th in [0, 1]; the pictures are always cut with the binary masks.
        mask_input: feed the masks "binary", "soft", or not at all ("none").
    Returns:
        (B, 8, H, W), or (B, 6, H, W) for "none".
    """
    binary_x, binary_y = binarize(mask_x, threshold), binarize(mask_y, threshold)
    pictures = [background(x, binary_x), foreground(y, binary_y)]
    masks = {"binary": [binary_x, binary_y], "soft": [mask_x, mask_y], "none": []}[mask_input]
    return torch.cat(masks + pictures, dim=1)


class BackgroundBase(ResidualBody):
    """BGBase: compose the background of X with the foreground of Y from a quarter of the size.

    Args:
        width: multiplier on all channel counts; 1 is the extension's.
        mask_input: which masks are fed, see `composition`.

    Source: background-swap extension; docs/method.md BGBase.
    """

    def __init__(self, width: float = 1.0, mask_input: MaskInput = "binary") -> None:
        super().__init__(composition_channels(mask_input), width)

    def forward(self, composed: Tensor) -> Tensor:
        """(B, 8 or 6, h, w) from `composition` at the masks' size -> (B, 3, 4h, 4w) RGB."""
        return self.paint(composed)


class BackgroundRefiner(HourglassBody):
    """BGRefine: compose at full resolution, with BGBase's picture as a guide.

    Args:
        width: multiplier on all channel counts; 1 is the extension's (37.6 M parameters).
        mask_input: which masks are fed, see `composition`.
        gate: paint a fourth channel, how much of the picture is used; False is the extension's.

    Source: background-swap extension; docs/method.md BGRefine.
    """

    def __init__(
        self, width: float = 1.0, mask_input: MaskInput = "binary", *, gate: bool = False
    ) -> None:
        super().__init__(composition_channels(mask_input) + 3, width, more=int(gate))

    def forward(self, composed: Tensor, base: Tensor) -> Tensor:
        """Compose X's background and Y's foreground at full resolution.

        Args:
            composed: (B, 8 or 6, H, W) from `composition`.
            base: (B, 3, H, W) of BGBase.
        Returns:
            (B, 3, H, W) RGB in [0, 1]; with a gate (B, 4, H, W), for `laid_over`.
        """
        return self.paint(torch.cat([composed, base], dim=1))
