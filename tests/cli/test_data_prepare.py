"""`maskmotion data prepare`: what it prints and makes, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from tests.data.footage import moving_square, write

from maskmotion import cli

SHORT = ["--size", "32", "--seconds", "0.4..2"]


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    frames = moving_square(20)
    write(Path("raw/ann.mp4"), frames + [np.full_like(frames[0], 220)] * 12)
    write(Path("raw/bob.mp4"), moving_square(5, seed=1))
    Path("raw/bad.mp4").write_text("no video")
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/notes.txt").touch()
    return tmp_path


def test_what_is_made_and_told(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert cli.main(["data", "prepare", "raw", "--out", "out", *SHORT]) == 0
        printed = capsys.readouterr()
        assert printed.out.replace("\\", "/").splitlines() == [
            "ann: 1 clips in train/; dropped: 1 nothing moves",
            "bob: 0 clips; dropped: 1 too short",
            "out: 1 clips in train/, 0 in test/; look at out/preview.html",
        ]
        assert "raw/bad.mp4 is not a video" in printed.err.replace("\\", "/")
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "manifest.json",
        "preview",
        "preview.html",
        "train",
    ]
    assert cli.main(["data", "check", "out"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("gone.mp4 --out out", "gone.mp4 does not exist"),
        ("empty --out out", "there is no footage in empty"),
        ("raw/bad.mp4 --out out", "no footage could be used: raw"),
        ("raw --out full", "full holds other things"),
        ("raw --out raw", "raw holds other things"),
        ("raw --out full/notes.txt", "notes.txt is a file; name a folder"),
        ("--out out", "name the footage"),
        ("raw", "--out"),
        ("raw/ann.mp4 --out out --box 1,2", "--box takes auto, centre, or left,top,side"),
        ("raw/ann.mp4 --out out --box 10,10,60", "the box 10,10,60 is not inside"),
        ("raw --out out --seconds 5", "--seconds takes the shortest and longest"),
        ("raw --out out --seconds 5..2", "at least 5 s cannot be at most 2 s"),
        ("raw --out out --size 7", "size is 7"),
        ("raw --out out --size big", "--size"),
        ("raw --out out --test-share 2", "test_share is 2"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: str, words: str, raw: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(raw.rglob("*"))
    assert cli.main(["data", "prepare", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = (x for x in printed.err.splitlines() if x.startswith("maskmotion: "))
    assert line.startswith("maskmotion: error: ")
    assert words in line
    assert sorted(raw.rglob("*")) == before
