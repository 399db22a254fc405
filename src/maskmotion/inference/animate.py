"""`maskmotion.animate`: from files to a file."""

from pathlib import Path

from maskmotion.checkpoint import DEFAULT_MODEL
from maskmotion.errors import InputError
from maskmotion.inference.backdrop import TRANSPARENT
from maskmotion.inference.engines import EngineName, open_engine
from maskmotion.inference.painter import BackgroundKind, Engine, Precision
from maskmotion.inference.video import (
    AnimatedVideo,
    ProgressHook,
    animate_with,
    check_inputs,
    check_outputs,
)
from maskmotion.models.animator import Animator


def animate(
    source: str | Path,
    driving: str | Path,
    out: str | Path,
    *,
    background: str | Path | None = None,
    background_kind: BackgroundKind = "scene",
    model: str | Path | Animator | Engine = DEFAULT_MODEL,
    frames: int | None = None,
    fit: str = "crop",
    driving_fit: str = "crop",
    keep_size: bool = False,
    scale: float | None = None,
    layers: str | Path | None = None,
    engine: EngineName = "auto",
    dtype: Precision = "auto",
    device: str = "auto",
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
        model: a name, a model folder, a folder that `maskmotion export` wrote, a loaded model, or
            an engine from `open_engine`, which saves the opening when there are many clips.
        frames: at most this many driving frames; None takes all.
        fit: what of the source is animated: "crop" (the middle square), "letterbox" (all of it),
            or "LEFT,TOP,WIDTH,HEIGHT" in px.
        driving_fit: the same for the driving video.
        keep_size: write the source's own size and shape, with what changed in the animated square
            put back; without a gate in the model all of the square. The figure keeps its detail
            where the model only moves it, and before a new background where it did not change.
        scale: of the driver's mask about its centre; None takes the model's.
        layers: a folder for the intermediate pictures, see LayerWriter.
        engine: as `open_engine` takes it.
        dtype: as `open_engine` takes it.
        device: as `open_engine` takes it.
        progress: called with (frames done, frames in all or None).
    Raises:
        InputError: anything given that cannot be used; nothing is left behind.
    """
    inputs = [source, driving] if background is None else [source, driving, background]
    check_outputs(out, layers, inputs, transparent=background == TRANSPARENT)
    check_inputs([source], [driving], background, fit, driving_fit)
    if not isinstance(model, str | Path | Animator):
        if (engine, dtype, device) != ("auto", "auto", "auto"):
            raise InputError("an opened engine has its dtype and device; name them to open_engine")
    else:
        model = open_engine(model, engine=engine, dtype=dtype, device=device)
    return animate_with(
        model,
        source,
        driving,
        out,
        background=background,
        background_kind=background_kind,
        frames=frames,
        fit=fit,
        driving_fit=driving_fit,
        keep_size=keep_size,
        scale=scale,
        layers=layers,
        progress=progress,
    )
