"""Stages that overlap: a thread that runs ahead of the caller, and one that follows behind."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from itertools import islice
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar

Item = TypeVar("Item")
Call = Callable[[], Any]


@contextmanager
def ahead(items: Iterable[Item], depth: int) -> Iterator[Iterator[Item]]:
    """Take items in a thread of their own before they are asked for.

    Args:
        items: taken one at a time and in order; of no use to others until the block is left.
        depth: items that wait to be asked for, at most.
    Yields:
        The same items; an exception that `items` raises comes after the items before it. The
        thread has ended when the block is left; an item that is being made is waited for.
    """
    rest = iter(items)
    with _thread("maskmotion-ahead") as submit:

        def take() -> list[Item]:
            return list(islice(rest, 1))

        def taken() -> Iterator[Item]:
            waiting = deque(submit(take) for _ in range(depth))
            while item := waiting.popleft().result():
                waiting.append(submit(take))
                yield from item

        yield taken()


@contextmanager
def behind(depth: int) -> Iterator[Callable[..., None]]:
    """Make calls in a thread of their own, one after the other, while the caller goes on.

    Args:
        depth: calls that wait for their turn, at most; with more, the caller waits.
    Yields:
        `later(work, *arguments)`, which raises the exception of an earlier call; none is made
        after that. Leaving the block waits for all calls and raises theirs, too; left by an
        exception, it drops those that have not begun. The thread has ended then.
    """
    with _thread("maskmotion-behind") as submit:
        waiting: deque[Future[Any]] = deque()

        def later(work: Callable[..., object], *arguments: object) -> None:
            while len(waiting) > depth or (waiting and waiting[0].done()):
                waiting.popleft().result()
            waiting.append(submit(partial(work, *arguments)))

        yield later
        while waiting:
            waiting.popleft().result()


@contextmanager
def _thread(name: str) -> Iterator[Callable[[Call], Future[Any]]]:
    """A thread that makes calls in order until one fails or the block is left.

    Not a ThreadPoolExecutor, which takes no work once the main thread has ended, and keeps a
    program alive whose main thread does not wait for this one.
    """
    calls: SimpleQueue[tuple[Future[Any], Call] | None] = SimpleQueue()
    stopped, ended = Event(), Event()

    def submit(call: Call) -> Future[Any]:
        future: Future[Any] = Future()
        calls.put((future, call))
        return future

    def run() -> None:
        for future, call in iter(calls.get, None):
            if stopped.is_set():
                future.cancel()
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # of any kind: the caller is to see it
                future.set_exception(error)
                stopped.set()
        ended.set()

    thread = Thread(target=run, name=name)
    thread.start()
    try:
        yield submit
    finally:
        stopped.set()
        calls.put(None)
        try:
            ended.wait()  # not join: in Python 3.11, a join that is interrupted is never made up
        finally:
            ended.wait()  # a second Ctrl-C waits as well: files are in use
            thread.join()
