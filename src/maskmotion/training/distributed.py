"""Training by several processes that torchrun started, each on its share of every batch.

A batch is the same whoever works on it: `schedule.batch_size` is that of all processes together,
its random numbers do not depend on how it is shared out (`models/draws.py`), and BatchNorm takes
its statistics over all of it. The processes hold equal weights, and only the first one writes.

torch's DistributedDataParallel is not used: a step has two backward passes with optimisers of their
own, over networks that come in one after the other, and may work through parts. Gradients are
averaged once a step instead, in buckets. For the same reason a checkpoint is one file that the
first process writes: nothing is spread over processes that torch.distributed.checkpoint would join.
"""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from maskmotion.config import TrainConfig
from maskmotion.errors import ConfigError

CPU = torch.device("cpu")
LONGEST_WAIT = timedelta(days=7)  # while the first process decodes clips; torchrun ends a run
BUCKET_NUMBERS = 2**24  # gradients sent at once


@dataclass(frozen=True)
class World:
    """The processes of a run, as this one sees them.

    It is `rank` of `size`, `local_rank` on its machine, and computes on `device`.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this process writes for all."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def one_by_one(self) -> Iterator[None]:
        """On each machine, its first process goes ahead alone; the others then find its files."""
        if self.local_rank > 0:
            self.wait()
        yield
        if self.local_rank == 0:
            self.wait()

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in one of the processes."""
        if self.size == 1:
            return flag
        number = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(number, dist.ReduceOp.MAX)
        return bool(number)

    def from_first(self, value: dict[str, Any]) -> dict[str, Any]:
        """The first process's tensors and numbers, on the processor."""
        buffer = io.BytesIO()
        if self.first:
            torch.save(value, buffer)
        received = [buffer.getvalue()]
        dist.broadcast_object_list(received, device=self.device)
        content: dict[str, Any] = torch.load(
            io.BytesIO(received[0]), map_location="cpu", weights_only=True
        )
        return content

    def average(self, numbers: Tensor) -> Tensor:
        """Mean over the processes."""
        if self.size == 1:
            return numbers
        total = numbers.clone()
        dist.all_reduce(total)
        return total / self.size

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Set each gradient to its mean over the processes, which all have the same ones."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        for bucket in _buckets(gradients):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            dist.all_reduce(flat)
            flat /= self.size
            for gradient, mean in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                gradient.copy_(mean.view_as(gradient))


def _buckets(gradients: list[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of at most BUCKET_NUMBERS numbers together, or of one that is larger."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        if bucket and sum(g.numel() for g in bucket) + gradient.numel() > BUCKET_NUMBERS:
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """Meet the other processes of torchrun; one process alone where it did not start this one.

    Args:
        device: where this process computes; NCCL connects GPUs, gloo processors.
    Raises:
        ConfigError: this device cannot train together with others.
    """
    if not dist.is_torchelastic_launched() or os.environ.get("WORLD_SIZE") == "1":
        yield World()
        return
    backends = {"cpu": "gloo", "cuda": "nccl"}
    if device.type not in backends:
        raise ConfigError(
            f"several processes cannot train together on {device.type}; give --device cpu or cuda"
        )
    dist.init_process_group(
        backends[device.type],
        timeout=LONGEST_WAIT,
        device_id=device if device.type == "cuda" else None,
    )
    yield World(dist.get_rank(), dist.get_world_size(), int(os.environ["LOCAL_RANK"]), device)
    # Not after an error: the others may be waiting for this process, and torchrun ends them.
    dist.destroy_process_group()


def check_shares(config: TrainConfig, world: World) -> None:
    """Make sure that batches can be shared out equally.

    Raises:
        ConfigError: they cannot.
    """
    schedule = config.schedule
    shares = world.size * schedule.batch_parts
    fewest = 1 if world.size > 1 else 2  # BatchNorm needs two samples to compare
    if schedule.batch_size % shares or schedule.batch_size < fewest * shares:
        to = f"shared out to {world.size} processes in {schedule.batch_parts} parts each"
        if world.size == 1:
            to = f"worked through in {schedule.batch_parts} equal parts of two samples or more"
        raise ConfigError(
            f"a batch of {schedule.batch_size} cannot be {to}; set schedule.batch_size to a "
            f"multiple of {fewest * shares}"
        )


def local_device(device: torch.device) -> torch.device:
    """The GPU of this process among those of its machine, where torchrun started it."""
    if device.type == "cuda" and device.index is None and dist.is_torchelastic_launched():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


def share_batch_statistics(model: nn.Module, device: torch.device) -> None:
    """Replace each BatchNorm by one whose statistics are those of the whole batch, in place.

    On GPUs it is torch's own SyncBatchNorm, which does not run on processors.
    """
    for name, child in model.named_children():
        if not isinstance(child, nn.BatchNorm2d):
            share_batch_statistics(child, device)
        elif device.type == "cuda":
            setattr(model, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))
        else:
            setattr(model, name, _shared(child))


def _shared(norm: nn.BatchNorm2d) -> "SharedBatchNorm":
    shared = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum or 0.0)
    shared.load_state_dict(norm.state_dict())
    return shared


class _Total(torch.autograd.Function):
    """Sum over the processes; each one's gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Total.apply(gradient)


def _total(x: Tensor) -> Tensor:
    total: Tensor = _Total.apply(x)
    return total


class SharedBatchNorm(nn.BatchNorm2d):
    """BatchNorm over the samples of all processes, which bring equally many; for processors."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) of this process, normalised with the statistics of all."""
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float()
            size = dist.get_world_size()
            mean = _total(wide.mean((0, 2, 3))) / size
            centred = wide - mean[:, None, None]
            variance = _total(centred.square().mean((0, 2, 3))) / size
            self._follow(mean.detach(), variance.detach(), size * x.numel() // x.shape[1])
            scale = self.weight * (variance + self.eps).rsqrt()
            return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics, with the unbiased variance as torch does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
