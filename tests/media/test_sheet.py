"""Contact sheets: pictures where they belong, titles that do not reach over one another."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskmotion.errors import ShapeError
from maskmotion.media.sheet import LINE_PX, MARGIN_PX, sheet, sheet_jpeg

ONE_LINE_PX = LINE_PX + MARGIN_PX
GREY = torch.full((3, 1, 20, 40), 0.5)
COLOURS = torch.eye(3)[:, :, None, None].expand(3, 3, 20, 40)  # red, green, blue


def pixels(page: Image.Image) -> np.ndarray:
    return np.asarray(page).astype(int)


def has_ink(part: np.ndarray) -> bool:
    return bool((part < 128).any())


def test_a_column_an_entry_and_a_row_a_sample() -> None:
    page = pixels(sheet({"grey": GREY, "colours": COLOURS}))
    assert page.shape == (3 * 20 + ONE_LINE_PX, 80, 3)
    assert (abs(page[ONE_LINE_PX:, :40] - 128) <= 1).all()
    for row, colour in enumerate(255 * np.eye(3)):
        part = page[ONE_LINE_PX + 20 * row :][:20, 40:]
        assert (part == colour).all()
    assert has_ink(page[:ONE_LINE_PX, :40])
    assert has_ink(page[:ONE_LINE_PX, 40:])


def test_row_labels_stand_beside_their_rows() -> None:
    plain = pixels(sheet({"grey": GREY}))
    page = pixels(sheet({"grey": GREY}, ["0.48 s", "", "12.00 s"]))
    left = page.shape[1] - plain.shape[1]
    assert (page[:, left:] == plain).all()
    first, second, third = page[ONE_LINE_PX:, :left].reshape(3, 20, left, 3)
    assert has_ink(first)
    assert has_ink(third)
    assert (second == 255).all()
    assert (page[:ONE_LINE_PX, :left] == 255).all()
    assert (page[:, left - 1] == 255).all()  # the longest label ends before the pictures


@given(st.lists(st.text("abc W-", max_size=40), min_size=2, max_size=2), st.integers(16, 90))
def test_titles_stay_in_their_columns(titles: list[str], width: int) -> None:
    """Each column's title is drawn as if the other column had none."""
    picture = torch.ones(1, 1, 4, width)
    both, first, second = (
        pixels(sheet({names[0]: picture, names[1] + " ": picture}))
        for names in (titles, (titles[0], ""), ("", titles[1]))
    )
    for alone, columns in ((first, slice(0, width)), (second, slice(width, None))):
        height = alone.shape[0]  # one title may take more lines than the other
        assert (both[-height:, columns] == alone[:, columns]).all()
        assert (both[:-height, columns] == 255).all()


@pytest.mark.parametrize("title", ["a title of six short words", "supercalifragilistic"])
def test_long_title_is_drawn_whole_on_more_lines(title: str) -> None:
    """As much ink as on a wide column but for spaces, and all of it above the pictures."""
    narrow, wide = (
        pixels(sheet({title: torch.ones(1, 1, 4, width)})).min(axis=2) for width in (40, 400)
    )
    assert wide.shape[0] == 4 + ONE_LINE_PX
    lines = (narrow.shape[0] - 4 - MARGIN_PX) / LINE_PX
    assert lines in (3, 4, 5)
    ink_narrow, ink_wide = ((255 - page[:-4]).sum() for page in (narrow, wide))
    assert ink_narrow == pytest.approx(ink_wide, rel=0.1)
    assert (narrow[-4:] == 255).all()


def test_jpeg_is_the_sheet() -> None:
    columns = {"grey": GREY, "colours": COLOURS}
    data = sheet_jpeg(columns, ["a", "b", "c"])
    with Image.open(io.BytesIO(data)) as page:
        assert page.format == "JPEG"
        difference = abs(pixels(page) - pixels(sheet(columns, ["a", "b", "c"])))
    assert difference.mean() < 6
    assert data == sheet_jpeg(columns, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        ({}, [], "one or more columns"),
        ({"a": GREY, "b": GREY[:2]}, [], r"one size and length.*'b': \(2, 1, 20, 40\)"),
        ({"a": GREY, "b": GREY[..., 1:]}, [], "one size and length"),
        ({"a": GREY}, ["one", "two"], "3 rows needs as many labels, not 2"),
    ],
)
def test_what_is_no_grid(columns: dict[str, torch.Tensor], rows: list[str], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        sheet(columns, rows)
