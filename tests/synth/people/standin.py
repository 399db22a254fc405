"""What renders in tests that are not about pictures: a disk in a few milliseconds, or trouble."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from maskmotion.errors import MissingExtraError
from maskmotion.synth.people.clip import JOINTS, ClipSeeds, PeopleClip
from maskmotion.synth.puppets import composite


class StandIn:
    """A disk: its colour is the person, its path the motion; the scene is noise."""

    device = "stand-in"

    def __init__(self, size: int) -> None:
        self.size = size

    def clip(
        self,
        seeds: ClipSeeds,
        *,
        framing: str,
        frames: int,
        fps: float,
        backgrounds: Sequence[Path] | None,
    ) -> PeopleClip:
        size, y_x = self.size, np.mgrid[: self.size, : self.size]
        middles = np.random.default_rng(seeds.motion).uniform(0, size, (frames, 2))
        colour = np.random.default_rng(seeds.person).integers(60, 256, 3)
        distance = np.hypot(*(y_x[:, None] - middles.T[..., None, None]))
        alpha = (255 * np.clip(size / 5 - distance, 0, 1)).astype(np.uint8)
        foreground = np.where(alpha[..., None] > 0, colour, 0).astype(np.uint8)
        scene = np.random.default_rng(seeds.scene)
        count = frames if seeds.camera % 2 else 1
        background = scene.integers(0, 200, (count, size, size, 3), np.uint8)
        joints = np.repeat(middles[:, None, ::-1], len(JOINTS), axis=1).astype(np.float32)
        return PeopleClip(
            frames=composite(foreground, alpha, background),
            alpha=alpha,
            foreground=foreground,
            background=background,
            shade=np.full_like(alpha, 255),
            joints=joints,
            visible=np.ones(joints.shape[:2], bool),
            crf=int(scene.integers(17, 29)),
            parameters={
                "seeds": asdict(seeds),
                "framing": framing,
                "backgrounds": None if backgrounds is None else [p.name for p in backgrounds],
            },
        )


class OtherSoftware(StandIn):
    device = "another card"


class NoGraphics(StandIn):
    def __init__(self, size: int) -> None:
        raise MissingExtraError("no OpenGL 3.3 through EGL was found")


class KilledAtThird(StandIn):
    """The process that renders the third clip dies."""

    def clip(self, seeds: ClipSeeds, **how: object) -> PeopleClip:
        if seeds.person % 1_000_000 == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().clip(seeds, **how)


class Slow(StandIn):
    """A clip takes a tenth of a second, from the third on a minute."""

    def clip(self, seeds: ClipSeeds, **how: object) -> PeopleClip:
        time.sleep(0.1 if seeds.person % 1_000_000 < 2 else 60)
        return super().clip(seeds, **how)


class Threads(StandIn):
    """Tells what the process was allowed."""

    @property
    def device(self) -> str:
        names = ("OMP_NUM_THREADS", "LP_NUM_THREADS")
        return " ".join(f"{name}={os.environ.get(name)}" for name in names)


class FullDisk(StandIn):
    """No file may grow beyond two kilobytes."""

    def __init__(self, size: int) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        super().__init__(size)
