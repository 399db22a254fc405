"""Waiting for what threads do."""

import time
from collections.abc import Callable

WAIT_S = 20  # for what comes at once, unless it never does


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until it holds; fails after WAIT_S."""
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.001)
