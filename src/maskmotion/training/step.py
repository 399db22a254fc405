"""One training step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from maskmotion.config import TrainConfig
from maskmotion.data.augment import apply_jitter, jitter_matrix, random_flip, random_zoom
from maskmotion.data.motion import motion_target
from maskmotion.data.pairs import Batch
from maskmotion.models.animator import TrainingForward, large, small
from maskmotion.models.draws import WHOLE, Draws, Share
from maskmotion.models.mask import MASK_REDUCTION
from maskmotion.training.losses import PerceptualLoss, motion_loss, reduced_target
from maskmotion.training.state import TrainingState, generator_for
from maskmotion.training.windows import Window, draw_windows

Numbers = dict[str, Tensor]  # scalars
FLOW_WEIGHT = 10.0  # of flow_loss: enough to bring back flows of 2 half sides in 200 steps


@dataclass(frozen=True)
class Scenes:
    """What the background networks learn on instead of the source: other clips' scenes.

    picture: (B, 3, S, S) in [0, 1], and wanted, the target's foreground on it, in the same colours.
    used (B,) marks the samples of which this is so.
    """

    picture: Tensor
    wanted: Tensor
    used: Tensor


@dataclass(frozen=True)
class Sample:
    """A share of a batch, ready for the networks.

    source, driving and target (driving's frame in source's colours): (B, 3, S, S) in [0, 1]. Where
    twinned (B,) says so, driving shows another identity in target's pose.
    motion: what m is to find in source and driving, (B, 1, S, S) in [0, 1]: the true alpha where
    known (B,) says so, else the soft motion target. still (B,) marks where it holds, and
    still_mean is how many such samples the whole batch has for each of its shares. target_alpha
    (B, 1, S, S) is target's, zero where it is not known; it, known and scenes are None where alpha
    is not learned, twinned where no twins were asked for. by_refined (B,) marks the samples that l,
    h and the background networks paint by r's mask, the twinned ones among them; None where none.
    """

    source: Tensor
    driving: Tensor
    target: Tensor
    motion: tuple[Tensor, Tensor]
    still: Tensor
    still_mean: float
    share: Share = WHOLE
    known: Tensor | None = None
    target_alpha: Tensor | None = None
    scenes: Scenes | None = None
    twinned: Tensor | None = None
    by_refined: Tensor | None = None


@dataclass(frozen=True)
class Compared:
    """What pictures are compared with: target's features, in the window that the loss looks at."""

    loss: PerceptualLoss
    window: Window
    target: list[Tensor]

    def distance(self, picture: Tensor) -> Tensor:
        """The perceptual loss of (B, 3, S, S) RGB in [0, 1]; a scalar."""
        return self.loss(self.window(picture), self.target)


