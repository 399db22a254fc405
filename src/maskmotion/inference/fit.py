"""maskmotion.media.fit for tensors: fitting pictures to a square, and pasting the square back."""

import torch
from torch import Tensor
from torch.nn import functional as F

from maskmotion.media.fit import Square, meeting
from maskmotion.models.blocks import resize


def cut(picture: Tensor, square: Square, size: int) -> Tensor:
    """The square of a picture at the networks' size.

    Args:
        picture: (B, C, H, W) in [0, 1].
        square: from `square_of`.
        size: side of the result, px.
    Returns:
        (B, C, size, size), low-passed where it shrinks.
    """
    height, width = picture.shape[-2:]
    rows = torch.arange(square.top, square.top + square.side).clamp(0, height - 1)
    columns = torch.arange(square.left, square.left + square.side).clamp(0, width - 1)
    inside = picture[..., rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rows, columns = (rows - rows[0]).to(picture.device), (columns - columns[0]).to(picture.device)
    if len(rows) != inside.shape[-2]:
        inside = inside[..., rows, :]
    if len(columns) != inside.shape[-1]:
        inside = inside[..., columns]
    if square.side == size:
        return inside
    return _scaled(inside, size).clamp(0, 1)


def paste(canvas: Tensor, picture: Tensor, square: Square) -> Tensor:
    """Put a square back to where it was cut.

    Args:
        canvas: (B or 1, C, H, W) in [0, 1].
        picture: (B, C, size, size) in [0, 1].
        square: from `square_of` for the canvas' size.
    Returns:
        (B, C, H, W), a new tensor.
    """
    inside, seen = meeting(square, *canvas.shape[-2:])
    pasted = canvas.expand(len(picture), -1, -1, -1).clone()
    pasted[..., *inside] = _scaled(picture, square.side).clamp(0, 1)[..., *seen]
    return pasted


def lay(canvas: Tensor, still: Tensor, picture: Tensor, gate: Tensor, square: Square) -> Tensor:
    """Put a painted square back, as far as it was painted: the rest stays the canvas' own.

    Args:
        canvas: (B or 1, 3, H, W) in [0, 1], what `still` was cut out of.
        still: (B or 1, 3, size, size) in [0, 1], what the networks painted on.
        picture: (B, 3, size, size) in [0, 1]: gate * painted + (1 - gate) * still.
        gate: (B, 1, size, size) in [0, 1].
        square: from `square_of` for the canvas' size.
    Returns:
        (B, 3, H, W), gate * painted + (1 - gate) * canvas inside the square, both enlarged.
    Source: docs/method.md, The gate.
    """
    if square.side == gate.shape[-1] or bool((gate >= 1).all()):
        return paste(canvas, picture, square)
    inside, seen = meeting(square, *canvas.shape[-2:])
    painted = torch.where(gate > 0, picture - (1 - gate) * still, 0)  # gate * painted
    parts = _scaled(torch.cat([painted, gate], 1), square.side)[..., *seen]
    laid = canvas.expand(len(picture), -1, -1, -1).clone()
    kept = (1 - parts[:, 3:]) * laid[..., *inside]
    laid[..., *inside] = (parts[:, :3] + kept).clamp(0, 1)
    return laid


def lost_detail(picture: Tensor, still: Tensor, square: Square) -> Tensor:
    """What a picture shows that its square at the networks' size does not.

    Args:
        picture: (1, 3, H, W) in [0, 1].
        still: (1, 3, size, size) in [0, 1], cut out of it.
        square: from `square_of` for the picture's size.
    Returns:
        (1, 3, H, W) in [-1, 1], picture minus the enlarged square; 0 outside.
    """
    return picture - paste(picture, still, square)


def moved_detail(detail: Tensor, flow: Tensor, square: Square) -> Tensor:
    """What scaling took from the source, where w took its pixels to.

    Args:
        detail: (1, 3, H, W), from `lost_detail`.
        flow: (B, 2, h, w): how far right and down of a place of the square lies what belongs
            there, in half sides.
        square: from `square_of` for the picture's size.
    Returns:
        (B, 3, H, W), bilinear; 0 outside the square.
    Source: docs/method.md, The warped source.
    """
    inside, seen = meeting(square, *detail.shape[-2:])
    lost = detail[..., *inside]
    height, width = lost.shape[-2:]
    way = square.side / 2 * resize(flow.float(), (square.side, square.side))[..., *seen]
    x = torch.arange(width, device=flow.device) + way[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + way[:, 1]
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    moved = torch.zeros_like(detail).repeat(len(flow), 1, 1, 1)
    moved[..., *inside] = F.grid_sample(
        lost.expand(len(flow), -1, -1, -1), grid, padding_mode="border", align_corners=False
    )
    return moved


def add_detail(picture: Tensor, detail: Tensor, share: Tensor, square: Square) -> Tensor:
    """Give back to a picture what scaling took from the source, where it shows the source's pixels.

    Args:
        picture: (B, 3, H, W) in [0, 1].
        detail: (B or 1, 3, H, W), from `lost_detail` or `moved_detail`.
        share: (B, 1, size, size) in [0, 1], 1 = the source's own pixels.
        square: from `square_of` for the picture's size.
    Returns:
        (B, 3, H, W), picture + share * detail inside the square, share enlarged.
    Source: docs/method.md, The gate.
    """
    inside, seen = meeting(square, *picture.shape[-2:])
    sharp = picture.clone()
    shown = _scaled(share, square.side).clamp(0, 1)[..., *seen]  # bicubic scaling overshoots
    added = shown * detail[..., *inside]
    sharp[..., *inside] = (sharp[..., *inside] + added).clamp(0, 1)
    return sharp


def cover(picture: Tensor, height: int, width: int) -> Tensor:
    """Scale a picture so that it covers a canvas, and crop its middle: -> (B, C, height, width)."""
    factor = max(height / picture.shape[-2], width / picture.shape[-1])
    size = (
        max(height, round(picture.shape[-2] * factor)),
        max(width, round(picture.shape[-1] * factor)),
    )
    scaled = _resized(picture, size)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return scaled[..., top : top + height, left : left + width].clamp(0, 1)


def _scaled(picture: Tensor, side: int) -> Tensor:
    return picture if side == picture.shape[-1] else _resized(picture, (side, side))


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(picture, size=size, mode="bicubic", align_corners=False, antialias=True)
