"""One training step: what it adds up, what it reports, what it leaves alone."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from maskmotion.config import LossConfig, TrainConfig
from maskmotion.data.pairs import Alpha, Batch, Twins
from maskmotion.models.animator import large
from maskmotion.models.draws import Share
from maskmotion.training import step as training_step
from maskmotion.training.losses import PerceptualLoss
from maskmotion.training.state import TrainingState
from maskmotion.training.step import (
    FLOW_WEIGHT,
    Sample,
    flow_loss,
    mask_statistics,
    mask_step,
    prepare,
    refiner_loss,
    refiner_target,
    train_step,
    with_mask_numbers,
)
from maskmotion.training.vgg import VGG19

CPU = torch.device("cpu")


def batch(still: tuple[bool, ...] = (True, True)) -> Batch:
    generator = torch.Generator().manual_seed(0)
    source, driving, median = (
        torch.randint(256, (2, 3, 128, 128), generator=generator, dtype=torch.uint8)
        for _ in range(3)
    )
    return Batch(source, driving, median, torch.tensor(still), sum(still))


def with_alpha(known: tuple[bool, ...], still: tuple[bool, ...] = (True, True)) -> Batch:
    """Frames whose red is their alpha, where it is known; then m can learn from any camera."""
    frames = batch(still)
    marks = torch.tensor(known)
    alpha = Alpha(
        frames.source[:, :1] * marks[:, None, None, None],
        frames.driving[:, :1] * marks[:, None, None, None],
        marks,
    )
    teaching = frames.still | marks
    return replace(
        frames,
        scene=frames.median.flip(1),
        alpha=alpha,
        still=teaching,
        still_in_whole=int(teaching.sum()),
    )


def test_alpha_is_turned_as_its_frame_and_stands_for_motion_where_it_is_known() -> None:
    settings = TrainConfig.model_validate({"data": {"jitter": 0}})
    frames = with_alpha((True, False))
    turned = set()
    for step in range(4):
        sample = prepare(frames, settings, step, CPU)
        moving = prepare(batch(), settings, step, CPU)
        turned.add(torch.equal(sample.motion[0][0, 0], frames.source[0, 0].flip(-1) / 255))
        for found, picture in zip(sample.motion, (sample.source, sample.driving), strict=True):
            torch.testing.assert_close(found[0, 0], picture[0, 0], atol=1e-5, rtol=0)
        for found, wanted in zip(sample.motion, moving.motion, strict=True):
            assert torch.equal(found[1], wanted[1])
        assert torch.equal(sample.source, moving.source)
        assert torch.equal(sample.driving, moving.driving)
    assert turned == {True, False}


def test_only_while_m_and_r_train_alone_is_anything_enlarged() -> None:
    motion = {"weight": 1, "alone_samples": 8, "zoom": 3}
    plain = TrainConfig.model_validate({"data": {"jitter": 0}, "schedule": {"batch_size": 2}})
    near = TrainConfig.model_validate({**plain.model_dump(), "motion": motion})
    enlarged = []
    for step in range(8):
        sample = prepare(with_alpha((True, True)), near, step, CPU)
        as_ever = prepare(with_alpha((True, True)), plain, step, CPU)
        enlarged.append(not torch.equal(sample.source, as_ever.source))
        for found, picture in zip(sample.motion, (sample.source, sample.driving), strict=True):
            torch.testing.assert_close(found[:, 0], picture[:, 0], atol=1e-5, rtol=0)
    assert any(enlarged[:4])
    assert not any(enlarged[4:])


def test_alpha_of_a_shared_batch_is_that_of_the_whole() -> None:
    frames = with_alpha((False, True), still=(False, False))
    whole = prepare(frames, TrainConfig(), 3, CPU)
    parts = [
        prepare(part, TrainConfig(), 3, CPU, Share(index, 2))
        for index, part in enumerate(frames.split(2))
    ]
    for number in range(2):
        joined = torch.cat([part.motion[number] for part in parts])
        torch.testing.assert_close(joined, whole.motion[number])
    assert torch.equal(torch.cat([part.known for part in parts]), whole.known)
    assert whole.still.tolist() == [False, True]
    assert [part.still_mean for part in parts] == [0.5, 0.5]


def test_r_is_to_find_the_alpha_where_it_is_known() -> None:
    sample = prepare(with_alpha((True, False)), TrainConfig(), 0, CPU)
    mask = torch.rand(2, 1, 32, 32, requires_grad=True)
    wanted = refiner_target(sample, mask)
    true = sample.motion[1][0].unflatten(2, (32, 4)).unflatten(1, (32, 4)).mean((2, 4))
    torch.testing.assert_close(wanted[0], true)
    assert torch.equal(wanted[1], mask[1])
    refined = wanted.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(
        refiner_loss(TrainConfig(), refined + 0.1, wanted), mask, allow_unused=True
    )
    assert gradient is None
    assert refiner_target(prepare(batch(), TrainConfig(), 0, CPU), mask) is mask


def with_twins(used: tuple[bool, ...]) -> Batch:
    """The twins' frames are the others' negatives; their red is their alpha."""
    frames = with_alpha((True, True))
    marks = torch.tensor(used)
    driving = (255 - frames.driving) * marks[:, None, None, None]
    return replace(frames, twins=Twins(driving, driving[:, :1], marks))


def test_a_twin_drives_and_the_target_stays() -> None:
    settings = TrainConfig.model_validate({"data": {"jitter": 0}})
    for step in range(4):
        sample = prepare(with_twins((True, False)), settings, step, CPU)
        plain = prepare(with_alpha((True, True)), settings, step, CPU)
        assert sample.twinned.tolist() == [True, False]
        assert plain.twinned is None
        torch.testing.assert_close(sample.driving[0], 1 - plain.driving[0], atol=1e-5, rtol=0)
        assert torch.equal(sample.driving[1], plain.driving[1])
        assert torch.equal(sample.target, plain.target)
        assert torch.equal(sample.source, plain.source)
        torch.testing.assert_close(sample.motion[1][:, 0], sample.driving[:, 0], atol=1e-5, rtol=0)
        torch.testing.assert_close(
            sample.target_alpha[:, 0], sample.target[:, 0], atol=1e-5, rtol=0
        )
        mask = torch.rand(2, 1, 32, 32)
        assert torch.equal(refiner_target(sample, mask), refiner_target(plain, mask))


def test_a_share_is_painted_by_refined_masks() -> None:
    """Twins always are; nothing else of a sample changes."""
    plain = prepare(with_twins((True, False)), TrainConfig(), 0, CPU)
    assert plain.by_refined.tolist() == [True, False]
    assert prepare(with_alpha((True, True)), TrainConfig(), 0, CPU).by_refined is None
    drawn = []
    for step in range(100):
        settings = TrainConfig.model_validate(
            {"motion": {"weight": 1, "refined": 0.4}, "schedule": {"refiner_epoch": 0}}
        )
        sample = prepare(with_twins((True, False)), settings, step, CPU)
        assert sample.by_refined[0]
        drawn.append(float(sample.by_refined[1]))
        if step == 0:
            for name in ("source", "driving", "target"):
                assert torch.equal(getattr(sample, name), getattr(plain, name))
    assert 0.25 < sum(drawn) / 100 < 0.55


def test_r_learns_the_target_from_its_twin() -> None:
    """The driver's square stands left of where the target's is to be; only twins tell of it."""
    config = TrainConfig.model_validate(
        {
            "model": {"width": 1 / 16, "image_size": 128, "padded_masks": True, "mask_skips": True},
            "data": {"twins": 1, "jitter": 0},
            "motion": {"weight": 10, "alone_samples": 2, "truth": True},
            "schedule": {"batch_size": 2, "learning_rate": 2e-3, "refiner_epoch": 0},
        }
    )
    alpha, shifted = (torch.zeros(2, 1, 128, 128, dtype=torch.uint8) for _ in range(2))
    alpha[..., 32:96, 64:112] = 255
    shifted[..., 32:96, 16:64] = 255
    marks = torch.tensor([True, True])
    frames = batch()
    frames = replace(
        frames,
        driving=alpha.expand(2, 3, 128, 128),
        alpha=Alpha(alpha, alpha, marks),
        twins=Twins(shifted.expand(2, 3, 128, 128), shifted, marks),
    )
    state = TrainingState(config, CPU)
    losses = []
    for step in range(60):
        state.step = step
        losses.append(mask_step(state, [prepare(frames, config, 0, CPU)]))
    assert losses[-1]["mask_motion_iou"] > 0.9  # m finds the driver
    assert losses[-1]["refiner"] < losses[0]["refiner"] / 2


def test_foregrounds_are_put_on_scenes_of_other_clips() -> None:
    settings = TrainConfig.model_validate(
        {"data": {"jitter": 0, "other_scenes": 1}, "motion": {"truth": True, "weight": 1}}
    )
    frames = with_alpha((True, False))
    scenes = prepare(frames, settings, 0, CPU).scenes
    assert scenes.used.tolist() == [True, False]
    for step in range(4):
        sample = prepare(frames, settings, step, CPU)
        turned = torch.equal(sample.source[0], prepare(batch(), settings, step, CPU).source[0])
        assert turned  # the same draws as without
        scene = frames.scene[0] / 255
        flipped = not torch.allclose(sample.scenes.picture[0], scene, atol=1e-5)
        torch.testing.assert_close(
            sample.scenes.picture[0], scene.flip(-1) if flipped else scene, atol=1e-5, rtol=0
        )
        alpha = sample.motion[1][0]
        wanted = alpha * sample.target[0] + (1 - alpha) * sample.scenes.picture[0]
        torch.testing.assert_close(sample.scenes.wanted[0], wanted)
    assert prepare(frames, TrainConfig(), 0, CPU).scenes is None
    assert prepare(batch(), settings, 0, CPU).scenes is None
    some = TrainConfig.model_validate(
        {"data": {"other_scenes": 0.5}, "motion": {"truth": True, "weight": 1}}
    )
    used = [prepare(frames, some, step, CPU).scenes.used[0] for step in range(40)]
    assert 8 < sum(map(int, used)) < 32


def colours(seed: int, samples: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (samples, 3, 128, 128), generator=generator, dtype=torch.uint8)


def bars(samples: int, *tops: int) -> list[Tensor]:
    """(samples, 1, 128, 128) each, 255 in 32 rows."""
    planes = [torch.zeros(samples, 1, 128, 128, dtype=torch.uint8) for _ in tops]
    for plane, top in zip(planes, tops, strict=True):
        plane[:, :, top : top + 32] = 255
    return planes


def test_what_moves_is_put_on_another_scene() -> None:
    """Sample 0 has a true alpha, 1 moves before a still camera, 2 before a moving one."""
    truth = {"motion": {"truth": True, "weight": 1}}
    settings = TrainConfig.model_validate({"data": {"jitter": 0, "pasted": 1}} | truth)
    plain = TrainConfig.model_validate({"data": {"jitter": 0}} | truth)
    of_source, of_driving = bars(3, 8, 48)
    of_source[1:] = of_driving[1:] = 0
    median = torch.full((3, 3, 128, 128), 128, dtype=torch.uint8)
    moved = median.clone()
    moved[..., 32:96, 16:48] = 255
    frames = Batch(
        moved,
        moved.flip(2, 3),
        median,
        torch.tensor([True, True, False]),
        2,
        scene=colours(1),
        alpha=Alpha(of_source, of_driving, torch.tensor([True, False, False])),
    )
    turned = set()
    for step in range(6):
        sample, before = (prepare(frames, each, step, CPU) for each in (settings, plain))
        for i in range(2):
            scene = frames.scene[i] / 255
            fits = []
            for behind in (scene, scene.flip(-1)):
                parts = [
                    (getattr(sample, name)[i], getattr(before, name)[i], before.motion[number][i])
                    for name, number in (("source", 0), ("driving", 1), ("target", 1))
                ]
                fits.append(
                    all(
                        torch.allclose(got, moving * was + (1 - moving) * behind, atol=1e-5)
                        for got, was, moving in parts
                    )
                )
            assert sum(fits) == 1
            turned.add(fits[1])
        for name in ("source", "driving", "target"):
            assert torch.equal(getattr(sample, name)[2], getattr(before, name)[2])
        for got, was in zip(sample.motion, before.motion, strict=True):
            assert torch.equal(got, was)
            assert 0.1 < was[1].mean() < 0.5
    assert turned == {False, True}


def test_as_many_are_put_on_another_scene_as_asked_for_the_others_as_without() -> None:
    frames = with_alpha((True, True))
    some = TrainConfig.model_validate({"data": {"pasted": 0.5}})
    pasted = []
    for step in range(20):
        got, without = (prepare(frames, each, step, CPU).source for each in (some, TrainConfig()))
        pasted += [not torch.equal(a, b) for a, b in zip(got, without, strict=True)]
    assert 8 < sum(pasted) < 32


def test_pasting_puts_a_twin_on_the_same_scene() -> None:
    settings = TrainConfig.model_validate({"data": {"jitter": 0, "pasted": 1}})
    white = torch.full((1, 3, 128, 128), 255, dtype=torch.uint8)
    alphas = bars(1, 8, 48, 88)
    yes = torch.tensor([True])
    scene = colours(2, 1)
    frames = Batch(
        *(white, white, white, yes, 1),
        scene=scene,
        alpha=Alpha(alphas[0], alphas[1], yes),
        twins=Twins(white, alphas[2], yes),
    )
    sample = prepare(frames, settings, 0, CPU)
    seen = [torch.where(alpha > 0, 255, scene) / 255 for alpha in alphas]
    for got, wanted in zip((sample.source, sample.target, sample.driving), seen, strict=True):
        assert any(torch.allclose(got, x, atol=1e-5) for x in (wanted, wanted.flip(-1)))
    assert torch.equal(sample.motion[1], alphas[2] / 255)


def test_scenes_that_are_pasted_have_a_jitter_of_their_own() -> None:
    settings = TrainConfig.model_validate({"data": {"pasted": 1}})
    frames = replace(with_alpha((True, True)), alpha=None)
    frames = replace(frames, source=frames.median, driving=frames.median)  # nothing moves
    sample = prepare(frames, settings, 0, CPU)
    assert torch.equal(sample.source, sample.target)  # one scene, in the source's colours
    grey = torch.full_like(frames.scene, 128)
    one = prepare(replace(frames, scene=grey), settings, 0, CPU).source
    plain = prepare(replace(frames, source=grey), TrainConfig(), 0, CPU).source
    scene, turned = (x.mean((2, 3)) for x in (one, plain))  # the latter by the source's jitter
    assert ((scene - turned).abs().amax(1) > 0.01).all()
    assert ((scene - turned)[0] - (scene - turned)[1]).abs().max() > 0.01  # each sample's own


def test_pasted_samples_are_the_same_however_a_batch_is_shared() -> None:
    config = TrainConfig.model_validate({"data": {"pasted": 0.5}})
    frames = with_alpha((True, False))
    for step in range(6):
        whole = prepare(frames, config, step, CPU)
        parts = [
            prepare(part, config, step, CPU, Share(index, 2))
            for index, part in enumerate(frames.split(2))
        ]
        for name in ("source", "driving", "target"):
            assert torch.equal(getattr(whole, name), torch.cat([getattr(p, name) for p in parts]))


def test_what_is_pasted_is_not_put_elsewhere_again() -> None:
    """Both would take the same scene: the new background would be the old one."""
    truth = {"motion": {"truth": True, "weight": 1}}
    both = TrainConfig.model_validate({"data": {"pasted": 0.5, "other_scenes": 1}} | truth)
    one = TrainConfig.model_validate({"data": {"other_scenes": 1}} | truth)
    frames = with_alpha((True, True))
    elsewhere = []
    for step in range(20):
        sample, plain = (prepare(frames, each, step, CPU) for each in (both, one))
        assert plain.scenes.used.all()
        unmoved = [torch.equal(a, b) for a, b in zip(sample.source, plain.source, strict=True)]
        assert sample.scenes.used.tolist() == unmoved
        elsewhere += unmoved
    assert 8 < sum(elsewhere) < 32


def test_other_scenes_change_the_background_networks_alone() -> None:
    loss = PerceptualLoss(VGG19((1,)), LossConfig(vgg_layers=(1,), scales=(8,)))
    frames = with_alpha((True, True))
    weights = []
    for share in (0, 1):
        config = TrainConfig.model_validate(
            {
                "model": {"width": 1 / 16, "image_size": 128},
                "data": {"other_scenes": share},
                "motion": {"weight": 1, "truth": True},
                "schedule": {"batch_size": 2, "background_epoch": 0},
            }
        )
        state = TrainingState(config, CPU)
        numbers = train_step(state, [prepare(frames, config, 0, CPU)], loss, epoch=1)
        assert all(math.isfinite(value) for value in numbers.values())
        weights.append(state.model.state_dict())
    changed = {name for name, one in weights[0].items() if not torch.equal(one, weights[1][name])}
    assert {name.split(".")[0] for name in changed} == {"background_base", "background_refiner"}


def test_painting_the_figure_anew_has_its_price() -> None:
    """What is not taken from the warped source is counted inside the figure, and grows less."""
    loss = PerceptualLoss(VGG19((1,)), LossConfig(vgg_layers=(1,), scales=(8,)))
    found = {}
    for price in (0, 1000):
        config = TrainConfig.model_validate(
            {
                "model": {"width": 1 / 16, "image_size": 128, "warp": True},
                "loss": {"own": price},
                "schedule": {"batch_size": 2, "learning_rate": 2e-3},
            }
        )
        state = TrainingState(config, CPU)
        sample = prepare(batch(), config, 0, CPU)
        first = train_step(state, [sample], loss, epoch=0)["own"]
        for step in range(1, 12):
            state.step = step
            train_step(state, [sample], loss, epoch=0)
        with torch.no_grad():
            forward = state.model.training_forward(sample.source, sample.driving, perturbation=None)
        figure = large(forward.target_mask)
        found[price] = float((figure * forward.own).sum() / figure.sum())
        assert 0.02 * price <= first <= price
    assert found[1000] < 0.7 * found[0]


def test_flow_counts_outside_the_figure_alone() -> None:
    flow = torch.tensor([0.3, -0.5])[:, None, None].expand(1, 2, 8, 8)
    mask = torch.zeros(1, 1, 8, 8, requires_grad=True)
    loss = flow_loss(flow.clone().requires_grad_(), mask)
    assert loss.item() == pytest.approx(FLOW_WEIGHT * 0.4)
    loss.backward()
    assert mask.grad is None  # else masks would grow to hide it
    half = torch.zeros(1, 1, 8, 8)
    half[..., :4] = 1
    assert flow_loss(flow, half).item() == pytest.approx(FLOW_WEIGHT * 0.2)
    assert flow_loss(flow, torch.ones(1, 1, 8, 8)).item() == 0


def test_a_flow_that_left_the_picture_comes_back() -> None:
    """Beyond its border all that it sees is the border, so no picture's loss moves it."""
    loss = PerceptualLoss(VGG19((1,)), LossConfig(vgg_layers=(1,), scales=(8,)))
    config = TrainConfig.model_validate(
        {
            "model": {"width": 1 / 16, "image_size": 128, "warp": True},
            "schedule": {"batch_size": 2, "learning_rate": 0.01},
        }
    )
    state = TrainingState(config, CPU)
    bias = state.model.warper.final.bias
    with torch.no_grad():
        bias.copy_(torch.tensor([5.0, -5.0]))
        state.model.mask_generator.final.bias.fill_(-1)  # no figure anywhere
    sample = prepare(batch(), config, 0, CPU)
    found = []
    for step in range(3):
        state.step = step
        found.append(train_step(state, [sample], loss, epoch=0)["flow"])
    assert found[0] == pytest.approx(5 * FLOW_WEIGHT, rel=0.1)
    assert found[2] < found[1] < found[0]


