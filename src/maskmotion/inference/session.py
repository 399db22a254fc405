"""The state of one source on one background, fed with driving frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from maskmotion.errors import InputError, ModelError
from maskmotion.inference.fit import cover, cut, paste, square_of
from maskmotion.models.animator import Animation, Animator, BackgroundState, Swap, large

BackgroundKind = Literal["scene", "class"]


@dataclass(frozen=True)
class Animated:
    """Animated driving frames.

    frames: (B, 3, H, W) RGB in [0, 1], the result: the networks' square, or the source's own size.
    alpha: (B, 1, H, W) in [0, 1], the refined mask at the same size, 1 = foreground.
    animation, swap: every intermediate picture and mask at the networks' sizes; swap is None
    without a background.
    """

    frames: Tensor
    alpha: Tensor
    animation: Animation
    swap: Swap | None


class AnimationSession:
    """Animates one source; masks and reduced pictures of source and background are kept.

    Memory does not grow with the number of frames.

    Args:
        model: from `load_model`, on the device to use.
        source: (3, H, W) or (1, 3, H, W) RGB in [0, 1], any size.
        background: (3, H, W) or (1, 3, H, W) RGB in [0, 1], any size: the new background; None
            keeps the source's. A moving background is given frame by frame to `animate`.
        background_kind: "scene" is a plain scene; "class" holds an object of the trained class,
            which is taken out.
        fit: what of the source the networks see, see `square_of`.
        driving_fit: the same for driving frames.
        keep_size: return the source's own size and aspect, with the animated square pasted back,
            instead of the square.
        dtype: torch.float32, or torch.bfloat16 for speed where the processor has it.

    Raises:
        InputError: a fit or background that cannot be used.
        ModelError: a background is given and the model has no background networks.
    Source: Perturbed Masks, section 3; METHOD, Data flow.
    """

    def __init__(
        self,
        model: Animator,
        source: Tensor,
        *,
        background: Tensor | None = None,
        background_kind: BackgroundKind = "scene",
        fit: str = "crop",
        driving_fit: str = "crop",
        keep_size: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if background_kind not in ("scene", "class"):
            raise InputError(f"background_kind is scene or class, not {background_kind!r}")
        self.model = model.eval()
        self.device = next(model.parameters()).device
        self.size = model.config.image_size
        self.same_class = background_kind == "class"
        self.driving_fit = driving_fit
        self.keep_size = keep_size
        self.dtype = dtype
        self.canvas = self._batched(source)
        self.square = square_of(fit, *self.canvas.shape[-2:])
        with self._inference():
            self.source = model.encode_source(cut(self.canvas, self.square, self.size))
        self.background: BackgroundState | None = None
        if background is not None:
            self.background = self._encode_background(self._batched(background))

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of the frames that come out, px."""
        if self.keep_size:
            height, width = self.canvas.shape[-2:]
            return height, width
        return self.size, self.size

    def animate(self, driving: Tensor, background: Tensor | None = None) -> Animated:
        """Animate the source with a batch of driving frames.

        Args:
            driving: (B, 3, H, W) RGB in [0, 1], any size, the same for all.
            background: (B, 3, H, W), the frames of a moving background; None for the session's.
        """
        driving = self._batched(driving)
        square = square_of(self.driving_fit, *driving.shape[-2:])
        with self._inference():
            scene = self.background
            if background is not None:
                scene = self._encode_background(self._batched(background))
            animation = self.model.animate(self.source, cut(driving, square, self.size))
            swap = None
            if scene is not None:
                swap = self.model.swap_background(animation.high_res, animation.refined_mask, scene)
            picture = swap.refined if swap else animation.high_res
            frames, alpha = picture.float(), large(animation.refined_mask.float())
            if self.keep_size:
                frames = paste(self.canvas, frames, self.square)
                alpha = paste(torch.zeros_like(self.canvas[:, :1]), alpha, self.square)
        return Animated(frames, alpha, animation, swap)

    def _encode_background(self, picture: Tensor) -> BackgroundState:
        """Fit a background as the source is fitted, so that the square can be pasted into it."""
        if self.model.background_base is None:
            raise ModelError(
                "this model has no background networks; use one that was trained with them, or "
                "leave the background out"
            )
        if self.keep_size:
            self.canvas = cover(picture, *self.canvas.shape[-2:])
            fitted = cut(self.canvas, self.square, self.size)
        else:
            fitted = cover(picture, self.size, self.size)
        with self._inference():
            return self.model.encode_background(fitted, same_class=self.same_class)

    def _batched(self, picture: Tensor) -> Tensor:
        batched = picture if picture.ndim == 4 else picture[None]
        return batched.to(self.device, torch.float32)

    @contextmanager
    def _inference(self) -> Iterator[None]:
        """No gradients, and autocast where the dtype is a reduced one."""
        reduced = self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=reduced):
            yield
