"""Tiny runs: networks of a sixteenth of the paper's channels, drawn clips, random VGG weights."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from maskmotion.config import TrainConfig
from maskmotion.media import open_writer
from maskmotion.training import loop
from maskmotion.training.loop import Result, train
from maskmotion.training.report import Progress, Watcher
from maskmotion.training.vgg import VGG19

SIDE = 128
CLIPS = 5

Settings = Callable[..., TrainConfig]
Go = Callable[..., Result]


def drawn(index: int, frames: int = 8) -> list[np.ndarray]:
    """A coloured square that moves over a textured background, frames of (SIDE, SIDE, 3) uint8."""
    rng = np.random.default_rng(index)
    scene = rng.integers(40, 120, (SIDE // 8, SIDE // 8, 3)).repeat(8, 0).repeat(8, 1)
    colour = rng.integers(150, 255, 3)
    images = []
    for time in range(frames):
        image = scene.astype(np.uint8)
        x, y = 10 + 10 * time, 30 + 5 * ((time + index) % 8)
        image[y : y + 36, x : x + 36] = colour
        images.append(image)
    return images


def write_clip(path: Path, images: list[np.ndarray]) -> Path:
    """A video file, or a folder of frames where the name has no ending."""
    with open_writer(path, width=SIDE, height=SIDE, fps=Fraction(10)) as writer:
        for image in images:
            writer.write(image)
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of clips of every kind: video files, folders of frames, strips."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "a.mp4", drawn(0))
    write_clip(folder / "b", drawn(1))
    for index in range(2, CLIPS):
        Image.fromarray(np.concatenate(drawn(index), axis=1)).save(folder / f"c{index}.png")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _small_sheets() -> Iterator[None]:
    """Two rows a sheet: drawing them costs as much as several steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "PREVIEW_SAMPLES", 2)
        yield


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Decoded frames, shared by all runs of a session."""
    return tmp_path_factory.mktemp("frames")


@pytest.fixture(scope="session")
def vgg_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random VGG-19 weights as far as relu1_1: features of random filters compare pictures too."""
    model = VGG19((1,))
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            nn.init.zeros_(module.bias)
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    save_file(model.state_dict(), path)
    return path


def tiny_settings(clips: Path, cache: Path) -> dict[str, dict[str, Any]]:
    """Ten steps an epoch, all networks at work from the third epoch on."""
    return {
        "model": {"width": 0.0625, "image_size": SIDE},
        "data": {"folders": [str(clips)], "repeats": 4, "cache": str(cache)},
        "loss": {"vgg_layers": [1], "scales": [2, 8]},
        "motion": {"weight": 5},
        "schedule": {"epochs": 4, "batch_size": 2, "milestones": [3]},
        "run": {"preview_steps": 1000},
    }


@pytest.fixture
def settings(clips: Path, cache: Path) -> Settings:
    """Make the settings of a tiny run; sections override its own: settings(run={...})."""

    def make(seed: int = 0, **sections: dict[str, Any]) -> TrainConfig:
        data = tiny_settings(clips, cache)
        for name, section in sections.items():
            data[name] = data[name] | section
        return TrainConfig.model_validate({"seed": seed} | data)

    return make


@pytest.fixture
def go(vgg_weights: Path) -> Go:
    """`train` with the random VGG weights."""

    def run(config: TrainConfig, out: Path, **options: Any) -> Result:
        return train(config, out, **({"vgg_weights": vgg_weights} | options))

    return run


REFERENCE_STEPS = 12


def resumed_settings(clips: Path, cache: Path) -> dict[str, dict[str, Any]]:
    """Five steps an epoch; all networks are trained from the sixth step on."""
    data = tiny_settings(clips, cache)
    data["data"]["repeats"] = 2
    data["schedule"] |= {"background_epoch": 1, "milestones": [2]}
    return data


@pytest.fixture
def short(clips: Path, cache: Path) -> TrainConfig:
    """Settings of `reference`."""
    return TrainConfig.model_validate(resumed_settings(clips, cache))


@pytest.fixture(scope="session")
def reference(
    clips: Path, cache: Path, vgg_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of an undisturbed run of REFERENCE_STEPS steps; only to be read."""
    config = TrainConfig.model_validate(resumed_settings(clips, cache))
    out = tmp_path_factory.mktemp("runs") / "reference"
    train(config, out, vgg_weights=vgg_weights, max_steps=REFERENCE_STEPS)
    return out


def log_of(out: Path) -> list[dict[str, float]]:
    """The lines of a run's log, without the times, which no two runs share."""
    entries = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    for entry in entries:
        for name in ("samples_per_s", "step_s", "waited_s"):
            del entry[name]
    return entries


def assert_same_run(out: Path, reference: Path) -> None:
    """Same weights bit by bit, same statistics, same optimisers, and a log of the same lines."""
    ours, theirs = (
        torch.load(sorted((run / "checkpoints").glob("*.pt"))[-1], weights_only=True)
        for run in (out, reference)
    )
    assert_same(ours, theirs)
    name = "model/model.safetensors"
    assert (out / name).read_bytes() == (reference / name).read_bytes()
    assert log_of(out) == log_of(reference)


def assert_same(a: object, b: object, where: str = "") -> None:
    """Nested tensors and numbers are equal bit by bit."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}.{index}")
    else:
        assert a == b, where


class Told(Watcher):
    """Remembers what a run says; calls `at_step` after every step and `at_clip` after a clip."""

    def __init__(
        self,
        at_step: Callable[[Progress], object] | None = None,
        at_clip: Callable[[int], object] | None = None,
    ) -> None:
        self.messages: list[str] = []
        self.steps: list[int] = []
        self.at_step = at_step
        self.at_clip = at_clip

    def message(self, text: str) -> None:
        """Remember a sentence."""
        self.messages.append(text)

    def decoding(self, done: int, clips: int) -> None:
        """Pass a clip on."""
        if self.at_clip:
            self.at_clip(done)

    def step(self, progress: Progress) -> None:
        """Remember a step and pass it on."""
        self.steps.append(progress.step)
        if self.at_step:
            self.at_step(progress)