@pytest.mark.parametrize("average", [0, 0.9])
def test_fixed_masks_stay_and_all_else_learns(average: float) -> None:
    config = TrainConfig.model_validate(
        {
            "start": "elsewhere",
            "model": {"width": 1 / 16, "image_size": 128, "warp": True, "gate": True},
            "motion": {"weight": 1, "truth": True, "fixed": True},
            "schedule": {
                "batch_size": 2,
                "background_epoch": 0,
                "refiner_epoch": 0,
                "average": average,
            },
        }
    )
    loss = PerceptualLoss(VGG19((1,)), LossConfig(vgg_layers=(1,), scales=(8,)))
    state = TrainingState(config, CPU)
    state.model.train()
    if state.average is not None:  # as m and r alone leave it
        for parameter in state.average.mask_generator.parameters():
            parameter.data.mul_(1.01)
    before = {name: x.clone() for name, x in state.result.state_dict().items()}
    for step in range(2):
        state.step = step
        sample = prepare(with_alpha((True, True)), config, step, CPU)
        numbers = train_step(state, [sample], loss, epoch=0)
    assert "motion" not in numbers
    assert "refiner" not in numbers
    assert numbers["warped"] > 0
    for model in (state.model, state.result):
        same = {k for k, x in model.state_dict().items() if torch.equal(x, before[k])}
        kept = {k for k in before if k.split(".")[0] in ("mask_generator", "refiner")}
        assert kept <= same
        for name in ("low_res", "warper", "high_res", "background_base", "background_refiner"):
            assert f"{name}.final.weight" not in same


