"""Frames in any order, compared bit for bit with reading the file from its beginning."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import growing_alpha, without_first_pictures, write_clip

from maskmotion.errors import MediaError
from maskmotion.media import FrameReader, index_frames, open_video, seek

COUNT = 40
MILLISECOND = Fraction(1, 1000)
SHORT = {"crf": "12", "g": "8", "bf": "2"}
OPEN_GOP = {"crf": "12", "x264-params": "open-gop=1:keyint=8:bframes=3:scenecut=0"}
UNEVEN_S = [float(t) for t in np.cumsum(1 + np.arange(COUNT) * 7 % 5) / 50]
VP9 = {"crf": "30", "b": "0", "g": "10", "cpu-used": "8"}

FORMATS: dict[str, dict[str, Any]] = {
    "short.mp4": {"options": SHORT},
    "long.mp4": {"options": {"crf": "12", "preset": "medium"}},
    "intra.mp4": {"options": {"crf": "12", "g": "1"}},
    "reordered.mp4": {
        "options": {"crf": "12", "x264-params": "keyint=2:bframes=3:scenecut=0"},
    },
    "open.mp4": {"options": OPEN_GOP},
    "open.ts": {"options": OPEN_GOP},
    "refreshed.ts": {"options": {"crf": "12", "x264-params": "intra-refresh=1:keyint=8"}},
    "uneven.mp4": {"options": SHORT, "times_s": UNEVEN_S},
    "uneven.mkv": {"options": SHORT, "times_s": UNEVEN_S, "tick_s": MILLISECOND},
    "late.mp4": {"options": SHORT, "times_s": [5 + i / 25 for i in range(COUNT)]},
    "turned.mp4": {"options": SHORT, "rotation": 90},
    "odd.webm": {"codec": "libvpx-vp9", "options": VP9, "tick_s": MILLISECOND},
    "old.mpg": {
        "codec": "mpeg2video",
        "options": {"g": "8", "bf": "2"},
        "tick_s": Fraction(1, 25),
    },
    "rgb.mp4": {"codec": "libx264rgb", "pixels": "rgb24", "options": {"crf": "12", "g": "8"}},
    "deep.mp4": {
        "pixels": "yuv420p10le",
        "tags": {"color_trc": 16, "color_primaries": 9, "colorspace": 9},
        "options": SHORT,
    },
}


def busy(count: int = COUNT) -> list[np.ndarray]:
    """No two frames alike anywhere, so that every wrong one shows."""
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (12, 12, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    return [np.roll(tiles, (2 * i, 3 * i), (0, 1))[:66, :50] for i in range(count)]


def shuffled(length: int) -> list[int]:
    """Every frame, then every second one backwards, then some forwards."""
    order = np.random.default_rng(1).permutation(length).tolist()
    return [*order, *range(length - 1, -1, -2), *range(0, length, 3)]


def assert_any_order(path: Path) -> None:
    index = index_frames(path)
    assert index is not None
    wanted = list(open_video(path))
    assert len(index.times) == len(wanted)
    with FrameReader(index) as reader:
        for number in shuffled(len(wanted)):
            image, alpha = reader.frame(number)
            assert np.array_equal(image, wanted[number].image), number
            assert (alpha is None) == (wanted[number].alpha is None)
            if alpha is not None:
                assert np.array_equal(alpha, wanted[number].alpha), number


@pytest.mark.parametrize("name", FORMATS)
def test_frames_in_any_order(name: str, tmp_path: Path) -> None:
    images = [image[:65, :49] for image in busy()] if name.startswith("odd") else busy()
    assert_any_order(write_clip(tmp_path / name, images, **FORMATS[name]))


def test_alpha(tmp_path: Path) -> None:
    images = [np.dstack([f, growing_alpha(i, 66, 50)]) for i, f in enumerate(busy(20))]
    path = write_clip(
        tmp_path / "clip.webm",
        images,
        codec="libvpx-vp9",
        pixels="yuva420p",
        options=VP9,
        tick_s=MILLISECOND,
    )
    assert_any_order(path)


def test_a_clip_that_was_cut_off_its_keyframe(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", busy(), options=OPEN_GOP)
    assert_any_order(without_first_pictures(whole, tmp_path / "cut.mp4", 5))


def test_an_edit_list_that_hides_the_first_pictures(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", busy(), options=SHORT)
    data = path.read_bytes()
    # one entry: duration (in 1/1000 s), first time shown (in ticks), rate
    at = data.index(b"elst") + 12
    begin = int.from_bytes(data[at + 4 : at + 8], "big")
    hidden = (begin + 90_000 * 10 // 25).to_bytes(4, "big")
    path.write_bytes(data[: at + 4] + hidden + data[at + 8 :])
    assert len(list(open_video(path))) == COUNT - 10
    assert_any_order(path)


def test_only_what_a_frame_hangs_on_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"crf": "12", "g": "8", "bf": "0", "sc_threshold": "0"}
    index = index_frames(write_clip(tmp_path / "clip.mp4", busy(), options=options))
    assert index is not None
    assert len(index.keys) == COUNT // 8
    shown = []
    real = seek.decoded

    def counted(*arguments: Any) -> list[av.VideoFrame]:
        frames = real(*arguments)
        shown.extend(frame.pts for frame in frames)
        return frames

    monkeypatch.setattr(seek, "decoded", counted)
    with FrameReader(index) as reader:
        for number, wanted in ((21, range(16, 22)), (16, [16]), (19, range(17, 20))):
            shown.clear()
            reader.frame(number)
            assert shown == [index.times[i] for i in wanted]


def test_damaged_frames_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", busy(), options=SHORT)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    for at in range(begin + 4000, len(data) - 6000, 3000):
        data[at : at + 60] = bytes(60)
    path.write_bytes(data)
    assert len(list(open_video(path))) > 10
    assert index_frames(path) is None


def test_frames_without_times_are_refused(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.avi", busy(), options={"crf": "12", "bf": "2"}, tick_s=Fraction(1, 25)
    )
    assert index_frames(path) is None


def test_a_file_that_changed_is_not_read_as_before(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", busy(), options=SHORT)
    index = index_frames(path)
    assert index is not None
    write_clip(path, busy()[::-1], options=SHORT)
    with FrameReader(index) as reader, pytest.raises(MediaError, match=r"clip\.mp4 does not give"):
        reader.frame(3)
    path.unlink()
    with pytest.raises(MediaError, match=r"clip\.mp4 does not exist"):
        FrameReader(index)


def test_a_container_that_takes_every_frame_for_a_key(tmp_path: Path) -> None:
    """As some programs write it; decoding from such a frame gives garbage at its time."""
    path = write_clip(
        tmp_path / "clip.mp4",
        busy(),
        codec="mpeg4",
        options={"g": "12", "q": "3"},
        tick_s=Fraction(1, 25),
    )
    path.write_bytes(path.read_bytes().replace(b"stss", b"free"))
    index = index_frames(path)
    assert index is not None
    assert len(index.keys) == COUNT
    assert_any_order(path)
