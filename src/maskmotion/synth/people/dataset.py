"""Folders of rendered people, with the truth beside each clip.

    OUT/clips/p00000.mp4                        what training takes; one person a clip
    OUT/truth/p00000/                           alpha, shade, background, joints, parameters
    OUT/counterfactuals/p00000/person-1.mp4     the same clip with another person, and
    OUT/counterfactuals/p00000/person-1/        its truth; scene-1 is the clip elsewhere
    OUT/manifest.json                           settings, software, seeds

A clip is a function of the seed and its number. It is there when its .mp4 is, which is put in
place last; so a call goes on where another was stopped.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np

from maskmotion.config import checked
from maskmotion.errors import DataError, MediaError
from maskmotion.media import PICTURE_ENDINGS, read_still, save_png
from maskmotion.media.clip_writer import open_clip_writer
from maskmotion.media.files import remove, writing
from maskmotion.media.lossless import save_lossless
from maskmotion.processes import Processes, cores
from maskmotion.synth.people.clip import JOINTS, ClipSeeds, Framing, PeopleClip, PeopleRenderer
from maskmotion.synth.people.manifest import (
    MOST_CLIPS,
    Amount,
    Manifest,
    PeopleManifest,
    Settings,
    begin_manifest,
    held,
    read_manifest,
    remove_unfinished,
    save_manifest,
    versions,
    whole,
)
from maskmotion.synth.people.skin.atlas import atlas

__all__ = ["Desk", "Made", "Progress", "Renderer", "framing_of", "make_people", "render_all"]

SEEDS = 1_000_000  # that belong to one seed of the user
PORTRAIT_EVERY = 3  # clips, where both framings are wanted
Progress = Callable[[str, int, int], None]
Take = TypeVar("Take")


@dataclass(frozen=True)
class Made:
    """What a folder holds: clips, and those of them that this call rendered."""

    clips: int
    new: int


class Renderer(Protocol):
    """What `PeopleRenderer` is to this module."""

    @property
    def device(self) -> str: ...

    def clip(
        self,
        seeds: ClipSeeds,
        *,
        framing: Framing,
        frames: int,
        fps: float,
        backgrounds: Sequence[Path] | None,
    ) -> PeopleClip: ...


def make_people(
    out: Path,
    *,
    clips: int,
    seed: int,
    framing: str = "mixed",
    size: int = 256,
    fps: float = 25.0,
    frames: int = 96,
    backgrounds: Path | None = None,
    other_people: int = 0,
    other_scenes: int = 0,
    jobs: int | None = None,
    progress: Progress | None = None,
    renderer: Callable[[int], Renderer] | None = None,
) -> Made:
    """Render clips of people into a folder, but for those that are in it already.

    The processes start anew, so a script calls this below `if __name__ == "__main__":`.

    Args:
        out: new, or of an earlier call with the same settings, from `seed` to `backgrounds`.
        clips: in the folder at the end; the first ones are the same however many there are.
        seed: sets of different seeds share no person, motion, scene or camera.
        framing: "body" (head to foot), "portrait" (head and shoulders), or "mixed": two to one.
        size: side of the frames in px, even.
        fps: frames a second.
        frames: length of each clip.
        backgrounds: a folder of pictures to stand before; None: drawn scenes.
        other_people: counterfactuals of each clip, in which another person moves alike.
        other_scenes: counterfactuals of each clip before another background, in its light.
        jobs: processes; None: one a core.
        progress: called with what is being done, and (done, in all) of its items.
        renderer: stands in for `PeopleRenderer` in tests; takes the size.
    Raises:
        ConfigError: a value is out of range.
        DataError: the folder holds other things, or clips of other settings or software; or
            there are no backgrounds.
        MediaError: a background cannot be read, or the disk is full.
        MissingExtraError: the extra "synth", or OpenGL, is missing.
        MaskMotionError: a process was killed.
    """
    report = progress or (lambda text, done, total: None)
    amount = checked(
        Amount,
        {"clips": clips, "other_people": other_people, "other_scenes": other_scenes, "jobs": jobs},
    )
    common = {"seed": seed, "framing": framing, "size": size, "fps": fps, "frames": frames}
    settings = checked(Settings, common)
    photos = None
    if backgrounds is not None:
        photos = _find_photos(backgrounds, report)
        settings = settings.model_copy(update={"backgrounds": _fingerprint(photos, backgrounds)})
    manifest = PeopleManifest(settings=settings, software=versions())
    read_manifest(out, manifest)
    with held(out, tidy=functools.partial(_tidy, out, manifest)):
        todo = [take for take in _plan(out, settings, amount) if not take.video.exists()]
        desk = Desk(renderer, settings.size, functools.partial(_render, settings, photos))
        render_all(todo, desk, out, manifest, amount.jobs, report)
    return Made(len(_clips_in(out)), sum(take.video.parent.name == "clips" for take in todo))


# What is to be rendered --------------------------------------------------------------------


@dataclass(frozen=True)
class _Take:
    """One clip to be rendered, and where its files go."""

    seeds: ClipSeeds
    framing: Framing
    video: Path
    truth: Path


def _plan(out: Path, settings: Settings, amount: Amount) -> Iterator[_Take]:
    for index in range(amount.clips):
        name, framing = f"p{index:05d}", framing_of(settings.framing, index)
        video, truth = out / "clips" / f"{name}.mp4", out / "truth" / name
        yield _Take(_seeds(settings, index), framing, video, truth)
        for part, count in (("person", amount.other_people), ("scene", amount.other_scenes)):
            for number in range(1, count + 1):
                other = f"{part}-{number}"
                path = out / "counterfactuals" / name / other
                seeds = _seeds(settings, index, other)
                yield _Take(seeds, framing, path.with_suffix(".mp4"), path)


def framing_of(wanted: Framing | Literal["mixed"], index: int) -> Framing:
    """How much of the person a clip shows: what is wanted, or of "mixed" the clip's share."""
    if wanted != "mixed":
        return wanted
    return "portrait" if index % PORTRAIT_EVERY == PORTRAIT_EVERY - 1 else "body"


