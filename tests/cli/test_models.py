"""`maskmotion models`: one line a model, of whatever state."""

import json
from pathlib import Path

import pytest
from tiny import tiny_animator

from maskmotion import cli
from maskmotion.checkpoint import save_model, shipped_models

BAD = {
    "missing": ("nothere", "there is no folder nothere; give one that holds model folders"),
    "a file": ("file.txt", "there is no folder file.txt"),
    "without models": ("empty", "empty holds no model; give a folder that `maskmotion train`"),
    "one of two missing": (". nothere", "there is no folder nothere"),
    "unknown option": ("--all", "--all"),
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("file.txt").touch()
    facts = {"licence": "CC0 [bold]", "data": "words " * 30}
    save_model(tiny_animator(image_size=128), Path("runs/deep/er/model"), **facts)
    save_model(tiny_animator(image_size=128, background_networks=False), Path("runs/plain"))
    save_model(tiny_animator(image_size=128), Path("runs/later"))
    config = Path("runs/later/config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"schema": 99}))
    return tmp_path


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = BAD[name]
    assert cli.main(["models", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("maskmotion: error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err


def test_one_line_a_model(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "runs"]) == 0
    printed = capsys.readouterr()
    head, *lines = printed.out.splitlines()
    assert head.split() == ["model", "size", "width", "background", "swap", "about"]
    assert [line.split()[0] for line in lines[: len(shipped_models())]] == shipped_models()
    deep, later, plain = lines[len(shipped_models()) :]
    assert deep.split()[:5] == [str(Path("runs/deep/er/model")), "128", "px", "0.0625", "yes"]
    assert "licence: CC0 [bold]; data: words words" in deep
    assert "has schema 99" in later
    assert plain.split()[:5] == [str(Path("runs/plain")), "128", "px", "0.0625", "no"]
    assert printed.err == ""
    assert "\x1b" not in printed.out
