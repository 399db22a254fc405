"""Animation in real time: one frame at a time, where frames are dropped before they are late."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter
from typing import Any, Self, TypeVar

from torch import Tensor

from maskmotion.errors import InputError, ShapeError
from maskmotion.inference.session import AnimationSession

Item = TypeVar("Item")


@dataclass(frozen=True)
class LiveFrame:
    """An animated frame, on the CPU.

    picture: (3, H, W) RGB in [0, 1], of the session's output size.
    alpha: (1, H, W) in [0, 1], the refined mask, 1 = foreground.
    tag: what was offered with the driving frame.
    latency_s: from the offer until the frame was animated.
    """

    picture: Tensor
    alpha: Tensor
    tag: Any
    latency_s: float


@dataclass(frozen=True)
class _Offered:
    frame: Tensor
    tag: Any
    at_s: float


class LiveSession:
    """Animates the newest of the frames that are offered, in a thread of its own.

    No frame is late by more than it takes to animate `max_waiting` + 1 frames. It can be used in a
    `with` statement, and from several threads: frames offered by one, results taken by another.
    When animating fails, every later call raises that exception.

    Args:
        session: used by nothing else until this one is closed.
        max_waiting: frames that wait to be animated, at most, and as many that wait to be taken;
            a newer one takes the place of the oldest.

    Attributes:
        taken: frames offered.
        done: frames given out.
        dropped: frames that made place for newer ones, before or after they were animated.
    Raises:
        InputError: max_waiting is below 1.
    """

    def __init__(self, session: AnimationSession, *, max_waiting: int = 1) -> None:
        if max_waiting < 1:
            raise InputError(f"max_waiting is a number from 1, not {max_waiting}")
        self.taken = self.done = self.dropped = 0
        self._session = session
        self._offered: deque[_Offered] = deque(maxlen=max_waiting)
        self._animated: deque[LiveFrame] = deque(maxlen=max_waiting)
        self._latencies_s = 0.0  # of all frames given out
        self._error: BaseException | None = None
        self._closed = self._told = False
        self._changed = Condition()  # guards all of the above
        # A program that forgets to close it can end.
        self._thread = Thread(target=self._work, name="maskmotion-live", daemon=True)
        self._thread.start()

    @property
    def mean_latency_s(self) -> float | None:
        """Mean of the latencies of all frames given out; None before the first."""
        with self._changed:
            return self._latencies_s / self.done if self.done else None

    def offer(self, frame: Tensor, tag: Any = None) -> None:
        """Hand in a driving frame; never waits.

        Args:
            frame: (3, H, W) or (1, 3, H, W) RGB in [0, 1], any size, not to be changed afterwards.
            tag: comes back with the result, for example a time stamp.
        Raises:
            InputError: the session is closed.
            ShapeError: not one picture.
        """
        if frame.shape[:-2] not in ((3,), (1, 3)):
            raise ShapeError(f"expected one frame of shape (3, H, W), got {tuple(frame.shape)}")
        with self._changed:
            self._raise_error()
            if self._closed:
                raise InputError("this live session is closed; open another one")
            self.taken += 1
            self._append(self._offered, _Offered(frame, tag, perf_counter()))

    def result(self, timeout_s: float | None = None) -> LiveFrame | None:
        """The oldest animated frame that waits to be taken; waits for one.

        Args:
            timeout_s: how long to wait at most; None: until there is one.
        Returns:
            None where there was none in time, and when the session is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._animated or self._ended, timeout_s)
            self._raise_error()
            if self._closed or not self._animated:
                return None
            frame = self._animated.popleft()
            self.done += 1
            self._latencies_s += frame.latency_s
            return frame

    def results(self) -> Iterator[LiveFrame]:
        """Animated frames in the order of their offers, until the session is closed."""
        while (frame := self.result()) is not None:
            yield frame

    def close(self) -> None:
        """End, whatever is waiting; a frame that is being animated is waited for.

        It raises the exception of a failed animation, unless an earlier call did.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            if not self._told:
                self._raise_error()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._told = self._told or error is not None  # nothing may hide the error of the block
        self.close()

    def _work(self) -> None:
        while (offered := self._next()) is not None:
            try:
                animated = self._session.animate(offered.frame)
                # Where the device works on its own, copying waits for it.
                picture, alpha = animated.frames[0].cpu(), animated.alpha[0].cpu()
            except BaseException as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            frame = LiveFrame(picture, alpha, offered.tag, perf_counter() - offered.at_s)
            with self._changed:
                self._append(self._animated, frame)

    def _next(self) -> _Offered | None:
        """The oldest waiting frame; None when the session is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._offered or self._closed)
            return None if self._closed else self._offered.popleft()

    def _append(self, queue: deque[Item], item: Item) -> None:
        self.dropped += len(queue) == queue.maxlen
        queue.append(item)  # and its first one is gone
        self._changed.notify_all()

    @property
    def _ended(self) -> bool:
        return self._closed or self._error is not None

    def _raise_error(self) -> None:
        if self._error is not None:
            self._told = True
            raise self._error
