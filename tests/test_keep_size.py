"""docs/keep_size.py draws the upper half of figures, and says what it needs."""

import importlib.util
import shutil
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

from maskmotion.media import open_writer
from maskmotion.synth.puppets import render_clip

SCRIPT = Path(__file__).parents[1] / "docs" / "keep_size.py"


@pytest.fixture(scope="module")
def keep_size() -> ModuleType:
    spec = importlib.util.spec_from_file_location("keep_size", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_for_each_of_the_first_who_have_another_beside_them(
    keep_size: ModuleType, tmp_path: Path
) -> None:
    clip = render_clip(figure_seed=1, motion_seed=1, background_seed=1, frames=3)
    (tmp_path / "clips").mkdir()
    path = tmp_path / "clips" / "p0.mp4"
    with open_writer(path, width=128, height=128, fps=Fraction(5)) as writer:
        for frame in clip.frames:
            writer.write(frame)
    asked = ["--people", str(tmp_path), "--model", "robot-tiny", "--out", str(tmp_path / "a.jpg")]
    with pytest.raises(SystemExit, match="render with --other-people 1"):
        keep_size.main(asked)
    heights = []
    for count in (1, 2):
        name = f"p{count}"
        shutil.copy(path, tmp_path / "clips" / f"{name}.mp4")
        (tmp_path / "counterfactuals" / name).mkdir(parents=True)
        shutil.copy(path, tmp_path / "counterfactuals" / name / "person-1.mp4")
        keep_size.main(asked)
        with Image.open(tmp_path / "a.jpg") as sheet:
            assert sheet.width == 5 * keep_size.TILE_PX
            heights.append(sheet.height)
    assert heights[1] - heights[0] == keep_size.TILE_PX


def test_the_upper_half_begins_above_the_mask(keep_size: ModuleType) -> None:
    alpha = torch.zeros(1, 1, 160, 160)
    alpha[..., 60:, 100:120] = 1
    rows, columns = keep_size.upper_half(alpha)
    assert (rows.start, rows.stop) == (50, 130)
    assert (columns.start, columns.stop) == (69, 149)
    rows, columns = keep_size.upper_half(torch.zeros_like(alpha))  # no figure: the middle's top
    assert (rows.start, columns.start) == (0, 40)
