"""The training loop: one run, started, resumed and left at any moment."""

import hashlib
import math
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from maskmotion.checkpoint import load_model, save_model
from maskmotion.config import TrainConfig
from maskmotion.data.clips import Clip, TrainingClip, find_training_clips
from maskmotion.data.load import check_packed, load_clips
from maskmotion.data.pairs import Batch, PairSampler, read_ahead
from maskmotion.errors import ConfigError, DataError, InputError, ModelError, TrainingError
from maskmotion.memory import keep_freed_memory
from maskmotion.models.animator import Animator
from maskmotion.models.blocks import channels_last
from maskmotion.models.draws import Share
from maskmotion.training.distributed import World, check_shares, joined, local_device
from maskmotion.training.losses import PerceptualLoss
from maskmotion.training.preview import preview_columns
from maskmotion.training.report import Report, Watcher, phases
from maskmotion.training.runfolder import RunFolder
from maskmotion.training.state import BrokenCheckpointError, TrainingState, checkpoints, unlike
from maskmotion.training.step import Sample, alone_steps, mask_step, prepare, train_step
from maskmotion.training.vgg import load_vgg

PREVIEW_SAMPLES = 6
ECHO_S = 1  # a signal that follows another so soon is the same one
EVIDENCE_MEMORY = 0.98  # running mean of mask_sign
UNSTABLE = "start anew with a lower schedule.learning_rate or run.precision=float32"


@dataclass(frozen=True)
class Result:
    """How a call of `train` ended.

    reason: "finished" (the whole schedule), "steps" (max_steps), "time" (max_time_s) or "signal".
    """

    reason: str
    step: int
    model: Path


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
        out: the run's folder: config.yaml, log.jsonl, previews/, checkpoints/, model/, and
            tensorboard/ where that package is installed.
        device: where the networks live.
        vgg_weights: VGG-19 weights; None downloads them, unless schedule.epochs is 0.
        max_steps: leave when the run has this many steps in all.
        max_time_s: leave after this many seconds of this call.
        watcher: told of progress, and in words of what goes wrong.
    Raises:
        InputError: settings, clips, weights or a config.start that cannot be used, or a full disk.
        TrainingError: a loss or a weight is no longer finite.
        KeyboardInterrupt: Ctrl-C or SIGTERM before the first step; later ones save and leave.
    Source: Perturbed Masks, section 3; docs/method.md, Data flow.
    """
    ends_at = time.monotonic() + (math.inf if max_time_s is None else max_time_s)
    if max_steps is not None and max_steps < 1:
        raise ConfigError(f"--max-steps takes a number of steps from 1, not {max_steps}")
    keep_freed_memory()
    folder = RunFolder(out)
    folder.check(config)
    found, found_test = _found(config, "train"), _found(config, "test")
    device = local_device(torch.device(device))
    with _stop_signals() as stop, ExitStack() as stack:
        world = stack.enter_context(joined(device))
        check_shares(config, world)
        watcher = watcher if watcher and world.first else Watcher()
        start = _start(config, folder) if world.first else None
        loss = None
        if config.schedule.epochs > 0:
            with world.one_by_one():  # the first one downloads
                vgg = load_vgg(config.loss.vgg_layers, vgg_weights)
            loss = PerceptualLoss(vgg, config.loss)
            loss.to(device)
            channels_last(loss)
        if world.first:
            stack.enter_context(folder.held(config))
        with world.one_by_one():
            clips = _stored(found, "train", config, folder, watcher)
            test_clips = _stored(found_test, "test", config, folder, watcher) or clips
        sampler = PairSampler(
            clips,
            batch_size=config.schedule.batch_size,
            repeats=config.data.repeats,
            candidates=config.data.pair_candidates,
            truth=config.motion.truth,
            twins=config.data.twins,
            scenes=config.sees_other_scenes,
            seed=config.seed,
            share=Share(world.rank, world.size),
        )
        if config.data.twins > 0:
            count = sum(bool(sampler.twins_of(clip)) for clip in clips)
            watcher.message(
                f"beside {count} of them others move alike, who drive a share of them"
                if count
                else "nobody moves like any of them, so data.twins changes nothing; "
                "`maskmotion synth people --other-people 1` renders some who do"
            )
        state = _resume(config, folder, device, world, watcher, start)
        _note_clips(state, clips, watcher)
        alone = alone_steps(config)
        whole = alone + sampler.steps_per_epoch * config.schedule.epochs
        last = min(whole, max_steps or whole)
        preview = _preview_frames(test_clips, device)
        batches = stack.enter_context(_prefetched(sampler, state.step))
        report = None
        if world.first:
            report = Report(
                config,
                folder,
                watcher,
                step=state.step,
                phases=phases(config, sampler.steps_per_epoch, last),
                ends_at=ends_at,
            )
            stack.callback(report.close)
        reason = "steps"
        saved_at = time.monotonic()
        first = state.step
        stop.saves = True
        while state.step < last:
            epoch = (state.step - alone) // sampler.steps_per_epoch
            settled = alone + config.schedule.refiner_epoch * sampler.steps_per_epoch
            if state.step == settled and not config.motion.fixed:
                _settle_sign(state, watcher)
            batch, waited_s = next(batches)
            samples = _prepared(batch, state, device)
            if epoch < 0 or loss is None:  # without epochs there is no loss, nor a step for it
                losses = mask_step(state, samples)
            else:
                losses = train_step(state, samples, loss, epoch=epoch)
            _check_finite(losses, state.step, folder)
            state.step += 1
            state.evidence += (1 - EVIDENCE_MEMORY) * (losses["mask_sign"] - state.evidence)
            now = time.monotonic()
            if report:
                report.step(state.step, epoch, losses, waited_s)
                if state.step % config.run.preview_steps == 0:
                    _preview(state, preview, report)
                if now - saved_at > 60 * config.run.checkpoint_minutes:
                    _save(state, folder)
                    saved_at = now
            if world.any(stop.asked or now > ends_at):
                reason = "signal" if world.any(stop.asked) else "time"
                break
        if report:
            _save(state, folder)
            if state.step > first:
                _preview(state, preview, report)
    return Result("finished" if state.step >= whole else reason, state.step, folder.model)


def _found(config: TrainConfig, split: str) -> list[Clip]:
    if not config.data.folders:
        raise DataError("no clips to train on were named; give a folder of clips with --data")
    found = [clip for path in config.data.folders for clip in find_training_clips(path, split)]
    if split == "train" and not found:
        names = ", ".join(str(path) for path in config.data.folders)
        raise DataError(
            f"there is nothing to train on in {names}; a folder of clips holds video files, "
            "folders of frames, or folders train/ and test/ that do"
        )
    check_packed(found, config.model.image_size)
    return found


def _stored(
    found: list[Clip], split: str, config: TrainConfig, folder: RunFolder, watcher: Watcher
) -> list[TrainingClip]:
    if not found:
        return []
    cache = config.data.cache or folder.frames
    clips, problems = load_clips(
        found,
        config.model.image_size,
        cache,
        decode=config.data.decode,
        progress=watcher.decoding,
    )
    for problem in problems:
        watcher.message(f"left out: {problem}")
    moving = sum(not clip.still for clip in clips)
    if moving:
        watcher.message(f"{moving} of {len(clips)} {split} clips have a moving camera")
    if split == "train":
        _tell_of_alpha(clips, config, watcher)
    return clips


def _tell_of_alpha(clips: list[TrainingClip], config: TrainConfig, watcher: Watcher) -> None:
    count = sum(clip.has_alpha for clip in clips)
    if config.motion.truth:
        watcher.message(f"m learns the true alpha of {count} of {len(clips)} train clips")
    elif count and config.motion.weight > 0:
        watcher.message(
            f"{count} of {len(clips)} train clips have a true alpha, which motion.truth=true would "
            "teach m instead of what moves"
        )


def _prepared(batch: Batch, state: TrainingState, device: torch.device) -> list[Sample]:
    """This process's share of a batch, in the parts that are worked on one after the other."""
    parts = state.config.schedule.batch_parts
    first, count = state.world.rank * parts, state.world.size * parts
    return [
        prepare(part, state.config, state.step, device, Share(first + index, count))
        for index, part in enumerate(batch.split(parts))
    ]