def prepare(
    batch: Batch, config: TrainConfig, step: int, device: torch.device, share: Share = WHOLE
) -> Sample:
    """Augment a share of a batch on the device; random numbers are a function of (seed, step).

    Source: docs/method.md, Data flow: jitter of each frame, horizontal flip; Scenes of other clips;
    Near and far.
    """
    draws = Draws(generator_for(device, config.seed, "augment", step), share)
    alpha, twins = batch.alpha, batch.twins
    stored = [batch.source, batch.driving, batch.median]
    stored += [] if batch.scene is None else [batch.scene]
    stored += [alpha.source, alpha.driving] if alpha else []
    stored += [twins.driving, twins.alpha] if twins else []
    pictures = tuple(x.to(device, non_blocking=True).float() / 255 for x in stored)
    pictures = random_flip(pictures, draws)
    if config.motion.zoom > 1 and step < alone_steps(config):
        pictures = random_zoom(pictures, config.motion.zoom, draws)
    source, driving, median, *others = pictures
    scene = None if batch.scene is None else others.pop(0)
    still = batch.still.to(device)
    motion = motion_target(source, median), motion_target(driving, median)
    known = alpha.known.to(device) if alpha else None
    if known is not None:
        of_source, of_driving = (
            torch.where(known[:, None, None, None], true, moving)
            for true, moving in zip(others[:2], motion, strict=True)
        )
        motion = of_source, of_driving
    driver, of_driver, twinned = driving, motion[1], None
    if twins is not None:
        twinned = twins.used.to(device)
        used = twinned[:, None, None, None]
        driver = torch.where(used, others[2], driving)
        of_driver = torch.where(used, others[3], of_driver)
    pasted = None
    if config.data.pasted > 0:
        assert scene is not None, "PairSampler(scenes=True) reads them"
        own = Draws(generator_for(device, config.seed, "paste", step), share)
        pasted = still & (own.uniform(len(source)) < config.data.pasted)
        behind = apply_jitter(scene, jitter_matrix(len(source), config.data.jitter, own))
        source = _on(behind, source, motion[0], pasted)
        driving = _on(behind, driving, motion[1], pasted)
        driver = _on(behind, driver, of_driver, pasted)
    strength = config.data.jitter
    of_source = jitter_matrix(len(source), strength, draws)
    of_driving = jitter_matrix(len(source), strength, draws)
    target = apply_jitter(driving, of_source)
    scenes = None
    if known is not None and config.data.other_scenes > 0:
        assert scene is not None, "PairSampler(scenes=True) reads them"
        of_scene = jitter_matrix(len(source), strength, draws)
        other = apply_jitter(scene, of_scene)
        used = known & (draws.uniform(len(source)) < config.data.other_scenes)
        if pasted is not None:
            used &= ~pasted  # that scene is the source's own there
        scenes = Scenes(other, torch.lerp(other, target, others[1]), used)
    by_refined = twinned
    if config.motion.refined > 0:
        drawn = draws.uniform(len(source)) < config.motion.refined
        by_refined = drawn if twinned is None else drawn | twinned
    return Sample(
        source=_laid_out(apply_jitter(source, of_source)),
        driving=_laid_out(apply_jitter(driver, of_driving)),
        target=_laid_out(target),
        motion=(motion[0], of_driver),
        still=still,
        still_mean=batch.still_in_whole / share.count,
        share=share,
        known=known,
        target_alpha=others[1] if alpha else None,
        scenes=scenes,
        twinned=twinned,
        by_refined=by_refined,
    )


def _on(behind: Tensor, picture: Tensor, moving: Tensor, chosen: Tensor) -> Tensor:
    """What moves in a picture, put on a scene, in the chosen samples; the others as they are."""
    return torch.where(chosen[:, None, None, None], torch.lerp(behind, picture, moving), picture)


