"""The training loop: one run, started, resumed and left at any moment."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import torch
from torch import Tensor

from maskmotion.checkpoint import save_model
from maskmotion.config import TrainConfig
from maskmotion.data.clips import find_clips
from maskmotion.data.pairs import Batch, PairSampler
from maskmotion.data.store import StoredClip, store_clips
from maskmotion.errors import DataError, TrainingError
from maskmotion.models.blocks import channels_last
from maskmotion.training.losses import PerceptualLoss
from maskmotion.training.memory import keep_freed_memory
from maskmotion.training.preview import preview_columns, save_sheet
from maskmotion.training.runfolder import RunFolder
from maskmotion.training.state import TrainingState, checkpoints
from maskmotion.training.step import prepare, train_step
from maskmotion.training.vgg import load_vgg

PREVIEW_SAMPLES = 6
EVIDENCE_MEMORY = 0.98  # running mean of mask_sign


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever watches.

    losses of the last step; samples_per_s over this session; last: steps that this run is to have.
    """

    step: int
    last: int
    epoch: int
    samples_per_s: float
    losses: dict[str, float]


@dataclass(frozen=True)
class Result:
    """How a call of `train` ended: "finished", "steps", "time" or "signal"."""

    reason: str
    step: int
    model: Path


class Watcher:
    """What `train` reports to; the command line shows it, tests may ignore it."""

    def message(self, text: str) -> None:
        """A sentence worth reading."""

    def decoding(self, done: int, clips: int) -> None:
        """Clips decoded so far."""

    def step(self, progress: Progress) -> None:
        """A step was taken."""


