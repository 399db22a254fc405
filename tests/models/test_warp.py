"""The warper: flows against shifts of the picture, and whom gradients reach."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.models.tiny import WIDTH, pictures, tiny_animator
from torch import Tensor

from maskmotion.models.animator import Animator, large, small
from maskmotion.models.gate import stretched
from maskmotion.models.warp import Warper, figure, mixed, warp

SIDE = 32


def steady(right: float, down: float, side: int = SIDE // 4) -> Tensor:
    """A flow that is the same everywhere, given in pixels of pictures of SIDE."""
    return torch.tensor([right, down]).mul(2 / SIDE)[None, :, None, None].expand(2, 2, side, side)


def warping(**settings: object) -> Animator:
    return tiny_animator(warp=True, **settings)


@given(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 99))
def test_a_steady_flow_shifts_and_the_border_goes_on(right: int, down: int, seed: int) -> None:
    picture = pictures(2, SIDE, SIDE, seed=seed)
    rows, columns = ((torch.arange(SIDE) + by).clamp(0, SIDE - 1) for by in (down, right))
    found = warp(picture, steady(right, down))
    torch.testing.assert_close(found, picture[:, :, rows][..., columns], atol=2e-5, rtol=0)


def test_half_a_pixel_is_the_mean_of_two() -> None:
    picture = pictures(2, SIDE, SIDE)
    found = warp(picture, steady(0.5, 0))[..., :-1]
    wanted = (picture[..., :-1] + picture[..., 1:]) / 2
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=0)


def test_pictures_that_are_no_squares_shift_by_shares_of_their_own_sides() -> None:
    picture = pictures(1, 16, SIDE)
    flow = torch.tensor([2 * 3 / SIDE, 2 * 2 / 16])[None, :, None, None].expand(1, 2, 4, 8)
    found = warp(picture, flow)[..., :-2, :-3]
    torch.testing.assert_close(found, picture[..., 2:, 3:], atol=2e-5, rtol=0)


@pytest.mark.parametrize("gate", [False, True])
def test_h_says_where_the_warped_source_shows(gate: bool) -> None:
    painted, warped = pictures(2, SIDE, SIDE, seed=1), pictures(2, SIDE, SIDE, seed=2)
    others = [pictures(2, SIDE, SIDE, seed=3)[:, :1]] * gate
    own = pictures(2, SIDE, SIDE, seed=4)[:, :1]
    for share, wanted in ((torch.zeros_like(own), warped), (torch.ones_like(own), painted)):
        found, told = mixed(torch.cat([painted, *others, share], dim=1), warped)
        assert torch.equal(told, share)
        torch.testing.assert_close(found, torch.cat([wanted, *others], dim=1))
    found, _ = mixed(torch.cat([painted, *others, own], dim=1), warped)
    alpha = stretched(own)
    torch.testing.assert_close(found[:, :3], alpha * painted + (1 - alpha) * warped)


def test_w_begins_without_any_flow() -> None:
    x = pictures(2, SIDE, SIDE)
    assert not Warper(WIDTH)(x, x[:, :1], x[:, 1:2]).any()


@torch.no_grad()
def test_painting_tells_the_warped_source() -> None:
    model = warping(gate=True)
    source, driving = pictures(1, seed=1), pictures(3, seed=2)
    state = model.encode_source(source)
    mask = model.mask_generator(driving)
    painting = model.paint(state, mask)
    assert model.warper is not None
    flow = model.warper(*(x.expand(3, -1, -1, -1) for x in (state.small, state.mask)), mask)
    wanted = warp(source.expand(3, -1, -1, -1), flow)
    torch.testing.assert_close(painting.warped, wanted)
    assert not torch.equal(painting.warped[0], source[0])
    moved = model.animate_from_mask(state, mask, mask)
    torch.testing.assert_close(moved.warped, model.paint(state, moved.refined_mask).warped)
    plain = tiny_animator()
    state = plain.encode_source(source)
    assert torch.equal(plain.paint(state, mask).warped[0], source[0])


@torch.no_grad()
def test_inside_the_figure_nothing_of_the_source_stays_where_it_was() -> None:
    model = warping(gate=True)
    final = model.high_res.final
    final.weight[-2:], final.bias[-2:] = 0, -9  # type: ignore[index]  # gate and own: closed
    source = pictures(1, seed=1)
    state = model.encode_source(source)
    mask = torch.linspace(0, 1, 32).expand(1, 1, 32, 32).contiguous()
    painting = model.paint(state, mask)
    inside = figure(large(mask))
    assert torch.equal(painting.gate, inside)
    assert (inside.min(), inside.max()) == (0, 1)
    torch.testing.assert_close(painting.high_res, torch.lerp(source, painting.warped, inside))
    assert torch.equal(painting.high_res[..., :60], source[..., :60])
    assert not inside[..., :60].any()


@given(st.floats(0, 1))
def test_a_figure_is_the_mask_without_its_outline(value: float) -> None:
    found = figure(torch.full((1, 1, 2, 2), value))
    torch.testing.assert_close(found, torch.full((1, 1, 2, 2), max(0.0, 2 * value - 1)))


def test_the_picture_teaches_w_and_h_alone() -> None:
    model = warping(gate=True).train()
    source, driving = pictures(2, seed=1), pictures(2, seed=2)
    forward = model.training_forward(source, driving, perturbation=None)
    (forward.high_res - pictures(2, seed=3)).abs().sum().backward()
    taught = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert taught == {"warper", "high_res"}
    model.zero_grad(set_to_none=True)
    forward = model.training_forward(source, driving, perturbation=None)
    (forward.warped - pictures(2, seed=3)).abs().sum().backward()
    taught = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert taught == {"warper"}


def test_w_learns_where_things_come_from() -> None:
    """A square that its mask shows elsewhere: its texture is fetched, not painted."""
    generator = torch.Generator().manual_seed(0)
    texture = torch.linspace(0.2, 1, 32).expand(3, 32, 32)
    source, target, masks = torch.zeros(4, 3, 128, 128), torch.zeros(4, 3, 128, 128), []
    place = torch.randint(24, 72, (4, 2), generator=generator)
    by = torch.randint(-12, 13, (4, 2), generator=generator)
    for picture, at in ((source, place.tolist()), (target, (place + by).tolist())):
        mask = torch.zeros(4, 1, 128, 128)
        for i, (y, x) in enumerate(at):
            picture[i, :, y : y + 32, x : x + 32] = texture
            mask[i, :, y : y + 32, x : x + 32] = 1
        masks.append(mask)
    torch.manual_seed(0)
    warper = Warper(1 / 4)
    optimizer = torch.optim.Adam(warper.parameters(), 2e-3)
    losses = []
    for _ in range(60):
        flow = warper(small(source), small(masks[0]), small(masks[1]))
        blurred, wanted = (large(small(x)) for x in (warp(source, flow), target))
        loss = ((blurred - wanted).abs() * masks[1]).sum() / masks[1].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
