"""The data flow: which output follows from what, and where gradients go."""

import dataclasses

import pytest
import torch
from tests.models.tiny import pictures, tiny_animator
from torch import Tensor, nn

from maskmotion.errors import ModelError, ShapeError
from maskmotion.models.animator import (
    Animator,
    BackgroundState,
    SourceState,
    TrainingForward,
    large,
    small,
)
from maskmotion.models.draws import Draws
from maskmotion.models.perturb import perturb_for_animation

NETWORKS = {
    "mask_generator",
    "refiner",
    "low_res",
    "high_res",
    "background_base",
    "background_refiner",
}


@pytest.fixture(scope="module")
def model() -> Animator:
    return tiny_animator().requires_grad_(False)


def reached(model: Animator, loss: Tensor) -> set[str]:
    """Networks that the loss has a gradient for."""
    model.zero_grad(set_to_none=True)
    loss.backward(retain_graph=True)
    return {
        name
        for name, network in model.named_children()
        if any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    }


def stepped(model: Animator, *, refine: bool = True) -> tuple[TrainingForward, Tensor, Tensor]:
    source, driving = pictures(2, seed=1), pictures(2, seed=2)
    draws = Draws(torch.Generator().manual_seed(0)) if refine else None
    return model.training_forward(source, driving, perturbation=draws), source, driving


@pytest.mark.parametrize("mask_input", ["binary", "soft", "none"])
def test_only_the_low_res_loss_reaches_the_mask_generator(mask_input: str) -> None:
    model = tiny_animator(mask_input=mask_input).train()
    forward, source, target = stepped(model)
    assert forward.refined_mask is not None
    swap = model.background_training_forward(source, forward.source_mask, target, forward)
    assert reached(model, forward.low_res.sum()) == {"mask_generator", "low_res"}
    assert reached(model, forward.high_res.sum()) == {"high_res"}
    assert reached(model, forward.refined_mask.sum()) == {"refiner"}
    assert reached(model, swap.base.sum()) == {"background_base"}
    assert reached(model, swap.refined.sum()) == {"background_refiner"}
    assert {name for name, _ in model.named_children()} == NETWORKS


def test_both_masks_get_gradients_from_the_low_res_picture() -> None:
    model = tiny_animator().train()
    forward, _, _ = stepped(model)
    gradients = torch.autograd.grad(
        forward.low_res.sum(), [forward.source_logits, forward.driving_logits]
    )
    assert all(g.abs().sum() > 0 for g in gradients)


def test_refiner_rests_without_a_generator() -> None:
    forward, _, _ = stepped(tiny_animator(), refine=False)
    assert forward.perturbed_mask is None
    assert forward.refined_mask is None


def test_training_forward_is_the_reconstruction_without_the_refiner() -> None:
    model = tiny_animator()
    with torch.no_grad():
        forward, source, driving = stepped(model)
        wanted = model.reconstruct(model.encode_source(source), driving)
    torch.testing.assert_close(forward.driving_mask, wanted.driving_mask)
    torch.testing.assert_close(forward.low_res, wanted.low_res)
    torch.testing.assert_close(forward.high_res, wanted.high_res)
    torch.testing.assert_close(
        forward.driving_mask[..., 3:-3, 3:-3], forward.driving_logits.sigmoid()
    )


def test_of_twins_the_refined_mask_is_painted() -> None:
    """As in animation at scale 1; where it is not asked for the driving mask is."""
    model = tiny_animator()
    source, driving = pictures(2, seed=1), pictures(2, seed=2)
    draws = Draws(torch.Generator().manual_seed(0))
    twinned = torch.tensor([True, False])
    with torch.no_grad():
        forward = model.training_forward(
            source, driving, perturbation=draws, twinned=twinned, by_refined=twinned
        )
        plain, _, _ = stepped(model)
        state = model.encode_source(source)
        animated, same = model.animate(state, driving, scale=1), model.reconstruct(state, driving)
    for name in ("perturbed_mask", "refined_mask", "low_res", "high_res", "gate"):
        found = getattr(forward, name)
        torch.testing.assert_close(found[0], getattr(animated, name)[0])
        torch.testing.assert_close(found[1], getattr(plain, name)[1])
    torch.testing.assert_close(forward.target_mask[0], animated.refined_mask[0])
    torch.testing.assert_close(forward.target_mask[1], same.driving_mask[1])