def _seeds(settings: Settings, index: int, other: str = "") -> ClipSeeds:
    """Seeds of a clip, or of its counterfactual "person-1", "scene-2" and so on.

    No two clips of any two seeds share one, but for a clip and its own counterfactuals.
    """
    own = SEEDS * settings.seed + index
    seeds = {"person": own, "motion": own, "scene": own, "camera": own}
    if other:
        part, number = other.split("-")
        seeds[part] += MOST_CLIPS * int(number)
    return ClipSeeds(**seeds)


# Rendering ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Desk(Generic[Take]):
    """What a process needs to render any take.

    Attributes:
        renderer: makes what draws, of the size; None: a `PeopleRenderer`.
        size: of the frames in px.
        render: draws a take and writes its files.
    """

    renderer: Callable[[int], Renderer] | None
    size: int
    render: Callable[[Renderer, Take], None]


def render_all(
    todo: Sequence[Take],
    desk: Desk[Take],
    out: Path,
    manifest: Manifest,
    jobs: int | None,
    report: Progress,
) -> None:
    """Render takes side by side into a folder of the same settings and software.

    Args:
        todo: the takes.
        desk: how one is rendered.
        out: the folder, which gets a manifest if it has none.
        manifest: settings and software, the renderer's name aside.
        jobs: processes; None: one a core.
        report: called with what is being done, and (done, in all).
    Raises:
        DataError: the folder is of other settings or software.
        MediaError: the disk is full.
        MissingExtraError: OpenGL is missing.
        MaskMotionError: a process was killed.
    """
    if not todo:
        return
    with Processes(min(jobs or cores(), len(todo)), _sit_down, desk) as processes:
        report("starting; the first time on a computer takes a minute more", 0, 0)
        software = manifest.software | {"opengl": processes.run(_device)}
        begin_manifest(out, manifest.model_copy(update={"software": software}))
        report("rendering", 0, len(todo))
        for done, _ in enumerate(processes.each(_render_take, todo), start=1):
            report("rendering", done, len(todo))


_desk: Desk[Any]


def _sit_down(desk: Desk[Any]) -> None:
    global _desk
    _desk = desk


@functools.cache
def _renderer() -> Renderer:
    return (_desk.renderer or _people_renderer)(_desk.size)


def _device() -> str:
    return _renderer().device


def _render_take(take: object) -> None:
    _desk.render(_renderer(), take)


