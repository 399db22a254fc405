"""Stages that overlap: results and errors as if there were no threads, and none left."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import corners, moving, write_clip
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.inference.threads import WAIT_S, wait_for
from tiny import tiny_animator

from maskmotion import animate
from maskmotion.errors import MediaError
from maskmotion.inference.backdrop import open_backdrop
from maskmotion.inference.engines import open_engine
from maskmotion.inference.painter import Engine
from maskmotion.inference.pipeline import ahead, behind
from maskmotion.media import open_video
from maskmotion.media.fit import add_detail, cut, lay, lost_detail, square_of
from maskmotion.models.animator import Animator

pytestmark = pytest.mark.usefixtures("no_thread_is_left")

SIZE = 128
BATCH = 8  # frames that `animate` computes together
COUNT = BATCH + 3
A_WHILE_S = 0.03


def elsewhere(call: Callable[[], object]) -> None:
    """Make a call in another thread than the main one, and raise its exception here."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def here(call: Callable[[], object]) -> None:
    call()


# --------------------------------------------------------------------------- ahead


def counting(made: list[int], error: Exception | None = None, at: int = -1) -> Iterator[int]:
    """0, 1, 2, ... without end, noted in `made`; the error comes instead of number `at`."""
    for number in count():
        if number == at:
            raise error
        made.append(number)
        yield number


@given(items=st.lists(st.integers()), depth=st.integers(1, 5))
def test_ahead_gives_the_same_items(items: list[int], depth: int) -> None:
    with ahead(items, depth) as taken:
        assert list(taken) == items


@pytest.mark.parametrize("depth", [1, 3])
def test_ahead_makes_items_before_they_are_asked_for_and_few(depth: int) -> None:
    made: list[int] = []
    with ahead(counting(made), depth) as taken:
        for number in range(4):
            assert next(taken) == number
            wait_for(lambda number=number: len(made) == number + 1 + depth)
            time.sleep(A_WHILE_S)
            assert len(made) == number + 1 + depth
    time.sleep(A_WHILE_S)
    assert len(made) == 4 + depth


@given(at=st.integers(0, 9), depth=st.integers(1, 5))
def test_ahead_raises_after_the_items_before(at: int, depth: int) -> None:
    error, seen = MediaError("broken"), []
    with (
        pytest.raises(MediaError) as raised,
        ahead(counting([], error, at), depth) as taken,
    ):
        seen.extend(taken)
    assert raised.value is error
    assert seen == [] or seen == list(range(at))  # extend keeps what came, or nothing


def test_ahead_ends_with_the_callers_error() -> None:
    error, made = ValueError("of the caller"), []
    with (  # noqa: PT012
        pytest.raises(ValueError) as raised,
        ahead(counting(made), 2) as taken,
    ):
        next(taken)
        raise error
    assert raised.value is error
    assert len(made) <= 3


def test_ahead_that_nobody_asks_makes_nothing() -> None:
    made: list[int] = []
    with ahead(counting(made), 2):
        pass
    assert made == []


# --------------------------------------------------------------------------- behind


def test_behind_makes_all_calls_in_order() -> None:
    done: list[int] = []
    with behind(2) as later:
        for number in range(50):
            later(done.append, number)
    assert done == list(range(50))


def test_behind_lets_the_caller_go_on_but_not_far() -> None:
    gate, handed = threading.Event(), []

    def hand_over() -> None:
        with behind(2) as later:
            for number in range(6):
                later(gate.wait, WAIT_S)
                handed.append(number)

    caller = threading.Thread(target=hand_over)
    caller.start()
    wait_for(lambda: len(handed) == 3)  # one in work, two waiting
    time.sleep(A_WHILE_S)
    assert len(handed) == 3
    gate.set()
    caller.join(WAIT_S)
    assert len(handed) == 6


def test_behind_makes_no_call_after_an_error() -> None:
    gate, error, done = threading.Event(), MediaError("disk full"), []

    def fail() -> None:
        gate.wait(WAIT_S)
        raise error

    with pytest.raises(MediaError) as raised, behind(5) as later:  # noqa: PT012
        later(fail)
        later(done.append, 1)
        later(done.append, 2)
        gate.set()
    assert raised.value is error
    assert done == []


