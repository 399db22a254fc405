"""The intermediate pictures of an animation, as folders of PNG frames for an editor."""

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from torch import Tensor

from maskmotion.inference.session import Animated
from maskmotion.media import VideoWriter, open_writer, to_uint8
from maskmotion.models.animator import large

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

    def write(self, animated: Animated) -> None:
        """Append the layers of a batch."""
        animation, swap = animated.animation, animated.swap
        self._write("foreground", animation.high_res, alpha=large(animation.refined_mask))
        self._write("driving_mask", large(animation.driving_mask))
        self._write("perturbed_mask", large(animation.perturbed_mask))
        self._write("refined_mask", large(animation.refined_mask))
        self._write("low_res", animation.low_res)
        self._write("high_res", animation.high_res)
        if swap is not None:
            self._write("background_base", swap.base)
            self._write("background_refined", swap.refined)

    def _write(self, name: str, pictures: Tensor, alpha: Tensor | None = None) -> None:
        if name not in self._writers:
            height, width = pictures.shape[-2:]
            self._writers[name] = self._stack.enter_context(
                open_writer(
                    f"{self.folder / name}/",
                    width=width,
                    height=height,
                    fps=self.fps,
                    alpha=alpha is not None,
                )
            )
        images = to_uint8(pictures.expand(-1, 3, -1, -1))
        covers = [None] * len(images) if alpha is None else list(to_uint8(alpha)[..., 0])
        for image, cover in zip(images, covers, strict=True):
            self._writers[name].write(image, cover)
