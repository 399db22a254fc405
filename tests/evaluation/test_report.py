"""The report: what is written is what was found, and a page that needs nothing else."""

import base64
import io
import json
import math
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskmotion.errors import DataError, MediaError, MissingExtraError
from maskmotion.evaluation import figures
from maskmotion.evaluation.page import page_html
from maskmotion.evaluation.plots import clip_plot, interval_plot
from maskmotion.evaluation.report import markdown, require_writable, write_report
from maskmotion.evaluation.results import (
    ClipScores,
    Comparison,
    Contender,
    ContenderKind,
    Estimate,
    Metric,
    Report,
    Row,
    Sheet,
    Table,
    Verdict,
)

PSNR = Metric("psnr", "PSNR", "dB", "higher", "every <pixel>", "signal & noise")
LPIPS = Metric(
    *("lpips", "LPIPS", "", "lower", "all frames", "a distance (Zhang et al. 2018)"),
    unfair=("repeat", "paste"),
)
IOU = Metric("iou", "IoU with driver", "", "neither", "all frames", "overlap")
NASTY = """a<b>&"c"'d|$e$ 中"""


def jpeg(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 8), colour).save(file, "JPEG")
    return file.getvalue()


def row(name: str, kind: ContenderKind, **means: float) -> Row:
    values = {metric: Estimate(m, m - 0.5, m + 0.5, 3, 30) for metric, m in means.items()}
    return Row(Contender(name, kind, f"about {name}"), values)


def compared(
    verdict: Verdict, contender: str, against: str, metric: str = "psnr", mean: float = -1.23
) -> Comparison:
    return Comparison(metric, contender, against, Estimate(mean, -1.5, -0.9, 40, 400), verdict)


def whole_report() -> Report:
    first = Table(
        "The same person",
        "Each clip is animated by itself.",
        (
            row("repeat the source", "baseline", psnr=18, lpips=3.5),
            row(NASTY, "model", psnr=24, lpips=2.5, iou=6),
            row("big", "model", psnr=26, lpips=3),
            row("true masks", "bound", psnr=30, lpips=1, iou=9),
        ),
        (
            compared("worse", NASTY, "repeat the source"),
            compared("worse", NASTY, "big"),
            compared("worse", "big", NASTY, "iou"),
        ),
    )
    second = Table(
        "Another <i>person</i>",
        "The truth is rendered.",
        (row("repeat the source", "baseline", psnr=18), row("big", "model", psnr=26)),
        (compared("better", "big", "repeat the source", mean=8),),
    )
    clips = tuple(
        ClipScores(
            f"clip{i}&",
            {
                first.title: {r.contender.name: {"psnr": 20.0 - i} for r in first.rows},
                second.title: {"big": {"psnr": 20.0 + i}},
            },
        )
        for i in range(3)
    )
    return Report(
        "reconstruction",
        "Every clip from its <first> frame.",
        {
            "models": {"big": "models/<big>"},
            "data": ["one/test", "two/test"],
            "every": 4,
            "scale": None,
            "nested": {"deep": [1, 2.5, True, []]},
        },
        (PSNR, LPIPS, IOU),
        (first, second),
        clips,
        (
            Sheet("clip0&", "best of 3 <by> PSNR", jpeg("red")),
            Sheet("clip2&", "worst", jpeg("blue")),
        ),
        ("Left out: one <clip>.",),
    )


def pair_report(*comparisons: Comparison, kinds: str = "baseline model") -> Report:
    """Contenders "a" and "b" of these kinds, with one metric and no clips."""
    a, b = kinds.split()
    rows = (row("a", a, psnr=1), row("b", b, psnr=2), row("c", "model", psnr=3))
    table = Table("t", "", rows, comparisons)
    return Report("cross", "", {}, (PSNR,), (table,), (), (), ())


# report.json -------------------------------------------------------------------------------


