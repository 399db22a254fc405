"""How figures are told: which are there, their digits, the best of a column, plain sentences."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import Literal

from maskmotion.evaluation.results import (
    ClipScores,
    Comparison,
    Estimate,
    Metric,
    Report,
    Row,
    Table,
    Verdict,
)

MOST_DIGITS = 4
WORDS: dict[Verdict, str] = {
    "worse": "is worse than",
    "better": "is better than",
    "no clear difference": "is not clearly different from",
    "too few clips": "has too few clips to be told from",
}

Standing = Literal["loses", "does not win", "said"]


def finite(report: Report) -> Report:
    """A report without the figures that are no finite numbers.

    An estimate goes as a whole; in lists of the settings None takes their place.
    """
    return replace(
        report,
        settings=_finite_values(report.settings),
        tables=tuple(map(_finite_table, report.tables)),
        clips=tuple(map(_finite_clip, report.clips)),
    )


def _finite_values(settings: dict[str, object]) -> dict[str, object]:
    return {key: _finite_value(value) for key, value in settings.items() if not _is_endless(value)}


def _finite_value(value: object) -> object:
    if isinstance(value, dict):
        return _finite_values(value)
    if isinstance(value, list | tuple):
        return [None if _is_endless(item) else _finite_value(item) for item in value]
    return value


def _is_endless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _finite_table(table: Table) -> Table:
    rows = tuple(
        Row(row.contender, {name: e for name, e in row.values.items() if _is_finite(e)})
        for row in table.rows
    )
    comparisons = tuple(c for c in table.comparisons if _is_finite(c.difference))
    return replace(table, rows=rows, comparisons=comparisons)


def _finite_clip(scores: ClipScores) -> ClipScores:
    values = {
        table: {
            contender: {metric: mean for metric, mean in found.items() if math.isfinite(mean)}
            for contender, found in contenders.items()
        }
        for table, contenders in scores.values.items()
    }
    return ClipScores(scores.clip, values)


def _is_finite(estimate: Estimate) -> bool:
    return all(map(math.isfinite, (estimate.mean, estimate.low, estimate.high)))


def columns(report: Report, table: Table) -> list[Metric]:
    """The metrics that a table has values of, in the report's order."""
    return [m for m in report.metrics if any(m.name in row.values for row in table.rows)]


def estimates(report: Report, metric: Metric) -> list[Estimate]:
    """A metric's values in all tables, whose digits are alike."""
    rows = (row for table in report.tables for row in table.rows)
    return [row.values[metric.name] for row in rows if metric.name in row.values]


def digits(found: Iterable[Estimate]) -> int:
    """Digits after the point, such that half of a usual interval shows two that matter."""
    found = list(found)
    halves = [(e.high - e.low) / 2 for e in found if e.high > e.low]
    means = [abs(e.mean) / 100 for e in found if e.mean]
    if not halves and not means:
        return 2
    step = median(halves) if halves else max(means)
    return min(max(math.ceil(-math.log10(step)) + 1, 0), MOST_DIGITS)


def number(value: float, places: int, sign: str = "") -> str:
    """Such as "24.31"; never "-0.00". sign: "+" shows that of positive numbers too."""
    return format(value, f"{sign}z.{places}f")


def interval(estimate: Estimate, places: int) -> str:
    """Such as "[23.80, 24.82]"."""
    return f"[{number(estimate.low, places)}, {number(estimate.high, places)}]"


def count(amount: int, noun: str) -> str:
    """Such as "1 clip", "40 clips"."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def fewer(estimate: Estimate, table: Table, metric: Metric) -> str:
    """Such as "5 clips, 46 frames" where others have the metric on more; else nothing."""
    others = [row.values[metric.name] for row in table.rows if metric.name in row.values]
    if all(e.clips <= estimate.clips and e.frames <= estimate.frames for e in others):
        return ""
    return f"{count(estimate.clips, 'clip')}, {count(estimate.frames, 'frame')}"


def best(table: Table, metric: Metric) -> set[str]:
    """Names of the models with the best mean; none where fewer than two have a value."""
    means = {
        row.contender.name: row.values[metric.name].mean
        for row in table.rows
        if row.contender.kind == "model" and metric.name in row.values
    }
    if len(means) < 2 or metric.better == "neither":
        return set()
    top = (max if metric.better == "higher" else min)(means.values())
    return {name for name, mean in means.items() if mean == top}


@dataclass(frozen=True)
class Sentence:
    """What comparisons of one pair with one verdict come to.

    Attributes:
        contender, against: their names.
        words: such as "is worse than".
        figures: such as "PSNR: -1.23 dB [-1.50, -0.90]", the last with ", 40 clips"; each with its
            own where their numbers of clips differ.
        standing: "loses" where a model is worse than a baseline, "does not win" where it is not
            clearly better, "said" otherwise.
    """

    contender: str
    against: str
    words: str
    figures: tuple[str, ...]
    standing: Standing

    @property
    def text(self) -> str:
        return f"{self.contender} {self.words} {self.against} in {'; in '.join(self.figures)}."


def sentences(report: Report, table: Table) -> list[Sentence]:
    """The comparisons of a table, pair by pair, what is worse first.

    Metrics of which neither high nor low values are good have no say.
    """
    order = [metric.name for metric in report.metrics if metric.better != "neither"]
    verdicts = list(WORDS)
    pairs = list(dict.fromkeys((c.contender, c.against) for c in table.comparisons))
    told = sorted(
        (c for c in table.comparisons if c.metric in order),
        key=lambda c: (
            pairs.index((c.contender, c.against)),
            verdicts.index(c.verdict),
            order.index(c.metric),
        ),
    )
    groups = groupby(told, key=lambda c: (c.contender, c.against, c.verdict))
    return [_sentence(report, table, list(alike)) for _, alike in groups]


def _sentence(report: Report, table: Table, alike: list[Comparison]) -> Sentence:
    first = alike[0]
    return Sentence(
        first.contender,
        first.against,
        WORDS[first.verdict],
        tuple(_differences(report, alike)),
        _standing(table, first),
    )


def _differences(report: Report, comparisons: list[Comparison]) -> Iterator[str]:
    metrics = {metric.name: metric for metric in report.metrics}
    amounts = [comparison.difference.clips for comparison in comparisons]
    for place, comparison in enumerate(comparisons):
        metric, difference = metrics[comparison.metric], comparison.difference
        places = digits([difference])
        mean = " ".join(filter(None, [number(difference.mean, places, "+"), metric.unit]))
        own = len(set(amounts)) > 1 or place == len(amounts) - 1
        clips = f", {count(difference.clips, 'clip')}" if own else ""
        yield f"{metric.title}: {mean} {interval(difference, places)}{clips}"


def _standing(table: Table, comparison: Comparison) -> Standing:
    kinds = {row.contender.name: row.contender.kind for row in table.rows}
    pair = (kinds.get(comparison.contender), kinds.get(comparison.against))
    if pair != ("model", "baseline") or comparison.verdict in ("better", "too few clips"):
        return "said"
    return "loses" if comparison.verdict == "worse" else "does not win"
