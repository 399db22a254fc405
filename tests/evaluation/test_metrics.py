"""Metrics against closed forms, plain sums and what must hold for any picture."""

import sys
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from maskmotion.errors import MissingExtraError, ShapeError
from maskmotion.evaluation.metrics import (
    aligned,
    band,
    changed,
    far_from,
    iou,
    l1,
    psnr,
    ring,
    show_through,
    ssim,
)

SIDE = 32
CEILING = 58.9224  # 20 lg 255 + 10 lg 12
SEEDS = st.integers(0, 2**31)
ALL = torch.ones((1, 1, SIDE, SIDE), dtype=torch.bool)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(seed: int, batch: int = 3, side: int = SIDE) -> Tensor:
    return torch.rand((batch, 3, side, side), generator=seeded(seed))


def masks(seed: int, batch: int = 3, side: int = SIDE, share: float = 0.5) -> Tensor:
    return torch.rand((batch, 1, side, side), generator=seeded(seed)) < share


def flat(*levels: float) -> Tensor:
    """One picture a level."""
    return torch.tensor(levels).view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE)


def box(top: int, left: int, height: int, width: int) -> Tensor:
    mask = torch.zeros_like(ALL)
    mask[..., top : top + height, left : left + width] = True
    return mask


# Pictures ----------------------------------------------------------------------------------


def test_l1_of_constant_offsets() -> None:
    found = l1(flat(0.2, 0.5, 1.0), flat(0.5, 0.5, 0.0))
    assert found.tolist() == pytest.approx([0.3, 0, 1])


def test_l1_is_a_mean_over_channels() -> None:
    red = flat(0.2).clone()
    red[:, 0] += 0.3
    assert l1(red, flat(0.2)).item() == pytest.approx(0.1)
    assert l1(red, flat(0.2), box(3, 3, 5, 5)).item() == pytest.approx(0.1)


def test_psnr_of_constant_offsets() -> None:
    found = psnr(flat(0.1, 0.51, 0.0), flat(0.2, 0.5, 1.0))
    assert found.tolist() == pytest.approx([20, 40, 0], abs=1e-3)


def test_psnr_of_equal_pictures_is_that_of_rounding_to_eight_bits() -> None:
    assert psnr(pictures(0), pictures(0)).tolist() == pytest.approx([CEILING] * 3, abs=1e-3)
    fine = torch.linspace(0, 1, 3 * 400 * 400).view(1, 3, 400, 400)
    rounded = (255 * fine).round() / 255
    assert psnr(rounded, fine).item() == pytest.approx(CEILING, abs=0.01)


def test_psnr_of_part_of_a_picture() -> None:
    where = box(0, 0, 8, 16)  # an eighth of the picture
    picture = torch.where(where, flat(0.6), flat(0.5))
    assert psnr(picture, flat(0.5), where).item() == pytest.approx(20, abs=1e-3)
    assert psnr(picture, flat(0.5), ~where).item() == pytest.approx(CEILING, abs=1e-3)
    assert psnr(picture, flat(0.5)).item() == pytest.approx(29.0309, abs=1e-3)  # 20 + 10 lg 8


@given(seed=SEEDS)
def test_where_restricts_to_its_pixels(seed: int) -> None:
    picture, target, where = pictures(seed), pictures(seed + 1), masks(seed + 2, share=0.2)
    spoiled = torch.where(where, picture, torch.nan)
    for index in range(len(picture)):
        inside = where[index, 0]
        difference = (picture[index] - target[index])[:, inside]
        found = l1(spoiled, target, where)[index].item()
        assert found == pytest.approx(difference.abs().mean().item(), rel=1e-5)
        mse = difference.double().square().mean().item()
        assert 10 ** (-psnr(spoiled, target, where)[index].item() / 10) == pytest.approx(mse, 1e-4)


def plain_ssim(a: Tensor, b: Tensor) -> Tensor:
    """The formula of Wang et al., every window written out, its frame mirrored at the edges."""
    axis = torch.arange(-5, 6, dtype=torch.double)
    line = torch.exp(-axis.square() / (2 * 1.5**2))
    window = torch.outer(line, line).flatten() / line.sum() ** 2

    def windows(x: Tensor) -> Tensor:
        mirrored = F.pad(x.double(), [5] * 4, mode="reflect")
        return mirrored.unfold(2, 11, 1).unfold(3, 11, 1).flatten(-2)  # (B, 3, H, W, 121)

    a, b = windows(a), windows(b)
    mean_a, mean_b = a @ window, b @ window
    var_a = (a - mean_a[..., None]).square() @ window
    var_b = (b - mean_b[..., None]).square() @ window
    both = ((a - mean_a[..., None]) * (b - mean_b[..., None])) @ window
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (luminance * (2 * both + c2) / (var_a + var_b + c2)).mean((1, 2, 3))


