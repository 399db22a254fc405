"""What a run tells while it goes on: log.jsonl, TensorBoard, warnings, and whoever watches."""

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

from torch import Tensor

from maskmotion.config import TrainConfig
from maskmotion.training.board import Board
from maskmotion.training.health import Health
from maskmotion.training.preview import save_sheet
from maskmotion.training.runfolder import RunFolder
from maskmotion.training.step import alone_steps

SPEED_STEPS = 50  # over which samples_per_s is measured


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever watches.

    losses of the last step; samples_per_s over the last 50 steps; epoch is negative while m and r
    train alone; last: steps that this run is to have. left_s: seconds until `until`, which is what
    comes first: "whole steps" or "the background networks" (from then on steps take longer, nobody
    knows how long), "the end" of the run, or "--max-time".
    """

    step: int
    last: int
    epoch: int
    samples_per_s: float
    losses: dict[str, float]
    left_s: float
    until: str


class Watcher:
    """What `train` reports to; the command line shows it, tests may ignore it."""

    def message(self, text: str) -> None:
        """A sentence worth reading."""

    def decoding(self, done: int, clips: int) -> None:
        """Clips decoded so far."""

    def step(self, progress: Progress) -> None:
        """A step was taken."""


def phases(config: TrainConfig, steps_per_epoch: int, last: int) -> dict[int, str]:
    """Steps after which the run goes on at another speed, and what comes then; rising."""
    whole = alone_steps(config)
    changes = {whole: "whole steps"}
    if config.model.background_networks:
        background = whole + config.schedule.background_epoch * steps_per_epoch
        changes[background] = "the background networks"
    return {step: name for step, name in changes.items() if step < last} | {last: "the end"}


class Report:
    """Tells of one call of `train`.

    Args:
        config: the run's settings.
        folder: the run's folder.
        watcher: told of progress and warnings.
        step: finished steps.
        phases: see `phases`.
        ends_at: when time is over, by time.monotonic().
    """

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        watcher: Watcher,
        *,
        step: int,
        phases: Mapping[int, str],
        ends_at: float = math.inf,
    ) -> None:
        self.batch_size = config.schedule.batch_size
        self.folder = folder
        self.watcher = watcher
        self.phases = phases
        self.ends_at = ends_at
        self.board = Board(folder.tensorboard, step)
        self.health = Health(config.schedule.refiner_epoch)
        self.times = deque([time.monotonic()], maxlen=SPEED_STEPS + 1)

    def step(self, step: int, epoch: int, losses: dict[str, float], waited_s: float) -> None:
        """Tell of a step.

        Args:
            step: counted from 1.
            epoch: negative while m and r train alone.
            losses: and the masks' statistics.
            waited_s: how long the step waited for its batch.
        """
        now = time.monotonic()
        step_s = now - self.times[-1]
        self.times.append(now)
        mean_s = (now - self.times[0]) / (len(self.times) - 1)
        speed = self.batch_size / mean_s
        entry = {
            "step": step,
            "epoch": epoch,
            "samples_per_s": speed,
            "step_s": step_s,
            "waited_s": waited_s,
        } | losses
        self.folder.log(entry)
        self.board.numbers(entry)
        phase_end = next(end for end in self.phases if end >= step)
        left_s, until = min(
            ((phase_end - step) * mean_s, self.phases[phase_end]),
            (max(self.ends_at - now, 0), "--max-time"),
            key=itemgetter(0),
        )
        last = max(self.phases)
        self.watcher.step(Progress(step, last, epoch, speed, losses, left_s, until))
        for sentence in self.health.step(entry):
            self.watcher.message(sentence)
        if step == phase_end:  # the next step's speed is another
            self.times = deque([now], maxlen=SPEED_STEPS + 1)

    def preview(self, step: int, columns: dict[str, Tensor]) -> None:
        """Show test frames through every network."""
        page = save_sheet(columns, self.folder.previews / f"step-{step:08d}.png")
        self.board.picture(step, page)

    def close(self) -> None:
        """Write out what is left."""
        self.board.close()
