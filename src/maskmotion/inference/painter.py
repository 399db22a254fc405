"""What `animate_with` needs of an engine; torch is not needed to know it.

An engine holds the networks of a model, on whatever runs them. It makes a painter for each source,
which is fed with batches of driving frames. All pictures here are uint8 squares of the networks'
size S, (S, S, 3) RGB.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

BackgroundKind = Literal["scene", "class"]
Precision = Literal["auto", "float32", "bfloat16"]
BATCH_FRAMES = 8
# Pixels of the networks' squares: on processors a batch gains a third at 128 px, and from 256 px on
# it only takes memory.
BATCH_PX = BATCH_FRAMES * 128 * 128


def batch_frames(size: int, most_px: int = BATCH_PX) -> int:
    """Driving frames that are best painted at once, for networks of a size in px."""
    return max(1, min(BATCH_FRAMES, most_px // size**2))


class Lazy(Mapping[str, np.ndarray]):
    """Arrays by name, each made when it is asked for, and anew each time."""

    def __init__(self, makers: Mapping[str, Callable[[], np.ndarray]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> np.ndarray:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers  # Mapping would make the array

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True)
class Painted:
    """A painted batch.

    frames: (B, S, S, 3) uint8 RGB, the result.
    alphas: (B, S, S) uint8, the refined mask, 255 = foreground.
    gates: (B, S, S) uint8, how much of frames was painted; the rest is the source, or the new
        background. 255 everywhere without a gate.
    kept: (B, S, S) uint8, before a new background: how much of frames is the inside of the
        source's own figure, which h left as it was. 0 without a gate or a new background.
    moved: (B, S, S) uint8, how much of frames is the source as w warped it. 0 without w.
    flows: (B, 2, S/4, S/4) float32, whence w took it, as `maskmotion.media.fit.moved_detail` takes
        them. 0 without w.
    layers: the intermediate pictures, each (B, S, S, 3) or (B, S, S, 1) uint8, by the names of
        maskmotion.inference.layers.LAYERS.
    """

    frames: np.ndarray
    alphas: np.ndarray
    gates: np.ndarray
    kept: np.ndarray
    moved: np.ndarray
    flows: np.ndarray
    layers: Mapping[str, np.ndarray] = field(default_factory=dict)


class Painter(Protocol):
    """One source on one background, fed with driving frames."""

    def paint(self, squares: np.ndarray, scenes: np.ndarray | None = None) -> Painted:
        """Animate the source with a batch of driving frames.

        Args:
            squares: (B, S, S, 3) uint8 RGB.
            scenes: (B, S, S, 3) uint8 RGB, the frames of a moving background; None for the
                painter's own.
        Raises:
            ModelError: a background is given and the model has no background networks.
        """


class Engine(Protocol):
    """The networks of a model, ready to run.

    name: what runs them, and how, in words.
    size: S, px. batch_frames: driving frames that are best painted at once.
    """

    name: str
    size: int
    batch_frames: int

    def painter(
        self,
        source: np.ndarray,
        *,
        background: np.ndarray | None = None,
        background_kind: BackgroundKind = "scene",
        scale: float | None = None,
    ) -> Painter:
        """A painter of a source.

        Args:
            source: (S, S, 3) uint8 RGB.
            background: (S, S, 3) uint8 RGB; None keeps the source's.
            background_kind: "scene" is a plain scene; "class" holds an object of the trained
                class, which is taken out.
            scale: of the driver's mask about its centre; None takes the model's.
        Raises:
            InputError: a scale out of range.
            ModelError: a background is given and the model has no background networks.
        """