def test_l_and_h_paint_by_the_refined_mask_where_asked() -> None:
    """P deforms all masks alike; r's gradients come from its own loss alone."""
    model = tiny_animator()
    asked = torch.tensor([True, False])
    with torch.no_grad():
        plain, source, driving = stepped(model)
    draws = Draws(torch.Generator().manual_seed(0))
    forward = model.training_forward(source, driving, perturbation=draws, by_refined=asked)
    for name in ("perturbed_mask", "refined_mask", "driving_mask"):
        torch.testing.assert_close(getattr(forward, name), getattr(plain, name))
    torch.testing.assert_close(forward.target_mask[0], plain.refined_mask[0])
    torch.testing.assert_close(forward.target_mask[1], plain.driving_mask[1])
    with torch.no_grad():
        painted = model.paint(model.encode_source(source), forward.target_mask)
    torch.testing.assert_close(forward.high_res, painted.high_res)
    assert (painted.low_res[0] - plain.low_res[0]).abs().max() > 1e-3
    assert "refiner" not in reached(model, forward.low_res.sum())


def test_twins_bring_m_no_gradient() -> None:
    model = tiny_animator().train()
    forward = model.training_forward(
        pictures(2, seed=1),
        pictures(2, seed=2),
        perturbation=Draws(torch.Generator().manual_seed(0)),
        mask_gradients=False,
        twinned=torch.tensor([True, True]),
        by_refined=torch.tensor([True, True]),
    )
    assert reached(model, forward.low_res.sum()) == {"low_res"}
    assert reached(model, forward.refined_mask.sum()) == {"refiner"}


def test_background_training_leaves_the_other_networks_as_they_are() -> None:
    """Its forward moves no BatchNorm statistics, its backward no gradient, of m, r, l and h."""
    model = tiny_animator().train()
    forward, source, target = stepped(model)
    main = NETWORKS - {"background_base", "background_refiner"}
    before = {k: v.clone() for k, v in model.state_dict().items() if k.split(".")[0] in main}
    model.background_training_forward(source, forward.source_mask, target, forward)
    after = model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize("size", [(128, 128), (256, 256), (128, 256)])
