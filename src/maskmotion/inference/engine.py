"""The engine: a trained model in a form that computes the same pictures faster."""

import copy

import torch
from torch import nn

from maskmotion.errors import InputError
from maskmotion.inference.fast_blocks import (
    FastDownsample,
    FastFinal,
    FastHourglass,
    FastResidual,
    FastSame,
    FastUps,
    all_of,
)
from maskmotion.inference.session import DTYPES
from maskmotion.memory import keep_freed_memory
from maskmotion.models.animator import Animator
from maskmotion.models.blocks import ResidualBlock, UpBlock
from maskmotion.models.generator import HourglassBody, ResidualBody
from maskmotion.models.mask import MaskGenerator
from maskmotion.models.refine import MaskRefiner
from maskmotion.models.warp import Warper


def fast(model: Animator, dtype: torch.dtype = torch.float32) -> Animator:
    """The same networks in exact forms of fewer operations; see maskmotion.inference.fast_blocks.

    The engine goes wherever a model goes in inference, AnimationSession included. It cannot be
    trained, saved or moved: move the model, and make another engine. The model stays as it is.

    Args:
        model: on the device to use.
        dtype: torch.float32 (equal to the model within 1e-4), or torch.bfloat16, see `best_dtype`.
            What goes in and comes out is float32 either way; no autocast is needed. Masks are made
            in float32 either way too: thresholds magnify what they lose, and they are cheap.
    Raises:
        InputError: another dtype, or a model that is an engine already.
    """
    if is_fast(model):
        raise InputError("this is an engine already; make engines of the model itself")
    if dtype not in DTYPES:
        raise InputError(f"dtype is torch.float32 or torch.bfloat16, not {dtype}")
    keep_freed_memory()
    tensors = (*model.parameters(), *model.buffers())
    engine = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors})  # shares the weights
    for network in engine.children():
        _quicken(network, dtype)  # every block with weights gets others of its own
    return engine.eval()


def is_fast(model: Animator) -> bool:
    """Whether this is what `fast` makes."""
    return isinstance(model.high_res.final, FastFinal)


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it natively, else float32.

    That is AVX512-BF16 or AMX-BF16 on processors, and compute capability 8 on Nvidia's GPUs.
    """
    native = False
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    elif device.type == "cpu":
        # torch.ops.mkldnn._is_mkldnn_bf16_supported also counts processors that emulate it.
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = any(capabilities.get(name) is True for name in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def _quicken(network: nn.Module, dtype: torch.dtype) -> None:
    """Replace the blocks of a network by their fast forms."""
    if isinstance(network, MaskGenerator | MaskRefiner | Warper):
        dtype = torch.float32
    ups: nn.Sequential | nn.ModuleList
    if isinstance(network, MaskGenerator):
        network.add_module("down", FastDownsample(network.down))
    if isinstance(network, ResidualBody):
        ups = network.up_blocks
        network.add_module("first", FastSame(network.first, dtype))
        residuals = [
            FastResidual(block, dtype) for block in all_of(ResidualBlock, network.bottleneck)
        ]
        network.add_module("bottleneck", nn.Sequential(*residuals))
        network.add_module("up_blocks", FastUps(ups, dtype))
    else:
        assert isinstance(network, MaskGenerator | MaskRefiner | Warper | HourglassBody)
        ups = network.hourglass.up_blocks
        network.add_module("hourglass", FastHourglass(network.hourglass, dtype))
    channels = all_of(UpBlock, ups)[-1].conv.out_channels
    network.add_module("final", FastFinal(network.final, channels, dtype))
