"""`maskmotion animate`: a picture, a video, and what they make together."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Annotated, Literal

import torch
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from maskmotion.checkpoint import DEFAULT_MODEL, load_model
from maskmotion.cli.devices import pick_device
from maskmotion.errors import InputError
from maskmotion.inference.animate import ProgressHook
from maskmotion.inference.animate import animate as animate_files

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def animate(
    *,
    source: Annotated[list[Path], Parameter(consume_multiple=True, negative="")],
    driving: Annotated[list[Path], Parameter(consume_multiple=True, negative="")],
    out: str,
    background: str | None = None,
    background_kind: Literal["scene", "class"] = "scene",
    model: str = DEFAULT_MODEL,
    frames: int | None = None,
    fit: str = "crop",
    driving_fit: str = "crop",
    keep_size: Annotated[bool, Parameter(negative="")] = False,
    layers: Path | None = None,
    dtype: Literal["float32", "bfloat16"] = "float32",
    device: str = "auto",
) -> None:
    """Animate a picture with the motion of a video, on its own or another background.

    Example: maskmotion animate --source me.png --driving dance.mp4 --background beach.jpg
    --out dance.mp4

    Sound and timing come from the driving video. Several sources or drivings make all pairs,
    written as SOURCE-DRIVING into the folder of --out, with its ending.

    Args:
        source: the picture to animate.
        driving: the video, animation, or folder of frames whose motion is taken.
        out: where to: .mp4 .mov .mkv .webm .gif .webp .png (animated), or a folder for numbered
            PNG frames.
        background: the new background: a picture, a video, a colour such as "#20c040" or navy, or
            "transparent". Left out, the source's background stays.
        background_kind: "scene" for a plain scene, "class" for one that holds an object of the
            trained class, which is taken out.
        model: a name that `maskmotion models` lists, or a model folder.
        frames: stop after this many frames.
        fit: what of the source is animated: crop (the square in its middle), letterbox (all of
            it), or a box LEFT,TOP,WIDTH,HEIGHT in pixels.
        driving_fit: the same for the driving video.
        keep_size: write the source's own size and shape, with the animated square pasted back.
        layers: also write the foreground with alpha, the masks and the intermediate pictures into
            this folder.
        dtype: float32 is exact, bfloat16 is faster on processors that have it.
        device: auto, cpu, cuda or mps.
    """
    pairs = list(product(source, driving))
    check_names(out, pairs)
    network = load_model(model, device=pick_device(device))
    for picture, video in pairs:
        single = len(pairs) == 1
        target = out if single else pair_path(out, picture, video)
        target_layers = layers
        if layers is not None and not single:
            target_layers = layers / f"{picture.stem}-{video.stem}"
        with progress_bar(Path(target).name) as progress:
            made = animate_files(
                picture,
                video,
                target,
                background=background,
                background_kind=background_kind,
                model=network,
                frames=frames,
                fit=fit,
                driving_fit=driving_fit,
                keep_size=keep_size,
                layers=target_layers,
                dtype=DTYPES[dtype],
                progress=progress,
            )
        sys.stdout.write(f"{made.path}: {made.frames} frames, {made.duration_s:.2f} s\n")


def pair_path(out: str, source: Path, driving: Path) -> str:
    """Where a pair goes when there are several: beside `out`, named after both."""
    target = Path(out)
    name = f"{source.stem}-{driving.stem}"
    if target.suffix:
        return str(target.with_name(f"{name}{target.suffix}"))
    return f"{target / name}/"


def check_names(out: str, pairs: list[tuple[Path, Path]]) -> None:
    """Raise InputError where two of several pairs would be written to one path."""
    paths = [pair_path(out, *pair) for pair in pairs]
    for index, path in enumerate(paths):
        if path in paths[:index]:
            raise InputError(
                f"two pairs would both be written to {path}; give sources and drivings different "
                "names, or make them one at a time"
            )


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressHook | None]:
    """A bar with frames/s and time left on a terminal's standard error; None elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} frames, {task.fields[rate]:.1f} frames/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, rate=0.0)

        def update(done: int, total: int | None) -> None:
            elapsed = bar.tasks[task].elapsed or 0.0
            bar.update(task, completed=done, total=total, rate=done / max(elapsed, 1e-3))

        yield update
