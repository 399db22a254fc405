"""Squares of tensors: what is cut, and that pasting undoes cutting."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import pictures
from torch.nn import functional as F

from maskmotion.inference.fit import add_detail, cover, cut, lay, lost_detail, moved_detail, paste
from maskmotion.media import fit as media_fit
from maskmotion.media.fit import Square, square_of

SIDES = st.integers(1, 70)


@given(height=SIDES, width=SIDES, fit=st.sampled_from(["crop", "letterbox"]))
def test_pasting_what_was_cut_changes_nothing(height: int, width: int, fit: str) -> None:
    picture = pictures(2, height, width)
    square = square_of(fit, height, width)
    part = cut(picture, square, square.side)
    assert part.shape == (2, 3, square.side, square.side)
    assert torch.equal(paste(picture, part, square), picture)


@given(height=SIDES, width=SIDES, fit=st.sampled_from(["crop", "letterbox"]))
def test_pasting_fills_the_square_and_nothing_else(height: int, width: int, fit: str) -> None:
    canvas = pictures(1, height, width)
    square = square_of(fit, height, width)
    pasted = paste(canvas, torch.ones(2, 3, 32, 32), square)
    inside = torch.zeros(height, width, dtype=torch.bool)
    top, left = max(square.top, 0), max(square.left, 0)
    inside[top : max(square.top + square.side, 0), left : max(square.left + square.side, 0)] = True
    assert torch.allclose(pasted[..., inside], torch.ones(()), atol=1e-6)
    assert torch.equal(pasted[..., ~inside], canvas.expand(2, -1, -1, -1)[..., ~inside])


@given(side=st.integers(20, 90).filter(lambda side: side != 32), seed=st.integers(0, 99))
def test_a_gated_square_is_laid_over_as_in_uint8(side: int, seed: int) -> None:
    """maskmotion.media.fit.lay rounds on its way; what the gate left alone is equal in both."""
    canvas = levels(pictures(1, side, side, seed=seed))
    square = Square(0, 0, side)
    still = levels(cut(canvas, square, 32))
    painted = pictures(2, 32, 32, seed=seed + 1)
    gate = F.interpolate(levels(pictures(2, 4, 4, seed=seed + 2))[:, :1], 32).mul(3).sub(1)
    gate = gate.clamp(0, 1)  # a third closed, a third open
    picture = torch.lerp(still, painted, gate)
    laid = lay(canvas, still, picture, gate, square)
    for made, one, share in zip(laid, picture, gate, strict=True):
        parts = (as_uint8(x) for x in (canvas[0], still[0], one, share))
        other = media_fit.lay(*(p[..., 0] if p.shape[-1] == 1 else p for p in parts), square)
        assert np.abs(as_uint8(made).astype(int) - other).max() <= 4
    near = F.interpolate(F.max_pool2d(gate, 11, stride=1, padding=5), side)
    assert torch.equal(torch.where(near > 0, 0, laid), torch.where(near > 0, 0, canvas))
    opened = torch.ones_like(gate)
    assert torch.equal(lay(canvas, still, painted, opened, square), paste(canvas, painted, square))


@given(side=st.integers(20, 90), seed=st.integers(0, 99))
def test_detail_is_added_as_in_uint8(side: int, seed: int) -> None:
    whole, canvas = (levels(pictures(1, side, side, seed=seed + part)) for part in range(2))
    share = F.interpolate(levels(pictures(2, 4, 4, seed=seed + 2))[:, :1], 32)
    square = Square(0, 0, side)
    still = levels(cut(whole, square, 32))
    detail = lost_detail(whole, still, square)
    other = media_fit.lost_detail(as_uint8(whole[0]), as_uint8(still[0]), square)
    signed = (detail[0] * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(signed - other).max() <= 4  # Pillow rounds between rows and columns
    sharp = add_detail(canvas.expand(2, -1, -1, -1), detail, share, square)
    for made, part in zip(sharp, share, strict=True):
        wanted = media_fit.add_detail(as_uint8(canvas[0]), other, as_uint8(part)[..., 0], square)
        assert np.abs(as_uint8(made).astype(int) - wanted).max() <= 6


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    fit=st.sampled_from(["crop", "letterbox"]),
    seed=st.integers(0, 99),
)
def test_detail_is_moved_as_in_uint8(height: int, width: int, fit: str, seed: int) -> None:
    square = square_of(fit, height, width)
    detail = (pictures(1, height, width, seed=seed) * 255).round() - 128
    flow = 2 * pictures(2, 8, 8, seed=seed + 1)[:, :2] - 1
    found = moved_detail(detail, flow, square)
    given_detail = detail[0].permute(1, 2, 0).numpy().astype(np.int16)
    share = np.zeros((32, 32), np.uint8)
    share[10:20, 5:15] = 255
    for made, way in zip(found, flow.numpy(), strict=True):
        everywhere = media_fit.moved_detail(given_detail, way, np.full_like(share, 255), square)
        assert np.abs(made.permute(1, 2, 0).numpy() - everywhere).max() <= 0.6
        part = media_fit.moved_detail(given_detail, way, share, square)
        assert part.dtype == np.int16
        grey = np.full_like(part, 128, np.uint8)
        one, other = (
            media_fit.add_detail(grey, detail, share, square).astype(int)
            for detail in (part, everywhere)
        )
        assert np.abs(one - other).max() <= 1
    assert not media_fit.moved_detail(given_detail, way, np.zeros_like(share), square).any()


def test_detail_that_is_moved_nowhere_is_the_same() -> None:
    detail = pictures(1, 50, 70) - 0.5
    still = moved_detail(detail, torch.zeros(2, 2, 8, 8), square_of("letterbox", 50, 70))
    assert torch.allclose(still, detail.expand(2, -1, -1, -1), atol=1e-5)


def test_detail_is_moved_by_half_sides() -> None:
    detail = pictures(1, 50, 70)
    flow = torch.tensor([0.2, -0.4])[None, :, None, None].expand(1, 2, 8, 8)
    found = moved_detail(detail, flow, Square(10, 0, 50))  # 5 px to the right, 10 px up
    assert torch.allclose(found[..., 10:, 10:55], detail[..., :40, 15:60], atol=1e-4)
    assert (found[..., :10] == 0).all()
    assert (found[..., 60:] == 0).all()


def test_detail_is_moved_band_by_band(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    detail = rng.integers(-99, 99, (40, 60, 3)).astype(np.int16)
    flow = rng.uniform(-1, 1, (2, 8, 8)).astype(np.float32)
    given_ = detail, flow, np.full((32, 32), 255, np.uint8), square_of("letterbox", 40, 60)
    whole = media_fit.moved_detail(*given_)
    monkeypatch.setattr(media_fit, "BAND_PX", 200)
    assert np.array_equal(media_fit.moved_detail(*given_), whole)


def levels(x: torch.Tensor) -> torch.Tensor:
    """The nearest of 256 levels."""
    return (x * 255).round() / 255


def as_uint8(x: torch.Tensor) -> np.ndarray:
    return (x * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("height", "width"), [(30, 50), (50, 30), (31, 64), (1, 7), (7, 1)])
def test_letterbox_repeats_the_edges(height: int, width: int) -> None:
    picture = pictures(1, height, width)
    square = square_of("letterbox", height, width)
    part = cut(picture, square, square.side)
    top, left = -square.top, -square.left
    assert torch.equal(part[..., top : top + height, left : left + width], picture)
    for row in range(top):
        assert torch.equal(part[..., row, left : left + width], picture[..., 0, :])
    for column in range(left + width, square.side):
        assert torch.equal(part[..., top : top + height, column], picture[..., -1])


@pytest.mark.parametrize("side", [1, 2, 16, 127, 129, 1000])
def test_cut_scales_to_the_size_and_stays_in_range(side: int) -> None:
    checks = (torch.arange(side)[:, None] + torch.arange(side)) % 2
    part = cut(checks.expand(1, 3, -1, -1).float(), Square(0, 0, side), 128)
    assert part.shape == (1, 3, 128, 128)
    assert part.min() >= 0
    assert part.max() <= 1


def test_cut_low_passes_where_it_shrinks() -> None:
    checks = ((torch.arange(512)[:, None] + torch.arange(512)) % 2).float()
    part = cut(checks.expand(1, 3, -1, -1), Square(0, 0, 512), 128)
    assert torch.allclose(part, torch.tensor(0.5), atol=0.02)


def test_scaling_there_and_back_keeps_a_smooth_picture() -> None:
    ramp = torch.linspace(0, 1, 90).expand(1, 3, 60, 90)
    square = square_of("letterbox", 60, 90)
    back = paste(torch.zeros_like(ramp), cut(ramp, square, 128), square)
    assert (back - ramp).abs().max() < 0.01


@given(height=SIDES, width=SIDES, to_height=SIDES, to_width=SIDES)
def test_cover_fills_the_canvas(height: int, width: int, to_height: int, to_width: int) -> None:
    covered = cover(torch.full((2, 3, height, width), 0.25), to_height, to_width)
    assert covered.shape == (2, 3, to_height, to_width)
    assert torch.allclose(covered, torch.tensor(0.25), atol=1e-5)


def test_cover_keeps_aspect_and_middle() -> None:
    picture = torch.zeros(1, 1, 40, 120)
    picture[..., 40:80] = 1  # the middle third
    assert cover(picture, 40, 40).min() == 1
    assert cover(picture, 80, 80)[..., 4:-4].min() > 0.99
    assert torch.equal(cover(picture, 40, 120), picture)
