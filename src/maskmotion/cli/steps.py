"""Steps of a command on the screen: what is being done, how far it is, how long it will take."""

import math
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from maskmotion.cli.times import REPORT_EVERY_S, duration


class Steps:
    """A progress bar on a terminal; elsewhere a line for each step, and one a minute.

    Args:
        frames: of an item that is rendered, whose rate is told.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames
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

    def __enter__(self) -> "Steps":
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