def _people_renderer(size: int) -> Renderer:
    atlas()  # made at the first use; here by the first process, before the others need it
    return PeopleRenderer(size)


def _render(settings: Settings, photos: list[Path] | None, renderer: Renderer, take: _Take) -> None:
    clip = renderer.clip(
        take.seeds,
        framing=take.framing,
        frames=settings.frames,
        fps=settings.fps,
        backgrounds=photos,
    )
    fps = Fraction(settings.fps).limit_denominator(1001)
    _write_truth(clip, take.truth, fps)
    with open_clip_writer(take.video, settings.size, fps, crf=clip.crf) as writer:
        for frame in clip.frames:
            writer.write(frame)


def _write_truth(clip: PeopleClip, folder: Path, fps: Fraction) -> None:
    joints = {
        "names": list(JOINTS),
        "positions_px": np.round(clip.joints.astype(float), 3).tolist(),
        "visible": clip.visible.tolist(),
    }
    with whole(folder) as temporary:
        save_lossless(temporary / "alpha.mkv", clip.alpha, fps)
        save_lossless(temporary / "shade.mkv", clip.shade, fps)
        if len(clip.background) == 1:
            save_png(temporary / "background.png", clip.background[0])
        else:
            save_lossless(temporary / "background.mkv", clip.background, fps)
        _write_json(temporary / "joints.json", joints)
        _write_json(temporary / "parameters.json", clip.parameters, indent=1)


def _write_json(path: Path, content: dict[str, Any], indent: int | None = None) -> None:
    with writing(path):
        path.write_text(json.dumps(content, indent=indent, allow_nan=False) + "\n", "utf-8")


# The folder --------------------------------------------------------------------------------


def _tidy(out: Path, manifest: PeopleManifest) -> None:
    """Remove what is half written, and truth without its clip; list what is there."""
    folders = (out / "clips", out / "truth", *out.glob("counterfactuals/p*"))
    names = r"p\d{5}|person-\d|scene-\d"
    remove_unfinished(out, folders, names)
    for folder in folders:
        videos = out / "clips" if folder.name == "truth" else folder
        for entry in folder.glob("*/"):
            if re.fullmatch(names, entry.name) and not (videos / f"{entry.name}.mp4").exists():
                remove(entry)
    had = read_manifest(out, manifest)
    if had is not None:
        clips = tuple(_entry(out, manifest.settings, name) for name in _clips_in(out))
        save_manifest(out, had.model_copy(update={"clips": clips}))


def _clips_in(out: Path) -> list[str]:
    """Names of the clips that are there."""
    files = (out / "clips").glob("p*.mp4")
    return sorted(file.stem for file in files if re.fullmatch(r"p\d{5}", file.stem))


def _entry(out: Path, settings: Settings, name: str) -> dict[str, Any]:
    index = int(name[1:])
    others = sorted(path.stem for path in out.glob(f"counterfactuals/{name}/*.mp4"))
    return {
        "name": name,
        "framing": framing_of(settings.framing, index),
        "seeds": asdict(_seeds(settings, index)),
        "counterfactuals": {other: asdict(_seeds(settings, index, other)) for other in others},
    }


# What is needed ----------------------------------------------------------------------------


def _find_photos(folder: Path, report: Progress) -> list[Path]:
    """The pictures in a folder and those below it; all can be read."""
    if not folder.is_dir():
        raise DataError(f"there is no folder of backgrounds {folder}; check the path")
    photos = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PICTURE_ENDINGS and path.is_file()
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not photos:
        raise DataError(f"there are no pictures in {folder}; --backgrounds takes a folder of some")
    with ThreadPoolExecutor(cores()) as pool:
        for done, problem in enumerate(pool.map(_problem, photos), start=1):
            if problem:
                pool.shutdown(cancel_futures=True)
                raise MediaError(problem)
            report("checking backgrounds", done, len(photos))
    return photos


def _problem(photo: Path) -> str | None:
    try:
        read_still(photo)
    except MediaError as error:
        return str(error)
    return None


def _fingerprint(photos: list[Path], folder: Path) -> str:
    """Changes with the pictures, not with where their folder lies."""
    facts = [f"{p.relative_to(folder).as_posix()}\0{p.stat().st_size}" for p in photos]
    return hashlib.sha256("\0".join(facts).encode("utf-8", "surrogateescape")).hexdigest()[:16]
