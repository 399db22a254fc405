"""Engines: what is picked, and that torch's paints what the plain model paints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from clips import corners, moving
from tiny import tiny_animator

from maskmotion import open_engine
from maskmotion.checkpoint import save_model
from maskmotion.errors import InputError, MaskMotionError, ModelError
from maskmotion.inference.engine import best_dtype
from maskmotion.inference.layers import LAYERS
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
    for given in (tmp_path / "model", str(tmp_path / "model"), "puppets-tiny"):
        engine = open_engine(given, device="cpu")
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
