import json
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tests.models.tiny import pictures, tiny_animator

from maskmotion import checkpoint
from maskmotion.checkpoint import (
    count_parameters,
    describe,
    describe_model,
    in_eight_bits,
    load_folder,
    load_model,
    read_config,
    save_model,
    shipped_models,
)
from maskmotion.errors import ModelError
from maskmotion.inference.session import AnimationSession
from maskmotion.media import to_tensor
from maskmotion.models.animator import Animator
from maskmotion.synth.puppets import render_clip


def stored(folder: Path, **settings: object) -> Path:
    save_model(tiny_animator(**settings), folder)
    return folder


def weights(model: Animator) -> dict[str, torch.Tensor]:
    return {k: v for k, v in model.state_dict().items() if "num_batches_tracked" not in k}


def refusal(folder: Path | str) -> str:
    """The one sentence that loading the folder ends with."""
    with pytest.raises(ModelError) as error:
        load_model(folder)
    message = str(error.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"background_networks": False},
        {"mask_input": "none", "padded_masks": True, "threshold": 0.4, "animation_scale": 1.0},
    ],
)
def test_round_trip(tmp_path: Path, settings: dict[str, object]) -> None:
    model = tiny_animator(**settings).train()
    with torch.no_grad():
        model(pictures(2), pictures(2, seed=1))  # moves the statistics of BatchNorm
    save_model(model, tmp_path / "model")
    loaded = load_folder(tmp_path / "model")
    assert loaded.config == model.config
    assert not any(module.training for module in loaded.modules())
    assert weights(loaded).keys() == weights(model).keys()
    assert all(torch.equal(a, weights(model)[key]) for key, a in weights(loaded).items())
    model.eval()
    source, driving = pictures(1), pictures(1, seed=1)
    assert torch.equal(model(source, driving), loaded(source, driving))


