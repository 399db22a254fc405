"""Writing what an evaluation found: report.json for programs, report.html and tables for people."""

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from maskmotion.durable import write_atomically
from maskmotion.evaluation import figures
from maskmotion.evaluation.page import page_html
from maskmotion.evaluation.results import Metric, Report, Row, Table
from maskmotion.media.files import require_folder, writing

SCHEMA = 1
JSON = "report.json"
PAGE = "report.html"


def write_report(report: Report, out: Path) -> None:
    """Write report.json and report.html, a page that needs no other file.

    Values that are no finite numbers are left out.

    Args:
        report: what was found.
        out: a folder; made where it is missing.
    Raises:
        DataError: `out` is a file, or lies below one.
        MediaError: the disk does not take it.
        MissingExtraError: the extra "eval" is missing.
    """
    texts = {out / JSON: _json(report), out / PAGE: page_html(report)}
    with writing(out):
        require_folder(out, "the report")
    for path, text in texts.items():
        _write(path, text)


def require_writable(out: Path) -> None:
    """Tell before long work whether a report can be written, and leave nothing behind.

    Raises:
        DataError: `out` is a file, or lies below one.
        MediaError: it cannot be made or written to.
    """
    require_folder(out, "the report")
    missing = [folder for folder in (out, *out.absolute().parents) if not folder.exists()]
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
        for folder in missing:
            folder.rmdir()


def markdown(report: Report) -> str:
    """The tables and comparisons in GitHub's Markdown, aligned for reading as they are.

    A cell is the mean over clips and its 95% interval. Of two or more models the best mean is bold.
    """
    report = figures.finite(report)
    parts = [_section(report, table) for table in report.tables]
    legend = (
        "Mean over clips and its 95% interval; (higher) and (lower) tell which values are good; "
        "bold is the best of several models."
    )
    return "\n".join([*parts, legend, ""])


# report.json -------------------------------------------------------------------------------


def _json(report: Report) -> str:
    report = figures.finite(report)
    content = {
        "schema": SCHEMA,
        "maskmotion": metadata.version("maskmotion"),
        "protocol": report.protocol,
        "about": report.about,
        "settings": report.settings,
        "metrics": {metric.name: _without_name(metric) for metric in report.metrics},
        "tables": [_table(table) for table in report.tables],
        "clips": [asdict(scores) for scores in report.clips],
        "notes": list(report.notes),
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _without_name(metric: Metric) -> dict[str, str]:
    return {key: value for key, value in asdict(metric).items() if key != "name"}


def _table(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "about": table.about,
        "rows": [_row(row) for row in table.rows],
        "comparisons": [asdict(comparison) for comparison in table.comparisons],
    }


def _row(row: Row) -> dict[str, object]:
    return {
        "contender": row.contender.name,
        "kind": row.contender.kind,
        "about": row.contender.about,
        "values": {name: asdict(estimate) for name, estimate in row.values.items()},
    }


def _write(path: Path, text: str) -> None:
    # What no encoding can tell, such as half of a file name's character, becomes a number.
    content = text.encode("utf-8", "xmlcharrefreplace")
    with writing(path):
        write_atomically(path, lambda temporary: temporary.write_bytes(content))


# Markdown ----------------------------------------------------------------------------------


def _section(report: Report, table: Table) -> str:
    lines = [f"### {_plain(table.title)}", "", _plain(table.about), ""]
    lines += _grid(_cells(report, table))
    told = figures.sentences(report, table)
    lines += [""] if told else []
    for sentence in told:
        warning = "**Loses against a baseline:** " if sentence.standing == "loses" else ""
        lines.append(f"- {warning}{_plain(sentence.text)}")
    return "\n".join([*lines, ""])


def _cells(report: Report, table: Table) -> list[list[str]]:
    """Headings, then a line a contender."""
    metrics = figures.columns(report, table)
    names = [_marked(row) for row in table.rows]
    lines = [["", *map(_heading, metrics)], *([name] for name in names)]
    for metric in metrics:
        places = figures.digits(figures.estimates(report, metric))
        best = figures.best(table, metric)
        for line, row in zip(lines[1:], table.rows, strict=True):
            line.append(_cell(table, row, metric, places, row.contender.name in best))
    return lines


def _heading(metric: Metric) -> str:
    direction = "" if metric.better == "neither" else f" ({metric.better})"
    return _plain(", ".join(filter(None, [metric.title, metric.unit])) + direction)


def _marked(row: Row) -> str:
    kind = row.contender.kind
    return _plain(row.contender.name) + ("" if kind == "model" else f" ({kind})")


def _cell(table: Table, row: Row, metric: Metric, places: int, is_best: bool) -> str:
    if metric.name not in row.values:
        return "-"
    estimate = row.values[metric.name]
    mean = figures.number(estimate.mean, places)
    few = figures.fewer(estimate, table, metric)
    parts = [f"**{mean}**" if is_best else mean, figures.interval(estimate, places), few]
    return " ".join(filter(None, parts))


def _grid(lines: list[list[str]]) -> list[str]:
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    justified: Sequence[Callable[[str, int], str]] = [str.ljust] + [str.rjust] * (len(widths) - 1)
    rows = [
        [justify(cell, width) for justify, cell, width in zip(justified, line, widths, strict=True)]
        for line in lines
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [f"| {' | '.join(cells)} |" for cells in [rows[0], rule, *rows[1:]]]


def _plain(text: str) -> str:
    """One line, in which nothing is Markdown."""
    return re.sub(r"([\\|*`<])", r"\\\1", " ".join(text.split()))
