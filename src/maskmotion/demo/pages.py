"""demo.mp4 and demo.png: the inputs, what was made of them, and the truth, side by side."""

import functools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from maskmotion.demo.inputs import FPS, Inputs
from maskmotion.demo.results import Distance, Results
from maskmotion.media import open_writer

TITLE = "An unseen person moves like another one, on a new background"
VIDEO_TILE_PX = 256
SHEET_TILE_PX = 192
MOMENTS = 5
GAP_PX = 8
TITLE_PX = 44
CAPTION_PX = 26
LABELS_PX = 176
TITLE_FONT_PX, LABEL_FONT_PX, SMALL_FONT_PX = 24, 17, 14
INK, GREY = "#1a1a1a", "#6a6a6a"


def write_video(path: Path, inputs: Inputs, results: Results) -> None:
    """Write the inputs, results and truths as captioned tiles that play side by side.

    Raises:
        MediaError: the file cannot be written.
    """
    above = [
        ("source", inputs.source),
        ("driving clip", inputs.driving),
        ("animated", results.animated),
        ("truth", inputs.target),
    ]
    below = [("new background", inputs.background), ("mask", results.mask)]
    if results.swapped is not None:
        below += [("swapped", results.swapped), ("truth", inputs.target_swapped)]
    tile, step_x = VIDEO_TILE_PX, VIDEO_TILE_PX + GAP_PX
    step_y = tile + CAPTION_PX + GAP_PX
    width, height = GAP_PX + step_x * len(above), TITLE_PX + 2 * step_y
    empty = _page(width, height)
    with open_writer(path, width=width, height=height, fps=Fraction(FPS)) as writer:
        for moment in range(len(inputs.driving)):
            page = empty.copy()
            for row, tiles in enumerate((above, below)):
                for column, (caption, frames) in enumerate(tiles):
                    x, y = GAP_PX + column * step_x, TITLE_PX + row * step_y
                    _write(page, x, y + 2, caption, LABEL_FONT_PX)
                    frame = frames if frames.ndim == 3 else frames[moment]
                    page.paste(_tile(frame, tile), (x, y + CAPTION_PX))
            writer.write(np.asarray(page))


def draw_sheet(
    inputs: Inputs, results: Results, distances: Sequence[Distance], moved_share: float
) -> np.ndarray:
    """Draw a few moments of each clip below the inputs and a table, (H, W, 3) uint8.

    Args:
        inputs: of any size.
        results: of all frames.
        distances: of the results from the truth, for the table.
        moved_share: share of all pixels that move.
    """
    rows = [
        ("Driving clip", "another person, whose motion is taken", inputs.driving),
        ("Mask", "the driver's pose, refined to the source's shape", results.mask),
        ("Animated", "the source in the driver's poses", results.animated),
        ("Truth", "the source's person rendered in these poses", inputs.target),
    ]
    if results.swapped is not None:
        rows += [
            ("Swapped", "animated, before the new background", results.swapped),
            ("Truth", "rendered before the new background", inputs.target_swapped),
        ]
    step = SHEET_TILE_PX + GAP_PX
    first_x = GAP_PX + LABELS_PX
    page = _page(first_x + MOMENTS * step, TITLE_PX + step * (1 + len(rows)))
    _label(page, TITLE_PX, "Given", "a source and a new background, which training never saw")
    for column, picture in enumerate((inputs.source, inputs.background)):
        page.paste(_tile(picture, SHEET_TILE_PX), (first_x + column * step, TITLE_PX))
    _table(page, first_x + 2 * step + 3 * GAP_PX, TITLE_PX, distances, moved_share)
    moments = np.linspace(0, len(inputs.driving) - 1, MOMENTS).astype(int)
    for row, (name, about, frames) in enumerate(rows, start=1):
        y = TITLE_PX + row * step
        _label(page, y, name, about)
        for column, moment in enumerate(moments):
            page.paste(_tile(frames[moment], SHEET_TILE_PX), (first_x + column * step, y))
    return np.asarray(page)


def _page(width: int, height: int) -> Image.Image:
    page = Image.new("RGB", (width, height), "white")
    _write(page, GAP_PX, 7, TITLE, TITLE_FONT_PX)
    return page


def _tile(frame: np.ndarray, side: int) -> Image.Image:
    return Image.fromarray(frame).resize((side, side), Image.Resampling.BICUBIC)


def _label(page: Image.Image, y: int, name: str, about: str) -> None:
    """A row's name, and what it is in lines that fit."""
    _write(page, GAP_PX, y, name, LABEL_FONT_PX)
    lines = [""]
    for word in about.split():
        longer = f"{lines[-1]} {word}".strip()
        if _font(SMALL_FONT_PX).getlength(longer) <= LABELS_PX - 2 * GAP_PX:
            lines[-1] = longer
        else:
            lines.append(word)
    for number, line in enumerate(lines):
        _write(page, GAP_PX, y + 26 + 19 * number, line, SMALL_FONT_PX, GREY)


def _table(
    page: Image.Image, x: int, y: int, distances: Sequence[Distance], moved_share: float
) -> None:
    """The distances from the truth, one a line; each two belong to one background."""
    _write(page, x, y, "Mean error against the truth, of 255", LABEL_FONT_PX)
    ends = x + 300, x + 440  # of the columns
    y += 34
    for end, head in zip(ends, ("all pixels", f"the {moved_share:.0%} that move"), strict=True):
        _write(page, end, y, head, SMALL_FONT_PX, GREY, right=True)
    for number, distance in enumerate(distances):
        y += 34 if number % 2 == 0 else 24
        _write(page, x, y, distance.title, LABEL_FONT_PX)
        for end, value in zip(ends, (distance.everywhere, distance.moved), strict=True):
            _write(page, end, y, f"{value:.1f}", LABEL_FONT_PX, right=True)


def _write(
    page: Image.Image,
    x: int,
    y: int,
    text: str,
    font_px: int,
    colour: str = INK,
    *,
    right: bool = False,
) -> None:
    """Text below y, from x or, with `right`, up to x."""
    ImageDraw.Draw(page).text(
        (x, y), text, fill=colour, font=_font(font_px), anchor="ra" if right else "la"
    )


@functools.cache
def _font(px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(px)
