import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.training.test_vgg import plain_features, random_weights
from torch import Tensor
from torch.nn import functional as F

from maskmotion.config import LossConfig
from maskmotion.models.blocks import gaussian_line
from maskmotion.training.losses import PerceptualLoss, motion_loss, reduced_target
from maskmotion.training.vgg import VGG19

WEIGHTS = random_weights(10)


def perceptual(**settings: object) -> PerceptualLoss:
    config = LossConfig.model_validate(settings)
    vgg = VGG19(config.vgg_layers)
    vgg.load_state_dict({key: WEIGHTS[key] for key in vgg.state_dict()})
    return PerceptualLoss(vgg, config)


def pictures(seed: int, batch: int = 2) -> Tensor:
    return torch.rand((batch, 3, 32, 32), generator=torch.Generator().manual_seed(seed))


def reduced(picture: Tensor, scale: int) -> Tensor:
    """Gaussian of sigma (scale - 1) / 2, zero padded, then every scale-th pixel."""
    if scale == 1:
        return picture
    sigma = (scale - 1) / 2
    radius = round(4 * sigma)
    line = gaussian_line(sigma, 2 * radius + 1)
    kernel = torch.outer(line, line)[None, None]
    channels = [F.conv2d(picture[:, c : c + 1], kernel, padding=radius) for c in range(3)]
    return torch.cat(channels, 1)[..., ::scale, ::scale]


def plain_loss(a: Tensor, b: Tensor, scales: tuple[int, ...], layers: tuple[int, ...]) -> float:
    total = 0.0
    for scale in scales:
        features = [plain_features(reduced(x, scale), WEIGHTS, 10) for x in (a, b)]
        for layer in layers:
            of_a, of_b = (found[{1: 0, 2: 5, 3: 10}[layer]] for found in features)
            total += float((of_a - of_b).abs().mean())
    return total


@pytest.mark.parametrize(
    ("scales", "layers", "weight"),
    [((1, 2, 4, 8), (1, 2, 3), 10.0), ((1,), (1,), 1.0), ((2, 8), (3,), 0.5)],
)
def test_perceptual_loss_is_the_plain_sum(
    scales: tuple[int, ...], layers: tuple[int, ...], weight: float
) -> None:
    loss = perceptual(scales=scales, vgg_layers=layers, perceptual=weight)
    a, b = pictures(0), pictures(1)
    found = loss(a, loss.features(b))
    assert len(loss.features(b)) == len(scales) * len(layers)
    assert float(found) == pytest.approx(weight * plain_loss(a, b, scales, layers), rel=1e-4)


def test_the_default_is_the_papers() -> None:
    a, b = pictures(0), pictures(1)
    loss = perceptual()
    wanted = 10 * plain_loss(a, b, (1, 2, 4, 8), (1, 2, 3))
    assert float(loss(a, loss.features(b))) == pytest.approx(wanted, rel=1e-4)


def test_equal_pictures_cost_nothing() -> None:
    loss = perceptual()
    assert float(loss(pictures(0), loss.features(pictures(0)))) == 0


def test_no_weight_costs_nothing() -> None:
    loss = perceptual(perceptual=0)
    assert float(loss(pictures(0), loss.features(pictures(1)))) == 0


def test_gradients_reach_the_picture_and_lead_downhill() -> None:
    loss = perceptual()
    target = loss.features(pictures(1))
    picture = pictures(0).requires_grad_()
    before = loss(picture, target)
    (gradient,) = torch.autograd.grad(before, picture)
    assert before > 0
    step = 0.05 / float(gradient.abs().max())
    assert loss(picture - step * gradient, target) < before
    assert not any(p.requires_grad for p in loss.parameters())


def test_it_holds_nothing_to_store_but_the_features_weights() -> None:
    assert {key.split(".")[0] for key in perceptual().state_dict()} == {"vgg"}


@given(st.floats(-8, 8), st.floats(0, 1))
def test_motion_loss_is_the_cross_entropy(logit: float, wanted: float) -> None:
    logits = torch.full((2, 1, 26, 26), logit)
    target = torch.full((2, 1, 128, 128), wanted)
    probability = 1 / (1 + math.exp(-logit))
    entropy = -wanted * math.log(probability) - (1 - wanted) * math.log(1 - probability)
    found = motion_loss(logits, target, torch.ones(2, dtype=torch.bool))
    assert float(found) == pytest.approx(entropy, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("side", [26, 32])
def test_confident_and_right_costs_nothing(side: int) -> None:
    target = torch.zeros(1, 1, 128, 128)
    target[..., 32:80, 40:100] = 1
    border = (32 - side) // 2
    logits = 100 * (target[..., ::4, ::4] * 2 - 1)[..., border : 32 - border, border : 32 - border]
    still = torch.tensor([True])
    assert float(motion_loss(logits, target, still)) == pytest.approx(0, abs=1e-6)
    assert float(motion_loss(-logits, target, still)) == pytest.approx(100, rel=1e-4)


def test_a_moving_camera_counts_nothing() -> None:
    logits = torch.randn(4, 1, 26, 26).requires_grad_()
    target = torch.rand(4, 1, 128, 128)
    still = torch.tensor([True, False, True, False])
    found = motion_loss(logits, target, still)
    kept = motion_loss(logits[still], target[still], torch.ones(2, dtype=torch.bool))
    torch.testing.assert_close(found, kept)
    (gradient,) = torch.autograd.grad(found, logits)
    assert gradient[~still].abs().sum() == 0
    assert gradient[still].abs().sum() > 0
    none = motion_loss(logits, target, torch.zeros(4, dtype=torch.bool))
    assert float(none.detach()) == 0
    assert none.requires_grad


def test_targets_are_averaged_and_lose_the_border_that_logits_lack() -> None:
    target = torch.rand(1, 1, 128, 128)
    whole = target.unflatten(3, (32, 4)).unflatten(2, (32, 4)).mean((3, 5))
    torch.testing.assert_close(reduced_target(target, torch.zeros(1, 1, 32, 32)), whole)
    torch.testing.assert_close(
        reduced_target(target, torch.zeros(1, 1, 26, 26)), whole[..., 3:-3, 3:-3]
    )
