"""Between uint8 frames and the float tensors of the networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from maskmotion.errors import ShapeError

if TYPE_CHECKING:
    import torch  # loaded by what uses it, as it takes seconds


def to_tensor(frames: Sequence[np.ndarray]) -> torch.Tensor:
    """Frames as the networks take them.

    Args:
        frames: at least one, each (H, W, C) uint8, all of one shape.
    Returns:
        (B, C, H, W) float32 in [0, 1].
    Raises:
        ShapeError: no frames, or frames of different shapes.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) != 1 or any(len(shape) != 3 for shape in shapes):
        raise ShapeError(f"frames must be one or more (H, W, C) arrays of one shape: {shapes}")
    import torch

    batch = torch.from_numpy(np.stack(frames))
    return batch.permute(0, 3, 1, 2).contiguous().float() / 255


def on_white(image: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Lay a picture with transparency on white: (H, W, 3) and (H, W) uint8 -> (H, W, 3) uint8."""
    if alpha is None:
        return image
    cover = alpha[..., None].astype(np.float32) / 255
    return np.rint(image * cover + 255 * (1 - cover)).astype(np.uint8)


def to_uint8(x: torch.Tensor) -> np.ndarray:
    """Pictures as files take them: clamped to [0, 1], rounded to the nearest of 256 levels.

    Args:
        x: (B, C, H, W) float, C = 3 or 1, on any device.
    Returns:
        (B, H, W, C) uint8.
    Raises:
        ShapeError: not four axes.
    """
    if x.ndim != 4:
        raise ShapeError(f"expected (B, C, H, W), got {tuple(x.shape)}")
    import torch

    levels = (x.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
