"""A model whose masks and pictures are known, clips that it understands, and who is rendered.

A subject is what is red; the networks that find, move, paint and compose it are plain rules.
"""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from tests.synth.people.standin import StandIn
from tiny import tiny_animator
from torch import Tensor, nn
from torch.nn import functional as F

from maskmotion.media.lossless import save_lossless
from maskmotion.models.animator import Animator
from maskmotion.synth.people.clip import ClipSeeds, PeopleClip

SIZE = 128

Box = tuple[int, int, int, int]  # top, left, height, width; multiples of 4, as masks are coarser

RED = (230, 40, 40)  # the subjects of clips
PAINT = (0.8, 0.1, 0.2)  # as the model paints them
BARE = 0.3  # how it fills the place that the source's subject has left
ADDED = 0.05  # error of a swap
EDGE = 0.38  # an enlarged box has 3/8 just outside, (5/8)**2 in its corners


def inside(box: Box) -> np.ndarray:
    """(S, S) bool."""
    top, left, height, width = box
    mask = np.zeros((SIZE, SIZE), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def red_boxes(seed: int, boxes: list[Box]) -> np.ndarray:
    """(T, S, S, 3) uint8: a red box a frame, before noise that stands still and is not red."""
    scene = np.random.default_rng(seed).integers(0, 100, (SIZE, SIZE, 3), np.uint8)
    return np.stack([np.where(inside(box)[..., None], RED, scene) for box in boxes]).astype("u1")


def walk(top: int, left: int, frames: int, step: int = 4) -> list[Box]:
    """A box of 32 x 24 px that goes to the right."""
    return [(top, left + step * t, 32, 24) for t in range(frames)]


def save_clip(path: Path, frames: np.ndarray) -> Path:
    """Write a clip without loss."""
    save_lossless(path, frames, Fraction(25))
    return path


class Red(nn.Module):
    """m: where a picture is red, and a margin around."""

    def __init__(self, margin: int = 0) -> None:
        super().__init__()
        self.margin = margin
        self.level = nn.Parameter(torch.tensor(0.5))

    def forward(self, image: Tensor) -> Tensor:
        found = (F.avg_pool2d(image[:, :1], 4) > self.level).float()
        return F.max_pool2d(found, 2 * self.margin + 1, 1, self.margin)


class MovedDown(nn.Module):
    """r: the perturbed mask, so many rows further down."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, source: Tensor, source_mask: Tensor, perturbed_mask: Tensor) -> Tensor:
        return perturbed_mask.roll(self.rows, dims=2)


class NoPicture(nn.Module):
    """l: black."""

    def forward(self, source: Tensor, source_mask: Tensor, mask: Tensor) -> Tensor:
        return F.interpolate(torch.zeros_like(source), scale_factor=4)


class Painted(nn.Module):
    """h: PAINT inside the mask; outside the source, brighter the further right the mask is."""

    def forward(self, source: Tensor, source_mask: Tensor, low_res: Tensor, mask: Tensor) -> Tensor:
        columns = (mask > EDGE).any(2)  # (B, 1, W)
        brighter = columns.int().argmax(-1)[..., None, None] / 1000
        scene = torch.where(source_mask > EDGE, BARE, source) + brighter
        paint = torch.tensor(PAINT, device=source.device).view(1, 3, 1, 1)
        return torch.where(mask > EDGE, paint, scene)


class Composed(nn.Module):
    """BGRefine: the new background and the foreground, ADDED to both."""

    def forward(self, composed: Tensor, base: Tensor) -> Tensor:
        mask, background, foreground = composed[:, 1:2], composed[:, 2:5], composed[:, 5:]
        return background * (1 - mask) + foreground + ADDED


def known_animator(margin: int = 0, rows: int = 0) -> Animator:
    """A model that finds red things with a margin, and moves them down (in mask's px, of 4)."""
    model = tiny_animator(image_size=SIZE, threshold=EDGE)
    model.mask_generator = Red(margin)
    model.refiner = MovedDown(rows)
    model.low_res = NoPicture()
    model.high_res = Painted()
    model.background_refiner = Composed()
    return model


def painted(source: np.ndarray, source_box: Box, box: Box) -> np.ndarray:
    """What `Painted` makes: (S, S, 3) in [0, 1], of a source in [0, 1]."""
    scene = np.where(inside(source_box)[..., None], BARE, source) + box[1] / 1000
    return np.where(inside(box)[..., None], PAINT, scene)


def soft(box: Box) -> np.ndarray:
    """The model's mask of a box, enlarged: (S, S, 1), with slopes of 4 px at its edges."""
    coarse = torch.from_numpy(inside(box)[::4, ::4].copy()).float()[None, None]
    enlarged = F.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)
    return enlarged[0, 0, ..., None].numpy()


class OwnWays(StandIn):
    """Each person is elsewhere in the same motion, so that no two have one outline."""

    def clip(self, seeds: ClipSeeds, **how: object) -> PeopleClip:
        return super().clip(replace(seeds, motion=seeds.motion + seeds.person), **how)
