"""Backgrounds: pictures, colours, and videos that are looped or cut."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskmotion.errors import InputError, MediaError
from maskmotion.inference.backdrop import VideoBackdrop, open_backdrop
from maskmotion.media import Frame, VideoInfo, VideoReader


def grey(level: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def clip(durations_s: list[float]) -> VideoReader:
    """A video whose frame number n is of level n."""
    starts = np.cumsum([0.0, *durations_s])
    frames = [
        Frame(grey(index, 2, 2), None, float(starts[index]), duration)
        for index, duration in enumerate(durations_s)
    ]
    info = VideoInfo(Path("b.mp4"), 2, 2, Fraction(25), len(frames), None, False, False)
    return VideoReader(info, lambda: iter(frame for frame in frames))


def opened(reader: VideoReader) -> VideoBackdrop:
    return VideoBackdrop(reader, 2, 2)


def shown(backdrop: VideoBackdrop, times_s: list[float]) -> list[int]:
    return [int(backdrop.at(time)[0, 0, 0]) for time in times_s]


def test_shorter_video_is_looped() -> None:
    times = [index / 25 for index in range(10)]
    assert shown(opened(clip([0.04] * 4)), times) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]


def test_longer_video_is_cut() -> None:
    assert shown(opened(clip([0.04] * 100)), [0, 0.04, 0.08]) == [0, 1, 2]


def test_times_are_kept_whatever_the_rates() -> None:
    slow = opened(clip([0.1] * 3))  # 10 frames a second under 25
    assert shown(slow, [index / 25 for index in range(9)]) == [0, 0, 0, 1, 1, 2, 2, 2, 0]
    fast = opened(clip([1 / 60] * 60))
    assert shown(fast, [0, 0.1, 0.5]) == [0, 6, 30]


def test_batches_go_on_where_the_last_one_ended() -> None:
    backdrop = opened(clip([0.04] * 3))
    assert shown(backdrop, [0.0, 0.04]) + shown(backdrop, [0.08, 0.12]) == [0, 1, 2, 0]


def test_uneven_frames_and_one_frame() -> None:
    assert shown(opened(clip([0.5, 0.1])), [0.0, 0.4, 0.55, 0.6, 1.15]) == [0, 0, 1, 0, 1]
    assert shown(opened(clip([0.04])), [0.0, 0.5, 99.0]) == [0, 0, 0]


@given(
    durations=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    steps=st.lists(st.integers(0, 9), min_size=1, max_size=12),
)
def test_a_time_shows_the_frame_of_its_remainder(durations: list[int], steps: list[int]) -> None:
    times = np.cumsum(steps)
    backdrop = opened(clip([duration / 50 for duration in durations]))
    ends = np.cumsum(durations)
    expected = [int(np.searchsorted(ends, time % ends[-1], side="right")) for time in times]
    assert shown(backdrop, [time / 50 for time in times.tolist()]) == expected


def test_video_without_frames() -> None:
    with pytest.raises(MediaError, match=r"b\.mp4 has no frames"):
        opened(clip([]))


@pytest.mark.parametrize(("height", "width"), [(32, 48), (64, 30), (7, 7), (5, 40)])
def test_video_file(height: int, width: int, tmp_path: Path) -> None:
    path = write_clip(tmp_path / "b.mp4", [grey(40), grey(200)])
    with open_backdrop(path, height, width) as backdrop:
        assert backdrop.still is None
        frames = [backdrop.at(time) for time in (0.0, 0.04, 0.08)]
    assert [frame.shape for frame in frames] == [(height, width, 3)] * 3
    assert [frame.mean() for frame in frames] == pytest.approx([40, 200, 40], abs=3)


@pytest.mark.parametrize(
    ("colour", "rgb"),
    [
        ("#20c040", (32, 192, 64)),
        ("navy", (0, 0, 128)),
        ("rgb(1, 2, 3)", (1, 2, 3)),
        ("#ffffff80", (255, 255, 255)),
    ],
)
def test_colours(colour: str, rgb: tuple[int, int, int]) -> None:
    with open_backdrop(colour, 5, 7) as backdrop:
        still = backdrop.still
        assert backdrop.at(0.0) is None
    assert still.shape == (5, 7, 3)
    assert (still == rgb).all()


def test_picture_with_alpha_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 4), (10, 20, 30, 0)).save(tmp_path / "b.png")
    with open_backdrop(tmp_path / "b.png", 4, 8) as backdrop:
        assert (backdrop.still == 255).all()


def test_neither_file_nor_colour() -> None:
    with (
        pytest.raises(InputError, match=r"'beach\.jgp' is neither a file nor a colour"),
        open_backdrop("beach.jgp", 4, 4),
    ):
        pass
