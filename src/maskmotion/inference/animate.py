"""From files to a file: animate a still with the motion of a video."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from maskmotion.checkpoint import DEFAULT_MODEL, load_model
from maskmotion.errors import InputError
from maskmotion.inference.backdrop import TRANSPARENT, on_white, open_backdrop
from maskmotion.inference.layers import LayerWriter
from maskmotion.inference.session import AnimationSession, BackgroundKind
from maskmotion.media import Frame, open_video, open_writer, read_still, to_tensor, to_uint8
from maskmotion.models.animator import Animator

BATCH_FRAMES = 8
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
    layers: str | Path | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    progress: ProgressHook | None = None,
) -> AnimatedVideo:
    """Animate a still with the motion of a video, on its own or another background.

    Args:
        source: a picture; transparency is laid on white.
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
        layers: a folder for the intermediate pictures, see LayerWriter.
        dtype: torch.float32 or torch.bfloat16.
        device: where a model given by name is loaded to.
        progress: called with (frames done, frames in all or None).
    Raises:
        InputError: anything given that cannot be used; nothing is left behind.
    """
    if frames is not None and frames < 1:
        raise InputError(f"--frames takes a number of frames from 1, not {frames}")
    still = read_still(source)
    with ExitStack() as stack:
        reader = stack.enter_context(open_video(driving))
        network = model if isinstance(model, Animator) else load_model(model, device=device)
        transparent = background == TRANSPARENT
        backdrop = None
        if background is not None and not transparent:
            backdrop = stack.enter_context(open_backdrop(background))
        session = AnimationSession(
            network,
            to_tensor([on_white(still.image, still.alpha)]),
            background=backdrop.still if backdrop else None,
            background_kind=background_kind,
            fit=fit,
            driving_fit=driving_fit,
            keep_size=keep_size,
            dtype=dtype,
        )
        height, width = session.output_size
        total = _least(reader.info.frames, frames)
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
        done, end_s = 0, 0.0
        for batch in _batches(islice(iter(reader), frames)):
            times = [frame.time_s for frame in batch]
            driven = to_tensor([on_white(frame.image, frame.alpha) for frame in batch])
            animated = session.animate(driven, backdrop.at(times) if backdrop else None)
            if layer_writer:
                layer_writer.write(animated)
            covers = to_uint8(animated.alpha)[..., 0] if transparent else [None] * len(batch)
            for picture, cover, time in zip(to_uint8(animated.frames), covers, times, strict=True):
                writer.write(picture, cover, time)
            done, end_s = done + len(batch), batch[-1].time_s + batch[-1].duration_s
            if progress:
                progress(done, total)
    return AnimatedVideo(Path(out), done, end_s)


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, BATCH_FRAMES)):
        yield batch


def _least(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return min(known, default=None)
