"""The engine: what the plain model computes, block by block and as a whole."""

import re
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from test_parity import ONE_NETWORK, chains, converted, differences, single_networks
from tiny import WIDTH, pictures, tiny_animator
from torch import Tensor, nn
from torch.nn import functional as F

from maskmotion.checkpoint import load_model, save_model
from maskmotion.errors import InputError, ModelError
from maskmotion.inference import fast_blocks
from maskmotion.inference.engine import best_dtype, fast, is_fast
from maskmotion.inference.fast_blocks import (
    Convolution,
    FastDown,
    FastDownsample,
    FastFinal,
    FastHourglass,
    FastResidual,
    FastSame,
    FastUp,
    FastUps,
    Phases,
    black_outside,
    join,
    join_phases,
    laid_out,
)
from maskmotion.inference.session import AnimationSession
from maskmotion.media import to_tensor
from maskmotion.models.animator import Animator
from maskmotion.models.blocks import (
    AntiAliasDownsample,
    DownBlock,
    Hourglass,
    ResidualBlock,
    SameBlock,
    UpBlock,
)
from maskmotion.models.warp import Warper
from maskmotion.synth.puppets import render_clip

EXACT = 1e-4
LEAST_PSNR_DB = 45
LEAST_GATE_PSNR_DB = 40  # a gate weighs pictures that differ by less than it does
F32 = torch.float32

Module = TypeVar("Module", bound=nn.Module)
channels = st.integers(1, 20)
sides = st.integers(1, 9)
batches = st.integers(1, 3)


