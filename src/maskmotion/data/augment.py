"""Colour jitter and flips, batched on the sample's device.

Brightness, contrast, saturation and hue are each an affine map of RGB, so a whole jitter is one
3x4 matrix a picture. Hue turns about the grey axis, as in YIQ, instead of going through HSV.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from maskmotion.models.draws import Draws

LUMA = (0.299, 0.587, 0.114)


def random_flip(pictures: tuple[Tensor, ...], draws: Draws) -> tuple[Tensor, ...]:
    """Mirror half of the samples, each alike in all pictures; (B, C, H, W) kept."""
    flip = draws.uniform(len(pictures[0]), 1, 1, 1) < 0.5
    return tuple(torch.where(flip, p.flip(-1), p) for p in pictures)


def random_zoom(pictures: tuple[Tensor, ...], limit: float, draws: Draws) -> tuple[Tensor, ...]:
    """Enlarge half of the samples as if the camera stood nearer, each alike in all pictures.

    Args:
        pictures: (B, C, H, W) each, of the same B, H and W.
        limit: factors lie between 1 and this, evenly in their logarithm; at least 1.
        draws: random numbers; of the enlarged window's place, too, which lies inside the picture.
    Returns:
        The pictures, shapes kept.
    """
    draw = draws.uniform(len(pictures[0]), 3)
    factor = limit ** (2 * draw[:, 0] - 1).clamp(min=0)
    chosen = factor > 1
    if not chosen.any():
        return pictures
    size = 1 / factor[chosen]  # of the window, in sides of the picture
    centre = (2 * draw[chosen, 1:] - 1) * (1 - size[:, None])  # in [-1, 1], as grid_sample counts
    frame = torch.eye(2, device=draws.device) * size[:, None, None]
    window = torch.cat([frame, centre[:, :, None]], dim=2)
    stacked = torch.cat(pictures, dim=1)
    old = stacked[chosen]
    grid = F.affine_grid(window, list(old.shape), align_corners=False)
    # Rounding may put a window's edge a hair outside; the border's colour goes on there.
    stacked[chosen] = F.grid_sample(old, grid, padding_mode="border", align_corners=False)
    return stacked.split([picture.shape[1] for picture in pictures], dim=1)


def jitter_matrix(batch: int, strength: float, draws: Draws) -> Tensor:
    """Random colour changes.

    Args:
        batch: samples.
        strength: factors of brightness, contrast and saturation lie in 1 +- strength, hue turns
            by up to +- strength of a full turn.
        draws: random numbers.
    Returns:
        (B, 3, 4): matrix and, for contrast, the weight of the picture's mean grey.
    """
    device = draws.device
    draw = draws.uniform(batch, 4) * 2 - 1
    brightness, contrast, saturation = (1 + strength * draw[:, :3]).T[:, :, None, None]
    luma = torch.tensor(LUMA, device=device)
    identity = torch.eye(3, device=device)
    grey = luma.expand(3, 3)  # RGB -> its luma in all channels
    turned = _hue_rotation(strength * draw[:, 3] * 2 * math.pi)
    saturated = saturation * identity + (1 - saturation) * grey
    linear = brightness * contrast * (saturated @ turned)
    offset = (brightness * (1 - contrast)).expand(-1, 3, 1)
    return torch.cat([linear, offset], dim=2)


def _hue_rotation(angle: Tensor) -> Tensor:
    """Rotation of RGB about the grey axis that keeps luma: angles (B,) -> (B, 3, 3)."""
    to_yiq = torch.tensor(
        [[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]],
        device=angle.device,
    )
    turn = torch.zeros((len(angle), 3, 3), device=angle.device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = angle.cos()
    turn[:, 1, 2] = -angle.sin()
    turn[:, 2, 1] = angle.sin()
    return torch.linalg.inv(to_yiq) @ turn @ to_yiq


def apply_jitter(picture: Tensor, matrix: Tensor) -> Tensor:
    """Change colours: (B, 3, H, W) RGB in [0, 1] by (B, 3, 4) of `jitter_matrix`, clamped."""
    grey = torch.einsum("bchw,c->b", picture, picture.new_tensor(LUMA))
    grey = grey / (picture.shape[-1] * picture.shape[-2])
    offset = matrix[:, :, 3] * grey[:, None]
    changed = torch.einsum("bkc,bchw->bkhw", matrix[:, :, :3], picture)
    return (changed + offset[:, :, None, None]).clamp(0, 1)