@pytest.mark.parametrize("window", [1, 0.5])
def test_each_step_compares_another_window(window: float) -> None:
    config = TrainConfig.model_validate(
        {
            "model": {"width": 1 / 16, "image_size": 128},
            "loss": {"window": window, "vgg_layers": (1,), "scales": (8,)},
            "schedule": {"batch_size": 2, "background_epoch": 0},
        }
    )
    loss = PerceptualLoss(VGG19((1,)), config.loss)
    samples = [prepare(batch(), config, 0, CPU)]
    found = []
    for step in (1, 2):
        state = TrainingState(config, CPU)
        state.step = step
        found.append(train_step(state, samples, loss, epoch=0))
    for name in ("low_res", "high_res", "background_base", "background_refiner"):
        assert (found[0][name] == found[1][name]) == (window == 1), name


WINDOWED = {
    "model": {"width": 1 / 16, "image_size": 128},
    "loss": {"window": 0.25, "vgg_layers": (1,), "scales": (8,)},
    "schedule": {"batch_size": 2, "background_epoch": 0},
}


def test_windows_are_those_of_the_whole_batch_by_seed_step_and_target() -> None:
    config = TrainConfig.model_validate(WINDOWED)
    sample = prepare(batch(), config, 0, CPU)
    places = torch.arange(128.0**2).view(1, 1, 128, 128).expand(2, 1, 128, 128)

    def windows(sample: Sample, seed: int = 0) -> Tensor:
        state = TrainingState(config.model_copy(update={"seed": seed}), CPU)
        return training_step._window(state, sample)(places[: len(sample.source)])

    whole = windows(sample)
    other = sample.source.clone()
    other[..., :8, :8] = 1 - other[..., :8, :8]
    assert torch.equal(whole, windows(replace(sample, driving=other)))
    assert not torch.equal(whole, windows(replace(sample, target=other)))
    assert not all(torch.equal(whole, windows(sample, seed)) for seed in range(1, 4))
    for index in range(2):
        rows = slice(index, index + 1)
        part = {name: getattr(sample, name)[rows] for name in ("source", "driving", "target")}
        share = replace(sample, **part, share=Share(index, 2))
        assert torch.equal(windows(share), whole[rows])


