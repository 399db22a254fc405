"""Contact sheets: one titled column a kind of picture, one row a sample."""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskmotion.errors import ShapeError
from maskmotion.media.convert import to_uint8

if TYPE_CHECKING:
    from torch import Tensor  # loaded by what uses it, as it takes seconds

LINE_PX = 12
MARGIN_PX = 2
QUALITY = 90  # of a JPEG


def sheet(columns: dict[str, Tensor], rows: Sequence[str] = ()) -> Image.Image:
    """Draw a labelled grid.

    Args:
        columns: title -> (B, 3 or 1, H, W) in [0, 1], all of one B, H and W. A title wider than
            its column takes several lines.
        rows: a label for each of the B samples, such as "0.48 s"; none leaves no room for them.
    Raises:
        ShapeError: there are no columns, or their shapes differ, or there are not B labels.
    """
    _require_grid(columns, rows)
    pictures = [_rgb(stack) for stack in columns.values()]
    samples, height, width, _ = pictures[0].shape
    titles = [_wrapped(title, width - 2 * MARGIN_PX) for title in columns]
    top = max(map(len, titles)) * LINE_PX + MARGIN_PX
    left = max(map(_width, rows)) + 2 * MARGIN_PX if rows else 0
    page = Image.new("RGB", (left + width * len(pictures), top + height * samples), "white")
    draw = ImageDraw.Draw(page)
    for column, (lines, stack) in enumerate(zip(titles, pictures, strict=True)):
        x = left + column * width
        _write(draw, x + MARGIN_PX, top - MARGIN_PX - len(lines) * LINE_PX, lines)
        for row, picture in enumerate(stack):
            page.paste(Image.fromarray(picture), (x, top + row * height))
    for row, label in enumerate(rows):
        _write(draw, MARGIN_PX, top + row * height + (height - LINE_PX) // 2, [label])
    return page


def sheet_jpeg(columns: dict[str, Tensor], rows: Sequence[str] = ()) -> bytes:
    """`sheet` as a JPEG file."""
    file = io.BytesIO()
    sheet(columns, rows).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _require_grid(columns: dict[str, Tensor], rows: Sequence[str]) -> None:
    shapes = {title: tuple(stack.shape) for title, stack in columns.items()}
    if len({(shape[0], *shape[2:]) for shape in shapes.values()}) != 1:
        raise ShapeError(f"a sheet needs one or more columns of one size and length: {shapes}")
    samples = next(iter(shapes.values()))[0]
    if rows and len(rows) != samples:
        raise ShapeError(f"a sheet of {samples} rows needs as many labels, not {len(rows)}")


def _rgb(stack: Tensor) -> np.ndarray:
    """(B, 3 or 1, H, W) in [0, 1] -> (B, H, W, 3) uint8."""
    levels = to_uint8(stack)
    return np.broadcast_to(levels, (*levels.shape[:3], 3))


def _wrapped(title: str, width_px: int) -> list[str]:
    """Lines that fit, broken at spaces; a word that does not fit is broken itself."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if _width(longer) <= width_px:
            lines[-1] = longer
            continue
        *full, rest = _pieces(word, width_px)
        lines += [*full, rest]
    return [line for line in lines if line] or [""]


def _pieces(word: str, width_px: int) -> list[str]:
    pieces = [word[:1]]
    for letter in word[1:]:
        if _width(pieces[-1] + letter) <= width_px:
            pieces[-1] += letter
        else:
            pieces.append(letter)
    return pieces


def _width(text: str) -> int:
    return int(np.ceil(_font().getlength(text)))


def _write(draw: ImageDraw.ImageDraw, x: int, y: int, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        draw.text((x, y + number * LINE_PX), line, fill="black", font=_font())


@functools.cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default()
