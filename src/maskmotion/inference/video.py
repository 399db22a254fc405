"""From files to a file, with any engine. Nothing here needs torch: exported models use it too."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from maskmotion.errors import InputError, MediaError
from maskmotion.inference.backdrop import TRANSPARENT, Backdrop, open_backdrop
from maskmotion.inference.layers import LAYERS, LayerWriter
from maskmotion.inference.painter import BackgroundKind, Engine, Painted
from maskmotion.inference.pipeline import ahead, behind
from maskmotion.media import (
    Still,
    VideoReader,
    VideoWriter,
    is_folder_of_frames,
    on_white,
    open_video,
    open_writer,
    read_still,
)
from maskmotion.media.fit import (
    add_detail,
    cut,
    lay,
    lost_detail,
    moved_detail,
    paste,
    reduction_for,
    square_of,
)
from maskmotion.media.still import PICTURE_ENDINGS

# Frames of a moving background wait for their turn at the output's size: fewer, if they are large.
WAITING_PX = 8 * 1920 * 1080
ProgressHook = Callable[[int, int | None], None]


@dataclass(frozen=True)
class AnimatedVideo:
    """What was written: path, frames, and the length of the shown frames in seconds."""

    path: Path
    frames: int
    duration_s: float


def animate_with(
    engine: Engine,
    source: str | Path,
    driving: str | Path,
    out: str | Path,
    *,
    background: str | Path | None = None,
    background_kind: BackgroundKind = "scene",
    frames: int | None = None,
    fit: str = "crop",
    driving_fit: str = "crop",
    keep_size: bool = False,
    scale: float | None = None,
    layers: str | Path | None = None,
    progress: ProgressHook | None = None,
) -> AnimatedVideo:
    """Animate a still with the motion of a video, see maskmotion.animate for all arguments.

    Args:
        engine: what runs the networks.
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
        place = _Place(on_white(still.image, still.alpha), fit, engine.size, keep_size=keep_size)
        height, width = place.output_size
        backdrop: Backdrop | None = None
        if background is not None and not transparent:
            backdrop = stack.enter_context(open_backdrop(background, height, width))
        home = _Scene(place.source, cut(place.source, place.square, engine.size))
        unmoving = None if backdrop is None else backdrop.still
        scene = None if unmoving is None else place.scene(unmoving)
        painter = engine.painter(
            home.square,
            background=None if scene is None else scene.square,
            background_kind=background_kind,
            scale=scale,
        )
        batch_frames = engine.batch_frames
        if backdrop is not None and backdrop.still is None:
            batch_frames = min(batch_frames, max(WAITING_PX // (height * width), 1))
        total = _least(reader.info.frames, frames)
        missing = _missing_folders(out, layers)
        stack.push(lambda error, *_: _remove_empty(missing) if error else None)
        # What is opened last is closed first: layers go if the video cannot be finished.
        layer_writer = None
        if layers is not None:
            layer_writer = stack.enter_context(LayerWriter(Path(layers), reader.info.fps))
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

        def write(batch: list[_Driven], painted: Painted) -> None:
            if layer_writer is not None:
                layer_writer.write(painted)
            place.write(batch, painted, writer, scene or home, transparent=transparent)

        # One thread reads and another one writes, a few frames ahead and behind. Computing stays
        # here: compiled models and memory allocators are bound to the thread that uses them.
        driven = islice(_driven(reader, driving_fit, place, backdrop), frames)
        read = stack.enter_context(ahead(driven, batch_frames))
        later = stack.enter_context(behind(1))
        done, end_s = 0, 0.0
        for batch in _batches(read, batch_frames):
            squares = np.stack([frame.square for frame in batch])
            moving = [frame.scene.square for frame in batch if frame.scene is not None]
            later(write, batch, painter.paint(squares, np.stack(moving) if moving else None))
            done, end_s = done + len(batch), batch[-1].end_s
            if progress:
                progress(done, total)
    return AnimatedVideo(Path(out), done, end_s)


def check_inputs(
    sources: Sequence[str | Path],
    drivings: Sequence[str | Path],
    background: str | Path | None,
    fit: str,
    driving_fit: str,
) -> None:
    """Refuse what cannot be read or fitted, before anything is computed.

    Raises:
        InputError: as `animate_with`.
    """
    for source in sources:
        square_of(fit, *read_source(source).image.shape[:2])
    for driving in drivings:
        with open_video(driving) as reader:
            square_of(driving_fit, reader.info.height, reader.info.width)
    if background not in (None, TRANSPARENT):
        with open_backdrop(str(background), 1, 1):
            pass


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


@dataclass(frozen=True)
class _Scene:
    """What is painted on: (H, W, 3) uint8 at the output's size, and the (S, S, 3) of it to see."""

    picture: np.ndarray
    square: np.ndarray


@dataclass(frozen=True)
class _Driven:
    """What is kept of a driving frame while it waits: whole frames would fill the memory.

    square: (S, S, 3) uint8. scene: its frame of a moving background; None without.
    """

    time_s: float
    duration_s: float
    square: np.ndarray
    scene: _Scene | None

    @property
    def end_s(self) -> float:
        return self.time_s + self.duration_s


class _Place:
    """Where the painted square stands in the output: it is all of it, or a part of the source.

    Args:
        source: (H, W, 3) uint8.
        fit: as `square_of` takes it.
        size: of the networks' square, px.
        keep_size: the output is as large as the source.
    """

    def __init__(self, source: np.ndarray, fit: str, size: int, *, keep_size: bool) -> None:
        self.source = source
        self.size = size
        self.keep_size = keep_size
        self.square = square_of(fit, *source.shape[:2])

    @cached_property
    def _detail(self) -> np.ndarray:
        return lost_detail(self.source, cut(self.source, self.square, self.size), self.square)

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width, px."""
        if self.keep_size:
            height, width = self.source.shape[:2]
            return height, width
        return self.size, self.size

    def scene(self, picture: np.ndarray) -> _Scene:
        """A background at the output's size; it and its square meet at the square's border."""
        return _Scene(picture, cut(picture, self.square, self.size) if self.keep_size else picture)

    def write(
        self,
        batch: list[_Driven],
        painted: Painted,
        writer: VideoWriter,
        still: _Scene,
        *,
        transparent: bool,
    ) -> None:
        """Append a batch, which was painted on `still` where no background moves."""
        for index, driven in enumerate(batch):
            frame, alpha = painted.frames[index], painted.alphas[index] if transparent else None
            if self.keep_size:
                scene = driven.scene or still
                gate = painted.gates[index]
                frame = lay(scene.picture, scene.square, frame, gate, self.square)
                if self.square.side != self.size:
                    frame = self._detailed(frame, painted, index)
                if alpha is not None:
                    alpha = paste(np.zeros(frame.shape[:2], np.uint8), alpha, self.square)
            writer.write(frame, alpha, driven.time_s, driven.duration_s)

    def _detailed(self, frame: np.ndarray, painted: Painted, index: int) -> np.ndarray:
        """The frame with what the source's own size shows of the figure."""
        kept, moved = painted.kept[index], painted.moved[index]
        if kept.any():
            frame = add_detail(frame, self._detail, kept, self.square)
        if moved.any():
            detail = moved_detail(self._detail, painted.flows[index], moved, self.square)
            frame = add_detail(frame, detail, moved, self.square)
        return frame


def _driven(
    reader: VideoReader, fit: str, place: _Place, backdrop: Backdrop | None
) -> Iterator[_Driven]:
    """The driving frames, each with its moment of a moving background, fitted to the networks."""
    whole = reader.info.height, reader.info.width
    square = square_of(fit, *whole)
    for frame in reader.reduced(reduction_for(square.side, place.size)):
        seen = cut(on_white(frame.image, frame.alpha), square, place.size, whole)
        moving = backdrop.at(frame.time_s) if backdrop else None
        scene = None if moving is None else place.scene(moving)
        yield _Driven(frame.time_s, frame.duration_s, seen, scene)


def _batches(frames: Iterator[_Driven], size: int) -> Iterator[list[_Driven]]:
    while batch := list(islice(frames, size)):
        yield batch


def _least(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return min(known, default=None)
