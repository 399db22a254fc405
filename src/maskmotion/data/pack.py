"""Clips packed into a folder that training reads without decoding, here or on another machine.

A pack is PACK/train/NAME.safetensors and PACK/test/NAME.safetensors, one stored clip a file. Each
remembers the clip it was made of: `source`, its file's name; `identity`; `folder`, which stands
for the folder it lay in; `state`, which changes with the file; and `motion`, the same for clips of
others who move alike. So no list lies beside them to go stale, and packed clips may be removed, or
added from another pack, by hand.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from maskmotion.data.clips import PACKED_ENDING, Clip, find_clips, find_training_clips
from maskmotion.data.load import clip_state, digest
from maskmotion.data.parallel import Stopped, in_threads
from maskmotion.data.store import BrokenClipError, StoredClip, store_clip
from maskmotion.durable import locked
from maskmotion.errors import DataError, MediaError
from maskmotion.media.files import require_folder

SPLITS = ("train", "test")
LONGEST_NAME_BYTES = 100  # two of them, endings and all, fit into a file's name


@dataclass(frozen=True)
class Packed:
    """What a pack holds.

    clips, frames and size_bytes of all of it; with_alpha: clips whose true alpha is packed, too;
    new: clips that this call packed; left_out: one sentence for each clip that could not be.
    """

    clips: int
    with_alpha: int
    frames: int
    size_bytes: int
    new: int
    left_out: list[str]


def pack_clips(
    folders: list[Path],
    out: Path,
    *,
    size: int = 256,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Decode clips into a pack, but for those that are in it already as they are now.

    The true alpha of rendered clips comes along, and to train on others who move alike.

    Args:
        folders: of clips, as `find_clips` takes them; without splits, all is for training.
        out: the pack; made where missing.
        size: side of the packed frames, px.
        jobs: clips that are decoded side by side; None: one a core, at most eight.
        progress: called with (clips done, clips to be done).
    Raises:
        DataError: the folders hold no clips that can be packed, `out` cannot be a pack of this
            size, or its disk is full. What was packed before stays.
    """
    found = {s: [c for f in folders for c in find_training_clips(f, s)] for s in SPLITS}
    _check(found, folders, out)
    left_out: list[str] = []
    with _held(out):
        shelves = [_Shelf(out / split, size) for split in SPLITS]
        todo = [
            job
            for shelf, split in zip(shelves, SPLITS, strict=True)
            for job in shelf.jobs(found[split], left_out)
        ]

        def work(job: _Job, stopped: Stopped) -> str | None:
            try:
                store_clip(
                    job.clip.path,
                    size,
                    job.path,
                    alpha=job.clip.alpha,
                    about=job.about,
                    stopped=stopped,
                )
            except MediaError as error:
                return str(error)
            return None

        results = in_threads(work, todo, jobs=jobs, progress=progress)
        left_out += [reason for reason in results if reason]
        shelves = [_Shelf(out / split, size) for split in SPLITS]
    left_out += [reason for shelf in shelves for reason in shelf.broken]
    clips = [(path, clip) for shelf in shelves for path, clip in shelf.clips.items()]
    if not clips:
        raise DataError(f"nothing could be packed into {out}: {left_out[0]}")
    return Packed(
        clips=len(clips),
        with_alpha=sum(clip.has_alpha for _, clip in clips),
        frames=sum(clip.length for _, clip in clips),
        size_bytes=sum(path.stat().st_size for path, _ in clips),
        new=results.count(None),
        left_out=left_out,
    )


@dataclass(frozen=True)
class _Job:
    """A clip, where to pack it, and what its packed form remembers."""

    clip: Clip
    path: Path
    about: dict[str, str]