def trained(module: Module, seed: int = 0) -> Module:
    """In evaluation mode, with weights and statistics that no fold can get right by luck."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.weight.data.normal_(generator=generator)  # also negative
            part.bias.data.normal_(generator=generator)
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.2, 3, generator=generator)
        elif isinstance(part, nn.Conv2d):
            deviation = part.weight[0].numel() ** -0.5
            part.weight.data.normal_(0, deviation, generator=generator)
            part.bias.data.normal_(0, 0.2, generator=generator)
    for part in module.modules():
        if isinstance(part, Warper):  # so that pixels are fetched from inside the picture
            part.final.weight.data *= 0.03
    return module.eval().requires_grad_(False)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def assert_same(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=2e-5)


@given(channels, channels, batches, sides, sides)
def test_down(ins: int, outs: int, batch: int, height: int, width: int) -> None:
    block = trained(DownBlock(ins, outs))
    x = noise(batch, ins, 2 * height, 2 * width)
    assert_same(FastDown(block, F32)(laid_out(x, F32)), block(x))


@given(channels, channels, batches, sides, sides, st.integers(0, 5))
def test_up(ins: int, outs: int, batch: int, height: int, width: int, extra: int) -> None:
    block = trained(UpBlock(ins, outs))
    x = noise(batch, ins, height, width)
    skip = noise(batch, extra, 2 * height, 2 * width) if extra else None
    found = join(Phases(FastUp(block, F32)(laid_out(x, F32)), skip))
    wanted = block(x) if skip is None else torch.cat([block(x), skip], dim=1)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert_same(found, wanted)


@given(channels, channels, batches, sides, sides)
def test_same(ins: int, outs: int, batch: int, height: int, width: int) -> None:
    block = trained(SameBlock(ins, outs))
    x = noise(batch, ins, height, width)
    assert_same(FastSame(block, F32)(x), block(x))


@given(channels, batches, sides, sides)
def test_residual(count: int, batch: int, height: int, width: int) -> None:
    block = trained(ResidualBlock(count))
    x = noise(batch, count, height, width)
    given_x = laid_out(x, F32).clone()
    assert_same(FastResidual(block, F32)(given_x), block(x))
    assert torch.equal(given_x, x)


@given(channels, channels, batches, sides, sides)
def test_ups(ins: int, outs: int, batch: int, height: int, width: int) -> None:
    blocks = trained(nn.Sequential(UpBlock(ins, outs), UpBlock(outs, ins)))
    x = noise(batch, ins, height, width)
    assert_same(join(FastUps(blocks, F32)(laid_out(x, F32))), blocks(x))


@given(st.integers(1, 6), st.integers(1, 8), st.integers(1, 4), st.booleans(), batches, sides)
def test_hourglass(
    ins: int, expansion: int, levels: int, skips: bool, batch: int, side: int
) -> None:
    glass = trained(Hourglass(ins, expansion, 4 * expansion, skips=skips, levels=levels))
    x = noise(batch, ins, 2**levels, side * 2**levels)
    assert_same(join(FastHourglass(glass, F32)(x)), glass(x))


@given(
    own=channels,
    extra=st.integers(0, 6),
    outs=st.integers(1, 4),
    padding=st.sampled_from([0, 3]),
    batch=batches,
    height=st.integers(4, 9),
    width=st.integers(4, 9),
)
def test_final(
    own: int, extra: int, outs: int, padding: int, batch: int, height: int, width: int
) -> None:
    final = trained(nn.Conv2d(own + extra, outs, 7, padding=padding))
    seen = laid_out(noise(batch, 4 * own, height + 1, width + 1), F32)
    skip = laid_out(noise(batch, extra, 2 * height, 2 * width), F32) if extra else None
    wanted = final(join(Phases(seen, skip)))
    assert_same(FastFinal(final, own, F32)(Phases(seen, skip)), wanted)


@given(channels, batches, sides, sides)
def test_phases_are_the_pixels_by_evenness(count: int, batch: int, height: int, width: int) -> None:
    x = noise(batch, count, 2 * height, 2 * width)
    phases = [x[:, :, a::2, b::2] for a, b in fast_blocks.PHASES]
    assert torch.equal(join_phases(torch.cat(phases, dim=1)), x)


def test_what_is_no_part_of_a_phase_is_black() -> None:
    seen = black_outside(laid_out(torch.ones(1, 4, 4, 5), F32))

    for index, (a, b) in enumerate(fast_blocks.PHASES):
        wanted = torch.zeros(4, 5)
        wanted[a : a + 3, b : b + 4] = 1
        assert torch.equal(seen[0, index], wanted)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_downsample(factor: int) -> None:
    down = AntiAliasDownsample(factor)
    quick = FastDownsample(down)
    for shape in [(2, 3, 16, 24), (1, 3, 24, 16), (2, 3, 16, 24)]:
        x = noise(*shape)
        assert_same(quick(x), down(x))


@pytest.mark.parametrize("relu", [False, True])
def test_convolution_where_weights_cannot_be_packed(
    relu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, weight, bias = laid_out(noise(2, 5, 7, 8), F32), noise(6, 5, 3, 3), noise(6)
    packed = Convolution(weight, bias, padding=1, dtype=F32, relu=relu)
    monkeypatch.setattr(fast_blocks, "packs", lambda device, dtype: False)
    plain = Convolution(weight, bias, padding=1, dtype=F32, relu=relu)
    wanted = F.conv2d(x, weight, bias, padding=1)
    assert not plain.packed
    for found in (packed(x), plain(x)):
        assert_same(found, wanted.relu() if relu else wanted)


def outputs(
    model: Animator, source: Tensor, driving: Tensor, background: Tensor, judge: Animator
) -> dict[str, Tensor]:
    """Everything that a model can be asked for, each step from what `judge` made of those before.

    A mask that is a hair off the threshold may fall on its other side.
    """
    state, before = judge.encode_source(source), judge.animate(judge.encode_source(source), driving)
    parts: dict[str, object] = {"source": model.encode_source(source)}
    parts["driven"] = model.animate_from_mask(
        state, model.mask_generator(driving), before.perturbed_mask
    )
    parts["reconstructed"] = model.reconstruct(state, driving)
    if model.config.background_networks:
        for same_class in (False, True):
            parts[f"scene {same_class}"] = model.encode_background(
                background, same_class=same_class
            )
            scene = judge.encode_background(background, same_class=same_class)
            parts[f"swap {same_class}"] = model.swap_background(
                before.high_res, before.refined_mask, scene
            )
    return {
        f"{name}.{field.name}": getattr(part, field.name)
        for name, part in parts.items()
        for field in fields(part)
    }


def largest_difference(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    assert found.keys() == wanted.keys()
    return max(float((found[name] - wanted[name]).abs().max()) for name in wanted)


SETTINGS: list[dict[str, object]] = [
    {},
    {"padded_masks": True, "mask_skips": True},
    {"width": 1 / 8, "mask_skips": True, "mask_input": "soft"},
    {"width": 1 / 32, "padded_masks": True, "mask_input": "none", "animation_scale": 1},
    {"background_networks": False},
    {"gate": True},
    {"gate": True, "width": 1 / 8, "mask_skips": True, "mask_input": "soft"},
    {"warp": True},
    {"warp": True, "gate": True, "width": 1 / 8, "padded_masks": True},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("shape", [(3, 128, 128), (1, 128, 256)], ids=str)
@torch.no_grad()
def test_equals_the_plain_model(settings: dict[str, object], shape: tuple[int, int, int]) -> None:
    model = trained(tiny_animator(**settings))
    seen = (
        pictures(1, *shape[1:], seed=1),
        pictures(*shape, seed=2),
        pictures(1, *shape[1:], seed=3),
    )
    found, wanted = (outputs(form, *seen, judge=model) for form in (fast(model), model))
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype
        if "_res" in name or (model.config.gate and ".gate" in name):
            assert value.std() > 0.01  # something was painted
    assert largest_difference(found, wanted) < EXACT


@pytest.fixture(scope="module")
def drawn() -> tuple[Tensor, Tensor, Tensor]:
    """A source, driving frames and a background: drawn figures."""
    one, other = (
        render_clip(figure_seed=seed, motion_seed=seed, background_seed=seed, frames=9)
        for seed in (1, 2)
    )
    return (
        to_tensor([one.frames[0]]),
        to_tensor(list(other.frames[::4])),
        to_tensor([other.background]),
    )


def shipped(*, gate: bool) -> Animator:
    """robot-tiny, with gates that open and shut on drawn figures, too, or without."""
    model = load_model("robot-tiny")
    weights = model.state_dict()
    for network in ("high_res", "background_refiner"):
        for part in (f"{network}.final.weight", f"{network}.final.bias"):
            rgb, alpha, own = weights[part].tensor_split((3, 4))  # own: h's alone
            weights[part] = torch.cat([rgb, *([3 * alpha] if gate else []), own])
    changed = Animator(model.config.model_copy(update={"gate": gate}))
    changed.load_state_dict(weights)
    return changed.eval()


@pytest.mark.parametrize("gate", [False, True])
@torch.no_grad()
def test_equals_the_shipped_model(gate: bool, drawn: tuple[Tensor, Tensor, Tensor]) -> None:
    model = shipped(gate=gate)
    engine = fast(model)
    wanted = outputs(model, *drawn, judge=model)
    assert largest_difference(outputs(engine, *drawn, judge=model), wanted) < EXACT
    for name in ("driven.gate", "swap False.gate"):
        assert not gate or (wanted[name].min() == 0 and wanted[name].max() == 1)


@pytest.mark.parametrize("gate", [False, True])
@torch.no_grad()
def test_bfloat16_paints_nearly_the_same(gate: bool, drawn: tuple[Tensor, Tensor, Tensor]) -> None:
    model = shipped(gate=gate)
    engine = fast(model, torch.bfloat16)
    found, wanted = (outputs(form, *drawn, judge=form) for form in (engine, model))
    for name, value in wanted.items():
        assert found[name].dtype == F32
        least_db = LEAST_GATE_PSNR_DB if name.endswith(".gate") else LEAST_PSNR_DB
        assert psnr_db(found[name], value) > least_db, name


def psnr_db(found: Tensor, wanted: Tensor) -> float:
    return float(-10 * (found - wanted).square().mean().log10())


@pytest.mark.slow
@torch.no_grad()
def test_equals_the_plain_model_and_the_stored_outputs(testdata: Path, tmp_path: Path) -> None:
    golden = load_file(testdata / "parity" / "golden.safetensors")
    model = converted(testdata / "parity", tmp_path)
    engine = fast(model)
    single = single_networks(engine, golden)
    stored = differences(single, golden)
    assert {name: value for name, value in stored.items() if not value <= ONE_NETWORK} == {}
    assert largest_difference(single, single_networks(model, golden)) < EXACT
    assert largest_difference(chains(engine, golden), chains(model, golden)) < EXACT


def test_the_plain_model_stays_as_it_is() -> None:
    model = trained(tiny_animator()).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    engine = fast(model)
    assert model.training
    assert not engine.training
    assert engine.config == model.config
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    source = pictures(1)
    made = engine(source, source)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.zero_()
    assert torch.equal(engine(source, source), made)  # nothing is shared
    assert not torch.equal(model.eval()(source, source), made)


def test_no_gradients() -> None:
    model = tiny_animator()
    assert all(parameter.requires_grad for parameter in model.parameters())
    engine = fast(model)
    assert not any(parameter.requires_grad for parameter in engine.parameters())
    assert not engine(pictures(1), pictures(1)).requires_grad
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@torch.no_grad()
def test_of_a_model_in_another_dtype(dtype: torch.dtype) -> None:
    model = trained(tiny_animator()).to(dtype)
    seen = pictures(1), pictures(2, seed=2), pictures(1, seed=3)
    engine = fast(model)
    model.float()
    found, wanted = (outputs(form, *seen, judge=model) for form in (engine, model))
    assert largest_difference(found, wanted) < EXACT


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_of_a_model_on_another_device(dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model = load_model("robot-tiny")
    seen = pictures(1), pictures(2, seed=2), pictures(1, seed=3)
    wanted = outputs(model, *seen, judge=model)
    engine = fast(model.cuda(), dtype)
    found = outputs(engine, *(picture.cuda() for picture in seen), judge=engine)
    assert {value.device.type for value in found.values()} == {"cuda"}
    for name, value in wanted.items():
        assert psnr_db(found[name].cpu(), value) > (LEAST_PSNR_DB if dtype == F32 else 30), name


def test_an_engine_stays_where_it_is() -> None:
    engine = fast(tiny_animator())
    assert engine.to("cpu").float() is engine
    for move in (engine.double, engine.bfloat16, lambda: engine.to("meta")):
        with pytest.raises(ModelError, match="move the model it was made from"):
            move()
    assert engine(pictures(1), pictures(1)).isfinite().all()


def test_an_engine_is_not_made_of_an_engine() -> None:
    engine = fast(tiny_animator())
    assert is_fast(engine)
    assert not is_fast(tiny_animator())
    with pytest.raises(InputError, match="engine already"):
        fast(engine)


def test_an_engine_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="save the model it was made from"):
        save_model(fast(tiny_animator()), tmp_path)
    assert not list(tmp_path.iterdir())


def test_dtypes_that_cannot_be_used() -> None:
    with pytest.raises(InputError, match=re.escape("not torch.float16")):
        fast(tiny_animator(), torch.float16)


@pytest.mark.parametrize("autocast", [torch.float32, torch.bfloat16])
def test_sessions_take_it(autocast: torch.dtype) -> None:
    model = trained(tiny_animator(image_size=128, width=WIDTH))
    found, wanted = (
        AnimationSession(
            form, pictures(1, 90, 161), background=pictures(1, 70, 50), keep_size=True, dtype=dtype
        ).animate(pictures(3, 100, 80, seed=1), pictures(3, 40, 60, seed=2))
        for form, dtype in ((fast(model), autocast), (model, F32))
    )
    assert found.frames.dtype == F32
    assert (found.frames - wanted.frames).abs().max() < EXACT
    assert (found.alpha - wanted.alpha).abs().max() < EXACT


CPU_FLAGS = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPU_FLAGS.is_file(), reason="the processor's flags are not told")
def test_best_dtype_follows_the_processor() -> None:
    flags = set(CPU_FLAGS.read_text().split())
    native = bool(flags & {"avx512_bf16", "amx_bf16"})
    assert best_dtype(torch.device("cpu")) == (torch.bfloat16 if native else F32)


def test_best_dtype_of_other_devices() -> None:
    assert best_dtype(torch.device("mps")) == F32
    assert best_dtype(torch.device("meta")) == F32
