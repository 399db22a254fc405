"""The training step as published code does it: the baseline of benchmarks/training.py, and a test.

float32 in torch's default layout, pictures augmented one by one, masks perturbed in numpy on the
processor, every picture through VGG by itself (the real one anew for each loss), blurs as 2-D
convolutions. The networks, losses, data and random numbers are those of maskmotion.training.
"""

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from maskmotion.config import TrainConfig
from maskmotion.data.pairs import Batch
from maskmotion.models import perturb
from maskmotion.models.animator import Animator, BackgroundState, SourceState, large, small
from maskmotion.models.draws import Draws, Share
from maskmotion.training.losses import motion_loss
from maskmotion.training.state import generator_for, initialise
from maskmotion.training.step import Sample, prepare
from maskmotion.training.vgg import VGG19

CPU = torch.device("cpu")


class PlainTrainer:
    """Networks and optimisers.

    Args:
        config: settings of the run; run.precision is not looked at.
        vgg: frozen features.
    """

    def __init__(self, config: TrainConfig, vgg: VGG19) -> None:
        self.config = config
        self.vgg = vgg
        self.model = Animator(config.model)
        initialise(self.model, config)
        self.step_number = 0
        networks = dict(self.model.named_children())
        backgrounds = {"background_base", "background_refiner"}
        lr = config.schedule.learning_rate
        self.main, self.background = (
            torch.optim.Adam(
                [p for name in names for p in networks[name].parameters()], lr, (0.5, 0.999)
            )
            for names in (networks.keys() - backgrounds, backgrounds)
        )

    def step(self, batch: Batch, *, epoch: int) -> dict[str, float]:
        """As `maskmotion.training.step.train_step`, on a whole batch."""
        config, model = self.config, self.model.train()
        sample = prepared_one_by_one(batch, config, self.step_number)
        source_logits = model.mask_generator.logits(sample.source)
        driving_logits = model.mask_generator.logits(sample.driving)
        source_mask = model.mask_generator.mask(source_logits)
        driving_mask = model.mask_generator.mask(driving_logits)
        seen, driven = source_mask, driving_mask
        if config.motion.only:
            seen, driven = source_mask.detach(), driving_mask.detach()
        state = SourceState(sample.source, small(sample.source), seen, large(seen))
        low_res, high_res, *_ = model.paint(state, driven)
        losses = {
            "low_res": self.perceptual(low_res, sample.target),
            "high_res": self.perceptual(high_res, sample.target),
        }
        if epoch >= config.schedule.refiner_epoch:
            generator = generator_for(CPU, config.seed, "perturb", self.step_number)
            perturbed = perturbed_in_numpy(driving_mask, config.model.threshold, generator)
            refined = model.refiner(state.small, source_mask.detach(), perturbed)
            difference = (refined - driving_mask.detach()).abs().mean()
            losses["refiner"] = config.loss.refiner * difference
        if config.motion.weight > 0:
            logits = (source_logits, driving_logits)
            losses["motion"] = config.motion.weight * sum(
                motion_loss(a, b, sample.still) for a, b in zip(logits, sample.motion, strict=True)
            )
        _update(self.main, losses)
        if epoch >= config.schedule.background_epoch:
            picture = BackgroundState(sample.source, state.small, source_mask.detach())
            swap = model.swap_background(sample.target, driving_mask.detach(), picture)
            swap_losses = {
                "background_base": self.perceptual(swap.base, sample.target),
                "background_refiner": self.perceptual(swap.refined, sample.target),
            }
            _update(self.background, swap_losses)
            losses |= swap_losses
        self.step_number += 1
        return {name: float(value.detach()) for name, value in losses.items()}

    def perceptual(self, picture: Tensor, target: Tensor) -> Tensor:
        """Multi-scale L1 of VGG features, (B, 3, H, W) both."""
        distances = []
        for factor in self.config.loss.scales:
            a = self.vgg(blurred(picture, factor))
            with torch.no_grad():
                b = self.vgg(blurred(target, factor))
            distances += [(x - y).abs().mean() for x, y in zip(a, b, strict=True)]
        return self.config.loss.perceptual * torch.stack(distances).sum()


def _update(optimizer: torch.optim.Optimizer, losses: dict[str, Tensor]) -> None:
    optimizer.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    optimizer.step()


def prepared_one_by_one(batch: Batch, config: TrainConfig, step: int) -> Sample:
    """`maskmotion.training.step.prepare`, a picture at a time."""
    count = len(batch.source)
    parts = [
        prepare(part, config, step, CPU, Share(index, count))
        for index, part in enumerate(batch.split(count))
    ]
    joined = {
        field.name: torch.cat([getattr(part, field.name) for part in parts]).contiguous()
        for field in fields(Sample)
        if field.name in ("source", "driving", "target", "still")
    }
    motion = tuple(
        torch.cat(frames) for frames in zip(*(part.motion for part in parts), strict=True)
    )
    return Sample(**joined, motion=motion, still_mean=batch.still_in_whole)


def blurred(picture: Tensor, factor: int) -> Tensor:
    """Gaussian low-pass as one 2-D convolution, then every factor-th pixel."""
    if factor == 1:
        return picture
    sigma = (factor - 1) / 2
    radius = round(4 * sigma)
    at = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-(at[:, None] ** 2 + at**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1, -1)
    return F.conv2d(picture, kernel, padding=radius, groups=3)[..., ::factor, ::factor]


def perturbed_in_numpy(mask: Tensor, threshold: float, generator: torch.Generator) -> Tensor:
    """P of training on (B, 1, h, w) masks, sample by sample and strip by strip."""
    samples, _, height, width = mask.shape
    draws = Draws(generator)
    strips = perturb.STRIP_PIVOTS + 1
    along_x = perturb._factors(samples, strips, draws).numpy()
    edges_x = perturb._strip_edges(width, draws).tolist()
    whole_y = perturb._factors(samples, 1, draws).numpy()
    along_y = perturb._factors(samples, strips, draws).numpy()
    edges_y = perturb._strip_edges(height, draws).tolist()
    whole_x = perturb._factors(samples, 1, draws).numpy()
    noise = draws.poisson(perturb.NOISE_LEVEL, samples, height, width).numpy() / 255
    out = []
    for index, x in enumerate(mask.detach()[:, 0].numpy()):
        x = _stretched(x, along_x[index], edges_x)
        x = _stretched(x.T, whole_y[index], [0, height])
        x = _stretched(x, along_y[index], edges_y).T
        x = _stretched(x, whole_x[index], [0, width])
        out.append(np.minimum(np.where(x > threshold, x, 0) + noise[index], 1))
    return torch.from_numpy(np.stack(out).astype(np.float32))[:, None]


def _stretched(x: np.ndarray, factors: np.ndarray, edges: list[int]) -> np.ndarray:
    """Vertical strips of (h, w), each scaled horizontally about its centre, zero outside."""
    out = np.zeros_like(x)
    for factor, left, right in zip(factors, edges, edges[1:], strict=False):
        at = np.arange(left, right)
        centre = (left + right - 1) / 2
        wanted = centre + (at - centre) / factor
        known = np.arange(left - 1, right + 1)  # a zero on either side
        for row in range(len(x)):
            values = np.concatenate([[0], x[row, left:right], [0]])
            out[row, left:right] = np.interp(wanted, known, values)
    return out
