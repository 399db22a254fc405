from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tests.data.footage import moving_square, panning, write

from maskmotion.data import video
from maskmotion.data.clips import Clip
from maskmotion.data.store import StoredClip, store_clip
from maskmotion.data.video import OpenVideos, VideoClip, index_clip
from maskmotion.errors import DataError, MediaError
from maskmotion.media import FrameReader


def read(source: Path, videos: OpenVideos) -> VideoClip:
    index = source.with_suffix(".index")
    assert index_clip(source, 32, index)
    return VideoClip(Clip(source, source.stem), index, videos)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were opened for single frames."""
    names: list[str] = []
    real = FrameReader._open

    def noted(self: FrameReader) -> None:
        names.append(self._index.info.path.name)
        real(self)

    monkeypatch.setattr(FrameReader, "_open", noted)
    return names


def test_frames_from_several_threads_are_those_of_the_store(tmp_path: Path) -> None:
    sources = [write(tmp_path / f"{i}.mp4", moving_square(30, seed=i)) for i in range(3)]
    wanted = []
    for source in sources:
        store_clip(source, 32, tmp_path / "stored")
        stored = StoredClip(tmp_path / "stored", "")
        wanted.append([stored.frame(i) for i in range(30)])
    videos = OpenVideos(room_bytes=2 * video.DECODER_BYTES)
    clips = [read(source, videos) for source in sources]
    order = np.random.default_rng(0).integers((0, 0), (3, 30), (200, 2)).tolist()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pick: clips[pick[0]].frame(pick[1]), order))
    assert all(np.array_equal(f, wanted[c][i]) for f, (c, i) in zip(found, order, strict=True))


def test_a_moving_camera_is_marked(tmp_path: Path) -> None:
    videos = OpenVideos()
    assert read(write(tmp_path / "a.mp4", moving_square()), videos).still
    assert not read(write(tmp_path / "b.mp4", panning()), videos).still


def test_files_stay_open_while_there_is_room(tmp_path: Path, opened: list[str]) -> None:
    frame_bytes = video.FRAMES_BYTES_PER_PIXEL * 64 * 64
    videos = OpenVideos(room_bytes=2 * (video.DECODER_BYTES + frame_bytes))
    a, b, c = (read(write(tmp_path / f"{n}.mp4", moving_square(6)), videos) for n in "abc")
    opened.clear()
    for clip in (a, b, a, b, a):
        clip.frame(3)
    assert opened == ["a.mp4", "b.mp4"]
    c.frame(3)  # takes the place of b, which was used least lately
    a.frame(1)
    assert opened == ["a.mp4", "b.mp4", "c.mp4"]
    b.frame(1)
    assert opened == ["a.mp4", "b.mp4", "c.mp4", "b.mp4"]
    videos.close()
    a.frame(0)
    assert opened[-1] == "a.mp4"


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", moving_square(6))
    clip = read(source, OpenVideos())
    source.unlink()
    with pytest.raises(MediaError, match=r"a\.mp4 does not exist"):
        clip.frame(0)


def test_a_broken_index_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mp4", moving_square(6))
    read(source, OpenVideos())
    path = tmp_path / "a.index"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"index .*a\.index is broken .*delete it"):
        VideoClip(Clip(source, "a"), path, OpenVideos())
