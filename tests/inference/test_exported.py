"""Exported folders: what torch paints, without torch, and one sentence for what is broken."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import psnr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import tiny_animator

from maskmotion import cli, open_engine
from maskmotion.checkpoint import load_model, save_model
from maskmotion.errors import InputError, MissingExtraError, ModelError
from maskmotion.inference.engines import torch_engine
from maskmotion.inference.export import export_model
from maskmotion.inference.exported import (
    EXPORT_VERSION,
    MASK_REDUCTION,
    STAGES,
    Precision,
    Runtime,
    enlarged,
    is_exported,
    open_exported,
    to_float,
    to_uint8,
)
from maskmotion.inference.layers import LAYERS
from maskmotion.media import open_video, open_writer
from maskmotion.models import mask as mask_module
from maskmotion.models.animator import large
from maskmotion.synth.puppets import render_clip

MODEL = "robot-tiny"
SIZE = 128
COUNT = 3
LEAST_PSNR_DB = 45
FORMS: list[tuple[Runtime, Precision]] = [
    ("onnx", "float32"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
]
# Stands before the program and refuses all but what its README.md names, and what these import.
BLOCKER = """
import runpy, sys
LIBRARIES = {"onnxruntime", "numpy", "av", "PIL"}
OF_LIBRARIES = {"flatbuffers", "google", "packaging"}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names | LIBRARIES | OF_LIBRARIES | {"maskmotion"}:
            raise ImportError(f"refused {name}")
sys.meta_path.insert(0, Blocker())
folder = sys.argv.pop(1)
sys.path.insert(0, folder)
sys.argv[0] = f"{folder}/animate.py"
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    import maskmotion
    print(maskmotion.__file__)
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model, exported as a user does it."""
    folder = tmp_path_factory.mktemp("exported") / "arms"
    assert cli.main(["export", "--model", MODEL, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A source, driving frames and a background: drawn figures."""
    one, other = (
        render_clip(figure_seed=seed, motion_seed=seed, background_seed=seed, frames=9)
        for seed in (1, 2)
    )
    return one.frames[0], np.stack(list(other.frames[::4])), other.background


