"""`maskmotion train`: learn an object class from clips."""

import math
import os
import sys
import time
from pathlib import Path
from typing import Annotated, TextIO

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from maskmotion.cli.times import REPORT_EVERY_S, duration, seconds
from maskmotion.config import load_preset, override, validate
from maskmotion.inference.devices import pick_device
from maskmotion.training.loop import train as train_model
from maskmotion.training.report import Progress, Watcher


def train(
    *,
    data: Annotated[list[Path], Parameter(consume_multiple=True, negative="")],
    out: Path,
    preset: str = "tiny",
    start: Annotated[str | None, Parameter(name="--from")] = None,
    set_: Annotated[
        list[str] | None, Parameter(name="--set", consume_multiple=True, negative="")
    ] = None,
    max_steps: int | None = None,
    max_time: str | None = None,
    seed: int | None = None,
    vgg_weights: Path | None = None,
    device: str = "auto",
) -> None:
    """Learn an object class from folders of clips; the same command again goes on.

    Example: maskmotion train --preset tiny --data my_clips --out runs/mine --max-time 2h

    A folder holds clips, or folders train/ and test/ that do. A clip is a video file, a folder of
    frames, or a picture of frames side by side. Clips that share the part of their names before
    "#" show the same identity. Ctrl-C saves and leaves.

    The run's folder holds config.yaml, log.jsonl, previews, checkpoints, and the trained model in
    model/, which `maskmotion animate --model` takes. `tensorboard --logdir` shows it where that
    package is installed.

    Args:
        data: folders of clips.
        out: the run's folder.
        preset: tiny, small or plus by size, people and people-256 for rendered people,
            real-people for films of people, robot for arms, the paper's vox, taichi or bair, or a
            YAML file.
        start: a model whose networks the run starts with, such as people-tiny or another run's
            folder; those that have other shapes begin anew.
        set_: change settings, such as schedule.batch_size=8 or model.image_size=256.
        max_steps: leave when the run has taken this many steps in all.
        max_time: leave after this time, such as 90s, 9m or 2h.
        seed: decides initial weights, sample order and augmentation; left out, the preset's or 0.
        vgg_weights: VGG-19 weights of the perceptual loss (.pth or .safetensors); left out, they
            are downloaded once, unless only m and r train.
        device: auto, cpu, cuda or mps.
    """
    settings = override(load_preset(preset), set_ or [])
    if seed is not None:
        settings["seed"] = seed
    # Paths are absolute, so that the run can go on from any working directory.
    if start is not None:
        settings["start"] = str(Path(start).resolve()) if Path(start).is_dir() else start
    section = settings.get("data") or {}
    if isinstance(section, dict):
        settings["data"] = section | {"folders": [str(folder.resolve()) for folder in data]}
    config = validate(settings, f"preset {preset}")
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started
    with Screen(sys.stderr, silent=not first) as screen:
        result = train_model(
            config,
            out,
            device=pick_device(device),
            vgg_weights=vgg_weights,
            max_steps=max_steps,
            max_time_s=None if max_time is None else seconds(max_time),
            watcher=screen,
        )
    reasons = {
        "finished": "the schedule is finished; schedule.epochs makes it longer",
        "steps": "--max-steps is reached",
        "time": "--max-time is over; the same command goes on",
        "signal": "stopped and saved; the same command goes on",
    }
    if first:
        sys.stdout.write(f"{result.model}: step {result.step}, {reasons[result.reason]}\n")


class Screen(Watcher):
    """A progress bar on a terminal, a line a minute elsewhere."""

    def __init__(self, stream: TextIO, *, silent: bool = False) -> None:
        self.console = Console(file=stream, quiet=silent)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        )
        self.bar = Bar(
            *columns, console=self.console, disable=silent or not self.console.is_terminal
        )
        self.reported_at = -math.inf
        self.task = self.bar.add_task("reading clips", total=None)

    def __enter__(self) -> "Screen":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def message(self, text: str) -> None:
        """Print a sentence."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def decoding(self, done: int, clips: int) -> None:
        """Show how many clips are decoded."""
        self.bar.update(self.task, completed=done, total=clips)

    def step(self, progress: Progress) -> None:
        """Show step, speed, time left and losses."""
        losses = " ".join(f"{name} {value:.3g}" for name, value in progress.losses.items())
        text = (
            f"epoch {progress.epoch}, {progress.samples_per_s:.1f} samples/s, "
            f"{duration(progress.left_s)} to {progress.until}, {losses}"
        )
        self.bar.update(self.task, description=text, completed=progress.step, total=progress.last)
        now = time.monotonic()
        late = now - self.reported_at > REPORT_EVERY_S or progress.step == progress.last
        if late and not self.console.is_terminal:
            self.reported_at = now
            self.message(f"step {progress.step}/{progress.last} {text}")