def test_behind_tells_the_next_call_of_an_error() -> None:
    told = []

    def fail() -> None:
        raise MediaError("disk full")

    with pytest.raises(MediaError), behind(10_000) as later:  # noqa: PT012
        later(fail)
        time.sleep(A_WHILE_S)
        told.append("before")
        later(int)
        told.append("after")
    assert told == ["before"]


def test_behind_drops_what_waits_when_the_caller_fails() -> None:
    gate, done = threading.Event(), []
    opening = threading.Timer(A_WHILE_S, gate.set)
    with pytest.raises(ValueError, match="of the caller"), behind(5) as later:  # noqa: PT012
        later(gate.wait, WAIT_S)
        later(done.append, 1)
        opening.start()
        raise ValueError("of the caller")
    opening.join()  # it ends a moment after the gate is open
    assert done == []


# --------------------------------------------------------------------------- the end of programs

LATE_CALLER = """
import threading, time
from maskmotion.inference.pipeline import ahead, behind

def work():
    time.sleep(0.2)  # the main thread has ended by then
    with behind(1) as later, ahead(range(3), 1) as taken:
        for number in taken:
            later(print, number)

threading.Thread(target=work).start()
"""
DAEMON_CALLER = """
import threading, time
from maskmotion.inference.pipeline import ahead, behind

def work():
    with ahead(map(time.sleep, [0, 600]), 1) as taken:
        for _ in taken:
            begun.set()

begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
print("ends")
"""


@pytest.mark.parametrize(
    ("program", "printed"), [(LATE_CALLER, "0\n1\n2\n"), (DAEMON_CALLER, "ends\n")]
)
def test_programs_end_as_without_threads(program: str, printed: str) -> None:
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    assert (child.returncode, child.stdout, child.stderr) == (0, printed, "")


