"""Runs in this process: what is learned, when they stop, what they leave behind."""

import math
import os
import shutil
import signal
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from maskmotion.checkpoint import describe, load_model
from maskmotion.config import TrainConfig, parse_yaml, validate
from maskmotion.errors import (
    ConfigError,
    DataError,
    InputError,
    ModelError,
    TrainingError,
)
from maskmotion.media.lossless import save_lossless
from maskmotion.training import loop
from maskmotion.training.loop import Result
from maskmotion.training.report import Progress
from maskmotion.training.state import TrainingState

from .conftest import (
    REFERENCE_STEPS,
    SIDE,
    Told,
    assert_same,
    assert_same_run,
    drawn,
    log_of,
    write_clip,
)

Settings = Callable[..., TrainConfig]
Go = Callable[..., Result]


def checkpoint(out: Path) -> dict[str, Any]:
    return torch.load(sorted((out / "checkpoints").glob("*.pt"))[-1], weights_only=True)


def steps_saved(out: Path) -> list[int]:
    return [int(path.stem[5:]) for path in sorted((out / "checkpoints").glob("*.pt"))]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_background_networks_leave_the_others_bit_identical(
    settings: Settings, go: Go, tmp_path: Path, precision: str
) -> None:
    found = {}
    for present in (True, False):
        config = settings(
            model={"background_networks": present},
            data={"repeats": 2},
            run={"precision": precision},
            schedule={"milestones": [2]},
        )
        out = tmp_path / str(present)
        assert go(config, out, max_steps=17).reason == "steps"
        found[present] = checkpoint(out), log_of(out)
    (with_them, log), (without, log_without) = found[True], found[False]
    assert [line["epoch"] for line in log] == [step // 5 for step in range(17)]
    for line in log:  # the schedule, as it is seen from outside
        assert ("refiner" in line) == (line["epoch"] >= 1)
        assert ("background_base" in line) == (line["epoch"] >= 2)
        assert ("background_refiner" in line) == (line["epoch"] >= 2)
    assert any(key.startswith("background_base") for key in with_them["model"])
    shared = {k: v for k, v in with_them["model"].items() if not k.startswith("background_")}
    assert any(key.endswith("running_mean") for key in shared)
    assert_same(shared, without["model"])
    assert_same(with_them["optimizers"][0], without["optimizers"][0])
    assert with_them["optimizers"][1]["state"]
    assert_same(
        [{k: v for k, v in line.items() if not k.startswith("background_")} for line in log],
        log_without,
    )


def test_networks_rest_before_their_epoch(settings: Settings, go: Go, tmp_path: Path) -> None:
    config = settings(
        data={"repeats": 2}, schedule={"refiner_epoch": 1, "background_epoch": 2, "epochs": 3}
    )
    weights = []
    for step in (4, 5, 6, 10, 11):
        go(config, tmp_path / "run", max_steps=step)
        weights.append(load_file(tmp_path / "run" / "model" / "model.safetensors"))
    fresh = TrainingState(config, torch.device("cpu")).model.state_dict()
    for name, first in {"refiner": 2, "background_base": 4, "background_refiner": 4}.items():
        for index, tensors in enumerate(weights):
            mine = [k for k in tensors if k.startswith(f"{name}.")]
            moved = any(not torch.equal(tensors[k], fresh[k]) for k in mine)
            assert moved == (index >= first), (name, index)


def test_m_and_r_train_alone_first_and_m_hears_nothing_of_l(
    settings: Settings, go: Go, tmp_path: Path
) -> None:
    """Six steps of m and r alone leave the other networks as they were; then l leaves m alone."""
    motion = {"weight": 5, "alone_samples": 12, "only": True}
    out = tmp_path / "alone"
    go(settings(motion=motion), out, max_steps=6)
    alone = checkpoint(out)["model"]
    start = TrainingState(settings(motion=motion), torch.device("cpu")).model.state_dict()
    moved = {key.split(".")[0] for key in start if not torch.equal(start[key], alone[key])}
    assert moved == {"mask_generator", "refiner"}
    assert [entry["epoch"] < 0 for entry in log_of(out)] == [True] * 6

    found = {}
    for perceptual in (0.0, 10.0):
        out = tmp_path / f"perceptual{perceptual:g}"
        go(settings(motion=motion, loss={"perceptual": perceptual}), out, max_steps=10)
        found[perceptual] = checkpoint(out)["model"]
    same = {
        key for key in start if torch.equal(found[0.0][key], found[10.0][key]) and "num" not in key
    }
    networks = {key.split(".")[0] for key in start if "num" not in key} - {
        key.split(".")[0] for key in start if "num" not in key and key not in same
    }
    assert "mask_generator" in networks
    assert "low_res" not in networks


def test_resumed_run_is_the_undisturbed_run(
    short: TrainConfig, go: Go, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for steps in (4, 7, REFERENCE_STEPS):
        told = Told()
        result = go(short, out, max_steps=steps, watcher=told)
        assert (result.reason, result.step) == ("steps", steps)
    assert told.messages == ["goes on from step 7"]
    assert told.steps == list(range(8, REFERENCE_STEPS + 1))
    assert_same_run(out, reference)
    assert steps_saved(out) == [7, REFERENCE_STEPS]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_after_the_step(
    short: TrainConfig, go: Go, reference: Path, tmp_path: Path, kind: signal.Signals
) -> None:
    out, handlers = tmp_path / "run", [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]

    def send(progress: Progress) -> None:
        if progress.step == 6:
            os.kill(os.getpid(), kind)

    told = Told(send)
    result = go(short, out, watcher=told)
    assert (result.reason, result.step) == ("signal", 6)
    assert steps_saved(out) == [6]
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    go(short, out, max_steps=REFERENCE_STEPS)
    assert_same_run(out, reference)


def test_second_signal_leaves_at_once(
    short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "ECHO_S", 0)

    def send(progress: Progress) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        go(short, tmp_path / "run", watcher=Told(send))
    assert steps_saved(tmp_path / "run") == []


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_passed_on_by_a_launcher_still_saves(
    short: TrainConfig, go: Go, tmp_path: Path, kind: signal.Signals
) -> None:
    def send(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), kind)
            os.kill(os.getpid(), kind)

    assert go(short, tmp_path / "run", watcher=Told(send)).reason == "signal"
    assert steps_saved(tmp_path / "run") == [2]


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_signal_before_the_first_step_leaves_nothing_half_written(
    settings: Settings, go: Go, tmp_path: Path, kind: signal.Signals
) -> None:
    config = settings(data={"cache": None})
    out = tmp_path / "run"

    def send(done: int) -> None:
        if done == 2:
            os.kill(os.getpid(), kind)

    with pytest.raises(KeyboardInterrupt):
        go(config, out, watcher=Told(at_clip=send))
    assert len(list((out / "frames").iterdir())) >= 2
    assert not list(out.rglob("*.tmp"))
    assert not (out / "log.jsonl").exists()
    assert not (out / "model").exists()
    assert go(config, out, max_steps=1).step == 1


def test_time_is_over(short: TrainConfig, go: Go, tmp_path: Path) -> None:
    result = go(short, tmp_path / "run", max_time_s=0)
    assert (result.reason, result.step) == ("time", 1)
    assert go(short, tmp_path / "run", max_time_s=0).step == 2
    assert steps_saved(tmp_path / "run") == [1, 2]


def test_finished_schedule_trains_no_further(settings: Settings, go: Go, tmp_path: Path) -> None:
    config, out = settings(data={"repeats": 2}, schedule={"epochs": 1}), tmp_path / "run"
    assert go(config, out, max_steps=5).reason == "finished"
    before = checkpoint(out)
    told = Told()
    assert go(config, out, watcher=told).reason == "finished"
    assert told.steps == []
    assert_same(checkpoint(out), before)
    assert len(log_of(out)) == 5
    longer = settings(data={"repeats": 2}, schedule={"epochs": 2})
    assert go(longer, out, max_steps=6).step == 6
    assert go(longer, out, max_steps=2).step == 6


def test_steps_below_one_are_refused(short: TrainConfig, go: Go, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max-steps"):
        go(short, tmp_path / "run", max_steps=0)
    assert not (tmp_path / "run").exists()


def test_other_settings_are_refused_by_name(settings: Settings, go: Go, tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(settings(), out, max_steps=1)
    text = (out / "config.yaml").read_text()
    other = settings(
        seed=7,
        schedule={"learning_rate": 1.0, "milestones": [1, 2]},
        loss={"scales": [1]},
        run={"precision": "bfloat16"},
    )
    with pytest.raises(ConfigError) as caught:
        go(other, out, max_steps=2)
    for words in (
        "seed: 0 -> 7",
        "schedule.learning_rate: 0.0002 -> 1.0",
        "schedule.milestones: [3] -> [1, 2]",
        "loss.scales: [2, 8] -> [1]",
        "run.precision: float32 -> bfloat16",
        "another --out",
    ):
        assert words in str(caught.value)
    assert "schedule.epochs" not in str(caught.value)
    assert (out / "config.yaml").read_text() == text
    assert steps_saved(out) == [1]


def test_settings_that_change_nothing_learned_may_change(
    settings: Settings, go: Go, tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    go(settings(), out, max_steps=1)
    monkeypatch.chdir(clips.parent)
    changed = settings(
        run={"preview_steps": 1, "checkpoint_minutes": 1e-6},
        data={"folders": [clips.name], "cache": str(tmp_path / "elsewhere")},
        schedule={"epochs": 9},
    )
    told = Told()
    assert go(changed, out, max_steps=3, watcher=told).step == 3
    assert told.messages == ["goes on from step 1"]
    stored = parse_yaml((out / "config.yaml").read_text(), "config.yaml")
    assert validate(stored, "config.yaml") == changed


def test_run_that_never_saved_may_start_with_other_settings(
    settings: Settings, go: Go, tmp_path: Path
) -> None:
    with pytest.raises(DataError):
        go(settings(schedule={"batch_size": 64}), tmp_path / "run")
    assert go(settings(), tmp_path / "run", max_steps=1).step == 1


def turned_sign(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make the evidence negative; the list gets the steps in which masks are turned."""
    flips: list[int] = []
    take, flip = loop.train_step, TrainingState.flip_masks

    def negative(*arguments: Any, **options: Any) -> dict[str, float]:
        return take(*arguments, **options) | {"mask_sign": -0.5}

    def noted(state: TrainingState) -> None:
        flips.append(state.step)
        flip(state)

    monkeypatch.setattr(loop, "train_step", negative)
    monkeypatch.setattr(TrainingState, "flip_masks", noted)
    return flips


def test_masks_on_the_background_are_turned_once(
    short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flips = turned_sign(monkeypatch)
    told = Told()
    go(short, tmp_path / "whole", max_steps=7, watcher=told)
    assert flips == [5]  # the refiner's first epoch begins after five steps
    assert told.messages == ["step 5: the masks lay on the background; their sign is turned"]
    for steps in (5, 6, 7):
        go(short, tmp_path / "parts", max_steps=steps)
    assert flips == [5, 5]
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_masks_on_the_foreground_are_left(
    reference: Path, short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flips: list[int] = []
    monkeypatch.setattr(TrainingState, "flip_masks", lambda state: flips.append(state.step))
    go(short, tmp_path / "run", max_steps=6)
    assert not flips
    assert checkpoint(reference)["evidence"] > 0


def test_loss_that_is_not_finite(settings: Settings, go: Go, tmp_path: Path) -> None:
    config = settings(schedule={"learning_rate": 1e30}, run={"checkpoint_minutes": 1e-6})
    with pytest.raises(
        TrainingError, match=r"the loss low_res is not finite in step 2; "
    ) as caught:
        go(config, tmp_path / "run")
    assert "run keeps its last checkpoint, step-00000001.pt: start anew" in str(caught.value)
    assert steps_saved(tmp_path / "run") == [1]
    assert [line["step"] for line in log_of(tmp_path / "run")] == [1]
    for value in checkpoint(tmp_path / "run")["model"].values():
        assert bool(value.isfinite().all())


def test_ruined_weights_are_never_saved(
    short: TrainConfig, go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = loop.train_step

    def poisoned(state: TrainingState, *arguments: Any, **options: Any) -> dict[str, float]:
        losses = take(state, *arguments, **options)
        if state.step == 2:
            state.model.high_res.final.bias.data[1] = math.nan
        return losses

    monkeypatch.setattr(loop, "train_step", poisoned)
    config = short.model_copy(
        update={"run": short.run.model_copy(update={"checkpoint_minutes": 1e-6})}
    )
    with pytest.raises(TrainingError, match="weights are not finite after step 3"):
        go(config, tmp_path / "run")
    assert steps_saved(tmp_path / "run") == [1, 2]
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()
    assert describe(tmp_path / "run" / "model")[1]["step"] == 2


@pytest.mark.parametrize("damage", ["truncated", "cut early", "empty", "text", "other"])
def test_broken_newest_checkpoint_is_set_aside(
    short: TrainConfig, go: Go, reference: Path, tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "run"
    for steps in (2, 4):
        go(short, out, max_steps=steps)
    newest = out / "checkpoints" / "step-00000004.pt"
    if damage == "other":
        torch.save([1, 2], newest)
    else:
        whole = newest.read_bytes()
        kept = {"truncated": len(whole) // 2, "cut early": 20_000, "empty": 0}.get(damage)
        newest.write_bytes(b"no tensors" if kept is None else whole[:kept])
    told = Told()
    go(short, out, max_steps=5, watcher=told)
    assert told.messages[0].startswith(f"the checkpoint {newest} cannot be used (")
    assert told.messages[0].endswith("it is kept as step-00000004.broken")
    assert "weights_only" not in told.messages[0]
    assert told.messages[1:] == ["goes on from step 2"]
    assert told.steps == [3, 4, 5]
    assert newest.with_suffix(".broken").exists()
    assert [line["step"] for line in log_of(out)] == [1, 2, 3, 4, 5]
    assert log_of(out) == log_of(reference)[:5]


def test_only_broken_checkpoints(short: TrainConfig, go: Go, tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(short, out, max_steps=1)
    only = out / "checkpoints" / "step-00000001.pt"
    only.write_bytes(only.read_bytes()[:1000])
    with pytest.raises(ModelError, match="there is none before it; give another --out"):
        go(short, out, max_steps=2)
    assert only.exists()


def test_checkpoint_of_other_networks_is_refused(
    settings: Settings, go: Go, tmp_path: Path
) -> None:
    go(settings(), tmp_path / "run", max_steps=1)
    state = TrainingState(settings(model={"background_networks": False}), torch.device("cpu"))
    with pytest.raises(ModelError, match="is of other networks"):
        state.load(tmp_path / "run" / "checkpoints" / "step-00000001.pt")


def test_whole_checkpoint_of_another_version_is_not_set_aside(
    short: TrainConfig, go: Go, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for steps in (1, 2):
        go(short, out, max_steps=steps)
    newest = out / "checkpoints" / "step-00000002.pt"
    content = torch.load(newest, weights_only=True)
    content["model"]["refiner.of_the_future"] = torch.zeros(1)
    torch.save(content, newest)
    with pytest.raises(ModelError, match="another version"):
        go(short, out, max_steps=3)
    assert steps_saved(out) == [1, 2]


def test_run_folder_holds_everything(reference: Path, clips: Path) -> None:
    names = {path.name for path in reference.iterdir()}
    wanted = {".lock", "config.yaml", "log.jsonl", "previews", "checkpoints", "model"}
    assert names == wanted | {"tensorboard"}
    assert not list(reference.rglob("*.tmp"))
    lines = log_of(reference)
    assert [line["step"] for line in lines] == list(range(1, REFERENCE_STEPS + 1))
    wanted = {"step", "epoch", "low_res", "high_res", "refiner", "motion"}
    wanted |= {"background_base", "background_refiner"}
    assert set(lines[-1]) == wanted | {"mask_mean", "mask_motion_iou", "mask_sign"}
    with Image.open(reference / "previews" / f"step-{REFERENCE_STEPS:08d}.png") as sheet:
        assert sheet.size == (14 * SIDE, loop.PREVIEW_SAMPLES * SIDE + 14)
    assert describe(reference / "model")[1] == {"step": REFERENCE_STEPS, "data": [clips.name]}
    model = load_model(reference)
    source, driving = torch.rand(2, 1, 3, SIDE, SIDE)
    with torch.no_grad():
        animated = model(source, driving)
    assert animated.shape == (1, 3, SIDE, SIDE)
    assert bool(animated.isfinite().all())
    stored = load_file(reference / "model" / "model.safetensors")
    trained = checkpoint(reference)["model"]
    for key, value in stored.items():
        assert torch.equal(value, trained[key]), key


def test_model_folder_is_there_while_training_goes_on(
    settings: Settings, go: Go, tmp_path: Path
) -> None:
    out, seen = tmp_path / "run", []

    def look(progress: Progress) -> None:
        if progress.step > 1:
            load_model(out)
            seen.append(describe(out / "model")[1]["step"])

    go(settings(run={"checkpoint_minutes": 1e-6}), out, max_steps=4, watcher=Told(look))
    assert seen == [1, 2, 3]


def test_previews_change_nothing(
    short: TrainConfig, go: Go, reference: Path, tmp_path: Path
) -> None:
    config = short.model_copy(update={"run": short.run.model_copy(update={"preview_steps": 2})})
    go(config, tmp_path / "run", max_steps=REFERENCE_STEPS)
    assert_same_run(tmp_path / "run", reference)
    sheets = sorted(path.name for path in (tmp_path / "run" / "previews").iterdir())
    assert sheets == [f"step-{step:08d}.png" for step in range(2, REFERENCE_STEPS + 1, 2)]


def test_second_process_is_kept_out(short: TrainConfig, go: Go, tmp_path: Path) -> None:
    out = tmp_path / "run"

    def again(progress: Progress) -> None:
        with pytest.raises(InputError, match=r"at work in .*run; wait for it"):
            go(short, out)

    told = Told(again)
    assert go(short, out, max_steps=1, watcher=told).step == 1
    assert told.steps == [1]
    assert go(short, out, max_steps=2).step == 2


def test_leftovers_of_a_killed_process_are_removed(
    short: TrainConfig, go: Go, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    go(short, out, max_steps=1)
    left = [out / "checkpoints" / ".step-00000002.pt.x1.tmp", out / "model" / ".config.json.y.tmp"]
    for path in left:
        path.write_bytes(b"half")
    with (out / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "epoch": 0, "samples_per_s": 1.0}\n{"step": 3, "epo')
    go(short, out, max_steps=2)
    assert not any(path.exists() for path in left)
    assert [line["step"] for line in log_of(out)] == [1, 2]
    assert "low_res" in log_of(out)[1]


@pytest.mark.skipif(os.name == "nt", reason="no limits of a file's size")
def test_disk_that_takes_no_checkpoint(
    short: TrainConfig, go: Go, reference: Path, tmp_path: Path
) -> None:
    import resource

    out = tmp_path / "run"
    go(short, out, max_steps=2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(progress: Progress) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    try:
        with pytest.raises(InputError, match=r"run cannot be written .*free some space"):
            go(short, out, max_steps=4, watcher=Told(fill))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert steps_saved(out) == [2]
    assert not list(out.rglob("*.tmp"))
    go(short, out, max_steps=REFERENCE_STEPS)
    assert_same_run(out, reference)


def test_bad_clips_are_reported_and_left_out(
    settings: Settings, go: Go, tmp_path: Path, clips: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    write_clip(folder / "good.mp4", drawn(0))
    write_clip(folder / "short", drawn(1, frames=1))
    (folder / "text.mp4").write_text("no video")
    (folder / "notes.txt").write_text("not looked at")
    told = Told()
    config = settings(data={"folders": [str(folder), str(clips)], "cache": str(tmp_path / "c")})
    go(config, tmp_path / "run", max_steps=1, watcher=told)
    assert len(told.messages) == 2
    assert all(message.startswith("left out: ") for message in told.messages)
    assert "short has 1 frame" in told.messages[0]
    assert "text.mp4" in told.messages[1]
    write_clip(folder / "late.mp4", drawn(2))
    told = Told()
    go(config, tmp_path / "run", max_steps=2, watcher=told)
    assert told.messages[2] == "goes on from step 1"
    assert "the clips are not those" in told.messages[3]


def test_clips_of_one_identity_count_once_and_test_clips_are_only_pictured(
    settings: Settings, go: Go, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    for name, index in {"anna#1": 0, "anna#2": 1, "bert#1": 2, "carl": 3}.items():
        write_clip(folder / "train" / f"{name}.mp4", drawn(index))
    data = {"folders": [str(folder)], "cache": str(tmp_path / "cache"), "repeats": 4}
    lasts = []
    for with_test in (False, True):
        if with_test:
            bright = [np.full((SIDE, SIDE, 3), 250 - i, np.uint8) for i in range(3)]
            write_clip(folder / "test" / "dora.mp4", bright)
        told = Told(lambda progress: lasts.append(progress.last))
        go(settings(data=data, schedule={"epochs": 1}), tmp_path / str(with_test), watcher=told)
    assert set(lasts) == {3 * 4 // 2}  # three identities, four times, two a step
    assert_same(*(checkpoint(tmp_path / name)["model"] for name in ("True", "False")))
    sheets = []
    for name in ("True", "False"):
        with Image.open(tmp_path / name / "previews" / "step-00000006.png") as sheet:
            sheets.append(np.asarray(sheet)[14:, :SIDE].mean())
    assert sheets[0] > 200 > sheets[1]


@pytest.fixture(scope="module")
def half_true(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four clips, of which two have their true alpha beside them."""
    folder = tmp_path_factory.mktemp("people")
    for index in range(4):
        images = drawn(index)
        write_clip(folder / "clips" / f"p{index}.mp4", images)
        if index % 2:
            square = np.stack(images).min(3) >= 150
            alpha = np.where(square, 255, 0).astype(np.uint8)
            save_lossless(folder / "truth" / f"p{index}" / "alpha.mkv", alpha, Fraction(10))
    return folder / "clips"


def test_a_run_on_true_alpha_resumes_as_any_other(
    settings: Settings, go: Go, half_true: Path, tmp_path: Path
) -> None:
    """From m and r alone into whole steps, on clips of which half have their alpha."""
    config = settings(
        data={
            "folders": [str(half_true)],
            "cache": str(tmp_path / "cache"),
            "repeats": 4,
            "pasted": 0.5,
        },
        motion={"weight": 5, "alone_samples": 8, "only": True, "truth": True},
        schedule={"refiner_epoch": 0},
    )
    told = Told()
    go(config, tmp_path / "whole", max_steps=7, watcher=told)
    assert told.messages == ["m learns the true alpha of 2 of 4 train clips"]
    for steps in (3, 7):
        go(config, tmp_path / "parts", max_steps=steps)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    motion = config.motion.model_copy(update={"truth": False})
    told = Told()
    go(config.model_copy(update={"motion": motion}), tmp_path / "other", max_steps=2, watcher=told)
    assert told.messages == [
        "2 of 4 train clips have a true alpha, which motion.truth=true would teach m instead of "
        "what moves"
    ]
    # Both begin with a flat mask, whose cross-entropy is the same with any target.
    losses = {
        name: [line["motion"] for line in log_of(tmp_path / name)] for name in ("whole", "other")
    }
    assert losses["whole"][0] == pytest.approx(losses["other"][0], rel=1e-6)
    assert losses["whole"][1] != pytest.approx(losses["other"][1], rel=1e-4)


def test_a_run_on_true_alpha_notices_when_it_is_gone(
    settings: Settings, go: Go, half_true: Path, tmp_path: Path
) -> None:
    shutil.copytree(half_true.parent, tmp_path / "people")
    config = settings(
        data={"folders": [str(tmp_path / "people" / "clips")], "cache": str(tmp_path / "cache")},
        motion={"weight": 5, "alone_samples": 8, "truth": True},
    )
    go(config, tmp_path / "run", max_steps=1)
    shutil.rmtree(tmp_path / "people" / "truth")
    told = Told()
    go(config, tmp_path / "run", max_steps=2, watcher=told)
    assert "m learns the true alpha of 0 of 4 train clips" in told.messages
    assert any("the clips are not those that the run was left with" in m for m in told.messages)


def test_a_run_with_twins_resumes_and_notices_when_they_are_gone(
    settings: Settings, go: Go, half_true: Path, tmp_path: Path
) -> None:
    people = shutil.copytree(half_true.parent, tmp_path / "people")
    write_clip(people / "counterfactuals" / "p1" / "person-1.mp4", drawn(1))
    shutil.copytree(people / "truth" / "p1", people / "counterfactuals" / "p1" / "person-1")
    config = settings(
        data={"folders": [str(people / "clips")], "cache": str(tmp_path / "cache"), "twins": 1},
        motion={"weight": 5, "alone_samples": 6, "only": True, "truth": True},
        schedule={"refiner_epoch": 0},
    )
    told = Told()
    go(config, tmp_path / "whole", max_steps=5, watcher=told)
    assert told.messages == [
        "m learns the true alpha of 3 of 5 train clips",
        "beside 2 of them others move alike, who drive a share of them",
    ]
    for steps in (3, 5):
        go(config, tmp_path / "parts", max_steps=steps)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    alone = config.model_copy(update={"data": config.data.model_copy(update={"twins": 0})})
    go(alone, tmp_path / "alone", max_steps=5)
    lines = [log_of(tmp_path / name) for name in ("whole", "alone")]
    assert [line["refiner"] for line in lines[0]] != [line["refiner"] for line in lines[1]]
    shutil.rmtree(people / "counterfactuals")
    told = Told()
    go(config, tmp_path / "whole", max_steps=6, watcher=told)
    assert any("the clips are not those that the run was left with" in m for m in told.messages)
    assert any("nobody moves like any of them" in message for message in told.messages)
