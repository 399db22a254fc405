"""What is kept of a case: a mean for each contender and metric, and a few frames for a sheet."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from maskmotion.evaluation.cases import Batch
from maskmotion.media.sheet import sheet_jpeg

SHEET_ROWS = 4


@dataclass(frozen=True)
class Score:
    """A case's value of a metric: the mean over the frames that have it; NaN where none has."""

    mean: float
    frames: int


NO_SCORE = Score(float("nan"), 0)
Scores = dict[str, dict[str, Score]]  # contender -> metric -> score


@dataclass(frozen=True)
class CaseScores:
    """A case's scores and the files of its sheets, both by the task's title."""

    name: str
    scores: dict[str, Scores]
    sheets: dict[str, Path]

    def score(self, task: str, contender: str, metric: str) -> Score:
        """NO_SCORE where the contender has none."""
        return self.scores[task].get(contender, {}).get(metric, NO_SCORE)


class Tally:
    """Sums over the frames of a case."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, Score]] = {}

    def add(self, contender: str, metric: str, values: Tensor) -> None:
        """Values (B,) of further frames; those that are NaN do not count."""
        known = values[~values.isnan()].double()
        metrics = self._sums.setdefault(contender, {})
        had = metrics.get(metric, Score(0.0, 0))
        metrics[metric] = Score(had.mean + float(known.sum()), had.frames + len(known))

    def scores(self) -> Scores:
        """Means over the frames that were added."""
        return {
            contender: {
                name: Score(s.mean / s.frames, s.frames) if s.frames else NO_SCORE
                for name, s in metrics.items()
            }
            for contender, metrics in self._sums.items()
        }


class Rows:
    """A few frames of a case for its sheet, evenly spread over however many come.

    Args:
        columns: what a batch shows besides the contenders: title -> (B or 1, 3, S, S) or None.
        every: distance of the evaluated frames in the clip, for the labels.
    """

    def __init__(self, columns: dict[str, Callable[[Batch], Tensor | None]], every: int) -> None:
        self._columns = columns
        self._every = every
        self._step = 1
        self._rows: dict[int, dict[str, Tensor]] = {}

    def see(self, batch: Batch, pictures: dict[str, Tensor]) -> None:
        """Keep the frames whose turn it is; pictures are (B, 3, S, S), by contender."""
        given = {title: of(batch) for title, of in self._columns.items()}
        shown = {title: p for title, p in (given | pictures).items() if p is not None}
        for index in range(len(batch.driving)):
            number = batch.number + index
            if number % self._step == 0:
                self._rows[number] = {t: p[index if len(p) > 1 else 0] for t, p in shown.items()}
            if len(self._rows) > 2 * SHEET_ROWS:
                self._step *= 2
                self._rows = {n: r for n, r in self._rows.items() if n % self._step == 0}

    def save(self, folder: Path) -> Path:
        """Write the labelled sheet into a folder, as a new file."""
        numbers = list(self._rows)
        places = np.linspace(0, len(numbers) - 1, min(SHEET_ROWS, len(numbers)))
        chosen = [numbers[place] for place in places.round().astype(int)]
        columns = {
            title: torch.stack([self._rows[number][title] for number in chosen])
            for title in self._rows[chosen[0]]
        }
        path = folder / f"{len(list(folder.iterdir())):06d}.jpg"
        path.write_bytes(sheet_jpeg(columns, [f"frame {n * self._every}" for n in chosen]))
        return path
