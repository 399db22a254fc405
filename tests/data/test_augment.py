import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maskmotion.data.augment import LUMA, apply_jitter, jitter_matrix, random_flip, random_zoom
from maskmotion.models.draws import Draws

seeds = st.integers(0, 2**31)
strengths = st.floats(0, 0.5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(seed: int = 0) -> Draws:
    return Draws(seeded(seed))


def pictures(seed: int, batch: int = 4, low: float = 0.3, high: float = 0.5) -> torch.Tensor:
    """Pale enough that no jitter of these tests is clamped, unless told otherwise."""
    return low + (high - low) * torch.rand(batch, 3, 6, 8, generator=seeded(seed))


def luma(picture: torch.Tensor) -> torch.Tensor:
    return torch.einsum("bchw,c->bhw", picture, torch.tensor(LUMA))


@given(seeds)
def test_no_strength_changes_nothing(seed: int) -> None:
    picture = pictures(seed, low=0, high=1)
    matrix = jitter_matrix(4, 0.0, drawn(seed))
    assert matrix.shape == (4, 3, 4)
    torch.testing.assert_close(apply_jitter(picture, matrix), picture, atol=1e-5, rtol=0)


def test_applying_a_matrix() -> None:
    picture = pictures(0, 1)
    brighter = torch.cat([1.5 * torch.eye(3), torch.zeros(3, 1)], 1)[None]
    torch.testing.assert_close(apply_jitter(picture, brighter), 1.5 * picture)
    flatter = torch.cat([0.6 * torch.eye(3), 0.4 * torch.ones(3, 1)], 1)[None]
    torch.testing.assert_close(
        apply_jitter(picture, flatter), 0.6 * picture + 0.4 * luma(picture).mean()
    )
    swapped = torch.cat([torch.eye(3)[[2, 0, 1]], torch.zeros(3, 1)], 1)[None]
    torch.testing.assert_close(apply_jitter(picture, swapped), picture[:, [2, 0, 1]])
    assert apply_jitter(picture, 5 * brighter).max() == 1
    assert apply_jitter(picture, -brighter).max() == 0


@given(seeds, strengths)
def test_grey_stays_grey(seed: int, strength: float) -> None:
    grey = pictures(seed)[:, :1].expand(-1, 3, -1, -1)
    out = apply_jitter(grey, jitter_matrix(4, strength, drawn(seed)))
    torch.testing.assert_close(out[:, 0], out[:, 1], atol=1e-5, rtol=0)
    torch.testing.assert_close(out[:, 0], out[:, 2], atol=1e-5, rtol=0)


@given(seeds, strengths, st.floats(0.1, 0.6))
def test_an_even_grey_picture_shows_the_brightness_alone(
    seed: int, strength: float, level: float
) -> None:
    matrix = jitter_matrix(4, strength, drawn(seed))
    out = apply_jitter(torch.full((4, 3, 6, 8), level), matrix)
    brightness = out[:, 0, 0, 0] / level
    assert (brightness >= 1 - strength - 1e-4).all()
    assert (brightness <= 1 + strength + 1e-4).all()
    torch.testing.assert_close(out, brightness[:, None, None, None].expand_as(out) * level)


@given(seeds, st.floats(0, 0.3))
def test_luma_follows_brightness_and_contrast_alone(seed: int, strength: float) -> None:
    """Saturation and hue change no luma: it is b (c luma + (1 - c) mean), with c in its range."""
    picture = pictures(seed)
    matrix = jitter_matrix(4, strength, drawn(seed))
    brightness = apply_jitter(torch.full((4, 3, 6, 8), 0.4), matrix)[:, 0, 0, 0] / 0.4
    before, after = luma(picture), luma(apply_jitter(picture, matrix))
    mean = before.mean((1, 2))
    torch.testing.assert_close(after.mean((1, 2)), brightness * mean)
    contrast = after.std((1, 2)) / before.std((1, 2)) / brightness
    assert (contrast >= 1 - strength - 1e-3).all()
    assert (contrast <= 1 + strength + 1e-3).all()
    offset = (brightness * (1 - contrast) * mean)[:, None, None]
    wanted = (brightness * contrast)[:, None, None] * before + offset
    torch.testing.assert_close(after, wanted, atol=1e-4, rtol=0)


def test_hue_turns_by_up_to_its_strength_both_ways() -> None:
    """The chroma of a colour, as an angle about the grey axis in YIQ."""
    colour = torch.tensor([0.6, 0.35, 0.35]).view(1, 3, 1, 1).expand(2000, -1, 1, 1)
    out = apply_jitter(colour, jitter_matrix(2000, 0.1, drawn()))[:, :, 0, 0]

    def angle(rgb: torch.Tensor) -> torch.Tensor:
        i = rgb @ torch.tensor([0.596, -0.274, -0.322])
        q = rgb @ torch.tensor([0.211, -0.523, 0.312])
        return torch.atan2(q, i)

    turned = (angle(out) - angle(colour[:1, :, 0, 0])) / (2 * math.pi)
    assert turned.min().item() == pytest.approx(-0.1, abs=0.002)
    assert turned.max().item() == pytest.approx(0.1, abs=0.002)
    assert turned.mean().item() == pytest.approx(0, abs=0.005)


def test_factors_fill_their_range() -> None:
    even = torch.full((2000, 3, 1, 1), 0.4)
    matrix = jitter_matrix(2000, 0.1, drawn())
    brightness = apply_jitter(even, matrix)[:, 0, 0, 0] / 0.4
    assert brightness.min().item() == pytest.approx(0.9, abs=0.002)
    assert brightness.max().item() == pytest.approx(1.1, abs=0.002)
    assert brightness.mean().item() == pytest.approx(1, abs=0.005)


def test_jitter_is_the_generators() -> None:
    a, b, c = (jitter_matrix(3, 0.1, drawn(seed)) for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert not torch.equal(a[0], a[1])


@given(seeds)
def test_flips_are_the_samples_and_alike_in_all_pictures(seed: int) -> None:
    a, b = pictures(seed), pictures(seed + 1)
    flipped_a, flipped_b = random_flip((a, b), drawn(seed))
    for old_a, new_a, old_b, new_b in zip(a, flipped_a, b, flipped_b, strict=True):
        if torch.equal(new_a, old_a):
            assert torch.equal(new_b, old_b)
        else:
            assert torch.equal(new_a, old_a.flip(-1))
            assert torch.equal(new_b, old_b.flip(-1))


def test_half_of_the_samples_are_flipped() -> None:
    ramp = torch.arange(4.0).expand(1000, 1, 1, 4)
    (out,) = random_flip((ramp,), drawn())
    assert 450 < (out[..., 0] == 3).sum() < 550


def places(batch: int, height: int, width: int) -> torch.Tensor:
    """Pictures that say where each of their pixels' middles is: x and y in px, (B, 2, H, W)."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y]).expand(batch, -1, -1, -1)


@given(seeds, st.floats(1, 4))
def test_zoom_cuts_a_window_of_the_same_shape_alike_from_all(seed: int, limit: float) -> None:
    height, width = 12, 16
    where = places(64, height, width)
    seen, other = random_zoom((where, -where[:, :1]), limit, drawn(seed))
    torch.testing.assert_close(other, -seen[:, :1], atol=1e-4, rtol=0)
    inner = seen[:, :, 3:-3, 3:-3]  # pixels at an edge may take the picture's border
    steps_x, steps_y = inner[:, 0].diff(dim=2), inner[:, 1].diff(dim=1)
    factor = 1 / steps_x[:, :1, :1]
    assert (factor >= 1 - 1e-4).all()
    assert (factor <= limit + 1e-3).all()
    torch.testing.assert_close(steps_x, (1 / factor).expand_as(steps_x), atol=1e-4, rtol=0)
    torch.testing.assert_close(steps_y, (1 / factor).expand_as(steps_y), atol=1e-4, rtol=0)
    for axis, side in enumerate((width, height)):
        middle = seen[:, axis].mean((1, 2))
        reach = side / 2 * (1 - 1 / factor[:, 0, 0])
        assert ((middle - side / 2).abs() <= reach + 0.02 * side).all()


def test_half_of_the_samples_are_enlarged_up_to_the_limit_and_anywhere() -> None:
    where = places(4000, 8, 8)
    (seen,) = random_zoom((where,), 2.0, drawn())
    factor = 1 / (seen[:, 0, 4, 4] - seen[:, 0, 4, 3])
    kept = (seen == where).flatten(1).all(1)
    assert 0.46 < kept.float().mean() < 0.54
    assert factor.max() > 1.98
    assert abs(float(factor[~kept].log2().mean()) - 0.5) < 0.03  # evenly in the logarithm
    left = seen[:, 0].mean((1, 2)) - 4
    assert abs(float(left.mean())) < 0.05
    assert left.max() > 1.8
    assert left.min() < -1.8


def test_no_zoom_changes_nothing() -> None:
    a, b = pictures(0), pictures(1)[:, :1]
    near_a, near_b = random_zoom((a, b), 1.0, drawn())
    assert torch.equal(near_a, a)
    assert torch.equal(near_b, b)
