"""From the scores of all cases to tables, comparisons and the sheets worth showing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskmotion.evaluation.bootstrap import compare, estimate
from maskmotion.evaluation.protocols import Form, Task, contender_name
from maskmotion.evaluation.results import (
    ClipScores,
    Comparison,
    Contender,
    Estimate,
    Metric,
    Row,
    Sheet,
    Table,
)
from maskmotion.evaluation.tally import CaseScores

# What sheets are ordered by: the first of these that a task has.
ORDERED_BY = ("lpips", "l1", "far_psnr", "background")


@dataclass(frozen=True)
class Entrant:
    """A contender, and where it comes from: the name and form of its row, and its model's name."""

    name: str
    form: Form
    form_name: str
    model: str | None

    def rivals(self, others: "Sequence[Entrant]") -> "list[Entrant]":
        """Whom it is compared with: baselines, its own where models have one, and models that
        run in the same way and come before it."""
        named = [other for other in others if other.form_name in self.form.rivals]
        alike = [other for other in others if other.form_name == self.form_name]
        earlier = alike[: alike.index(self)] if self.form.kind == "model" else []
        return [*(other for other in named if other.model in (None, self.model)), *earlier]


def entrants(task: Task, models: Sequence[str], cases: Sequence[CaseScores]) -> list[Entrant]:
    """Who took part in a task, in the table's order."""
    found = {name for case in cases for name in case.scores[task.title]}
    listed = [
        Entrant(contender_name(name, model), form, name, model)
        for name, form in task.forms.items()
        for model in (models if form.by_model else [None])
    ]
    return [entrant for entrant in listed if entrant.name in found]


def table(
    task: Task, rows: Sequence[Entrant], metrics: Sequence[Metric], cases: Sequence[CaseScores]
) -> Table:
    """Means with intervals, and models against their rivals."""
    column = _Columns(task, cases)
    return Table(
        task.title,
        task.about,
        tuple(
            Row(
                Contender(row.name, row.form.kind, row.form.about),
                {m.name: e for m in metrics if (e := column.estimate(row, m)) is not None},
            )
            for row in rows
        ),
        tuple(
            found
            for row in rows
            for rival in row.rivals(rows)
            for metric in metrics
            if (found := column.compare(row, rival, metric)) is not None
        ),
    )


class _Columns:
    """The values of entrants over the cases of a task."""

    def __init__(self, task: Task, cases: Sequence[CaseScores]) -> None:
        self._task = task
        self._cases = cases

    def values(self, entrant: Entrant, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
        """(cases,) means, NaN where there is none, and (cases,) numbers of frames."""
        found = [c.score(self._task.title, entrant.name, metric.name) for c in self._cases]
        return np.array([s.mean for s in found]), np.array([s.frames for s in found])

    def estimate(self, entrant: Entrant, metric: Metric) -> Estimate | None:
        means, frames = self.values(entrant, metric)
        return estimate(means, int(frames.sum()))

    def compare(self, entrant: Entrant, rival: Entrant, metric: Metric) -> Comparison | None:
        means, frames = self.values(entrant, metric)
        others, other_frames = self.values(rival, metric)
        common = int(np.minimum(frames, other_frames).sum())
        return compare(metric, entrant.name, rival.name, means, others, common)


def clip_scores(case: CaseScores) -> ClipScores:
    """A case's means, without those that no frame has."""
    return ClipScores(
        case.name,
        {
            title: {
                contender: {name: s.mean for name, s in metrics.items() if s.frames}
                for contender, metrics in scores.items()
            }
            for title, scores in case.scores.items()
        },
    )


def sheets_of(
    task: Task, rows: Sequence[Entrant], metrics: Sequence[Metric], cases: Sequence[CaseScores]
) -> list[Sheet]:
    """The best, the median and the worst case of the first model that took part."""
    model = next((row for row in rows if row.form.kind == "model"), None)
    metric = next((m for name in ORDERED_BY for m in metrics if m.name == name), None)
    if model is None or metric is None:
        return []
    scored = [(case.score(task.title, model.name, metric.name), case) for case in cases]
    ranked = sorted((pair for pair in scored if pair[0].frames), key=lambda pair: pair[0].mean)
    if metric.better == "higher":
        ranked.reverse()
    words = {0: "best", len(ranked) // 2: "median", len(ranked) - 1: "worst"}
    return [
        Sheet(
            case.name,
            f"{task.title}: {word} of {len(ranked)} by {metric.title} of {model.name}, "
            f"{score.mean:.3g} {metric.unit}".rstrip(),
            case.sheets[task.title].read_bytes(),
        )
        for place, word in sorted(words.items())
        for score, case in ranked[place : place + 1]
    ]
