"""What a folder of prepared clips was made of: its settings, its footage, every piece."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskmotion.config import checked
from maskmotion.durable import write_atomically
from maskmotion.errors import ConfigError, DataError
from maskmotion.media.files import require_folder, writing

FILE = "manifest.json"
TOO_SHORT = "too short"
Box = tuple[int, int, int]  # left, top and side in px
Split = Literal["train", "test"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(_Model):
    """How footage is prepared.

    size: side of the clips, px; box: "auto" (where things move), "centre", or a square of the
    footage as it is displayed; shortest_s and longest_s: length of the clips; test_share: share of
    the identities that go to test/; keep_moving_camera: whether such pieces become clips.
    """

    size: int = Field(256, ge=32, le=2048, multiple_of=2)
    box: Literal["auto", "centre"] | Box = "auto"
    shortest_s: float = Field(2.0, gt=0)
    longest_s: float = Field(10.0, gt=0)
    test_share: float = Field(0.1, ge=0, le=0.5)
    keep_moving_camera: bool = False


class Piece(_Model):
    """Frames [first, stop) of some footage, and the square of it that the clip shows.

    dropped: why no clip is made of it.
    """

    first: int
    stop: int
    start_s: float
    end_s: float
    box: Box
    dropped: str | None = None


class Source(_Model):
    """Footage, by its absolute path; bytes and mtime_ns tell whether it is still the same.

    name: of its clips, before "#"; split: None while no clip comes of its identity;
    alpha: its true alpha is known; done: all its clips were made once; what is deleted later is
    not made again.
    """

    path: str
    bytes: int
    mtime_ns: int
    name: str
    split: Split | None = None
    width: int
    height: int
    fps: str
    alpha: bool = False
    pieces: tuple[Piece, ...]
    done: bool = False

    @property
    def identity(self) -> str:
        """The part of the name before "#", as everywhere."""
        return self.name.split("#")[0]

    @property
    def kept(self) -> int:
        """How many of its pieces become clips."""
        return sum(piece.dropped is None for piece in self.pieces)

    def clip(self, number: int) -> str | None:
        """The file of a piece's clip, below the folder of clips; None where it is dropped."""
        if self.pieces[number].dropped:
            return None
        return f"{self.split}/{self.name}#{number:03d}.mp4"

    def picture(self, number: int) -> str | None:
        """The file of a piece's picture in the preview; of what is too short there is none."""
        if self.pieces[number].dropped == TOO_SHORT:
            return None
        return f"preview/{self.name}#{number:03d}.jpg"


class Manifest(_Model):
    """All that was prepared into one folder."""

    kind: Literal["maskmotion prepared clips"] = "maskmotion prepared clips"
    version: Literal[1] = 1
    settings: Settings
    sources: tuple[Source, ...] = ()

    def source_of(self, file: Path) -> Source | None:
        """What is known of footage."""
        return next((s for s in self.sources if s.path == footage_key(file)), None)

    def having(self, source: Source) -> "Manifest":
        """The manifest with a source added, or in place of what was known of its footage."""
        known = {each.path: each for each in self.sources}
        known[source.path] = source
        return self.model_copy(update={"sources": tuple(known.values())})


def make_settings(**values: object) -> Settings:
    """Settings from the words of a user.

    Raises:
        ConfigError: a value is out of range.
    """
    settings = checked(Settings, values)
    if settings.shortest_s > settings.longest_s:
        raise ConfigError(
            f"clips of at least {settings.shortest_s:g} s cannot be at most "
            f"{settings.longest_s:g} s long"
        )
    return settings


def open_manifest(out: Path, settings: Settings) -> Manifest:
    """The manifest of a folder of clips; a new one where there is nothing yet.

    Raises:
        DataError: the folder is a file, holds other things, or was prepared with other settings.
    """
    require_folder(out, "the clips")
    file = out / FILE
    if not file.exists():
        if out.exists() and any(out.iterdir()):
            raise DataError(f"{out} holds other things; --out takes a new or empty folder")
        return Manifest(settings=settings)
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except (ValidationError, OSError):
        raise DataError(
            f"{file} is not of `maskmotion data prepare`, or is damaged; name another --out"
        ) from None
    if manifest.settings != settings:
        ours, theirs = settings.model_dump(), manifest.settings.model_dump()
        other = ", ".join(f"{key}={value}" for key, value in theirs.items() if ours[key] != value)
        raise DataError(f"{out} was prepared with {other}; use the same settings or another --out")
    return manifest


def save_manifest(manifest: Manifest, out: Path) -> None:
    """Write the manifest into its folder.

    Raises:
        MediaError: the disk does not take it.
    """
    text = manifest.model_dump_json(indent=1)
    with writing(out / FILE):
        write_atomically(out / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def footage_key(file: Path) -> str:
    """What footage is known by: its absolute path."""
    return str(file.resolve())


def footage_state(file: Path) -> tuple[int, int]:
    """Bytes and time of the last change in ns; of a folder of frames, over its files."""
    stats = [p.stat() for p in ([file] if file.is_file() else file.iterdir())]
    return sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)


def names_of(files: Sequence[Path], manifest: Manifest) -> dict[str, str]:
    """A name for the clips of each file, by its key, unlike all others.

    It is the file's own, after its folder's where two files are named alike. Its part before "#"
    is the identity, as everywhere.
    """
    names = {source.path: source.name for source in manifest.sources}
    new = [file for file in files if footage_key(file) not in names]
    stems = Counter([*map(_stem, new), *names.values()])
    for file in new:
        stem = _stem(file)
        wanted = stem if stems[stem] == 1 else f"{file.resolve().parent.name}-{stem}"
        name, number = wanted, 2
        while name in names.values():
            name, number = f"{number}-{wanted}", number + 1
        names[footage_key(file)] = name
    return names


def _stem(file: Path) -> str:
    return file.name if file.is_dir() else file.stem


def with_splits(manifest: Manifest) -> Manifest:
    """Give every source that clips come of a side; all sources of one identity have the same.

    Identities stay where they are. Of the new ones those with the lowest hashes go to test/ until
    it has its share: the order of files does not matter, nor what their folders are called.
    """
    sides = {source.identity: source.split for source in manifest.sources if source.split}
    useful = {source.identity for source in manifest.sources if source.kept}
    free = int(manifest.settings.test_share * len(useful) + 0.5)
    free -= list(sides.values()).count("test")
    for place, identity in enumerate(sorted(useful - set(sides), key=_hash)):
        sides[identity] = "test" if place < free else "train"
    for source in manifest.sources:
        split = sides.get(source.identity)
        manifest = manifest.having(source.model_copy(update={"split": split}))
    return manifest


def _hash(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