@pytest.mark.parametrize("window", [1, 0.5])
def test_background_networks_are_compared_with_the_scene(window: float) -> None:
    settings = WINDOWED | {
        "loss": WINDOWED["loss"] | {"window": window},
        "data": {"other_scenes": 1},
        "motion": {"weight": 1, "truth": True},
    }
    config = TrainConfig.model_validate(settings)
    loss = PerceptualLoss(VGG19((1,)), config.loss)
    sample = prepare(with_alpha((True, True)), config, 0, CPU)
    scenes = replace(sample.scenes, wanted=1 - sample.scenes.wanted)
    one, other = (
        train_step(TrainingState(config, CPU), [each], loss, epoch=0)
        for each in (sample, replace(sample, scenes=scenes))
    )
    changed = {name for name in one if one[name] != other[name]}
    assert changed == {"background_base", "background_refiner"}


def test_m_learns_the_alpha_whatever_moves() -> None:
    """A moving camera and noise everywhere: what moves says nothing, the alpha all."""
    config = TrainConfig.model_validate(
        {
            "model": {"width": 1 / 16, "image_size": 128, "padded_masks": True},
            "motion": {"weight": 10, "alone_samples": 2, "truth": True},
            "schedule": {"batch_size": 2, "learning_rate": 2e-3},
        }
    )
    frames = batch((False, False))
    alpha = torch.zeros(2, 1, 128, 128, dtype=torch.uint8)
    alpha[..., 32:96, 32:96] = 255
    known = torch.tensor([True, True])
    frames = replace(
        frames,
        alpha=Alpha(alpha, alpha, known),
        still=known,
        still_in_whole=len(known),
    )
    state = TrainingState(config, CPU)
    for step in range(16):
        state.step = step
        numbers = mask_step(state, [prepare(frames, config, step, CPU)])
    assert numbers["mask_motion_iou"] > 0.9
    assert numbers["mask_sign"] > 0.4
    nothing = mask_step(state, [prepare(batch((False, False)), config, 0, CPU)])
    assert nothing["motion"] == 0


