"""Export: each graph gives what torch gives, and nothing is overwritten that is no export."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from test_parity import converted
from tests.inference.test_engine import trained
from tiny import tiny_animator
from torch import Tensor

from maskmotion.checkpoint import save_model
from maskmotion.config import ModelConfig
from maskmotion.errors import InputError, ModelError
from maskmotion.inference.engine import fast
from maskmotion.inference.export import (
    Stage,
    check_target,
    export_graph,
    export_model,
    perturb_by_tensor,
    readme,
    stages_of,
)
from maskmotion.inference.graph_blocks import use_graph_blocks
from maskmotion.models.animator import Animator
from maskmotion.models.perturb import perturb_for_animation

EXACT = 1e-4
SIZE = 128
THRESHOLD = 60 / 255
BACKGROUND = ["background_compose", "background_base", "background_refine"]
VARIANTS: list[tuple[dict[str, object], list[str]]] = [
    ({}, ["mask", "refine", "low_res"]),
    ({"padded_masks": True, "mask_skips": True}, ["mask", "refine"]),
    ({"gate": True, "mask_input": "none"}, ["high_res", *BACKGROUND]),
    ({"mask_input": "soft"}, BACKGROUND[:2]),
    ({"warp": True, "gate": True}, ["warp", "high_res"]),
]


def graphs_of(model: Animator) -> Animator:
    """A copy with graph blocks, on which stages are exported."""
    graphs = Animator(model.config)
    graphs.load_state_dict(model.state_dict())
    use_graph_blocks(graphs.eval().requires_grad_(False))
    return graphs


def stage_inputs(stage: Stage, size: int, batch: int, *, still: int) -> list[Tensor]:
    """Random pictures; `still` of those of which one may go with a batch."""
    generator = torch.Generator().manual_seed(batch + still)
    shapes = [
        [1] if shape is None else shape.of(size, still if shape.is_still else batch)
        for shape in stage.inputs.values()
    ]
    return [torch.rand(shape, generator=generator) for shape in shapes]


@torch.no_grad()
def by_torch(model: Animator, stage: Stage, inputs: list[Tensor], batch: int) -> list[Tensor]:
    repeated = [x.expand(batch, -1, -1, -1) if x.ndim == 4 else x for x in inputs]
    return list(stage.compute(model, *repeated))


def by_runtime(path: Path, stage: Stage, inputs: list[Tensor]) -> list[np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {name: x.numpy() for name, x in zip(stage.inputs, inputs, strict=True)}
    return session.run(list(stage.outputs), feed)


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "names"), VARIANTS, ids=str)
def test_graphs_give_what_torch_gives(
    settings: dict[str, object], names: list[str], tmp_path: Path
) -> None:
    model = trained(tiny_animator(image_size=SIZE, **settings))
    graphs = graphs_of(model)
    for stage in stages_of(model.config):
        if stage.name not in names:
            continue
        path = tmp_path / f"{stage.name}.onnx"
        export_graph(graphs, stage, path)
        for batch, still in ((1, 1), (3, 1), (3, 3)):
            inputs = stage_inputs(stage, SIZE, batch, still=still)
            wanted = by_torch(model, stage, inputs, batch)
            found = by_runtime(path, stage, inputs)
            for (name, shape), one, other in zip(stage.outputs.items(), found, wanted, strict=True):
                assert list(one.shape) == shape.of(SIZE, batch), name
                assert one.std() > 0.01, name  # something was painted
                assert np.abs(one - other.numpy()).max() < EXACT, name
        if stage.name == "refine":
            unscaled = [*inputs[:3], torch.ones(1)]
            perturbed = by_runtime(path, stage, unscaled)[0]
            assert np.array_equal(perturbed, np.where(inputs[2] > THRESHOLD, inputs[2], 0))


@pytest.mark.slow
def test_graphs_of_the_released_networks_give_what_torch_gives(
    testdata: Path, tmp_path: Path
) -> None:
    """The published sizes, each stage from what torch made of the stored pictures before it."""
    model = converted(testdata / "parity", tmp_path)
    golden = load_file(testdata / "parity" / "golden.safetensors")
    graphs = graphs_of(model)
    made: dict[str, Tensor] = {"scale": torch.tensor([model.config.animation_scale])}
    for kind, picture in (("source", "source"), ("background", "third"), ("driving", "driving")):
        made[kind] = golden[picture]
        with torch.no_grad():
            state = model.encode_source(golden[picture])
        made |= {f"{kind}_mask": state.mask, f"small_{kind}": state.small}
    made |= {"picture": made["driving"], "background_small": made["small_background"]}
    for stage in stages_of(model.config):
        path = tmp_path / f"{stage.name}.onnx"
        export_graph(graphs, stage, path)
        inputs = [made[name] for name in stage.inputs]
        wanted = by_torch(model, stage, inputs, 1)
        found = by_runtime(path, stage, inputs)
        path.unlink()
        for name, one, other in zip(stage.outputs, found, wanted, strict=True):
            assert np.abs(one - other.numpy()).max() < EXACT, name
            made[name] = other
        made |= {"animated": made.get("high_res", made["source"])}


@given(scale=st.floats(0.2, 2), seed=st.integers(0, 99))
def test_scaling_by_a_tensor_is_scaling_by_a_number(scale: float, seed: int) -> None:
    mask = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(seed))
    found = perturb_by_tensor(mask, THRESHOLD, torch.tensor([scale]))
    torch.testing.assert_close(
        found, perturb_for_animation(mask, THRESHOLD, scale), rtol=0, atol=1e-5
    )


def test_a_scale_of_one_is_exact() -> None:
    mask = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    found = perturb_by_tensor(mask, THRESHOLD, torch.ones(1))
    assert torch.equal(found, perturb_for_animation(mask, THRESHOLD, 1.0))


def test_the_readme_tells_of_every_graph() -> None:
    for backgrounds in (False, True):
        settings = {"background_networks": backgrounds, "warp": not backgrounds}
        config = tiny_animator(image_size=SIZE, **settings).config
        stages = stages_of(config)
        text = readme(config, stages, {"licence": "CC0"})
        assert "- licence: CC0" in text
        assert ("background_refine.onnx" in text) == backgrounds
        for stage in stages:
            assert f"**{stage.name}.onnx**" in text
            for name in (*stage.inputs, *stage.outputs):
                assert f"`{name}`" in text


def test_what_is_no_export_is_left_alone(tmp_path: Path) -> None:
    model = tiny_animator(image_size=SIZE)
    save_model(model, tmp_path / "model")
    (tmp_path / "file").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for target, words in (
        ("model", "holds other files"),
        ("file", "is a file"),
        ("file/below", "is a file"),
    ):
        with pytest.raises(InputError, match=words):
            export_model(model, tmp_path / target, {})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_failed_export_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.json").write_text(json.dumps({"exported": 1}))
    check_target(tmp_path / "old")
    with pytest.raises(TypeError, match="JSON"):
        export_model(tiny_animator(image_size=SIZE), tmp_path / "old", {"no JSON": object()})
    assert [path.name for path in tmp_path.rglob("*")] == ["old", "config.json"]


def test_models_that_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="export the model that it was made from"):
        export_model(fast(tiny_animator(image_size=SIZE)), tmp_path / "out", {})
    with torch.device("meta"):
        wide = Animator(ModelConfig(width=4, image_size=SIZE))
    with pytest.raises(ModelError, match="a graph at most 2"):
        export_model(wide, tmp_path / "out", {})
    assert not list(tmp_path.iterdir())
