"""Clips and truth whose frames are known value for value."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.known import SIZE, OwnWays

from maskmotion.media.lossless import save_lossless
from maskmotion.synth.people.truth import make_truth

TRUTH_FRAMES = 10


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


@pytest.fixture(scope="session")
def truth_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cases of truth; persons are disks, scenes are noise."""
    folder = tmp_path_factory.mktemp("truth")
    make_truth(folder, cases=2, size=SIZE, frames=TRUTH_FRAMES, jobs=1, renderer=OwnWays)
    return folder
