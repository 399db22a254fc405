"""What can run a model's networks, and the choice among them."""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from maskmotion.checkpoint import DEFAULT_MODEL, load_model
from maskmotion.errors import InputError
from maskmotion.inference.devices import pick_device
from maskmotion.inference.engine import best_dtype, fast
from maskmotion.inference.exported import is_exported, open_exported
from maskmotion.inference.painter import (
    BATCH_PX,
    BackgroundKind,
    Engine,
    Lazy,
    Painted,
    Precision,
    batch_frames,
)
from maskmotion.inference.session import Animated, AnimationSession
from maskmotion.media import to_tensor, to_uint8
from maskmotion.models.animator import Animator, large

EngineName = Literal["auto", "torch", "onnx", "openvino"]
GPU_BATCH_PX = 8 * 512 * 512  # nothing has been measured there


def open_engine(
    model: str | Path | Animator = DEFAULT_MODEL,
    *,
    engine: EngineName = "auto",
    dtype: Precision = "auto",
    device: str = "auto",
) -> Engine:
    """A model, ready to paint as fast as the machine can.

    Args:
        model: a name that `maskmotion models` lists, a model folder, a folder that
            `maskmotion export` wrote, or a loaded model.
        engine: "torch" runs models, "onnx" (ONNX Runtime) and "openvino" exported folders; "auto"
            takes torch for a model and ONNX Runtime for an exported folder.
        dtype: float32 is exact to 1e-4; bfloat16 is faster on processors that have it, and errs by
            about a grey level; "auto" takes it there. ONNX Runtime computes in float32.
        device: auto, cpu, cuda or mps; a loaded model stays where it is.
    Raises:
        InputError: an engine, dtype or device that cannot be had.
        ModelError: a model that cannot be read.
    """
    if engine not in get_args(EngineName) or dtype not in get_args(Precision):
        raise InputError(
            f"engine is one of {', '.join(get_args(EngineName))} and dtype one of "
            f"{', '.join(get_args(Precision))}, not {engine!r} and {dtype!r}"
        )
    if isinstance(model, Animator):
        if engine not in ("auto", "torch"):
            raise InputError(f"a loaded model runs on torch, not on {engine}; export it first")
        return torch_engine(model, dtype)
    if is_exported(model):
        if engine == "torch":
            raise InputError(f"{model} was exported: it runs on onnx or openvino, not on torch")
        if device not in ("auto", "cpu"):
            raise InputError(f"{model} was exported: it runs on the processor, not on {device}")
        return open_exported(model, runtime="onnx" if engine == "auto" else engine, dtype=dtype)
    if engine not in ("auto", "torch"):
        raise InputError(
            f"{engine} runs exported models; write one with `maskmotion export --model {model} "
            "--out FOLDER`, and give that folder as the model"
        )
    return torch_engine(load_model(model, device=pick_device(device)), dtype)


def torch_engine(model: Animator, dtype: Precision = "auto") -> "TorchEngine":
    """The fast form of a model, on the device where it is; dtype as `open_engine` takes it."""
    device = next(model.parameters()).device
    kind = best_dtype(device) if dtype == "auto" else getattr(torch, dtype)
    name = f"torch on {device.type}, {str(kind).removeprefix('torch.')}"
    return TorchEngine(fast(model, kind), name)


class TorchEngine:
    """A model on torch, as it is or as `fast` makes it; an Engine.

    Args:
        model: on the device to use.
        name: what runs it, and how, in words.
    """

    def __init__(self, model: Animator, name: str) -> None:
        self.model = model
        self.name = name
        self.size = model.config.image_size
        on_cpu = next(model.parameters()).device.type == "cpu"
        self.batch_frames = batch_frames(self.size, BATCH_PX if on_cpu else GPU_BATCH_PX)

    def painter(
        self,
        source: np.ndarray,
        *,
        background: np.ndarray | None = None,
        background_kind: BackgroundKind = "scene",
        scale: float | None = None,
    ) -> "TorchPainter":
        """As `Engine.painter`."""
        session = AnimationSession(
            self.model,
            to_tensor([source]),
            background=None if background is None else to_tensor([background]),
            background_kind=background_kind,
            scale=scale,
        )
        return TorchPainter(session)


class TorchPainter:
    """An AnimationSession between uint8 squares; a Painter."""

    def __init__(self, session: AnimationSession) -> None:
        self.session = session

    def paint(self, squares: np.ndarray, scenes: np.ndarray | None = None) -> Painted:
        """As `Painter.paint`."""
        background = None if scenes is None else to_tensor(list(scenes))
        animated = self.session.animate(to_tensor(list(squares)), background)
        return Painted(
            to_uint8(animated.frames),
            to_uint8(animated.alpha)[..., 0],
            to_uint8(animated.gate)[..., 0],
            to_uint8(animated.kept)[..., 0],
            to_uint8(animated.moved)[..., 0],
            animated.animation.flow.float().cpu().numpy(),
            _layers_of(animated),
        )


def _layers_of(animated: Animated) -> Lazy:
    animation, swap = animated.animation, animated.swap
    pictures = {
        "low_res": animation.low_res,
        "high_res": animation.high_res,
    }
    if swap is not None:
        pictures |= {"background_base": swap.base, "background_refined": swap.refined}
    masks = {
        "driving_mask": animation.driving_mask,
        "perturbed_mask": animation.perturbed_mask,
        "refined_mask": animation.refined_mask,
    }
    return Lazy(
        {name: lambda x=x: to_uint8(large(x)) for name, x in masks.items()}
        | {name: lambda x=x: to_uint8(x) for name, x in pictures.items()}
    )
