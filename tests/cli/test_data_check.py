"""`maskmotion data check`: what it prints, writes and refuses."""

import json
from pathlib import Path

import pytest
from tests.data.footage import moving_square, panning, write

from maskmotion import cli
from maskmotion.data.check import KINDS


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(Path("clips/train/good"), moving_square(side=128))
    write(Path("clips/train/pan"), panning(side=128))
    write(Path("clips/test/small"), moving_square(seed=1))
    Path("clips/test/broken.mp4").write_text("no video")
    Path("empty").mkdir()
    Path("file.txt").touch()
    return tmp_path


def test_a_report(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(clips.rglob("*"))
    assert cli.main(["data", "check", "clips"]) == 0
    printed = capsys.readouterr()
    lines = [line.replace("\\", "/") for line in printed.out.splitlines()]
    assert [line.split(":")[0] for line in lines[:3]] == [
        "clips/train/pan",
        "clips/test/broken.mp4",
        "clips/test/small",
    ]
    assert "moving-camera (" in lines[0]
    for kind in ("broken", "moving-camera", "small"):
        row = f"{kind} 1 {'yes' if KINDS[kind].dropped else 'no'} "
        assert any(" ".join(line.split()).startswith(row) for line in lines[3:])
    assert not any(line.split()[:2] == ["static", "0"] for line in lines)
    assert lines[-1] == (
        "4 clips (2 in train and 2 in test): 3 with trouble, 2 to drop, 2 to train with"
    )
    assert printed.err == ""
    assert sorted(clips.rglob("*")) == before


def test_lists_for_people_and_tools(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", "clips", "--out", "drop.txt", "--keep", "moving-camera"]) == 0
    lines = Path("drop.txt").read_text().splitlines()
    assert [Path(x) for x in lines if x[0] != "#"] == [Path("clips/test/broken.mp4")]
    assert "1 to drop, 3 to train with" in capsys.readouterr().out
    assert cli.main(["data", "check", "clips", "--out", "new/all.json"]) == 0
    rows = json.loads(Path("new/all.json").read_text())["clips"]
    assert [row["dropped"] for row in rows] == [False, True, True, False]


def test_moving_what_would_be_dropped(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", "clips", "--move", "aside"]) == 0
    assert "aside: 2 clips moved there" in capsys.readouterr().out
    moved = sorted(p.relative_to("aside").as_posix() for p in Path("aside").glob("*/*/*"))
    assert moved == ["clips/test/broken.mp4", "clips/train/pan"]
    assert cli.main(["data", "check", "clips"]) == 0
    assert "0 to drop, 2 to train with" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("nowhere", "there is no folder of clips nowhere; check the path, which is seen from"),
        ("empty", "there are no clips in empty"),
        ("file.txt", "there is no folder of clips file.txt; it is a file, so name the folder"),
        ("", "name one or more folders"),
        ("clips --keep small", "--keep takes broken, too-short"),
        ("clips --move file.txt", "file.txt is a file; --move takes a folder"),
        ("clips --out empty", "empty is a folder; --out takes a file"),
        ("clips --out file.txt/drop.txt", "cannot be written"),
        ("clips --nonsense", "--nonsense"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: str, words: str, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(clips.rglob("*"))
    assert cli.main(["data", "check", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("maskmotion: error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert sorted(clips.rglob("*")) == before
