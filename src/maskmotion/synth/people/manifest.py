"""What a folder of rendered people was made with and holds, and how it is kept whole."""

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskmotion.durable import locked, write_atomically
from maskmotion.errors import DataError, MissingExtraError
from maskmotion.media.files import remove, require_folder, temporary_beside, writing

FILE = "manifest.json"
LOCK = ".lock"
MOST_SEED = 1_000_000_000
MOST_CLIPS = 100_000  # of one seed; their names have five digits
MOST_OTHERS = 9
# What pictures and their files depend on.
PACKAGES = ("maskmotion", "anny", "moderngl", "torch", "numpy", "pillow", "av")

Side = Annotated[int, Field(ge=64, le=1024, multiple_of=2)]  # of the frames, px
Length = Annotated[int, Field(ge=2, le=1000)]  # of a clip, frames


class Model(BaseModel):
    """Settings and the like: nothing unknown in them, and they stay as they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(Model):
    """What all clips of a folder have in common.

    seed: another one gives other people, motions, scenes and cameras; framing: mixed is two of
    "body" to one of "portrait"; size: side of the frames, px; frames: length of each clip;
    backgrounds: a fingerprint of the pictures to stand before, None for drawn scenes.
    """

    seed: int = Field(ge=0, le=MOST_SEED)
    framing: Literal["body", "portrait", "mixed"] = "mixed"
    size: Side = 256
    fps: float = Field(25.0, ge=1, le=120)
    frames: Length = 96
    backgrounds: str | None = None


class Amount(Model):
    """How much of it is asked for; the same folder may get more later.

    clips: in all; other_people and other_scenes: counterfactuals of each clip; jobs: processes.
    """

    clips: int = Field(ge=1, le=MOST_CLIPS)
    other_people: int = Field(0, ge=0, le=MOST_OTHERS)
    other_scenes: int = Field(0, ge=0, le=MOST_OTHERS)
    jobs: int | None = Field(None, ge=1)


class Manifest(Model):
    """What a folder was made with.

    kind, version: of the folder; settings: that all in it have in common; software: what the
    bytes of its files depend on beside the settings. The last field of each kind lists what is
    there.
    """

    kind: str
    version: int | str
    settings: Model
    software: dict[str, str]


class PeopleManifest(Manifest):
    """A folder of clips; clips: name, framing, seeds and counterfactuals of each that is there."""

    kind: Literal["maskmotion rendered people"] = "maskmotion rendered people"
    version: Literal[1] = 1
    settings: Settings
    clips: tuple[dict[str, Any], ...] = ()


AnyManifest = TypeVar("AnyManifest", bound=Manifest)


def read_manifest(out: Path, wanted: AnyManifest) -> AnyManifest | None:
    """The manifest of a folder; None where there is nothing yet.

    Args:
        out: the folder.
        wanted: of the same kind, with the settings that the folder must have.
    Raises:
        DataError: the folder is a file, holds other things, or was made with other settings.
    """
    require_folder(out, "what is rendered")
    if not (out / FILE).exists():
        if out.exists() and any(entry.name != LOCK for entry in out.iterdir()):
            raise DataError(f"{out} holds other things; name a new or empty folder")
        return None
    manifest = load_manifest(out, type(wanted))
    _require_same(out, manifest.settings.model_dump(), wanted.settings.model_dump(), "settings")
    return manifest


def load_manifest(out: Path, kind: type[AnyManifest]) -> AnyManifest:
    """The manifest of a folder that has one, whatever its settings.

    Raises:
        DataError: it is of another kind, or damaged.
    """
    try:
        return kind.model_validate_json((out / FILE).read_bytes())
    except (ValidationError, OSError):
        name = kind.model_fields["kind"].default
        raise DataError(
            f'{out / FILE} is not of "{name}", or is damaged; name another folder'
        ) from None


def begin_manifest(out: Path, manifest: Manifest) -> None:
    """Write the manifest of a new folder; refuse to add what looks otherwise to another one.

    Raises:
        DataError: the folder's settings, a version or the renderer is another one.
        MediaError: the disk does not take it.
    """
    had = read_manifest(out, manifest)
    if had is None:
        save_manifest(out, manifest)
    else:
        _require_same(out, had.software, manifest.software, "software")


def save_manifest(out: Path, manifest: Manifest) -> None:
    """Write the manifest into its folder.

    Raises:
        MediaError: the disk does not take it.
    """
    content = manifest.model_dump()
    name, entries = content.popitem()
    # One line an entry, so that it can be read and searched.
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    text = f'{json.dumps(content, indent=1)[:-2]},\n "{name}": [\n{lines}\n ]\n}}\n'
    with writing(out / FILE):
        write_atomically(out / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def _require_same(out: Path, had: dict[str, Any], have: dict[str, Any], what: str) -> None:
    differing = [key for key, value in had.items() if have.get(key) != value]
    if differing:
        words = ", ".join(
            "other pictures as backgrounds" if key == "backgrounds" else f"{key} {had[key]}"
            for key in differing
        )
        raise DataError(f"{out} was made with {words}; use the same {what} or another folder")


# Whole folders -----------------------------------------------------------------------------


@contextmanager
def held(out: Path, tidy: Callable[[], None]) -> Iterator[None]:
    """Keep other processes out of a folder, and tidy it before and after.

    Raises:
        DataError: another process writes to it.
        MediaError: the disk does not take it.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        file = (out / LOCK).open("w")
    with file:
        if not locked(file.fileno()):
            raise DataError(f"another process writes to {out}; wait for it")
        tidy()
        try:
            yield
        finally:
            tidy()


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its place when it is complete, and is gone where it fails.

    Raises:
        MediaError: the disk does not take it.
    """
    temporary = temporary_beside(folder)
    try:
        with writing(folder):
            temporary.mkdir(parents=True)
        yield temporary
        with writing(folder):
            remove(folder)  # of a process that was killed before it was done
            temporary.rename(folder)
    finally:
        remove(temporary)


def remove_unfinished(out: Path, folders: Iterable[Path], names: str) -> None:
    """Remove what a killed process left half written.

    Args:
        out: where the manifest is.
        folders: where the rest is.
        names: pattern of what is complete there, without endings.
    """
    for left in out.glob(f".{FILE}.*.tmp"):
        left.unlink()
    for folder in folders:
        for entry in folder.glob(".*"):
            if re.match(rf"\.({names})\.[0-9a-f]{{8}}", entry.name):
                remove(entry)


# Software ----------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """What draws, but for the renderer, which only an open one knows.

    Raises:
        MissingExtraError: the extra "synth" is missing.
    """
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