def test_prepare_is_a_function_of_seed_and_step() -> None:
    settings = TrainConfig()
    first = prepare(batch(), settings, 3, CPU)
    again = prepare(batch(), settings, 3, CPU)
    later = prepare(batch(), settings, 4, CPU)
    for name in ("source", "driving", "target"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(later, name))
        assert getattr(first, name).min() >= 0
        assert getattr(first, name).max() <= 1


def test_without_jitter_target_is_driving_and_a_flip_turns_all_alike() -> None:
    settings = TrainConfig.model_validate({"data": {"jitter": 0}})
    frames = batch()
    flipped = set()
    for step in range(8):
        sample = prepare(frames, settings, step, CPU)
        torch.testing.assert_close(sample.target, sample.driving, atol=1e-5, rtol=0)
        for index in range(2):
            source, driving = frames.source[index] / 255, frames.driving[index] / 255
            turned = not torch.allclose(sample.source[index], source, atol=1e-4)
            flipped.add(turned)
            wanted = (source.flip(-1), driving.flip(-1)) if turned else (source, driving)
            for found, frame in zip((sample.source, sample.driving), wanted, strict=True):
                torch.testing.assert_close(found[index], frame, atol=1e-4, rtol=0)
    assert flipped == {True, False}


def test_target_wears_the_colours_of_source() -> None:
    frames = batch()
    frames = replace(frames, driving=frames.source)
    sample = prepare(frames, TrainConfig(), 0, CPU)
    assert torch.equal(sample.target, sample.source)
    assert not torch.allclose(sample.driving, sample.source)