def _start(config: TrainConfig, folder: RunFolder) -> Animator | None:
    """The model that a new run is to start with, read before its clips, which may take long."""
    if config.start is None or checkpoints(folder.checkpoints):
        return None
    model = load_model(config.start)
    theirs, ours = model.config.width, config.model.width
    if theirs != ours:
        raise ConfigError(
            f"no network of {config.start} has the shapes of this run's: its model.width is "
            f"{theirs:g}, this run's {ours:g}; take its own with --set model.width={theirs:g}, or "
            + (
                "give another model with --from"
                if config.motion.fixed
                else "begin from nothing with --set start=null"
            )
        )
    if config.schedule.epochs == 0:
        with torch.device("meta"):
            run = Animator(config.model)
        never = set(unlike(run, model)) - {"mask_generator", "refiner"}
        if never:
            raise ConfigError(
                f"{config.start} has no {' and no '.join(sorted(never))} of this run's shapes, and "
                "schedule.epochs=0 never trains them; start with a model that has them, or set "
                "schedule.epochs above 0"
            )
    return model


def _resume(
    config: TrainConfig,
    folder: RunFolder,
    device: torch.device,
    world: World,
    watcher: Watcher,
    start: Animator | None,
) -> TrainingState:
    """The state to go on from, which the first process reads and the others get from it."""
    state = TrainingState(config, device, world)
    if world.first:
        _read_newest(state, folder, watcher)
        if start is not None:
            new = state.take_over(start)
            rest = f"; new, since it has none of their shapes: {', '.join(new)}" if new else ""
            watcher.message(f"starts with the networks of {config.start}{rest}")
    if world.size > 1:
        state.restore(world.from_first(state.content()))
    return state


