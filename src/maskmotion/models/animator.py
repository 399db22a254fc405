"""The data flow of the method. It is written here and nowhere else (docs/method.md, Data flow)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from maskmotion.config import ModelConfig
from maskmotion.errors import ModelError, ShapeError
from maskmotion.models.background import BackgroundBase, BackgroundRefiner, composition
from maskmotion.models.blocks import resize
from maskmotion.models.draws import Draws
from maskmotion.models.gate import laid_over
from maskmotion.models.generator import HighResGenerator, LowResGenerator
from maskmotion.models.mask import MASK_REDUCTION, MaskGenerator
from maskmotion.models.perturb import perturb_for_animation, perturb_for_training
from maskmotion.models.refine import MaskRefiner
from maskmotion.models.warp import Warper, figure, mixed, warp

SIZE_STEP = 128  # masks have a quarter of the size, hourglasses halve them five times


@dataclass(frozen=True)
class SourceState:
    """What the networks need of a source, computed once a clip.

    source (B, 3, H, W); small (B, 3, H/4, W/4); mask (B, 1, H/4, W/4); large_mask (B, 1, H, W).
    """

    source: Tensor
    small: Tensor
    mask: Tensor
    large_mask: Tensor


@dataclass(frozen=True)
class BackgroundState:
    """What the networks need of a new background, computed once where it is a still.

    picture (B, 3, H, W); small (B, 3, H/4, W/4); mask (B, 1, H/4, W/4), zero for a plain scene.
    """

    picture: Tensor
    small: Tensor
    mask: Tensor


class Painting(NamedTuple):
    """low_res and high_res (B, 3, H, W).

    gate (B, 1, H, W): how much of high_res h painted; the rest is the source. 1 without a gate.
    warped (B, 3, H, W): the source as w warps it; the source itself in models without w.
    own (B, 1, H, W): how much of what h painted it did not take from warped; 1 without w.
    flow (B, 2, H/4, W/4): w's, by which warped was warped; 0 without w.
    """

    low_res: Tensor
    high_res: Tensor
    gate: Tensor
    warped: Tensor
    own: Tensor
    flow: Tensor


@dataclass(frozen=True)
class Reconstruction:
    """driving_mask (B, 1, H/4, W/4); the others as in Painting."""

    driving_mask: Tensor
    low_res: Tensor
    high_res: Tensor
    gate: Tensor
    warped: Tensor
    own: Tensor
    flow: Tensor


@dataclass(frozen=True)
class Animation:
    """Masks (B, 1, H/4, W/4); the others as in Painting."""

    driving_mask: Tensor
    perturbed_mask: Tensor
    refined_mask: Tensor
    low_res: Tensor
    high_res: Tensor
    gate: Tensor
    warped: Tensor
    own: Tensor
    flow: Tensor


@dataclass(frozen=True)
class Swap:
    """Pictures on the new background: base and refined (B, 3, H, W).

    gate (B, 1, H, W): how much of refined BGRefine painted; the rest is the new background. 1
    without a gate.
    """

    base: Tensor
    refined: Tensor
    gate: Tensor


@dataclass(frozen=True)
class TrainingForward:
    """Outputs of a training step; logits are m's before sigmoid and zero padding;
    gate, warped, own and flow are as in Painting.

    target_mask is the one that l and h painted by. The refiner's outputs are None before its epoch.
    """

    source_logits: Tensor
    driving_logits: Tensor
    source_mask: Tensor
    driving_mask: Tensor
    target_mask: Tensor
    low_res: Tensor
    high_res: Tensor
    gate: Tensor
    warped: Tensor
    own: Tensor
    flow: Tensor
    perturbed_mask: Tensor | None
    refined_mask: Tensor | None


def small(picture: Tensor) -> Tensor:
    """D of docs/method.md: (B, C, H, W) -> (B, C, H/4, W/4), bilinear."""
    height, width = picture.shape[-2:]
    return resize(picture, (height // MASK_REDUCTION, width // MASK_REDUCTION))


def large(mask: Tensor) -> Tensor:
    """U of docs/method.md: (B, C, h, w) -> (B, C, 4h, 4w), bilinear."""
    height, width = mask.shape[-2:]
    return resize(mask, (height * MASK_REDUCTION, width * MASK_REDUCTION))


def check_picture(picture: Tensor) -> None:
    """Raise ShapeError unless picture is (B, 3, H, W) with H and W divisible by 128."""
    if picture.ndim != 4 or picture.shape[1] != 3:
        raise ShapeError(f"expected pictures of shape (B, 3, H, W), got {tuple(picture.shape)}")
    if picture.shape[2] % SIZE_STEP or picture.shape[3] % SIZE_STEP:
        raise ShapeError(
            f"height and width must be divisible by {SIZE_STEP}, got "
            f"{picture.shape[2]}x{picture.shape[3]}; resize the picture first"
        )


def check_fits(first: Tensor, picture: Tensor) -> None:
    """Raise ShapeError unless picture is as large as first, whose batch is 1 or the same."""
    check_picture(picture)
    if first.shape[1:] != picture.shape[1:] or len(first) not in (1, len(picture)):
        raise ShapeError(
            f"pictures of shape {tuple(picture.shape)} do not go with {tuple(first.shape)}: sizes "
            "must be equal, and the first batch 1 or equal"
        )


class Animator(nn.Module):
    """The six networks, or seven, and the paths between them.

    Args:
        config: width, threshold and variants of the networks.

    `background_base` and `background_refiner` are None where config.background_networks is False,
    and so is `warper` where config.warp is.
    Source: Perturbed Masks, section 3; background-swap extension; docs/method.md.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.mask_generator = MaskGenerator(
            width, padded=config.padded_masks, skips=config.mask_skips
        )
        self.refiner = MaskRefiner(width, skips=config.mask_skips)
        self.low_res = LowResGenerator(width)
        self.warper = Warper(width) if config.warp else None
        self.high_res = HighResGenerator(width, gate=config.gate, warp=config.warp)
        self.background_base: BackgroundBase | None = None
        self.background_refiner: BackgroundRefiner | None = None
        if config.background_networks:
            self.background_base = BackgroundBase(width, config.mask_input)
            self.background_refiner = BackgroundRefiner(width, config.mask_input, gate=config.gate)

    def forward(self, source: Tensor, driving: Tensor) -> Tensor:
        """Animate in one call: (B, 3, H, W) twice -> (B, 3, H, W); see `animate`."""
        return self.animate(self.encode_source(source), driving).high_res

    def encode_source(self, source: Tensor) -> SourceState:
        """Masks and reduced picture of a source, (B, 3, H, W) RGB in [0, 1].

        Raises:
            ShapeError: not (B, 3, H, W), or H or W not divisible by 128.
        """
        check_picture(source)
        mask = self.mask_generator(source)
        return SourceState(source, small(source), mask, large(mask))

    def paint(self, state: SourceState, mask: Tensor) -> Painting:
        """l, w and h: paint the source in the mask's pose.

        Gradients of high_res, gate and warped reach neither l nor the masks.

        Args:
            state: source, batch 1 or B.
            mask: (B, 1, H/4, W/4) in [0, 1].
        """
        state = _expand_source(state, len(mask))
        low_res = self.low_res(state.small, state.mask, mask)
        pose = large(mask.detach())
        seen = state.source, state.large_mask.detach(), low_res.detach(), pose
        if self.warper is None:
            high_res, gate = laid_over(self.high_res(*seen), state.source)
            flow = gate.new_zeros(len(mask), 2, *mask.shape[-2:])
            return Painting(low_res, high_res, gate, state.source, torch.ones_like(gate), flow)
        flow = self.warper(state.small, state.mask.detach(), mask.detach())
        warped = warp(state.source, flow)
        painted, own = mixed(self.high_res(*seen, warped), warped)
        high_res, gate = laid_over(painted, state.source, figure(pose))
        return Painting(low_res, high_res, gate, warped, own, flow)

    def refine_in_training(
        self,
        small_source: Tensor,
        source_mask: Tensor,
        driving_mask: Tensor,
        perturbation: Draws,
        twinned: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """P and r on a driving mask (docs/method.md, step 4); gradients reach r alone.

        Args:
            small_source: (B, 3, H/4, W/4) RGB in [0, 1].
            source_mask: (B, 1, H/4, W/4) in [0, 1].
            driving_mask: (B, 1, H/4, W/4) in [0, 1].
            perturbation: random numbers for P.
            twinned: (B,) bool, where the mask is another's already; P only cleans it.
        Returns:
            perturbed_mask and refined_mask, each (B, 1, H/4, W/4).
        """
        perturbed = perturb_for_training(driving_mask, self.config.threshold, perturbation)
        if twinned is not None:
            cleaned = perturb_for_animation(driving_mask.detach(), self.config.threshold, 1.0)
            perturbed = torch.where(twinned[:, None, None, None], cleaned, perturbed)
        return perturbed, self.refiner(small_source, source_mask.detach(), perturbed)

    def animate(
        self, state: SourceState, driving: Tensor, *, scale: float | None = None
    ) -> Animation:
        """Give the source the poses of driving frames.

        Args:
            state: from `encode_source`, batch 1 or B.
            driving: (B, 3, H, W) RGB in [0, 1].
            scale: of the driving mask in P; None takes the model's animation_scale.
        Raises:
            ShapeError: sizes that the networks cannot take.
        """
        check_fits(state.source, driving)
        driving_mask = self.mask_generator(driving)
        perturbed = perturb_for_animation(
            driving_mask,
            self.config.threshold,
            self.config.animation_scale if scale is None else scale,
        )
        return self.animate_from_mask(state, driving_mask, perturbed)

    def animate_from_mask(
        self, state: SourceState, driving_mask: Tensor, perturbed_mask: Tensor
    ) -> Animation:
        """r, l, h on a perturbed driving mask; masks (B, 1, H/4, W/4), state batch 1 or B."""
        expanded = _expand_source(state, len(perturbed_mask))
        refined = self.refiner(expanded.small, expanded.mask, perturbed_mask)
        return Animation(driving_mask, perturbed_mask, refined, *self.paint(state, refined))

    def reconstruct(self, state: SourceState, driving: Tensor) -> Reconstruction:
        """The paper's evaluation: as training, without r and P. Shapes as `animate`."""
        check_fits(state.source, driving)
        driving_mask = self.mask_generator(driving)
        return Reconstruction(driving_mask, *self.paint(state, driving_mask))

    def encode_background(self, picture: Tensor, *, same_class: bool) -> BackgroundState:
        """Mask and reduced picture of a new background.

        Args:
            picture: (B, 3, H, W) RGB in [0, 1].
            same_class: the picture holds an object of the trained class, which is to be removed;
                False for a plain scene, whose mask is all zero.
        Raises:
            ShapeError: sizes that the networks cannot take.
        """
        check_picture(picture)
        reduced = small(picture)
        mask = self.mask_generator(picture) if same_class else torch.zeros_like(reduced[:, :1])
        return BackgroundState(picture, reduced, mask)

    def swap_background(
        self, animated: Tensor, animated_mask: Tensor, background: BackgroundState
    ) -> Swap:
        """Put the foreground of an animated picture on another background.

        Args:
            animated: (B, 3, H, W) RGB in [0, 1], Y.
            animated_mask: (B, 1, H/4, W/4) soft mask of Y: the refined mask.
            background: X, batch 1 or B.
        Raises:
            ModelError: the model has no background networks.
            ShapeError: the pictures' sizes differ.
        """
        if self.background_base is None or self.background_refiner is None:
            raise ModelError(
                "this model has no background networks; use one that was trained with them, "
                "or leave the background out"
            )
        check_fits(background.picture, animated)
        batch = len(animated)
        x, x_small, x_mask = (
            part.expand(batch, -1, -1, -1)
            for part in (background.picture, background.small, background.mask)
        )
        threshold, mask_input = self.config.threshold, self.config.mask_input
        base = self.background_base(
            composition(x_small, small(animated), x_mask, animated_mask, threshold, mask_input)
        )
        painted = self.background_refiner(
            composition(x, animated, large(x_mask), large(animated_mask), threshold, mask_input),
            base.detach(),
        )
        return Swap(base, *laid_over(painted, x))

    def training_forward(
        self,
        source: Tensor,
        driving: Tensor,
        *,
        perturbation: Draws | None,
        mask_gradients: bool = True,
        twinned: Tensor | None = None,
        by_refined: Tensor | None = None,
        fixed_masks: bool = False,
    ) -> TrainingForward:
        """Steps 1 to 4 of docs/method.md's training step.

        Args:
            source: (B, 3, H, W) RGB in [0, 1].
            driving: (B, 3, H, W) RGB in [0, 1], another frame of the same clip, or a twin's.
            perturbation: random numbers for P; None leaves the refiner out.
            mask_gradients: let l's gradients reach m, as in the paper.
            twinned: (B,) bool, where driving shows another who moves as the source is to move; P
                only cleans the mask there, as in animation at scale 1.
            by_refined: (B,) bool, where l and h paint by the refined mask, as in animation.
            fixed_masks: neither m nor r gets any gradient.
        """
        reduced = small(source)
        perturbed = refined = None
        with torch.set_grad_enabled(torch.is_grad_enabled() and not fixed_masks):
            source_logits = self.mask_generator.logits(source)
            driving_logits = self.mask_generator.logits(driving)
            source_mask = self.mask_generator.mask(source_logits)
            driving_mask = self.mask_generator.mask(driving_logits)
            if perturbation is not None:
                perturbed, refined = self.refine_in_training(
                    reduced, source_mask, driving_mask, perturbation, twinned
                )
        seen, driven = source_mask, driving_mask
        if not mask_gradients:
            seen, driven = source_mask.detach(), driving_mask.detach()
        state = SourceState(source, reduced, seen, large(seen))
        if by_refined is not None and refined is not None:
            driven = torch.where(by_refined[:, None, None, None], refined.detach(), driven)
        painting = self.paint(state, driven)
        return TrainingForward(
            source_logits,
            driving_logits,
            source_mask,
            driving_mask,
            driven,
            *painting,
            perturbed,
            refined,
        )

    def background_training_forward(
        self, picture: Tensor, mask: Tensor, target: Tensor, forward: TrainingForward
    ) -> Swap:
        """Step 6 of docs/method.md's training step: Y = target; masks are detached.

        Args:
            picture: (B, 3, H, W) RGB in [0, 1], X: the source, or another scene.
            mask: (B, 1, H/4, W/4) in [0, 1] of X: the source's, or zero for a plain scene.
            target: (B, 3, H, W) RGB in [0, 1].
            forward: whose target mask is Y's.
        """
        background = BackgroundState(picture, small(picture), mask.detach())
        return self.swap_background(target, forward.target_mask.detach(), background)


def _expand_source(state: SourceState, batch: int) -> SourceState:
    parts = (state.source, state.small, state.mask, state.large_mask)
    return SourceState(*(part.expand(batch, -1, -1, -1) for part in parts))
