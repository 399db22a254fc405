"""Sheets of a run: every picture of the data flow, nothing moved."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from maskmotion.config import ModelConfig
from maskmotion.media.sheet import sheet
from maskmotion.models.animator import Animator
from maskmotion.training.preview import preview_columns, save_sheet

from .conftest import assert_same

SWAP = ["background base", "background refined"]


def animator(**settings: object) -> Animator:
    return Animator(ModelConfig.model_validate({"width": 0.0625, "image_size": 128} | settings))


def test_a_warped_source_is_shown() -> None:
    model = Animator(ModelConfig(width=1 / 16, image_size=128, warp=True))
    frames = [torch.rand(2, 3, 128, 128) for _ in range(3)]
    columns = preview_columns(model, *frames, seed=0)
    assert columns["warped"].shape == columns["source warped"].shape == (2, 3, 128, 128)


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_columns_and_a_model_left_as_it_was(background: bool, training: bool) -> None:
    model = animator(background_networks=background).train(training)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    numbers = torch.get_rng_state()
    frames = torch.rand(3, 2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    columns = preview_columns(model, *frames, seed=0)
    assert list(columns) == [
        "source",
        "driving",
        "source mask",
        "driving mask",
        "perturbed",
        "refined",
        "low-res",
        "high-res",
        *(SWAP if background else []),
        "other driving",
        "its refined mask",
        "animated",
        *(["on other's scene"] if background else []),
    ]
    for title, pictures in columns.items():
        assert pictures.shape[0] == 2
        assert pictures.shape[1] in (1, 3)
        assert pictures.shape[2:] == (128, 128)
        assert not pictures.requires_grad, title
        assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1, title
    assert_same(model.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(module.training == training for module in model.modules())
    again = preview_columns(model, *frames, seed=0)
    assert_same(again, columns)
    assert not torch.equal(preview_columns(model, *frames, seed=1)["perturbed"], again["perturbed"])


def test_saved_sheet_is_the_one_returned(tmp_path: Path) -> None:
    columns = {"grey": torch.full((3, 1, 20, 30), 0.5), "noise": torch.rand(3, 3, 20, 30)}
    returned = save_sheet(columns, tmp_path / "new" / "sheet.png")
    with Image.open(tmp_path / "new" / "sheet.png") as page:
        assert page.format == "PNG"
        assert np.array_equal(np.asarray(page), np.asarray(returned))
    assert np.array_equal(np.asarray(returned), np.asarray(sheet(columns)))
