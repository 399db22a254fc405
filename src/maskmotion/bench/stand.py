"""What one process does in a benchmark: run a model in one form.

torch is loaded where it is needed: forms that do without it shall not hold its memory.
"""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from maskmotion.bench import footage
from maskmotion.bench.forms import Form, Subject
from maskmotion.inference.painter import Engine, Painter

if TYPE_CHECKING:
    from maskmotion.inference.exported import Stages
    from maskmotion.models.animator import Animator

MB = 10**6
SHOWN_FRAMES = 2
END_TO_END_S = 3.0  # of a turn from file to file; two batches at least, and no more than there is
WARM_UP_S = 2.0  # a batch that takes longer is not painted to warm up, one frame is
EXPORT_FOLDER, OUT = "exported", "out.mp4"


@dataclass(frozen=True)
class Stand:
    """All that a process is told.

    batch: driving frames painted at once; None for what the engine takes as best. device: as torch
    names it. folder: of `footage.write_files`, with the exported model in EXPORT_FOLDER.
    """

    subject: Subject
    form: Form
    batch: int | None
    threads: int
    device: str
    folder: str


def begin(threads: int) -> None:
    """Give the process so many threads, before torch is loaded."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


class Ready(NamedTuple):
    """batch: frames painted at once. frames: of a turn, which takes about turn_s."""

    batch: int
    frames: int
    turn_s: float


def prepare(stand: Stand, *, swap: bool) -> Ready:
    """Load what is needed and warm up."""
    batch = _engine(stand).batch_frames
    if stand.form.end_to_end:
        s_per_frame = paint(stand, batch, swap=swap) / batch
        frames = min(max(round(END_TO_END_S / s_per_frame), 2 * batch), footage.FRAMES)
        return Ready(batch, frames, frames * s_per_frame)
    turn_s = batch * paint(stand, 1, swap=swap)
    if turn_s < WARM_UP_S:
        turn_s = paint(stand, batch, swap=swap)
    return Ready(batch, batch, turn_s)


def paint(stand: Stand, frames: int, *, swap: bool) -> float:
    """Paint, and return how many seconds it took.

    Args:
        stand: what to paint with.
        frames: one batch; from file to file any number.
        swap: on a new background.
    """
    engine = _engine(stand)
    if stand.form.end_to_end:
        from maskmotion.inference.video import animate_with

        folder = Path(stand.folder)
        source, driving, scene = (folder / name for name in footage.NAMES)
        background, out = scene if swap else None, folder / OUT
        begun_s = time.perf_counter()
        animate_with(engine, source, driving, out, background=background, frames=frames)
        return time.perf_counter() - begun_s
    painter = _painter(stand, swap)
    squares = footage.pictures(engine.size, frames).squares
    begun_s = time.perf_counter()
    painter.paint(squares)  # pictures come back into main memory, so a GPU has done its work
    return time.perf_counter() - begun_s


def shown(stand: Stand, *, swap: bool) -> np.ndarray | None:
    """Some pictures, not rounded: (SHOWN_FRAMES, 3, S, S) float32; None from file to file."""
    if stand.form.end_to_end:
        return None
    from maskmotion.inference.exported import ExportedEngine

    engine, painter = _engine(stand), _painter(stand, swap)
    squares = footage.pictures(engine.size, SHOWN_FRAMES).squares
    if isinstance(engine, ExportedEngine):
        painter.paint(squares)
        assert isinstance(engine.stages, _Kept)
        return np.array(engine.stages.made["refined" if swap else "high_res"])
    from maskmotion.inference.engines import TorchPainter
    from maskmotion.media import to_tensor

    assert isinstance(painter, TorchPainter)
    return painter.session.animate(to_tensor(list(squares))).frames.cpu().numpy()


def peak_mb(device: str) -> float | None:
    """The most memory that this process has held, on the GPU if that is what computes.

    None where the system does not tell.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device) / MB
    if sys.platform == "linux":
        # Not ru_maxrss, which knows of the process from which this one came.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / MB
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    return None


def export(subject: Subject, folder: Path) -> None:
    """Export a model into EXPORT_FOLDER of a folder.

    Raises:
        MissingExtraError: an extra is missing.
    """
    from maskmotion.inference.export import export_model

    export_model(subject.load(), folder / EXPORT_FOLDER, {"model": subject.name})


class Operations(NamedTuple):
    """10^9 operations a frame; a multiplication and its addition are two.

    plain: as the networks are written down. engine: as our engine computes them.
    """

    plain: float
    engine: float


def operations(subject: Subject) -> dict[bool, Operations]:
    """Operations without (False) and with a swap (True), if the model can swap.

    Raises:
        ModelError: as `load_model`.
    """
    from maskmotion.inference.engine import fast

    model = subject.load()
    swaps = (False, True) if model.config.background_networks else (False,)
    engine = fast(model)
    return {
        swap: Operations(_operations(model, swap=swap), _operations(engine, swap=swap))
        for swap in swaps
    }


def _operations(model: "Animator", *, swap: bool) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

    from maskmotion.inference.session import AnimationSession

    def packed(x: list[int], weight: list[int], *_: Any, out_shape: list[int], **__: Any) -> int:
        return conv_flop_count(x, weight, out_shape)

    known = {}
    if hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        known[torch.ops.mkldnn._convolution_pointwise] = packed
    size = model.config.image_size
    picture = torch.zeros(1, 3, size, size)
    session = AnimationSession(model, picture, background=picture if swap else None)
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        session.animate(picture)
    return counter.get_total_flops() / 1e9


class _Kept:
    """Stages that keep what the last one made, before it is rounded."""

    def __init__(self, stages: "Stages") -> None:
        self.stages, self.name = stages, stages.name
        self.made: Mapping[str, np.ndarray] = {}

    def run(self, stage: str, /, **inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        self.made = self.stages.run(stage, **inputs)
        return self.made


@cache
def _engine(stand: Stand) -> Engine:
    engine = _opened(stand)
    if stand.batch is not None:
        engine.batch_frames = stand.batch
    return engine


def _opened(stand: Stand) -> Engine:
    form = stand.form
    if form.runtime == "onnx" or form.runtime == "openvino":
        from maskmotion.inference.exported import open_exported

        engine = open_exported(
            Path(stand.folder) / EXPORT_FOLDER,
            runtime=form.runtime,
            dtype=form.dtype,
            threads=stand.threads,
        )
        engine.stages = _Kept(engine.stages)
        return engine
    from maskmotion.inference.engines import TorchEngine, torch_engine

    model = stand.subject.load(stand.device)
    if form.runtime == "plain":
        return TorchEngine(model, "plain")
    return torch_engine(model, form.dtype)


@cache
def _painter(stand: Stand, swap: bool) -> Painter:
    engine = _engine(stand)
    source, _, scene = footage.pictures(engine.size, 1)
    return engine.painter(source, background=scene if swap else None)