INTERRUPTED = """
import signal, sys, threading, time
from maskmotion.inference.pipeline import ahead

signal.signal(signal.SIGINT, signal.default_int_handler)
main = threading.main_thread().ident

def slow():
    for _ in range(int(sys.argv[1])):
        signal.pthread_kill(main, signal.SIGINT)  # the second one is met in the clean-up
        time.sleep(0.1)
    print("ended")
    yield 1

try:
    with ahead(slow(), 1) as taken:
        list(taken)
except KeyboardInterrupt:
    print("interrupted", threading.active_count())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals to a thread")
@pytest.mark.parametrize("times", [1, 2])
def test_interrupts_wait_for_the_thread(times: int) -> None:
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", INTERRUPTED, str(times)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    printed = "ended\ninterrupted 1\n"
    assert (child.returncode, child.stdout, child.stderr) == (0, printed, "")


# --------------------------------------------------------------------------- animate


@pytest.fixture(scope="module")
def model() -> Animator:
    """Which takes nearly all for foreground, so that a swap keeps some of the source."""
    animator = tiny_animator(image_size=SIZE, gate=True)
    with torch.no_grad():
        animator.mask_generator.final.bias += 0.3
    return animator


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    Image.fromarray(corners(40, 64)).save(folder / "source.png")
    write_clip(folder / "driving.mp4", moving(COUNT))
    write_clip(folder / "backdrop.mp4", moving(5, 40, 56))
    (folder / "sizes").mkdir()
    for index in range(COUNT):
        Image.new("RGB", (48, 30 if index == BATCH + 2 else 32)).save(
            folder / "sizes" / f"{index}.png"
        )
    return folder


def one_after_the_other(
    material: Path, engine: Engine, background: str | None, driving_fit: str, keep_size: bool
) -> list[np.ndarray]:
    """What `animate` computes, by the painter alone."""
    source = corners(40, 64)
    middle = square_of("crop", 40, 64)
    height, width = (40, 64) if keep_size else (SIZE, SIZE)

    def seen(scene: np.ndarray) -> np.ndarray:
        return cut(scene, middle, SIZE) if keep_size else scene

    made: list[np.ndarray] = []
    with (
        open_video(material / "driving.mp4") as reader,
        open_backdrop(background or "red", height, width) as back,
    ):
        still = back.still if background else None
        painter = engine.painter(
            cut(source, middle, SIZE), background=None if still is None else seen(still)
        )
        driving = square_of(driving_fit, reader.info.height, reader.info.width)
        frames = list(reader)
        for start in range(0, COUNT, BATCH):
            batch = frames[start : start + BATCH]
            scenes = [back.at(frame.time_s) for frame in batch]
            moving = scenes[0] is not None
            painted = painter.paint(
                np.stack([cut(frame.image, driving, SIZE) for frame in batch]),
                np.stack([seen(scene) for scene in scenes]) if moving else None,
            )
            assert painted.kept.any() == (background is not None)
            detail = lost_detail(source, cut(source, middle, SIZE), middle)
            for frame, gate, kept, scene in zip(
                painted.frames, painted.gates, painted.kept, scenes, strict=True
            ):
                canvas = scene if moving else source if still is None else still
                laid = lay(canvas, cut(canvas, middle, SIZE), frame, gate, middle)
                sharp = add_detail(laid, detail, kept, middle)
                made.append(sharp if keep_size else frame)
    return made


@pytest.mark.parametrize(
    ("where", "background", "driving_fit", "keep_size"),
    [
        (here, None, "crop", False),
        (elsewhere, None, "letterbox", False),
        (here, "navy", "30,4,16,28", False),  # its square reaches beyond the frame's right edge
        (here, "backdrop.mp4", "0,0,48,16", True),
    ],
)
def test_animate_computes_the_same_as_without_threads(
    where: Callable[[Callable[[], object]], None],
    background: str | None,
    driving_fit: str,
    keep_size: bool,
    material: Path,
    model: Animator,
    tmp_path: Path,
) -> None:
    if background and background.endswith(".mp4"):
        background = str(material / background)
    engine = open_engine(model, dtype="float32")
    wanted = one_after_the_other(material, engine, background, driving_fit, keep_size)
    seen: list[tuple[int, int | None]] = []
    where(
        lambda: animate(
            material / "source.png",
            material / "driving.mp4",
            tmp_path / "out",
            background=background,
            driving_fit=driving_fit,
            keep_size=keep_size,
            model=engine,
            progress=lambda done, total: seen.append((done, total)),
        )
    )
    with open_video(tmp_path / "out") as reader:
        made = [frame.image for frame in reader]
    assert len(made) == COUNT
    assert all(np.array_equal(one, other) for one, other in zip(made, wanted, strict=True))
    assert seen == [(BATCH, COUNT), (COUNT, COUNT)]


@contextmanager
def full_disk() -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="needs limits on files")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("where", [here, elsewhere])
@pytest.mark.parametrize("stage", ["driver", "networks", "progress", "interrupt", "disk"])
def test_an_error_of_any_stage_reaches_the_caller_and_leaves_nothing(
    stage: str,
    where: Callable[[Callable[[], object]], None],
    material: Path,
    model: Animator,
    tmp_path: Path,
) -> None:
    errors = {
        "networks": RuntimeError("out of memory"),
        "progress": LookupError("of the caller"),
        "interrupt": KeyboardInterrupt(),
    }
    batches: list[int] = []

    def networks(*_: object) -> None:
        batches.append(1)
        if stage == "networks" and len(batches) == 2:
            raise errors[stage]

    def progress(done: int, total: int | None) -> None:
        if stage in ("progress", "interrupt"):
            raise errors[stage]

    def run() -> None:
        animate(
            material / "source.png",
            material / ("sizes" if stage == "driver" else "driving.mp4"),
            tmp_path / "new" / "out",
            layers=tmp_path / "layers",
            model=model,
            progress=progress,
        )

    expected = type(errors[stage]) if stage in errors else MediaError
    hook = model.low_res.register_forward_hook(networks)
    try:
        with pytest.raises(expected) as raised, full_disk() if stage == "disk" else nullcontext():
            where(run)
    finally:
        hook.remove()
    if stage in errors:
        assert raised.value is errors[stage]
    else:
        words = {"driver": "make all frames one size", "disk": "cannot be written"}
        assert words[stage] in str(raised.value)
    assert list(tmp_path.iterdir()) == []
