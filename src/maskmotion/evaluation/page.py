"""The page of a report: one file of HTML with all its pictures in it, made from report.html."""

import base64
import json
from dataclasses import dataclass
from importlib import metadata, resources
from importlib.util import find_spec
from itertools import groupby

from maskmotion.errors import MissingExtraError
from maskmotion.evaluation import figures
from maskmotion.evaluation.plots import clip_plot, interval_plot
from maskmotion.evaluation.results import ContenderKind, Metric, Report, Row, Table

TEMPLATE = "report.html"
ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
MAIN_SETTINGS = ("models", "data")  # shown at the top


def require_extra() -> None:
    """Tell before long work whether all that an evaluation needs is there.

    Raises:
        MissingExtraError: torchmetrics, Jinja2 or matplotlib is not installed.
    """
    if not all(find_spec(name) for name in ("jinja2", "matplotlib", "torchmetrics")):
        raise MissingExtraError(
            "evaluation needs the extra eval; install it with `pip install maskmotion[eval]`"
        )


def page_html(report: Report) -> str:
    """A page that shows all of a report and loads nothing.

    The same report gives the same page.

    Raises:
        MissingExtraError: the extra "eval" is missing.
    """
    require_extra()
    import jinja2

    report = figures.finite(report)
    template = resources.files("maskmotion.evaluation") / TEMPLATE
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template.read_text("utf-8")).render(
        report=report,
        version=metadata.version("maskmotion"),
        main={key: report.settings[key] for key in MAIN_SETTINGS if key in report.settings},
        sections=[_section(report, number, table) for number, table in enumerate(report.tables)],
        arrows=ARROWS,
        pictures=[base64.b64encode(sheet.jpeg).decode() for sheet in report.sheets],
        as_text=_as_text,
    )


@dataclass(frozen=True)
class Cell:
    """A contender's value as it is shown; few is empty where it has as many as the others."""

    mean: str
    interval: str
    is_best: bool
    few: str


@dataclass(frozen=True)
class Line:
    """A contender's row; None where it has no value."""

    row: Row
    cells: list[Cell | None]


@dataclass(frozen=True)
class Plots:
    """A metric's drawings, and its values of each clip: (clip, one value a contender)."""

    metric: Metric
    intervals: str
    clips: str
    contenders: list[str]
    lines: list[tuple[str, list[str]]]


@dataclass(frozen=True)
class Section:
    """A table and all that goes with it."""

    table: Table
    metrics: list[Metric]
    amount: str
    groups: list[tuple[ContenderKind, list[Line]]]
    losing: list[figures.Sentence]
    not_winning: list[figures.Sentence]
    said: list[figures.Sentence]
    plots: list[Plots]


def _section(report: Report, number: int, table: Table) -> Section:
    metrics = figures.columns(report, table)
    told = figures.sentences(report, table)
    lines = [_line(report, table, metrics, row) for row in table.rows]
    return Section(
        table,
        metrics,
        _amount(table),
        [(kind, list(of)) for kind, of in groupby(lines, key=lambda x: x.row.contender.kind)],
        [sentence for sentence in told if sentence.standing == "loses"],
        [sentence for sentence in told if sentence.standing == "does not win"],
        [sentence for sentence in told if sentence.standing == "said"],
        [_plots(report, table, metric, f"t{number}m{i}") for i, metric in enumerate(metrics)],
    )


def _amount(table: Table) -> str:
    """Such as "40 clips, 480 frames": the most that a value of the table is of."""
    values = [estimate for row in table.rows for estimate in row.values.values()]
    if not values:
        return "no values"
    clips, frames = max((estimate.clips, estimate.frames) for estimate in values)
    return f"{figures.count(clips, 'clip')}, {figures.count(frames, 'frame')}"


def _line(report: Report, table: Table, metrics: list[Metric], row: Row) -> Line:
    return Line(row, [_cell(report, table, metric, row) for metric in metrics])


def _cell(report: Report, table: Table, metric: Metric, row: Row) -> Cell | None:
    if metric.name not in row.values:
        return None
    estimate = row.values[metric.name]
    places = figures.digits(figures.estimates(report, metric))
    return Cell(
        figures.number(estimate.mean, places),
        figures.interval(estimate, places),
        row.contender.name in figures.best(table, metric),
        figures.fewer(estimate, table, metric),
    )


def _plots(report: Report, table: Table, metric: Metric, name: str) -> Plots:
    rows = [row for row in table.rows if metric.name in row.values]
    names = [row.contender.name for row in rows]
    values = _by_clip(report, table, metric)
    by_contender = {
        name: {clip: found[name] for clip, found in values.items() if name in found}
        for name in names
    }
    places = figures.digits(figures.estimates(report, metric))
    return Plots(
        metric,
        interval_plot(rows, metric, f"{name}a"),
        clip_plot(rows, metric, f"{name}b", by_contender) if values else "",
        names,
        [(clip, [_shown(found, name, places) for name in names]) for clip, found in values.items()],
    )


def _by_clip(report: Report, table: Table, metric: Metric) -> dict[str, dict[str, float]]:
    """Clip's name -> contender's name -> value; without the clips that have none."""
    values = {
        scores.clip: {
            contender: found[metric.name]
            for contender, found in scores.values.get(table.title, {}).items()
            if metric.name in found
        }
        for scores in report.clips
    }
    return {clip: found for clip, found in values.items() if found}


def _shown(found: dict[str, float], name: str, places: int) -> str:
    return figures.number(found[name], places) if name in found else "–"


def _as_text(value: object) -> str:
    """A plain value of the settings."""
    return value if isinstance(value, str) else json.dumps(value)
