"""What is kept of a case."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskmotion.evaluation.cases import Batch
from maskmotion.evaluation.tally import SHEET_ROWS, Rows, Score, Tally


@given(st.lists(st.lists(st.one_of(st.floats(-9, 9), st.just(float("nan"))), max_size=9)))
def test_a_score_is_the_mean_of_known_frames(batches: list[list[float]]) -> None:
    tally = Tally()
    tally.add("other", "l1", torch.tensor([5.0]))
    for batch in batches:
        tally.add("model", "l1", torch.tensor(batch))
    known = [value for batch in batches for value in batch if not np.isnan(value)]
    score = tally.scores().get("model", {}).get("l1", Score(float("nan"), 0))
    assert score.frames == len(known)
    assert tally.scores()["other"]["l1"] == Score(5.0, 1)
    if known:
        assert score.mean == pytest.approx(np.mean(known), abs=1e-5)
    else:
        assert np.isnan(score.mean)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 9, 40, 333])
def test_sheets_show_frames_from_the_whole_clip(frames: int, tmp_path: Path) -> None:
    rows = Rows({"source": lambda b: b.source, "absent": lambda b: b.background}, every=2)
    for number in range(0, frames, 8):
        levels = torch.arange(number, min(number + 8, frames)) / 400
        driving = levels[:, None, None, None].expand(-1, 3, 32, 32)
        rows.see(Batch(number, torch.zeros(1, 3, 32, 32), driving), {"model": driving})
    assert len(rows._rows) <= 2 * SHEET_ROWS
    sheet = np.asarray(Image.open(rows.save(tmp_path)).convert("L"), float)
    count = min(frames, SHEET_ROWS)
    top = sheet.shape[0] - 32 * count
    shown = [sheet[top + 32 * i + 16, -16] / 255 * 400 for i in range(count)]
    assert shown == sorted(shown)
    assert shown[0] == pytest.approx(0, abs=3)
    assert shown[-1] >= 0.7 * (frames - 1) - 3  # of a stream whose end is not known beforehand


def test_two_sheets_are_two_files(tmp_path: Path) -> None:
    rows = Rows({"source": lambda b: b.source}, every=1)
    rows.see(Batch(0, torch.zeros(1, 3, 32, 32), torch.zeros(2, 3, 32, 32)), {})
    assert rows.save(tmp_path) != rows.save(tmp_path)