def test_half_precision_rounds_all_but_the_statistics(tmp_path: Path) -> None:
    model = tiny_animator()
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand_like(value) * 1e6)  # beyond float16
    save_model(model, tmp_path / "half", dtype=torch.float16)
    save_model(model, tmp_path / "full")
    sizes = [(tmp_path / n / "model.safetensors").stat().st_size for n in ("half", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    on_disk = load_file(tmp_path / "half" / "model.safetensors")
    loaded = weights(load_folder(tmp_path / "half"))
    for key, value in weights(model).items():
        statistic = key.endswith(("running_mean", "running_var"))
        assert on_disk[key].dtype == (torch.float32 if statistic else torch.float16), key
        assert loaded[key].dtype == torch.float32
        assert torch.equal(loaded[key], value if statistic else value.half().float())


def test_saving_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    model = tiny_animator()
    before = {key: value.clone() for key, value in weights(model).items()}
    save_model(model, tmp_path, dtype=torch.float16)
    assert all(torch.equal(value, before[key]) for key, value in weights(model).items())


def test_facts_about_a_model_are_kept(tmp_path: Path) -> None:
    save_model(tiny_animator(), tmp_path, data="puppets", clips=12)
    config, about = describe(tmp_path)
    assert about == {"data": "puppets", "clips": 12}
    assert config == read_config(tmp_path) == tiny_animator().config


def test_saving_replaces_both_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    stored(tmp_path, background_networks=False)
    stored(tmp_path)
    assert load_folder(tmp_path).background_base is not None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_channels_last_weights_are_stored_as_usual(tmp_path: Path) -> None:
    model = tiny_animator().to(memory_format=torch.channels_last)
    save_model(model, tmp_path)
    loaded = weights(load_folder(tmp_path))
    assert all(torch.equal(loaded[key], value) for key, value in weights(model).items())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "there is no model" in refusal(tmp_path / "nowhere")


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    assert "config.json" in refusal(tmp_path)


def test_weights_may_not_be_missing(tmp_path: Path) -> None:
    (stored(tmp_path) / "model.safetensors").unlink()
    assert "has no model.safetensors" in refusal(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '{"schema": 1}',
        '{"model": {}}',
        '{"schema":1,"model":{},"about":3}',
        "[" * 100_000,
    ],
)
def test_a_configuration_may_not_be_broken(tmp_path: Path, text: str) -> None:
    (stored(tmp_path) / "config.json").write_text(text)
    assert "not a readable model configuration" in refusal(tmp_path)


def test_a_configuration_may_not_be_binary(tmp_path: Path) -> None:
    (stored(tmp_path) / "config.json").write_bytes(b"\xff\xfe\x00\x80")
    assert "not a readable model configuration" in refusal(tmp_path)


@pytest.mark.parametrize("schema", [2, 0, "1", None])
def test_another_schema_is_refused(tmp_path: Path, schema: object) -> None:
    path = stored(tmp_path) / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": schema}))
    assert f"schema {schema}" in refusal(tmp_path)


@pytest.mark.parametrize("change", [{"width": 0}, {"depth": 3}, {"mask_input": "both"}])
def test_settings_out_of_range_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = stored(tmp_path) / "config.json"
    data = json.loads(path.read_text())
    data["model"] |= change
    path.write_text(json.dumps(data))
    refusal(tmp_path)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_cut_off_weights_are_refused(tmp_path: Path, share: float) -> None:
    path = stored(tmp_path) / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "cannot be read" in refusal(tmp_path)


def test_weights_must_fit_the_configuration(tmp_path: Path) -> None:
    stored(tmp_path / "a")
    stored(tmp_path / "b", background_networks=False)
    (tmp_path / "b" / "model.safetensors").replace(tmp_path / "a" / "model.safetensors")
    assert "tensors differ, the first is background_base." in refusal(tmp_path / "a")


def test_weights_must_have_the_configurations_width(tmp_path: Path) -> None:
    path = stored(tmp_path) / "config.json"
    data = json.loads(path.read_text())
    data["model"]["width"] = 1 / 8
    path.write_text(json.dumps(data))
    assert "tensors differ" in refusal(tmp_path)


def test_unknown_weights_are_refused(tmp_path: Path) -> None:
    path = stored(tmp_path) / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"surplus.weight": torch.zeros(1)}, path)
    assert "1 tensors differ, the first is surplus.weight" in refusal(tmp_path)


def test_a_training_run_is_a_model_folder(tmp_path: Path) -> None:
    stored(tmp_path / "model", threshold=0.4)
    assert load_model(tmp_path).config.threshold == 0.4
    assert load_model(str(tmp_path)).config.threshold == 0.4


def test_a_model_is_described_as_it_is_found(tmp_path: Path) -> None:
    save_model(tiny_animator(threshold=0.4), tmp_path / "model", step=7)
    for place in (tmp_path, tmp_path / "model", str(tmp_path)):
        assert describe_model(place) == (tiny_animator(threshold=0.4).config, {"step": 7})
    config, about = describe_model("robot-tiny")
    assert (config.image_size, list(about)) == (128, ["card"])
    with pytest.raises(ModelError, match="there is no model 'nothere'"):
        describe_model("nothere")


def test_weights_are_counted(tmp_path: Path) -> None:
    model = tiny_animator()
    save_model(model, tmp_path, dtype=torch.float16)
    assert count_parameters(tmp_path) == sum(weight.numel() for weight in model.parameters())
    (tmp_path / "model.safetensors").write_bytes(b"cut")
    assert count_parameters(tmp_path) is None
    (tmp_path / "model.safetensors").unlink()
    assert count_parameters(tmp_path) is None


def test_an_unknown_name_lists_the_shipped_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "shipped_models", lambda: ["people", "robots"])
    assert "people, robots" in refusal("puppets")
    monkeypatch.setattr(checkpoint, "shipped_models", list)
    assert "none is shipped" in refusal("puppets")


