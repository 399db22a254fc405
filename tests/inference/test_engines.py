"""Engines: what is picked, and that torch's paints what the plain model paints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from clips import corners, moving
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import tiny_animator

from maskmotion import animate, open_engine
from maskmotion.checkpoint import save_model
from maskmotion.errors import InputError, MaskMotionError, ModelError
from maskmotion.inference.engine import best_dtype
from maskmotion.inference.layers import LAYERS
from maskmotion.inference.painter import BATCH_FRAMES, Lazy, batch_frames
from maskmotion.inference.session import Animated, AnimationSession
from maskmotion.media import to_tensor, to_uint8
from maskmotion.media.fit import Square, cut
from maskmotion.models.animator import Animator, large

SIZE = 128
COUNT = 3


@pytest.fixture(scope="module")
def model() -> Animator:
    return tiny_animator(image_size=SIZE)


def squares(count: int) -> np.ndarray:
    return np.stack([cut(frame, Square(0, 0, 32), SIZE) for frame in moving(count)])


SOURCE = cut(corners(40, 64), Square(12, 0, 40), SIZE)
SCENE = cut(corners(64, 64)[::-1], Square(0, 0, 64), SIZE)


def plainly(model: Animator, scenes: np.ndarray | None, **settings: object) -> Animated:
    session = AnimationSession(model, to_tensor([SOURCE]), **settings)
    return session.animate(
        to_tensor(list(squares(COUNT))), None if scenes is None else to_tensor(list(scenes))
    )


def apart(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("background", ["none", "scene", "class", "moving"])
def test_paints_what_the_plain_model_paints(background: str, model: Animator) -> None:
    still = SCENE if background in ("scene", "class") else None
    kind = "class" if background == "class" else "scene"
    scenes = squares(COUNT)[::-1].copy() if background == "moving" else None
    wanted = plainly(
        model,
        scenes,
        background=None if still is None else to_tensor([still]),
        background_kind=kind,
        scale=0.9,
    )
    engine = open_engine(model, dtype="float32", device="cpu")
    painter = engine.painter(SOURCE, background=still, background_kind=kind, scale=0.9)
    painted = painter.paint(squares(COUNT), scenes)
    assert painted.frames.shape == (COUNT, SIZE, SIZE, 3)
    assert apart(painted.frames, to_uint8(wanted.frames)) <= 1
    assert apart(painted.alphas, to_uint8(wanted.alpha)[..., 0]) <= 1
    pictures = {
        "driving_mask": large(wanted.animation.driving_mask),
        "perturbed_mask": large(wanted.animation.perturbed_mask),
        "refined_mask": large(wanted.animation.refined_mask),
        "low_res": wanted.animation.low_res,
        "high_res": wanted.animation.high_res,
    }
    if wanted.swap is not None:
        pictures |= {
            "background_base": wanted.swap.base,
            "background_refined": wanted.swap.refined,
        }
    assert set(painted.layers) == set(pictures) <= set(LAYERS)
    for name, picture in pictures.items():
        assert apart(painted.layers[name], to_uint8(picture)) <= 1
    assert (wanted.swap is None) == (background == "none")


def test_a_background_needs_its_networks() -> None:
    engine = open_engine(tiny_animator(image_size=SIZE, background_networks=False))
    with pytest.raises(ModelError, match="no background networks"):
        engine.painter(SOURCE, background=SCENE)
    with pytest.raises(ModelError, match="no background networks"):
        engine.painter(SOURCE).paint(squares(1), squares(1))


def test_auto_takes_the_best_dtype(model: Animator) -> None:
    picked = str(best_dtype(torch.device("cpu"))).removeprefix("torch.")
    assert open_engine(model, device="cpu").name == f"torch on cpu, {picked}"
    for dtype in ("float32", "bfloat16"):
        assert open_engine(model, dtype=dtype).name == f"torch on cpu, {dtype}"


def test_folders_and_names(model: Animator, tmp_path: Path) -> None:
    save_model(model, tmp_path / "model")
    for name in (tmp_path / "model", str(tmp_path / "model"), "robot-tiny"):
        engine = open_engine(name, device="cpu")
        assert engine.size == SIZE
        assert engine.batch_frames >= 1


def test_large_squares_come_in_smaller_batches() -> None:
    batches = [
        open_engine(tiny_animator(image_size=size), dtype="float32").batch_frames
        for size in (128, 256, 1024)
    ]
    assert batches == [8, 2, 1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"engine": "tensorrt"}, "engine is one of auto, torch, onnx, openvino"),
        ({"dtype": "float16"}, "dtype one of auto, float32, bfloat16"),
        ({"engine": "onnx"}, "onnx runs exported models; write one with `maskmotion export"),
        ({"device": "tpu"}, "no device 'tpu' here"),
        ({"model": "nobody"}, "no model 'nobody'"),
    ],
)
def test_what_cannot_be_had(settings: dict[str, str], words: str) -> None:
    with pytest.raises(MaskMotionError) as error:
        open_engine(**settings)
    assert words in str(error.value)


def test_a_loaded_model_runs_on_torch(model: Animator) -> None:
    with pytest.raises(InputError, match="a loaded model runs on torch, not on onnx"):
        open_engine(model, engine="onnx")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"device": "cuda"}, "runs on the processor, not on cuda"),
        ({"engine": "torch"}, "runs on onnx or openvino, not on torch"),
        ({}, "exported in format 0"),
        ({"device": "cpu"}, "exported in format 0"),
    ],
)
def test_what_an_exported_folder_is_not_run_on(
    settings: dict[str, str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"exported": 0}')
    with pytest.raises(InputError) as error:
        open_engine(tmp_path, **settings)
    assert words in str(error.value)


@pytest.mark.parametrize("settings", [{"engine": "torch"}, {"dtype": "float32"}, {"device": "cpu"}])
def test_an_opened_engine_stays_what_it_is(
    settings: dict[str, str], model: Animator, tmp_path: Path
) -> None:
    Image.fromarray(SOURCE).save(tmp_path / "source.png")
    Image.fromarray(np.hstack(squares(2))).save(tmp_path / "driving.png")
    files = tmp_path / "source.png", tmp_path / "driving.png"
    engine = open_engine(model)
    with pytest.raises(InputError, match="an opened engine has its dtype and device"):
        animate(*files, tmp_path / "out", model=engine, **settings)
    assert not (tmp_path / "out").exists()
    assert animate(*files, tmp_path / "out", model=engine).frames == 2


@given(size=st.integers(1, 4096), most_px=st.integers(0, 2**24))
def test_a_batch_is_as_large_as_may_be(size: int, most_px: int) -> None:
    count = batch_frames(size, most_px)
    assert 1 <= count <= BATCH_FRAMES
    assert count == 1 or count * size**2 <= most_px
    assert count == BATCH_FRAMES or (count + 1) * size**2 > most_px


def test_layers_are_made_when_asked_for() -> None:
    made: list[str] = []

    def maker(name: str) -> np.ndarray:
        made.append(name)
        return np.full(2, len(made))

    layers = Lazy({name: lambda name=name: maker(name) for name in ("one", "two")})
    assert (list(layers), len(layers), "one" in layers, made) == (["one", "two"], 2, True, [])
    assert "three" not in layers
    assert [layers["two"][0], layers["two"][0], made] == [1, 2, ["two", "two"]]
    with pytest.raises(KeyError):
        layers["three"]


def test_a_batch_is_painted_as_its_frames_are(model: Animator) -> None:
    """Still and moving backgrounds: frame n of a batch is painted on scene n."""
    painter = open_engine(model, dtype="float32").painter(SOURCE, background=SCENE)
    driving, scenes = squares(COUNT), squares(COUNT)[::-1].copy()
    for given_scenes in (None, scenes):
        together = painter.paint(driving, given_scenes)
        for index in range(COUNT):
            part = slice(index, index + 1)
            alone = painter.paint(driving[part], None if given_scenes is None else scenes[part])
            assert apart(together.frames[part], alone.frames) <= 1
            assert apart(together.alphas[part], alone.alphas) <= 1
    on_scenes, on_still = painter.paint(driving, scenes), painter.paint(driving)
    assert apart(on_scenes.frames, on_still.frames) > 10  # given scenes are taken, and only then


def test_a_model_stays_where_it_is_and_as_it_is(model: Animator) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    open_engine(model, dtype="bfloat16").painter(SOURCE).paint(squares(1))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("scale", [0, -1, 2.1, float("nan")])
def test_scales_out_of_range(scale: float, model: Animator) -> None:
    with pytest.raises(InputError, match="above 0 and up to 2"):
        open_engine(model, dtype="float32").painter(SOURCE, scale=scale)


def test_an_unknown_kind_of_background(model: Animator) -> None:
    with pytest.raises(InputError, match="scene or class, not 'sky'"):
        open_engine(model, dtype="float32").painter(SOURCE, background_kind="sky")
