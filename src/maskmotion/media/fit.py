"""Squares of pictures: fitting a picture of any shape to a square, and pasting the square back."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from PIL import Image

from maskmotion.errors import InputError

MIN_SIDE_PX = 16
FULL = 255
REACH_PX = 2  # of bicubic scaling
BAND_PX = 2**15  # that are moved at once, so that they stay in the cache
Slices = tuple[slice, slice]


@dataclass(frozen=True)
class Square:
    """A square of a picture, px; it may reach beyond the picture, whose edges are repeated."""

    left: int
    top: int
    side: int


def square_of(fit: str, height: int, width: int) -> Square:
    """The square that a fit takes of a picture.

    Args:
        fit: "crop" (the largest square in the middle), "letterbox" (the whole picture, its edges
            repeated), or a box "LEFT,TOP,WIDTH,HEIGHT" in px (the square round its middle that
            holds it).
        height: of the picture, px.
        width: of the picture, px.
    Raises:
        InputError: another word, or a box outside the picture.
    """
    if fit in ("crop", "letterbox"):
        side = min(height, width) if fit == "crop" else max(height, width)
        return Square((width - side) // 2, (height - side) // 2, side)
    try:
        left, top, box_width, box_height = (int(part) for part in fit.split(","))
    except ValueError:
        raise InputError(
            f"a fit is crop, letterbox, or LEFT,TOP,WIDTH,HEIGHT in pixels, not {fit!r}"
        ) from None
    inside = left >= 0 and top >= 0 and left + box_width <= width and top + box_height <= height
    if not inside or min(box_width, box_height) < MIN_SIDE_PX:
        raise InputError(
            f"the box {fit} must lie inside the picture of {width}x{height} pixels and measure "
            f"at least {MIN_SIDE_PX} each way"
        )
    side = max(box_width, box_height)
    return Square(left + (box_width - side) // 2, top + (box_height - side) // 2, side)


def cut(
    image: np.ndarray, square: Square, size: int, of: tuple[int, int] | None = None
) -> np.ndarray:
    """The square of a picture at another size.

    Args:
        image: (H, W, 3) uint8.
        square: from `square_of`.
        size: side of the result, px.
        of: height and width of the picture that the square is of, where `image` is a reduced one.
    Returns:
        (size, size, 3) uint8, low-passed where it shrinks.
    """
    height, width = image.shape[:2]
    full_height, full_width = of or (height, width)
    left, side_x = (length * width / full_width for length in (square.left, square.side))
    top, side_y = (length * height / full_height for length in (square.top, square.side))
    # What lies outside never goes through the scaling; edges are repeated where the square ends.
    first_x, last_x = floor(left), ceil(left + side_x)
    first_y, last_y = floor(top), ceil(top + side_y)
    inside = image[max(first_y, 0) : last_y, max(first_x, 0) : last_x]
    missing_y = (max(-first_y, 0), max(last_y - height, 0))
    missing_x = (max(-first_x, 0), max(last_x - width, 0))
    if any(missing_x + missing_y):
        inside = np.pad(inside, (missing_y, missing_x, (0, 0)), mode="edge")
    box = (left - first_x, top - first_y, left - first_x + side_x, top - first_y + side_y)
    return _scaled(inside, size, size, box)


def paste(canvas: np.ndarray, picture: np.ndarray, square: Square) -> np.ndarray:
    """Put a square back to where it was cut.

    Args:
        canvas: (H, W, C) uint8.
        picture: (size, size, C) uint8; both without the last axis, too.
        square: from `square_of` for the canvas' size.
    Returns:
        A new picture like the canvas.
    """
    inside, seen = meeting(square, *canvas.shape[:2])
    pasted = canvas.copy()
    pasted[inside] = _scaled(picture, square.side, square.side)[seen]
    return pasted


def lay(
    canvas: np.ndarray, still: np.ndarray, picture: np.ndarray, gate: np.ndarray, square: Square
) -> np.ndarray:
    """Put a painted square back, as far as it was painted: the rest stays the canvas' own.

    What did not change keeps its own pixels, but for two of the networks' beside what did: so far
    does scaling reach.

    Args:
        canvas: (H, W, 3) uint8, what `still` was cut out of.
        still: (size, size, 3) uint8, what the networks painted on.
        picture: (size, size, 3) uint8: gate * painted + (1 - gate) * still.
        gate: (size, size) uint8, 255 = painted.
        square: from `square_of` for the canvas' size.
    Returns:
        gate * painted + (1 - gate) * canvas inside the square, both enlarged: like the canvas.
    Source: docs/method.md, The gate.
    """
    if square.side == len(gate) or gate.min() == FULL:
        return paste(canvas, picture, square)
    laid = canvas.copy()
    opened = _opened(gate, square, *canvas.shape[:2])
    if opened is None:
        return laid
    share = gate / np.float32(FULL)
    painted = picture - (1 - share[..., None]) * still  # gate * painted, which scales as alpha does
    painted[gate == 0] = 0  # whatever an engine rounded
    inside = laid[opened.place]
    kept = 1 - opened.scaled(share)
    for plane, colour in zip(np.moveaxis(inside, -1, 0), np.moveaxis(painted, -1, 0), strict=True):
        plane[...] = np.rint(opened.scaled(colour) + kept * plane).clip(0, FULL)
    return laid


def lost_detail(picture: np.ndarray, still: np.ndarray, square: Square) -> np.ndarray:
    """What a picture shows that its square at the networks' size does not.

    Args:
        picture: (H, W, 3) uint8.
        still: (size, size, 3) uint8, cut out of it.
        square: from `square_of` for the picture's size.
    Returns:
        (H, W, 3) int16, picture minus the enlarged square; 0 outside.
    """
    return picture - paste(picture, still, square).astype(np.int16)


def moved_detail(
    detail: np.ndarray, flow: np.ndarray, share: np.ndarray, square: Square
) -> np.ndarray:
    """What scaling took from the source, where w took its pixels to.

    Args:
        detail: (H, W, 3) int16, from `lost_detail`.
        flow: (2, h, w) float32: how far right and down of a place of the square lies what belongs
            there, in half sides.
        share: (size, size) uint8, as `add_detail` takes it: elsewhere nothing is looked up.
        square: from `square_of` for the picture's size.
    Returns:
        (H, W, 3) int16, bilinear; 0 where share is.
    Source: docs/method.md, The warped source.
    """
    moved = np.zeros_like(detail)
    opened = _opened(share, square, *detail.shape[:2])
    if opened is None:
        return moved
    inside = meeting(square, *detail.shape[:2])[0]
    rows, columns = opened.place
    x = np.arange(columns.start, columns.stop, dtype=np.float32)
    across = _line(flow.shape[2], square.side, x - square.left)
    step = max(1, BAND_PX // len(x))
    for top in range(rows.start, rows.stop, step):
        y = np.arange(top, min(top + step, rows.stop), dtype=np.float32)[:, None]
        down = _line(flow.shape[1], square.side, y[:, 0] - square.top)
        way = np.float32(square.side / 2) * (down @ flow @ across.T)
        from_y, from_x = (
            places.clip(part.start, part.stop - 1)
            for places, part in zip((y + way[1], x + way[0]), inside, strict=True)
        )
        moved[top : top + len(y), columns] = np.rint(_looked_up(detail, from_x, from_y))
    return moved


def add_detail(
    picture: np.ndarray, detail: np.ndarray, share: np.ndarray, square: Square
) -> np.ndarray:
    """Give back to a picture what scaling took from the source, where it shows the source's pixels.

    Args:
        picture: (H, W, 3) uint8.
        detail: (H, W, 3) int16, from `lost_detail` or `moved_detail`.
        share: (size, size) uint8, 255 = the source's own pixels.
        square: from `square_of` for the picture's size.
    Returns:
        picture + share * detail inside the square, share enlarged: like the picture.
    Source: docs/method.md, The gate.
    """
    opened = _opened(share, square, *picture.shape[:2])
    sharp = picture.copy()
    if opened is not None:
        inside, lost = (np.moveaxis(x[opened.place], -1, 0) for x in (sharp, detail))
        shown = opened.scaled(share / np.float32(FULL)).clip(0, 1)  # bicubic scaling overshoots
        for plane, part in zip(inside, lost, strict=True):
            plane[...] = np.rint(plane + shown * part).clip(0, FULL)
    return sharp


def cover(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a picture so that it covers a canvas, and crop its middle.

    Args:
        image: (H, W, 3) uint8.
        height: of the canvas, px.
        width: of the canvas, px.
    Returns:
        (height, width, 3) uint8, low-passed where it shrinks.
    """
    own_height, own_width = image.shape[:2]
    factor = max(height / own_height, width / own_width)
    wide, high = width / factor, height / factor  # of the picture, what is seen
    left, top = max((own_width - wide) / 2, 0), max((own_height - high) / 2, 0)
    box = (left, top, min(left + wide, own_width), min(top + high, own_height))
    return _scaled(image, height, width, box)


