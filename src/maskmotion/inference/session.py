"""The state of one source on one background, fed with driving frames."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from maskmotion.errors import InputError, ModelError, ShapeError
from maskmotion.inference.fit import add_detail, cover, cut, lay, lost_detail, moved_detail, paste
from maskmotion.inference.painter import BackgroundKind
from maskmotion.media.fit import square_of
from maskmotion.models.animator import Animation, Animator, BackgroundState, Swap, large
from maskmotion.models.warp import figure

DTYPES = (torch.float32, torch.bfloat16)


@dataclass(frozen=True)
class Animated:
    """Animated driving frames.

    frames: (B, 3, H, W) RGB in [0, 1], the result: the networks' square, or the source's own size.
    alpha: (B, 1, H, W) in [0, 1], the refined mask at the same size, 1 = foreground.
    kept: (B, 1, S, S) in [0, 1] at the networks' size: how much of a swap is the inside of the
        source's own figure, which h left as it was; 0 without a background.
    moved: (B, 1, S, S) in [0, 1]: how much of the result is the source as w warped it, of a swap
        the inside of the figure alone; 0 without w.
    animation, swap: every intermediate picture and mask at the networks' sizes; swap is None
    without a background.
    """

    frames: Tensor
    alpha: Tensor
    kept: Tensor
    moved: Tensor
    animation: Animation
    swap: Swap | None

    @property
    def gate(self) -> Tensor:
        """(B, 1, S, S) in [0, 1] at the networks' size: how much of the result was painted."""
        return (self.swap or self.animation).gate


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
        keep_size: return the source's own size and aspect, with the animated square put back,
            instead of the square: with a gate only what changed, see `maskmotion.media.fit.lay`,
            and the figure gets back the detail of the source's own size wherever it is warped, or,
            before a new background, did not change; see `add_detail` there.
        scale: of the driver's mask about its centre, for a driver of another size than the source;
            None takes the model's.
        dtype: torch.float32, or torch.bfloat16 for speed where the processor has it.

    Raises:
        InputError: a fit, background or dtype that cannot be used.
        ModelError: a background is given and the model has no background networks.
        ShapeError: tensors of other shapes.
    Source: Perturbed Masks, section 3; docs/method.md, Data flow.
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
        scale: float | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if background_kind not in ("scene", "class"):
            raise InputError(f"background_kind is scene or class, not {background_kind!r}")
        if scale is not None and not 0 < scale <= 2:
            raise InputError(f"the scale of the driving mask lies above 0 and up to 2, not {scale}")
        if dtype not in DTYPES:
            raise InputError(f"dtype is torch.float32 or torch.bfloat16, not {dtype}")
        self.model = model.eval()
        self.device = next(model.parameters()).device
        self.size = model.config.image_size
        self.same_class = background_kind == "class"
        self.driving_fit = driving_fit
        self.keep_size = keep_size
        self.scale = scale
        self.dtype = dtype
        self.canvas = self._batched(source, 1)
        self.square = square_of(fit, *self.canvas.shape[-2:])
        with self._inference():
            self.source = model.encode_source(cut(self.canvas, self.square, self.size))
        self._whole = self.canvas if keep_size else None
        self.background: BackgroundState | None = None
        if background is not None:
            self.canvas, self.background = self._encode_background(self._batched(background, 1))

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
        Raises:
            ModelError: a background is given and the model has no background networks.
            ShapeError: tensors of other shapes.
        """
        return self.animate_squares(self.square_of_driving(driving), background)

    def square_of_driving(self, driving: Tensor) -> Tensor:
        """What the networks see of driving frames: (B, 3, H, W) -> (B, 3, size, size)."""
        driving = self._batched(driving)
        return cut(driving, square_of(self.driving_fit, *driving.shape[-2:]), self.size)

    def animate_squares(self, squares: Tensor, background: Tensor | None = None) -> Animated:
        """As `animate`, with driving frames from `square_of_driving`.

        Large frames need not be held together, then.
        """
        with self._inference():
            canvas, scene = self.canvas, self.background
            if background is not None:
                moving = self._batched(background, len(squares))
                canvas, scene = self._encode_background(moving)
            animation = self.model.animate(self.source, squares, scale=self.scale)
            swap = None
            if scene is not None:
                swap = self.model.swap_background(animation.high_res, animation.refined_mask, scene)
            frames = (swap.refined if swap else animation.high_res).float()
            alpha = large(animation.refined_mask.float())
            kept, moved = self._shares(animation, swap, alpha)
            if self.keep_size:
                still = scene.picture if scene else self.source.source
                gate = (swap or animation).gate.float()
                frames = lay(canvas, still, frames, gate, self.square)
                alpha = paste(torch.zeros_like(canvas[:1, :1]), alpha, self.square)
                if self._detail is not None and kept.any():
                    frames = add_detail(frames, self._detail, kept, self.square)
                if self._detail is not None and moved.any():
                    detail = moved_detail(self._detail, animation.flow, self.square)
                    frames = add_detail(frames, detail, moved, self.square)
        return Animated(frames, alpha, kept, moved, animation, swap)

    def _shares(
        self, animation: Animation, swap: Swap | None, alpha: Tensor
    ) -> tuple[Tensor, Tensor]:
        """How much of the source is in the result: as it is in a swap's figure, and warped."""
        moved = animation.gate.float() * (1 - animation.own.float())
        if swap is None:
            return torch.zeros_like(alpha), moved
        kept = (1 - animation.gate.float()) * alpha * figure(self.source.large_mask)
        return swap.gate.float() * kept, swap.gate.float() * moved * figure(alpha)

    @cached_property
    def _detail(self) -> Tensor | None:
        if self._whole is None or self.square.side == self.size:
            return None
        return lost_detail(self._whole, self.source.source, self.square)

    def _encode_background(self, picture: Tensor) -> tuple[Tensor, BackgroundState]:
        """What the animated square is put into, and the background as the networks take it.

        It is fitted as the source is, so that the two meet at the square's border.
        """
        if self.model.background_base is None:
            raise ModelError(
                "this model has no background networks; use one that was trained with them, or "
                "leave the background out"
            )
        canvas = self.canvas
        if self.keep_size:
            canvas = cover(picture, *canvas.shape[-2:])
            fitted = cut(canvas, self.square, self.size)
        else:
            fitted = cover(picture, self.size, self.size)
        with self._inference():
            return canvas, self.model.encode_background(fitted, same_class=self.same_class)

    def _batched(self, picture: Tensor, count: int | None = None) -> Tensor:
        """(B, 3, H, W) float32 on the model's device; B is `count` where given."""
        batched = picture if picture.ndim == 4 else picture[None]
        if batched.ndim != 4 or batched.shape[1] != 3 or 0 in batched.shape:
            raise ShapeError(f"expected pictures of shape (B, 3, H, W), got {tuple(picture.shape)}")
        if count is not None and len(batched) != count:
            raise ShapeError(f"expected {count} pictures, got {tuple(picture.shape)}")
        return batched.to(self.device, torch.float32)

    @contextmanager
    def _inference(self) -> Iterator[None]:
        """No gradients, and autocast where the dtype is a reduced one."""
        reduced = self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=reduced):
            yield