def test_a_shipped_model_is_loaded_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def shipped():
        yield tmp_path / "weights"

    stored(tmp_path / "weights" / "mine", threshold=0.4)
    (tmp_path / "weights" / "not-a-model").mkdir()
    monkeypatch.setattr(checkpoint, "shipped_folder", shipped)
    monkeypatch.chdir(tmp_path)
    assert shipped_models() == ["mine"]
    assert load_model("mine").config.threshold == 0.4


def test_every_shipped_model_loads_and_animates() -> None:
    for name in shipped_models():
        model = load_model(name)
        size = model.config.image_size
        with torch.no_grad():
            out = model(pictures(1, size, size), pictures(1, size, size, seed=1))
        assert torch.isfinite(out).all()


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)),
    scale=st.sampled_from([0.0, 1e-6, 1.0, 300.0]),
    seed=st.integers(0, 99),
)
def test_eight_bits_are_off_by_half_a_step(
    shape: tuple[int, int, int, int], scale: float, seed: int
) -> None:
    weight = scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    whole, step = in_eight_bits(weight)
    assert whole.dtype == torch.int8
    assert step.shape == (shape[0], 1, 1, 1)
    largest = weight.abs().amax((1, 2, 3), keepdim=True)
    assert ((whole * step - weight).abs() <= largest / 254 * 1.001 + 1e-30).all()
    assert torch.allclose((whole * step).abs().amax((1, 2, 3), keepdim=True), largest, rtol=1e-5)


def test_wide_convolutions_have_coarser_steps() -> None:
    for count, levels in ((9_999, 127), (10_000, 31), (249_999, 31), (250_000, 7)):
        weight = torch.randn(1, count, 1, 1, generator=torch.Generator().manual_seed(count))
        whole, step = in_eight_bits(weight)
        assert int(whole.abs().max()) == levels
        assert ((whole * step - weight).abs() <= weight.abs().max() / (2 * levels) * 1.001).all()


def test_a_model_in_eight_bits(tmp_path: Path) -> None:
    """As trained: the shipped weights are in eight bits already."""
    model = load_model("people-tiny")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + 0.01 * torch.randn(weight.shape, generator=generator))
    for name, dtype in (("half", torch.float16), ("eight", torch.int8)):
        save_model(model, tmp_path / name, dtype=dtype)
    half, eight = (tmp_path / name / "model.safetensors" for name in ("half", "eight"))
    assert eight.stat().st_size < 0.52 * half.stat().st_size
    packed = [len(zlib.compress(file.read_bytes(), 1)) for file in (half, eight)]
    assert packed[1] < 0.4 * packed[0]
    assert count_parameters(tmp_path / "eight") == count_parameters(tmp_path / "half")
    loaded = load_model(tmp_path / "eight")
    assert {x.dtype for x in loaded.state_dict().values()} <= {torch.float32, torch.int64}
    clips = [render_clip(figure_seed=n, motion_seed=n, background_seed=n, frames=1) for n in (5, 6)]
    source, driving = (to_tensor([clip.frames[0]]) for clip in clips)
    with torch.inference_mode():
        made = [AnimationSession(m, source, background=source.flip(3)) for m in (loaded, model)]
        eight_bit, exact = (session.animate(driving) for session in made)
    for one, other in (
        (eight_bit.animation.high_res, exact.animation.high_res),
        (eight_bit.frames, exact.frames),
    ):
        error = (one - other).square().mean()
        assert -10 * error.log10() > 36  # a whole model errs by about three grey levels


def test_eight_bits_without_their_steps_do_not_fit(tmp_path: Path) -> None:
    save_model(tiny_animator(), tmp_path, dtype=torch.int8)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors["stranger.weight_step"] = torch.ones(1)
    del tensors["refiner.final.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"the first is refiner\.final\.weight"):
        load_model(tmp_path)
