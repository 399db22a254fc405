"""One independent random stream for every part of a rendered clip."""

from __future__ import annotations

import numpy as np

STREAMS = {"figure": 1, "motion": 2, "background": 3, "placement": 4, "grain": 5}


def stream(name: str, *seeds: int) -> np.random.Generator:
    """Generator that depends only on its name and seeds."""
    return np.random.default_rng([STREAMS[name], *seeds])
