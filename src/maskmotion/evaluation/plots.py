"""Small plots as SVG that stands in a page: they take its font and its colours, light or dark."""

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from maskmotion.evaluation.results import Estimate, Metric, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Stand-ins for the page's colours, which follow the reader's; no two the same.
INK, FAINT, MODEL, BASELINE, BOUND = "#010101", "#020202", "#030303", "#040404", "#050505"
COLOURS = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    MODEL: "var(--model)",
    BASELINE: "var(--baseline)",
    BOUND: "var(--bound)",
}
OF_KIND = {"model": MODEL, "baseline": BASELINE, "bound": BOUND}
MARKERS = {"model": "o", "baseline": "s", "bound": "D"}

WIDTH_IN, LABELS_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 4.0, 1.5, 0.1, 0.04, 0.38
LINE_IN, GAP_IN = 0.13, 0.12
FONT_PT = 8
LETTERS = 24  # of a label's line
LABELS_END = -0.03  # of the axes' width
SPREAD = 0.36  # of a row's height, each way, over which its clips are spread
XLINK = "{http://www.w3.org/1999/xlink}href"


def interval_plot(rows: Sequence[Row], metric: Metric, name: str) -> str:
    """Means with their intervals, a line a contender.

    Plots need matplotlib, of the extra "eval"; `page.require_extra` tells whether it is there.

    Args:
        rows: contenders that have a value, at least one.
        metric: what is shown.
        name: starts the ids in the drawing; another for each plot of a page.
    Returns:
        An <svg> element; a dashed line stands at the best baseline.
    """

    def draw(axes: "Axes") -> None:
        for place, row in enumerate(rows):
            _draw_interval(axes, place, row, row.values[metric.name])
        _draw_baseline(axes, rows, metric)

    return _plot(rows, metric, f"{metric.title}: means with intervals", name, draw)


def clip_plot(
    rows: Sequence[Row], metric: Metric, name: str, clips: dict[str, dict[str, float]]
) -> str:
    """Each clip's value, sorted upwards within the line of its contender.

    Args:
        rows, metric, name: as in `interval_plot`.
        clips: contender's name -> clip's name -> value.
    Returns:
        An <svg> element, in which each point tells its clip.
    """
    ordered = [
        sorted(clips.get(row.contender.name, {}).items(), key=lambda clip: (clip[1], clip[0]))
        for row in rows
    ]

    def draw(axes: "Axes") -> None:
        for place, (row, found) in enumerate(zip(rows, ordered, strict=True)):
            steps = max(len(found) - 1, 1)
            heights = [place + SPREAD - 2 * SPREAD * rank / steps for rank in range(len(found))]
            (points,) = axes.plot(
                [value for _, value in found],
                heights if len(found) > 1 else [place] * len(found),
                marker=MARKERS[row.contender.kind],
                linestyle="none",
                markersize=3,
                markeredgewidth=0,
                alpha=0.6,
                color=OF_KIND[row.contender.kind],
            )
            points.set_gid(f"clips-{place}")

    labels = {
        f"clips-{place}": [f"{clip}: {value:.4g}" for clip, value in found]
        for place, found in enumerate(ordered)
    }
    return _plot(rows, metric, f"{metric.title}: each clip", name, draw, labels)


def _draw_interval(axes: "Axes", place: int, row: Row, estimate: Estimate) -> None:
    colour = OF_KIND[row.contender.kind]
    axes.plot([estimate.low, estimate.high], [place, place], color=colour, linewidth=1.6)
    marker = MARKERS[row.contender.kind]
    axes.plot(
        [estimate.mean], [place], color=colour, marker=marker, markersize=5.5, linestyle="none"
    )


def _draw_baseline(axes: "Axes", rows: Sequence[Row], metric: Metric) -> None:
    means = [row.values[metric.name].mean for row in rows if row.contender.kind == "baseline"]
    if means and metric.better != "neither":
        best = (max if metric.better == "higher" else min)(means)
        axes.axvline(best, color=BASELINE, linewidth=0.8, dashes=(3, 3), zorder=0)


