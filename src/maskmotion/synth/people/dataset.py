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
import importlib.metadata
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from maskmotion.config import checked
from maskmotion.durable import locked
from maskmotion.errors import DataError, MediaError, MissingExtraError
from maskmotion.media import PICTURE_ENDINGS, read_still, save_png
from maskmotion.media.clip_writer import open_clip_writer
from maskmotion.media.files import remove, temporary_beside, writing
from maskmotion.media.lossless import save_lossless
from maskmotion.processes import Processes, cores
from maskmotion.synth.people.clip import JOINTS, ClipSeeds, Framing, PeopleClip, PeopleRenderer
from maskmotion.synth.people.manifest import (
    FILE,
    LOCK,
    MOST_CLIPS,
    Amount,
    Manifest,
    Settings,
    read_manifest,
    require_software,
    save_manifest,
)
from maskmotion.synth.people.skin.atlas import atlas

__all__ = ["Made", "make_people"]

# What pictures and their files depend on.
PACKAGES = ("maskmotion", "anny", "moderngl", "torch", "numpy", "pillow", "av")
SEEDS = 1_000_000  # that belong to one seed of the user
PORTRAIT_EVERY = 3  # clips, where both framings are wanted
Progress = Callable[[str, int, int], None]


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
    versions = _versions()
    read_manifest(out, settings)
    with _held(out):
        _clear(out)
        todo = [take for take in _plan(out, settings, amount) if not take.video.exists()]
        try:
            if todo:
                desk = _Desk(renderer or _people_renderer, settings, photos)
                _render_all(todo, out, desk, versions, amount.jobs or cores(), report)
        finally:
            _clear(out)
            _list_clips(out, settings)
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
        name, framing = f"p{index:05d}", _framing(settings, index)
        video, truth = out / "clips" / f"{name}.mp4", out / "truth" / name
        yield _Take(_seeds(settings, index), framing, video, truth)
        for part, count in (("person", amount.other_people), ("scene", amount.other_scenes)):
            for number in range(1, count + 1):
                other = f"{part}-{number}"
                path = out / "counterfactuals" / name / other
                seeds = _seeds(settings, index, other)
                yield _Take(seeds, framing, path.with_suffix(".mp4"), path)


def _framing(settings: Settings, index: int) -> Framing:
    if settings.framing != "mixed":
        return settings.framing
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
class _Desk:
    """What a process needs to render any take."""

    renderer: Callable[[int], Renderer]
    settings: Settings
    photos: list[Path] | None


def _render_all(
    todo: list[_Take],
    out: Path,
    desk: _Desk,
    versions: dict[str, str],
    jobs: int,
    report: Progress,
) -> None:
    with Processes(min(jobs, len(todo)), _sit_down, desk) as processes:
        report("starting; the first time on a computer takes a minute more", 0, 0)
        software = versions | {"opengl": processes.run(_device)}
        manifest = read_manifest(out, desk.settings)
        if manifest is None:
            save_manifest(Manifest(settings=desk.settings, software=software), out)
        else:
            require_software(out, manifest, software)
        report("rendering", 0, len(todo))
        for done, _ in enumerate(processes.each(_render, todo), start=1):
            report("rendering", done, len(todo))


_desk: _Desk


def _sit_down(desk: _Desk) -> None:
    global _desk
    _desk = desk


@functools.cache
def _renderer() -> Renderer:
    return _desk.renderer(_desk.settings.size)


def _device() -> str:
    return _renderer().device


def _people_renderer(size: int) -> Renderer:
    atlas()  # made at the first use; here by the first process, before the others need it
    return PeopleRenderer(size)


def _render(take: _Take) -> None:
    settings = _desk.settings
    clip = _renderer().clip(
        take.seeds,
        framing=take.framing,
        frames=settings.frames,
        fps=settings.fps,
        backgrounds=_desk.photos,
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
    temporary = temporary_beside(folder)
    try:
        save_lossless(temporary / "alpha.mkv", clip.alpha, fps)
        save_lossless(temporary / "shade.mkv", clip.shade, fps)
        if len(clip.background) == 1:
            save_png(temporary / "background.png", clip.background[0])
        else:
            save_lossless(temporary / "background.mkv", clip.background, fps)
        _write_json(temporary / "joints.json", joints)
        _write_json(temporary / "parameters.json", clip.parameters, indent=1)
        with writing(folder):
            remove(folder)  # of a process that was killed before it wrote the clip
            temporary.rename(folder)
    finally:
        remove(temporary)


def _write_json(path: Path, content: dict[str, Any], indent: int | None = None) -> None:
    with writing(path):
        path.write_text(json.dumps(content, indent=indent, allow_nan=False) + "\n", "utf-8")


# The folder --------------------------------------------------------------------------------


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Keep other processes out of a folder."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        file = (out / LOCK).open("w")
    with file:
        if not locked(file.fileno()):
            raise DataError(f"another `maskmotion synth people` writes to {out}; wait for it")
        yield


def _clear(out: Path) -> None:
    """Remove what is half written, and truth without its clip."""
    for left in out.glob(f".{FILE}.*.tmp"):
        left.unlink()
    for folder in (out / "clips", out / "truth", *out.glob("counterfactuals/p*")):
        for entry in folder.glob("*"):
            if re.match(r"\.(p\d{5}|person-\d|scene-\d)\.[0-9a-f]{8}", entry.name):
                remove(entry)
            elif entry.is_dir() and re.fullmatch(r"p\d{5}|person-\d|scene-\d", entry.name):
                videos = out / "clips" if folder.name == "truth" else folder
                if not (videos / f"{entry.name}.mp4").exists():
                    remove(entry)


def _clips_in(out: Path) -> list[str]:
    """Names of the clips that are there."""
    files = (out / "clips").glob("p*.mp4")
    return sorted(file.stem for file in files if re.fullmatch(r"p\d{5}", file.stem))


def _list_clips(out: Path, settings: Settings) -> None:
    """Bring the manifest's list of clips up to date."""
    manifest = read_manifest(out, settings)
    if manifest is not None:
        clips = tuple(_entry(out, settings, name) for name in _clips_in(out))
        save_manifest(manifest.model_copy(update={"clips": clips}), out)


def _entry(out: Path, settings: Settings, name: str) -> dict[str, Any]:
    index = int(name[1:])
    others = sorted(path.stem for path in out.glob(f"counterfactuals/{name}/*.mp4"))
    return {
        "name": name,
        "framing": _framing(settings, index),
        "seeds": asdict(_seeds(settings, index)),
        "counterfactuals": {other: asdict(_seeds(settings, index, other)) for other in others},
    }


# What is needed ----------------------------------------------------------------------------


def _versions() -> dict[str, str]:
    try:
        return {name: importlib.metadata.version(name) for name in PACKAGES} | {"code": _code()}
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingExtraError(
            "rendered people need the extra synth; install it with `pip install maskmotion[synth]`"
        ) from error


def _code() -> str:
    """What tells this package's code from that of another commit."""
    root = resources.files("maskmotion.synth")
    files = [root / "_layers.py", *_files_below(root / "people")]
    content = b"".join(file.read_bytes() for file in sorted(files, key=str))
    return hashlib.sha256(content).hexdigest()[:12]


def _files_below(folder: Traversable) -> Iterator[Traversable]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files_below(entry)
        elif entry.name.endswith((".py", ".vert", ".frag")):
            yield entry


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
