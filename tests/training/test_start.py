"""Runs that start with the networks of another model."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.distributed.run import get_args_parser

from maskmotion import cli
from maskmotion.checkpoint import describe, load_model, save_model
from maskmotion.config import TrainConfig
from maskmotion.errors import ConfigError, InputError
from maskmotion.models.animator import Animator
from maskmotion.training.loop import Result
from maskmotion.training.state import TrainingState

from .conftest import SIDE, Told, assert_same, assert_same_run

Settings = Callable[..., TrainConfig]
Go = Callable[..., Result]
CPU = torch.device("cpu")
ALONE = {"weight": 1, "only": True, "alone_samples": 4}


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Path:
    """A model of another seed, with statistics of its own."""
    model = TrainingState(settings(seed=9), CPU).model
    for name, value in model.named_buffers():
        if name.endswith("running_mean"):
            value.add_(0.3)
    save_model(model, tmp_path / "start")
    return tmp_path / "start"


def starting(config: TrainConfig, start: Path | str) -> TrainConfig:
    return config.model_copy(update={"start": str(start)})


def alone(config: TrainConfig, start: Path) -> TrainConfig:
    """m and r alone."""
    none = config.schedule.model_copy(update={"epochs": 0})
    return starting(config.model_copy(update={"schedule": none}), start)


def weights(model: Animator, network: str = "") -> dict[str, Any]:
    state = model.state_dict()
    return {k: v for k, v in state.items() if k.startswith(network) and "num_batches" not in k}


def test_networks_are_those_of_the_model(settings: Settings, start: Path) -> None:
    larger = settings(model={"image_size": 2 * SIDE})
    state = TrainingState(larger, CPU)
    assert state.take_over(load_model(start)) == []
    assert_same(weights(state.model), weights(load_model(start)))
    assert not state.main.state  # the optimisers begin anew


@pytest.mark.parametrize(
    ("model", "new"),
    [
        ({"gate": True}, ["high_res", "background_refiner"]),
        ({"mask_skips": True}, ["mask_generator", "refiner"]),
        ({"mask_input": "none"}, ["background_base", "background_refiner"]),
        ({"background_networks": False}, []),
    ],
    ids=str,
)
def test_networks_of_other_shapes_are_new(
    settings: Settings, start: Path, model: dict[str, Any], new: list[str]
) -> None:
    state = TrainingState(settings(model=model), CPU)
    first = TrainingState(settings(model=model), CPU).model
    assert state.take_over(load_model(start)) == new
    for name, _ in state.model.named_children():
        wanted = first if name in new else load_model(start)
        assert_same(weights(state.model, name), weights(wanted, name))


@pytest.mark.parametrize("gate", [False, True])
def test_h_goes_on_where_a_warper_is_new(settings: Settings, tmp_path: Path, gate: bool) -> None:
    """Of its old inputs it makes what it made; half of that shows, and half the source."""
    old = TrainingState(settings(seed=9, model={"gate": gate}), CPU).model
    state = TrainingState(settings(model={"gate": gate, "warp": True}), CPU)
    assert state.take_over(old) == ["warper"]
    generator = torch.Generator().manual_seed(0)
    seen = [torch.rand(2, n, SIDE, SIDE, generator=generator) for n in (3, 1, 3, 1, 3)]
    with torch.no_grad():
        wanted = old.eval().high_res(*seen[:4])
        found = state.model.eval().high_res(*seen)
    torch.testing.assert_close(found[:, :-1], wanted)
    assert (found[:, -1] == 0.5).all()
    other = TrainingState(settings(model={"gate": not gate, "warp": True}), CPU)
    assert {"warper", "high_res"} <= set(other.take_over(old))


def test_a_model_without_background_networks(settings: Settings, tmp_path: Path) -> None:
    without = settings(model={"background_networks": False}, seed=9)
    save_model(TrainingState(without, CPU).model, tmp_path / "start")
    new = TrainingState(settings(), CPU).take_over(load_model(tmp_path / "start"))
    assert new == ["background_base", "background_refiner"]


@pytest.mark.parametrize("fault", ["width", "held width", "weights", "missing"])
def test_a_model_that_cannot_be_started_with_is_refused_before_all_else(
    settings: Settings, go: Go, start: Path, tmp_path: Path, fault: str
) -> None:
    config = starting(settings(), start)
    if fault == "width":
        config = starting(settings(model={"width": 0.125}), start)
        words = r"take its own with --set model\.width=0\.0625, or begin .* --set start=null$"
    elif fault == "held width":
        motion = {"weight": 1, "alone_samples": 4, "fixed": True}
        config = starting(settings(model={"width": 0.125}, motion=motion), start)
        words = r"take its own with --set model\.width=0\.0625, or give another model with --from$"
    elif fault == "weights":
        (start / "model.safetensors").unlink()
        words = "copy the whole model folder"
    else:
        shutil.rmtree(start)
        words = "there is no model"
    with pytest.raises(InputError, match=words):
        go(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.yaml").exists()
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_a_run_starts_there_and_later_goes_on_from_itself(
    settings: Settings, go: Go, start: Path, tmp_path: Path
) -> None:
    config = starting(settings(), start)
    told = Told()
    go(config, tmp_path / "whole", max_steps=3, watcher=told)
    assert f"starts with the networks of {start}" in told.messages
    go(config, tmp_path / "parts", max_steps=1)
    begun = load_model(tmp_path / "parts").state_dict()
    for name, value in weights(load_model(start)).items():
        if "running" not in name and not name.startswith("background"):
            assert (begun[name] - value).abs().max() < 0.003  # one step of Adam
    go(config, tmp_path / "parts", max_steps=2, watcher=(again := Told()))  # the start is there
    shutil.rmtree(start)
    go(config, tmp_path / "parts", max_steps=3, watcher=again)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    assert "goes on from step 1" in again.messages
    assert not any("starts with" in words for words in again.messages)
    with pytest.raises(ConfigError, match=r"start: .*start -> None"):
        go(settings(), tmp_path / "parts", max_steps=4)


def test_m_and_r_alone_leave_the_others_as_they_were(
    settings: Settings, go: Go, start: Path, tmp_path: Path
) -> None:
    """VGG, which would be downloaded, is not asked for."""
    config = alone(settings(motion=ALONE), start)
    result = go(config, tmp_path / "run", vgg_weights=tmp_path / "none.pth")
    assert (result.reason, result.step) == ("finished", 4 // config.schedule.batch_size)
    made, begun = load_model(tmp_path / "run"), load_model(start)
    for name, _ in made.named_children():
        same = name not in ("mask_generator", "refiner")
        pairs = zip(made.state_dict().items(), begun.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for (key, a), b in pairs if key.startswith(name)) == same


def test_networks_that_nothing_would_train_are_refused(
    settings: Settings, go: Go, start: Path, tmp_path: Path
) -> None:
    config = alone(settings(motion=ALONE, model={"gate": True}), start)
    with pytest.raises(ConfigError, match=r"has no background_refiner and no high_res of this run"):
        go(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_networks_that_begin_anew_are_named(
    settings: Settings, go: Go, start: Path, tmp_path: Path
) -> None:
    config = starting(settings(model={"gate": True}), start)
    result = go(config, tmp_path / "run", max_steps=1, watcher=(told := Told()))
    said = next(words for words in told.messages if words.startswith("starts with"))
    assert said.endswith("; new, since it has none of their shapes: high_res, background_refiner")
    assert describe(result.model)[1]["start"] == "start"


def test_torchrun_leaves_our_flags_alone() -> None:
    """Its parser also takes for its own what begins like one of its flags."""
    flags = ["data", "out", "preset", "from", "set", "max-steps", "max-time", "seed", "device"]
    words = ["train", *(word for flag in flags for word in (f"--{flag}", "x"))]
    parsed = get_args_parser().parse_args(["--nproc-per-node", "2", "-m", "maskmotion", *words])
    assert parsed.training_script_args == words


def test_the_command_names_a_folder_from_anywhere(
    settings: Settings,
    start: Path,
    clips: Path,
    vgg_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(settings().model_dump(mode="json")))
    run = f"train --preset tiny.yaml --out run --data {clips} --vgg-weights {vgg_weights}".split()
    assert cli.main([*run, "--max-steps", "1", "--from", "start"]) == 0
    assert f"start: {start}\n" in Path("run/config.yaml").read_text()
    monkeypatch.chdir(clips)
    run[4] = str(tmp_path / "run")
    run[2] = str(tmp_path / "tiny.yaml")
    assert cli.main([*run, "--max-steps", "2", "--from", str(start)]) == 0
    capsys.readouterr()
    assert cli.main([*run[:4], str(tmp_path / "new"), *run[5:], "--from", "nobody"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("maskmotion: error: there is no model 'nobody'; give a model folder")
    assert said.count("\n") == 1
    assert not (tmp_path / "new").exists()
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(start)
    assert cli.main([*run, "--max-steps", "3", "--from", "start"]) == 0