def meeting(square: Square, height: int, width: int) -> tuple[Slices, Slices]:
    """Where a square meets its picture: rows and columns of the picture, and of the square, px."""
    top, left = max(square.top, 0), max(square.left, 0)
    bottom, right = min(square.top + square.side, height), min(square.left + square.side, width)
    rows = slice(top - square.top, bottom - square.top)
    columns = slice(left - square.left, right - square.left)
    return (slice(top, bottom), slice(left, right)), (rows, columns)


@dataclass(frozen=True)
class _Opened:
    """The part of a picture that the open part of a gate reaches: place in it, and in the gate."""

    place: Slices
    box: tuple[float, float, float, float]

    def scaled(self, plane: np.ndarray) -> np.ndarray:
        """A plane like the gate, (size, size) float32, at the picture's size: (height, width)."""
        height, width = (part.stop - part.start for part in self.place)
        return _scaled(plane, height, width, self.box)


def _opened(gate: np.ndarray, square: Square, height: int, width: int) -> _Opened | None:
    """Where a gate is open, of a square of a picture of this size; None where it is nowhere."""
    rows, columns = meeting(square, height, width)[1]
    top, bottom = _open_lines(gate.max(1), square.side, rows)
    left, right = _open_lines(gate.max(0), square.side, columns)
    if top >= bottom or left >= right:
        return None
    factor = square.side / len(gate)
    box = left / factor, top / factor, right / factor, bottom / factor
    place = (
        slice(square.top + top, square.top + bottom),
        slice(square.left + left, square.left + right),
    )
    return _Opened(place, box)


