"""How fast models animate, in all forms in which they run, within one run.

Each form has a process of its own, so that its peak memory is its own, and its end leaves the
others alone. They paint in turn, a batch each, so that whatever else the machine does meets all
alike.
"""

import math
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch

from maskmotion.bench import footage, stand
from maskmotion.bench.forms import (
    EXPORTED,
    FORMS,
    PLAIN,
    Form,
    Runtime,
    Subject,
    missing_extras,
)
from maskmotion.bench.machine import DTYPES, convolution_gflops, processor
from maskmotion.bench.results import Machine, Report, Row
from maskmotion.bench.stand import Operations, Stand
from maskmotion.errors import MaskMotionError
from maskmotion.inference.engine import best_dtype
from maskmotion.processes import Processes, cores

MIN_ROUNDS, MAX_ROUNDS = 2, 9
ROUNDS_S = 20.0  # that the rounds of a model take together, if that is not too few
RANDOM_NOTE = (
    "tiny, small and base are the networks of the presets tiny, small and vox with random weights. "
    "That changes no time, but their pictures hardly vary, which flatters the PSNR."
)
ProgressHook = Callable[[str, int, int], object]
Result = TypeVar("Result")


def measure_inference(
    subjects: Sequence[Subject],
    forms: Sequence[Form],
    *,
    device: str,
    rounds: int | None = None,
    batch: int | None = None,
    threads: int | None = None,
    progress: ProgressHook | None = None,
) -> Report:
    """Measure models in several forms.

    Args:
        subjects: models.
        forms: from `forms_here`, PLAIN among them.
        device: as torch names it.
        rounds: turns of each form; None takes as many as there is time for, 2 to 9.
        batch: driving frames painted at once; None for what each engine takes as best.
        threads: of the processor; None for as many as torch takes.
        progress: called with what is being done, how far it is, and of how much.
    Raises:
        ModelError: a model that cannot be read.
        MaskMotionError: the plain form of a model failed.
    """
    threads = threads or torch.get_num_threads()
    tell = progress or (lambda *_: None)
    notes = _load_notes()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, _process(threads) as own:
        tell("counting operations", 0, 0)
        counts = [own.run(partial(stand.operations, subject)) for subject in subjects]
        if any(form.end_to_end for form in forms):
            tell("drawing a video", 0, 0)
            own.run(partial(footage.write_files, Path(folder)))
        rates = _Rates(own, device)
        for subject, operations in zip(subjects, counts, strict=True):
            entered = _exported(subject, forms, Path(folder), threads, notes, tell)
            stands = [Stand(subject, form, batch, threads, device, folder) for form in entered]
            with _Contest(stands, rates, notes, tell) as contest:
                for swap, count in operations.items():
                    rows += contest.rows(count, swap=swap, rounds=rounds)
        machine = Machine(
            processor(device),
            device,
            cores(),
            threads,
            platform.python_version(),
            torch.__version__,
            *(statistics.median(found[dtype] for found in rates.found) for dtype in DTYPES),
        )
    if any(subject.preset for subject in subjects):
        notes.append(RANDOM_NOTE)
    return Report(machine, tuple(rows), tuple(notes))


def forms_here(runtimes: Sequence[Runtime], device: str) -> tuple[list[Form], list[str]]:
    """The forms that can run here, with PLAIN, and a note on each runtime that cannot.

    Args:
        runtimes: that are wished.
        device: as torch names it; exported models run on the processor alone.
    """
    notes = []
    able = [PLAIN.runtime]
    for runtime in runtimes:
        extras = ",".join(missing_extras(runtime))
        if runtime in EXPORTED and device != "cpu":
            notes.append(f"{runtime} was left out, as it runs on the processor; add --device cpu.")
        elif extras:
            install = f"pip install 'maskmotion[{extras}]'"
            notes.append(f"{runtime} was left out, as it is not installed; {install}")
        else:
            able.append(runtime)
    forms = [form for form in FORMS if form.runtime in able]
    if "torch" in able:
        reduced = best_dtype(torch.device(device)) == torch.bfloat16
        forms.append(Form("torch", "bfloat16" if reduced else "float32", end_to_end=True))
    return forms, notes


def _load_notes() -> list[str]:
    """A note where other work would spoil the figures."""
    if not hasattr(os, "getloadavg"):
        return []
    load = os.getloadavg()[0]
    if load < cores() / 4:
        return []
    return [
        f"Other programs were at work (load {load:.1f} at the start). torch on several threads, "
        "which wait for each other, loses most by that; measure again when the machine is idle."
    ]