def apart(one: np.ndarray, other: np.ndarray) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "dtype"), FORMS, ids=str)
@pytest.mark.parametrize("background", ["none", "scene", "class", "moving"])
def test_paints_what_torch_paints(
    background: str,
    runtime: Runtime,
    dtype: Precision,
    exported: Path,
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    source, driving, scene = drawn
    still = scene if background in ("scene", "class") else None
    kind = "class" if background == "class" else "scene"
    scenes = driving[::-1].copy() if background == "moving" else None
    scale = 1.0 if background == "moving" else None
    found, wanted = (
        engine.painter(source, background=still, background_kind=kind, scale=scale).paint(
            driving, scenes
        )
        for engine in (
            open_exported(exported, runtime=runtime, dtype=dtype, threads=1),
            torch_engine(load_model(MODEL), "float32"),
        )
    )
    assert found.frames.shape == (COUNT, SIZE, SIZE, 3)
    assert found.frames.dtype == found.alphas.dtype == np.uint8
    assert set(found.layers) == set(wanted.layers)
    assert set(found.layers) <= set(LAYERS)
    pictures = {name: (found.layers[name], wanted.layers[name]) for name in wanted.layers}
    for name in ("frames", "alphas", "gates", "kept", "moved"):
        pictures[name] = getattr(found, name), getattr(wanted, name)
    for name, (one, other) in pictures.items():
        assert one.shape == other.shape, name
        if dtype == "float32":
            assert apart(one, other) <= 1, name  # the rounding of what differs by 1e-4
        else:
            assert psnr(one, other) > LEAST_PSNR_DB, name


@pytest.mark.slow
def test_a_batch_is_painted_as_its_frames_are(
    exported: Path, drawn: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    source, driving, scene = drawn
    painter = open_engine(exported).painter(source, background=scene)
    whole = painter.paint(driving)
    for index in range(COUNT):
        one = painter.paint(driving[index : index + 1])
        assert apart(one.frames[0], whole.frames[index]) <= 1


@pytest.mark.slow
def test_engines_are_opened_by_name(exported: Path) -> None:
    assert open_engine(exported).name == "ONNX Runtime, float32"
    assert open_engine(exported, engine="openvino", dtype="float32").name == "OpenVINO, float32"
    assert open_engine(exported, engine="openvino").name.startswith("OpenVINO, ")
    assert open_engine(exported).size == SIZE
    with pytest.raises(InputError, match="for bfloat16 take openvino"):
        open_engine(exported, engine="onnx", dtype="bfloat16")
    for scale in (0, 2.5):
        with pytest.raises(InputError, match="above 0 and up to 2"):
            open_engine(exported).painter(np.zeros((SIZE, SIZE, 3), np.uint8), scale=scale)


@pytest.mark.slow
def test_the_program_runs_without_torch(
    exported: Path, drawn: tuple[np.ndarray, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    source, driving, scene = drawn
    Image.fromarray(source).save(tmp_path / "me.png")
    Image.fromarray(scene).save(tmp_path / "beach.png")
    with open_writer(tmp_path / "dance.mp4", width=SIZE, height=SIZE, fps=Fraction(25)) as writer:
        for frame in driving:
            writer.write(frame)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-c", BLOCKER, exported, *words],
            cwd=tmp_path,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    words = ["--source", "me.png", "--driving", "dance.mp4", "--background", "beach.png"]
    done = run(*words, "--layers", "layers", "--out", "out/")
    assert done.returncode == 0, done.stderr
    assert "3 frames, 0.12 s (ONNX Runtime, float32)" in done.stdout
    assert str(exported / "maskmotion") in done.stdout
    assert sorted(path.name for path in (tmp_path / "layers").iterdir()) == sorted(LAYERS)
    with contextlib.chdir(tmp_path):
        words += ["--model", MODEL, "--dtype", "float32", "--out", "torch/"]
        assert cli.main(["animate", *words]) == 0
    with open_video(tmp_path / "out") as found, open_video(tmp_path / "torch") as wanted:
        for one, other in zip(found, wanted, strict=True):
            assert apart(one.image, other.image) <= 1

    broken = run("--source", "nothere.png", "--driving", "dance.mp4", "--out", "no.mp4")
    assert broken.returncode == 2
    assert broken.stderr == "animate: error: nothere.png does not exist; check the path.\n"
    assert not (tmp_path / "no.mp4").exists()


@pytest.mark.slow
def test_an_export_is_replaced_and_what_else_lies_there_stays(
    exported: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    for path in exported.iterdir():
        if path.is_file():
            (folder / path.name).hardlink_to(path)
    (folder / "mine.txt").write_text("mine")
    export_model(tiny_animator(image_size=SIZE, background_networks=False), folder, {})
    assert (folder / "mine.txt").read_text() == "mine"
    assert not list(folder.glob("background_*.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    engine = open_exported(folder)
    assert engine.painter(picture).paint(picture[None]).frames.shape == (1, SIZE, SIZE, 3)
    for paint in (
        lambda: engine.painter(picture, background=picture),
        lambda: engine.painter(picture).paint(picture[None], picture[None]),
    ):
        with pytest.raises(ModelError, match="no background networks"):
            paint()


@pytest.mark.slow
def test_a_warped_source_is_exported_too(
    tmp_path: Path, drawn: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    source, driving, scene = drawn
    settings = {"image_size": SIZE, "warp": True, "gate": True, "padded_masks": True}
    model = tiny_animator(**settings)
    assert model.warper is not None
    model.warper.final.weight.data *= 0.03
    export_model(model, tmp_path / "out", {})
    found, wanted = (
        engine.painter(source, background=scene).paint(driving)
        for engine in (open_exported(tmp_path / "out"), torch_engine(model, "float32"))
    )
    for name in ("frames", "alphas", "gates", "kept", "moved"):
        assert apart(getattr(found, name), getattr(wanted, name)) <= 1, name
    assert found.moved.max() > 10
    np.testing.assert_allclose(found.flows, wanted.flows, atol=1e-5)
    export_model(tiny_animator(image_size=SIZE), tmp_path / "out", {})
    assert not (tmp_path / "out" / "warp.onnx").exists()


def write_config(folder: Path, **changes: object) -> None:
    facts = {
        "exported": EXPORT_VERSION,
        "size": SIZE,
        "animation_scale": 0.75,
        "background_networks": False,
    }
    (folder / "config.json").write_text(json.dumps(facts | changes))


def cut_off(folder: Path, kept: int) -> None:
    """Graphs of one node, of which the last one is cut off."""
    import onnx

    node = onnx.helper.make_node("Identity", ["a"], ["b"])
    sides = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "ab"]
    graph = onnx.helper.make_graph([node], "whole", sides[:1], sides[1:])
    content = onnx.helper.make_model(graph, ir_version=9).SerializeToString()
    for name in STAGES:
        (folder / f"{name}.onnx").write_bytes(content)
    (folder / f"{STAGES[-1]}.onnx").write_bytes(content[:kept])


def plain_model(folder: Path) -> None:
    save_model(tiny_animator(image_size=SIZE), folder)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda folder: None, "is not an exported model"),
    "a plain model": (plain_model, "is not an exported model; write one with `maskmotion export"),
    "another version": (lambda folder: write_config(folder, exported=1), "in format 1"),
    "a setting is missing": (
        lambda folder: write_config(folder, size=None),
        "missing or wrong settings",
    ),
    "no graph": (write_config, "has no mask.onnx; copy the whole exported folder"),
    "an empty graph": (lambda folder: (write_config(folder), cut_off(folder, 0)), "high_res.onnx"),
    "a cut-off graph": (lambda folder: (write_config(folder), cut_off(folder, 60)), "high_res.onn"),
}


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
@pytest.mark.parametrize("name", BAD)
def test_bad_folders_are_one_sentence(name: str, runtime: Runtime, tmp_path: Path) -> None:
    make, words = BAD[name]
    make(tmp_path)
    with pytest.raises(ModelError, match=re.escape(words)) as caught:
        open_exported(tmp_path, runtime=runtime)
    assert "\n" not in str(caught.value)


def test_bad_folders_end_the_command_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(tmp_path)
    Image.new("RGB", (32, 32)).save(tmp_path / "me.png")
    Image.new("RGB", (64, 32)).save(tmp_path / "dance.png")  # two frames
    with contextlib.chdir(tmp_path):
        words = ["--source", "me.png", "--driving", "dance.png", "--out", "out.mp4", "--model", "."]
        assert cli.main(["animate", *words]) == 2
    assert "has no mask.onnx" in capsys.readouterr().err


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_runtime_that_is_missing(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path)
    cut_off(tmp_path, 0)
    library = {"onnx": "onnxruntime", "openvino": "openvino"}[runtime]
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=re.escape(f"'maskmotion[{runtime}]'")):
        open_exported(tmp_path, runtime=runtime)


def test_what_is_an_export(tmp_path: Path) -> None:
    assert not is_exported(tmp_path)
    for text in ("", "[]", "{}", "\0"):
        (tmp_path / "config.json").write_text(text)
        assert not is_exported(tmp_path)
    write_config(tmp_path, exported=99)
    assert is_exported(tmp_path)


@given(st.integers(1, 3), st.integers(1, 20), st.integers(1, 20))
def test_masks_are_enlarged_as_torch_does(batch: int, height: int, width: int) -> None:
    masks = np.random.default_rng(height).random((batch, 1, height, width), np.float32)
    assert np.abs(enlarged(masks) - large(torch.from_numpy(masks)).numpy()).max() < 1e-6
    assert MASK_REDUCTION == mask_module.MASK_REDUCTION


def test_pictures_are_rounded_to_the_nearest_level() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    pictures = to_float(levels)
    assert pictures.shape == (1, 3, 16, 16)
    for error in (-0.49 / 255, 0, 0.49 / 255):
        assert np.array_equal(to_uint8(pictures + np.float32(error)), levels)
    assert to_uint8(np.array([[[[-1.0, 2.0]]]])).tolist() == [[[[0], [255]]]]
