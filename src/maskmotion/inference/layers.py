"""The intermediate pictures of an animation, as folders of PNG frames for an editor."""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from maskmotion.inference.painter import Painted
from maskmotion.media import VideoWriter, open_writer

LAYERS = (
    "foreground",
    "driving_mask",
    "perturbed_mask",
    "refined_mask",
    "low_res",
    "high_res",
    "background_base",
    "background_refined",
)


class LayerWriter:
    """Writes each of LAYERS to its own folder of numbered frames, at the networks' size.

    The foreground has alpha; the last two are there with a new background only.

    Args:
        folder: made where missing.
        fps: for the record; frames are numbered.
    """

    def __init__(self, folder: Path, fps: Fraction) -> None:
        self.folder = Path(folder)
        self.fps = fps
        self._writers: dict[str, VideoWriter] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, painted: Painted) -> None:
        """Append the layers of a batch."""
        self._write("foreground", painted.layers["high_res"], painted.alphas)
        for name in LAYERS[1:]:
            if name in painted.layers:
                self._write(name, painted.layers[name])

    def _write(self, name: str, pictures: np.ndarray, alphas: np.ndarray | None = None) -> None:
        height, width = pictures.shape[1:3]
        if name not in self._writers:
            self._writers[name] = self._stack.enter_context(
                open_writer(
                    f"{self.folder / name}/",
                    width=width,
                    height=height,
                    fps=self.fps,
                    alpha=alphas is not None,
                )
            )
        colours = np.repeat(pictures, 3 // pictures.shape[-1], axis=-1)
        covers = [None] * len(pictures) if alphas is None else list(alphas)
        for image, cover in zip(colours, covers, strict=True):
            self._writers[name].write(image, cover)
