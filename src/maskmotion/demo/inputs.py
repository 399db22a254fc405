"""What the demonstration is given and what should come of it, from files of the package."""

from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np

from maskmotion.media import open_video, read_still
from maskmotion.media.fit import cut, square_of
from maskmotion.synth.people import composite, shaded

FPS = 25


@dataclass(frozen=True)
class Inputs:
    """Pictures (H, W, 3) and clips (T, H, W, 3), uint8 RGB, all of one square size.

    Attributes:
        source: the person to be animated.
        background: a new background for this person.
        driving: another person's clip, whose motion is taken.
        target: the truth: the source's person in this motion, before the source's background.
        target_swapped: the same person and motion before the new background.
        source_swapped: the source's person, who stands still, before the new background.
    """

    source: np.ndarray
    background: np.ndarray
    driving: np.ndarray
    target: np.ndarray
    target_swapped: np.ndarray
    source_swapped: np.ndarray

    def resized(self, size: int) -> "Inputs":
        """The same as networks of a size in px see it."""
        return replace(
            self,
            **{
                name: _resized(x, size) if x.ndim == 3 else np.stack([_resized(f, size) for f in x])
                for name, x in vars(self).items()
            },
        )


def read_inputs() -> Inputs:
    """The inputs inside the package."""
    with resources.as_file(resources.files("maskmotion.demo") / "files") as folder:
        return read_folder(folder)


def read_folder(folder: Path) -> Inputs:
    """The inputs in a folder that `render_inputs` wrote.

    One clip of the person serves both truths: before either background it is composited exactly,
    so that compression touches nothing but the person.

    Raises:
        MediaError: a file is missing or damaged.
    """
    source, home, background = (
        read_still(folder / f"{name}.png").image for name in ("source", "home", "background")
    )
    person, alpha, shade = (
        _clip(folder / name) for name in ("person.mp4", "person_alpha.mkv", "person_shade.mkv")
    )
    return Inputs(
        source=source,
        background=background,
        driving=_clip(folder / "driving.mp4"),
        target=composite(person, alpha[..., 0], shaded(home, shade[..., 0])),
        target_swapped=composite(person, alpha[..., 0], background),
        source_swapped=composite(
            source, read_still(folder / "source_alpha.png").image[..., 0], background
        ),
    )


def _clip(path: Path) -> np.ndarray:
    with open_video(path) as video:
        return np.stack([frame.image for frame in video])


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    return cut(image, square_of("crop", *image.shape[:2]), size)
