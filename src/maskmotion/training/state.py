"""Everything that a resumed run needs, in one file a checkpoint."""

import hashlib
import pickle
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maskmotion.config import TrainConfig
from maskmotion.durable import write_atomically
from maskmotion.errors import ModelError
from maskmotion.models.animator import Animator
from maskmotion.models.blocks import channels_last
from maskmotion.training.distributed import World, share_batch_statistics

KEPT_CHECKPOINTS = 2
CHECKPOINT_SCHEMA = 1
UNREADABLE = (OSError, EOFError, pickle.UnpicklingError)  # OSError: some cut files, broken disks


class BrokenCheckpointError(ModelError):
    """A checkpoint file that cannot be read, as a bad disk leaves it."""


def generator_for(device: torch.device, *parts: object) -> torch.Generator:
    """Random numbers that are a function of `parts` alone, so that none need be stored."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "big"))


def initialise(model: Animator, config: TrainConfig) -> None:
    """torch's default initial weights, drawn for each network from (seed, name).

    A network's weights therefore do not depend on which other networks are there. With a motion
    warm start m's last convolution starts at zero, a flat mask of 0.5.
    """
    for name, network in model.named_children():
        seed = generator_for(torch.device("cpu"), config.seed, name).initial_seed()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
                    module.reset_parameters()
    zero = [model.mask_generator.final] if config.motion.weight > 0 else []
    zero += [model.warper.final] if model.warper is not None else []
    for module in zero:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


class TrainingState:
    """Networks, optimisers and counters of a run.

    Args:
        config: the run's settings.
        device: where the networks live.
        world: the processes that train together.

    average is the running mean of model's weights and BatchNorm statistics, None without; averaged
    counts each network's steps in it. main optimises m, r, l, h; background optimises BGBase and
    BGRefine, None without them. step counts finished steps. evidence is the running sign evidence
    of the masks, see loop. clips says what was trained on, "" where nothing was yet.
    """

    def __init__(
        self, config: TrainConfig, device: torch.device, world: World | None = None
    ) -> None:
        self.config = config
        self.world = world or World()
        self.model = Animator(config.model)
        initialise(self.model, config)
        if self.world.size > 1:
            share_batch_statistics(self.model, device)
        self.model.to(device)
        channels_last(self.model)
        averages = config.schedule.average > 0
        self.average = deepcopy(self.model).requires_grad_(False) if averages else None
        self.averaged: dict[str, int] = {}
        self.step = 0
        self.evidence = 0.0
        self.clips = ""
        networks: dict[str, nn.Module] = dict(self.model.named_children())
        backgrounds = {"background_base", "background_refiner"}
        self.main = self._adam([n for name, n in networks.items() if name not in backgrounds])
        swap = [n for name, n in networks.items() if name in backgrounds]
        self.background = self._adam(swap) if swap else None

    def _adam(self, networks: list[nn.Module]) -> torch.optim.Adam:
        parameters = [p for network in networks for p in network.parameters()]
        return torch.optim.Adam(
            parameters,
            lr=self.config.schedule.learning_rate,
            betas=(0.5, 0.999),
            fused=True,
        )

    def take_over(self, model: Animator) -> list[str]:
        """Go on with another model's networks, each where its shapes are this one's.

        An h that knows nothing of a warped source goes on as one that does.

        Returns:
            Names of the networks that stay as they are.
        """
        missing = unlike(self.model, model)
        for name, network in self.model.named_children():
            if name not in missing:
                network.load_state_dict(model.get_submodule(name).state_dict())
        ours, theirs = self.model.config, model.config
        if ours == theirs.model_copy(update={"warp": True, "image_size": ours.image_size}):
            widen(self.model.high_res, model.high_res)
            missing = [name for name in missing if name != "high_res"]
        if self.average is not None:
            self.average.load_state_dict(self.model.state_dict())
        return missing

    def optimizers(self) -> list[torch.optim.Adam]:
        """Both optimisers, or the one."""
        return [self.main] + ([self.background] if self.background else [])

    def begin(self, epoch: int) -> None:
        """Make ready for a step: no gradients, lr divided by ten at each milestone passed."""
        schedule = self.config.schedule
        passed = sum(epoch >= milestone for milestone in schedule.milestones)
        self.model.train()
        for optimizer in self.optimizers():
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = schedule.learning_rate * 0.1**passed

    @property
    def result(self) -> Animator:
        """The networks that are saved as the run's model."""
        return self.average or self.model

    def update(self, optimizer: torch.optim.Adam) -> None:
        """One step of an optimiser on the mean of all processes' gradients."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.world.average_gradients(parameters)
        optimizer.step()
        if self.average is not None:
            self._follow(self.average, {id(p) for p in parameters if p.grad is not None})

    @torch.no_grad()
    def _follow(self, average: Animator, trained: set[int]) -> None:
        """Move the mean towards the networks that have just taken a step.

        A network's first steps are forgotten sooner: of n steps the mean keeps n / (n + 9) at most.
        """
        means = dict(average.named_children())
        for name, network in self.model.named_children():
            if id(next(network.parameters())) not in trained:
                continue
            count = self.averaged[name] = self.averaged.get(name, 0) + 1
            kept = min(self.config.schedule.average, count / (count + 9))
            ours, theirs = _numbers(network), _numbers(means[name])
            torch._foreach_lerp_(theirs, ours, 1 - kept)

    def hold_masks(self) -> None:
        """Have m and r stay as they would be saved, their BatchNorm statistics too."""
        for name in ("mask_generator", "refiner"):
            network = self.model.get_submodule(name)
            network.load_state_dict(self.result.get_submodule(name).state_dict())
            network.eval()

    def flip_masks(self) -> None:
        """Turn the masks' sign: negate m's last convolution and its optimiser moments."""
        with torch.no_grad():
            for model in filter(None, (self.model, self.average)):
                for parameter in model.mask_generator.final.parameters():
                    parameter.neg_()
            for parameter in self.model.mask_generator.final.parameters():
                moments: dict[str, Tensor] = self.main.state.get(parameter, {})
                if "exp_avg" in moments:
                    moments["exp_avg"].neg_()

    def is_finite(self) -> bool:
        """Whether all weights and BatchNorm statistics are numbers."""
        return all(bool(x.isfinite().all()) for x in self.model.state_dict().values())

    def content(self) -> dict[str, Any]:
        """All that `restore` needs."""
        return {
            "schema": CHECKPOINT_SCHEMA,
            "step": self.step,
            "evidence": self.evidence,
            "clips": self.clips,
            "model": self.model.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "averaged": self.averaged,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers()],
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Take over what `content` gave, of the same networks."""
        self.model.load_state_dict(content["model"])
        if self.average is not None:
            self.average.load_state_dict(content.get("average") or content["model"])
            self.averaged = dict(content.get("averaged", {}))
        for optimizer, saved in zip(self.optimizers(), content["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.evidence = content["step"], content["evidence"]
        self.clips = content.get("clips", "")

    def save(self, folder: Path) -> Path:
        """Write a file named after the step beside and rename it; the newest two are kept."""
        content = self.content()
        path = folder / f"step-{self.step:08d}.pt"
        write_atomically(path, lambda p: torch.save(content, p))
        for old in checkpoints(folder)[:-KEPT_CHECKPOINTS]:
            old.unlink()
        return path

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            BrokenCheckpointError: the file cannot be read.
            ModelError: it is whole, but of other networks; the state is then undefined.
        """
        try:
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(content, dict) or "model" not in content:
                raise ValueError("it holds something else")
        except (torch.OutOfMemoryError, PermissionError):
            raise  # the file may be whole
        except (*UNREADABLE, RuntimeError, ValueError, KeyError, TypeError) as error:
            words = "" if isinstance(error, pickle.UnpicklingError) else str(error).strip()
            reason = words.splitlines()[0] if words else "no file of tensors"
            raise BrokenCheckpointError(
                f"the checkpoint {path} cannot be used ({reason})"
            ) from None
        try:
            self.restore(content)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = (str(error).strip().splitlines() or ["other contents"])[0]
            raise ModelError(
                f"the checkpoint {path} is of other networks or another version of maskmotion "
                f"({reason}); go on with the version that made it, or give another --out"
            ) from None


def _numbers(network: nn.Module) -> list[Tensor]:
    """Weights and BatchNorm statistics."""
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def unlike(model: Animator, other: Animator) -> list[str]:
    """Names of a model's networks that another model lacks, or has in other shapes."""
    theirs = dict(other.named_children())
    return [
        name
        for name, network in model.named_children()
        if name not in theirs or _shapes(network) != _shapes(theirs[name])
    ]


def widen(network: nn.Module, old: nn.Module) -> None:
    """Give a network the weights of one with fewer channels at both its ends, and zeros for the
    others."""
    state = network.state_dict()
    for name, value in old.state_dict().items():
        if state[name].shape == value.shape:
            state[name].copy_(value)
        else:
            state[name].zero_()
            state[name][tuple(slice(n) for n in value.shape)].copy_(value)


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.state_dict().items()}


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    return sorted(folder.glob("step-????????.pt"))
