"""Photographs as backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from maskmotion.errors import ConfigError
from maskmotion.media.still import read_still
from maskmotion.synth.people.scenery.textures import Rng, linear

Array = np.ndarray
F32 = np.float32
LARGEST = 1.5  # a photograph is not enlarged further while there is more of it to show
LINEAR = linear(np.arange(256) / 255)


def photograph(rng: Rng, photos: Sequence[Path], side: int) -> tuple[Array, dict[str, object]]:
    """A random part of a random photograph.

    Returns:
        (side, side, 3) linear radiance, and what was chosen.
    Raises:
        ConfigError: there are no photographs.
        MediaError: the file is missing, broken, or not a picture.
    """
    if not photos:
        raise ConfigError("The list of photographs is empty; name at least one, or leave it out.")
    path = photos[int(rng.integers(len(photos)))]
    image = Image.fromarray(read_still(path).image)
    part, x, y = rng.uniform(0.55, 1.0), rng.random(), rng.random()
    mirrored = bool(rng.random() < 0.5)
    shorter = min(image.size)
    crop = max(part * shorter, min(side / LARGEST, shorter))
    left, top = x * (image.width - crop), y * (image.height - crop)
    square = image.resize(
        (side, side), Image.Resampling.LANCZOS, box=(left, top, left + crop, top + crop)
    )
    pixels = np.asarray(square)
    if mirrored:
        pixels = pixels[:, ::-1]
    chosen: dict[str, object] = {
        "kind": "photograph", "file": Path(path).name, "part": float(crop / shorter),
        "mirrored": mirrored,
    }  # fmt: skip
    return np.ascontiguousarray(LINEAR[pixels]), chosen
