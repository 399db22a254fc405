"""Evaluations whose figures are known beforehand, and what networks of random weights make."""

import shutil
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.conftest import moving_square
from tests.evaluation.known import SIZE
from tiny import tiny_animator

from maskmotion.data.pack import pack_clips
from maskmotion.errors import DataError
from maskmotion.evaluation import protocols
from maskmotion.evaluation.cases import (
    Batch,
    RenderedCase,
    SameClip,
    crossed,
    evaluation_clips,
    on_backgrounds,
)
from maskmotion.evaluation.evaluate import Tools, evaluate
from maskmotion.evaluation.lpips import LPIPS
from maskmotion.evaluation.measures import L1_CHANGED, Measure, Output, against
from maskmotion.evaluation.protocols import (
    REPEAT,
    REPEATED,
    SAME,
    Form,
    Protocol,
    Run,
    Shown,
    Task,
    contender_name,
    repeated,
)
from maskmotion.evaluation.results import Estimate, Metric, Report, Row, Table
from maskmotion.inference.engine import fast
from maskmotion.media import save_png
from maskmotion.models.animator import Animator
from maskmotion.synth.people.truth import read_truth

WriteClips = Callable[..., Path]
FORM = "offset"


@pytest.fixture(scope="module")
def model() -> Animator:
    return tiny_animator(image_size=SIZE)


def offset_protocol(folder: Path, offset: Callable[[Batch], float]) -> Protocol:
    """A "model" that shows the truth, each frame off by a known step."""
    task = Task(
        *("task", "", {REPEAT: REPEATED, FORM: Form("model", "", rivals=(REPEAT,))}),
        (*against(attrgetter("target"), "the truth")[:3], L1_CHANGED),
        {"source": lambda batch: batch.source},
    )

    def perform(run: Run, batch: Batch) -> Shown:
        return {"task": {FORM: Output(batch.target + offset(batch))}}

    return Protocol(
        "reconstruction",
        "",
        [SameClip(c) for c in evaluation_clips(folder)],
        {"task": task},
        perform,
    )


SIX_CLIPS = [moving_square(seed, 11) for seed in range(6)]


def row(table: Table, name: str) -> Row:
    return next(row for row in table.rows if row.contender.name == name)


def test_figures_are_those_that_were_put_in(write_clips: WriteClips, model: Animator) -> None:
    report = evaluate({"m": model}, offset_protocol(write_clips(3), lambda _: -0.1), every=2)
    values = row(report.tables[0], f"m: {FORM}").values
    assert values["l1"].mean == pytest.approx(0.1, abs=1e-5)
    assert values["psnr"].mean == pytest.approx(20, abs=1e-3)
    assert (values["l1"].low, values["l1"].high) == pytest.approx((0.1, 0.1), abs=1e-5)
    assert (values["l1"].clips, values["l1"].frames) == (3, 15)
    assert values["l1_changed"].frames == 15


def test_repeating_the_source_is_measured_by_hand(write_clips: WriteClips, model: Animator) -> None:
    report = evaluate({"m": model}, offset_protocol(write_clips(2, 9), lambda _: 0.0), every=1)
    clips = [moving_square(seed, 9) / 255 for seed in range(2)]
    expected = [np.abs(clip[1:] - clip[:1]).mean() for clip in clips]
    found = [clip.values["task"][REPEAT]["l1"] for clip in report.clips]
    assert found == pytest.approx(expected, abs=1e-6)
    assert row(report.tables[0], REPEAT).values["l1"].mean == pytest.approx(np.mean(expected))


def test_a_model_that_shows_the_truth_beats_the_baseline(
    write_clips: WriteClips, model: Animator
) -> None:
    report = evaluate({"m": model}, offset_protocol(write_clips(5), lambda _: 0.0))
    verdicts = {c.metric: c.verdict for c in report.tables[0].comparisons}
    assert verdicts["l1"] == verdicts["psnr"] == "better"
    assert "l1_changed" not in verdicts  # chosen by the baseline's own error
    report = evaluate({"m": model}, offset_protocol(write_clips(5), lambda _: 0.5))
    assert {c.verdict for c in report.tables[0].comparisons if c.metric == "l1"} == {"worse"}


def test_two_models_are_compared_with_one_another(write_clips: WriteClips, model: Animator) -> None:
    other = tiny_animator(1, image_size=SIZE)
    report = evaluate(
        {"m": model, "n": other}, offset_protocol(write_clips(3), lambda _: 0.0), every=5
    )
    pairs = {(c.contender, c.against) for c in report.tables[0].comparisons}
    m, n = contender_name(FORM, "m"), contender_name(FORM, "n")
    assert pairs == {(m, REPEAT), (n, REPEAT), (n, m)}


LEVEL = Measure(
    Metric("level", "level", "", "higher", "frames of which it is known", ""),
    lambda seen: seen.output.picture[:, 0, 0, 0].where(seen.output.picture[:, 0, 0, 0] > 0, np.nan),
)