def test_every_output_has_its_size(model: Animator, size: tuple[int, int]) -> None:
    height, width = size
    source, driving = pictures(1, *size), pictures(2, *size, seed=1)
    state = model.encode_source(source)
    animation = model.animate(state, driving)
    swap = model.swap_background(
        animation.high_res,
        animation.refined_mask,
        model.encode_background(pictures(1, *size, seed=2), same_class=True),
    )
    for mask in (animation.driving_mask, animation.perturbed_mask, animation.refined_mask):
        assert mask.shape == (2, 1, height // 4, width // 4)
    for picture in (animation.low_res, animation.high_res, swap.base, swap.refined):
        assert picture.shape == (2, 3, height, width)
        assert ((picture >= 0) & (picture <= 1)).all()
    assert state.large_mask.shape == (1, 1, height, width)


def test_one_source_serves_a_whole_batch(model: Animator) -> None:
    source, driving = pictures(1), pictures(3, seed=1)
    one = model.animate(model.encode_source(source), driving)
    many = model.animate(model.encode_source(source.expand(3, -1, -1, -1)), driving)
    alone = model.animate(model.encode_source(source), driving[1:2])
    for field in dataclasses.fields(one):
        a, b, c = (getattr(x, field.name) for x in (one, many, alone))
        torch.testing.assert_close(a, b)
        torch.testing.assert_close(a[1:2], c)


def test_animate_perturbs_refines_and_paints(model: Animator) -> None:
    source, driving = pictures(1), pictures(2, seed=1)
    state = model.encode_source(source)
    animation = model.animate(state, driving)
    mask = model.mask_generator(driving)
    perturbed = perturb_for_animation(mask, 60 / 255, 0.75)
    refined = model.refiner(
        small(source).expand(2, -1, -1, -1), state.mask.expand(2, -1, -1, -1), perturbed
    )
    torch.testing.assert_close(animation.driving_mask, mask)
    torch.testing.assert_close(animation.perturbed_mask, perturbed)
    torch.testing.assert_close(animation.refined_mask, refined)
    low_res, high_res, *_ = model.paint(state, refined)
    torch.testing.assert_close(animation.low_res, low_res)
    torch.testing.assert_close(animation.high_res, high_res)
    torch.testing.assert_close(model(source, driving), high_res)


def test_settings_reach_the_perturbation() -> None:
    model = tiny_animator(threshold=0.3, animation_scale=1.0).requires_grad_(False)
    animation = model.animate(model.encode_source(pictures(1)), pictures(1, seed=1))
    mask = animation.driving_mask
    assert torch.equal(animation.perturbed_mask, torch.where(mask > 0.3, mask, 0))


class Recorder(nn.Module):
    """Stands in for a network: keeps its inputs, answers a constant."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer
        self.inputs: tuple[Tensor, ...] = ()

    def forward(self, *inputs: Tensor) -> Tensor:
        self.inputs = inputs
        return self.answer


def test_generate_feeds_the_papers_inputs() -> None:
    model = tiny_animator().requires_grad_(False)
    state = model.encode_source(pictures(1))
    mask = torch.rand(1, 1, 32, 32)
    low_res, high_res = Recorder(pictures(1, seed=3)), Recorder(pictures(1, seed=4))
    model.low_res, model.high_res = low_res, high_res  # type: ignore[assignment]
    model.paint(state, mask)
    for found, wanted in zip(low_res.inputs, (state.small, state.mask, mask), strict=True):
        assert torch.equal(found, wanted)
    for found, wanted in zip(
        high_res.inputs, (state.source, large(state.mask), low_res.answer, large(mask)), strict=True
    ):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("mask_input", ["binary", "soft", "none"])
def test_swap_feeds_the_extensions_inputs(mask_input: str) -> None:
    model = tiny_animator(mask_input=mask_input).requires_grad_(False)
    x, y = pictures(1, seed=1), pictures(2, seed=2)
    background = model.encode_background(x, same_class=True)
    animated_mask = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    base, refiner = Recorder(pictures(2, seed=3)), Recorder(pictures(2, seed=4))
    model.background_base, model.background_refiner = base, refiner  # type: ignore[assignment]
    swap = model.swap_background(y, animated_mask, background)
    assert swap.base is base.answer
    assert swap.refined is refiner.answer
    assert torch.equal(refiner.inputs[1], base.answer)
    x_mask = model.mask_generator(x)
    for composed, a, b, mask_a, mask_b in (
        (base.inputs[0], small(x), small(y), x_mask, animated_mask),
        (refiner.inputs[0], x, y, large(x_mask), large(animated_mask)),  # enlarged, then cut
    ):
        cut_a, cut_b = mask_a > 60 / 255, mask_b > 60 / 255
        fed = {"binary": (cut_a.float(), cut_b.float()), "soft": (mask_a, mask_b), "none": ()}
        wanted = [m.expand(2, -1, -1, -1) for m in fed[mask_input]]
        wanted += [torch.where(cut_a, 0.0, a).expand(2, -1, -1, -1), torch.where(cut_b, b, 0.0)]
        torch.testing.assert_close(composed, torch.cat(wanted, 1))


def test_mask_variants_change_the_networks_inputs() -> None:
    channels = {}
    for mask_input in ("binary", "soft", "none"):
        model = tiny_animator(mask_input=mask_input)
        assert model.background_base is not None
        assert model.background_refiner is not None
        channels[mask_input] = (
            model.background_base.first.conv.in_channels,
            model.background_refiner.hourglass.down_blocks[0].conv.in_channels,
        )
    assert channels == {"binary": (8, 11), "soft": (8, 11), "none": (6, 9)}


def test_a_plain_scene_has_no_foreground(model: Animator) -> None:
    picture = pictures(2, 128, 256)
    scene = model.encode_background(picture, same_class=False)
    person = model.encode_background(picture, same_class=True)
    assert torch.equal(scene.mask, torch.zeros(2, 1, 32, 64))
    torch.testing.assert_close(person.mask, model.mask_generator(picture))
    assert torch.equal(scene.small, person.small)
    assert torch.equal(scene.picture, picture)


def test_one_background_serves_a_whole_batch(model: Animator) -> None:
    animated, mask = pictures(3), torch.rand(3, 1, 32, 32)
    background = model.encode_background(pictures(1, seed=1), same_class=True)
    swap = model.swap_background(animated, mask, background)
    alone = model.swap_background(animated[2:], mask[2:], background)
    torch.testing.assert_close(swap.refined[2:], alone.refined)


def test_swap_needs_the_background_networks() -> None:
    model = tiny_animator(background_networks=False)
    assert model.background_base is None
    assert {name for name, _ in model.named_children()} == {
        name for name in NETWORKS if "background" not in name
    }
    scene = model.encode_background(pictures(1), same_class=False)
    with pytest.raises(ModelError, match="no background networks"):
        model.swap_background(pictures(1), torch.zeros(1, 1, 32, 32), scene)


@pytest.mark.parametrize(
    "shape", [(3, 128, 128), (1, 1, 128, 128), (1, 4, 128, 128), (1, 3, 128, 130), (1, 3, 96, 128)]
)
def test_pictures_of_other_shapes_are_refused(model: Animator, shape: tuple[int, ...]) -> None:
    bad = torch.zeros(shape)
    state = model.encode_source(pictures(1))
    for call in (
        model.encode_source,
        lambda x: model.animate(state, x),
        lambda x: model.reconstruct(state, x),
        lambda x: model.encode_background(x, same_class=False),
    ):
        with pytest.raises(ShapeError) as error:
            call(bad)
        assert "\n" not in str(error.value)


def test_small_and_large_are_each_a_factor_of_four() -> None:
    assert small(torch.zeros(2, 3, 128, 256)).shape == (2, 3, 32, 64)
    assert large(torch.zeros(2, 1, 32, 64)).shape == (2, 1, 128, 256)


def test_encode_source_keeps_the_masks_of_its_picture(model: Animator) -> None:
    source = pictures(2)
    state = model.encode_source(source)
    mask = model.mask_generator(source)
    wanted = SourceState(source, small(source), mask, large(mask))
    for field in dataclasses.fields(wanted):
        torch.testing.assert_close(getattr(state, field.name), getattr(wanted, field.name))


def test_background_networks_see_the_mask_that_was_painted_by() -> None:
    model = tiny_animator(mask_input="soft")
    source, driving, target = (pictures(2, seed=seed) for seed in range(3))
    draws = Draws(torch.Generator().manual_seed(0))
    with torch.no_grad():
        forward = model.training_forward(
            source, driving, perturbation=draws, by_refined=torch.tensor([True, False])
        )
        swap = model.background_training_forward(source, forward.source_mask, target, forward)
        background = BackgroundState(source, small(source), forward.source_mask)
        refined, own = (
            model.swap_background(target, mask, background)
            for mask in (forward.refined_mask, forward.driving_mask)
        )
    torch.testing.assert_close(swap.base[0], refined.base[0])
    torch.testing.assert_close(swap.base[1], own.base[1])
    assert not torch.allclose(refined.base, own.base)