def _open_lines(lines: np.ndarray, side: int, seen: slice) -> tuple[int, int]:
    """From where to where a gate that is scaled to a side is open, px of that side.

    Args:
        lines: (size,) how far each row, or column, of the gate is open.
        side: px.
        seen: the part of the side that counts.
    """
    found = np.flatnonzero(lines)
    if not len(found):
        return 0, 0
    factor = side / len(lines)
    reach = REACH_PX * max(1, factor)
    first, last = found[0] * factor - reach, (found[-1] + 1) * factor + reach
    return max(floor(first), seen.start), min(ceil(last), seen.stop)


def _line(length: int, side: int, wanted: np.ndarray) -> np.ndarray:
    """What pixels of a line that is enlarged from `length` to `side` take of it: bilinear.

    Args:
        wanted: (n,) pixels of the enlarged line.
    Returns:
        (n, length) float32.
    """
    places = ((wanted + 0.5) * (length / side) - 0.5).clip(0, length - 1)
    return (1 - np.abs(places[:, None] - np.arange(length))).clip(0).astype(np.float32)


def _looked_up(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pixels of (H, W, C) at places inside it, (h, w) float32, bilinear: (h, w, C) float32."""
    height, width, channels = image.shape
    left, top = x.astype(np.int32), y.astype(np.int32)
    along, below = x - left.astype(np.float32), y - top.astype(np.float32)
    first, right, down = top * width + left, left < width - 1, (top < height - 1) * width
    pixels = image.reshape(-1, channels)
    corners = (
        (first, (1 - along) * (1 - below)),
        (first + right, along * (1 - below)),
        (first + down, (1 - along) * below),
        (first + right + down, along * below),
    )
    found = np.zeros((*x.shape, channels), np.float32)
    for place, share in corners:
        found += pixels.take(place, axis=0) * share[..., None]
    return found


def reduction_for(side: float, size: float) -> int:
    """How many times smaller a picture may be read whose `side` is to become `size`, both in px.

    At least twice the size is left, so that the last scaling decides how sharp it becomes.
    """
    return max(1, floor(side / (2 * size)))


def _scaled(
    image: np.ndarray, height: int, width: int, box: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """Bicubic scaling of a box, low-passed where it shrinks; of all where box is None."""
    whole = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    if (box or whole) == whole and image.shape[:2] == (height, width):
        return image
    picture = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box=box))
