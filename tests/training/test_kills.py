"""kill -9 at ten moments of a short run: its weights are those of the undisturbed run."""

import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from maskmotion.config import TrainConfig
from maskmotion.training.loop import train

from .conftest import assert_same_run, log_of, resumed_settings

KILLS = 10
STEPS = 20
LONGEST_S = 120  # for a step

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]


class Run:
    """A run of STEPS steps that saves after each, in a process that can be killed."""

    def __init__(self, config: TrainConfig, out: Path, vgg_weights: Path) -> None:
        self.config, self.out, self.vgg_weights = config, out, vgg_weights
        # Its processes are copies of one that has imported what they need, and start at once.
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(
            ["maskmotion.training.loop", "torch._dynamo", "torch.utils.tensorboard"]
        )

    def started(self) -> BaseProcess:
        options = {"vgg_weights": self.vgg_weights}
        process = self.processes.Process(target=train, args=(self.config, self.out), kwargs=options)
        process.start()
        return process

    def steps(self) -> int:
        """Lines of the log: what the run believes to have done."""
        log = self.out / "log.jsonl"
        return log.read_text().count("\n") if log.exists() else 0

    def names(self, folder: str) -> set[str]:
        """Names of the files in one of the run's folders."""
        path = self.out / folder
        return {entry.name for entry in path.iterdir()} if path.exists() else set()

    def kill_at(self, step: int, folder: str | None, later_s: float) -> None:
        """Start, and kill -9 when a file comes into a folder after a step; None: some time later.

        That file is half written then, under whatever name.
        """
        before = self.names(folder) if folder else set()
        process = self.started()
        end = time.monotonic() + LONGEST_S
        while True:
            there = self.names(folder) if folder else set()
            if self.steps() >= step and (folder is None or there - before):
                break
            before = there
            assert process.exitcode is None
            assert time.monotonic() < end
            time.sleep(0.001)
        time.sleep(later_s)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL  # it had not come to its end


def test_ten_kills_leave_the_weights_of_the_undisturbed_run(
    clips: Path, cache: Path, vgg_weights: Path, tmp_path: Path
) -> None:
    settings = resumed_settings(clips, cache)
    settings["schedule"]["epochs"] = STEPS // 5
    settings["run"]["checkpoint_minutes"] = 1e-6
    config = TrainConfig.model_validate(settings)
    began = time.monotonic()
    train(config, tmp_path / "undisturbed", vgg_weights=vgg_weights)
    step_s = (time.monotonic() - began) / STEPS

    run = Run(config, tmp_path / "run", vgg_weights)
    rng = np.random.default_rng(0)
    for kill in range(KILLS):
        folder = (None, "checkpoints", "model")[rng.integers(3)]
        later_s = 0 if folder else rng.uniform(0, step_s)
        run.kill_at(3 * kill // 2 + int(rng.integers(2)), folder, later_s)
        assert not list(run.out.rglob("*.broken"))  # each resume found a whole checkpoint
    run.started().join()

    assert [line["step"] for line in log_of(run.out)] == list(range(1, STEPS + 1))
    assert_same_run(run.out, tmp_path / "undisturbed")
    assert not [p for p in run.out.rglob("*") if p.suffix in (".tmp", ".broken")]
