"""Pictures that are videos: a folder of frames, a strip of frames, an animated GIF, WebP or PNG."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from maskmotion.errors import MediaError
from maskmotion.media.files import require_size
from maskmotion.media.frames import DEFAULT_FPS, Frame, VideoInfo
from maskmotion.media.still import (
    PICTURE_ENDINGS,
    Still,
    open_picture,
    read_still,
    reading,
    to_still,
)

Opened = tuple[VideoInfo, Callable[[], Iterator[Frame]]]
ANIMATED_FORMATS = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
# Browsers show a GIF frame this short for 100 ms; makers of GIFs rely on it.
GIF_SHORTEST_MS = 10


def is_animated(path: Path) -> bool:
    """Whether a picture file holds more than one frame."""
    with reading(path), open_picture(path) as picture:
        return len(_frame_numbers(picture)) > 1


def open_folder(path: Path) -> Opened:
    """A folder of pictures of one size, in natural order (2 before 10), at 25 frames a second."""
    files = sorted(
        (file for file in path.iterdir() if _is_frame_file(file)),
        key=lambda file: _natural_key(file.name),
    )
    if not files:
        raise MediaError(f"{path} has no pictures in it; choose a folder of frames or a video.")
    return _steady(path, len(files), lambda: ((file, read_still(file)) for file in files))


def open_picture_video(path: Path) -> Opened:
    """An animation, or a strip of square frames side by side at 25 frames a second."""
    if is_animated(path):
        return _open_animation(path)
    with reading(path), open_picture(path) as picture:
        count, rest = divmod(picture.width, picture.height)
        if count < 2 or rest:
            raise MediaError(
                f"{path} is a single picture; a driving clip needs at least two frames."
            )
        require_size(path, picture.height, picture.height)
        strip = to_still(picture)
    return _steady(path, count, lambda: ((path, still) for still in _cut(strip, count)))


def _steady(path: Path, count: int, stills: Callable[[], Iterator[tuple[Path, Still]]]) -> Opened:
    """A video of pictures that have no times of their own."""
    _, first = next(stills())
    height, width, _ = first.image.shape
    has_alpha = first.alpha is not None
    duration_s = float(1 / DEFAULT_FPS)
    info = VideoInfo(path, width, height, DEFAULT_FPS, count, count * duration_s, False, has_alpha)

    def frames() -> Iterator[Frame]:
        for index, (file, still) in enumerate(stills()):
            if still.image.shape != (height, width, 3):
                raise MediaError(
                    f"{file} is {still.image.shape[1]}x{still.image.shape[0]} px but the first "
                    f"frame is {width}x{height} px; make all frames one size."
                )
            alpha = _opaque(height, width) if still.alpha is None else still.alpha
            yield Frame(still.image, alpha if has_alpha else None, index * duration_s, duration_s)

    return info, frames


def _opaque(height: int, width: int) -> np.ndarray:
    return np.full((height, width), 255, np.uint8)


def _is_frame_file(file: Path) -> bool:
    return file.suffix.lower() in PICTURE_ENDINGS and not file.name.startswith(".")


def _natural_key(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _cut(strip: Still, count: int) -> Iterator[Still]:
    images = np.split(strip.image, count, axis=1)
    alphas = [None] * count if strip.alpha is None else np.split(strip.alpha, count, axis=1)
    return (Still(image, alpha) for image, alpha in zip(images, alphas, strict=True))


def _open_animation(path: Path) -> Opened:
    """One pass over the file: only that tells the durations, and whether GIF's alpha is used."""
    durations_s, has_alpha = [], False
    with reading(path), open_picture(path) as picture:
        require_size(path, *picture.size)
        width, height = picture.size
        for number in _frame_numbers(picture):
            rgba, duration_s = _composited(picture, number)
            durations_s.append(duration_s)
            has_alpha = has_alpha or bool(rgba[..., 3].min() < 255)
    total_s = sum(durations_s)
    fps = Fraction(len(durations_s) / total_s).limit_denominator(1001)
    info = VideoInfo(path, width, height, fps, len(durations_s), total_s, False, has_alpha)

    def frames() -> Iterator[Frame]:
        with reading(path):
            picture = open_picture(path)
        with picture:
            time_s = 0.0
            for number in _frame_numbers(picture):
                with reading(path):
                    rgba, duration_s = _composited(picture, number)
                alpha = rgba[..., 3].copy() if has_alpha else None
                yield Frame(rgba[..., :3].copy(), alpha, time_s, duration_s)
                time_s += duration_s

    return info, frames


def _frame_numbers(picture: Image.Image) -> range:
    if picture.format not in ANIMATED_FORMATS:
        return range(1)  # further pages of a TIFF, or a phone's gain map, are not frames
    # An animated PNG may carry a picture for programs that cannot animate; it is no frame.
    first = 1 if picture.info.get("default_image") else 0
    return range(first, getattr(picture, "n_frames", 1))


def _composited(picture: Image.Image, number: int) -> tuple[np.ndarray, float]:
    picture.seek(number)
    rgba = np.asarray(picture.convert("RGBA"))
    duration_ms = float(picture.info.get("duration", 0))
    shortest_ms = GIF_SHORTEST_MS if picture.format == "GIF" else 0
    return rgba, (duration_ms if duration_ms > shortest_ms else 100.0) / 1000
