"""`maskmotion synth people`: render clips of people with their exact truth."""

import math
import sys
import time
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from maskmotion.cli.times import REPORT_EVERY_S, duration
from maskmotion.synth.people.dataset import make_people


def people(
    *,
    out: Path,
    clips: int,
    seed: int,
    framing: Literal["body", "portrait", "mixed"] = "mixed",
    size: int = 256,
    fps: float = 25.0,
    frames: int = 96,
    backgrounds: Path | None = None,
    other_people: int = 0,
    other_scenes: int = 0,
    jobs: int | None = None,
) -> None:
    """Render clips of people, each with another person, motion and scene, and their truth.

    Example: maskmotion synth people --out people --clips 300 --seed 1

    Then: maskmotion train --data people/clips ...

    OUT/clips holds the clips, OUT/truth the alpha, clean background, shadow, joints and
    parameters of each. The same seed gives the same clips, and another seed none of them: render
    a test set with a seed of its own. The same command goes on where it was stopped; with more
    --clips, --other-people or --other-scenes it adds to what is there.

    Args:
        out: the folder; new, or of the same command before.
        clips: in the folder at the end.
        seed: decides who, how, where and from where.
        framing: body (head to foot), portrait (head and shoulders), or mixed: two to one.
        size: side of the clips in px, even.
        fps: frames a second.
        frames: length of each clip.
        backgrounds: a folder of pictures to stand before; left out, drawn scenes.
        other_people: for each clip, render as many others who move alike (0 to 9).
        other_scenes: for each clip, render it before as many other backgrounds (0 to 9).
        jobs: processes that render side by side; left out, one a core.
    """
    with _Screen(frames) as screen:
        made = make_people(
            out,
            clips=clips,
            seed=seed,
            framing=framing,
            size=size,
            fps=fps,
            frames=frames,
            backgrounds=backgrounds,
            other_people=other_people,
            other_scenes=other_scenes,
            jobs=jobs,
            progress=screen.show,
        )
    sys.stdout.write(
        f"{out}: {made.clips} clips ({made.new} new) of {frames} frames and {size} px; "
        f"train with --data {out / 'clips'}\n"
    )


class _Screen:
    """A progress bar on a terminal; elsewhere a line for each step, and one a minute."""

    def __init__(self, frames: int) -> None:
        self.frames = frames  # of a clip
        self.console = Console(file=sys.stderr)
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )
        self.task = self.bar.add_task("", total=None, numbers="")
        self.text = ""
        self.begun_at = self.told_at = -math.inf

    def __enter__(self) -> "_Screen":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def show(self, text: str, done: int, total: int) -> None:
        """Show what is being done, how far it is, how fast, and how long it will take."""
        now = time.monotonic()
        if text != self.text:
            self.text, self.begun_at, self.told_at = text, now, now
            self.tell(text)
        numbers = self.numbers(done, total, now - self.begun_at) if done else ""
        self.bar.update(
            self.task, description=text, completed=done, total=total or None, numbers=numbers
        )
        if done and (now - self.told_at > REPORT_EVERY_S or done == total):
            self.told_at = now
            self.tell(f"{text}: {numbers}")

    def numbers(self, done: int, total: int, passed_s: float) -> str:
        """How far, how fast and how long."""
        words = [f"{done}/{total}"]
        if self.text == "rendering":
            words.append(f"{done * self.frames / passed_s:.1f} frames/s")
        if done < total:
            words.append(f"{duration(passed_s / done * (total - done))} left")
        return ", ".join(words)

    def tell(self, text: str) -> None:
        """Print a line where no bar is shown."""
        if not self.console.is_terminal:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)
