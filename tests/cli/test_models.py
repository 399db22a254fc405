"""`maskmotion models`: one line a model, of whatever state, or all about one."""

import importlib
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from tests.test_card import a_card
from tiny import tiny_animator

from maskmotion import cli
from maskmotion.card import card_text
from maskmotion.checkpoint import count_parameters, describe, save_model, shipped_models

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OFFLINE = "there is no folder owner/name, no such model in the cache, and the Hugging Face hub"
BAD = {
    "missing": ("nothere", "there is no model 'nothere'; give a model folder, owner/name of"),
    "a path": ("./no/there", "there is no model './no/there'; give a model folder"),
    "a file": ("file.txt", "there is no model 'file.txt'; give a model folder"),
    "without models": ("empty", "empty holds no model; give a folder that `maskmotion train`"),
    "one of two missing": (". nothere", "there is no model 'nothere'"),
    "not in the cache": ("owner/name", OFFLINE),
    "no such schema": ("runs/later", "has schema 99"),
    "a broken card": ("runs/odd", "the model's card is broken (name: Field required; "),
    "unknown option": ("--all", "--all"),
}


def changed(folder: str, **facts: object) -> None:
    path = Path(folder) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    importlib.reload(constants)  # it reads the environment once
    Path("empty").mkdir()
    Path("file.txt").touch()
    model = tiny_animator(image_size=128)
    facts = {"licence": "CC0 [bold]", "data": "words " * 30}
    save_model(model, Path("runs/deep/er/model"), **facts)
    save_model(tiny_animator(image_size=128, background_networks=False), Path("runs/plain"))
    for name in ("runs/later", "runs/odd", "runs/cut"):
        save_model(model, Path(name))
    changed("runs/later", schema=99)
    changed("runs/odd", about={"card": {}})
    Path("runs/cut/model.safetensors").write_bytes(b"cut")
    yield tmp_path
    monkeypatch.undo()
    importlib.reload(constants)


def cached(name: str) -> None:
    """Put a model where huggingface_hub would."""
    folder = Path("hf/hub") / f"models--{name.replace('/', '--')}"
    save_model(
        tiny_animator(image_size=128, gate=True), folder / "snapshots" / COMMIT, card=a_card()
    )
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(COMMIT)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["models", *words]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "\x1b" not in printed.out
    return printed.out


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
    printed = told(capsys, "runs")
    head, *lines = printed.splitlines()
    titles = ["model", "class", "licence", "size", "parameters", "background swap", "gate", "about"]
    assert head.split() == " ".join(titles).split()
    assert [line.split()[0] for line in lines[: len(shipped_models())]] == shipped_models()
    assert re.search(r"robot arms .* +CC-BY-4.0 +128 px +11.3 M +yes +yes ", printed)
    assert re.search(r"people-tiny \(default\) .* 256 px +11.3 M +yes +yes ", printed)
    cut, deep, later, odd, plain = lines[len(shipped_models()) :]
    assert "model.safetensors cannot be read; copy the folder again" in cut
    assert deep.split()[:6] == [str(Path("runs/deep/er/model")), "128", "px", "0.5", "M", "yes"]
    assert "licence: CC0 [bold]; data: words words" in deep
    assert "has schema 99" in later
    assert "the model's card is broken" in odd
    assert plain.split()[:6] == [str(Path("runs/plain")), "128", "px", "0.4", "M", "no"]


def test_models_of_the_hub_are_listed(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = told(capsys).splitlines()
    assert len(before) == 1 + len(shipped_models())
    cached("acme/arms")
    *others, line = told(capsys).splitlines()
    assert len(others) == len(before)
    assert re.fullmatch(r" acme/arms +robot arms +CC-BY-4.0 +128 px +0.5 M +yes +yes *", line)
    assert told(capsys, "acme/arms").startswith("# arms\n")


def test_all_about_models(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("runs/deep/er/model")
    text = card_text("runs/deep/er", *describe(folder), count_parameters(folder))
    assert told(capsys, "runs/deep/er") == text
    both = told(capsys, "robot-tiny", "runs/deep/er")
    assert both.startswith("# robot-tiny\n")
    assert both.endswith("\n\n" + text)
    assert "**Not for.** planning" in both
    mixed = told(capsys, "runs/deep/er", "runs/deep")
    assert mixed.startswith(" model ")
    assert str(folder) in mixed
    assert mixed.endswith(text)


def test_letters_that_a_terminal_lacks(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed("runs/plain", about={"data": "café \ud800\x1b[31m\u202e"})
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    assert cli.main(["models", "runs", "runs/plain"]) == 0
    printed = screen.buffer.getvalue().decode()
    assert "data: caf? [31m" in printed
    assert re.search(r"^\| data +\| caf\? \[31m +\|$", printed, re.MULTILINE)