def levels_protocol(folder: Path, own: list[float], other: list[float]) -> Protocol:
    """A "model" and its baseline whose frames have these levels; zero is not known."""
    forms = {"other": Form("baseline", ""), FORM: Form("model", "", rivals=("other",))}
    task = Task("task", "", forms, (LEVEL,), {"source": lambda batch: batch.source})

    def perform(run: Run, batch: Batch) -> Shown:
        now = slice(batch.number - 1, batch.number - 1 + len(batch.driving))
        return {
            "task": {
                name: Output(torch.tensor(levels[now]).view(-1, 1, 1, 1).expand_as(batch.driving))
                for name, levels in {FORM: own, "other": other}.items()
            }
        }

    cases = [SameClip(clip) for clip in evaluation_clips(folder)]
    return Protocol("reconstruction", "", cases, {"task": task}, perform)


def test_contenders_are_compared_on_the_frames_that_both_have(
    write_clips: WriteClips, model: Animator
) -> None:
    own, other = [3.0, 0.0, 9.0, 0.0], [1.0, 5.0, 0.0, 0.0]
    report = evaluate({"m": model}, levels_protocol(write_clips(5, 5), own, other), every=1)
    (found,) = report.tables[0].comparisons
    assert found.difference == Estimate(2, 2, 2, 5, 5)  # of the first frame of each clip
    assert found.verdict == "better"
    assert row(report.tables[0], f"m: {FORM}").values["level"] == Estimate(6, 6, 6, 5, 10)
    assert row(report.tables[0], "m: other").values["level"] == Estimate(3, 3, 3, 5, 10)


def test_contenders_without_a_common_frame_are_not_compared(
    write_clips: WriteClips, model: Animator
) -> None:
    own, other = [3.0, 0.0], [0.0, 5.0]
    report = evaluate({"m": model}, levels_protocol(write_clips(5, 3), own, other), every=1)
    assert report.tables[0].comparisons == ()


def test_clips_of_one_identity_are_drawn_together(write_clips: WriteClips, model: Animator) -> None:
    folder = write_clips(6)
    table = evaluate({"m": model}, offset_protocol(folder, lambda _: 0.0)).tables[0]
    assert {c.verdict for c in table.comparisons} == {"better"}
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"{'aaabbb'[number]}#{number}.mkv")
    of_two = evaluate({"m": model}, offset_protocol(folder, lambda _: 0.0)).tables[0]
    assert {c.verdict for c in of_two.comparisons} == {"too few clips"}
    apart, together = (row(t, REPEAT).values["l1"] for t in (table, of_two))
    values = [np.abs(c[4::4] / 255 - c[:1] / 255).mean() for c in SIX_CLIPS]
    assert apart.mean == together.mean == pytest.approx(np.mean(values))
    ends = sorted((np.mean(values[:3]), np.mean(values[3:])))
    assert (together.low, together.high) == pytest.approx(ends)
    assert apart.low < together.low


def test_the_sheets_are_the_best_the_median_and_the_worst(
    write_clips: WriteClips, model: Animator
) -> None:
    def offset(batch: Batch) -> float:
        return float(batch.source.mean() * 7 % 1) * 0.3  # another one for each clip

    report = evaluate({"m": model}, offset_protocol(write_clips(5), offset), every=4)
    values = {c.clip: c.values["task"][f"m: {FORM}"]["l1"] for c in report.clips}
    ranked = sorted(values, key=lambda name: values[name])
    assert [sheet.clip for sheet in report.sheets] == [ranked[0], ranked[2], ranked[4]]
    assert ["best" in report.sheets[0].caption, "worst" in report.sheets[2].caption] == [True] * 2
    assert all(sheet.jpeg.startswith(b"\xff\xd8") for sheet in report.sheets)


def test_a_broken_clip_is_left_out_and_named(write_clips: WriteClips, model: Animator) -> None:
    folder = write_clips(2)
    (folder / "z#1.mp4").write_bytes(b"no video")
    progress: list[tuple[int, int]] = []
    report = evaluate(
        {"m": model},
        offset_protocol(folder, lambda _: 0.0),
        progress=lambda done, total: progress.append((done, total)),
    )
    assert len(report.clips) == 2
    assert [note for note in report.notes if "z#1.mp4" in note]
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_a_broken_packed_clip_is_left_out_and_named(
    write_clips: WriteClips, model: Animator, tmp_path: Path
) -> None:
    pack_clips([write_clips(2)], tmp_path / "packed", size=SIZE)
    folder = tmp_path / "packed" / "train"
    broken = sorted(folder.iterdir())[0]
    broken.write_bytes(b"no clip")
    report = evaluate({"m": model}, offset_protocol(folder, lambda _: 0.0))
    assert [clip.clip for clip in report.clips] == [sorted(folder.iterdir())[1].name]
    (note,) = report.notes
    assert note.startswith("Left out: ")
    assert broken.name in note


