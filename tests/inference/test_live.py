"""Real time: newest frames first served, none late, and errors and ends in every state."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
import torch
from tests.inference.threads import WAIT_S, wait_for
from tiny import pictures, tiny_animator
from torch import Tensor

from maskmotion.errors import InputError, ShapeError
from maskmotion.inference.live import LiveFrame, LiveSession
from maskmotion.inference.session import Animated, AnimationSession

pytestmark = pytest.mark.usefixtures("no_thread_is_left")

FRAME = torch.zeros(3, 4, 4)


class Gated(AnimationSession):
    """Gives the driving frame back, each as soon as it is let through."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.begun = 0
        self.error: Exception | None = None

    def animate(self, driving: Tensor, background: Tensor | None = None) -> Animated:
        self.begun += 1
        assert self.gate.acquire(timeout=WAIT_S)
        if self.error is not None:
            raise self.error
        mask = driving[None, :1]
        return Animated(driving[None], mask, mask, mask, None, None)


class Slow(AnimationSession):
    """Takes its time."""

    def __init__(self, frame_s: float) -> None:
        self.frame_s = frame_s

    def animate(self, driving: Tensor, background: Tensor | None = None) -> Animated:
        time.sleep(self.frame_s)
        mask = driving[None, :1]
        return Animated(driving[None], mask, mask, mask, None, None)


def next_of(live: LiveSession) -> LiveFrame:
    frame = live.result(WAIT_S)
    assert frame is not None
    return frame


def test_results_are_the_sessions_own() -> None:
    session = AnimationSession(tiny_animator(image_size=128), pictures(1, seed=1))
    frames = pictures(3, 90, 120, seed=2)
    with LiveSession(session) as live:
        for number, frame in enumerate(frames):
            live.offer(frame if number else frame[None], tag=f"frame {number}")
            made, wanted = next_of(live), session.animate(frame[None])
            assert made.tag == f"frame {number}"
            assert torch.equal(made.picture, wanted.frames[0])
            assert torch.equal(made.alpha, wanted.alpha[0])
            assert made.latency_s > 0
    assert (live.taken, live.done, live.dropped) == (3, 3, 0)


def test_no_frame_is_late_however_many_are_offered() -> None:
    frame_s, latencies_s, tags = 0.03, [], []
    with LiveSession(Slow(frame_s)) as live:
        for number in range(100):  # they would take three seconds
            live.offer(FRAME, number)
            time.sleep(0.005)
            while (made := live.result(0)) is not None:
                latencies_s.append(made.latency_s)
                tags.append(made.tag)
    assert len(tags) >= 3
    assert tags == sorted(tags)
    assert frame_s <= min(latencies_s)
    assert max(latencies_s) < 2 * frame_s + 0.2  # what a busy machine may add
    assert live.mean_latency_s == pytest.approx(sum(latencies_s) / len(latencies_s))
    assert live.taken == 100
    assert live.done == len(tags)
    assert 100 - live.done - live.dropped <= 3  # waiting, in work, animated


def test_the_oldest_that_waits_makes_place() -> None:
    session = Gated()
    with LiveSession(session, max_waiting=2) as live:
        live.offer(FRAME, 0)
        wait_for(lambda: session.begun == 1)
        for number in (1, 2, 3):
            live.offer(FRAME, number)
        tags = []
        for _ in range(3):
            session.gate.release()
            tags.append(next_of(live).tag)
        assert live.result(0.02) is None
    assert tags == [0, 2, 3]
    assert (live.taken, live.done, live.dropped) == (4, 3, 1)


def test_a_result_that_nobody_takes_makes_place() -> None:
    session = Gated()
    session.gate.release(3)
    with LiveSession(session) as live:
        for number in range(3):
            live.offer(FRAME, number)
            wait_for(lambda number=number: live.dropped + session.begun == 2 * number + 1)
        time.sleep(0.02)
        assert next_of(live).tag == 2
    assert (live.taken, live.done, live.dropped) == (3, 1, 2)


def test_offers_never_wait() -> None:
    session = Gated()
    with LiveSession(session) as live:
        begun_s = time.monotonic()
        for _ in range(1000):
            live.offer(FRAME)
        assert time.monotonic() - begun_s < 1
        assert live.result(0.01) is None
        assert live.mean_latency_s is None
        session.gate.release()


def test_results_go_on_until_the_end() -> None:
    tags: list[int] = []
    live = LiveSession(Slow(0.001))
    consumer = threading.Thread(target=lambda: tags.extend(made.tag for made in live.results()))
    consumer.start()
    for number in range(5):
        live.offer(FRAME, number)
        wait_for(lambda number=number: live.done + live.dropped == number + 1)
    live.close()
    consumer.join(WAIT_S)
    assert not consumer.is_alive()
    assert tags == [0, 1, 2, 3, 4]


def test_closing_waits_for_the_frame_in_work_and_drops_the_rest() -> None:
    session = Gated()
    live = LiveSession(session)
    live.offer(FRAME, 0)
    wait_for(lambda: session.begun == 1)
    live.offer(FRAME, 1)
    opening = threading.Timer(0.03, session.gate.release)
    opening.start()
    live.close()
    live.close()
    opening.join()
    assert session.begun == 1
    assert live.result() is None
    assert list(live.results()) == []
    with pytest.raises(InputError, match="closed; open another one"):
        live.offer(FRAME)


def test_closing_without_a_frame() -> None:
    with LiveSession(Gated()) as live:
        pass
    assert live.result() is None


@pytest.mark.parametrize(
    "call",
    [
        lambda live: live.offer(FRAME),
        lambda live: live.result(),
        lambda live: list(live.results()),
        lambda live: live.close(),
    ],
    ids=["offer", "result", "results", "close"],
)
def test_errors_reach_the_next_call(call: Callable[[LiveSession], object]) -> None:
    session = Gated()
    session.error = RuntimeError("out of memory")
    live = LiveSession(session)
    live.offer(FRAME)
    session.gate.release()
    live._thread.join(WAIT_S)
    for _ in range(2):
        with pytest.raises(RuntimeError) as raised:
            call(live)
        assert raised.value is session.error
        call = LiveSession.result
    live.close()  # it has been told


def test_the_error_of_the_block_is_not_hidden() -> None:
    session = Gated()
    session.error = RuntimeError("out of memory")
    session.gate.release()
    with pytest.raises(LookupError), LiveSession(session) as live:  # noqa: PT012
        live.offer(FRAME)
        wait_for(lambda: session.begun == 1)
        raise LookupError("of the block")


def test_an_error_is_told_at_the_end_of_the_block() -> None:
    session = Gated()
    session.error = RuntimeError("out of memory")
    session.gate.release()
    with pytest.raises(RuntimeError, match="out of memory"), LiveSession(session) as live:  # noqa: PT012
        live.offer(FRAME)
        wait_for(lambda: session.begun == 1)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (4, 4), (1, 4, 4), (1, 1, 3, 4, 4)])
def test_one_frame_at_a_time(shape: tuple[int, ...]) -> None:
    with LiveSession(Gated()) as live, pytest.raises(ShapeError, match="one frame of shape"):
        live.offer(torch.zeros(shape))
    assert live.taken == 0


def test_somebody_may_have_to_wait() -> None:
    with pytest.raises(InputError, match="a number from 1, not 0"):
        LiveSession(Gated(), max_waiting=0)


def test_a_program_that_forgets_to_close_ends() -> None:
    program = "from maskmotion.inference.live import LiveSession; live = LiveSession(None)"
    child = subprocess.run([sys.executable, "-c", program], timeout=WAIT_S, check=False)
    assert child.returncode == 0
