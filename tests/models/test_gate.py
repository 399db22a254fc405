"""The gate: what it leaves alone survives bit for bit, and it can always be opened again."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.tiny import pictures, tiny_animator
from torch import Tensor

from maskmotion.checkpoint import load_folder, save_model
from maskmotion.inference.engine import fast
from maskmotion.models.animator import Animator, TrainingForward
from maskmotion.models.gate import MARGIN, laid_over, stretched

logits = st.floats(-80, 80, width=32)
CLOSED, OPEN = -6.0, 6.0  # logits


def alpha_and_slope(logit: float) -> tuple[float, float]:
    z = torch.tensor(logit, requires_grad=True)
    alpha = stretched(torch.sigmoid(z))
    alpha.backward()
    assert z.grad is not None
    return alpha.item(), z.grad.item()


@given(logits)
def test_alpha_is_a_widened_sigmoid_that_is_cut(logit: float) -> None:
    alpha, slope = alpha_and_slope(logit)
    openness = torch.sigmoid(torch.tensor(logit, dtype=torch.float64)).item()
    wide = (1 + 2 * MARGIN) * openness - MARGIN
    assert alpha == pytest.approx(min(max(wide, 0), 1), abs=1e-6)
    assert slope == pytest.approx((1 + 2 * MARGIN) * openness * (1 - openness), abs=1e-6)


@pytest.mark.parametrize(("logit", "alpha"), [(-80.0, 0), (-4.2, 0), (0.0, 0.5), (4.2, 1)])
def test_both_ends_are_reached_exactly(logit: float, alpha: float) -> None:
    assert alpha_and_slope(logit)[0] == alpha


@pytest.mark.parametrize("logit", [-8.0, -5.0, 5.0, 8.0])
def test_what_is_cut_off_keeps_a_gradient(logit: float) -> None:
    assert alpha_and_slope(logit)[1] > 1e-4


def four(picture: Tensor, openness: float | Tensor) -> Tensor:
    return torch.cat([picture, torch.zeros_like(picture[:, :1]) + openness], dim=1)


@given(st.integers(0, 2**31), st.floats(-20, 20, width=32))
def test_laid_over(seed: int, spread: float) -> None:
    painted, still = pictures(2, 5, 6, seed=seed), pictures(2, 5, 6, seed=seed + 1)
    openness = torch.sigmoid(spread * (2 * pictures(2, 5, 6, seed=seed + 2)[:, :1] - 1))
    made, alpha = laid_over(four(painted, openness), still)
    exact = alpha.double() * painted.double() + (1 - alpha.double()) * still.double()
    torch.testing.assert_close(made, exact.float())
    assert ((made >= 0) & (made <= 1)).all()
    for end, wanted in ((0, still), (1, painted)):
        there = (alpha == end).expand_as(made)
        assert torch.equal(made[there], wanted[there])


def test_what_is_painted_as_it_stands_still_stays() -> None:
    still = pictures(1, 9, 9)
    for openness in (0.1, 0.3, 0.5, 0.7, 0.9):
        assert torch.equal(laid_over(four(still, openness), still)[0], still)


def test_without_a_gate_all_is_painted() -> None:
    painted = pictures(2, 8, 8)
    made, alpha = laid_over(painted, pictures(1, 8, 8, seed=1))
    assert made is painted
    assert torch.equal(alpha, torch.ones(2, 1, 8, 8))


def gated(logit: float | None = None, **settings: object) -> Animator:
    """With gates of a constant logit where one is given, whatever the rest paints."""
    model = tiny_animator(gate=True, **settings).requires_grad_(False)
    assert model.background_refiner is not None
    for network in (model.high_res, model.background_refiner):
        if logit is not None:
            network.final.weight[3] = 0
            network.final.bias[3] = logit
    return model


def made_by(model: Animator) -> dict[str, Tensor]:
    source, driving, background = pictures(1, seed=1), pictures(2, seed=2), pictures(1, seed=3)
    state = model.encode_source(source)
    animation = model.animate(state, driving)
    scene = model.encode_background(background, same_class=False)
    swap = model.swap_background(animation.high_res, animation.refined_mask, scene)
    return {
        "source": source,
        "background": background,
        "high_res": animation.high_res,
        "gate": animation.gate,
        "reconstructed": model.reconstruct(state, driving).high_res,
        "swapped": swap.refined,
        "swap gate": swap.gate,
    }


@pytest.mark.parametrize("form", ["plain", "autocast", "engine", "bfloat16 engine"])
@torch.no_grad()
def test_a_closed_gate_gives_the_source_and_the_background_bit_for_bit(form: str) -> None:
    model = gated(CLOSED)
    if "engine" in form:
        model = fast(model, torch.bfloat16 if "bfloat16" in form else torch.float32)
    with torch.autocast("cpu", torch.bfloat16, enabled=form == "autocast"):
        made = made_by(model)
    for gate in ("gate", "swap gate"):
        assert torch.equal(made[gate], torch.zeros(2, 1, 128, 128))
    for still, names in {
        "source": ("high_res", "reconstructed"),
        "background": ("swapped",),
    }.items():
        for name in names:
            assert made[name].dtype == torch.float32
            assert torch.equal(made[name], made[still].expand(2, -1, -1, -1))


@torch.no_grad()
def test_an_open_gate_gives_what_the_model_paints_without_one() -> None:
    model, plain = gated(OPEN), tiny_animator()
    weights = model.state_dict()
    for key, value in plain.state_dict().items():
        own = weights[key] if value.ndim else value
        if own.shape != value.shape:
            assert key.split(".")[0] in ("high_res", "background_refiner")
            assert own.shape == (4, *value.shape[1:])
        value.copy_(own[: len(value)] if value.ndim else own)
    assert weights.keys() == plain.state_dict().keys()
    found, wanted = made_by(model), made_by(plain)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, msg=name)


def stepped(model: Animator) -> tuple[TrainingForward, Tensor, Tensor]:
    source, target = pictures(2, seed=1), pictures(2, seed=2)
    return model.training_forward(source, target, perturbation=None), source, target


def touched(model: Animator, loss: Tensor) -> set[str]:
    """Networks that the loss has a gradient for."""
    model.zero_grad(set_to_none=True)
    loss.backward(retain_graph=True)
    return {
        name
        for name, network in model.named_children()
        if any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    }


def test_the_gates_train_their_own_networks_alone() -> None:
    model = tiny_animator(gate=True).train()
    forward, source, target = stepped(model)
    swap = model.background_training_forward(source, forward.source_mask, target, forward)
    assert touched(model, forward.gate.sum()) == {"high_res"}
    assert touched(model, forward.high_res.sum()) == {"high_res"}
    assert touched(model, swap.gate.sum()) == {"background_refiner"}
    assert touched(model, swap.refined.sum()) == {"background_refiner"}


def test_picture_and_gate_both_get_a_gradient() -> None:
    model = tiny_animator(gate=True).train()
    forward, source, target = stepped(model)
    swap = model.background_training_forward(source, forward.source_mask, target, forward)
    ((forward.high_res - target).abs() + (swap.refined - target).abs()).sum().backward()
    assert model.background_refiner is not None
    for network in (model.high_res, model.background_refiner):
        assert network.final.weight.grad is not None
        assert (network.final.weight.grad.abs().sum((1, 2, 3)) > 0).all()


@torch.no_grad()
def test_the_gate_is_the_same_wherever_it_is_told() -> None:
    model = gated()
    source, driving = pictures(1, seed=1), pictures(2, seed=2)
    state = model.encode_source(source)
    painting = model.paint(state, model.mask_generator(driving))
    told = model.reconstruct(state, driving)
    forward = model.training_forward(source.expand(2, -1, -1, -1), driving, perturbation=None)
    assert painting.gate.std() > 0.01
    for name, wanted in painting._asdict().items():
        torch.testing.assert_close(getattr(told, name), wanted)
        torch.testing.assert_close(getattr(forward, name), wanted)


@torch.no_grad()
def test_model_folders_keep_the_gate(tmp_path: Path) -> None:
    model = gated()
    save_model(model, tmp_path)
    loaded = load_folder(tmp_path)
    assert loaded.config.gate
    found, wanted = made_by(loaded), made_by(model)
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_folders_from_before_the_gate_have_none(tmp_path: Path) -> None:
    model = tiny_animator()
    save_model(model, tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    del content["model"]["gate"]
    path.write_text(json.dumps(content))
    assert load_folder(tmp_path).config == model.config