def test_ssim_is_the_plain_formula() -> None:
    target = F.avg_pool2d(pictures(0, 3, 34), 3, 1)
    noise = torch.tensor([0.0, 0.1, 0.6]).view(-1, 1, 1, 1)
    picture = target + noise * (pictures(1) - target)
    found = ssim(picture, target)
    assert found.tolist() == pytest.approx(plain_ssim(picture, target).tolist(), abs=1e-5)
    assert 0.1 < found[2] < found[1] - 0.1 < found[0] - 0.1


def test_ssim_of_equal_pictures_is_one() -> None:
    assert ssim(pictures(4), pictures(4)).tolist() == pytest.approx([1, 1, 1], abs=1e-6)


@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_ssim_of_constants(a: float, b: float) -> None:
    expected = (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)
    assert ssim(flat(a), flat(b)).item() == pytest.approx(expected, abs=5e-4)


def test_ssim_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
    with pytest.raises(MissingExtraError, match=r"pip install maskmotion\[eval\]"):
        ssim(flat(0.1), flat(0.1))


def test_ssim_needs_room_for_its_window() -> None:
    assert ssim(pictures(0, 1, 6), pictures(0, 1, 6)).shape == (1,)
    with pytest.raises(ShapeError, match="at least 6 px"):
        ssim(pictures(0, 1, 5), pictures(0, 1, 5))


@given(seed=SEEDS, k=st.floats(-0.5, 1.5))
def test_show_through_finds_the_mixture(seed: int, k: float) -> None:
    new, old, where = pictures(seed), pictures(seed + 1), masks(seed + 2, share=0.3)
    picture = torch.where(where, (1 - k) * new + k * old, torch.nan)
    assert show_through(picture, new, old, where).tolist() == pytest.approx([k] * 3, abs=1e-5)


def test_show_through_is_the_least_squares_fit() -> None:
    new, old, where = pictures(0), pictures(1), masks(2)
    picture = 0.7 * new + 0.3 * old + 0.2 * (pictures(3) - 0.5)
    for index, found in enumerate(show_through(picture, new, old, where).tolist()):
        inside = where[index, 0]
        unknown = (old - new)[index][:, inside].flatten()
        known = (picture - new)[index][:, inside].flatten()
        best = torch.linalg.lstsq(unknown[:, None], known[:, None]).solution.item()
        assert found == pytest.approx(best, abs=1e-5)
        assert found != pytest.approx(0.3, abs=1e-5)  # the noise has its say, a small one
        assert found == pytest.approx(0.3, abs=0.05)


def test_show_through_of_like_backgrounds_is_unknown() -> None:
    new = flat(0.5, 0.5, 0.5)
    old = flat(0.5, 0.5009, 0.5011)  # mean squares 0, 0.8e-6 and 1.2e-6
    found = show_through(old, new, old, ALL)
    assert found[:2].isnan().all()
    assert found[2].item() == pytest.approx(1, abs=1e-3)


# Masks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (box(4, 4, 4, 4), 1),
        (box(4, 6, 4, 4), 8 / 24),
        (box(4, 4, 2, 2), 4 / 16),
        (box(8, 4, 4, 4), 0),
        (box(0, 0, 0, 0), 0),
        (ALL, 16 / SIDE**2),
    ],
)
def test_iou_of_boxes(second: Tensor, expected: float) -> None:
    assert iou(box(4, 4, 4, 4), second).item() == pytest.approx(expected)


def test_iou_of_nothing_with_nothing_is_unknown() -> None:
    first = torch.cat([box(0, 0, 0, 0), ALL])
    assert iou(first, first).isnan().tolist() == [True, False]


def test_changed_is_the_largest_channel_above_the_threshold() -> None:
    target = flat(0.25).clone()
    target[0, 2, 5, 6] = 0.75  # by 0.5, one channel
    target[0, 1, 7, 8] = 0.0  # by 0.25, darker
    found = changed(flat(0.25), target, threshold=0.25)
    assert found.nonzero().tolist() == [[0, 0, 5, 6]]
    assert changed(flat(0.25), target).sum() == 2  # above 0.1
    assert found.dtype == torch.bool
    assert found.shape == (1, 1, SIDE, SIDE)


