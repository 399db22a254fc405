"""r, the mask refiner."""

import torch
from torch import Tensor, nn

from maskmotion.models.blocks import Hourglass, scaled
from maskmotion.models.mask import TEMPERATURE


class MaskRefiner(nn.Module):
    """r: refine a perturbed driving mask towards the source's shape.

    Args:
        width: multiplier on all channel counts; 1 is the paper (31.4 M parameters).
        skips: skip connections in the hourglass, as in MaskGenerator; False is the paper.

    Source: Perturbed Masks, section 3; docs/method.md r.
    """

    def __init__(self, width: float = 1.0, *, skips: bool = False) -> None:
        super().__init__()
        self.hourglass = Hourglass(5, scaled(64, width), scaled(1024, width), skips=skips)
        self.final = nn.Conv2d(self.hourglass.out_channels, 1, 7, padding=3)

    def forward(self, source: Tensor, source_mask: Tensor, perturbed_mask: Tensor) -> Tensor:
        """Refine a perturbed driving mask.

        Args:
            source: (B, 3, h, w) RGB in [0, 1], at the masks' size.
            source_mask: (B, 1, h, w) in [0, 1], 1 = foreground.
            perturbed_mask: (B, 1, h, w) in [0, 1].
        Returns:
            (B, 1, h, w) refined mask in [0, 1], float32.
        """
        x = torch.cat([source, source_mask, perturbed_mask], dim=1)
        return torch.sigmoid(self.final(self.hourglass(x)).float() / TEMPERATURE)
