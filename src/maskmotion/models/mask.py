"""m, the mask generator."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskmotion.models.blocks import AntiAliasDownsample, Hourglass, scaled

TEMPERATURE = 0.1
MASK_REDUCTION = 4  # a mask has a quarter of its picture's size


class MaskGenerator(nn.Module):
    """m: a soft foreground mask of a picture, learned without labels.

    Args:
        width: multiplier on all channel counts; 1 is the paper (12.57 M parameters).
        padded: pad the last convolution by 3 instead of zero-padding its 58x58 output, which
            leaves no rectangular frame in the masks. False is the paper.
        skips: skip connections in the hourglass, for masks that are sharp after a short training.
            False is the paper: the bottleneck keeps pictures out of the masks.

    Source: Perturbed Masks, section 3; docs/method.md m.
    """

    def __init__(self, width: float = 1.0, *, padded: bool = False, skips: bool = False) -> None:
        super().__init__()
        self.down = AntiAliasDownsample(MASK_REDUCTION)
        self.hourglass = Hourglass(3, scaled(32, width), scaled(1024, width), skips=skips)
        self.final = nn.Conv2d(self.hourglass.out_channels, 1, 7, padding=3 if padded else 0)
        self.border = 0 if padded else 3

    def logits(self, image: Tensor) -> Tensor:
        """Mask logits over the temperature, before the zero padding.

        Args:
            image: (B, 3, H, W) RGB in [0, 1]; H and W divisible by 128.
        Returns:
            (B, 1, H/4 - 6, W/4 - 6) float32 logits; (B, 1, H/4, W/4) where `padded`.
        """
        return self.final(self.hourglass(self.down(image))).float() / TEMPERATURE

    def mask(self, logits: Tensor) -> Tensor:
        """Logits to the (B, 1, H/4, W/4) mask in [0, 1]; zero in the border the logits lack."""
        return F.pad(torch.sigmoid(logits), [self.border] * 4)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1] -> (B, 1, H/4, W/4) mask in [0, 1], 1 = foreground."""
        return self.mask(self.logits(image))
