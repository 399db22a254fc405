"""Windows: the part of each picture that the perceptual loss looks at."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from maskmotion.config import WINDOW_STEP, window_px
from maskmotion.models.draws import Draws

EVERYWHERE = 1 / 3  # how much a place counts without any change, beside 1 for the mean change

Window = Callable[[Tensor], Tensor]


def draw_windows(source: Tensor, target: Tensor, part: float, draws: Draws) -> Window:
    """A window for each sample, around a place drawn by how much it changes.

    Three quarters of the windows are drawn by |target - source|, the rest evenly; those that would
    reach over the border are moved inside.

    Args:
        source: (B, 3, S, S) in [0, 1].
        target: (B, 3, S, S) in [0, 1].
        part: the window's side over the picture's, in [0.25, 1].
        draws: random numbers.
    Returns:
        The cut: (B, C, S, S) -> (B, C, s, s), channels last; with part 1 what it is given.

    Source: docs/method.md, Windows.
    """
    size = target.shape[-1]
    side = window_px(size, part)
    if side >= size:
        return lambda picture: picture
    change = F.avg_pool2d((target - source).abs().amax(1, keepdim=True), WINDOW_STEP).flatten(1)
    heat = change / change.mean(1, keepdim=True).clamp(min=1e-6) + EVERYWHERE
    chance = heat.cumsum(1) / heat.sum(1, keepdim=True)
    cell = (chance < draws.uniform(len(source), 1)).sum(1)
    cells = size // WINDOW_STEP
    centres = torch.stack([cell // cells, cell % cells], 1) * WINDOW_STEP + WINDOW_STEP // 2
    places = (centres - side // 2).clamp(0, size - side).tolist()

    def cut(picture: Tensor) -> Tensor:
        parts = [
            x[:, top : top + side, left : left + side]
            for x, (top, left) in zip(picture, places, strict=True)
        ]
        return torch.stack(parts).contiguous(memory_format=torch.channels_last)

    return cut