def test_a_batch_is_augmented_alike_however_it_is_shared_out() -> None:
    frames = batch((True, False))
    whole = prepare(frames, TrainConfig(), 3, CPU)
    parts = [
        prepare(part, TrainConfig(), 3, CPU, Share(index, 2))
        for index, part in enumerate(frames.split(2))
    ]
    for name in ("source", "driving", "target", "still"):
        joined = torch.cat([getattr(part, name) for part in parts])
        torch.testing.assert_close(joined, getattr(whole, name))
    assert whole.still_mean == 1
    assert [part.still_mean for part in parts] == [0.5, 0.5]


def sample_of(moving: torch.Tensor, still: tuple[bool, ...]) -> Sample:
    nothing = torch.zeros(1)
    return Sample(nothing, nothing, nothing, (nothing, moving), torch.tensor(still), 1.0)


def numbers_of(logits: torch.Tensor, sample: Sample) -> dict[str, float]:
    sums = mask_statistics(logits, sample, 0.2)
    return with_mask_numbers({name: float(x) for name, x in sums.items()})


def test_mask_statistics_of_a_known_mask() -> None:
    moving = torch.zeros(1, 1, 128, 128)
    moving[..., :64] = 1  # the left half
    logits = torch.full((1, 1, 32, 32), -20.0)
    logits[..., :8] = 20  # the left quarter
    numbers = numbers_of(logits, sample_of(moving, (True,)))
    assert numbers["mask_mean"] == pytest.approx(0.25)
    assert numbers["mask_motion_iou"] == pytest.approx(0.5)
    assert numbers["mask_sign"] == pytest.approx(0.5)
    turned = numbers_of(-logits, sample_of(moving, (True,)))
    assert turned["mask_sign"] == pytest.approx(-0.5)