def _laid_out(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def alone_steps(config: TrainConfig) -> int:
    """Steps before the first epoch, on which m and r train alone."""
    return math.ceil(config.motion.alone_samples / config.schedule.batch_size)


def autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    """The run's precision for forward passes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.run.precision == "bfloat16")


def mask_step(state: TrainingState, samples: Sequence[Sample]) -> dict[str, float]:
    """Train m on what moves or the true alpha, and r, at a small part of a whole step's cost.

    Args:
        samples: the shares of one batch that this process works on.
    Returns:
        The losses, and where the masks stand.
    """
    state.begin(epoch=0)
    found = [_backward_masks(state, sample, len(samples)) for sample in samples]
    state.update(state.main)
    return averaged(state, found)


def train_step(
    state: TrainingState, samples: Sequence[Sample], loss: PerceptualLoss, *, epoch: int
) -> dict[str, float]:
    """Forward, backward and update of all networks that this epoch trains.

    The background networks have their own backward and optimiser, and touch nothing that m, r, l
    and h see. On data.other_scenes of the samples whose alpha is known they put the target's
    foreground on another clip's scene, as in a swap, and not on the source.

    Args:
        samples: the shares of one batch that this process works on.
        epoch: counted from 0.
    Returns:
        The losses, and where the masks stand.
    Source: docs/method.md, Data flow, steps 1 to 6.
    """
    state.begin(epoch)
    if state.config.motion.fixed:
        state.hold_masks()
    swaps = state.background is not None and epoch >= state.config.schedule.background_epoch
    refines = epoch >= state.config.schedule.refiner_epoch
    found = []
    for sample in samples:
        window = _window(state, sample)
        with autocast(state.config, sample.source.device), torch.no_grad():
            target = loss.features(window(sample.target))
        seen = Compared(loss, window, target)
        forward, numbers = _backward_main(state, sample, seen, refines, len(samples))
        if swaps:
            numbers |= _backward_background(state, sample, seen, forward, len(samples))
        found.append(numbers)
    state.update(state.main)
    if state.background is not None and swaps:
        state.update(state.background)
    return averaged(state, found)


def _backward_masks(state: TrainingState, sample: Sample, shares: int) -> Numbers:
    model = state.model
    with autocast(state.config, sample.source.device):
        source_logits = model.mask_generator.logits(sample.source)
        driving_logits = model.mask_generator.logits(sample.driving)
        driving_mask = model.mask_generator.mask(driving_logits)
        _, refined = model.refine_in_training(
            small(sample.source),
            model.mask_generator.mask(source_logits),
            driving_mask,
            _perturbation(state, sample),
            sample.twinned,
        )
    losses = {
        "motion": weighted_motion_loss(state.config, sample, source_logits, driving_logits),
        "refiner": refiner_loss(state.config, refined, refiner_target(sample, driving_mask)),
    }
    return _backward(losses, shares) | _statistics(state, sample, driving_logits)


def _backward_main(
    state: TrainingState,
    sample: Sample,
    seen: Compared,
    refines: bool,
    shares: int,
) -> tuple[TrainingForward, Numbers]:
    config = state.config
    with autocast(config, sample.source.device):
        forward = state.model.training_forward(
            sample.source,
            sample.driving,
            perturbation=_perturbation(state, sample) if refines else None,
            mask_gradients=not config.motion.only,
            twinned=sample.twinned,
            by_refined=sample.by_refined,
            fixed_masks=config.motion.fixed,
        )
        losses = {
            "low_res": seen.distance(forward.low_res),
            "high_res": seen.distance(forward.high_res),
        }
        if config.model.warp:
            # Only the figure: nothing that is warped shows what was hidden behind it.
            figure = large(forward.target_mask.detach())
            losses["warped"] = seen.distance(torch.lerp(sample.target, forward.warped, figure))
            losses["own"] = config.loss.own * (figure * forward.own).mean()
            losses["flow"] = flow_loss(forward.flow, forward.target_mask)
        if forward.refined_mask is not None and not config.motion.fixed:
            wanted = refiner_target(sample, forward.driving_mask)
            losses["refiner"] = refiner_loss(config, forward.refined_mask, wanted)
        if config.motion.weight > 0 and not config.motion.fixed:
            losses["motion"] = weighted_motion_loss(
                config, sample, forward.source_logits, forward.driving_logits
            )
    numbers = _backward(losses, shares) | _statistics(state, sample, forward.driving_logits)
    return forward, numbers


def _backward_background(
    state: TrainingState,
    sample: Sample,
    seen: Compared,
    forward: TrainingForward,
    shares: int,
) -> Numbers:
    picture, mask, scenes = sample.source, forward.source_mask.detach(), sample.scenes
    with autocast(state.config, sample.source.device):
        if scenes is not None and scenes.used.any():
            used = scenes.used[:, None, None, None]
            picture = torch.where(used, scenes.picture, picture)
            mask = torch.where(used, 0, mask)
            with torch.no_grad():
                wanted = torch.where(used, scenes.wanted, sample.target)
                seen = replace(seen, target=seen.loss.features(seen.window(wanted)))
        swap = state.model.background_training_forward(picture, mask, sample.target, forward)
        losses = {
            "background_base": seen.distance(swap.base),
            "background_refiner": seen.distance(swap.refined),
        }
    return _backward(losses, shares)


def _window(state: TrainingState, sample: Sample) -> Window:
    generator = generator_for(sample.source.device, state.config.seed, "window", state.step)
    part = state.config.loss.window
    return draw_windows(sample.source, sample.target, part, Draws(generator, sample.share))


def _perturbation(state: TrainingState, sample: Sample) -> Draws:
    generator = generator_for(sample.source.device, state.config.seed, "perturb", state.step)
    return Draws(generator, sample.share)


def refiner_target(sample: Sample, driving_mask: Tensor) -> Tensor:
    """What r is to find: the mask that was perturbed, or the true alpha, which m's mask only nears.

    Of twins it is the target's, whose driver's mask m found.

    Args:
        sample: the share.
        driving_mask: (B, 1, h, w) of m.
    Returns:
        (B, 1, h, w) in [0, 1].
    """
    if sample.known is None or sample.target_alpha is None:
        return driving_mask
    true = F.avg_pool2d(sample.target_alpha, MASK_REDUCTION)
    return torch.where(sample.known[:, None, None, None], true, driving_mask)


def refiner_loss(config: TrainConfig, refined: Tensor, wanted: Tensor) -> Tensor:
    """Weighted L1 between r's mask and what it is to find, which gets no gradient."""
    return config.loss.refiner * (refined - wanted.detach()).float().abs().mean()


def flow_loss(flow: Tensor, mask: Tensor) -> Tensor:
    """Weighted size of w's flow outside the figure, where nothing else holds it.

    A flow that has once left the picture sees its border alone, and gets no gradient from it.

    Args:
        flow: (B, 2, h, w) of w, in half sides of the picture.
        mask: (B, 1, h, w) in [0, 1] of the pose that is wanted; gets no gradient.
    Returns:
        A scalar, 0 where the mask is 1 everywhere.
    Source: docs/method.md, The warped source.
    """
    return FLOW_WEIGHT * ((1 - mask.detach().float()) * flow.abs()).mean()


def weighted_motion_loss(
    config: TrainConfig, sample: Sample, source_logits: Tensor, driving_logits: Tensor
) -> Tensor:
    """The loss of m's masks of both frames under its weight."""
    of_source, of_driving = (
        motion_loss(logits, target, sample.still, sample.still_mean)
        for logits, target in zip((source_logits, driving_logits), sample.motion, strict=True)
    )
    return config.motion.weight * (of_source + of_driving)


def _backward(losses: Numbers, shares: int) -> Numbers:
    """Add the gradients of one of `shares` shares; the losses without their graph."""
    (torch.stack(list(losses.values())).sum() / shares).backward()
    return {name: value.detach() for name, value in losses.items()}


def averaged(state: TrainingState, found: Sequence[Numbers]) -> dict[str, float]:
    """Numbers for the log, over the shares of all processes, brought over at once."""
    table = torch.stack([torch.stack([x.float() for x in n.values()]) for n in found])
    means = state.world.average(table.mean(0))
    return with_mask_numbers(dict(zip(found[0], means.tolist(), strict=True)))


def _statistics(state: TrainingState, sample: Sample, logits: Tensor) -> Numbers:
    return mask_statistics(logits, sample, state.config.model.threshold)


@torch.no_grad()
def mask_statistics(logits: Tensor, sample: Sample, threshold: float) -> Numbers:
    """What `with_mask_numbers` needs of a share: sums, which add up over the shares of a batch.

    Args:
        logits: (B, 1, h, w) of m for the driving frames.
        sample: their share.
        threshold: th in [0, 1].
    """
    masks = torch.sigmoid(logits)
    changed = reduced_target(sample.motion[1], masks) > 0.5
    keep = sample.still[:, None, None, None] & torch.ones_like(changed)
    moving = changed & keep
    over = (masks > threshold) & keep
    quarter = masks.shape[-1] // 4
    inner = torch.zeros_like(moving)
    inner[..., quarter:-quarter, quarter:-quarter] = True
    areas = {"moving": moving, "resting": ~changed & keep, "inner": inner, "outer": ~inner}
    sums = {f"sum_{name}": (masks * area).sum() for name, area in areas.items()}
    counts = {f"count_{name}": area.sum() for name, area in areas.items()}
    return sums | counts | {"hit": (over & moving).sum(), "union": (over | moving).sum()}


def with_mask_numbers(numbers: dict[str, float]) -> dict[str, float]:
    """Where the driving masks of a batch stand, in place of the sums of `mask_statistics`.

    Returns:
        The other numbers, and mask_mean: mean value; mask_motion_iou: overlap of mask > threshold
        with moving pixels; mask_sign: mean over moving minus mean over still pixels, or where no
        camera stands still or nothing or all moves, centre minus border; positive where 1 means
        foreground. Where the true alpha is learned, its foreground stands for what moves.
    """
    names = ("moving", "resting", "inner", "outer")
    total = {name: numbers.pop(f"sum_{name}") for name in names}
    count = {name: numbers.pop(f"count_{name}") for name in names}
    hit, union = numbers.pop("hit"), numbers.pop("union")
    inside, outside = names[:2] if count["moving"] and count["resting"] else names[2:]
    return numbers | {
        "mask_mean": (total["inner"] + total["outer"]) / (count["inner"] + count["outer"]),
        "mask_motion_iou": hit / union if union else 0.0,
        "mask_sign": total[inside] / count[inside] - total[outside] / count[outside],
    }