def test_an_incomplete_case_of_truth_is_left_out_and_named(
    truth_set: Path, model: Animator, tmp_path: Path
) -> None:
    shutil.copytree(truth_set, tmp_path / "truth")
    first, second = read_truth(tmp_path / "truth")
    shutil.copy(second.folder / "source.png", first.folder / "driving.mkv")  # of one frame
    protocol = protocols.truth([RenderedCase(first), RenderedCase(second)])
    report = evaluate({"m": model}, protocol, every=9)
    assert [clip.clip for clip in report.clips] == ["c0001 (body)"]
    assert [note for note in report.notes if "c0000 has 1 frames in place of 10" in note]


def test_nothing_but_broken_clips_is_an_error(tmp_path: Path, model: Animator) -> None:
    (tmp_path / "z.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"nothing could be evaluated.*z\.mp4"):
        evaluate({"m": model}, offset_protocol(tmp_path, lambda _: 0.0))


def test_models_of_two_sizes_are_refused(write_clips: WriteClips, model: Animator) -> None:
    larger = tiny_animator(image_size=2 * SIZE)
    with pytest.raises(DataError, match="128 and 256 px"):
        evaluate({"m": model, "n": larger}, offset_protocol(write_clips(1), lambda _: 0.0))


# The networks ------------------------------------------------------------------------------


def names(report: Report, table: int = 0) -> list[str]:
    return [row.contender.name for row in report.tables[table].rows]


def test_reconstruction_runs_the_networks_both_ways(
    write_clips: WriteClips, model: Animator
) -> None:
    cases = [SameClip(clip) for clip in evaluation_clips(write_clips(1, 3))]
    protocol = protocols.reconstruction(cases)
    report = evaluate({"m": model}, protocol, every=1)
    assert names(report) == [
        REPEAT,
        *(f"m: {form}" for form in list(protocol.tasks[SAME].forms)[1:]),
    ]
    batch = next(cases[0].batches(SIZE, 1))
    with torch.inference_mode():
        state = model.encode_source(batch.source)
        expected = {
            "m: reconstructed": model.reconstruct(state, batch.driving).high_res,
            "m: animated": model.animate(state, batch.driving).high_res,
        }
    for name, picture in expected.items():
        error = float((picture - batch.driving).abs().mean())
        assert row(report.tables[0], name).values["l1"].mean == pytest.approx(error, rel=1e-5)


@pytest.fixture(params=["reconstruction", "cross", "truth", "background"])
def any_protocol(
    request: pytest.FixtureRequest, write_clips: WriteClips, truth_set: Path, tmp_path: Path
) -> Protocol:
    clips = evaluation_clips(write_clips(2, 9))
    if request.param == "truth":
        return protocols.truth([RenderedCase(read_truth(truth_set)[0])])
    if request.param == "cross":
        return protocols.cross(crossed(clips))
    if request.param == "background":
        save_png(tmp_path / "scene.png", moving_square(7, 1)[0])
        return protocols.background(on_backgrounds(clips, tmp_path / "scene.png"))
    return protocols.reconstruction([SameClip(clip) for clip in clips])


def figures(report: Report) -> dict[tuple[str, str, str], float]:
    """(Table, contender, metric) -> mean."""
    return {
        (table.title, row.contender.name, metric): value.mean
        for table in report.tables
        for row in table.rows
        for metric, value in row.values.items()
    }


def test_an_engine_has_the_figures_of_its_model(any_protocol: Protocol, model: Animator) -> None:
    tools = Tools(LPIPS())
    plain, engine = (
        figures(evaluate({"m": runs}, any_protocol, every=4, tools=tools))
        for runs in (model, fast(model))
    )
    assert plain == pytest.approx(engine, rel=1e-3, abs=1e-4)


def test_scale_reaches_the_networks(write_clips: WriteClips, model: Animator) -> None:
    cases = [SameClip(clip) for clip in evaluation_clips(write_clips(1, 3))]
    protocol = protocols.reconstruction(cases)
    found = [
        row(evaluate({"m": model}, protocol, every=1, scale=scale).tables[0], "m: animated")
        for scale in (None, model.config.animation_scale, 0.3)
    ]
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_pasting_keeps_what_the_mask_leaves_out() -> None:
    alpha = torch.zeros(1, 1, 4, 4)
    alpha[..., :2] = 1
    alpha[..., 2] = 0.25
    picture, background = torch.full((1, 3, 4, 4), 0.8), torch.full((1, 3, 4, 4), 0.4)
    result = protocols.pasted(picture, alpha, background)
    assert result[0, 0, 0].tolist() == pytest.approx([0.8, 0.8, 0.5, 0.4])


def test_repeating_takes_no_notice_of_the_driver() -> None:
    batch = Batch(0, torch.full((1, 3, 8, 8), 0.3), torch.rand(4, 3, 8, 8))
    assert repeated(batch).picture.shape == (4, 3, 8, 8)
    assert bool((repeated(batch).picture == 0.3).all())
