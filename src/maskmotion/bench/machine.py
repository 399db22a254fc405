"""What the machine is, and how fast it convolves."""

import time
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from maskmotion.bench.forms import Dtype
from maskmotion.processes import processor_name

DTYPES: tuple[Dtype, ...] = ("float32", "bfloat16")
CHANNELS, SIDE = 256, 64  # of the convolution; the paper's bottleneck
BATCH = {"cpu": 4, "cuda": 128}  # enough to fill it
MIN_S = 0.1  # of one measurement


def processor(device: str) -> str:
    """The name of the processor, or of the graphics card."""
    kind = torch.device(device)
    if kind.type == "cuda":
        return torch.cuda.get_device_name(kind)
    return processor_name()


def convolution_gflops(device: str, dtype: Dtype) -> float:
    """What a large 3x3 convolution reaches, in 10^9 operations a second.

    256 channels to 256 at 64x64, channels last, by torch (oneDNN on processors); a multiplication
    and its addition are two operations.
    """
    picture, weight = _operands(device, dtype)
    with torch.inference_mode():
        conv2d(picture, weight, padding=1)
        calls, begun_s = 0, _now_s(device)
        while (passed_s := _now_s(device) - begun_s) < MIN_S:
            more = max(calls, 1)
            for _ in range(more):
                conv2d(picture, weight, padding=1)
            calls += more
    return calls * 2 * weight[0].numel() * picture.numel() / passed_s / 1e9


@cache
def _operands(device: str, dtype: Dtype) -> tuple[Tensor, Tensor]:
    batch = BATCH.get(torch.device(device).type, BATCH["cpu"])
    shapes = (batch, CHANNELS, SIDE, SIDE), (CHANNELS, CHANNELS, 3, 3)
    picture, weight = (
        torch.randn(shape)
        .to(device, getattr(torch, dtype))
        .contiguous(memory_format=torch.channels_last)
        for shape in shapes
    )
    return picture, weight


def _now_s(device: str) -> float:
    """The time when all that was asked for is done."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    if kind == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
