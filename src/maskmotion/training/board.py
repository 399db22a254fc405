"""TensorBoard's view of a run, where the extra `train` is installed."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

EVERY_STEPS = 10  # 60 bytes a number and step; a screen shows a thousand steps at most
FLUSH_S = 30


class Board:
    """Scalars and previews for `tensorboard --logdir`; nothing without the package tensorboard.

    Args:
        folder: where they are written.
        step: finished steps of the run; what was written of later ones is hidden from now on.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.writer = _writer(folder, step)

    def numbers(self, entry: Mapping[str, float]) -> None:
        """Show a step's line of the log; of ten steps one."""
        step = int(entry["step"])
        if self.writer is None or step % EVERY_STEPS:
            return
        for name, value in entry.items():
            if name not in ("step", "epoch"):
                self.writer.add_scalar(f"{_group(name)}/{name}", value, step)

    def picture(self, step: int, page: Image.Image) -> None:
        """Show a preview sheet."""
        if self.writer is not None:
            self.writer.add_image("previews", np.asarray(page), step, dataformats="HWC")

    def close(self) -> None:
        """Write out what is left; where the disk is full, the checkpoints have told of it."""
        if self.writer is not None:
            with suppress(OSError):
                self.writer.close()


def _writer(folder: Path, step: int) -> "SummaryWriter | None":
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=step + 1, flush_secs=FLUSH_S)


def _group(name: str) -> str:
    if name.startswith("mask_"):
        return "masks"
    return "speed" if name.endswith("_s") else "losses"