def _read_newest(state: TrainingState, folder: RunFolder, watcher: Watcher) -> None:
    """The newest checkpoint that is whole; a broken one, as a bad disk leaves, is set aside."""
    found = checkpoints(folder.checkpoints)
    while found:
        path = found.pop()
        try:
            state.load(path)
        except BrokenCheckpointError as error:
            if not found:
                raise ModelError(
                    f"{error}, and there is none before it; give another --out to start anew"
                ) from None
            aside = path.with_suffix(".broken")
            path.replace(aside)
            watcher.message(f"{error}; it is kept as {aside.name}")
            continue
        watcher.message(f"goes on from step {state.step}")
        break
    folder.rewind_log(state.step)


def _note_clips(state: TrainingState, clips: list[TrainingClip], watcher: Watcher) -> None:
    """Tell of clips that came or went since the run was left: its epochs are others now.

    Raises:
        DataError: the processes of a run have different clips.
    """
    listed = repr([(Path(clip.identity).name, clip.length) for clip in clips])
    if state.config.motion.truth:
        listed += repr([clip.has_alpha for clip in clips])
    digest = hashlib.sha256(listed.encode()).hexdigest()
    world = state.world
    if world.size > 1 and world.any(digest != world.from_first({"clips": digest})["clips"]):
        raise DataError(
            "the processes that train together have different clips; give all machines the same, "
            "and see which cannot be read with `maskmotion data check`"
        )
    if state.clips not in ("", digest):
        watcher.message(
            "the clips are not those that the run was left with; it goes on with what is there"
        )
    state.clips = digest


def _save(state: TrainingState, folder: RunFolder) -> None:
    """Checkpoint and model folder, unless training has ruined the weights."""
    if not state.is_finite():
        raise TrainingError(
            f"the weights are not finite after step {state.step}; {_what_is_left(folder)}"
        )
    try:
        state.save(folder.checkpoints)
        about: dict[str, Any] = {"data": [path.name for path in state.config.data.folders]}
        if state.config.start is not None:
            start = Path(state.config.start)
            about["start"] = start.name if start.is_absolute() else str(state.config.start)
        save_model(state.result, folder.model, step=state.step, **about)
    except torch.OutOfMemoryError:
        raise
    except (OSError, RuntimeError, SafetensorError) as error:  # torch: RuntimeError on full disks
        raise InputError(
            f"{folder.path} cannot be written ({error}); free some space, then the same command "
            "goes on from the last checkpoint"
        ) from None


def _settle_sign(state: TrainingState, watcher: Watcher) -> None:
    """Nothing in the losses says that 1 is the foreground; the rule that says it.

    When the refiner's first epoch begins, the only networks that have seen masks are l and h. If
    by then the masks are lower on what moves than on what stands still (running mean of
    mask_sign below zero), m's last convolution is negated; l and h learn the new sign.
    """
    if state.evidence < 0:
        state.flip_masks()
        state.evidence = -state.evidence
        watcher.message(f"step {state.step}: the masks lay on the background; their sign is turned")


def _check_finite(losses: dict[str, float], step: int, folder: RunFolder) -> None:
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise TrainingError(
            f"the loss {bad[0]} is not finite in step {step + 1}; {_what_is_left(folder)}"
        )


def _what_is_left(folder: RunFolder) -> str:
    """Where a run stands that cannot go on, and what to do."""
    kept = checkpoints(folder.checkpoints)
    last = f"keeps its last checkpoint, {kept[-1].name}" if kept else "has no checkpoint yet"
    return f"{folder.path} {last}: {UNSTABLE}"


@contextmanager
def _prefetched(sampler: PairSampler, step: int) -> Iterator[Iterator[tuple[Batch, float]]]:
    """Batches from `step` on, and how many seconds each was waited for."""
    with read_ahead(sampler, step) as ready:

        def batches() -> Iterator[tuple[Batch, float]]:
            while True:
                asked_at = time.monotonic()
                batch = next(ready)
                yield batch, time.monotonic() - asked_at

        yield batches()


class _Stop:
    """What Ctrl-C and SIGTERM do: once `saves` is set, the first sets `asked`; else they raise.

    A second SIGTERM changes nothing, nor does a second Ctrl-C within ECHO_S: launchers pass on
    what their processes have had from the terminal.
    """

    def __init__(self) -> None:
        self.saves = False
        self.asked_at = math.inf

    @property
    def asked(self) -> bool:
        return self.asked_at < math.inf

    def note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.saves or (number == signal.SIGINT and now > self.asked_at + ECHO_S):
            raise KeyboardInterrupt
        self.asked_at = min(now, self.asked_at)


@contextmanager
def _stop_signals() -> Iterator[_Stop]:
    """Ctrl-C and SIGTERM ask for a save after the step; a second one leaves at once."""
    stop = _Stop()
    kinds = (signal.SIGINT, signal.SIGTERM)
    try:
        before = [signal.signal(kind, stop.note) for kind in kinds]
    except ValueError:  # not the main thread: whoever runs it stops it by max_time_s
        yield stop
        return
    try:
        yield stop
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def _preview_frames(
    clips: list[TrainingClip], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
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


def _preview(state: TrainingState, frames: tuple[Tensor, Tensor, Tensor], report: Report) -> None:
    report.preview(state.step, preview_columns(state.result, *frames, seed=state.config.seed))
