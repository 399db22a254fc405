"""What a run tells: the log, TensorBoard, time left, warnings."""

import io
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from maskmotion.cli.times import duration
from maskmotion.cli.train import Screen
from maskmotion.config import TrainConfig
from maskmotion.data.pairs import Batch, PairSampler
from maskmotion.training import board, loop, report
from maskmotion.training.loop import Result
from maskmotion.training.report import Progress, Report, phases
from maskmotion.training.runfolder import RunFolder

from .conftest import REFERENCE_STEPS, Told, assert_same_run

Settings = Callable[..., TrainConfig]
Go = Callable[..., Result]
MASKS = {"mask_mean": 0.2, "mask_sign": 0.5}
KEYS = ("waited_s", "step_s")


def whole_log(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def shown(out: Path) -> EventAccumulator:
    """What TensorBoard shows of a run."""
    events = EventAccumulator(str(out / "tensorboard"), {"scalars": 0, "images": 0})
    return events.Reload()


def wait_for_next_second() -> None:
    """TensorBoard reads files by the second of their names, and within one in no certain order."""
    time.sleep(1.01 - time.time() % 1)


def test_tensorboard_shows_each_step_once_even_those_taken_again(
    short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "EVERY_STEPS", 1)
    out = tmp_path / "run"
    go(short, out, max_steps=4)

    def crash(progress: Progress) -> None:
        if progress.step == 7:
            raise RuntimeError

    wait_for_next_second()
    with pytest.raises(RuntimeError):
        go(short, out, max_steps=9, watcher=Told(crash))
    assert [event.step for event in shown(out).Scalars("losses/low_res")] == [1, 2, 3, 4, 5, 6, 7]
    wait_for_next_second()
    go(short, out, max_steps=6)  # goes on from the checkpoint of step 4
    events, log = shown(out), whole_log(out)
    assert [event.step for event in events.Scalars("losses/low_res")] == [1, 2, 3, 4, 5, 6]
    scalars = {"losses/low_res", "losses/refiner", "masks/mask_mean", "masks/mask_sign"}
    scalars |= {"speed/samples_per_s", "speed/step_s", "speed/waited_s"}
    assert scalars <= set(events.Tags()["scalars"])
    for tag in scalars:
        logged = {line["step"]: line.get(tag.partition("/")[2]) for line in log}
        for event in events.Scalars(tag):
            assert event.value == pytest.approx(logged[event.step], rel=1e-6), tag
    pages = {event.step: event.encoded_image_string for event in events.Images("previews")}
    assert sorted(pages) == [4, 6]
    for step, page in pages.items():
        with (
            Image.open(io.BytesIO(page)) as ours,
            Image.open(out / "previews" / f"step-{step:08d}.png") as theirs,
        ):
            assert np.array_equal(np.asarray(ours), np.asarray(theirs))


def test_tensorboard_shows_one_step_of_ten(
    short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "train_step", lambda *arguments, **options: {"low_res": 1.0} | MASKS)
    go(short, tmp_path / "run", max_steps=15)
    assert [event.step for event in shown(tmp_path / "run").Scalars("losses/low_res")] == [10]


def test_without_tensorboard(
    short: TrainConfig, go: Go, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    go(short, tmp_path / "run", max_steps=REFERENCE_STEPS)
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert (reference / "tensorboard").is_dir()
    assert_same_run(tmp_path / "run", reference)


def test_log_has_the_time_that_a_step_waited(
    short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third batch comes half a second after the second step is done."""
    read, done = PairSampler.batch, Event()

    def slow(sampler: PairSampler, step: int) -> Batch:
        if step == 2:
            assert done.wait(timeout=30)
            time.sleep(0.5)
        return read(sampler, step)

    def note(progress: Progress) -> None:
        if progress.step == 2:
            done.set()

    monkeypatch.setattr(PairSampler, "batch", slow)
    go(short, tmp_path / "run", max_steps=4, watcher=Told(note))
    waited, took = ([line[key] for line in whole_log(tmp_path / "run")] for key in KEYS)
    assert 0.45 < waited[2] < took[2]
    assert max(waited[1], waited[3]) < waited[2]


def test_warnings_reach_the_watcher(
    short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masks that saturate, at no cost: the steps train nothing."""

    def saturated(*arguments: Any, **options: Any) -> dict[str, float]:
        return {"low_res": 80.0, "mask_mean": 0.99, "mask_motion_iou": 0.2, "mask_sign": 0.0}

    monkeypatch.setattr(loop, "train_step", saturated)
    config = short.model_copy(update={"schedule": short.schedule.model_copy(update={"epochs": 30})})
    told = Told()
    result = go(config, tmp_path / "run", max_steps=120, watcher=told)
    assert (result.reason, result.step) == ("steps", 120)
    (message,) = told.messages
    assert message.startswith("step 99: the masks are 0.99 nearly everywhere: they saturate")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [1000.0]
    monkeypatch.setattr(report.time, "monotonic", lambda: now[0])
    return now


def progress_of(
    config: TrainConfig,
    out: Path,
    clock: list[float],
    *,
    last: int,
    seconds: Callable[[int], float],
    ends_at: float = math.inf,
) -> dict[int, Progress]:
    """What is told of a run of ten steps an epoch whose steps take so many seconds, by step."""
    told: dict[int, Progress] = {}
    out.mkdir()
    ahead = phases(config, 10, last)
    watcher = Told(lambda progress: told.update({progress.step: progress}))
    teller = Report(
        config, RunFolder(out), watcher, step=0, phases=ahead, ends_at=clock[0] + ends_at
    )
    for step in range(1, last + 1):
        clock[0] += seconds(step)
        teller.step(step, 0, MASKS, waited_s=0)
    teller.close()
    return told


def test_time_left_is_of_this_phases_speed(
    settings: Settings, tmp_path: Path, clock: list[float]
) -> None:
    """20 quick steps of m and r, 20 whole ones, then the background networks: 1, 30, 60 s."""
    config = settings(motion={"weight": 5, "alone_samples": 40})
    times = {"last": 60, "seconds": lambda step: 1 if step <= 20 else 30 if step <= 40 else 60}
    told = progress_of(config, tmp_path / "run", clock, **times)
    assert {
        step: (told[step].left_s, told[step].until) for step in (1, 15, 20, 21, 39, 41, 60)
    } == {
        1: (19, "whole steps"),
        15: (5, "whole steps"),
        20: (0, "whole steps"),
        21: (19 * 30, "the background networks"),
        39: (30, "the background networks"),
        41: (19 * 60, "the end"),
        60: (0, "the end"),
    }
    assert [told[step].samples_per_s for step in (20, 40, 60)] == [2, 2 / 30, 2 / 60]
    told = progress_of(config, tmp_path / "timed", clock, **times, ends_at=100)
    assert (told[10].left_s, told[10].until) == (10, "whole steps")
    assert (told[21].left_s, told[21].until) == (50, "--max-time")
    assert (told[60].left_s, told[60].until) == (0, "the end")


def test_phases_of_a_run(settings: Settings) -> None:
    plain = settings(motion={"weight": 0})
    assert phases(plain, 10, 40) == {0: "whole steps", 20: "the background networks", 40: "the end"}
    assert phases(plain, 10, 15) == {0: "whole steps", 15: "the end"}
    without = settings(model={"background_networks": False}, motion={"alone_samples": 16})
    assert phases(without, 10, 48) == {8: "whole steps", 48: "the end"}


def test_screen_without_a_terminal_says_a_line_a_minute() -> None:
    stream = io.StringIO()
    with Screen(stream) as screen:
        for step in (1, 2, 3):
            screen.step(Progress(step, 3, 0, 5.25, {"low_res": 80.0}, 4000 - step, "the end"))
        screen.message("step 3: [brackets] are no markup")
    assert stream.getvalue().splitlines() == [
        "step 1/3 epoch 0, 5.2 samples/s, 1 h 7 min to the end, low_res 80",
        "step 3/3 epoch 0, 5.2 samples/s, 1 h 7 min to the end, low_res 80",
        "step 3: [brackets] are no markup",
    ]


def test_durations() -> None:
    said = {0: "0 s", 59.4: "59 s", 59.7: "1 min", 61: "1 min", 3599: "1 h 0 min"}
    said |= {3660: "1 h 1 min", 86_399: "1 d 0 h", 100_000: "1 d 4 h"}
    assert {time_s: duration(time_s) for time_s in said} == said
