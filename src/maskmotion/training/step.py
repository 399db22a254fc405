"""One training step."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from maskmotion.config import TrainConfig
from maskmotion.data.augment import apply_jitter, jitter_matrix, random_flip
from maskmotion.data.motion import motion_target
from maskmotion.data.pairs import Batch
from maskmotion.models.animator import small
from maskmotion.training.losses import PerceptualLoss, motion_loss, reduced_target
from maskmotion.training.state import TrainingState, generator_for


@dataclass(frozen=True)
class Sample:
    """A prepared batch, (B, C, S, S) in [0, 1]: target is driving's frame in source's colours.

    motion is the soft motion target of (source, driving); still (B,) marks where it holds.
    """

    source: Tensor
    driving: Tensor
    target: Tensor
    motion: tuple[Tensor, Tensor]
    still: Tensor


def prepare(batch: Batch, config: TrainConfig, step: int, device: torch.device) -> Sample:
    """Augment a batch on the device; random numbers are a function of (seed, step).

    Source: docs/method.md, Data flow: jitter of each frame, horizontal flip.
    """
    rng = generator_for(device, config.seed, "augment", step)
    frames = tuple(
        x.to(device, non_blocking=True).float() / 255
        for x in (batch.source, batch.driving, batch.median)
    )
    source, driving, median = random_flip(frames, rng)
    motion = motion_target(source, median), motion_target(driving, median)
    strength = config.data.jitter
    of_source = jitter_matrix(len(source), strength, rng, device)
    of_driving = jitter_matrix(len(source), strength, rng, device)
    return Sample(
        source=_laid_out(apply_jitter(source, of_source)),
        driving=_laid_out(apply_jitter(driving, of_driving)),
        target=_laid_out(apply_jitter(driving, of_source)),
        motion=motion,
        still=batch.still.to(device),
    )


def _laid_out(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def alone_steps(config: TrainConfig) -> int:
    """Steps before the first epoch, on which m and r train alone."""
    return math.ceil(config.motion.alone_samples / config.schedule.batch_size)


def autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    """The run's precision for forward passes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.run.precision == "bfloat16")


def mask_step(state: TrainingState, sample: Sample) -> dict[str, float]:
    """Train m on what moves, and r on its masks, at a small part of a whole step's cost.

    Returns:
        The losses and the masks' statistics as numbers.
    """
    state.set_epoch(0)
    model = state.model.train()
    device = sample.source.device
    perturbation = generator_for(device, state.config.seed, "perturb", state.step)
    with autocast(state.config, device):
        source_logits = model.mask_generator.logits(sample.source)
        driving_logits = model.mask_generator.logits(sample.driving)
        driving_mask = model.mask_generator.mask(driving_logits)
        _, refined = model.refine_in_training(
            small(sample.source),
            model.mask_generator.mask(source_logits),
            driving_mask,
            perturbation,
        )
    losses = {
        "motion": weighted_motion_loss(state.config, sample, source_logits, driving_logits),
        "refiner": refiner_loss(state.config, refined, driving_mask),
    }
    update(state.main, losses)
    return as_numbers(losses) | mask_statistics(
        driving_logits, sample, state.config.model.threshold
    )


def refiner_loss(config: TrainConfig, refined: Tensor, driving_mask: Tensor) -> Tensor:
    """Weighted L1 between r's mask and the one that was perturbed, which gets no gradient."""
    return config.loss.refiner * (refined - driving_mask.detach()).abs().mean()


def weighted_motion_loss(
    config: TrainConfig, sample: Sample, source_logits: Tensor, driving_logits: Tensor
) -> Tensor:
    """The motion loss of both frames under its weight."""
    of_source = motion_loss(source_logits, sample.motion[0], sample.still)
    return config.motion.weight * (
        of_source + motion_loss(driving_logits, sample.motion[1], sample.still)
    )


def train_step(
    state: TrainingState, sample: Sample, loss: PerceptualLoss, *, epoch: int
) -> dict[str, float]:
    """Forward, backward and update of all networks that this epoch trains.

    The background networks come after, with their own backward and optimiser, and touch nothing
    that m, r, l and h see.

    Returns:
        The losses and the masks' statistics as numbers.
    Source: docs/method.md, Data flow, steps 1 to 6.
    """
    config = state.config
    schedule, device = config.schedule, sample.source.device
    state.set_epoch(epoch)
    state.model.train()
    perturbation = None
    if epoch >= schedule.refiner_epoch:
        perturbation = generator_for(device, config.seed, "perturb", state.step)
    precision = autocast(config, device)

    with precision:
        with torch.no_grad():
            target = loss.features(sample.target)
        forward = state.model.training_forward(
            sample.source,
            sample.driving,
            perturbation=perturbation,
            mask_gradients=not config.motion.only,
        )
        losses = {
            "low_res": loss(forward.low_res, target),
            "high_res": loss(forward.high_res, target),
        }
        if forward.refined_mask is not None:
            losses["refiner"] = refiner_loss(config, forward.refined_mask, forward.driving_mask)
        if config.motion.weight > 0:
            losses["motion"] = weighted_motion_loss(
                config, sample, forward.source_logits, forward.driving_logits
            )
    update(state.main, losses)

    if state.background is not None and epoch >= schedule.background_epoch:
        with precision:
            swap = state.model.background_training_forward(sample.source, sample.target, forward)
            swap_losses = {
                "background_base": loss(swap.base, target),
                "background_refiner": loss(swap.refined, target),
            }
        update(state.background, swap_losses)
        losses |= swap_losses
    return as_numbers(losses) | mask_statistics(
        forward.driving_logits, sample, config.model.threshold
    )


def as_numbers(losses: dict[str, Tensor]) -> dict[str, float]:
    """Losses for the log."""
    return {name: float(value.detach()) for name, value in losses.items()}


def update(optimizer: torch.optim.Optimizer, losses: dict[str, Tensor]) -> None:
    """Backward of the sum, one optimiser step."""
    optimizer.zero_grad(set_to_none=True)
    torch.stack(list(losses.values())).sum().backward()
    optimizer.step()


@torch.no_grad()
def mask_statistics(logits: Tensor, sample: Sample, threshold: float) -> dict[str, float]:
    """Where the driving masks stand.

    Returns:
        mask_mean: mean value; mask_motion_iou: overlap of mask > threshold with moving pixels;
        mask_sign: mean over moving minus mean over still pixels, or where no camera stands
        still or nothing or all moves, centre minus border; positive where 1 means foreground.
    """
    masks = torch.sigmoid(logits)
    changed = reduced_target(sample.motion[1], masks) > 0.5
    keep = sample.still[:, None, None, None] & torch.ones_like(changed)
    moving, resting = changed & keep, ~changed & keep
    over = masks > threshold
    union = ((over & keep) | moving).sum().clamp(min=1)
    numbers = {
        "mask_mean": float(masks.mean()),
        "mask_motion_iou": float((over & moving).sum() / union),
    }
    if moving.any() and resting.any():
        numbers["mask_sign"] = float(masks[moving].mean() - masks[resting].mean())
    else:
        quarter = masks.shape[-1] // 4
        inner = masks[..., quarter:-quarter, quarter:-quarter]
        outer = (masks.sum() - inner.sum()) / (masks.numel() - inner.numel())
        numbers["mask_sign"] = float(inner.mean() - outer)
    return numbers
