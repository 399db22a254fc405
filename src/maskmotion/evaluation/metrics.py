"""Metrics and the pixels they are taken over: one number a frame, on the tensors' own device.

Pictures are (B, 3, H, W) RGB in [0, 1], masks (B, 1, H, W) bool. A frame without pixels to measure
has the value NaN, so that it can be left out of means rather than count as good or bad.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from maskmotion.errors import MissingExtraError, ShapeError

MSE_FLOOR = 1 / 12 / 255**2  # that of rounding to eight bits, which nobody sees: 58.9 dB
SSIM_WINDOW_PX = 11
SSIM_SIGMA_PX = 1.5
SSIM_K = (0.01, 0.03)
MIN_BACKGROUND_CHANGE = 1e-6  # mean square; rounding to eight bits alone makes 1.3e-6


# Pictures ----------------------------------------------------------------------------------


def l1(picture: Tensor, target: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean absolute error over pixels and channels.

    Args:
        picture, target: (B, 3, H, W) RGB in [0, 1].
        where: (B or 1, 1, H, W) bool, the pixels that count; None for all.
    Returns:
        (B,) in [0, 1], 0 = equal; NaN where no pixel counts.
    Raises:
        ShapeError: the shapes do not fit together.
    """
    return _mean(_difference(picture, target).abs(), where)


def psnr(picture: Tensor, target: Tensor, where: Tensor | None = None) -> Tensor:
    """Peak signal to noise ratio for a peak of 1.

    Args:
        picture, target: (B, 3, H, W) RGB in [0, 1].
        where: (B or 1, 1, H, W) bool, the pixels that count; None for all.
    Returns:
        (B,) dB, at most 58.9, which equal pictures have: the mean squared error is taken to be at
        least that of rounding to eight bits, so that means over frames say something. NaN where no
        pixel counts.
    Raises:
        ShapeError: the shapes do not fit together.
    """
    mse = _mean(_difference(picture, target).square(), where)
    return -10 * mse.clamp(min=MSE_FLOOR).log10()


def ssim(picture: Tensor, target: Tensor) -> Tensor:
    """Mean structural similarity over pixels and colour channels.

    Windows at the frame's edge see it mirrored, where the original leaves them out.

    Args:
        picture, target: (B, 3, H, W) RGB in [0, 1], at least 6 px a side.
    Returns:
        (B,) at most 1, that of equal pictures.
    Raises:
        MissingExtraError: the extra "eval" is missing.
        ShapeError: the shapes do not fit together.
    Source: Wang, Bovik, Sheikh and Simoncelli, Image quality assessment, 2004; computed by
        torchmetrics.
    """
    try:
        from torchmetrics.functional.image import structural_similarity_index_measure
    except ImportError as error:
        raise MissingExtraError(
            "evaluation needs the extra eval; install it with `pip install maskmotion[eval]`"
        ) from error
    _check_same_shape(picture, target)
    if min(picture.shape[-2:]) <= SSIM_WINDOW_PX // 2:
        raise ShapeError(
            f"SSIM needs pictures of at least {SSIM_WINDOW_PX // 2 + 1} px a side, "
            f"got {tuple(picture.shape)}"
        )
    similarity = structural_similarity_index_measure(
        picture,
        target,
        gaussian_kernel=True,
        sigma=SSIM_SIGMA_PX,
        kernel_size=SSIM_WINDOW_PX,
        reduction="none",
        data_range=1.0,
        k1=SSIM_K[0],
        k2=SSIM_K[1],
    )
    assert isinstance(similarity, Tensor)  # a pair only where the full picture is asked for
    return similarity


def show_through(picture: Tensor, new: Tensor, old: Tensor, where: Tensor) -> Tensor:
    """How much of the old background shows through the new one.

    The k of the least squares fit `picture = (1 - k) * new + k * old` over pixels and channels.

    Args:
        picture: (B, 3, H, W) RGB in [0, 1], after the swap.
        new, old: (B, 3, H, W), the background wanted and the one to be gone.
        where: (B or 1, 1, H, W) bool, the pixels of the background.
    Returns:
        (B,) 0 = all new, 1 = all old, below 0 or above 1 where the picture goes beyond them; NaN
        where no pixel counts, or the two backgrounds do not differ there.
    Raises:
        ShapeError: the shapes do not fit together.
    """
    towards_old = _difference(old, new)
    reached = _mean(_difference(picture, new) * towards_old, where)
    whole = _mean(towards_old.square(), where)
    return torch.where(whole >= MIN_BACKGROUND_CHANGE, reached / whole, torch.nan)