def written(report: Report, out: Path) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    write_report(report, out)
    return json.loads((out / "report.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_json_holds_what_was_given(tmp_path: Path) -> None:
    report = whole_report()
    found = written(report, tmp_path / "new" / "out")
    assert list(found) == [
        *("schema", "maskmotion", "protocol", "about", "settings"),
        *("metrics", "tables", "clips", "notes"),
    ]
    assert found["schema"] == 1
    assert found["maskmotion"] == metadata.version("maskmotion")
    assert found["protocol"] == report.protocol
    assert found["about"] == report.about
    assert found["settings"] == report.settings
    assert list(found["metrics"]) == ["psnr", "lpips", "iou"]
    metrics = [
        Metric(name, **rest | {"unfair": tuple(rest["unfair"])})
        for name, rest in found["metrics"].items()
    ]
    assert metrics == [PSNR, LPIPS, IOU]
    for ours, theirs in zip(report.tables, found["tables"], strict=True):
        assert (theirs["title"], theirs["about"]) == (ours.title, ours.about)
        for our_row, their_row in zip(ours.rows, theirs["rows"], strict=True):
            contender = Contender(their_row["contender"], their_row["kind"], their_row["about"])
            values = {name: Estimate(**value) for name, value in their_row["values"].items()}
            assert Row(contender, values) == our_row
        assert theirs["comparisons"] == [asdict(comparison) for comparison in ours.comparisons]
    assert found["clips"] == [{"clip": c.clip, "values": c.values} for c in report.clips]
    assert found["notes"] == list(report.notes)
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == [
        "report.html",
        "report.json",
    ]


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    good = Estimate(1, 0, 2, 3, 30)
    rows = (
        Row(Contender("a", "baseline", ""), {"psnr": good, "lpips": replace(good, mean=math.nan)}),
        Row(Contender("b", "model", ""), {"psnr": replace(good, low=-math.inf), "lpips": good}),
    )
    lost = Comparison("psnr", "b", "a", replace(good, high=math.inf), "worse")
    report = Report(
        "cross",
        "",
        {"scale": math.nan, "list": [1, math.inf], "deep": {"x": -math.inf, "y": 1}},
        (PSNR, LPIPS),
        (Table("t", "", rows, (lost,)),),
        (ClipScores("clip", {"t": {"a": {"psnr": math.inf, "lpips": 2}}}),),
        (),
        (),
    )
    found = written(report, tmp_path)
    (table,) = found["tables"]
    assert [list(line["values"]) for line in table["rows"]] == [["psnr"], ["lpips"]]
    assert table["comparisons"] == []
    assert found["clips"] == [{"clip": "clip", "values": {"t": {"a": {"lpips": 2}}}}]
    assert found["settings"] == {"list": [1, None], "deep": {"y": 1}}
    for text in ((tmp_path / "report.html").read_text(encoding="utf-8"), markdown(report)):
        assert not re.search(r"\b(nan|inf|infinity)\b", text, re.IGNORECASE)


def test_names_that_no_encoding_can_tell(tmp_path: Path) -> None:
    name = os.fsdecode(b"half \xe4 letter\x01")
    table = Table("t", "", (row(name, "model", psnr=1),), ())
    clips = (ClipScores(name, {"t": {name: {"psnr": 1.0}}}),)
    report = replace(pair_report(), tables=(table,), clips=clips)
    assert written(report, tmp_path)["clips"][0]["clip"] == name
    assert "half" in (tmp_path / "report.html").read_text(encoding="utf-8")


# Where it cannot be written ----------------------------------------------------------------


def test_out_is_a_file_or_below_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for out in (file, file / "below"):
        with pytest.raises(DataError, match=r"file is a file; name a folder for the report"):
            write_report(pair_report(), out)
    assert file.read_text() == "x"


def test_out_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out" / "report.json").mkdir(parents=True)
    for out in (tmp_path / "out", tmp_path / ("x" * 300)):
        with pytest.raises(MediaError, match=r"cannot be written \(.*\); choose another place"):
            write_report(pair_report(), out)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["report.json"]


def test_what_can_be_written_is_told_beforehand(tmp_path: Path) -> None:
    kept = tmp_path / "old" / "kept"
    kept.parent.mkdir()
    kept.write_text("x")
    for out in (tmp_path / "old", tmp_path / "old" / "new", tmp_path / "a" / "b" / "c"):
        require_writable(out)
    assert sorted(tmp_path.rglob("*")) == [kept.parent, kept]
    for out in (kept, kept / "below"):
        with pytest.raises(DataError, match="kept is a file; name a folder for the report"):
            require_writable(out)
    with pytest.raises(MediaError, match=r"cannot be written \(.*\); choose another place"):
        require_writable(tmp_path / "new" / ("x" * 300))
    assert kept.read_text() == "x"


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib", "torchmetrics"])
def test_without_the_extra(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"`pip install maskmotion\[eval\]`"):
        write_report(pair_report(), tmp_path)
    assert not list(tmp_path.iterdir())


# The page ----------------------------------------------------------------------------------

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Elements with their attributes, and the text between them; tags must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str, tag: str = "") -> Iterator[str]:
        for found, attributes in self.elements:
            if tag in ("", found) and name in attributes:
                yield attributes[name] or ""

    def has_class(self, name: str) -> bool:
        return any(name in value.split() for value in self.attributes("class"))


@pytest.fixture(scope="module")
def source() -> str:
    return page_html(whole_report())


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_page_needs_no_other_file(source: str, page: Page) -> None:
    assert "http:" not in source
    assert "https:" not in source
    ids = list(page.attributes("id"))
    assert len(ids) == len(set(ids))
    links = [*page.attributes("href"), *page.attributes("xlink:href")]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert all(link.startswith("#") for link in links)
    assert set(re.findall(r"url\(#([^)]+)\)", source)) <= set(ids)
    assert all(value.startswith("data:image/jpeg;base64,") for value in page.attributes("src"))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    colours = set(re.findall(r"var\((--\w[\w-]*)\)", source))
    assert colours <= set(re.findall(r"(--\w[\w-]*):", source))


def test_page_holds_the_pictures(page: Page) -> None:
    pictures = [value.split(",")[1] for value in page.attributes("src", "img")]
    assert [base64.b64decode(p) for p in pictures] == [s.jpeg for s in whole_report().sheets]
    titles = list(page.attributes("aria-label", "svg"))
    intervals = "means with intervals"
    assert titles == [
        *(f"PSNR: {intervals}", "PSNR: each clip", f"LPIPS: {intervals}"),
        *(f"IoU with driver: {intervals}", f"PSNR: {intervals}", "PSNR: each clip"),
    ]


def test_page_names_everything_and_escapes_it(source: str, page: Page) -> None:
    report = whole_report()
    for table in report.tables:
        assert table.title in page.text
        assert table.about in page.text
        for line in table.rows:
            assert line.contender.name in page.text
            assert line.contender.about in page.text
    for metric in report.metrics:
        assert metric.title in page.text
        assert metric.about in page.text
        assert metric.population in page.text
    for scores in report.clips:
        assert scores.clip in page.text
    for text in (report.about, *report.notes, *(sheet.caption for sheet in report.sheets)):
        assert text in page.text
    for setting in ("models/<big>", "one/test", "two/test", "null", "2.5", "true", "none"):
        assert setting in page.text
    for tag in ("<b>&", "<i>", "<first>", "<clip>", "<pixel>", "<by>", "<big>"):
        assert tag not in source


def test_page_shows_the_values(source: str, page: Page) -> None:
    assert "24.00 [23.50, 24.50]" in page.text
    assert "PSNR ↑ dB" in page.text.replace("\xa0", " ")
    assert "LPIPS ↓" in page.text.replace("\xa0", " ")
    best = re.findall(r"<strong>(\d+\.\d\d)</strong>", source)
    assert best == ["2.50", "26.00"]  # of the first table's models; the second has only one
    # IoU of the baseline and of one model, and the baseline on the second table's three clips
    assert page.text.count("–") == 2 + 3


def test_page_tells_where_a_value_is_of_fewer_clips() -> None:
    fewer = Row(Contender("few", "model", ""), {"psnr": Estimate(2, 1, 3, 1, 10)})
    table = Table("t", "", (row("a", "baseline", psnr=1), fewer), ())
    report = replace(pair_report(), tables=(table,))
    text = Page(page_html(report)).text
    assert "2.00 [1.00, 3.00] 1 clip, 10 frames" in text
    assert "1.00 [0.50, 1.50] few" in text
    assert "95% interval; 3 clips, 30 frames." in text
    assert [line[1] for line in cells(markdown(report))[2:]] == [
        "1.00 [0.50, 1.50]",
        "2.00 [1.00, 3.00] 1 clip, 10 frames",
    ]


def test_tables_tell_where_a_value_is_of_fewer_frames() -> None:
    fewer = Row(Contender("few", "model", ""), {"psnr": Estimate(2, 1, 3, 3, 29)})
    table = Table("t", "", (row("a", "baseline", psnr=1), fewer), ())
    report = replace(pair_report(), tables=(table,))
    assert "2.00 [1.00, 3.00] 3 clips, 29 frames" in Page(page_html(report)).text
    assert cells(markdown(report))[3][1] == "2.00 [1.00, 3.00] 3 clips, 29 frames"


def test_same_report_same_bytes(source: str, tmp_path: Path) -> None:
    write_report(whole_report(), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == source.encode()
    first = (tmp_path / "report.json").read_bytes()
    write_report(whole_report(), tmp_path)
    assert (tmp_path / "report.json").read_bytes() == first


@pytest.mark.parametrize(
    ("verdict", "kinds", "metric", "warning", "caution"),
    [
        ("worse", "baseline model", PSNR, True, False),
        ("no clear difference", "baseline model", PSNR, False, True),
        ("better", "baseline model", PSNR, False, False),
        ("too few clips", "baseline model", PSNR, False, False),
        ("worse", "model model", PSNR, False, False),
        ("worse", "bound model", PSNR, False, False),
        ("worse", "baseline baseline", PSNR, False, False),
        ("worse", "baseline model", replace(PSNR, better="neither"), False, False),
    ],
)
def test_warns_of_models_that_lose_against_a_baseline(
    verdict: Verdict, kinds: str, metric: Metric, warning: bool, caution: bool
) -> None:
    report = replace(pair_report(compared(verdict, "b", "a"), kinds=kinds), metrics=(metric,))
    page = Page(page_html(report))
    assert page.has_class("warning") == warning
    assert ("a model loses against a baseline" in page.text.lower()) == warning
    assert page.has_class("caution") == caution
    told = f"b {figures.WORDS[verdict]} a in PSNR: -1.23 dB [-1.50, -0.90], 40 clips."
    assert (told in page.text) == (metric is PSNR)
    lines = markdown(report).splitlines()
    assert (f"- **Loses against a baseline:** {told}" in lines) == warning


# Plots -------------------------------------------------------------------------------------


def marks(svg: str) -> list[tuple[float, float]]:
    """Places of the marks drawn, (x, y) from the top left."""
    uses = [attributes for tag, attributes in Page(svg).elements if tag == "use"]
    return [(float(use["x"] or ""), float(use["y"] or "")) for use in uses]


def test_interval_plot_is_to_scale() -> None:
    means = [18.0, 24.0, 30.0, 21.0]
    kinds: list[ContenderKind] = ["baseline", "model", "bound", "model"]
    rows = [
        row(f"n{i}", kind, psnr=m) for i, (m, kind) in enumerate(zip(means, kinds, strict=True))
    ]
    svg = interval_plot(rows, PSNR, "p")
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = marks(svg)
    assert x0 < x3 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=1e-3) == pytest.approx(2 * (x3 - x0), abs=1e-3)
    assert y1 - y0 == pytest.approx(y2 - y1, abs=1e-3) == pytest.approx(y3 - y2, abs=1e-3)
    assert y0 < y1
    scale = (x1 - x0) / 6
    ends = re.findall(r'"M ([\d.]+) ([\d.]+)\s+L ([\d.]+) ([\d.]+)', svg)
    across = {tuple(map(float, end)) for end in ends if end[1] == end[3]}
    for x, y in marks(svg):  # an interval reaches half a dB to each side
        assert any(
            end == pytest.approx((x - scale / 2, y, x + scale / 2, y), abs=1e-3) for end in across
        )


def test_clip_plot_shows_each_clip_sorted() -> None:
    rows = [row("a", "baseline", psnr=1), row("b", "model", psnr=1), row("c", "model", psnr=1)]
    clips = {"a": {"u": 3.0, "v": 1.0, "<w>": 2.0}, "b": {}, "c": {"u": 2.0}}
    svg = clip_plot(rows, PSNR, "p", clips)
    places = marks(svg)
    told = [text.strip() for text in Page(svg).words if re.search(r": \d$", text)]
    assert told == ["v: 1", "<w>: 2", "u: 3", "u: 2"]
    xs, ys = zip(*places, strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=1e-3)
    assert xs[0] < xs[1] == pytest.approx(xs[3], abs=1e-3)
    assert ys[0] > ys[1] > ys[2]
    assert ys[3] > ys[0]


def test_plot_draws_names_as_they_are() -> None:
    """Neither as mathematics, nor as elements; long ones on several lines."""
    names = ["$x^2$ & <b>", "people-tiny: pasted on the source by its mask"]
    text = Page(interval_plot([row(name, "model", psnr=1) for name in names], PSNR, "p")).text
    assert all(name in text for name in names)


# Tables as Markdown ------------------------------------------------------------------------


def cells(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_markdown_marks_the_best_models() -> None:
    first, second = markdown(whole_report()).split("### ")[1:]
    assert cells(first)[0] == ["", "PSNR, dB (higher)", "LPIPS (lower)", "IoU with driver"]
    assert all(re.fullmatch("-+:?", cell) for cell in cells(first)[1])
    assert cells(first)[2:] == [
        ["repeat the source (baseline)", "18.00 [17.50, 18.50]", "3.50 [3.00, 4.00]", "-"],
        [
            *('a\\<b>&"c"\'d\\|$e$ 中', "24.00 [23.50, 24.50]"),
            *("**2.50** [2.00, 3.00]", "6.00 [5.50, 6.50]"),
        ],
        ["big", "**26.00** [25.50, 26.50]", "3.00 [2.50, 3.50]", "-"],
        [
            *("true masks (bound)", "30.00 [29.50, 30.50]"),
            *("1.00 [0.50, 1.50]", "9.00 [8.50, 9.50]"),
        ],
    ]
    assert cells(second)[2:] == [
        ["repeat the source (baseline)", "18.00 [17.50, 18.50]"],
        ["big", "26.00 [25.50, 26.50]"],
    ]


def test_sentence_of_several_metrics_tells_clips_once() -> None:
    alike = [compared("worse", "b", "a"), compared("worse", "b", "a", "lpips")]
    report = replace(pair_report(*alike), metrics=(PSNR, LPIPS))
    (sentence,) = figures.sentences(report, report.tables[0])
    assert sentence.text == (
        "b is worse than a in PSNR: -1.23 dB [-1.50, -0.90]; "
        "in LPIPS: -1.23 [-1.50, -0.90], 40 clips."
    )
    fewer = replace(alike[1], difference=replace(alike[1].difference, clips=1))
    report = replace(report, tables=(replace(report.tables[0], comparisons=(alike[0], fewer)),))
    (sentence,) = figures.sentences(report, report.tables[0])
    assert sentence.text == (
        "b is worse than a in PSNR: -1.23 dB [-1.50, -0.90], 40 clips; "
        "in LPIPS: -1.23 [-1.50, -0.90], 1 clip."
    )


# Digits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "half", "places"),
    [(24.3, 0.5, 2), (0.2, 0.011, 3), (412, 30, 0), (0.9, 1e-7, 4), (24.3, 0, 2), (0, 0, 2)],
)
def test_digits(mean: float, half: float, places: int) -> None:
    assert figures.digits([Estimate(mean, mean - half, mean + half, 9, 9)]) == places


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e6))
def test_intervals_are_shown_with_two_digits_that_matter(mean: float, half: float) -> None:
    places = figures.digits([Estimate(mean, mean - half, mean + half, 9, 9)])
    assert float(figures.number(half, places)) == pytest.approx(half, rel=0.051)


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_no_negative_zero(value: float, places: int) -> None:
    shown = figures.number(value, places)
    assert float(shown) == pytest.approx(value, abs=0.5 * 10**-places + 1e-9)
    assert not re.fullmatch(r"-0\.?0*", shown)


def test_no_best_of_one_model_nor_without_direction() -> None:
    table = whole_report().tables[0]
    assert figures.best(table, PSNR) == {"big"}
    assert figures.best(table, LPIPS) == {NASTY}
    assert figures.best(table, IOU) == set()
    assert figures.best(whole_report().tables[1], PSNR) == set()
    tied = replace(table, rows=(row("a", "model", psnr=1), row("b", "model", psnr=1)))
    assert figures.best(tied, PSNR) == {"a", "b"}
