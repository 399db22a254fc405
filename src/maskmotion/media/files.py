"""Checks and habits shared by all that opens or writes a file."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import av

from maskmotion.errors import DataError, MediaError

MAX_SIDE_PX = 16384


def require_file(path: Path) -> None:
    """Refuse what cannot hold a picture or video, before any library looks at it."""
    if not path.exists():
        raise MediaError(f"{path} does not exist; check the path.")
    if path.is_dir():
        raise MediaError(f"{path} is a folder; name one file in it.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes); copy or download it again.")


def require_folder(out: Path, contents: str) -> None:
    """Refuse an output that is a file, or lies below one."""
    for path in (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise DataError(f"{path} is a file; name a folder for {contents}")


def require_size(path: Path, width: int, height: int) -> None:
    """Refuse pictures that would fill the memory."""
    if max(width, height) > MAX_SIDE_PX:
        raise MediaError(
            f"{path} is {width}x{height} px, more than {MAX_SIDE_PX} px on a side; scale it down."
        )


def temporary_beside(path: Path) -> Path:
    """A new hidden name in the same folder, with the same ending: `os.replace` is atomic there."""
    return path.with_name(f".{path.stem}.{uuid4().hex[:8]}{path.suffix}")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk or FFmpeg refuses inside into one MediaError."""
    try:
        yield
    except (OSError, av.FFmpegError) as error:
        reason = error.strerror or error
        raise MediaError(f"{path} cannot be written ({reason}); choose another place.") from error


def remove(path: Path) -> None:
    """Delete a temporary file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
