"""Clips whose every pixel is known."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from maskmotion.media import open_writer
from maskmotion.media.lossless import save_lossless

SIDE = 64


def scene(seed: int = 0, side: int = SIDE) -> np.ndarray:
    """A textured background, (side, side, 3) uint8."""
    return np.random.default_rng(seed).integers(60, 120, (side, side, 3)).astype(np.uint8)


def moving_square(count: int = 12, *, side: int = SIDE, seed: int = 0) -> list[np.ndarray]:
    """A still camera; a white square wanders through the middle of the picture."""
    frames = []
    size, step = side // 5, side // 5
    for index in range(count):
        frame = scene(seed, side)
        left = side // 5 + step * (index % 3)
        top = side // 5 + step * (index // 3 % 3)
        frame[top : top + size, left : left + size] = 255
        frames.append(frame)
    return frames


def panning(count: int = 12, *, side: int = SIDE) -> list[np.ndarray]:
    """A moving camera over a wall of tiles, each of its own colour."""
    tile = side // 8
    colours = np.random.default_rng(0).integers(0, 256, (8, 32, 3)).astype(np.uint8)
    wall = colours.repeat(tile, 0).repeat(tile, 1)
    return [wall[:, i * tile : i * tile + side] for i in range(count)]


def write(path: Path, frames: list[np.ndarray]) -> Path:
    """A video, or without an ending a folder of PNG frames, which keeps pixels exactly."""
    height, width = frames[0].shape[:2]
    with open_writer(path, width=width, height=height, fps=Fraction(25)) as writer:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame))
    return path


def alpha_planes(count: int, *, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """Alpha that tells its frame and its place, (count, side, side) uint8."""
    y, x = np.mgrid[:side, :side]
    return np.stack([(5 * x + 3 * y + 40 * t + 11 * seed) % 256 for t in range(count)]).astype(
        np.uint8
    )


def write_truth(clip: Path, alpha: np.ndarray) -> Path:
    """Write the alpha of a clip where `maskmotion synth people` does."""
    path = clip.parent.parent / "truth" / clip.stem / "alpha.mkv"
    save_lossless(path, alpha, Fraction(25))
    return path