def _plot(
    rows: Sequence[Row],
    metric: Metric,
    title: str,
    name: str,
    draw: Callable[["Axes"], None],
    labels: dict[str, list[str]] | None = None,
) -> str:
    from matplotlib.figure import Figure

    names = [textwrap.wrap(_drawable(row.contender.name), LETTERS) for row in rows]
    row_in = GAP_IN + LINE_IN * max(map(len, names))
    height_in = TOP_IN + row_in * len(rows) + BOTTOM_IN
    with _style():
        figure = Figure(figsize=(WIDTH_IN, height_in))
        left, bottom = LABELS_IN / WIDTH_IN, BOTTOM_IN / height_in
        right, top = 1 - RIGHT_IN / WIDTH_IN, 1 - TOP_IN / height_in
        axes = figure.add_axes((left, bottom, right - left, top - bottom))
        draw(axes)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        for place, lines in enumerate(names):
            _draw_label(axes, place, lines, LINE_IN / row_in)
        _draw_scale(axes, metric)
        drawing = io.StringIO()
        figure.savefig(drawing, format="svg", transparent=True)
    return _inline(drawing.getvalue(), title, name, labels or {})


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    settings = matplotlib.rc_context(
        {
            "font.family": ["sans-serif"],
            "font.sans-serif": ["DejaVu Sans"],  # to measure with; comes with matplotlib
            "svg.fonttype": "none",
            "svg.hashsalt": "maskmotion",
            "text.usetex": False,
        }
    )
    with settings, warnings.catch_warnings():
        # The page's own font draws the letters that matplotlib's lacks.
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
        yield


def _draw_scale(axes: "Axes", metric: Metric) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.margins(x=0.06)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.set_xlabel(_direction(metric), color=INK, fontsize=FONT_PT, parse_math=False)
    axes.tick_params(labelsize=FONT_PT, labelcolor=INK, length=0)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def _draw_label(axes: "Axes", place: int, lines: list[str], step: float) -> None:
    """A line at a time, since matplotlib ends only single lines where the page's font ends."""
    for number, line in enumerate(lines):
        axes.text(
            LABELS_END,
            place + (number - (len(lines) - 1) / 2) * step,
            line,
            transform=axes.get_yaxis_transform(),
            horizontalalignment="right",
            verticalalignment="center",
            fontsize=FONT_PT,
            color=INK,
            parse_math=False,
        )


def _direction(metric: Metric) -> str:
    better = {"higher": "higher is better →", "lower": "← lower is better", "neither": ""}
    return ", ".join(filter(None, [metric.unit, better[metric.better]]))


def _drawable(text: str) -> str:
    """What XML and fonts take."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _inline(svg: str, title: str, name: str, labels: dict[str, list[str]]) -> str:
    """A drawing of matplotlib for within a page.

    Ids are the page's own, styles do not reach out of it, no address is named, and no date.
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if _tag(child) in ("metadata", "style"):
                parent.remove(child)
    for group in (element for element in root.iter() if element.get("id") in labels):
        marks = [element for element in group.iter() if _tag(element) == "use"]
        for mark, label in zip(marks, labels[group.get("id", "")], strict=True):
            ElementTree.SubElement(mark, "title").text = _drawable(label)
    for element in root.iter():
        element.tag = _tag(element)
        element.attrib = {_local(key): _own(key, v, name) for key, v in element.attrib.items()}
    box = root.get("viewBox", "")
    root.attrib = {"viewBox": box, "role": "img", "aria-label": _drawable(title)}
    return ElementTree.tostring(root, encoding="unicode")


def _tag(element: ElementTree.Element) -> str:
    return _local(element.tag)


def _local(qualified: str) -> str:
    return qualified.rpartition("}")[2]


def _own(key: str, value: str, name: str) -> str:
    """An attribute's value with the page's ids and colours."""
    if key == "id":
        return f"{name}-{value}"
    if key == XLINK:
        return value.replace("#", f"#{name}-")
    value = value.replace("url(#", f"url(#{name}-")
    return re.sub("|".join(COLOURS), lambda match: COLOURS[match.group()], value)
