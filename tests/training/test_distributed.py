"""Several processes train as one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from tests.training.conftest import Go, Settings, log_of
from torch import nn
from torch.multiprocessing.spawn import spawn

from maskmotion.config import TrainConfig, to_yaml
from maskmotion.data.pairs import PairSampler
from maskmotion.errors import ConfigError
from maskmotion.models.draws import Share
from maskmotion.training import distributed
from maskmotion.training.distributed import SharedBatchNorm, World, check_shares

with_gloo = pytest.mark.skipif(not dist.is_gloo_available(), reason="torch without gloo")


def launch(config: TrainConfig, out: Path, vgg_weights: Path, *, processes: int, steps: int) -> str:
    """The installed command under torchrun; what it said."""
    preset = out.with_suffix(".yaml")
    preset.write_text(to_yaml(config))
    command = [sys.executable, "-W", "error::FutureWarning", "-m", "torch.distributed.run"]
    command += ["--standalone", "--nproc-per-node", str(processes), "-m", "maskmotion"]
    command += ["train", "--preset", str(preset), "--out", str(out), "--device", "cpu"]
    command += ["--data", *map(str, config.data.folders), "--max-steps", str(steps)]
    command += ["--vgg-weights", str(vgg_weights)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def assert_follows(found: Path, wanted: Path, steps: int) -> None:
    """The losses of both runs stay within a ten-thousandth of each other."""
    ours, theirs = log_of(found), log_of(wanted)
    assert len(ours) == steps
    for a, b in zip(ours, theirs[:steps], strict=True):
        assert a.keys() == b.keys()
        for name in b:
            assert a[name] == pytest.approx(b[name], rel=1e-4, abs=1e-4), (b["step"], name)


@pytest.fixture
def shared_out(settings: Settings) -> TrainConfig:
    """The background networks begin after five steps.

    The learning rate is low: with the usual one, rounding alone drives two runs of one process
    apart by more than a thousandth within ten steps, as Adam magnifies gradients near zero and
    BatchNorm compares four numbers at the hourglass' narrowest.
    """
    return settings(
        schedule={"batch_size": 4, "background_epoch": 1, "learning_rate": 1e-5, "epochs": 20},
        loss={"window": 0.5},
    )


@with_gloo
@pytest.mark.slow
def test_two_processes_follow_one(
    shared_out: TrainConfig, go: Go, vgg_weights: Path, tmp_path: Path
) -> None:
    """Together for eight steps; then one of them alone goes on with the run."""
    together, steps = 8, 10
    one, two = tmp_path / "one", tmp_path / "two"
    go(shared_out, one, max_steps=steps)
    said = launch(shared_out, two, vgg_weights, processes=2, steps=together)
    assert said.count("--max-steps is reached") == 1  # one of the processes speaks
    assert_follows(two, one, together)
    go(shared_out, two, max_steps=steps)
    assert_follows(two, one, steps)


class Counted:
    """A clip whose frames tell their number."""

    def __init__(self, index: int) -> None:
        self.identity = str(index)
        self.length = 20
        self.still = index % 2 == 0
        self.has_alpha = index % 3 == 0
        self.motion = f"motion {index % 3}"
        self.median = self.frame(0)
        self.index = index

    def frame(self, index: int) -> "object":
        """(1, 1, 3) uint8: this clip, this frame."""
        return torch.tensor([[[int(self.identity), index, 0]]], dtype=torch.uint8).numpy()

    def alpha(self, index: int) -> "object":
        """(1, 1) uint8: this frame."""
        return torch.tensor([[index + 1]], dtype=torch.uint8).numpy()


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("count", [2, 4])
def test_shares_of_all_processes_make_the_whole_batch(count: int, truth: bool) -> None:
    clips = [Counted(index) for index in range(9)]
    order = {"batch_size": 8, "repeats": 3, "seed": 5, "truth": truth, "twins": 0.5}
    whole = PairSampler(clips, **order)
    shares = [PairSampler(clips, **order, share=Share(index, count)) for index in range(count)]
    for step in range(2 * whole.steps_per_epoch):
        batch = whole.batch(step)
        parts = [sampler.batch(step) for sampler in shares]
        for name in ("source", "driving", "still"):
            joined = torch.cat([getattr(part, name) for part in parts])
            assert torch.equal(joined, getattr(batch, name))
        for name in ("source", "driving", "known") if truth else ():
            joined = torch.cat([getattr(part.alpha, name) for part in parts])
            assert torch.equal(joined, getattr(batch.alpha, name))
        for name in ("driving", "alpha", "used") if truth else ():
            joined = torch.cat([getattr(part.twins, name) for part in parts])
            assert torch.equal(joined, getattr(batch.twins, name))
        assert {part.still_in_whole for part in parts} == {batch.still_in_whole}
        assert batch.still_in_whole == int(batch.still.sum())


def normalise(rank: int, port: int, folder: Path) -> None:
    """One of two processes: BatchNorm of its half, with gradients."""
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    x = torch.load(folder / "x.pt").chunk(2)[rank].requires_grad_()
    norm = SharedBatchNorm(3)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    out = norm(x)
    (out * torch.arange(out.numel()).view_as(out).cos()).sum().backward()
    found = averaged(rank)
    dist.all_reduce(norm.weight.grad)
    found |= {"out": out.detach(), "grad": x.grad, "weight": norm.weight.grad}
    torch.save(found | {"state": norm.state_dict()}, folder / f"{rank}.pt")
    norm.eval()
    assert torch.equal(norm(x), nn.BatchNorm2d.forward(norm, x))
    dist.destroy_process_group()


def averaged(rank: int) -> dict[str, torch.Tensor]:
    """Mean gradients of both processes, in several buckets; one parameter has none."""
    distributed.BUCKET_NUMBERS = 5
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in (2, 3, (1, 2, 3, 2), (2, 2))]
    parameters[2].data = parameters[2].data.contiguous(memory_format=torch.channels_last)
    for parameter in parameters[:3]:
        order = torch.arange(parameter.numel(), dtype=torch.float32).view(parameter.shape)
        parameter.grad = torch.zeros_like(parameter).copy_(order + 2 * rank)
    World(rank, 2).average_gradients(parameters)
    assert parameters[3].grad is None
    assert World(rank, 2).any(rank == 1)
    assert not World(rank, 2).any(False)
    return {"gradients": torch.cat([p.grad.flatten() for p in parameters[:3]])}


@with_gloo
def test_shared_batch_norm_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    x = 3 + 2 * torch.randn(4, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    torch.save(x, tmp_path / "x.pt")
    spawn(normalise, (free_port(), tmp_path), nprocs=2)
    halves = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]

    x.requires_grad_()
    norm = nn.BatchNorm2d(3)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    out = norm(x)
    weights = torch.arange(out.numel() // 2).view_as(out[:2]).cos()
    (out * torch.cat([weights, weights])).sum().backward()
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(torch.cat([h["out"] for h in halves]), out, **close)
    torch.testing.assert_close(torch.cat([h["grad"] for h in halves]), x.grad, **close)
    for half in halves:
        wanted = torch.cat([torch.arange(n) + 1.0 for n in (2, 3, 12)])
        assert torch.equal(half["gradients"], wanted)
        torch.testing.assert_close(half["weight"], norm.weight.grad, **close)
        for name, value in norm.state_dict().items():
            torch.testing.assert_close(half["state"][name], value, **close)


def free_port() -> int:
    """A port that nobody listens on."""
    store = dist.TCPStore("localhost", 0, is_master=True)
    port = store.port
    del store
    return port


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    config = TrainConfig.model_validate({"schedule": {"batch_size": 6, "batch_parts": 2}})
    check_shares(config, World(0, 3))
    with pytest.raises(ConfigError, match="cannot be shared out to 4 processes in 2 parts"):
        check_shares(config, World(0, 4))
    with pytest.raises(ConfigError, match=r"in 4 equal parts of two .* multiple of 8"):
        check_shares(
            TrainConfig.model_validate({"schedule": {"batch_size": 4, "batch_parts": 4}}), World()
        )
