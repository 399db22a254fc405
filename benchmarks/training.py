"""How much faster is a training step than in its plain form?

    python benchmarks/training.py --vgg-weights vgg19.safetensors --preset tiny --size 256

Four forms take the same steps on the same pictures: `plain` (benchmarks/plain.py: float32, torch's
default layout, pictures augmented one by one, masks perturbed in numpy, every picture through VGG
by itself), ours in float32 and in bfloat16, and `windows`, bfloat16 with the loss on a window of
half the side, which is another loss. Each has a process of its own; they take their steps in turn,
one at a time, so that whatever else the machine does meets all alike. Printed are the median
samples/s, the ratio to `plain` with the range over rounds, the peak memory, and how far the losses
of the first steps are from those of `plain`.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import statistics
import time
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from maskmotion.config import TrainConfig, load_preset, override, validate
from maskmotion.data.pairs import Batch
from maskmotion.memory import keep_freed_memory
from maskmotion.models.blocks import channels_last
from maskmotion.training.losses import PerceptualLoss
from maskmotion.training.state import TrainingState
from maskmotion.training.step import prepare, train_step
from maskmotion.training.vgg import load_vgg

FORMS = {
    "plain": ("run.precision=float32", "loss.window=1"),
    "float32": ("run.precision=float32", "loss.window=1"),
    "bfloat16": ("run.precision=bfloat16", "loss.window=1"),
    "windows": ("run.precision=bfloat16", "loss.window=0.5"),
}
COMPARED_STEPS = 2  # later, Adam has magnified the rounding of gradients near zero
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """One form in one phase; ratios are to `plain`, lowest and highest of the rounds'."""

    form: str
    background_networks: bool
    samples_per_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    peak_mib: float
    loss_difference: float


def picture_batch(step: int, samples: int, size: int) -> Batch:
    """Smooth random pictures, another batch each step."""
    generator = torch.Generator().manual_seed(step)
    coarse = torch.rand(3, samples, 3, size // 16, size // 16, generator=generator)
    fine = torch.nn.functional.interpolate(coarse.flatten(0, 1), size=(size, size), mode="bicubic")
    frames = (255 * fine.clamp(0, 1)).to(torch.uint8).unflatten(0, (3, samples))
    return Batch(frames[0], frames[1], frames[2], torch.ones(samples, dtype=torch.bool), samples)


def work(
    pipe: Connection, form: str, config: TrainConfig, weights: Path, epoch: int, threads: int
) -> None:
    """A form's process: takes a step whenever told its number, and answers seconds and losses."""
    torch.set_num_threads(threads)
    vgg = load_vgg(config.loss.vgg_layers, weights)
    samples, size = config.schedule.batch_size, config.model.image_size
    if form == "plain":
        from plain import PlainTrainer

        trainer = PlainTrainer(config, vgg)

        def take(batch: Batch, step: int) -> dict[str, float]:
            return trainer.step(batch, epoch=epoch)
    else:
        keep_freed_memory()
        state = TrainingState(config, CPU)
        loss = PerceptualLoss(vgg, config.loss)
        channels_last(loss)

        def take(batch: Batch, step: int) -> dict[str, float]:
            state.step = step
            return train_step(state, [prepare(batch, config, step, CPU)], loss, epoch=epoch)

    while (step := pipe.recv()) is not None:
        batch = picture_batch(step, samples, size)
        started = time.perf_counter()
        losses = take(batch, step)
        pipe.send((time.perf_counter() - started, losses))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(
    config: TrainConfig, weights: Path, *, background: bool, rounds: int, threads: int
) -> list[Row]:
    """All forms in one phase of training; the first steps warm up and are compared."""
    epoch = config.schedule.background_epoch if background else config.schedule.refiner_epoch
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for form, changes in FORMS.items():
        settings = validate(override(config.model_dump(mode="json"), changes), form)
        pipes[form], theirs = context.Pipe()
        arguments = (theirs, form, settings, weights, epoch, threads)
        processes.append(context.Process(target=work, args=arguments))
        processes[-1].start()
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    losses: dict[str, list[dict[str, float]]] = {form: [] for form in FORMS}
    for step in range(COMPARED_STEPS + rounds):
        for form in FORMS:
            pipes[form].send(step)
            took, found = pipes[form].recv()
            seconds[form].append(took)
            losses[form].append(found)
    peaks = {}
    for form, process in zip(FORMS, processes, strict=True):
        pipes[form].send(None)
        peaks[form] = pipes[form].recv()
        process.join()
    return [
        _row(form, background, config.schedule.batch_size, seconds, losses, peaks[form])
        for form in FORMS
    ]


def _row(
    form: str,
    background: bool,
    samples: int,
    seconds: dict[str, list[float]],
    losses: dict[str, list[dict[str, float]]],
    peak_mib: float,
) -> Row:
    plain, own = seconds["plain"][COMPARED_STEPS:], seconds[form][COMPARED_STEPS:]
    ratios = [a / b for a, b in zip(plain, own, strict=True)]
    differences = [
        abs(ours[name] / wanted - 1)
        for ours, theirs in zip(losses[form], losses["plain"], strict=True)
        for name, wanted in theirs.items()
    ][: COMPARED_STEPS * len(losses["plain"][0])]
    return Row(
        form,
        background,
        samples / statistics.median(own),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        peak_mib,
        max(differences),
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vgg-weights", type=Path, required=True)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    settings = [f"model.image_size={options.size}", f"schedule.batch_size={options.batch}"]
    config = validate(override(load_preset(options.preset), settings), options.preset)
    rows = [
        row
        for background in (False, True)
        for row in measure(
            config,
            options.vgg_weights,
            background=background,
            rounds=options.rounds,
            threads=options.threads,
        )
    ]
    if options.json:
        machine = {"processor": platform.processor() or platform.machine()}
        machine |= {"threads": options.threads, "torch": torch.__version__}
        setting = {"preset": options.preset, "size": options.size, "batch": options.batch}
        print(json.dumps({"machine": machine | setting, "rows": [asdict(row) for row in rows]}))
        return
    for row in rows:
        print(
            f"{'with' if row.background_networks else 'without'} background networks, "
            f"{row.form:8}: {row.samples_per_s:6.2f} samples/s, {row.ratio:.2f}x plain "
            f"({row.ratio_low:.2f} to {row.ratio_high:.2f}), peak {row.peak_mib:.0f} MiB, "
            f"losses within {row.loss_difference:.1e}"
        )


if __name__ == "__main__":
    main()