# Masks -------------------------------------------------------------------------------------


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union.

    Args:
        first, second: (B, 1, H, W) bool.
    Returns:
        (B,) in [0, 1], 1 = equal; NaN where both are empty.
    Raises:
        ShapeError: the shapes differ.
    """
    _check_same_shape(first, second)
    return (first & second).sum((1, 2, 3)) / (first | second).sum((1, 2, 3))


def changed(source: Tensor, target: Tensor, threshold: float = 0.1) -> Tensor:
    """Where something moved: pixels whose largest channel difference is above the threshold.

    Args:
        source, target: (B, 3, H, W) RGB in [0, 1].
        threshold: in [0, 1].
    Returns:
        (B, 1, H, W) bool.
    Raises:
        ShapeError: the shapes differ.
    """
    return _difference(source, target).abs().amax(1, keepdim=True) > threshold


def far_from(mask: Tensor, px: int) -> Tensor:
    """Pixels at least px from a mask; an empty mask is far from all.

    Distances, here and below, are the larger of the steps across and down (Chebyshev's); a pixel
    next to the mask, also by its corner, is at 1.

    Args:
        mask: (B, 1, H, W) bool.
        px: at least 1.
    Returns:
        (B, 1, H, W) bool.
    """
    return ~_grown(mask, px - 1)


def ring(mask: Tensor, inner_px: int, outer_px: int) -> Tensor:
    """Pixels outside a mask at a distance above inner_px and up to outer_px.

    Args:
        mask: (B, 1, H, W) bool.
        inner_px: at least 0: the ring begins at the mask.
        outer_px: above inner_px.
    Returns:
        (B, 1, H, W) bool.
    """
    return _grown(mask, outer_px) & ~_grown(mask, inner_px)


def band(mask: Tensor, px: int) -> Tensor:
    """Pixels along a mask's border: px outside it and px inside.

    Where the mask is cut off by the frame's edge there is no border.

    Args:
        mask: (B, 1, H, W) bool.
        px: at least 1; pixels whose distance from the other side is up to this.
    Returns:
        (B, 1, H, W) bool.
    """
    return _grown(mask, px) & _grown(~mask, px)


# Points ------------------------------------------------------------------------------------


def aligned(points: Tensor, to: Tensor) -> Tensor:
    """Points of a clip, brought nearest to another clip's by one scale, rotation and shift.

    One fit for the whole clip: differences of place and size between two people vanish, and their
    motion stays. Nothing is mirrored.

    Args:
        points, to: (T, K, 2) x and y, px; NaN where something was not found.
    Returns:
        (T, K, 2) px. A frame with a NaN in either is left out of the fit and is NaN throughout;
        so are all frames where none is left, or all points left lie in one place.
    Raises:
        ShapeError: the shapes differ.
    Source: Umeyama, Least-squares estimation of transformation parameters, 1991; in the plane its
        scale and rotation are one complex factor, so that the fit is a division.
    """
    _check_same_shape(points, to)
    moving, fixed = (torch.complex(x[..., 0], x[..., 1]) for x in (points, to))  # (T, K)
    complete = ~(moving.isnan() | fixed.isnan()).any(1)
    moving_centre, fixed_centre = moving[complete].mean(), fixed[complete].mean()
    moving, fixed = moving - moving_centre, fixed - fixed_centre
    left, wanted = moving[complete], fixed[complete]
    factor = (left.conj() * wanted).sum() / left.abs().square().sum()
    fitted = torch.view_as_real(moving * factor + fixed_centre)  # (T, K, 2)
    return torch.where(complete[:, None, None], fitted, torch.nan)


# Parts -------------------------------------------------------------------------------------


def _check_same_shape(first: Tensor, second: Tensor) -> None:
    """Raise ShapeError where torch would repeat one of the two in silence."""
    if first.shape != second.shape:
        raise ShapeError(
            f"what is compared must be of one shape, got {tuple(first.shape)} and "
            f"{tuple(second.shape)}"
        )


def _difference(first: Tensor, second: Tensor) -> Tensor:
    """First minus second, of one shape."""
    _check_same_shape(first, second)
    return first - second


def _mean(values: Tensor, where: Tensor | None) -> Tensor:
    """(B, C, H, W) -> (B,) mean over channels and the pixels of `where`, NaN for no pixels."""
    if where is None:
        return values.mean((1, 2, 3))
    if where.shape[1:] != (1, *values.shape[2:]) or len(where) not in (1, len(values)):
        raise ShapeError(
            f"a mask of shape {tuple(where.shape)} does not fit pictures of {tuple(values.shape)}"
        )
    count = where.sum((1, 2, 3)) * values.shape[1]
    return torch.where(where, values, 0).sum((1, 2, 3)) / count


def _grown(mask: Tensor, px: int) -> Tensor:
    """A mask and all within px of it, (B, 1, H, W) bool."""
    # One axis after the other: a square window would cost its area a pixel.
    side = 2 * px + 1
    along_x = F.max_pool2d(mask.float(), (1, side), stride=1, padding=(0, px))
    return F.max_pool2d(along_x, (side, 1), stride=1, padding=(px, 0)) > 0
