"""What each epoch trains, with which weights, from which random numbers."""

import pytest
import torch
from torch import nn

from maskmotion.config import TrainConfig
from maskmotion.models.animator import Animator
from maskmotion.training.state import TrainingState, generator_for, initialise
from maskmotion.training.step import alone_steps

CPU = torch.device("cpu")
MAIN = ("mask_generator", "refiner", "low_res", "high_res")


def config(seed: int = 0, **sections: dict[str, object]) -> TrainConfig:
    return TrainConfig.model_validate(
        {"seed": seed, "model": {"width": 0.0625, "image_size": 128}} | sections
    )


def fresh(settings: TrainConfig) -> Animator:
    model = Animator(settings.model)
    initialise(model, settings)
    return model


def test_m_trains_alone_for_whole_steps() -> None:
    def steps(samples: int) -> int:
        motion = {"weight": 1, "alone_samples": samples}
        return alone_steps(config(motion=motion, schedule={"batch_size": 16}))

    assert [steps(n) for n in (0, 1, 16, 17, 32000)] == [0, 1, 1, 2, 2000]


def test_learning_rate_of_both_optimisers_falls_at_milestones() -> None:
    state = TrainingState(
        config(schedule={"learning_rate": 2e-4, "milestones": [60, 90], "epochs": 100}), CPU
    )
    assert len(state.optimizers()) == 2
    for epoch, rate in {0: 2e-4, 59: 2e-4, 60: 2e-5, 89: 2e-5, 90: 2e-6, 5: 2e-4}.items():
        state.begin(epoch)
        for optimizer in state.optimizers():
            assert [g["lr"] for g in optimizer.param_groups] == [pytest.approx(rate)]
            assert optimizer.defaults["betas"] == (0.5, 0.999)


def test_each_optimiser_has_its_own_networks() -> None:
    state = TrainingState(config(), CPU)
    assert state.background is not None
    parameters = dict(state.model.named_parameters())
    of_main = {id(p) for g in state.main.param_groups for p in g["params"]}
    of_background = {id(p) for g in state.background.param_groups for p in g["params"]}
    for name, parameter in parameters.items():
        is_main = name.split(".")[0] in MAIN
        assert (id(parameter) in of_main) == is_main, name
        assert (id(parameter) in of_background) != is_main, name
    without = TrainingState(config(model={"width": 0.0625, "background_networks": False}), CPU)
    assert without.background is None
    assert without.optimizers() == [without.main]


@pytest.mark.parametrize("weight", [0, 5])
def test_flat_first_masks_only_with_a_motion_warm_start(weight: float) -> None:
    model = fresh(config(motion={"weight": weight}))
    final = model.mask_generator.final
    flat = not final.weight.any() and not final.bias.any()
    assert flat == (weight > 0)
    model.eval()
    logits = model.mask_generator.logits(torch.rand(1, 3, 128, 128, generator=generator_for(CPU)))
    assert (logits.abs().max() == 0) == (weight > 0)


def test_initial_weights_do_not_depend_on_other_networks_or_global_random_numbers() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        whole = fresh(config(seed=3)).state_dict()
        torch.manual_seed(2)
        before = torch.get_rng_state()
        settings = config(seed=3, model={"width": 0.0625, "background_networks": False})
        model = Animator(settings.model)
        after_building = torch.get_rng_state()
        initialise(model, settings)
        assert torch.equal(torch.get_rng_state(), after_building)
        assert not torch.equal(before, after_building)
    part = model.state_dict()
    assert part.keys() < whole.keys()
    for key, value in part.items():
        assert torch.equal(value, whole[key]), key
    other = fresh(config(seed=4)).state_dict()
    assert not torch.equal(other["high_res.final.weight"], whole["high_res.final.weight"])


def test_initial_weights_have_the_bounds_of_torch() -> None:
    model = fresh(config())
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            bound = module.weight[0].numel() ** -0.5  # kaiming_uniform with a = sqrt(5)
            assert module.weight.abs().max() <= bound, name
            assert module.weight.abs().max() > 0.5 * bound, name
        if isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all())
            assert bool((module.running_var == 1).all())


def test_generator_for_is_a_function_of_its_parts() -> None:
    def draw(*parts: object) -> list[int]:
        return torch.randint(2**40, (4,), generator=generator_for(CPU, *parts)).tolist()

    first = draw(0, "augment", 7)
    torch.rand(3)  # moves the global numbers only
    assert draw(0, "augment", 7) == first
    others = [draw(1, "augment", 7), draw(0, "perturb", 7), draw(0, "augment", 8), draw(0, "7")]
    assert len({tuple(numbers) for numbers in [first, *others]}) == 5


def test_flip_negates_the_masks_and_their_moments() -> None:
    state = TrainingState(config(motion={"weight": 0}), CPU)
    model, final = state.model.eval(), state.model.mask_generator.final
    pictures = torch.rand((2, 3, 128, 128), generator=generator_for(CPU))
    model.mask_generator(pictures).sum().backward()
    state.main.step()
    before = model.mask_generator(pictures).detach()
    moments = {p: dict(state.main.state[p]) for p in final.parameters()}
    saved = {p: {k: v.clone() for k, v in m.items()} for p, m in moments.items()}
    state.flip_masks()
    after = model.mask_generator(pictures).detach()
    covered = (slice(None), slice(None), slice(3, -3), slice(3, -3))  # the rest is zero padding
    torch.testing.assert_close(after[covered], 1 - before[covered])
    outside = after.clone()
    outside[covered] = 0
    assert not outside.any()
    for parameter, old in saved.items():
        new = state.main.state[parameter]
        assert new["exp_avg"].any()
        assert torch.equal(new["exp_avg"], -old["exp_avg"])
        assert torch.equal(new["exp_avg_sq"], old["exp_avg_sq"])
        assert torch.equal(new["step"], old["step"])
    state.flip_masks()
    assert torch.equal(model.mask_generator(pictures), before)


def test_flip_before_the_first_step_has_no_moments_to_turn() -> None:
    state = TrainingState(config(), CPU)
    weight = state.model.mask_generator.final.weight.detach().clone()
    state.flip_masks()
    assert torch.equal(state.model.mask_generator.final.weight, -weight)
