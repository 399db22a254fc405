"""Clips whose frames are known value for value."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from maskmotion.media.lossless import save_lossless

SIZE = 128


def moving_square(seed: int, frames: int) -> np.ndarray:
    """(T, S, S, 3) uint8: a bright square that walks over noise which stands still."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(0, 120, (SIZE, SIZE, 3), np.uint8)
    clip = np.repeat(scene[None], frames, 0)
    colour, top = rng.integers(180, 256, 3), int(rng.integers(20, 70))
    for t in range(frames):
        clip[t, top : top + 30, 10 + 3 * t : 40 + 3 * t] = colour
    return clip


@pytest.fixture
def write_clips(tmp_path: Path) -> Callable[..., Path]:
    """Writes clips a#1.mkv, b#1.mkv and so on into a folder, without loss, and returns it."""

    def write(count: int = 3, frames: int = 11, folder: str = "clips") -> Path:
        for index in range(count):
            path = tmp_path / folder / f"{'abcdefgh'[index]}#1.mkv"
            save_lossless(path, moving_square(index, frames), Fraction(25))
        return tmp_path / folder

    return write
