"""`maskmotion evaluate`, from clips to a report."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.evaluation.conftest import truth_set, write_clips
from tests.evaluation.extras import needs_faces
from tests.evaluation.known import SIZE
from tests.evaluation.weights import write_weights
from tiny import tiny_animator

from maskmotion import cli
from maskmotion.checkpoint import save_model
from maskmotion.evaluation.protocols import ELSEWHERE, THAT_MOTION

__all__ = ["truth_set", "write_clips"]  # fixtures
WriteClips = Callable[..., Path]


@pytest.fixture
def desk(tmp_path: Path, write_clips: WriteClips, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with clips/, models m/ and n/, scene.png, and LPIPS' weights/."""
    write_clips(3, frames=5)
    save_model(tiny_animator(image_size=SIZE), tmp_path / "m")
    save_model(tiny_animator(1, image_size=SIZE), tmp_path / "n")
    Image.new("RGB", (SIZE, SIZE), (20, 200, 20)).save(tmp_path / "scene.png")
    write_weights(tmp_path / "weights")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def evaluate(protocol: str, *words: str, data: Path | str = "clips") -> int:
    common = ["--data", str(data), "--lpips-weights", "weights", "--device", "cpu"]
    return cli.main(["evaluate", "--protocol", protocol, "--model", "m", *common, *words])


