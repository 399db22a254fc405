"""`maskmotion synth people`: what it prints, and what it refuses."""

import functools
import io
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from tests.synth.people.standin import StandIn

from maskmotion import cli
from maskmotion.cli import steps, synth_people
from maskmotion.synth.people.dataset import make_people

SHORT = ["--size", "64", "--frames", "4", "--jobs", "1"]


@pytest.fixture(autouse=True)
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and disks for people."""
    monkeypatch.chdir(tmp_path)
    make = functools.partial(make_people, renderer=StandIn)
    monkeypatch.setattr(synth_people, "make_people", make)


def test_what_is_made_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["synth", "people", "--out", "out", "--seed", "3", *SHORT]
    assert cli.main([*command, "--clips", "2"]) == 0
    told = capsys.readouterr()
    assert told.out.replace("\\", "/") == (
        "out: 2 clips (2 new) of 4 frames and 64 px; train with --data out/clips\n"
    )
    first, second, last = told.err.splitlines()
    assert first.startswith("starting; ")
    assert second == "rendering"
    assert last.startswith("rendering: 2/2, ")
    assert last.endswith(" frames/s")
    assert cli.main([*command, "--clips", "2", "--other-people", "1", "--other-scenes", "1"]) == 0
    assert "2 clips (0 new)" in capsys.readouterr().out
    others = Path("out/counterfactuals/p00001")
    assert sorted(path.name for path in others.glob("*.mp4")) == ["person-1.mp4", "scene-1.mp4"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--clips 0", "clips is 0"),
        ("--clips -1", "clips is -1"),
        ("--clips 1000000000", "clips is 1000000000"),
        ("--clips many", "--clips"),
        ("--seed -4", "seed is -4"),
        ("--framing feet", "--framing"),
        ("--size 63", "size is 63"),
        ("--size 8", "size is 8"),
        ("--size 100000", "size is 100000"),
        ("--fps 0", "fps is 0"),
        ("--frames 1", "frames is 1"),
        ("--jobs 0", "jobs is 0"),
        ("--other-people 12", "other_people is 12"),
        ("--other-scenes 12", "other_scenes is 12"),
        ("--backgrounds gone", "there is no folder of backgrounds gone"),
        ("--backgrounds empty", "there are no pictures in empty"),
        ("--backgrounds broken", "bad.png is not a picture"),
        ("--out full", "full holds other things"),
        ("--out full/notes.txt", "notes.txt is a file; name a folder"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("empty", "broken", "full"):
        Path(name).mkdir()
    Path("broken/bad.png").write_text("no picture")
    Path("full/notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    given = {"--out": "out", "--clips": "2", "--seed": "1"}
    flag, value = arguments.split()
    words_given = [word for pair in (given | {flag: value}).items() for word in pair]
    assert cli.main(["synth", "people", *words_given]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = (x for x in told.err.splitlines() if x.startswith("maskmotion: "))
    assert line.startswith("maskmotion: error: ")
    assert words in line.replace("\\", "/")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("flag", ["--out", "--clips", "--seed"])
def test_what_must_be_given(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"--out": "out", "--clips": "2", "--seed": "1"}
    del given[flag]
    words = [word for pair in given.items() for word in pair]
    assert cli.main(["synth", "people", *words]) == 2
    assert flag in capsys.readouterr().err
    assert not Path("out").exists()


def test_another_seed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["synth", "people", "--out", "out", "--clips", "1", *SHORT]
    assert cli.main([*command, "--seed", "3"]) == 0
    assert cli.main([*command, "--seed", "4"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "maskmotion: error: out was made with seed 3; use the same settings or another folder"
    )


def test_backgrounds_are_checked_aloud(capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos").mkdir()
    for number in range(3):
        Image.new("RGB", (70, 70)).save(f"photos/{number}.png")
    command = ["synth", "people", "--out", "out", "--clips", "1", "--seed", "3", *SHORT]
    assert cli.main([*command, "--backgrounds", "photos"]) == 0
    assert capsys.readouterr().err.splitlines()[:2] == [
        "checking backgrounds",
        "checking backgrounds: 3/3",
    ]


def test_speed_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(steps.time, "monotonic", lambda: now)
    screen = steps.Steps(frames=96)
    screen.console = Console(file=io.StringIO(), width=200)
    with screen:
        for done in range(101):
            screen.show("rendering", done, 100)
            now += 6.0
    lines = screen.console.file.getvalue().splitlines()
    assert lines[0] == "rendering"
    assert lines[1] == "rendering: 11/100, 16.0 frames/s, 9 min left"
    assert lines[-1] == "rendering: 100/100, 16.0 frames/s"
    assert 9 <= len(lines) <= 12
