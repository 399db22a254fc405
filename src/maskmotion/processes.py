"""The processor, and work spread over its cores in processes of one thread each.

Processes end with the one that started them.
"""

import multiprocessing
import os
import platform
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from maskmotion.errors import MaskMotionError

# Libraries read these when they are loaded; the last is Mesa's, for OpenGL on the processor.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LP_NUM_THREADS": "0",
}

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpuinfo() -> str:
    """What Linux tells about the processor; "" elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def processor_name() -> str:
    """The processor's name, as far as the system tells it."""
    found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo(), flags=re.MULTILINE)
    if found:
        return found[1]
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.strip()
    return platform.processor() or platform.machine()


class Processes:
    """Processes that start when there is work; to be used in a `with` statement.

    Left by an exception, Ctrl-C included, it ends them at once. Where this process is killed,
    they end by themselves.

    Args:
        jobs: processes at most.
        begin: called first in each, with `arguments`; it must not raise.
    """

    def __init__(self, jobs: int, begin: Callable[..., None], *arguments: Any) -> None:
        self._others = set(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(begin, arguments),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self._end()
        self._pool.shutdown()

    def run(self, work: Callable[[], Result]) -> Result:
        """What a call in one of the processes returns.

        Raises:
            MaskMotionError: the process was killed.
            Whatever `work` raises.
        """
        with _explained():
            return self._submitted(work).result()

    def each(self, work: Callable[[Item], object], items: Iterable[Item]) -> Iterator[None]:
        """Work on all items, with a yield for each that is done, in any order.

        Raises:
            As `run`; the rest of the work is dropped.
        """
        futures = [self._submitted(work, item) for item in items]
        with _explained():
            for future in as_completed(futures):
                future.result()
                yield

    def _submitted(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        with _one_thread(), _interrupts_held(), _explained():
            return self._pool.submit(work, *arguments)

    def _end(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        children = set(multiprocessing.active_children()) - self._others
        for child in children:
            child.terminate()
        for child in children:
            child.join()


def _begin(begin: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise MaskMotionError(
            "one of the processes was killed, perhaps because the memory was full; the same "
            "command goes on, and takes less memory with fewer --jobs"
        ) from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that start now get one thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes that start now never see Ctrl-C, which is for this one to act upon."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
