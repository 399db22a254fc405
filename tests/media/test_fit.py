"""Squares of pictures: what is cut, that pasting undoes cutting, and that tensors agree."""

from math import ceil

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from maskmotion.errors import InputError
from maskmotion.inference import fit as tensors
from maskmotion.media import to_tensor, to_uint8
from maskmotion.media.fit import (
    MIN_SIDE_PX,
    Square,
    add_detail,
    cover,
    cut,
    lay,
    lost_detail,
    paste,
    reduction_for,
    square_of,
)

BICUBIC = Image.Resampling.BICUBIC
SIDES = st.integers(1, 70)
FITS = st.sampled_from(["crop", "letterbox"])


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, height, width]).integers(
        0, 256, (height, width, 3), np.uint8
    )


def smooth(height: int, width: int) -> np.ndarray:
    """A picture of slow waves, the same at every size."""
    y, x = np.mgrid[0:height, 0:width]
    y, x = (y + 0.5) / height, (x + 0.5) / width
    waves = [np.sin(4 * x + 3 * y), np.cos(5 * x), np.sin(6 * y - 2 * x)]
    return np.rint(127.5 + 120 * np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize(
    ("fit", "height", "width", "square"),
    [
        ("crop", 40, 60, Square(10, 0, 40)),
        ("crop", 61, 40, Square(0, 10, 40)),
        ("letterbox", 40, 60, Square(0, -10, 60)),
        ("letterbox", 61, 40, Square(-11, 0, 61)),
        ("crop", 32, 32, Square(0, 0, 32)),
        ("5,6,20,20", 40, 60, Square(5, 6, 20)),
        ("0,0,60,40", 40, 60, Square(0, -10, 60)),  # round the box's middle, beyond the edge
        (" 30, 10, 16, 20 ", 40, 60, Square(28, 10, 20)),
    ],
)
def test_square_of(fit: str, height: int, width: int, square: Square) -> None:
    assert square_of(fit, height, width) == square


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        ("middle", "crop, letterbox, or LEFT,TOP,WIDTH,HEIGHT in pixels, not 'middle'"),
        ("", "not ''"),
        ("1,2,3", "LEFT,TOP,WIDTH,HEIGHT"),
        ("1,2,20,20,5", "LEFT,TOP,WIDTH,HEIGHT"),
        ("1,2,20,2.5", "LEFT,TOP,WIDTH,HEIGHT"),
        ("-1,0,20,20", "must lie inside the picture of 60x40 pixels"),
        ("41,0,20,20", "inside"),
        ("0,21,20,20", "inside"),
        ("0,0,60,-20", "at least 16"),
        ("0,0,20,15", "at least 16"),
    ],
)
def test_square_of_refuses(fit: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        square_of(fit, 40, 60)
    assert words in str(error.value)


@given(height=SIDES, width=SIDES)
def test_crop_is_the_largest_inside_and_letterbox_the_smallest_around(
    height: int, width: int
) -> None:
    crop, box = square_of("crop", height, width), square_of("letterbox", height, width)
    assert crop.side == min(height, width)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.left + crop.side <= width
    assert crop.top + crop.side <= height
    assert box.side == max(height, width)
    assert box.left <= 0
    assert box.top <= 0
    assert box.left + box.side >= width
    assert box.top + box.side >= height


@given(data=st.data(), height=st.integers(MIN_SIDE_PX, 70), width=st.integers(MIN_SIDE_PX, 70))
def test_box_is_held_by_its_square(data: st.DataObject, height: int, width: int) -> None:
    box_height = data.draw(st.integers(MIN_SIDE_PX, height))
    box_width = data.draw(st.integers(MIN_SIDE_PX, width))
    top = data.draw(st.integers(0, height - box_height))
    left = data.draw(st.integers(0, width - box_width))
    square = square_of(f"{left},{top},{box_width},{box_height}", height, width)
    assert square.side == max(box_height, box_width)
    assert square.left <= left <= left + box_width <= square.left + square.side
    assert square.top <= top <= top + box_height <= square.top + square.side


@given(height=SIDES, width=SIDES, fit=FITS)
def test_pasting_what_was_cut_changes_nothing(height: int, width: int, fit: str) -> None:
    image = noise(height, width)
    square = square_of(fit, height, width)
    part = cut(image, square, square.side)
    assert part.shape == (square.side, square.side, 3)
    assert np.array_equal(paste(image, part, square), image)
    assert np.array_equal(paste(image[..., 0], part[..., 0], square), image[..., 0])


@given(height=SIDES, width=SIDES, fit=FITS)
def test_pasting_fills_the_square_and_nothing_else(height: int, width: int, fit: str) -> None:
    canvas = noise(height, width)
    kept = canvas.copy()
    square = square_of(fit, height, width)
    pasted = paste(canvas, np.full((32, 32, 3), 200, np.uint8), square)
    inside = np.zeros((height, width), bool)
    top, left = max(square.top, 0), max(square.left, 0)
    inside[top : square.top + square.side, left : square.left + square.side] = True
    assert (pasted[inside] == 200).all()
    assert np.array_equal(pasted[~inside], canvas[~inside])
    assert np.array_equal(canvas, kept)


@given(height=st.integers(17, 90), width=st.integers(17, 90), fit=FITS)
def test_what_was_not_painted_stays_sharp(height: int, width: int, fit: str) -> None:
    canvas = noise(height, width)
    square = square_of(fit, height, width)
    still = cut(canvas, square, 32)
    closed = np.zeros((32, 32), np.uint8)
    assert np.array_equal(lay(canvas, still, still, closed, square), canvas)
    painted = noise(32, 32, seed=1)
    opened = np.full((32, 32), 255, np.uint8)
    assert np.array_equal(
        lay(canvas, still, painted, opened, square), paste(canvas, painted, square)
    )


@given(side=st.integers(33, 90), gate=st.integers(0, 255), colour=st.integers(0, 255))
def test_half_painted_is_half_the_canvas(side: int, gate: int, colour: int) -> None:
    """Its own pixels, not the reduced ones that the networks saw; within rounding."""
    canvas = noise(side, side)
    square = Square(0, 0, side)
    still = cut(canvas, square, 32)
    share = gate / 255
    picture = np.rint(share * colour + (1 - share) * still).astype(np.uint8)
    laid = lay(canvas, still, picture, np.full((32, 32), gate, np.uint8), square)
    assert np.abs(laid - (share * colour + (1 - share) * canvas)).max() <= 1.6


def test_a_painted_half_ends_where_the_gate_does() -> None:
    canvas = np.full((96, 96, 3), 100, np.uint8)
    picture, gate = np.full((32, 32, 3), 100, np.uint8), np.zeros((32, 32), np.uint8)
    picture[:, :16], gate[:, :16] = 200, 255
    laid = lay(canvas, canvas[:32, :32], picture, gate, Square(0, 0, 96))
    assert (laid[:, :42] == 200).all()
    assert (laid[:, 54:] == 100).all()
    assert laid.min() > 90  # as much as bicubic scaling rings
    assert laid.max() < 210


@given(
    height=st.integers(17, 90),
    width=st.integers(17, 90),
    fit=FITS,
    corners=st.lists(st.integers(0, 32), min_size=4, max_size=4),
)
def test_only_what_is_open_is_scaled(height: int, width: int, fit: str, corners: list[int]) -> None:
    """As if all of it were."""
    canvas, square = noise(height, width), square_of(fit, height, width)
    assume(square.side != 32)
    (top, bottom), (left, right) = sorted(corners[:2]), sorted(corners[2:])
    gate = np.zeros((32, 32), np.uint8)
    gate[top:bottom, left:right] = noise(32, 32)[top:bottom, left:right, 0]
    still, painted = cut(canvas, square, 32), noise(32, 32, seed=1)
    share = gate[..., None] / np.float32(255)
    picture = np.rint(share * painted + (1 - share) * still).astype(np.uint8)
    part = np.dstack([picture - (1 - share) * still, share])
    whole = np.stack(
        [
            np.asarray(Image.fromarray(part[..., i]).resize((square.side,) * 2, BICUBIC))
            for i in range(4)
        ],
        -1,
    )
    inside = np.zeros((height, width, 4), np.float32)
    for row in range(height):
        for column in range(width):
            y, x = row - square.top, column - square.left
            if min(x, y) >= 0 and max(x, y) < square.side:
                inside[row, column] = whole[y, x]
    wanted = inside[..., :3] + (1 - inside[..., 3:]) * canvas
    laid = lay(canvas, still, picture, gate, square)
    assert np.abs(laid - wanted.clip(0, 255)).max() <= 0.51


@given(height=st.integers(17, 90), width=st.integers(17, 90), fit=FITS)
def test_detail_makes_the_enlarged_square_the_picture_again(
    height: int, width: int, fit: str
) -> None:
    picture = noise(height, width)
    square = square_of(fit, height, width)
    still = cut(picture, square, 32)
    reduced, detail = paste(picture, still, square), lost_detail(picture, still, square)
    opened, shut = np.full((32, 32), 255, np.uint8), np.zeros((32, 32), np.uint8)
    assert np.array_equal(add_detail(reduced, detail, opened, square), picture)
    assert np.array_equal(add_detail(reduced, detail, shut, square), reduced)


@given(side=st.integers(33, 90), share=st.integers(0, 255), colour=st.integers(0, 255))
def test_a_share_of_the_detail_is_added(side: int, share: int, colour: int) -> None:
    whole, square = noise(side, side), Square(0, 0, side)
    detail = lost_detail(whole, cut(whole, square, 32), square)
    canvas = np.full_like(whole, colour)
    shares = np.full((32, 32), share, np.uint8)
    sharp = add_detail(canvas, detail, shares, square)
    wanted = (colour + share / 255 * detail).clip(0, 255)
    assert np.abs(sharp - wanted).max() <= 0.51
    assert (canvas == colour).all()


@pytest.mark.parametrize("side", [20, 70, 256])
def test_never_more_than_all_of_the_detail_is_added(side: int) -> None:
    """Nor less than none: scaling an edge of the share overshoots."""
    share = np.zeros((32, 32), np.uint8)
    share[8:20, 8:20] = 255
    canvas, detail = np.full((side, side, 3), 100, np.uint8), np.full((side, side, 3), 100, "int16")
    sharp = add_detail(canvas, detail, share, Square(0, 0, side))
    assert (sharp.min(), sharp.max()) == (100, 200)
    parts = (torch.from_numpy(x).float() / 255 for x in (canvas, detail, share[..., None]))
    batch = [x.permute(2, 0, 1)[None] for x in parts]
    found = tensors.add_detail(*batch, Square(0, 0, side)) * 255
    assert (found.min().round(), found.max().round()) == (100, 200)


@pytest.mark.parametrize("fit", ["crop", "letterbox", "20,10,30,40"])
def test_detail_is_added_where_the_share_is_open(fit: str) -> None:
    whole, square = noise(61, 95), square_of(fit, 61, 95)
    detail = lost_detail(whole, cut(whole, square, 32), square)
    share = np.zeros((32, 32), np.uint8)
    share[9:22, 12:20] = 255
    changed = add_detail(np.full_like(whole, 128), detail, share, square) != 128
    factor, reach = square.side / 32, 2 * max(1, square.side / 32) + 1
    rows, columns = np.flatnonzero(changed.any((1, 2))), np.flatnonzero(changed.any((0, 2)))
    for found, start, (first, end) in (
        (rows, square.top, (9, 22)),
        (columns, square.left, (12, 20)),
    ):
        assert start + first * factor - reach <= found[0] <= start + first * factor + 2
        assert start + end * factor - 3 <= found[-1] <= start + end * factor + reach


def test_in_the_networks_size_the_picture_is_taken_as_it_is() -> None:
    canvas, still, picture = (noise(32, 32, seed=seed) for seed in range(3))
    square = Square(0, 0, 32)
    laid = lay(canvas, still, picture, noise(32, 32, seed=3)[..., 0], square)
    assert np.array_equal(laid, picture)


@pytest.mark.parametrize("side", [20, 50])
def test_a_shut_gate_lets_no_rounding_through(side: int) -> None:
    canvas, square = noise(side, side), Square(0, 0, side)
    still = cut(canvas, square, 32)
    picture = (still.astype(int) + noise(32, 32, seed=1) % 3 - 1).clip(0, 255).astype(np.uint8)
    gate = np.zeros((32, 32), np.uint8)
    gate[:12, :12] = 255
    beyond = ceil(12 * side / 32 + 2 * max(1, side / 32))
    laid = lay(canvas, still, picture, gate, square)
    assert np.array_equal(laid[beyond:], canvas[beyond:])
    assert np.array_equal(laid[:, beyond:], canvas[:, beyond:])
    assert not np.array_equal(laid, canvas)


@pytest.mark.parametrize("box", ["crop", "letterbox", "10,20,90,60", "0,0,200,20"])
@pytest.mark.parametrize("size", [32, 64, 128, 300])
def test_as_tensors_are_cut(box: str, size: int) -> None:
    image = 80 + noise(150, 200) // 3  # Pillow cuts what overshoots black or white
    square = square_of(box, 150, 200)
    wanted = to_uint8(tensors.cut(to_tensor([image]), square, size))[0]
    found = cut(image, square, size)
    edge = -(-2 * size // square.side) + 2  # tensors do not look beyond the square
    apart = np.abs(found.astype(int) - wanted)
    assert apart[edge:-edge, edge:-edge].max() <= 1


@pytest.mark.parametrize(("height", "width"), [(60, 200), (200, 60), (150, 150), (301, 173)])
def test_as_tensors_are_covered(height: int, width: int) -> None:
    image = smooth(150, 200)
    wanted = to_uint8(tensors.cover(to_tensor([image]), height, width))[0]
    assert np.abs(cover(image, height, width).astype(int) - wanted).max() <= 3  # half a pixel


@pytest.mark.parametrize("box", ["crop", "letterbox", "33,40,210,150", "0,0,640,100"])
@pytest.mark.parametrize("reduction", [2, 3, 5])
def test_the_square_of_a_reduced_picture_is_the_same(box: str, reduction: int) -> None:
    height, width = 361, 640
    square = square_of(box, height, width)
    whole = cut(smooth(height, width), square, 32)
    reduced = smooth(round(height / reduction), round(width / reduction))
    part = cut(reduced, square, 32, (height, width))
    apart = np.abs(part.astype(int) - whole)
    assert apart.mean() < 1
    assert apart.max() <= 6  # where the picture ends and its edges are repeated


@given(side=st.integers(1, 5000), size=st.integers(1, 512))
def test_a_reduction_leaves_twice_the_size(side: int, size: int) -> None:
    factor = reduction_for(side, size)
    assert factor == 1 or side / factor >= 2 * size
    assert side / (factor + 1) < 2 * size


@given(height=SIDES, width=SIDES, to_height=SIDES, to_width=SIDES)
def test_cover_fills_the_canvas(height: int, width: int, to_height: int, to_width: int) -> None:
    covered = cover(np.full((height, width, 3), 77, np.uint8), to_height, to_width)
    assert covered.shape == (to_height, to_width, 3)
    assert (covered == 77).all()


def test_cover_keeps_aspect_and_middle() -> None:
    picture = np.zeros((40, 120, 3), np.uint8)
    picture[:, 40:80] = 255  # the middle third
    assert cover(picture, 40, 40)[:, 3:-3].min() == 255
    assert cover(picture, 80, 80)[:, 4:-4].min() == 255
    assert np.array_equal(cover(picture, 40, 120), picture)


def ramp(height: int, width: int) -> np.ndarray:
    """Red rises with x and green with y, as a share of the picture: the same at every size."""
    y, x = np.mgrid[0:height, 0:width]
    shares = np.stack([(x + 0.5) / width, (y + 0.5) / height, 0 * x + 0.5], -1)
    return np.rint(255 * shares).astype(np.uint8)


@pytest.mark.parametrize("box", ["crop", "101,40,150,201", "3,200,90,61", "0,0,400,160"])
@pytest.mark.parametrize("reduction", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [32, 50])
def test_what_is_cut_lies_where_the_square_is(box: str, reduction: int, size: int) -> None:
    """Closed form, to a fifth of a pixel of the result."""
    height, width = 261, 400
    square = square_of(box, height, width)
    reduced = ramp(round(height / reduction), round(width / reduction))
    found = cut(reduced, square, size, (height, width)).astype(float)
    centres = (np.arange(size) + 0.5) * square.side / size
    x, y = (square.left + centres) / width, (square.top + centres) / height
    inside_x, inside_y = (
        (edges > 0.03) & (edges < 0.97) & (np.arange(size) > 2) & (np.arange(size) < size - 3)
        for edges in (x, y)
    )
    wide, high = 255 * square.side / size / np.array([width, height])  # levels a pixel
    assert np.abs(found[..., 0] - 255 * x)[:, inside_x].max() < 0.2 * wide + 1
    assert np.abs(found[..., 1] - 255 * y[:, None])[inside_y].max() < 0.2 * high + 1


@given(
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    fit=FITS,
    size=st.integers(1, 64),
    reduction=st.integers(1, 20),
)
def test_any_picture_can_be_cut(
    height: int, width: int, fit: str, size: int, reduction: int
) -> None:
    image = np.full(
        (max(1, round(height / reduction)), max(1, round(width / reduction)), 3), 77, np.uint8
    )
    found = cut(image, square_of(fit, height, width), size, (height, width))
    assert found.shape == (size, size, 3)
    assert (found == 77).all()


@given(data=st.data(), height=st.integers(16, 300), width=st.integers(16, 300))
def test_what_lies_outside_is_not_seen(data: st.DataObject, height: int, width: int) -> None:
    """What is beyond a square never reaches it, however much it is scaled."""
    side = data.draw(st.integers(16, min(height, width)))
    left, top = data.draw(st.integers(0, width - side)), data.draw(st.integers(0, height - side))
    image = np.full((height, width, 3), 255, np.uint8)
    image[top : top + side, left : left + side] = 20
    square = square_of(f"{left},{top},{side},{side}", height, width)
    size = data.draw(st.integers(1, 64))
    assert (cut(image, square, size) == 20).all()


@pytest.mark.parametrize("side", [30, 90, 61])
def test_what_is_pasted_lies_in_its_square(side: int) -> None:
    """A picture of halves: they meet in the middle of the square."""
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 240
    pasted = paste(np.full((100, 120, 3), 7, np.uint8), halves, Square(20, 5, side))
    middle, row = 20 + side / 2, pasted[5 + side // 2, :, 0]
    assert row[19] == 7
    assert row[20 + side] == 7
    assert (row[20 : round(middle) - 4] == 0).all()
    assert (row[round(middle) + 4 : 20 + side] == 240).all()
    assert abs(row[20 : 20 + side].sum() / 240 - side / 2) < 0.3


@pytest.mark.parametrize(("height", "width"), [(50, 300), (300, 40), (64, 100), (331, 209)])
def test_what_covers_lies_in_the_middle(height: int, width: int) -> None:
    """Closed form, to a fifth of a pixel of the result."""
    own_height, own_width = 128, 200
    found = cover(ramp(own_height, own_width), height, width).astype(float)
    factor = max(height / own_height, width / own_width)
    x = 0.5 + (np.arange(width) + 0.5 - width / 2) / factor / own_width
    y = 0.5 + (np.arange(height) + 0.5 - height / 2) / factor / own_height
    edge = 3 + int(2 * factor)
    levels = 255 / factor / np.array([own_width, own_height])  # a pixel
    apart_x = np.abs(found[..., 0] - 255 * x)[:, edge:-edge]
    apart_y = np.abs(found[..., 1] - 255 * y[:, None])[edge:-edge]
    assert apart_x.max() < 0.2 * levels[0] + 1
    assert apart_y.max() < 0.2 * levels[1] + 1


def test_pictures_of_the_right_size_are_not_touched() -> None:
    image = noise(48, 48)
    assert np.array_equal(cut(image, Square(0, 0, 48), 48), image)
    assert np.array_equal(cut(image, Square(8, 3, 32), 32), image[3:35, 8:40])
    beyond = cut(image, Square(-2, 40, 16), 16)  # repeated to the left and below
    assert np.array_equal(beyond[:8, 2:], image[40:, :14])
    assert (beyond[:8, :2] == image[40:, :1]).all()
    assert (beyond[8:] == beyond[7]).all()
