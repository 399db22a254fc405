"""`maskmotion data pack`: what it prints, and what it refuses."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.data.footage import write_truth

from maskmotion import cli
from maskmotion.media import open_writer


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two clips, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4"):
        path = tmp_path / "clips" / name
        with open_writer(path, width=64, height=64, fps=Fraction(25)) as writer:
            for index in range(5):
                writer.write(np.full((64, 64, 3), 20 * index, np.uint8))
    return Path("clips")


def test_a_pack_is_told_in_one_line(clips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clips / "c.mp4").write_bytes(b"no video")
    assert cli.main(["data", "pack", str(clips), "--out", "pack", "--size", "128"]) == 0
    told = capsys.readouterr()
    assert told.out == "pack: 2 clips (2 new), 10 frames of 128 px, 1 MB; 1 left out\n"
    assert told.err.startswith("left out: ")
    assert "c.mp4" in told.err
    (clips / "c.mp4").unlink()
    write_truth(clips / "a.mp4", np.zeros((5, 64, 64), np.uint8))
    assert cli.main(["data", "pack", str(clips), "--out", "pack", "--size", "128"]) == 0
    told = capsys.readouterr().out
    assert told == "pack: 2 clips (1 new), 10 frames of 128 px, 1 clips with alpha, 1 MB\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("nowhere --out pack", "there is no folder of clips nowhere"),
        ("clips --out clips", "clips holds the clips to be packed; give another --out"),
        ("clips --out clips/a.mp4", "a.mp4 is a file; name a folder"),
        ("clips --out pack --size 100", "--size takes a model.image_size, a multiple of 128 px"),
        ("clips --out pack --size 0", "--size takes a model.image_size, a multiple of 128 px"),
        ("clips --out pack --jobs 0", "--jobs takes a number from 1, not 0"),
        ("clips", "--out"),
        ("--out pack", "FOLDERS"),
    ],
)
def test_what_cannot_be_done(
    clips: Path, arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "pack", *arguments.split()]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not Path("pack").exists()


def test_training_on_a_pack_of_another_size(
    clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "pack", str(clips), "--out", "pack", "--size", "256"]) == 0
    assert cli.main(["train", "--data", "pack", "--out", "run", "--preset", "tiny"]) == 2
    told = capsys.readouterr().err
    assert "is packed at 256 px but model.image_size is 128; pack again with --size 128" in told
    assert not Path("run").exists()