def test_rings_of_a_box() -> None:
    mask = box(10, 12, 6, 6)
    assert ring(mask, 0, 2).sum() == 10 * 10 - 6 * 6
    assert ring(mask, 1, 3).sum() == 12 * 12 - 8 * 8
    assert band(mask, 1).sum() == (8 * 8 - 6 * 6) + (6 * 6 - 4 * 4)
    assert band(mask, 3).sum() == 12 * 12  # the inside is all border
    assert far_from(mask, 3).sum() == SIDE * SIDE - 10 * 10
    assert torch.equal(far_from(mask, 1), ~mask)


def test_the_edge_of_the_frame_is_no_border() -> None:
    left = box(0, 0, SIDE, 10)
    assert band(left, 2).sum() == 2 * 2 * SIDE
    assert ring(left, 1, 4).sum() == 3 * SIDE
    assert not band(ALL, 3).any()


def test_an_empty_mask_is_far_from_all() -> None:
    empty = box(0, 0, 0, 0)
    assert far_from(empty, 1).all()
    assert not ring(empty, 0, 5).any()
    assert not band(empty, 5).any()


def distances(mask: Tensor) -> Tensor:
    """(S, S) steps from each pixel to the mask's nearest, across, down or at a slant."""
    places = torch.cartesian_prod(*[torch.arange(n) for n in mask.shape])
    steps = (places[:, None] - mask.nonzero()).abs().amax(-1).amin(1)
    return steps.view(mask.shape)


@given(seed=SEEDS, share=st.floats(0.02, 0.5), near=st.integers(0, 3), more=st.integers(1, 4))
def test_distances_are_chebyshevs(seed: int, share: float, near: int, more: int) -> None:
    mask = masks(seed, 1, 12, share)
    mask[..., 3, 7] = True
    mask[..., 8, 2] = False
    outside, inside = distances(mask[0, 0]), distances(~mask[0, 0])
    far = near + more
    assert torch.equal(ring(mask, near, far)[0, 0], (outside > near) & (outside <= far))
    assert torch.equal(far_from(mask, far)[0, 0], outside >= far)
    assert torch.equal(band(mask, far)[0, 0], (outside <= far) & (inside <= far))
    parts = [mask, ring(mask, 0, far), far_from(mask, far + 1)]
    assert torch.equal(sum(part.int() for part in parts), torch.ones_like(mask).int())


# Points ------------------------------------------------------------------------------------


def points(seed: int, frames: int = 6, count: int = 5) -> Tensor:
    return 64 + 100 * torch.randn((frames, count, 2), generator=seeded(seed)).double()


def similar(x: Tensor, scale: float, turn: float, shift: tuple[float, float]) -> Tensor:
    angle = torch.tensor(turn, dtype=x.dtype)
    rotation = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    return scale * x @ rotation.T + torch.tensor(shift, dtype=x.dtype)


SIMILARITIES = st.tuples(
    st.floats(0.2, 5), st.floats(-4, 4), st.tuples(st.floats(-200, 200), st.floats(-200, 200))
)


@given(seed=SEEDS, similarity=SIMILARITIES)
def test_alignment_undoes_a_similarity(
    seed: int, similarity: tuple[float, float, tuple[float, float]]
) -> None:
    to = points(seed)
    assert torch.allclose(aligned(similar(to, *similarity), to), to)


@given(seed=SEEDS, similarity=SIMILARITIES)
def test_place_size_and_turn_of_the_points_do_not_matter(
    seed: int, similarity: tuple[float, float, tuple[float, float]]
) -> None:
    moved, to = points(seed), points(seed + 1)
    assert torch.allclose(aligned(similar(moved, *similarity), to), aligned(moved, to))


@given(seed=SEEDS)
def test_alignment_is_the_least_squares_fit(seed: int) -> None:
    moved, to = points(seed), points(seed + 1)
    x, y = moved.flatten(0, 1).T
    one, none = torch.ones_like(x), torch.zeros_like(x)
    rows = torch.stack([torch.stack([x, -y, one, none], 1), torch.stack([y, x, none, one], 1)], 1)
    rows = rows.flatten(0, 1)  # x' = a x - b y + c, y' = b x + a y + d
    best = rows @ torch.linalg.lstsq(rows, to.reshape(-1, 1)).solution
    assert torch.allclose(aligned(moved, to), best.view_as(to))


def test_motion_stays() -> None:
    face = points(0, frames=1)
    still = face.expand(4, -1, -1)
    walk = torch.tensor([[-9.0, 0], [-3, 0], [3, 0], [9, 0]]).double()[:, None]
    found = aligned(still, still + walk)
    assert torch.allclose(found, still)  # one shift for the clip does not follow the walk


def test_a_mirrored_face_stays_mirrored() -> None:
    to = points(0)
    mirrored = to * torch.tensor([-1.0, 1.0])
    assert (aligned(mirrored, to) - to).abs().mean() > 10