@pytest.mark.parametrize("change", [0.0, 1.0])
@pytest.mark.parametrize("still", [True, False])
@pytest.mark.parametrize("side", [32, 26])
def test_sign_is_centre_against_border_where_motion_tells_nothing(
    change: float, still: bool, side: int
) -> None:
    """A frame of which everything moves, as after a cut or a flash, has no still pixels."""
    logits = torch.full((1, 1, side, side), -20.0)
    quarter = side // 4
    logits[..., quarter:-quarter, quarter:-quarter] = 20
    sample = sample_of(torch.full((1, 1, 128, 128), change), (still,))
    numbers = numbers_of(logits, sample)
    assert numbers["mask_sign"] == pytest.approx(1)
    assert all(value == value for value in numbers.values())


@pytest.mark.parametrize("alone", [True, False])
def test_a_twins_mask_is_not_deformed(alone: bool) -> None:
    """r's loss then does not depend on what P drew."""
    config = TrainConfig.model_validate(
        {
            "model": {"width": 1 / 16, "image_size": 128},
            "data": {"twins": 1},
            "motion": {"weight": 1, "truth": True},
            "schedule": {"batch_size": 2, "refiner_epoch": 0},
        }
    )
    loss = PerceptualLoss(VGG19((1,)), LossConfig(vgg_layers=(1,), scales=(8,)))

    def of_refiner(used: bool, step: int) -> float:
        state = TrainingState(config, CPU)
        state.step = step
        samples = [prepare(with_twins((used, used)), config, 0, CPU)]
        taken = mask_step(state, samples) if alone else train_step(state, samples, loss, epoch=0)
        return taken["refiner"]

    assert of_refiner(True, 1) == of_refiner(True, 2)
    assert of_refiner(False, 1) != of_refiner(False, 2)