def train(
    config: TrainConfig,
    out: Path,
    *,
    device: str | torch.device = "cpu",
    vgg_weights: Path | None = None,
    max_steps: int | None = None,
    max_time_s: float | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """Train on folders of clips; the same call again goes on where the run stands.

    Args:
        config: settings; config.data.folders names the clips.
        out: the run's folder: config.yaml, log.jsonl, previews/, checkpoints/, model/.
        device: where the networks live.
        vgg_weights: VGG-19 weights; None downloads them.
        max_steps: leave when the run has this many steps in all.
        max_time_s: leave after this many seconds of this call.
        watcher: told of progress.
    Raises:
        InputError: settings, clips or weights that cannot be used.
        TrainingError: a loss is no longer finite.
    Source: Perturbed Masks, section 3; METHOD, Data flow.
    """
    started = time.monotonic()
    watcher = watcher or Watcher()
    keep_freed_memory()
    folder = RunFolder(out)
    folder.open(config)
    device = torch.device(device)
    clips = _clips(config, "train", folder, watcher)
    test_clips = _clips(config, "test", folder, watcher) or clips
    sampler = PairSampler(
        clips,
        batch_size=config.schedule.batch_size,
        repeats=config.data.repeats,
        candidates=config.data.pair_candidates,
        seed=config.seed,
    )
    loss = PerceptualLoss(load_vgg(config.loss.vgg_layers, vgg_weights), config.loss)
    loss.to(device)
    channels_last(loss)
    state = _resume(config, folder, device, watcher)
    last = min(sampler.steps_per_epoch * config.schedule.epochs, max_steps or math.inf)
    preview = _preview_frames(test_clips, device)
    reason = "finished" if last != max_steps else "steps"
    saved_at = began = time.monotonic()
    first = state.step
    with _stop_signals() as stopped, _prefetched(sampler, first) as batches:
        while state.step < last:
            epoch = state.step // sampler.steps_per_epoch
            _settle_sign(state, epoch, sampler.steps_per_epoch, watcher)
            sample = prepare(next(batches), config, state.step, device)
            losses = train_step(state, sample, loss, epoch=epoch)
            _check_finite(losses, state.step, folder)
            state.step += 1
            state.evidence += (1 - EVIDENCE_MEMORY) * (losses["mask_sign"] - state.evidence)
            now = time.monotonic()
            speed = (state.step - first) * config.schedule.batch_size / (now - began)
            folder.log({"step": state.step, "epoch": epoch, "samples_per_s": speed} | losses)
            watcher.step(Progress(state.step, int(last), epoch, speed, losses))
            if state.step % config.run.preview_steps == 0:
                _preview(state, preview, folder)
            if now - saved_at > 60 * config.run.checkpoint_minutes:
                state.save(folder.checkpoints)
                saved_at = now
            if stopped() or (max_time_s is not None and now - started > max_time_s):
                reason = "signal" if stopped() else "time"
                break
    if state.step > first or not checkpoints(folder.checkpoints):
        state.save(folder.checkpoints)
        _preview(state, preview, folder)
    save_model(
        state.model,
        folder.model,
        step=state.step,
        data=[str(p) for p in (f.name for f in config.data.folders)],
    )
    return Result(reason, state.step, folder.model)


def _clips(
    config: TrainConfig, split: str, folder: RunFolder, watcher: Watcher
) -> list[StoredClip]:
    if not config.data.folders:
        raise DataError("no clips to train on were named; give a folder of clips with --data")
    found = [clip for path in config.data.folders for clip in find_clips(path, split)]
    if split == "test" and not found:
        return []
    cache = config.data.cache or folder.path / "frames"
    clips, problems = store_clips(found, config.model.image_size, cache, watcher.decoding)
    for problem in problems:
        watcher.message(f"left out: {problem}")
    moving = sum(not clip.still for clip in clips)
    if moving:
        watcher.message(f"{moving} of {len(clips)} {split} clips have a moving camera")
    return clips


def _resume(
    config: TrainConfig, folder: RunFolder, device: torch.device, watcher: Watcher
) -> TrainingState:
    state = TrainingState(config, device)
    found = checkpoints(folder.checkpoints)
    if found:
        state.load(found[-1])
        watcher.message(f"goes on from step {state.step}")
    folder.rewind_log(state.step)
    return state


def _settle_sign(state: TrainingState, epoch: int, steps_per_epoch: int, watcher: Watcher) -> None:
    """Nothing in the losses says that 1 is the foreground; the rule that says it.

    When the refiner's first epoch begins, the only networks that have seen masks are l and h. If
    by then the masks are lower on what moves than on what stands still (running mean of
    mask_sign below zero), m's last convolution is negated; l and h learn the new sign.
    """
    starts = state.step == state.config.schedule.refiner_epoch * steps_per_epoch
    if starts and state.evidence < 0:
        state.flip_masks()
        state.evidence = -state.evidence
        watcher.message(f"step {state.step}: the masks lay on the background; their sign is turned")


def _check_finite(losses: dict[str, float], step: int, folder: RunFolder) -> None:
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise TrainingError(
            f"the loss {bad[0]} is not finite in step {step + 1}; {folder.path} keeps its last "
            "checkpoint: lower schedule.learning_rate, or use run.precision=float32"
        )


@contextmanager
def _prefetched(sampler: PairSampler, step: int) -> Iterator[Iterator[Batch]]:
    """Batches from `step` on, the next one read while the last is worked on."""
    with ThreadPoolExecutor(1) as pool:

        def batches() -> Iterator[Batch]:
            upcoming = pool.submit(sampler.batch, step)
            position = step
            while True:
                batch = upcoming.result()
                position += 1
                upcoming = pool.submit(sampler.batch, position)
                yield batch

        yield batches()


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM ask for a save after the step; a second Ctrl-C leaves at once."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    kinds = (signal.SIGINT, signal.SIGTERM)
    try:
        before = [signal.signal(kind, note) for kind in kinds]
    except ValueError:  # not the main thread: whoever runs it stops it by max_time_s
        yield lambda: False
        return
    try:
        yield lambda: bool(received)
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def _preview_frames(clips: list[StoredClip], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The same source, driving and other_driving frames throughout a run, spread over clips."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(clips))
    rows = [clips[order[i % len(clips)]] for i in range(PREVIEW_SAMPLES)]
    others = [clips[order[(i + 1) % len(clips)]] for i in range(PREVIEW_SAMPLES)]
    frames = (
        [clip.frame(0) for clip in rows],
        [clip.frame(int(rng.integers(1, clip.length))) for clip in rows],
        [clip.frame(int(rng.integers(clip.length))) for clip in others],
    )
    source, driving, other = (
        torch.from_numpy(np.stack(f)).permute(0, 3, 1, 2).to(device).float() / 255 for f in frames
    )
    return source, driving, other


def _preview(
    state: TrainingState, frames: tuple[Tensor, Tensor, Tensor], folder: RunFolder
) -> None:
    columns = preview_columns(state.model, *frames, seed=state.config.seed)
    save_sheet(columns, folder.previews / f"step-{state.step:08d}.png")