@pytest.mark.parametrize("side", ["points", "to"])
def test_frames_not_found_are_left_out(side: str) -> None:
    moved, to = points(0), points(1)
    kept = torch.tensor([0, 2, 3, 5])
    broken = (moved if side == "points" else to).clone()
    broken[1] = torch.nan
    broken[4, 2] = torch.nan
    found = aligned(broken, to) if side == "points" else aligned(moved, broken)
    assert found[[1, 4]].isnan().all()
    assert torch.allclose(found[kept], aligned(moved[kept], to[kept]))


def test_alignment_without_anything_to_fit_is_unknown() -> None:
    nothing = torch.full((2, 4, 2), torch.nan)
    assert aligned(nothing, points(0, 2, 4).float()).isnan().all()
    one_place = torch.full((2, 4, 2), 7.0)
    assert aligned(one_place, points(0, 2, 4).float()).isnan().all()


def test_alignment_in_single_precision() -> None:
    to = points(0).float()
    found = aligned(similar(to, 3, 1, (200, 100)), to)
    assert found.dtype == torch.float32
    assert torch.allclose(found, to, atol=1e-3)


# What holds for all ------------------------------------------------------------------------

MEASURED: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "l1": l1,
    "psnr": psnr,
    "ssim": lambda a, b, where: ssim(a, b),
    "iou": lambda a, b, where: iou(a[:, :1] > 0.5, b[:, :1] > 0.5),
    "show_through": lambda a, b, where: show_through(a, b, b.flip(1), where),
}
RANGES = {"l1": (0, 1), "psnr": (0, 58.93), "ssim": (-1, 1), "iou": (0, 1)}
MASKED = ["l1", "psnr", "show_through"]


@pytest.mark.parametrize("name", RANGES)
@given(seed=SEEDS)
def test_symmetry_and_range(name: str, seed: int) -> None:
    a, b, where = pictures(seed), pictures(seed + 1), masks(seed + 2)
    found = MEASURED[name](a, b, where)
    low, high = RANGES[name]
    assert found.shape == (3,)
    assert torch.allclose(found, MEASURED[name](b, a, where))
    assert ((found >= low) & (found <= high)).all()


@pytest.mark.parametrize("name", MEASURED)
@given(seed=SEEDS, order=st.permutations(range(3)))
def test_frames_do_not_depend_on_one_another(name: str, seed: int, order: list[int]) -> None:
    a, b, where = pictures(seed), pictures(seed + 1), masks(seed + 2)
    found = MEASURED[name](a, b, where)
    assert torch.allclose(MEASURED[name](a[order], b[order], where[order]), found[order])
    alone = [MEASURED[name](a[i : i + 1], b[i : i + 1], where[i : i + 1]) for i in range(3)]
    assert torch.allclose(torch.cat(alone), found)


@pytest.mark.parametrize("name", MASKED)
def test_frames_without_pixels_have_no_value(name: str) -> None:
    where = torch.cat([box(0, 0, 0, 0), box(2, 2, 3, 3)])
    found = MEASURED[name](pictures(0, 2), pictures(1, 2), where)
    assert found.isnan().tolist() == [True, False]


@pytest.mark.parametrize("name", MASKED)
def test_one_mask_for_all_frames(name: str) -> None:
    a, b, one = pictures(0), pictures(1), box(2, 2, 9, 5)
    expected = MEASURED[name](a, b, one.expand(3, -1, -1, -1))
    assert torch.equal(MEASURED[name](a, b, one), expected)


def test_all_pixels_are_the_default() -> None:
    a, b = pictures(0), pictures(1)
    assert torch.allclose(l1(a, b), l1(a, b, ALL))
    assert torch.allclose(psnr(a, b), psnr(a, b, ALL))


@pytest.mark.parametrize("name", MEASURED)
def test_pictures_of_two_shapes_are_refused(name: str) -> None:
    with pytest.raises(ShapeError, match="one shape"):
        MEASURED[name](pictures(0, 2), pictures(1, 1), ALL)


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("shape", [(2, 3, SIDE, SIDE), (3, 1, SIDE, SIDE), (2, 1, 1, 1)])
def test_masks_that_do_not_fit_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="does not fit"):
        MEASURED[name](pictures(0, 2), pictures(1, 2), torch.ones(shape, dtype=torch.bool))


def test_other_pairs_of_two_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        changed(pictures(0, 1), pictures(1, 2))
    with pytest.raises(ShapeError, match="one shape"):
        aligned(points(0, 1), points(0, 2))
