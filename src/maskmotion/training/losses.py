"""The losses of docs/method.md, Data flow, steps 4 and 5, and the motion warm start."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from maskmotion.config import LossConfig
from maskmotion.models.blocks import AntiAliasDownsample
from maskmotion.training.vgg import VGG19


class PerceptualLoss(nn.Module):
    """Multi-scale L1 of VGG features.

    Args:
        vgg: frozen features.
        config: scales and weight.

    Source: Perturbed Masks, section 3; docs/method.md, step 5.
    """

    def __init__(self, vgg: VGG19, config: LossConfig) -> None:
        super().__init__()
        self.vgg = vgg
        self.weight = config.perceptual
        self.pyramid = nn.ModuleList(AntiAliasDownsample(scale) for scale in config.scales)

    def features(self, picture: Tensor) -> list[Tensor]:
        """VGG features at all scales: (B, 3, H, W) RGB in [0, 1] -> scales x layers tensors."""
        return [feature for reduce in self.pyramid for feature in self.vgg(reduce(picture))]

    def forward(self, picture: Tensor, target: list[Tensor]) -> Tensor:
        """Distance of a picture's features from those of the target.

        Args:
            picture: (B, 3, H, W) RGB in [0, 1].
            target: `features` of the target, without gradient.
        Returns:
            Scalar: weight * the sum over scales and layers of the mean |difference|.
        """
        pairs = zip(self.features(picture), target, strict=True)
        return self.weight * torch.stack([mean_difference(a, b) for a, b in pairs]).sum()


class _MeanDifference(torch.autograd.Function):
    """Mean |a - b|, whose gradient has the layout of a.

    torch's own gradient of a mean is laid out otherwise, and every operation that meets both
    layouts on its way back through VGG takes several times as long.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        difference = a - b
        mean = difference.abs().mean(dtype=torch.float32)
        ctx.save_for_backward(difference.sign_())
        return mean

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (sign,) = ctx.saved_tensors
        return sign * (gradient / sign.numel()).to(sign.dtype), None


def mean_difference(a: Tensor, b: Tensor) -> Tensor:
    """Mean |a - b| in float32, a scalar; b, of a's shape, gets no gradient."""
    return _MeanDifference.apply(a, b)


def motion_loss(
    logits: Tensor, target: Tensor, still: Tensor, still_mean: float | None = None
) -> Tensor:
    """Cross-entropy between m's output before the zero padding and what it is to find.

    Args:
        logits: (B, 1, h, w) of m over the temperature; h, w may lack the masks' border.
        target: (B, 1, H, W) in [0, 1] at the frame's size: `motion_target`, or the true alpha.
        still: (B,) bool, where the target holds; samples of a moving camera without alpha count
            nothing.
        still_mean: such samples that each share of the whole batch has on average, where this is
            one of several; None counts them here.
    Returns:
        Scalar mean over these samples (0 where there are none); the mean over all shares is
        that of the whole batch.
    """
    wanted = reduced_target(target, logits)
    loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean((1, 2, 3))
    count = still.sum().clamp(min=1) if still_mean is None else still_mean or 1.0
    return (loss * still).sum() / count


def reduced_target(target: Tensor, logits: Tensor) -> Tensor:
    """A motion target at the masks' size, cut to the part that the logits cover."""
    border = (target.shape[-1] // 4 - logits.shape[-1]) // 2
    reduced = F.avg_pool2d(target, 4)
    if border:
        reduced = reduced[..., border:-border, border:-border]
    return reduced
