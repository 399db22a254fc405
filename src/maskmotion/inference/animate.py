"""From files to a file: animate a still with the motion of a video."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskmotion.checkpoint import DEFAULT_MODEL, load_model
from maskmotion.errors import InputError, MediaError
from maskmotion.inference.backdrop import TRANSPARENT, Backdrop, open_backdrop
from maskmotion.inference.fit import Square, cover, cut, square_of
from maskmotion.inference.layers import LAYERS, LayerWriter
from maskmotion.inference.pipeline import ahead, behind
from maskmotion.inference.session import AnimationSession, BackgroundKind
from maskmotion.media import (
    Frame,
    Still,
    is_folder_of_frames,
    on_white,
    open_video,
    open_writer,
    read_still,
    to_tensor,
    to_uint8,
)
from maskmotion.media.still import PICTURE_ENDINGS
from maskmotion.models.animator import Animator

BATCH_FRAMES = 8
BATCH_PX = 8 * 1280 * 720  # larger frames come in smaller batches, which bounds the memory
ProgressHook = Callable[[int, int | None], None]


@dataclass(frozen=True)
class AnimatedVideo:
    """What `animate` wrote: path, frames, and the length of the shown frames in seconds."""

    path: Path
    frames: int
    duration_s: float


def animate(
    source: str | Path,
    driving: str | Path,
    out: str | Path,
    *,
    background: str | Path | None = None,
    background_kind: BackgroundKind = "scene",
    model: str | Path | Animator = DEFAULT_MODEL,
    frames: int | None = None,
    fit: str = "crop",
    driving_fit: str = "crop",
    keep_size: bool = False,
    scale: float | None = None,
    layers: str | Path | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    progress: ProgressHook | None = None,
) -> AnimatedVideo:
    """Animate a still with the motion of a video, on its own or another background.

    Args:
        source: a picture, or a video whose first frame is taken; transparency is laid on white.
        driving: a video, animation, folder or strip of frames; its sound and timing are kept.
        out: where to; the ending says what: .mp4 .mov .mkv .webm .gif .webp .png (APNG), or a
            folder of numbered PNG frames.
        background: a picture, a video (looped or cut to length), a colour such as "#20c040", or
            "transparent", which writes alpha (.webm .mov .gif .webp .png, folder); None keeps the
            source's background.
        background_kind: "scene" for a plain scene; "class" where it holds an object of the
            trained class, which is taken out.
        model: a name, a model folder, or a loaded model.
        frames: at most this many driving frames; None takes all.
        fit: what of the source is animated: "crop" (the middle square), "letterbox" (all of it),
            or "LEFT,TOP,WIDTH,HEIGHT" in px.
        driving_fit: the same for the driving video.
        keep_size: write the source's own size, with the animated square pasted back.
        scale: of the driver's mask about its centre; None takes the model's.
        layers: a folder for the intermediate pictures, see LayerWriter.
        dtype: torch.float32 or torch.bfloat16.
        device: where a model given by name is loaded to.
        progress: called with (frames done, frames in all or None).
    Raises:
        InputError: anything given that cannot be used; nothing is left behind.
    """
    if frames is not None and frames < 1:
        raise InputError(f"frames is a number from 1, not {frames}")
    transparent = background == TRANSPARENT
    inputs = [source, driving] if background is None else [source, driving, background]
    check_outputs(out, layers, inputs, transparent=transparent)
    still = read_source(source)
    with ExitStack() as stack:
        reader = stack.enter_context(open_video(driving))
        backdrop = None
        if background is not None and not transparent:
            backdrop = stack.enter_context(open_backdrop(background))
        network = model if isinstance(model, Animator) else load_model(model, device=device)
        session = AnimationSession(
            network,
            to_tensor([on_white(still.image, still.alpha)]),
            background=backdrop.still if backdrop else None,
            background_kind=background_kind,
            fit=fit,
            driving_fit=driving_fit,
            keep_size=keep_size,
            scale=scale,
            dtype=dtype,
        )
        height, width = session.output_size
        largest_px = max(height * width, backdrop.size_px if backdrop else 0)
        batch_frames = min(max(BATCH_PX // largest_px, 1), BATCH_FRAMES)
        total = _least(reader.info.frames, frames)
        missing = _missing_folders(out, layers)
        stack.push(lambda error, *_: _remove_empty(missing) if error else None)
        writer = stack.enter_context(
            open_writer(
                out,
                width=width,
                height=height,
                fps=reader.info.fps,
                alpha=transparent,
                audio_from=reader.info.path if reader.info.has_audio else None,
            )
        )
        layer_writer = None
        if layers is not None:
            layer_writer = stack.enter_context(LayerWriter(Path(layers), reader.info.fps))
        driven = (_Driven(frame, session, backdrop) for frame in islice(iter(reader), frames))
        # One thread reads and another one writes, a few frames ahead and behind. Computing stays
        # here: compiled models and memory allocators are bound to the thread that uses them.
        read = stack.enter_context(ahead(driven, batch_frames))
        later = stack.enter_context(behind(batch_frames))
        done, end_s = 0, 0.0
        for batch in _batches(read, batch_frames):
            squares = torch.cat([frame.square for frame in batch])
            scenes = [frame.scene for frame in batch if frame.scene is not None]
            animated = session.animate_squares(squares, torch.cat(scenes) if scenes else None)
            if layer_writer:
                later(layer_writer.write, animated)
            alphas = to_uint8(animated.alpha)[..., 0] if transparent else [None] * len(batch)
            pictures = to_uint8(animated.frames)
            for picture, alpha, frame in zip(pictures, alphas, batch, strict=True):
                later(writer.write, picture, alpha, frame.time_s, frame.end_s - frame.time_s)
            done, end_s = done + len(batch), batch[-1].end_s
            if progress:
                progress(done, total)
    return AnimatedVideo(Path(out), done, end_s)


def read_source(path: str | Path) -> Still:
    """The picture to animate; of a video its first frame.

    Raises:
        MediaError: neither a picture nor a video, or broken.
    """
    path = Path(path)
    try:
        return read_still(path)
    except MediaError as error:
        if not path.is_file() or path.suffix.lower() in PICTURE_ENDINGS:
            raise
        try:
            with open_video(path) as reader:
                frame = next(iter(reader))
        except (MediaError, StopIteration):
            raise error from None
        return Still(frame.image, frame.alpha)


def check_outputs(
    out: str | Path,
    layers: str | Path | None,
    inputs: Sequence[str | Path],
    *,
    transparent: bool,
) -> None:
    """Refuse, before anything is computed, outputs that cannot be written or would destroy files.

    Args:
        out: as `animate` takes it.
        layers: as `animate` takes it.
        inputs: what is read, none of which may be replaced; a colour's name does no harm.
        transparent: whether transparency is written.
    Raises:
        InputError: an input or another output lies where something is written.
        MediaError: an unknown ending, one without transparency, or a place that takes no files.
    """
    folders = [] if layers is None else [Path(layers) / name for name in LAYERS]
    if is_folder_of_frames(out):
        folders.append(Path(out))
    outputs = folders if is_folder_of_frames(out) else [Path(out), *folders]
    present = [path for path in map(Path, inputs) if path.exists()]
    for output in outputs:
        for other in (*present, *outputs):
            inside = output in folders and output.resolve() in other.resolve().parents
            if inside or (other is not output and _same(output, other)):
                raise InputError(
                    f"writing {output} would destroy {other}; choose another path for the output"
                )
    missing = _missing_folders(out, layers)
    try:
        for output in outputs:
            target = f"{output}/" if output in folders else output
            alpha = transparent and output == Path(out)
            open_writer(target, width=16, height=16, fps=Fraction(25), alpha=alpha).discard()
    finally:
        _remove_empty(missing)


def _missing_folders(out: str | Path, layers: str | Path | None) -> list[Path]:
    """The folders that will be made to hold the outputs, the deepest first."""
    outputs = [Path(out)] if layers is None else [Path(out), Path(layers) / LAYERS[0]]
    parents = [folder for output in outputs for folder in output.absolute().parents]
    return [folder for folder in parents if not os.path.lexists(folder)]


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


class _Driven:
    """What is kept of a driving frame: its time, its square, and its moving background.

    Both are fitted before they wait: whole frames would fill the memory.
    """

    def __init__(self, frame: Frame, session: AnimationSession, backdrop: Backdrop | None) -> None:
        self.time_s = frame.time_s
        self.end_s = frame.time_s + frame.duration_s
        self.square = _square(on_white(frame.image, frame.alpha), session)
        scene = backdrop.at([frame.time_s]) if backdrop else None
        self.scene: Tensor | None = None
        if scene is not None:
            self.scene = cover(scene.to(session.device), *session.output_size)


def _square(image: np.ndarray, session: AnimationSession) -> Tensor:
    """As `square_of_driving` for (H, W, 3) uint8, but what lies outside is never converted."""
    square = square_of(session.driving_fit, *image.shape[:2])
    top, left = max(square.top, 0), max(square.left, 0)
    inside = image[top : square.top + square.side, left : square.left + square.side]
    picture = to_tensor([inside]).to(session.device)
    return cut(picture, Square(square.left - left, square.top - top, square.side), session.size)


def _batches(frames: Iterator[_Driven], size: int) -> Iterator[list[_Driven]]:
    while batch := list(islice(frames, size)):
        yield batch


def _least(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return min(known, default=None)