@pytest.mark.parametrize("protocol", ["reconstruction", "cross", "background"])
def test_a_report_is_written(protocol: str, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--backgrounds", "scene.png"] if protocol == "background" else []
    assert evaluate(protocol, "--model", "n", "--out", "report", "--every", "2", *words) == 0
    written = json.loads((desk / "report" / "report.json").read_text())
    assert written["protocol"] == protocol
    assert len(written["clips"]) == 3
    contenders = {row["contender"] for row in written["tables"][0]["rows"]}
    assert {"repeat the source", "m: animated, pasted"} & contenders
    assert {name.split(":")[0] for name in contenders} == {"repeat the source", "m", "n"}
    page = (desk / "report" / "report.html").read_text()
    printed = capsys.readouterr()
    for name in contenders:
        assert name in page
        assert name in printed.out
    assert "evaluating: 3/3" in printed.err


def test_truth_that_is_there_is_not_rendered(
    desk: Path, truth_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor could it be: what would be rendered is of another size."""
    before = {path: path.stat().st_mtime_ns for path in truth_set.rglob("*")}
    words = ["--every", "9", "--out", "report"]
    assert evaluate("truth", *words, "--clips", "2", data=truth_set) == 0
    written = json.loads((desk / "report" / "report.json").read_text())
    assert [table["title"] for table in written["tables"]] == [THAT_MOTION, ELSEWHERE]
    assert [clip["clip"] for clip in written["clips"]] == ["c0000 (body)", "c0001 (body)"]
    assert "rendering" not in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in truth_set.rglob("*")} == before
    assert evaluate("truth", *words, "--clips", "3", data=truth_set) == 2
    assert "settings" in capsys.readouterr().err


@needs_faces
@pytest.mark.parametrize("protocol", ["reconstruction", "cross"])
def test_faces(protocol: str, desk: Path, testdata: Path) -> None:
    words = ["--clips", "2", "--every", "50", "--faces", "--out", "report"]
    assert evaluate(protocol, *words, data=testdata / "clips" / "faces") == 0
    written = json.loads((desk / "report" / "report.json").read_text())
    rows = {row["contender"]: row["values"] for row in written["tables"][0]["rows"]}
    still = rows["repeat the source"]
    assert still["mkr"]["mean"] == 0  # every frame shows a face, and so does the first
    assert still["akd"]["frames"] == still["aed"]["frames"] == still["mkr"]["frames"] > 2
    assert 0.5 < still["akd"]["mean"] < 40
    if protocol == "cross":
        assert still["aed"]["mean"] == pytest.approx(0, abs=1e-6)
    else:
        assert 0.05 < still["aed"]["mean"] < 0.6
    assert rows["m: animated"]["aed"]["mean"] > still["aed"]["mean"]


def test_without_a_folder_the_tables_are_printed(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(desk.iterdir())
    assert evaluate("reconstruction", "--clips", "2", "--every", "4") == 0
    assert "| repeat the source" in capsys.readouterr().out
    assert sorted(desk.iterdir()) == before


WRONG = {
    "clips that are not there": (["--data", "missing"], "no folder of clips"),
    "a file for a folder": (["--data", "scene.png"], "it is a file"),
    "no clips": (["--clips", "0"], "--clips is a number from 1"),
    "no frames": (["--every", "0"], "--every is a number from 1"),
    "a negative scale": (["--scale", "-1"], "--scale lies above 0"),
    "a model that is not there": (["--model", "missing"], "no model 'missing'"),
    "the same model twice": (["--model", "m"], "the same --model is given twice"),
    "the same model, spelt otherwise": (["--model", "./n/../m"], "the same --model is given twice"),
    "models of two sizes, before data": (
        ["--model", "large", "--data", "missing"],
        "128 and 256 px",
    ),
    "weights that are not there": (["--lpips-weights", "missing"], "missing"),
    "no device": (["--device", "abacus"], "no device"),
    "a report where a file is": (["--out", "scene.png"], "scene.png is a file"),
    "a report below a file": (["--out", "scene.png/report"], "scene.png is a file"),
    "backgrounds without need": (["--backgrounds", "scene.png"], "--backgrounds"),
    "no backgrounds": (["--protocol", "background"], "--backgrounds FOLDER goes with"),
    "faces of truth": (["--protocol", "truth", "--faces"], "--faces goes with --protocol"),
    "training clips": (["--data", "set"], "has no test/ to evaluate on"),
    "truth among clips": (["--protocol", "truth"], "holds other things"),
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_what_cannot_be_done_is_one_sentence(
    words: tuple[list[str], str], desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = {
        "--protocol": "reconstruction", "--data": "clips", "--lpips-weights": "weights",
        "--device": "cpu",
    }  # fmt: skip
    given, message = words
    options = dict(zip(given[::2], [*given[1::2], ""], strict=False))
    models = ["--model", "m"] + (
        ["--model", options.pop("--model")] if "--model" in options else []
    )
    line = [word for pair in (arguments | options).items() for word in pair if word]
    save_model(tiny_animator(image_size=2 * SIZE), desk / "large")
    (desk / "set" / "train").mkdir(parents=True)
    before = sorted(desk.rglob("*"))
    assert cli.main(["evaluate", *models, *line]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert message in error[0]
    assert sorted(desk.rglob("*")) == before


def test_the_tables_are_printed_before_they_are_written(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "report" / "report.html").mkdir(parents=True)
    assert evaluate("reconstruction", "--clips", "1", "--out", "report") == 2
    printed = capsys.readouterr()
    assert "| repeat the source" in printed.out
    assert "report.html cannot be written" in printed.err.splitlines()[-1]


def test_a_missing_extra_is_named(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)  # as if it were not installed
    assert evaluate("reconstruction", "--out", "report") == 1
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert "`pip install maskmotion[eval]`" in error
    assert not (desk / "report").exists()


def test_lpips_that_cannot_be_fetched_is_left_out_aloud(
    desk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(desk / "torch"))
    monkeypatch.setattr("maskmotion.evaluation.lpips.ALEXNET_URL", "file:///nowhere/a.pth")
    words = ["--model", "m", "--data", "clips", "--clips", "1", "--device", "cpu"]
    assert cli.main(["evaluate", "--protocol", "reconstruction", *words]) == 0
    printed = capsys.readouterr()
    assert "LPIPS was left out" in printed.out
    assert "--lpips-weights" in printed.err
