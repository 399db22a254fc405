from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from maskmotion.models import perturb
from maskmotion.models.draws import Draws, Share
from maskmotion.models.perturb import (
    perturb_for_animation,
    perturb_for_training,
    scaling_matrix,
)

THRESHOLD = 60 / 255
SHAPES = [(16, 16), (32, 32), (64, 64), (32, 64), (64, 32)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(seed: int = 0, share: Share | None = None) -> Draws:
    return Draws(seeded(seed), share or Share())


def blob(
    height: int = 64, width: int = 64, at: tuple[float, float] = (0.0, 0.0), radius: float = 0.15
) -> Tensor:
    """A bump `at` (down, right) of the middle, in shares of the sides; (1, 1, h, w)."""
    y = (torch.arange(height) - (height - 1) / 2) / height - at[0]
    x = (torch.arange(width) - (width - 1) / 2) / width - at[1]
    return torch.exp(-(y[:, None] ** 2 + x**2) / (2 * radius**2))[None, None]


def centroid(mask: Tensor) -> tuple[float, float]:
    """Of the mask's values, in pixels from the middle."""
    height, width = mask.shape[-2:]
    y, x = torch.arange(height) - (height - 1) / 2, torch.arange(width) - (width - 1) / 2
    total = mask.sum()
    return float((mask.sum(-1) * y).sum() / total), float((mask.sum(-2) * x).sum() / total)


@st.composite
def strips(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Factors (1, S) and edges (S + 1,) of a line of up to 64 pixels."""
    n = draw(st.integers(8, 64))
    pivots = draw(st.lists(st.integers(1, n - 1), max_size=5, unique=True))
    edges = torch.tensor([0, *sorted(pivots), n])
    wanted = st.lists(
        st.floats(0.75, 1.25, width=32), min_size=len(pivots) + 1, max_size=len(pivots) + 1
    )
    return torch.tensor([draw(wanted)]), edges


@given(strips())
def test_scaling_by_one_is_the_identity(strip: tuple[Tensor, Tensor]) -> None:
    factors, edges = strip
    n = int(edges[-1])
    assert torch.equal(scaling_matrix(torch.ones_like(factors), edges, n)[0], torch.eye(n))


@given(strips())
def test_strips_do_not_bleed_into_each_other(strip: tuple[Tensor, Tensor]) -> None:
    factors, edges = strip
    matrix = scaling_matrix(factors, edges, int(edges[-1]))[0]
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        line = torch.zeros(int(edges[-1]))
        line[start:end] = 1
        out = matrix @ line
        assert out[:start].abs().sum() == 0
        assert out[end:].abs().sum() == 0
        assert out[start:end].sum() > 0


@given(strips())
def test_a_strip_reads_about_its_own_centre(strip: tuple[Tensor, Tensor]) -> None:
    factors, edges = strip
    matrix = scaling_matrix(factors, edges, int(edges[-1]))[0]
    pixel = torch.arange(int(edges[-1]), dtype=torch.float32)
    read = matrix @ pixel
    for start, end, factor in zip(
        edges[:-1].tolist(), edges[1:].tolist(), factors[0].tolist(), strict=True
    ):
        centre = (start + end - 1) / 2
        wanted = centre + (pixel - centre) / factor
        inside = (pixel >= start) & (pixel < end) & (wanted >= start) & (wanted <= end - 1)
        torch.testing.assert_close(read[inside], wanted[inside], atol=1e-3, rtol=0)
        torch.testing.assert_close(
            matrix[inside].sum(1), torch.ones(int(inside.sum())), atol=1e-4, rtol=0
        )
        far = (pixel >= start) & (pixel < end) & ((wanted < start - 1) | (wanted > end))
        assert matrix[far].abs().sum() == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_training_mask_is_detached_and_in_range(shape: tuple[int, int]) -> None:
    mask = torch.rand(3, 1, *shape, generator=seeded(1), requires_grad=True)
    out = perturb_for_training(mask, THRESHOLD, drawn())
    assert out.shape == mask.shape
    assert not out.requires_grad
    assert out.min() >= 0
    assert out.max() <= 1
    assert torch.equal(out, perturb_for_training(mask, THRESHOLD, drawn()))
    assert not torch.equal(out, perturb_for_training(mask, THRESHOLD, drawn(2)))


@pytest.mark.parametrize("shape", SHAPES)
def test_training_mask_without_scaling_and_noise_is_only_cut(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perturb, "FACTOR_RANGE", (1.0, 1.0))
    monkeypatch.setattr(perturb, "NOISE_LEVEL", 0)
    mask = torch.rand(2, 1, *shape, generator=seeded(1))
    mask[0, 0, 0, 0] = THRESHOLD
    out = perturb_for_training(mask, THRESHOLD, drawn())
    assert torch.equal(out, torch.where(mask > torch.tensor(THRESHOLD), mask, 0))
    assert out[0, 0, 0, 0] == 0


def test_values_up_to_the_threshold_are_cut_after_the_scaling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(perturb, "NOISE_LEVEL", 0)
    out = perturb_for_training(blob().expand(4, -1, -1, -1), THRESHOLD, drawn())
    assert (out > 0).any()
    assert out[out > 0].min() > THRESHOLD


def test_noise_is_poisson_and_comes_after_the_cut() -> None:
    grey = perturb_for_training(torch.zeros(8, 1, 64, 64), THRESHOLD, drawn()) * 255
    torch.testing.assert_close(grey, grey.round(), atol=1e-3, rtol=0)
    assert grey.mean().item() == pytest.approx(20, abs=0.15)
    assert grey.var().item() == pytest.approx(20, abs=1)  # a Poisson's variance is its mean
    assert (grey < 60).float().mean() > 0.99  # below the threshold, yet kept


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor, Tensor]]:
    """Factors and edges of every scaling."""
    calls = []

    def spy(factors: Tensor, edges: Tensor, n: int) -> Tensor:
        assert int(edges[-1]) == n
        calls.append((factors, edges))
        return scaling_matrix(factors, edges, n)

    monkeypatch.setattr(perturb, "scaling_matrix", spy)
    return calls


@pytest.mark.parametrize("shape", SHAPES)
def test_pivots_are_the_batchs_and_factors_the_samples(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = spied(monkeypatch)
    seen = set()
    height, width = shape
    for seed in range(60):
        calls.clear()
        perturb_for_training(torch.rand(4, 1, height, width), THRESHOLD, drawn(seed))
        assert [len(edges) for _, edges in calls] == [7, 2, 7, 2]
        assert [int(edges[-1]) for _, edges in calls] == [width, height, height, width]
        for factors, edges in calls:
            assert factors.shape == (4, len(edges) - 1)
            assert factors.unique().numel() == factors.numel()
            assert factors.min() >= 0.75
            assert factors.max() <= 1.25
            assert (edges[1:] > edges[:-1]).all()
        seen |= set(calls[0][1][1:-1].tolist())
    low, high = round(width * 15 / 64), round(width * 45 / 64)
    assert seen == set(range(low, high + 1))  # both ends are drawn


def test_factors_fill_their_range(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = spied(monkeypatch)
    perturb_for_training(torch.rand(300, 1, 16, 16), THRESHOLD, drawn())
    for factors, _ in calls:
        assert factors.min() < 0.76
        assert factors.max() > 1.24
        assert factors.mean().item() == pytest.approx(1, abs=0.03)


def test_vertical_strips_are_scaled_horizontally_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """With whole scalings off, a mask of equal rows is changed by the vertical strips alone."""
    monkeypatch.setattr(perturb, "NOISE_LEVEL", 0)
    calls = spied(monkeypatch)
    line = torch.rand(64, generator=seeded(3)) * 0.5 + 0.5
    factors = perturb._factors

    def strips_only(samples: int, strips: int, draws: Draws) -> Tensor:
        found = factors(samples, strips, draws)
        return found if len(calls) == 0 else torch.ones_like(found)

    monkeypatch.setattr(perturb, "_factors", strips_only)
    out = perturb_for_training(line.expand(1, 1, 64, 64), 0.0, drawn())[0, 0]
    torch.testing.assert_close(out, (scaling_matrix(*calls[0], 64)[0] @ line).expand(64, 64))
    assert not torch.allclose(out[0], line)


def test_samples_of_a_batch_are_deformed_each_in_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perturb, "NOISE_LEVEL", 0)
    out = perturb_for_training(blob().expand(3, -1, -1, -1), THRESHOLD, drawn())
    assert not torch.equal(out[0], out[1])
    assert not torch.equal(out[1], out[2])
    # one factor strip by strip and one as a whole, each in 0.75 to 1.25
    areas = (out > 0).sum((1, 2, 3)) / (blob() > THRESHOLD).sum()
    assert (areas > 0.75**4).all()
    assert (areas < 1.25**4).all()


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**31))
def test_a_batch_is_deformed_alike_however_it_is_shared_out(
    count: int, samples: int, seed: int
) -> None:
    masks = torch.rand(count * samples, 1, 16, 16, generator=seeded(seed))
    whole = perturb_for_training(masks, THRESHOLD, drawn(seed))
    shares = [
        perturb_for_training(part, THRESHOLD, drawn(seed, Share(index, count)))
        for index, part in enumerate(masks.split(samples))
    ]
    assert torch.equal(torch.cat(shares), whole)


@pytest.mark.parametrize("shape", SHAPES)
def test_animation_at_full_scale_only_cuts(shape: tuple[int, int]) -> None:
    mask = torch.rand(2, 1, *shape, generator=seeded())
    mask[0, 0, 0, 0] = 0.5
    out = perturb_for_animation(mask, 0.5, 1.0)
    assert torch.equal(out, torch.where(mask > 0.5, mask, 0))
    assert out[0, 0, 0, 0] == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_animation_scales_about_the_middle(shape: tuple[int, int]) -> None:
    mask = blob(*shape, at=(0.1, -0.15), radius=0.1)
    before = torch.where(mask > 0.01, mask, 0)
    after = perturb_for_animation(mask, 0.01, 0.75)
    assert float(after.sum() / before.sum()) == pytest.approx(0.75**2, rel=0.02)
    for a, b in zip(centroid(after), centroid(before), strict=True):
        assert a == pytest.approx(0.75 * b, abs=0.1)


@given(st.floats(0.5, 1.5), st.integers(0, 10**6))
def test_animation_keeps_a_symmetric_mask_symmetric(scale: float, seed: int) -> None:
    half = torch.rand(1, 1, 32, 16, generator=seeded(seed))
    mask = torch.cat([half, half.flip(-1)], dim=-1)
    out = perturb_for_animation(mask, 0.2, scale)
    torch.testing.assert_close(out, out.flip(-1), atol=1e-5, rtol=0)
    assert out.min() >= 0
    assert out.max() <= 1 + 1e-6


@pytest.mark.parametrize("scale", [1.0, 0.75])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_animation_keeps_the_dtype(scale: float, dtype: torch.dtype) -> None:
    mask = blob()
    out = perturb_for_animation(mask.to(dtype), 0.25, scale)
    assert out.dtype == dtype
    wanted = perturb_for_animation(mask.to(dtype).float(), 0.25, scale)
    torch.testing.assert_close(out.float(), wanted, atol=0.01, rtol=0)


def test_animation_passes_gradients() -> None:
    mask = blob().requires_grad_()
    perturb_for_animation(mask, THRESHOLD, 0.75).sum().backward()
    assert mask.grad is not None
    assert (mask.grad[mask.detach() > THRESHOLD].sum()) > 0
    assert mask.grad[mask.detach() <= THRESHOLD].abs().sum() == 0


@pytest.mark.gpu
@pytest.mark.parametrize("call", ["training", "animation"])
def test_perturbation_stays_on_the_masks_device(call: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    mask = blob().cuda()
    calls: dict[str, Callable[[], Tensor]] = {
        "training": lambda: perturb_for_training(mask, THRESHOLD, Draws(torch.Generator("cuda"))),
        "animation": lambda: perturb_for_animation(mask, THRESHOLD, 0.75),
    }
    assert calls[call]().device == mask.device
