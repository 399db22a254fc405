"""Clips side by side, on threads: decoding, scaling and writing let other threads run."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from maskmotion.processes import cores

MOST_JOBS = 8  # threads share one interpreter, which more would only wait for

Item = TypeVar("Item")
Result = TypeVar("Result")
Stopped = Callable[[], bool]


def in_threads(
    work: Callable[[Item, Stopped], Result],
    items: list[Item],
    *,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Work on items side by side, on threads: decoding lets other threads run.

    Args:
        work: called with an item, and with what tells whether to stop at once.
        items: to work on.
        jobs: threads; None: one a core, at most MOST_JOBS.
        progress: called here, in order, with (items done, items in all).
    Returns:
        What `work` returned, in the order of `items`.
    Raises:
        The first exception of `work` or `progress`; the rest of the work is dropped.
    """
    results = []
    stop = Event()
    with ThreadPoolExecutor(jobs or min(MOST_JOBS, cores())) as pool:
        try:
            for future in [pool.submit(work, item, stop.is_set) for item in items]:
                results.append(future.result())
                if progress:
                    progress(len(results), len(items))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return results
