"""The running mean of the weights, which a run saves as its model."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from maskmotion.checkpoint import load_model, save_model
from maskmotion.config import TrainConfig
from maskmotion.training.loop import Result
from maskmotion.training.state import TrainingState

from .conftest import Told, assert_same, assert_same_run

Settings = Callable[..., TrainConfig]
Go = Callable[..., Result]
CPU = torch.device("cpu")


@pytest.fixture
def averaged(settings: Settings) -> TrainConfig:
    """m and r alone in the first two steps, the background networks from the eighth."""
    return settings(
        motion={"weight": 5, "alone_samples": 4},
        data={"repeats": 2},
        schedule={"average": 0.75, "background_epoch": 1, "refiner_epoch": 0},
    )


def take(state: TrainingState, network: nn.Module, by: float) -> None:
    """A step that moves one network's weights, and its statistics, by a constant."""
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
        parameter.data += by
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            value += by
    state.update(state.main)
    for parameter in network.parameters():
        parameter.grad = None


def test_the_mean_follows_the_weights_and_forgets_its_beginning(averaged: TrainConfig) -> None:
    state = TrainingState(averaged, CPU)
    first = {name: value.clone() for name, value in state.model.state_dict().items()}
    at, mean = 0.0, 0.0
    for count in range(1, 41):
        by = 0.01 * count
        take(state, state.model.low_res, by)
        at += by
        kept = min(0.75, count / (count + 9))
        mean = kept * mean + (1 - kept) * at
        if count == 1:
            assert mean == pytest.approx(0.9 * at)
    assert state.averaged == {"low_res": 40}
    moved = 0
    for name, value in state.average.state_dict().items():
        follows = name.startswith("low_res.") and not name.endswith(("var", "num_batches_tracked"))
        wanted = first[name] + mean if follows else first[name]
        torch.testing.assert_close(value, wanted, rtol=1e-4, atol=1e-4)
        moved += follows
    assert moved > 20
    assert state.result is state.average


def test_without_it_the_weights_are_saved(settings: Settings) -> None:
    state = TrainingState(settings(), CPU)
    assert state.average is None
    assert state.result is state.model


def test_a_run_saves_the_mean_and_resumes_it(
    averaged: TrainConfig, go: Go, settings: Settings, tmp_path: Path
) -> None:
    whole, parts, plain = tmp_path / "whole", tmp_path / "parts", tmp_path / "plain"
    go(averaged, whole, max_steps=9)
    for steps in (1, 4, 9):
        go(averaged, parts, max_steps=steps)
    assert_same_run(parts, whole)
    checkpoint = torch.load(whole / "checkpoints" / "step-00000009.pt", weights_only=True)
    assert checkpoint["averaged"] == {
        "mask_generator": 9,
        "refiner": 9,
        "low_res": 7,
        "high_res": 7,
        "background_base": 2,
        "background_refiner": 2,
    }
    saved = load_model(whole).state_dict()
    assert_same(floats(saved), floats(checkpoint["average"]))
    off = averaged.schedule.model_copy(update={"average": 0})
    go(averaged.model_copy(update={"schedule": off}), plain, max_steps=9)
    weights = load_model(plain).state_dict()
    assert_same(floats(weights), floats(checkpoint["model"]))  # learning is the same
    assert any(not torch.equal(saved[name], weights[name]) for name in saved)


def floats(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if "num_batches" not in name}


def test_a_run_may_begin_to_average_later(averaged: TrainConfig, go: Go, tmp_path: Path) -> None:
    off = averaged.schedule.model_copy(update={"average": 0})
    go(averaged.model_copy(update={"schedule": off}), tmp_path, max_steps=3)
    left = load_model(tmp_path).state_dict()
    state = TrainingState(averaged, CPU)
    state.load(tmp_path / "checkpoints" / "step-00000003.pt")
    assert_same(floats(state.average.state_dict()), floats(left))
    go(averaged, tmp_path, max_steps=4, watcher=(told := Told()))
    assert "goes on from step 3" in told.messages


def test_the_mean_begins_with_the_model_that_the_run_starts_with(
    averaged: TrainConfig, settings: Settings, tmp_path: Path
) -> None:
    save_model(TrainingState(settings(seed=9), CPU).model, tmp_path)
    state = TrainingState(averaged, CPU)
    state.take_over(load_model(tmp_path))
    assert_same(floats(state.average.state_dict()), floats(load_model(tmp_path).state_dict()))


def test_the_means_sign_is_turned_with_the_masks(averaged: TrainConfig) -> None:
    state = TrainingState(averaged, CPU)
    for model in (state.model, state.average):
        nn.init.ones_(model.mask_generator.final.weight)
    state.flip_masks()
    for model in (state.model, state.average):
        assert (model.mask_generator.final.weight == -1).all()
