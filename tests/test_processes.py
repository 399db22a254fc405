"""Work in processes: results, the first trouble, and an end for all of them."""

import multiprocessing
import os
import signal
import time

import pytest

from maskmotion.errors import MaskMotionError, MediaError
from maskmotion.processes import Processes, cores


def begin(number: int) -> None:
    os.environ["BEGUN"] = str(number)


def begun() -> int:
    return int(os.environ["BEGUN"])


def work(item: int) -> None:
    if item == 3:
        raise MediaError("three cannot be read")
    if item > 3:
        time.sleep(60)


def all_gone() -> bool:
    """No process is left; the pool's own thread may be a moment late in taking note of it."""
    give_up_s = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < give_up_s:
        time.sleep(0.01)
    return not multiprocessing.active_children()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_each_process_is_prepared_and_all_items_are_done() -> None:
    with Processes(2, begin, 7) as processes:
        assert processes.run(begun) == 7
        assert processes.run(os.getpid) != os.getpid()
        assert len(list(processes.each(work, range(3)))) == 3
        assert list(processes.each(work, [])) == []
    assert all_gone()


def test_the_first_trouble_is_raised_here_and_ends_the_rest() -> None:
    begin_s = time.monotonic()
    with pytest.raises(MediaError, match="three cannot be read"), Processes(2, begin, 7) as all_:
        list(all_.each(work, [4, 3, 5, 6]))
    assert time.monotonic() - begin_s < 50
    assert all_gone()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_process_is_one_sentence() -> None:
    with pytest.raises(MaskMotionError, match="was killed"), Processes(1, begin, 7) as processes:
        processes.run(die)
    assert all_gone()


def test_cores_are_those_of_this_process() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
