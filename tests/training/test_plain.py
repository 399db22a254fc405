"""The fast training step gives what the plain one gives."""

import pytest
import torch
from benchmarks.plain import PlainTrainer, blurred, perturbed_in_numpy

from maskmotion.config import TrainConfig
from maskmotion.data.pairs import Batch
from maskmotion.models.blocks import AntiAliasDownsample, channels_last
from maskmotion.models.draws import Draws, Share
from maskmotion.models.perturb import perturb_for_training
from maskmotion.training.losses import PerceptualLoss
from maskmotion.training.state import TrainingState
from maskmotion.training.step import prepare, train_step
from maskmotion.training.vgg import VGG19

CPU = torch.device("cpu")
STEPS = 2  # later, Adam has magnified the rounding of gradients near zero


def batch(step: int, samples: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(step)
    coarse = torch.rand(3, samples, 3, 16, 16, generator=generator)
    frames = (255 * coarse.repeat_interleave(8, 3).repeat_interleave(8, 4)).to(torch.uint8)
    return Batch(*frames, torch.tensor([True, True, False, True]), 3)


def settings(**sections: dict[str, object]) -> TrainConfig:
    model = {"width": 1 / 16, "image_size": 128, "padded_masks": True, "mask_skips": True}
    schedule = {"refiner_epoch": 0, "background_epoch": 0, "batch_size": 4}
    motion = {"weight": 10, "only": True}
    loss = {"scales": [2, 8]}  # the others cost time and are no different
    return TrainConfig.model_validate(
        {"model": model, "schedule": schedule, "motion": motion, "loss": loss} | sections
    )


def random_vgg() -> VGG19:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VGG19((1, 2, 3))


def losses_of_ours(config: TrainConfig) -> list[dict[str, float]]:
    state = TrainingState(config, CPU)
    loss = PerceptualLoss(random_vgg(), config.loss)
    channels_last(loss)
    found = []
    for step in range(STEPS):
        state.step = step
        found.append(train_step(state, [prepare(batch(step), config, step, CPU)], loss, epoch=0))
    return found


@pytest.mark.parametrize(
    "motion", [{"weight": 10, "only": True}, {"weight": 0}], ids=["small", "paper"]
)
def test_the_first_steps_have_the_plain_steps_losses(motion: dict[str, object]) -> None:
    config = settings(motion=motion)
    plain = PlainTrainer(config, random_vgg())
    for step, ours in enumerate(losses_of_ours(config)):
        for name, value in plain.step(batch(step), epoch=0).items():
            assert ours[name] == pytest.approx(value, rel=1e-4), (step, name)


def test_perturbation_is_that_of_numpy() -> None:
    masks = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    ours = perturb_for_training(masks, 60 / 255, Draws(torch.Generator().manual_seed(5)))
    plain = perturbed_in_numpy(masks, 60 / 255, torch.Generator().manual_seed(5))
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_low_pass_is_the_2d_convolution(factor: int) -> None:
    picture = torch.rand(2, 3, 64, 96)
    torch.testing.assert_close(AntiAliasDownsample(factor)(picture), blurred(picture, factor))


def test_shares_add_up_to_the_whole_batchs_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for BatchNorm, working through a batch in parts changes nothing."""
    monkeypatch.setattr(torch.nn.BatchNorm2d, "forward", lambda self, x: x)
    config = settings()
    loss = PerceptualLoss(random_vgg(), config.loss)
    found = []
    for parts in (1, 2, 4):
        state = TrainingState(config, CPU)
        samples = [
            prepare(part, config, 0, CPU, Share(index, parts))
            for index, part in enumerate(batch(0).split(parts))
        ]
        numbers = train_step(state, samples, loss, epoch=0)
        gradients = [p.grad.flatten() for p in state.model.parameters() if p.grad is not None]
        found.append((numbers, torch.cat(gradients)))
    numbers, gradients = found[0]
    for others, other in found[1:]:
        assert (other - gradients).norm() < 1e-3 * gradients.norm()
        for name in numbers:
            assert others[name] == pytest.approx(numbers[name], rel=1e-4, abs=1e-6), name