def _exported(
    subject: Subject,
    forms: Sequence[Form],
    folder: Path,
    threads: int,
    notes: list[str],
    tell: ProgressHook,
) -> list[Form]:
    """The forms, after what those of exported models need is there; without them if it fails."""
    wanted = [form for form in forms if form.runtime in EXPORTED]
    if wanted:
        tell(f"{subject.name}: exporting", 0, 0)
        try:
            with _process(threads) as exporting:
                exporting.run(partial(stand.export, subject, folder))
        except Exception as error:  # whatever it is, the others can be measured
            notes.append(f"{subject.name} could not be exported: {_reason(error)}")
            return [form for form in forms if form not in wanted]
    return list(forms)


def _process(threads: int) -> Processes:
    return Processes(1, stand.begin, threads)


class _Rates:
    """The machine's rates of convolutions, by dtype in 10^9 operations a second."""

    def __init__(self, process: Processes, device: str) -> None:
        self.process, self.device = process, device
        self.found: list[dict[str, float]] = []

    def measure(self) -> dict[str, float]:
        """Both rates now."""
        self.found.append(
            {
                dtype: self.process.run(partial(convolution_gflops, self.device, dtype))
                for dtype in DTYPES
            }
        )
        return self.found[-1]


class _Contest:
    """All forms of one model, each in its process; one that fails goes, with a note.

    Args:
        stands: the forms, the plain one among them.
        rates: measured once a round.
        notes: gets what went wrong.
        tell: gets what is being done.
    """

    def __init__(
        self, stands: Sequence[Stand], rates: _Rates, notes: list[str], tell: ProgressHook
    ) -> None:
        self.rates, self.notes, self.tell = rates, notes, tell
        self._running = {one: _process(one.threads) for one in stands}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for process in self._running.values():
            self._stack.enter_context(process)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def rows(self, operations: Operations, *, swap: bool, rounds: int | None) -> list[Row]:
        """Let all paint for some rounds, and write down what came of it."""
        title = f"{next(iter(self._running)).subject.name}, {'with' if swap else 'without'} swap"
        self.tell(f"{title}: warming up", 0, 0)
        ready = self._each(lambda one: partial(stand.prepare, one, swap=swap))
        if rounds is None:
            fitting = math.floor(ROUNDS_S / sum(found.turn_s for found in ready.values()))
            rounds = max(MIN_ROUNDS, min(fitting, MAX_ROUNDS))
        turns: list[dict[Form, float]] = []
        reached: list[dict[str, float]] = []
        for done in range(rounds):
            self.tell(title, done, rounds)
            reached.append(self.rates.measure())
            turns.append(
                self._each(lambda one: partial(stand.paint, one, ready[one.form].frames, swap=swap))
            )
        self.tell(title, rounds, rounds)
        peaks = self._each(lambda one: partial(stand.peak_mb, one.device))
        pictures = self._each(lambda one: partial(stand.shown, one, swap=swap))

        def row(one: Stand) -> Row:
            form = one.form
            rate = statistics.median(rates[form.dtype] for rates in reached)
            frames = ready[form].frames
            fps = statistics.median(frames / turn[form] for turn in turns)
            ratios = [turn[PLAIN] / ready[PLAIN].frames / (turn[form] / frames) for turn in turns]
            by_torch = form.runtime == "torch"
            return Row(
                model=one.subject.name,
                engine=form.name,
                dtype=form.dtype,
                swap=swap,
                batch=ready[form].batch,
                rounds=rounds,
                frames_per_s=fps,
                peak_mb=peaks[form],
                psnr_to_plain_db=psnr_db(pictures[form], pictures[PLAIN]),
                times_plain=statistics.median(ratios),
                times_plain_low=min(ratios),
                times_plain_high=max(ratios),
                gflop_per_frame=operations.plain,
                conv_share=fps * operations.plain / rate,
                engine_gflop_per_frame=operations.engine if by_torch else None,
                engine_conv_share=fps * operations.engine / rate if by_torch else None,
            )

        return [row(one) for one in self._running]

    def _each(self, work: Callable[[Stand], Callable[[], Result]]) -> dict[Form, Result]:
        """What a call in each process returns, one after the other."""
        found = {}
        for one, process in list(self._running.items()):
            try:
                found[one.form] = process.run(work(one))
            except Exception as error:  # whatever it is, the others can be measured
                what = f"{one.subject.name} on {one.form.name}, {one.form.dtype}"
                if one.form == PLAIN:
                    raise MaskMotionError(f"{what} failed: {_reason(error)}") from error
                self.notes.append(f"{what} was left out: {_reason(error)}")
                del self._running[one]
        return found


def psnr_db(pictures: np.ndarray | None, wanted: np.ndarray | None) -> float | None:
    """How near pictures in [0, 1] are to others; None where there are none, or they are equal."""
    if pictures is None or wanted is None:
        return None
    error = float(np.square(pictures - wanted, dtype=np.float64).mean())
    return -10 * math.log10(error) if error else None


def _reason(error: Exception) -> str:
    """One line; only a process that was killed raises the base class."""
    if type(error) is MaskMotionError:
        return "its process was killed, perhaps because the memory was full"
    return " ".join(f"{error}".split()) or type(error).__name__
