"""P, the perturbation that takes the driver's identity out of its mask.

Every scaling here is separable, so each is one interpolation matrix along one axis; a whole
perturbation is a handful of batched matrix products on the mask's own device.
"""

import torch
from torch import Tensor

from maskmotion.models.draws import Draws

STRIP_PIVOTS = 5
PIVOT_RANGE = (15 / 64, 45 / 64)  # of the mask's side
FACTOR_RANGE = (0.75, 1.25)
NOISE_LEVEL = 20  # Poisson rate, in grey levels of 255


def scaling_matrix(factors: Tensor, edges: Tensor, n: int) -> Tensor:
    """Bilinear scaling of the strips of a line, each about its own centre, zero outside.

    Args:
        factors: (B, S) scale of each strip; above 1 enlarges.
        edges: (S + 1,) pixel edges of the strips, rising, from 0 to n.
        n: pixels of the line.
    Returns:
        (B, n, n) matrices; `matrix @ line` gives the scaled line.
    """
    pixel = torch.arange(n, device=factors.device)
    strip = torch.bucketize(pixel, edges[1:-1], right=True)  # strip that holds each pixel
    centre = ((edges[:-1] + edges[1:] - 1) / 2)[strip]
    wanted = centre + (pixel - centre) / factors[:, strip]  # (B, n) position to read from
    weight = (1 - (wanted[:, :, None] - pixel).abs()).clamp(min=0)
    return weight * (strip[:, None] == strip[None, :])


def _scaled(rows: Tensor, x: Tensor, columns: Tensor) -> Tensor:
    """Both axes of masks (B, h, w) by matrices (B, h, h) and (B, w, w); float32 under autocast."""
    with torch.autocast(x.device.type, enabled=False):
        return rows @ x @ columns.mT


def _factors(samples: int, strips: int, draws: Draws) -> Tensor:
    """Random scales, (samples, strips)."""
    low, high = FACTOR_RANGE
    return low + (high - low) * draws.uniform(samples, strips)


def _strip_edges(n: int, draws: Draws) -> Tensor:
    """Five different pivots, sorted, between the line's ends: (7,)."""
    low, high = (round(p * n) for p in PIVOT_RANGE)
    pivots = (low + draws.permutation(high - low + 1)[:STRIP_PIVOTS]).sort().values
    return torch.cat([pivots.new_tensor([0]), pivots, pivots.new_tensor([n])])


def perturb_for_training(mask: Tensor, threshold: float, draws: Draws) -> Tensor:
    """Deform a driving mask at random so that only its pose survives.

    Vertical strips are scaled horizontally, the whole vertically, then horizontal strips
    vertically and the whole horizontally; values up to the threshold become zero; Poisson noise
    is added. Pivots are shared by the batch, factors are drawn for each sample.

    Args:
        mask: (B, 1, h, w) in [0, 1]; detached here.
        threshold: th in [0, 1].
        draws: random numbers, on the mask's device.
    Returns:
        (B, 1, h, w) in [0, 1], without gradient.
    Source: Perturbed Masks, section 3; docs/method.md, Perturbation P.
    """
    batch, _, height, width = mask.shape
    device = mask.device
    x = mask.detach().float().squeeze(1)
    along_x = scaling_matrix(
        _factors(batch, STRIP_PIVOTS + 1, draws),
        _strip_edges(width, draws),
        width,
    )
    whole_y = scaling_matrix(
        _factors(batch, 1, draws), torch.tensor([0, height], device=device), height
    )
    x = _scaled(whole_y, x, along_x)
    along_y = scaling_matrix(
        _factors(batch, STRIP_PIVOTS + 1, draws),
        _strip_edges(height, draws),
        height,
    )
    whole_x = scaling_matrix(
        _factors(batch, 1, draws), torch.tensor([0, width], device=device), width
    )
    x = _scaled(along_y, x, whole_x)
    x = torch.where(x > threshold, x, 0)
    noise = draws.poisson(NOISE_LEVEL, *x.shape) / 255
    return (x + noise).clamp(max=1).unsqueeze(1)


def perturb_for_animation(mask: Tensor, threshold: float, scale: float) -> Tensor:
    """Clean a driving mask and scale it about its centre.

    Args:
        mask: (B, 1, h, w) in [0, 1].
        threshold: th in [0, 1]; values up to it become zero.
        scale: 0.75 in the paper, 1.0 leaves the size as it is.
    Returns:
        (B, 1, h, w) in [0, 1].
    Source: Perturbed Masks, section 3; docs/method.md, Perturbation P.
    """
    x = torch.where(mask > threshold, mask, 0)
    if scale == 1:
        return x
    height, width = mask.shape[-2:]
    factor = torch.tensor([[scale]], device=mask.device)
    rows = scaling_matrix(factor, torch.tensor([0, height], device=mask.device), height)
    columns = scaling_matrix(factor, torch.tensor([0, width], device=mask.device), width)
    return _scaled(rows, x.float(), columns).to(mask.dtype)
