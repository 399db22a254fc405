"""Lossless clips: every value, in any order, and the same bytes each time."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from maskmotion.errors import MediaError, ShapeError
from maskmotion.media import FrameReader, index_frames, kinds, open_video
from maskmotion.media.lossless import save_lossless

FPS = Fraction(25)
GREY, COLOUR = (40, 52), (40, 52, 3)


def noise(frames: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """All 256 values, next to each other in every way."""
    return np.random.default_rng(seed).integers(0, 256, (frames, *shape), np.uint8)


def as_read(frames: np.ndarray) -> np.ndarray:
    return frames if frames.ndim == 4 else np.repeat(frames[..., None], 3, axis=3)


@pytest.mark.parametrize("shape", [GREY, COLOUR, (33, 35), (33, 35, 3), (2, 2)])
@pytest.mark.parametrize("fps", [FPS, Fraction(30000, 1001), Fraction(60)])
def test_every_value_comes_back(shape: tuple[int, ...], fps: Fraction, tmp_path: Path) -> None:
    frames = noise(30, shape)
    frames[0], frames[-1] = 0, 255
    save_lossless(tmp_path / "a.mkv", frames, fps)
    with open_video(tmp_path / "a.mkv") as video:
        read = list(video)
        assert float(video.info.fps) == pytest.approx(float(fps), rel=1e-3)
        assert not video.info.has_alpha
    np.testing.assert_array_equal(np.stack([f.image for f in read]), as_read(frames))
    for number, frame in enumerate(read):
        assert frame.time_s == pytest.approx(number / fps, abs=1e-3)
        assert frame.duration_s == pytest.approx(1 / fps, abs=2e-3)


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_frames_are_read_in_any_order(shape: tuple[int, ...], tmp_path: Path) -> None:
    frames = noise(40, shape)
    save_lossless(tmp_path / "a.mkv", frames, FPS)
    index = index_frames(tmp_path / "a.mkv")
    assert index is not None
    assert len(index.keys) >= 40 / 12
    with FrameReader(index) as reader:
        for number in (39, 0, 17, 16, 30):
            np.testing.assert_array_equal(reader.frame(number)[0], as_read(frames)[number])


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_without_x264(
    shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kinds, "has_codec", lambda name, mode: "x264" not in name)
    frames = noise(3, shape)
    save_lossless(tmp_path / "a.mkv", frames, FPS)
    with av.open(str(tmp_path / "a.mkv")) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"
    with open_video(tmp_path / "a.mkv") as video:
        np.testing.assert_array_equal(np.stack([f.image for f in video]), as_read(frames))
        assert not video.info.has_alpha


def test_other_readers_of_grey_get_the_full_range(tmp_path: Path) -> None:
    frames = noise(2, GREY)
    save_lossless(tmp_path / "a.mkv", frames, FPS)
    with av.open(str(tmp_path / "a.mkv")) as container:
        read = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(np.stack(read), frames)


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_same_frames_give_the_same_bytes(shape: tuple[int, ...], tmp_path: Path) -> None:
    for name in ("a.mkv", "b.mkv"):
        save_lossless(tmp_path / name, noise(3, shape), FPS)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


@pytest.mark.parametrize("shape", [(0, 8, 8), (8, 8), (2, 8, 8, 4), (2, 8, 8, 3, 1)])
def test_other_shapes_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="expected"):
        save_lossless(tmp_path / "a.mkv", np.zeros(shape, np.uint8), FPS)
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits of a file's size")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(MediaError, match=r"a\.mkv cannot be written \(File too large\)"):
            save_lossless(tmp_path / "a.mkv", noise(20, (64, 64)), FPS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())
