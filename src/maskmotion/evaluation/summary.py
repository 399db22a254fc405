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
from maskmotion.evaluation.tally import CaseValues, mean_of

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


def entrants(task: Task, models: Sequence[str], cases: Sequence[CaseValues]) -> list[Entrant]:
    """Who took part in a task, in the table's order."""
    found = {name for case in cases for name in case.values[task.title]}
    listed = [
        Entrant(contender_name(name, model), form, name, model)
        for name, form in task.forms.items()
        for model in (models if form.by_model else [None])
    ]
    return [entrant for entrant in listed if entrant.name in found]


def table(
    task: Task,
    rows: Sequence[Entrant],
    metrics: Sequence[Metric],
    cases: Sequence[CaseValues],
) -> Table:
    """Means with intervals, and models against their rivals."""
    column = _Columns(task, cases)
    return Table(
        task.title,
        task.about,
        tuple(
            Row(
                Contender(row.name, row.form.kind, row.form.about),
                {
                    metric.name: value
                    for metric in metrics
                    if (value := column.estimate(row, metric)) is not None
                },
            )
            for row in rows
        ),
        tuple(
            found
            for row in rows
            for rival in row.rivals(rows)
            for metric in metrics
            if rival.form.role is None or rival.form.role not in metric.unfair
            if (found := column.compare(row, rival, metric)) is not None
        ),
    )


class _Columns:
    """The values of entrants over the cases of a task."""

    def __init__(self, task: Task, cases: Sequence[CaseValues]) -> None:
        self._task = task
        self._cases = cases
        self._identities = [case.identity for case in cases]

    def values(self, entrant: Entrant, metric: Metric) -> list[np.ndarray]:
        """(T,) for each case."""
        return [case.of(self._task.title, entrant.name, metric.name) for case in self._cases]

    def estimate(self, entrant: Entrant, metric: Metric) -> Estimate | None:
        found = self.values(entrant, metric)
        means = np.array([mean_of(values) for values in found])
        return estimate(means, _known(found), self._identities)

    def compare(self, entrant: Entrant, rival: Entrant, metric: Metric) -> Comparison | None:
        """On the frames that both have: who finds fewer faces is not better by the rest."""
        pairs = zip(self.values(entrant, metric), self.values(rival, metric), strict=True)
        differences = [own - other if len(own) == len(other) else own[:0] for own, other in pairs]
        means = np.array([mean_of(values) for values in differences])
        frames = _known(differences)
        names = (entrant.name, rival.name)
        return compare(metric, *names, means, frames, self._identities)


def _known(values: Sequence[np.ndarray]) -> int:
    return int(sum((~np.isnan(of)).sum() for of in values))


def clip_scores(case: CaseValues) -> ClipScores:
    """A case's means, without those that no frame has."""
    return ClipScores(
        case.name,
        {
            title: {
                contender: {n: mean_of(v) for n, v in metrics.items() if not np.isnan(v).all()}
                for contender, metrics in values.items()
            }
            for title, values in case.values.items()
        },
    )


def sheets_of(
    task: Task, rows: Sequence[Entrant], metrics: Sequence[Metric], cases: Sequence[CaseValues]
) -> list[Sheet]:
    """The best, the median and the worst case of the first model that took part."""
    model = next((row for row in rows if row.form.kind == "model"), None)
    metric = next((m for name in ORDERED_BY for m in metrics if m.name == name), None)
    if model is None or metric is None:
        return []
    means = [(mean_of(case.of(task.title, model.name, metric.name)), case) for case in cases]
    ranked = sorted((pair for pair in means if not np.isnan(pair[0])), key=lambda pair: pair[0])
    if metric.better == "higher":
        ranked.reverse()
    words = {0: "best", len(ranked) // 2: "median", len(ranked) - 1: "worst"}
    return [
        Sheet(
            case.name,
            f"{task.title}: {word} of {len(ranked)} by {metric.title} of {model.name}, "
            f"{mean:.3g} {metric.unit}".rstrip(),
            case.sheets[task.title].read_bytes(),
        )
        for place, word in sorted(words.items())
        for mean, case in ranked[place : place + 1]
    ]
