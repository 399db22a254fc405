"""One evaluation: every case through every contender, measured, and summed up with intervals."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from maskmotion.errors import DataError, MediaError, ModelError
from maskmotion.evaluation.cases import Batch, Case
from maskmotion.evaluation.face_meter import FACE_METRICS, FaceMeter
from maskmotion.evaluation.faces import Faces
from maskmotion.evaluation.lpips import LPIPS, TruthOnce
from maskmotion.evaluation.measures import Measure, Output, Seen
from maskmotion.evaluation.protocols import REPEAT, Protocol, Run, Task, contender_name, repeated
from maskmotion.evaluation.results import Metric, Report
from maskmotion.evaluation.summary import clip_scores, entrants, sheets_of, table
from maskmotion.evaluation.tally import CaseValues, Rows, Tally
from maskmotion.models.animator import Animator, large

Progress = Callable[[int, int], None]
LEFT_OUT = "Left out: "


@dataclass(frozen=True)
class Tools:
    """What measures need besides pictures; None where it is not measured."""

    lpips: LPIPS | None = None
    faces: Faces | None = None


def evaluate(
    models: dict[str, Animator],
    protocol: Protocol,
    *,
    every: int = 4,
    scale: float | None = None,
    tools: Tools | None = None,
    settings: dict[str, object] | None = None,
    notes: Sequence[str] = (),
    progress: Progress | None = None,
) -> Report:
    """Measure models and baselines on the cases of a protocol.

    No frames are kept but a few for the sheets, which wait on the disk; of each frame a number for
    each metric and contender.

    Args:
        models: by the names that reports call them, in evaluation mode, on one device and of one
            size; where no truth does, their masks together tell where subjects are. Engines from
            `maskmotion.inference.engine.fast` give the same figures in less time.
        protocol: from `protocols`.
        every: take every n-th frame.
        scale: of the driving mask in P; None takes each model's.
        tools: LPIPS and faces.
        settings: kept in the report.
        notes: kept in the report.
        progress: called with (cases done, cases in all).
    Raises:
        DataError: the models' sizes differ, or no case could be read.
        ModelError: a model's pictures hold values that are no numbers.
    Source: docs/evaluation.md.
    """
    require_one_size(models)
    bench = _Bench(models, protocol, every, scale, tools or Tools())
    said = [*notes, *bench.notes()]
    cases: list[CaseValues] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(protocol.cases):
            try:
                cases.append(bench.measure(case, Path(folder)))
            except (MediaError, DataError) as error:
                said.append(f"{LEFT_OUT}{error}")
            if progress:
                progress(number + 1, len(protocol.cases))
        if not cases:
            raise DataError(f"nothing could be evaluated: {said[-1].removeprefix(LEFT_OUT)}")
        took_part = {task.title: entrants(task, list(models), cases) for task in bench.tasks}
        columns = {task.title: bench.metrics(task) for task in bench.tasks}
        return Report(
            protocol=protocol.name,
            about=protocol.about,
            settings=settings or {},
            metrics=tuple({m.name: m for found in columns.values() for m in found}.values()),
            tables=tuple(
                table(task, took_part[task.title], columns[task.title], cases)
                for task in bench.tasks
            ),
            clips=tuple(clip_scores(case) for case in cases),
            sheets=tuple(
                sheet
                for task in bench.tasks
                for sheet in sheets_of(task, took_part[task.title], columns[task.title], cases)
            ),
            notes=tuple(said),
        )


class _Bench:
    """Models and baselines in front of the cases."""

    def __init__(
        self,
        models: dict[str, Animator],
        protocol: Protocol,
        every: int,
        scale: float | None,
        tools: Tools,
    ) -> None:
        self.models = models
        self.protocol = protocol
        self.every = every
        self.scale = scale
        self.tools = tools
        self.lpips = TruthOnce(tools.lpips) if tools.lpips else None
        first = next(iter(models.values()))
        self.device = next(first.parameters()).device
        self.size = first.config.image_size
        self.tasks = tuple(protocol.tasks.values())

    def notes(self) -> list[str]:
        """What the reader should know of the models."""
        return [
            f"{name} has no background networks; it is not among the swapped."
            for name, model in self.models.items()
            if model.background_base is None and self.protocol.name in ("truth", "background")
        ]

    def measures(self, task: Task) -> list[Measure]:
        """Those that can be taken."""
        return [m for m in task.measures if m.metric.name != "lpips" or self.lpips]

    def metrics(self, task: Task) -> list[Metric]:
        """The table's columns."""
        found = [measure.metric for measure in self.measures(task)]
        return found + (FACE_METRICS[task.faces] if task.faces and self.tools.faces else [])

    def measure(self, case: Case, folder: Path) -> CaseValues:
        """Values of a case; its sheets are written into the folder."""
        tallies = {task.title: Tally() for task in self.tasks}
        rows = {task.title: Rows(task.columns, self.every) for task in self.tasks}
        meters = {task.title: self._face_meter(task) for task in self.tasks}
        last: dict[tuple[str, str], Seen] = {}
        runs: dict[str, Run] = {}
        with torch.inference_mode():
            for on_cpu in case.batches(self.size, self.every):
                batch = on_cpu.to(self.device)
                runs = runs or self._runs(batch.source)
                for title, outputs in self._outputs(runs, batch).items():
                    task, pictures = self.protocol.tasks[title], {}
                    known = self._known(task, batch)
                    for name, output in outputs.items():
                        seen = self._seen(task, known, output, last.get((title, name)))
                        pictures[name] = output.picture
                        last[title, name] = seen
                        for measure in self.measures(task):
                            tallies[title].add(name, measure.metric.name, measure.of(seen))
                    rows[title].see(batch, pictures)
                    if meter := meters[title]:
                        meter.see(batch, pictures)
        for title, meter in meters.items():
            for name, metric, values in meter.values() if meter else ():
                tallies[title].add(name, metric, values)
        sheets = {title: shown.save(folder) for title, shown in rows.items()}
        kept = {title: tally.values() for title, tally in tallies.items()}
        return CaseValues(case.name, case.identity, kept, sheets)

    def _face_meter(self, task: Task) -> FaceMeter | None:
        if self.tools.faces is None or task.faces is None:
            return None
        return FaceMeter(self.tools.faces, task.faces)

    def _runs(self, source: Tensor) -> dict[str, Run]:
        return {
            name: Run(model, model.encode_source(source), self.scale)
            for name, model in self.models.items()
        }

    def _outputs(self, runs: dict[str, Run], batch: Batch) -> dict[str, dict[str, Output]]:
        """What the contenders of each task make of a batch, by their names."""
        outputs = {title: {REPEAT: repeated(batch)} for title in self.protocol.tasks}
        for model, run in runs.items():
            for title, shown in self.protocol.perform(run, batch).items():
                _require_numbers(model, shown)
                outputs[title] |= {contender_name(form, model): out for form, out in shown.items()}
        return outputs

    def _known(self, task: Task, batch: Batch) -> Seen:
        """What is known of a batch before any contender's output, in place of which stands one."""
        known = Seen(batch, repeated(batch), lpips=self.lpips)
        if batch.target_alpha is not None and batch.driving_alpha is not None:
            driving, subject = batch.driving_alpha > 0.5, batch.target_alpha > 0.5
            return replace(known, driving_subject=driving, subject=subject)
        if task.subject == "none":
            return known
        (source, _), (driving, core) = self._subject(batch.source), self._subject(batch.driving)
        return replace(
            known,
            source_subject=source.expand_as(driving),
            driving_subject=driving,
            subject=driving,
            core=core,
        )

    def _seen(self, task: Task, known: Seen, output: Output, last: Seen | None) -> Seen:
        """What is known and a contender's output; `last` is the same of the batch before."""
        first = torch.full_like(output.picture[:1], torch.nan)
        seen = replace(
            known,
            output=output,
            before=_shifted(output.picture, last.output.picture if last else first),
        )
        if task.subject == "output":
            subject, core = self._subject(output.picture)
            seen = replace(seen, subject=subject, core=core)
            anywhere = seen.anywhere()
            left = _shifted(anywhere, last.anywhere() if last else anywhere[:1])
            seen = replace(seen, background=seen.outside(anywhere | left))
        return seen

    def _subject(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Where any of the models sees the subject, and where all do: (B, 1, S, S) bool.

        Together, so that no order of the models favours one.
        """
        found = torch.stack(
            [
                large(model.mask_generator(picture).float()) > model.config.threshold
                for model in self.models.values()
            ]
        )
        return found.any(0), found.all(0)


def require_one_size(models: dict[str, Animator]) -> None:
    """Refuse models that work at different sizes.

    Raises:
        DataError: they do.
    """
    sizes = sorted({model.config.image_size for model in models.values()})
    if len(sizes) > 1:
        raise DataError(
            f"the models work at {' and '.join(map(str, sizes))} px; evaluate those of one size "
            "together"
        )


def _shifted(frames: Tensor, last: Tensor) -> Tensor:
    """The frame before each, the first of them being the last of a batch before."""
    return torch.cat([last[-1:], frames[:-1]])


def _require_numbers(model: str, shown: dict[str, Output]) -> None:
    for form, output in shown.items():
        if not bool(output.picture.isfinite().all()):
            raise ModelError(
                f"{model} gives pictures with values that are no numbers ({form}); its weights are "
                "damaged, or its training diverged"
            )
