"""A set of cases with exact truth: how would this person look in that motion of another?

    OUT/cases/c0000/source.png, source_alpha.png    person A in a pose of their own, in scene A
    OUT/cases/c0000/driving.mkv, driving_alpha.mkv  person B does the motion, in scene B
    OUT/cases/c0000/target.mkv, target_alpha.mkv    person A does that motion, in scene A
    OUT/cases/c0000/background.png                  scene A without person and shadow
    OUT/cases/c0000/new_background.png              scene C, without anybody
    OUT/cases/c0000/swapped.mkv                     person A does that motion before scene C
    OUT/manifest.json                                settings, software, seeds

All of a case is seen by one camera, which stands on a tripod, and nothing is compressed with loss:
pictures are as the renderer gives them, in sRGB. An alpha is the share of each pixel that the
person covers, 0 to 255. Before scene C the person keeps the light of scene A and casts no shadow:
swapped is `composite(target's foreground, target_alpha, new_background)`.

A case is a function of its number and of the settings; the seeds belong to "truth-1".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from maskmotion.config import checked
from maskmotion.errors import DataError
from maskmotion.media import open_video, read_still, save_png
from maskmotion.media.lossless import save_lossless
from maskmotion.synth.people.clip import (
    ClipSeeds,
    Framing,
    PeopleClip,
    composite,
    holds_still,
)
from maskmotion.synth.people.dataset import (
    SEEDS,
    Desk,
    Progress,
    Renderer,
    framing_of,
    render_all,
)
from maskmotion.synth.people.manifest import (
    FILE,
    MOST_SEED,
    Length,
    Manifest,
    Model,
    Side,
    held,
    load_manifest,
    read_manifest,
    remove_unfinished,
    save_manifest,
    versions,
    whole,
)

__all__ = ["Shot", "TruthCase", "case_seeds", "make_truth", "read_truth"]

Array = np.ndarray
FPS = 25
# Behind all seeds of `maskmotion synth people`, whatever its --seed: no model was trained on them.
FIRST_SEED = SEEDS * (MOST_SEED + 1)
SEEDS_A_CASE = 100
MOST_CASES = 10_000  # their names have four digits
CASE = r"c\d{4}"  # a case's name
VIDEOS = ("driving", "driving_alpha", "target", "target_alpha", "swapped")


class TruthSettings(Model):
    """What all cases of a folder have in common.

    size: side of the frames, px; frames: length of driving and target.
    """

    size: Side = 256
    frames: Length = 48


class TruthAmount(Model):
    """How much of it is asked for; cases: in all; jobs: processes."""

    cases: int = Field(ge=1, le=MOST_CASES)
    jobs: int | None = Field(None, ge=1)


class TruthManifest(Manifest):
    """A folder of cases; cases: name, framing and seeds of each that is there."""

    kind: Literal["maskmotion truth set"] = "maskmotion truth set"
    version: Literal["truth-1"] = "truth-1"
    settings: TruthSettings
    cases: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Shot:
    """One moment of a case.

    Attributes:
        driving: (H, W, 3) uint8 sRGB, person B in scene B.
        driving_alpha: (H, W) uint8.
        target: (H, W, 3) uint8 sRGB, person A in scene A, who does the same.
        target_alpha: (H, W) uint8; that of swapped, too.
        swapped: (H, W, 3) uint8 sRGB, the target's person before scene C.
    """

    driving: Array
    driving_alpha: Array
    target: Array
    target_alpha: Array
    swapped: Array


@dataclass(frozen=True)
class TruthCase:
    """A case on the disk; each call reads it anew, and raises MediaError where a file is damaged.

    Attributes:
        name: such as "c0000".
        folder: where its files are.
        framing: "body" or "portrait".
        frames: how many shots it has.
    """

    name: str
    folder: Path
    framing: Framing
    frames: int

    def source(self) -> Array:
        """(H, W, 3) uint8 sRGB: person A in scene A."""
        return self._picture("source")

    def source_alpha(self) -> Array:
        """(H, W) uint8 share of each pixel that person A covers."""
        return self._picture("source_alpha")[..., 0]

    def background(self) -> Array:
        """(H, W, 3) uint8 sRGB: scene A, without person and shadow."""
        return self._picture("background")

    def new_background(self) -> Array:
        """(H, W, 3) uint8 sRGB: scene C, without anybody."""
        return self._picture("new_background")

    def shots(self) -> Iterator[Shot]:
        """The case over time, one frame of each video in memory.

        Raises:
            DataError: a video has not all frames.
        """
        shown = 0
        with ExitStack() as stack:
            # One thread each: five files are open at a time.
            videos = [
                stack.enter_context(open_video(self.folder / f"{name}.mkv", threads=1))
                for name in VIDEOS
            ]
            for frames in zip(*videos, strict=False):
                driving, driving_alpha, target, target_alpha, swapped = (f.image for f in frames)
                yield Shot(driving, driving_alpha[..., 0], target, target_alpha[..., 0], swapped)
                shown += 1
        if shown != self.frames:
            raise DataError(
                f"{self.folder} has {shown} frames in place of {self.frames}; remove it, and "
                "render it again"
            )

    def _picture(self, name: str) -> Array:
        return read_still(self.folder / f"{name}.png").image


def make_truth(
    out: Path,
    *,
    cases: int,
    size: int = 256,
    frames: int = 48,
    jobs: int | None = None,
    progress: Progress | None = None,
    renderer: Callable[[int], Renderer] | None = None,
) -> None:
    """Render cases into a folder, but for those that are in it already.

    The processes start anew, so a script calls this below `if __name__ == "__main__":`.

    Args:
        out: new, or of an earlier call with the same size and frames.
        cases: in the folder at the end; the first ones are the same however many there are.
        size: side of the frames in px, even.
        frames: length of driving and target, at 25 frames a second.
        jobs: processes; None: one a core.
        progress: called with what is being done, and (done, in all) of its items.
        renderer: stands in for `PeopleRenderer` in tests; takes the size.
    Raises:
        ConfigError: a value is out of range.
        DataError: the folder holds other things, or cases of other settings or software.
        MediaError: the disk is full.
        MissingExtraError: the extra "synth", or OpenGL, is missing.
        MaskMotionError: a process was killed.
    """
    report = progress or (lambda text, done, total: None)
    amount = checked(TruthAmount, {"cases": cases, "jobs": jobs})
    settings = checked(TruthSettings, {"size": size, "frames": frames})
    manifest = TruthManifest(settings=settings, software=versions())
    read_manifest(out, manifest)
    with held(out, tidy=functools.partial(_tidy, out, manifest)):
        missing = set(range(amount.cases)) - {_number(folder) for folder in _folders(out)}
        todo = [_Take(index, out / "cases" / f"c{index:04d}") for index in sorted(missing)]
        desk = Desk(renderer, settings.size, functools.partial(_render, settings.frames))
        render_all(todo, desk, out, manifest, amount.jobs, report)


def read_truth(out: Path) -> list[TruthCase]:
    """The cases in a folder, in order.

    Raises:
        DataError: the folder is no truth set, or has no case yet.
    """
    if not (out / FILE).is_file():
        raise DataError(f"{out} is no truth set; name the folder of one")
    frames = load_manifest(out, TruthManifest).settings.frames
    folders = _folders(out)
    if not folders:
        raise DataError(f"{out} has no cases yet; render some")
    return [TruthCase(path.name, path, _framing(_number(path)), frames) for path in folders]


def case_seeds(index: int) -> dict[str, ClipSeeds]:
    """What the clips of a case are drawn from, by name; no two cases share a seed.

    Those of case k lie in the hundred from 1_000_000_001_000_000 + 100 k on. They are beyond all
    of `maskmotion synth people`, whose greatest `--seed` is 1_000_000_000, with a million each.

    Args:
        index: number of the case, from 0.
    """
    first = FIRST_SEED + SEEDS_A_CASE * index
    camera = next(seed for seed in range(first, first + SEEDS_A_CASE) if holds_still(seed))
    source = ClipSeeds(person=first, motion=first, scene=first, camera=camera)
    driving = ClipSeeds(person=first + 1, motion=first + 1, scene=first + 1, camera=camera)
    return {
        "source": source,
        "driving": driving,
        "target": replace(source, motion=driving.motion),
        "new_background": replace(source, scene=first + 2),
    }


def _framing(index: int) -> Framing:
    return framing_of("mixed", index)


# Rendering ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Take:
    """One case to be rendered, and where its files go."""

    index: int
    folder: Path


def _render(length: int, renderer: Renderer, take: _Take) -> None:
    seeds, framing = case_seeds(take.index), _framing(take.index)

    def clip(name: str, frames: int) -> PeopleClip:
        return renderer.clip(seeds[name], framing=framing, frames=frames, fps=FPS, backgrounds=None)

    source, elsewhere = clip("source", 1), clip("new_background", 1)
    driving, target = clip("driving", length), clip("target", length)
    new_background = elsewhere.background[0]
    pictures = {
        "source": source.frames[0],
        "source_alpha": np.dstack([source.alpha[0]] * 3),
        "background": source.background[0],
        "new_background": new_background,
    }
    videos = {
        "driving": driving.frames,
        "driving_alpha": driving.alpha,
        "target": target.frames,
        "target_alpha": target.alpha,
        "swapped": composite(target.foreground, target.alpha, new_background),
    }
    with whole(take.folder) as folder:
        for name, picture in pictures.items():
            save_png(folder / f"{name}.png", picture)
        for name, frames in videos.items():
            save_lossless(folder / f"{name}.mkv", frames, Fraction(FPS))


# The folder --------------------------------------------------------------------------------


def _folders(out: Path) -> list[Path]:
    """Those of the cases that are there."""
    return sorted(path for path in (out / "cases").glob("*/") if re.fullmatch(CASE, path.name))


def _number(folder: Path) -> int:
    return int(folder.name[1:])


def _tidy(out: Path, manifest: TruthManifest) -> None:
    """Remove what is half written; list what is there."""
    remove_unfinished(out, [out / "cases"], CASE)
    had = read_manifest(out, manifest)
    if had is not None:
        cases = tuple(_entry(folder) for folder in _folders(out))
        save_manifest(out, had.model_copy(update={"cases": cases}))


def _entry(folder: Path) -> dict[str, Any]:
    index = _number(folder)
    seeds = {name: asdict(seeds) for name, seeds in case_seeds(index).items()}
    return {"name": folder.name, "framing": _framing(index), "seeds": seeds}
