"""`maskmotion animate`: a picture, a video, and what they make together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from maskmotion.checkpoint import DEFAULT_MODEL
from maskmotion.errors import InputError
from maskmotion.inference.backdrop import TRANSPARENT
from maskmotion.inference.engines import EngineName, open_engine
from maskmotion.inference.painter import BackgroundKind, Precision
from maskmotion.inference.video import ProgressHook, animate_with, check_inputs, check_outputs
from maskmotion.media import is_folder_of_frames


def animate(
    *,
    source: Annotated[list[Path], Parameter(consume_multiple=True, negative="")],
    driving: Annotated[list[Path], Parameter(consume_multiple=True, negative="")],
    out: str,
    background: str | None = None,
    background_kind: BackgroundKind = "scene",
    model: str = DEFAULT_MODEL,
    frames: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    fit: str = "crop",
    driving_fit: str = "crop",
    keep_size: Annotated[bool, Parameter(negative="")] = False,
    scale: float | None = None,
    layers: Path | None = None,
    engine: EngineName = "auto",
    dtype: Precision = "auto",
    device: str = "auto",
) -> None:
    """Animate a picture with the motion of a video, on its own or another background.

    Example: maskmotion animate --source me.png --driving dance.mp4 --background beach.jpg
    --out dance.mp4

    Sound and timing come from the driving video. Several sources or drivings make all pairs,
    written as SOURCE-DRIVING beside --out, with its ending.

    Args:
        source: the picture to animate, or a video whose first frame is taken.
        driving: the video, animation, or folder of frames whose motion is taken.
        out: where to: .mp4 .mov .mkv .webm .gif .webp .png (animated), or a folder for numbered
            PNG frames.
        background: the new background: a picture, a video, a colour such as "#20c040" or navy, or
            "transparent". Left out, the source's background stays.
        background_kind: "scene" for a plain scene, "class" for one that holds an object of the
            trained class, which is taken out.
        model: a name that `maskmotion models` lists, OWNER/NAME on the Hugging Face hub, a model
            folder, or a folder that `maskmotion export` wrote.
        frames: stop after this many frames.
        fit: what of the source is animated: crop (the square in its middle), letterbox (all of
            it), or a box LEFT,TOP,WIDTH,HEIGHT in pixels.
        driving_fit: the same for the driving video.
        keep_size: write the source's own size and shape; what does not change keeps its own pixels,
            if the model has a gate, and what the model only moves keeps its detail.
        scale: enlarge (above 1) or shrink the driver's mask, where driver and source differ in
            size; left out, the model's own.
        layers: also write the foreground with alpha, the masks and the intermediate pictures into
            this folder.
        engine: torch runs models, onnx and openvino exported folders; auto picks by the model.
        dtype: float32 is exact, bfloat16 is faster on processors that have it; auto takes it there.
        device: auto, cpu, cuda or mps.
    """
    pairs = list(product(source, driving))
    jobs = [(*pair, out, layers) for pair in pairs]
    if len(pairs) > 1:
        jobs = [(*pair, pair_path(out, *pair), pair_layers(layers, *pair)) for pair in pairs]
    check_names([target for *_, target, _ in jobs])
    files = [*source, *driving] if background is None else [*source, *driving, Path(background)]
    for *_, target, target_layers in jobs:
        check_outputs(target, target_layers, files, transparent=background == TRANSPARENT)
    check_inputs(source, driving, background, fit, driving_fit)
    runner = open_engine(model, engine=engine, dtype=dtype, device=device)
    for picture, video, target, target_layers in jobs:
        with progress_bar(Path(target).name) as progress:
            made = animate_with(
                runner,
                picture,
                video,
                target,
                background=background,
                background_kind=background_kind,
                frames=frames,
                fit=fit,
                driving_fit=driving_fit,
                keep_size=keep_size,
                scale=scale,
                layers=target_layers,
                progress=progress,
            )
        sys.stdout.write(
            f"{made.path}: {made.frames} frames, {made.duration_s:.2f} s ({runner.name})\n"
        )
        sys.stdout.flush()


def pair_name(source: Path, driving: Path) -> str:
    """What a pair is called when there are several; "." has a name, too."""
    return f"{source.absolute().stem}-{driving.absolute().stem}"


def pair_path(out: str, source: Path, driving: Path) -> str:
    """Where a pair goes when there are several: beside `out`, named after both."""
    name = pair_name(source, driving)
    if is_folder_of_frames(out):
        return f"{Path(out) / name}/"
    target = Path(out)
    return str(target.with_name(f"{name}{target.suffix}"))


def pair_layers(layers: Path | None, source: Path, driving: Path) -> Path | None:
    """Where the layers of a pair go when there are several."""
    return None if layers is None else layers / pair_name(source, driving)


def check_names(targets: list[str]) -> None:
    """Raise InputError where two pairs would be written to one path."""
    for index, target in enumerate(targets):
        if target in targets[:index]:
            raise InputError(
                f"two pairs would both be written to {target}; give sources and drivings different "
                "names, or make them one at a time"
            )


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressHook | None]:
    """A bar with frames/s and time left on a terminal's standard error; None elsewhere."""
    if not sys.stderr.isatty():  # rich takes FORCE_COLOR for a terminal, too
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} frames, {task.fields[rate]:.1f} frames/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, rate=0.0)

        def update(done: int, total: int | None) -> None:
            elapsed = bar.tasks[task].elapsed or 0.0
            bar.update(task, completed=done, total=total, rate=done / max(elapsed, 1e-3))

        yield update
