"""`maskmotion data check`: what is wrong with clips, and what to leave out."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from maskmotion.data.check import KINDS, ClipReport, check_clips, move_dropped, write_report
from maskmotion.errors import InputError


def check(
    *folders: Path,
    out: Path | None = None,
    move: Path | None = None,
    keep: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (),
) -> None:
    """Look at every clip of folders, and tell which would harm training.

    Example: maskmotion data check my_clips --out drop.txt

    Each clip is decoded once. Reported are clips that are broken, too-short, cut by a change of
    scene, static, of a moving-camera, a copy of another clip, too small, and identities in
    both-splits, train/ and test/; the last two are only told, the others dropped from training if
    you wish so. Nothing is deleted.

    Args:
        folders: folders of clips, as `maskmotion train --data` takes them.
        out: write what would be dropped to this file, a path on each line; everything, for tools,
            if it ends in .json.
        move: move what would be dropped to this folder.
        keep: kinds of trouble that are no reason to drop a clip, such as moving-camera, which
            the paper's presets can take.
    """
    _require_known(keep)
    if not folders:
        raise InputError("name one or more folders of clips to check")
    if move is not None and move.exists() and not move.is_dir():
        raise InputError(f"{move} is a file; --move takes a folder")
    if out is not None and out.is_dir():
        raise InputError(f"{out} is a folder; --out takes a file")
    with _bar() as bar:
        task = bar.add_task("checking clips", total=None)
        reports = check_clips(
            folders, lambda done, total: bar.update(task, completed=done, total=total)
        )
    if out is not None:
        write_report(out, reports, keep)
    _print(reports, keep)
    if out is not None:
        sys.stdout.write(f"{out}: written\n")
    if move is not None:
        moved = move_dropped(reports, move, keep)
        sys.stdout.write(f"{move}: {len(moved)} clips moved there\n")


def _require_known(keep: Sequence[str]) -> None:
    known = [name for name, kind in KINDS.items() if kind.dropped]
    for name in keep:
        if name not in known:
            raise InputError(f"--keep takes {', '.join(known)}, not {name!r}")


def _bar() -> Progress:
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def _print(reports: Sequence[ClipReport], keep: Sequence[str]) -> None:
    console = Console(file=sys.stdout, highlight=False, markup=False)
    for report in reports:
        if report.troubles:
            words = "; ".join(f"{trouble.kind} ({trouble.detail})" for trouble in report.troubles)
            console.print(f"{report.path}: {words}", soft_wrap=True)
    counts = Counter(kind for r in reports for kind in {trouble.kind for trouble in r.troubles})
    if counts:
        console.print(_table(counts, keep))
    splits = Counter(report.split for report in reports)
    sides = " and ".join(f"{number} in {split}" for split, number in splits.items())
    troubled = sum(bool(report.troubles) for report in reports)
    dropped = sum(report.dropped(keep) for report in reports)
    console.print(
        f"{len(reports)} clips ({sides}): {troubled} with trouble, {dropped} to drop, "
        f"{len(reports) - dropped} to train with",
        soft_wrap=True,
    )


def _table(counts: Counter[str], keep: Sequence[str]) -> Table:
    table = Table("trouble", "clips", "dropped", "in training", "what to do", box=None)
    table.columns[0].no_wrap = True
    for name, kind in KINDS.items():
        if counts[name]:
            dropped = "yes" if kind.dropped and name not in keep else "no"
            table.add_row(name, str(counts[name]), dropped, kind.effect, kind.advice)
    return table