class _Shelf:
    """A split of a pack: the clips in it, and names for those to come.

    Clips of one folder keep their identity, the name's part before "#". Where another folder has
    the same, it becomes NAME~2, so that the two do not become one.

    clips: by path; broken: a sentence for each file that cannot be read.

    Raises:
        DataError: it holds clips of another size, or of a newer version.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self.clips: dict[Path, StoredClip] = {}
        self.broken: list[str] = []
        for path in sorted(folder.glob(f"*{PACKED_ENDING}")):
            try:
                clip = self.clips[path] = StoredClip(path, "")
            except BrokenClipError as error:
                self.broken.append(str(error))
                continue
            if clip.size != size:
                raise DataError(
                    f"{path} is packed at {clip.size} px, not {size}; pack with --size "
                    f"{clip.size}, or give another --out"
                )
        self._by_source = {}
        self._by_state = {}
        self._identities: dict[tuple[str | None, str | None], str] = {}
        for path, clip in self.clips.items():
            about = clip.about.get
            self._by_source[about("folder"), about("source")] = path
            self._by_state[about("source"), about("state")] = path
            self._identities[about("folder"), about("identity")] = path.stem.split("#")[0]
        self._taken = {path.name.casefold() for path in self.clips}

    def jobs(self, clips: list[Clip], left_out: list[str]) -> list[_Job]:
        """What is to be packed of these clips; those that cannot be read go to `left_out`."""
        waiting = []
        for clip in clips:
            try:
                about = _about(clip)
            except MediaError as error:
                left_out.append(str(error))
                continue
            held = self._by_state.get((about["source"], about["state"]))
            if held is not None:  # perhaps of a folder that was moved since: its new clips join it
                identity = held.stem.split("#")[0]
                self._identities.setdefault((about["folder"], about["identity"]), identity)
                self._by_source.setdefault((about["folder"], about["source"]), held)
            if held is None or self.clips[held].motion != about.get("motion"):
                waiting.append((clip, about))
        return [_Job(clip, self._place(clip, about), about) for clip, about in waiting]

    def _place(self, clip: Clip, about: dict[str, str]) -> Path:
        changed = self._by_source.get((about["folder"], about["source"]))
        if changed is not None:
            return changed
        owner = about["folder"], about["identity"]
        if owner not in self._identities:
            used = {name.casefold() for name in self._identities.values()}
            wanted = _shortened(about["identity"])
            self._identities[owner] = _free(wanted, "~", used)
        _, hash_, rest = clip.name.partition("#")
        wanted = self._identities[owner] + hash_ + _shortened(rest)
        taken = {name.removesuffix(PACKED_ENDING) for name in self._taken}
        name = _free(wanted, "#", taken) + PACKED_ENDING
        self._taken.add(name.casefold())
        return self._folder / name


def _check(found: dict[str, list[Clip]], folders: list[Path], out: Path) -> None:
    """Refuse what cannot be done, before anything is written."""
    require_folder(out, "the pack")
    for folder in folders:
        if out.resolve() in [(folder / part).resolve() for part in ("", *SPLITS)]:
            raise DataError(f"{out} holds the clips to be packed; give another --out for the pack")
    if not any(found.values()):
        names = ", ".join(map(str, folders))
        raise DataError(f"there is nothing to pack in {names}; give a folder of clips")
    for clip in found["train"] + found["test"]:
        if clip.path.suffix == PACKED_ENDING:
            raise DataError(
                f"{clip.path} is packed already; `maskmotion train --data` takes several packs"
            )
    for split in SPLITS if out.is_dir() else ():
        for clip in find_clips(out, split):
            if clip.path.suffix != PACKED_ENDING or clip.path.parent.name != split:
                raise DataError(
                    f"{out} is a folder of clips such as {clip.path.name}, not a pack; give "
                    "another --out"
                )


@contextmanager
def _held(out: Path) -> Iterator[None]:
    """Keep other processes out of a pack, and clear away what a killed one left half written."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as file:
        if not locked(file.fileno()):
            raise DataError(f"another `maskmotion data pack` writes to {out}; wait for it")
        for left in out.glob("t*/.*.tmp"):
            left.unlink()
        yield


def _about(clip: Clip) -> dict[str, str]:
    """What is remembered of a clip; names that are not valid text lose what is not."""
    about = {
        "source": clip.path.name.encode(errors="replace").decode(),
        "identity": clip.name.split("#")[0].encode(errors="replace").decode(),
        "folder": digest(str(clip.path.parent.resolve())),
        "state": digest(clip_state(clip)),
    }
    if clip.motion is None:
        return about
    motion = digest(clip_state(Clip(Path(clip.motion), "")))
    return about | {"motion": motion}


def _shortened(name: str) -> str:
    if len(name.encode(errors="replace")) <= LONGEST_NAME_BYTES:
        return name
    return f"{name[:20]}-{digest(name)}"


def _free(wanted: str, mark: str, used: set[str]) -> str:
    """The name, or where it is used already, the name with the first number from 2 that is not."""
    if wanted.casefold() not in used:
        return wanted
    names = (f"{wanted}{mark}{number}" for number in count(2))
    return next(name for name in names if name.casefold() not in used)
