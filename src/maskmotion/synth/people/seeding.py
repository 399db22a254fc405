"""Independent random streams for the parts of a rendered clip."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["stream"]


def stream(name: str, *seeds: int) -> np.random.Generator:
    """Generator that depends only on its name and seeds, not on what else was drawn."""
    return np.random.default_rng([zlib.crc32(name.encode()), *seeds])
