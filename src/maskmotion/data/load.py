"""From clips on disk to clips that training reads: packed, decoded once, or decoded each time."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from maskmotion.data.clips import PACKED_ENDING, Clip, TrainingClip
from maskmotion.data.parallel import Stopped, in_threads
from maskmotion.data.store import STORE_VERSION, StoredClip, store_clip
from maskmotion.data.video import OpenVideos, VideoClip, index_clip
from maskmotion.errors import DataError, MediaError
from maskmotion.media import VIDEO_ENDINGS


def load_clips(
    clips: list[Clip],
    size: int,
    folder: Path,
    *,
    decode: Literal["once", "always"] = "once",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[TrainingClip], list[str]]:
    """Make clips ready to be read in any order; what an earlier call has done is kept.

    Args:
        clips: clips on disk; packed ones are mapped as they are.
        size: side of the frames, px.
        folder: the cache; made where missing, and shared freely between runs.
        decode: "once" writes all frames to the cache; "always" reads video files where they are,
            and writes the frames of those only that cannot be read in any order.
        progress: called with (clips done, clips in all).
    Returns:
        The clips that could be read, and one sentence for each that could not.
    Raises:
        DataError: the disk is too full, a packed clip is broken or of another size, or no clip
            could be read.
    """
    videos = OpenVideos()

    def ready(clip: Clip, stopped: Stopped) -> TrainingClip | MediaError:
        if clip.path.suffix == PACKED_ENDING:
            return packed_clip(clip, size)
        try:
            return _cached(clip, size, folder, decode, videos, stopped)
        except MediaError as error:
            return error

    results = in_threads(ready, clips, progress=progress)
    loaded = [result for result in results if not isinstance(result, MediaError)]
    problems = [str(result) for result in results if isinstance(result, MediaError)]
    if not loaded:
        reason = problems[0] if problems else "the folders hold no clips"
        raise DataError(f"there is nothing to train on: {reason}")
    return loaded, problems


def packed_clip(clip: Clip, size: int) -> StoredClip:
    """A clip of `maskmotion data pack`.

    Raises:
        DataError: it is broken, or of another size.
    """
    stored = StoredClip(clip.path, clip.identity)
    if stored.size != size:
        raise DataError(
            f"{clip.path} is packed at {stored.size} px but model.image_size is {size}; "
            f"pack again with --size {size}, or train with --set model.image_size={stored.size}"
        )
    return stored


def check_packed(clips: list[Clip], size: int) -> None:
    """Raise as `packed_clip` where one of the clips is packed but cannot be used."""
    for clip in clips:
        if clip.path.suffix == PACKED_ENDING:
            packed_clip(clip, size)


def clip_state(clip: Clip) -> str:
    """Names, sizes and dates of a clip's files: it changes when the clip does, or its alpha.

    Raises:
        MediaError: they cannot be read.
    """
    try:
        files = sorted(clip.path.iterdir()) if clip.path.is_dir() else [clip.path]
        files += [clip.alpha] if clip.alpha else []
        states = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except OSError:
        raise MediaError(f"{clip.path} cannot be read; check the file") from None
    return str(states)


def digest(text: str) -> str:
    """Twelve characters that stand for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _cached(
    clip: Clip,
    size: int,
    folder: Path,
    decode: Literal["once", "always"],
    videos: OpenVideos,
    stopped: Stopped,
) -> TrainingClip:
    key = f"{STORE_VERSION}|{clip.path.resolve()}|{clip_state(clip)}|{size}"
    path = folder / f"{clip.path.stem[:60]}-{digest(key)}.safetensors"
    if not path.exists():
        if decode == "always" and clip.path.suffix.lower() in VIDEO_ENDINGS:
            video = _in_place(clip, size, path, videos)
            if video is not None:
                return video
        store_clip(clip.path, size, path, alpha=clip.alpha, stopped=stopped)
    return StoredClip(path, clip.identity, clip.motion)


def _in_place(clip: Clip, size: int, path: Path, videos: OpenVideos) -> VideoClip | None:
    """A clip that is read where it is, and its alpha too; None where one of them cannot be."""
    index = path.with_suffix(".index")
    if not index.exists() and not index_clip(clip.path, size, index):
        return None
    if clip.alpha is None:
        return VideoClip(clip, index, videos)
    truth = path.with_suffix(".alpha.index")
    if not truth.exists() and not index_clip(clip.alpha, size, truth):
        return None
    alpha = VideoClip(Clip(clip.alpha, clip.identity), truth, videos)
    return VideoClip(clip, index, videos, alpha)
