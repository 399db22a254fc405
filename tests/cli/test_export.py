"""`maskmotion export`: what it prints and writes, and what it refuses."""

import json
from pathlib import Path

import pytest
from tiny import tiny_animator

from maskmotion import cli
from maskmotion.checkpoint import load_folder, save_model
from maskmotion.inference.exported import open_exported

SIZE = 128
BAD = {
    "no folder": ("", "--out"),
    "unknown model": ("--out new --model nothere", "there is no model 'nothere'"),
    "unknown format": ("--out new --format tflite", "--format"),
    "no model": ("--out new --model empty", "empty is not a model folder"),
    "into a model": ("--out model", "model holds other files; name a new folder"),
    "into a file": ("--out file.txt", "file.txt is a file; name a folder"),
    "below a file": ("--out file.txt/new", "file.txt is a file; name a folder"),
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("file.txt").touch()
    model = tiny_animator(image_size=SIZE, background_networks=False)
    save_model(model, Path("run/model"), licence="CC0")
    save_model(model, Path("model"))
    return tmp_path


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = BAD[name]
    before = sorted(workplace.rglob("*"))
    assert cli.main(["export", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("maskmotion: error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert sorted(workplace.rglob("*")) == before


@pytest.mark.slow
def test_a_run_is_exported(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "--model", "run", "--out", "deep/er"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{Path('deep/er')}: exported run, ")
    assert printed.out.count("\n") == 1
    assert printed.err == ""
    folder = Path("deep/er")
    assert {path.name for path in folder.iterdir()} == {
        *("mask.onnx", "refine.onnx", "low_res.onnx", "high_res.onnx"),
        *("config.json", "README.md", "animate.py", "maskmotion"),
    }
    about = json.loads((folder / "config.json").read_text())["about"]
    assert about == {"model": "run", "licence": "CC0"}
    config = load_folder(Path("run/model")).config
    engine = open_exported(folder)
    assert engine.size == SIZE
    assert engine.config.animation_scale == config.animation_scale
    assert not engine.config.background_networks
