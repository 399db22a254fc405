"""What is kept of a case: a number for each contender, metric and frame, and a few frames."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from maskmotion.evaluation.cases import Batch
from maskmotion.media import to_tensor, to_uint8
from maskmotion.media.sheet import sheet_jpeg

SHEET_ROWS = 4

Values = dict[str, dict[str, np.ndarray]]  # contender -> metric -> (T,), NaN where there is none
NO_VALUES = np.empty(0)


@dataclass(frozen=True)
class CaseValues:
    """A case's values frame by frame and the files of its sheets, both by the task's title."""

    name: str
    identity: str
    values: dict[str, Values]
    sheets: dict[str, Path]

    def of(self, task: str, contender: str, metric: str) -> np.ndarray:
        """(T,) values; empty where the contender has none."""
        return self.values[task].get(contender, {}).get(metric, NO_VALUES)


def mean_of(values: np.ndarray) -> float:
    """The mean of those that are there; NaN where none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


class Tally:
    """Values of a case, batch by batch."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, list[np.ndarray]]] = {}

    def add(self, contender: str, metric: str, values: Tensor) -> None:
        """Values (B,) of further frames, NaN where there is none."""
        parts = self._parts.setdefault(contender, {}).setdefault(metric, [])
        parts.append(values.cpu().numpy().astype(np.float64))

    def values(self) -> Values:
        """All that were added."""
        return {
            contender: {name: np.concatenate(parts) for name, parts in metrics.items()}
            for contender, metrics in self._parts.items()
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
        self._rows: dict[int, dict[str, np.ndarray]] = {}

    def see(self, batch: Batch, pictures: dict[str, Tensor]) -> None:
        """Keep the frames whose turn it is; pictures are (B, 3, S, S), by contender."""
        given = {title: of(batch) for title, of in self._columns.items()}
        shown = {title: p for title, p in (given | pictures).items() if p is not None}
        for index in range(len(batch.driving)):
            number = batch.number + index
            if number % self._step == 0:
                # In bytes of their own: a view would keep its whole batch.
                self._rows[number] = {
                    title: to_uint8(p[index % len(p)][None])[0] for title, p in shown.items()
                }
            if len(self._rows) > 2 * SHEET_ROWS:
                self._step *= 2
                self._rows = {n: r for n, r in self._rows.items() if n % self._step == 0}

    def save(self, folder: Path) -> Path:
        """Write the labelled sheet into a folder, as a new file."""
        numbers = list(self._rows)
        places = np.linspace(0, len(numbers) - 1, min(SHEET_ROWS, len(numbers)))
        chosen = [numbers[place] for place in places.round().astype(int)]
        columns = {
            title: to_tensor([self._rows[number][title] for number in chosen])
            for title in self._rows[chosen[0]]
        }
        path = folder / f"{len(list(folder.iterdir())):06d}.jpg"
        path.write_bytes(sheet_jpeg(columns, [f"frame {n * self._every}" for n in chosen]))
        return path
