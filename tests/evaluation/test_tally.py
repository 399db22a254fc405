"""What is kept of a case."""

import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskmotion.evaluation.cases import Batch
from maskmotion.evaluation.tally import SHEET_ROWS, CaseValues, Rows, Tally, mean_of

KNOWN = st.floats(-9, 9, width=32)
MISSING = st.just(float("nan"))


@given(st.lists(st.lists(st.one_of(KNOWN, MISSING), max_size=9), min_size=1))
def test_values_are_kept_frame_by_frame(batches: list[list[float]]) -> None:
    tally = Tally()
    tally.add("other", "l1", torch.tensor([5.0]))
    for batch in batches:
        tally.add("model", "l1", torch.tensor(batch))
        tally.add("model", "psnr", torch.tensor(batch) + 1)
    values = tally.values()
    expected = np.array([value for batch in batches for value in batch])
    np.testing.assert_array_equal(values["model"]["l1"], expected)
    np.testing.assert_allclose(values["model"]["psnr"], expected + 1, atol=1e-6)
    np.testing.assert_array_equal(values["other"]["l1"], [5.0])


@given(st.lists(st.one_of(KNOWN, MISSING), max_size=9))
def test_a_mean_is_over_known_frames(values: list[float]) -> None:
    known = [value for value in values if not np.isnan(value)]
    mean = mean_of(np.array(values))
    assert mean == pytest.approx(sum(known) / len(known)) if known else np.isnan(mean)


def test_a_contender_without_values_has_no_frames() -> None:
    case = CaseValues("a", "a", {"task": {"m": {"l1": np.array([0.5])}}}, {})
    assert case.of("task", "m", "l1").tolist() == [0.5]
    assert len(case.of("task", "m", "psnr")) == len(case.of("task", "n", "l1")) == 0


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


def test_a_kept_frame_does_not_keep_its_batch() -> None:
    rows = Rows({"driving": lambda b: b.driving}, every=1)
    driving = torch.zeros(8, 3, 32, 32)
    batch = weakref.ref(driving)
    rows.see(Batch(0, torch.zeros(1, 3, 32, 32), driving), {"model": driving})
    del driving
    assert batch() is None
    for picture in rows._rows[0].values():
        block = picture if picture.base is None else picture.base
        assert block.nbytes == 3 * 32 * 32
