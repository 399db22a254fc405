"""Every preset, made small, runs from its first step to its last, and leaves a model that works."""

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from maskmotion.checkpoint import load_model, save_model
from maskmotion.config import load_preset, preset_names, validate
from maskmotion.inference.session import AnimationSession
from maskmotion.media.lossless import save_lossless
from maskmotion.models.animator import Animator
from maskmotion.training.loop import Result

from .conftest import SIDE, drawn, log_of, write_clip

Go = Callable[..., Result]
WIDTH = 1 / 16
BATCHES = 2  # an epoch


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips with their true alpha, and others beside half of them who move alike."""
    folder = tmp_path_factory.mktemp("people")
    for index in range(4):
        images = drawn(index)
        write_clip(folder / "clips" / f"p{index}.mp4", images)
        alpha = np.where(np.stack(images).min(3) >= 150, 255, 0).astype(np.uint8)
        truth = folder / "truth" / f"p{index}"
        save_lossless(truth / "alpha.mkv", alpha, Fraction(10))
        if index % 2:
            twin = folder / "counterfactuals" / f"p{index}" / "person-1"
            shutil.copytree(truth, twin)
            write_clip(twin.with_suffix(".mp4"), drawn(index))
    return folder / "clips"


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_runs_to_its_end(
    name: str, people: Path, cache: Path, go: Go, tmp_path: Path
) -> None:
    """m and r alone, then the others, then with the background networks, if the preset has them."""
    preset = load_preset(name)
    preset["model"] |= {"width": WIDTH, "image_size": SIDE}
    preset["data"] |= {"repeats": BATCHES, "folders": [str(people)], "cache": str(cache)}
    preset["loss"] = preset.get("loss", {}) | {"vgg_layers": [1], "scales": [1, 2]}
    schedule = preset["schedule"] | {"epochs": 3, "batch_size": 4}
    whole = schedule.get("background_epoch", 2) < preset["schedule"]["epochs"]
    schedule["milestones"] = [2] if schedule["milestones"] else []
    preset["schedule"] = schedule | {"background_epoch": 2 if whole else 3}
    if preset.get("motion", {}).get("alone_samples"):
        preset["motion"]["alone_samples"] = 8
    if "start" in preset:
        save_model(small_start(preset["model"]), tmp_path / "start")
        preset["start"] = str(tmp_path / "start")
    result = go(validate(preset, name), tmp_path / "run")
    assert result.reason == "finished"
    first, *_, last = log_of(tmp_path / "run")
    alone = bool(preset.get("motion", {}).get("alone_samples"))
    assert ("high_res" in first) == (not alone)
    assert ("background_refiner" in last) == whole
    assert ("warped" in last) == preset["model"].get("warp", False)
    model = load_model(tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    picture = torch.rand(1, 3, SIDE, SIDE)
    made = AnimationSession(model, picture, background=picture).animate(picture)
    assert made.frames.shape == (1, 3, SIDE, SIDE)


def small_start(model: dict[str, object]) -> Animator:
    """What a preset begins with, as narrow as it is made here."""
    return Animator(validate({"model": model}, "start").model)
