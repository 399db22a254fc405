"""What a model makes of the demonstration's inputs, and how far it is from the truth."""

from dataclasses import dataclass

import numpy as np

from maskmotion.demo.inputs import Inputs
from maskmotion.errors import ModelError
from maskmotion.inference.painter import Engine, Painter

MOVED_LEVELS = 25  # of 255


@dataclass(frozen=True)
class Results:
    """What came out, uint8 of the networks' size S.

    Attributes:
        mask: (T, S, S, 3) grey, the driver's pose, refined to the source's shape; white = person.
        animated: (T, S, S, 3) the source in the driver's poses.
        swapped: (T, S, S, 3) the same on the new background; None of a model without background
            networks.
    """

    mask: np.ndarray
    animated: np.ndarray
    swapped: np.ndarray | None


@dataclass(frozen=True)
class Distance:
    """Mean absolute difference from the truth, of 255; of all pixels, and of those that move."""

    title: str
    everywhere: float
    moved: float


def animate(engine: Engine, inputs: Inputs) -> Results:
    """Animate the source, before its own and the new background.

    Args:
        engine: from `maskmotion.open_engine`.
        inputs: of the engine's size.
    """
    painter = _painter(engine, inputs)
    masks, animated, swapped = [], [], []
    for start in range(0, len(inputs.driving), engine.batch_frames):
        painted = painter.paint(inputs.driving[start : start + engine.batch_frames])
        masks.append(painted.alphas[..., None].repeat(3, axis=-1))
        animated.append(painted.layers["high_res"])
        if "background_refined" in painted.layers:
            swapped.append(painted.frames)
    return Results(
        np.concatenate(masks),
        np.concatenate(animated),
        np.concatenate(swapped) if swapped else None,
    )


def _painter(engine: Engine, inputs: Inputs) -> Painter:
    try:
        return engine.painter(inputs.source, background=inputs.background)
    except ModelError:  # it has no background networks
        return engine.painter(inputs.source)


def distances(inputs: Inputs, results: Results) -> list[Distance]:
    """How far the results are from the truth, each below a source that does not move.

    Args:
        inputs: of the results' size.
        results: of all frames.
    """
    moved = moved_pixels(inputs)
    made = [
        _distance("unmoved source", inputs.source, inputs.target, moved),
        _distance("animated", results.animated, inputs.target, moved),
    ]
    if results.swapped is not None:
        made += [
            _distance(
                "unmoved source, pasted", inputs.source_swapped, inputs.target_swapped, moved
            ),
            _distance("swapped", results.swapped, inputs.target_swapped, moved),
        ]
    return made


def moved_pixels(inputs: Inputs) -> np.ndarray:
    """Where the truth differs clearly from the source, (T, H, W) bool."""
    return _difference(inputs.source, inputs.target).max(-1) > MOVED_LEVELS


def _distance(title: str, frames: np.ndarray, truth: np.ndarray, moved: np.ndarray) -> Distance:
    difference = _difference(frames, truth)
    return Distance(title, float(difference.mean()), float(difference[moved].mean()))


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(np.int16) - other)
