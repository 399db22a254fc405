"""`maskmotion convert`: what it prints and writes, and what it refuses."""

import zipfile
from pathlib import Path

import pytest
import torch
from tiny import tiny_animator

from maskmotion import cli
from maskmotion.checkpoint import describe, load_folder

BAD = {
    "missing": ("nothere.pth", "there is no checkpoint file nothere.pth"),
    "a folder": ("folder", "there is no checkpoint file folder"),
    "text": ("text.pth", "text.pth is not a checkpoint of plain weights"),
    "empty": ("empty.pth", "empty.pth is not a checkpoint of plain weights"),
    "cut off": ("cut.pth", "cut.pth is not a checkpoint of plain weights"),
    "another archive": ("archive.pth", "archive.pth is not a checkpoint of plain weights"),
    "holds code": ("code.pth", "code.pth is not a checkpoint of plain weights"),
    "of other networks": ("other.pth", "it lacks generator and mask_generator"),
    "a list": ("list.pth", "list.pth is not a Perturbed Masks checkpoint"),
    "unknown key": ("keys.pth", "the checkpoint's generator has the unknown key strange.weight"),
    "out is a file": ("other.pth --out text.pth", "text.pth is a file; --out takes a folder"),
    "out below a file": ("other.pth --out text.pth/new", "text.pth is a file; --out takes"),
    "unknown class": ("other.pth --class cats", '--class. Choose from: "faces", "bodies"'),
    "no class": ("other.pth", "--class"),
    "no checkpoint": ("", "checkpoint"),
}


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("text.pth").write_text("no weights\n")
    Path("empty.pth").touch()
    torch.save({"state_dict": {"a": torch.zeros(2)}}, "other.pth")
    torch.save([torch.zeros(2)], "list.pth")
    torch.save({"generator": {"strange.weight": torch.zeros(1)}, "mask_generator": {}}, "keys.pth")
    torch.save({"generator": Path("x").absolute}, "code.pth")
    Path("cut.pth").write_bytes(Path("other.pth").read_bytes()[:500])
    with zipfile.ZipFile("archive.pth", "w") as archive:
        archive.writestr("notes.txt", "no weights")
    return tmp_path


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, words = BAD[name]
    if "--out" not in arguments:
        arguments += " --out new/model"
    if "--class" not in arguments and name != "no class":
        arguments += " --class bodies"
    before = sorted(workplace.rglob("*"))
    assert cli.main(["convert", *arguments.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("maskmotion: error: ")
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert sorted(workplace.rglob("*")) == before


@pytest.mark.parametrize("swap", [True, False])
def test_a_model_folder_is_written(
    swap: bool,
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The conversion itself is tested beside its module; it takes networks of full size."""
    thresholds = []

    def convert_checkpoint(path: Path, *, threshold: float) -> object:
        thresholds.append(threshold)
        return tiny_animator(image_size=128, background_networks=swap)

    monkeypatch.setattr("maskmotion.cli.convert.convert_checkpoint", convert_checkpoint)
    for kind in ("faces", "bodies", "robots"):
        out = Path("new") / kind
        assert cli.main(["convert", "other.pth", "--class", kind, "--out", str(out)]) == 0
        config, about = describe(out)
        assert config.background_networks == swap
        assert about["converted_from"] == "other.pth"
        load_folder(out)
    assert [round(threshold * 255) for threshold in thresholds] == [100, 60, 60]
    printed = capsys.readouterr()
    with_or_without = "with" if swap else "without"
    words = f"new/faces: converted other.pth, {with_or_without} background networks\n"
    assert printed.out.startswith(words.replace("/", str(Path("/"))))
    assert printed.err == ""
