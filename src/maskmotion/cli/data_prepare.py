"""`maskmotion data prepare`: raw footage becomes square training clips."""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from maskmotion.data.manifest import Box, Manifest, make_settings
from maskmotion.data.prepare import prepare_footage
from maskmotion.data.preview_page import PAGE
from maskmotion.errors import ConfigError, InputError


def prepare(
    *footage: Path,
    out: Path,
    size: int = 256,
    box: str = "auto",
    seconds: str = "2..10",
    test_share: float = 0.1,
    keep_moving_camera: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Cut raw footage into square clips of what moves in it.

    Example: maskmotion data prepare footage --out my_clips

    Footage is cut where the scene changes. Pieces in which nothing moves, or the camera does, are
    dropped. The clips are named after the footage, which stands for the identity: NAME#000.mp4,
    NAME#001.mp4 and so on are all in train/ or all in test/. preview.html shows each clip's square
    and why pieces were dropped. The same command goes on where it was stopped; footage may be
    added. Footage is only read. The true alpha of rendered clips is cut alike, into truth/.

    Args:
        footage: videos, folders of videos, or a folder of frames.
        out: the folder for the clips; new, or of the same command before.
        size: side of the clips in px.
        box: which square of the picture: auto (where things move), centre, or left,top,side in px.
        seconds: the shortest and the longest clip, such as 2..10.
        test_share: share of the footage that goes to test/.
        keep_moving_camera: keep pieces of a moving camera, too, for the presets vox, taichi, bair,
            and for people where the true alpha is known.
    """
    if not footage:
        raise InputError("name the footage to prepare: videos, or folders that hold some")
    shortest_s, longest_s = _span(seconds)
    settings = make_settings(
        size=size,
        box=_box(box),
        shortest_s=shortest_s,
        longest_s=longest_s,
        test_share=test_share,
        keep_moving_camera=keep_moving_camera,
    )
    with _Screen() as screen:
        manifest, problems = prepare_footage(footage, out, settings, screen.show)
    for problem in problems:
        sys.stderr.write(f"maskmotion: warning: {problem}\n")
    _print(manifest, out)


def _span(text: str) -> tuple[float, float]:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\.\.(\d+(?:\.\d+)?)", text.strip())
    if not match:
        raise ConfigError(f"--seconds takes the shortest and longest, such as 2..10, not {text!r}")
    return float(match[1]), float(match[2])


def _box(text: str) -> str | Box:
    if text in ("auto", "centre"):
        return text
    match = re.fullmatch(r"(\d+),(\d+),(\d+)", text.replace(" ", ""))
    if not match:
        raise ConfigError(f"--box takes auto, centre, or left,top,side in px, not {text!r}")
    return int(match[1]), int(match[2]), int(match[3])


class _Screen:
    """A progress bar on a terminal, a line for each step elsewhere."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        self.bar = Progress(
            *columns,
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self.text = ""

    def __enter__(self) -> "_Screen":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def show(self, text: str, share: float) -> None:
        """Show what is being done, and how much of it is."""
        if text != self.text:
            self.text = text
            for task in self.bar.task_ids:
                self.bar.remove_task(task)
            self.bar.add_task(text, total=1)
            if not self.console.is_terminal:
                self.console.print(text, markup=False, highlight=False, soft_wrap=True)
        self.bar.update(self.bar.task_ids[-1], completed=share)


def _print(manifest: Manifest, out: Path) -> None:
    for source in manifest.sources:
        reasons = Counter(piece.dropped for piece in source.pieces if piece.dropped)
        dropped = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        words = f" in {source.split}/" if source.kept else ""
        words += " with their true alpha" if source.kept and source.alpha else ""
        words += f"; dropped: {dropped}" if dropped else ""
        sys.stdout.write(f"{source.name}: {source.kept} clips{words}\n")
    train, test = (
        sum(source.kept for source in manifest.sources if source.split == split)
        for split in ("train", "test")
    )
    sides = f"{train} clips in train/, {test} in test/"
    sys.stdout.write(f"{out}: {sides}; look at {out / PAGE}\n")
