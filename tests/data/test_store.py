import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.footage import SIDE, moving_square, panning, write

from maskmotion.data import store
from maskmotion.data.clips import Clip, find_clips
from maskmotion.data.store import StoredClip, square, store_clips
from maskmotion.errors import DataError


def clip(path: Path) -> Clip:
    return Clip(path, path.stem)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_square_is_the_middle_of_the_picture(height: int, width: int, size: int) -> None:
    y, x = np.mgrid[:height, :width]
    image = np.stack([x, y, 0 * x], -1).astype(np.uint8) * 6
    out = square(image, size)
    assert out.shape == (size, size, 3)
    assert out.dtype == np.uint8
    side = min(height, width)
    if size == side:
        top, left = (height - side) // 2, (width - side) // 2
        assert np.array_equal(out, image[top : top + side, left : left + side])


def test_square_is_a_low_pass() -> None:
    y, x = np.mgrid[:64, :64]
    checks = np.repeat(((x + y) % 2 * 255)[:, :, None], 3, 2).astype(np.uint8)
    assert np.abs(square(checks, 16).astype(int) - 127).max() < 10


def test_frames_are_stored_as_they_are(tmp_path: Path) -> None:
    frames = moving_square(8)
    source = clip(write(tmp_path / "clips" / "ann", frames))
    stored, problems = store_clips([source], SIDE, tmp_path / "store")
    assert problems == []
    assert (stored[0].identity, stored[0].length, stored[0].still) == ("ann", 8, True)
    for index, frame in enumerate(frames):
        assert stored[0].frame(index).dtype == np.uint8
        assert np.array_equal(stored[0].frame(index), frame)
    assert np.array_equal(stored[0].median, np.median(frames, axis=0).astype(np.uint8))


def test_the_median_is_the_scene_behind_the_square(tmp_path: Path) -> None:
    source = clip(write(tmp_path / "a", moving_square(60)))
    stored, _ = store_clips([source], SIDE, tmp_path / "store")
    wanted = moving_square(1)[0].copy()
    wanted[12:24, 12:24] = moving_square(2)[1][12:24, 12:24]
    assert (stored[0].median == wanted).all(-1).mean() > 0.99


def test_videos_are_cropped_and_reduced(tmp_path: Path) -> None:
    wide = [np.pad(f, ((0, 0), (32, 32), (0, 0))) for f in moving_square(6, side=128)]
    source = clip(write(tmp_path / "ann#1.mp4", wide))
    stored, problems = store_clips([source], 32, tmp_path / "store")
    assert problems == []
    assert stored[0].length == 6
    for index, frame in enumerate(moving_square(6, side=128)):
        found = stored[0].frame(index)
        assert found.shape == (32, 32, 3)
        assert np.abs(found.astype(int) - square(frame, 32)).mean() < 8  # H.264


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    frames = moving_square(3)
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    alpha[: SIDE // 2] = 255
    (tmp_path / "ann").mkdir()
    for index, frame in enumerate(frames):
        Image.fromarray(np.dstack([frame, alpha])).save(tmp_path / "ann" / f"{index}.png")
    stored, _ = store_clips([clip(tmp_path / "ann")], SIDE, tmp_path / "store")
    for index, frame in enumerate(frames):
        found = stored[0].frame(index)
        assert np.array_equal(found[: SIDE // 2], frame[: SIDE // 2])
        assert (found[SIDE // 2 :] == 255).all()


def test_a_moving_camera_is_marked(tmp_path: Path) -> None:
    clips = [clip(write(tmp_path / "a", moving_square())), clip(write(tmp_path / "b", panning()))]
    stored, _ = store_clips(clips, SIDE, tmp_path / "store")
    assert [c.still for c in stored] == [True, False]


def test_clips_are_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path / "clips" / name, moving_square(4))
    clips = find_clips(tmp_path / "clips")
    first, _ = store_clips(clips, 32, tmp_path / "store")
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "store").iterdir()}
    assert len(files) == 2
    decoded = []
    real = store.open_video
    monkeypatch.setattr(store, "open_video", lambda p: decoded.append(p.name) or real(p))
    second, _ = store_clips(clips, 32, tmp_path / "store")
    assert decoded == []
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "store").iterdir()} == files
    assert all(np.array_equal(a.frame(2), b.frame(2)) for a, b in zip(first, second, strict=True))
    # another size and a changed clip are decoded anew
    store_clips(clips[:1], 16, tmp_path / "store")
    write(tmp_path / "clips" / "b.mp4", moving_square(5))
    third, _ = store_clips(clips, 32, tmp_path / "store")
    assert decoded == ["a.mp4", "b.mp4"]
    assert third[1].length == 5
    # and a clip of another date, though its size be the same
    os.utime(clips[0].path, (0, 0))
    store_clips(clips, 32, tmp_path / "store")
    assert decoded == ["a.mp4", "b.mp4", "a.mp4"]


def test_clips_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a" / "x", moving_square(4)),
        write(tmp_path / "b" / "x", moving_square(5, seed=1)),
    ]
    stored, _ = store_clips([clip(p) for p in paths], SIDE, tmp_path / "store")
    assert [c.length for c in stored] == [4, 5]


def test_broken_clips_are_reported_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    write(tmp_path / "good", moving_square(3))
    write(tmp_path / "single", moving_square(1))
    clips = [clip(tmp_path / n) for n in ("broken.mp4", "good", "gone.mp4", "single")]
    seen = []
    stored, problems = store_clips(
        clips, SIDE, tmp_path / "store", progress=lambda done, total: seen.append((done, total))
    )
    assert [c.identity for c in stored] == ["good"]
    assert [name in p for name, p in zip(("broken", "gone", "single"), problems, strict=True)]
    assert all("\n" not in problem for problem in problems)
    assert "at least 2" in problems[2]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(list((tmp_path / "store").iterdir())) == 1


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folders hold no clips"):
        store_clips([], SIDE, tmp_path / "store")
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    with pytest.raises(DataError, match=r"nothing to train on: .*broken\.mp4"):
        store_clips([clip(tmp_path / "broken.mp4")], SIDE, tmp_path / "store")


def test_a_full_disk_is_told_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 2**20

    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: Usage)
    source = clip(write(tmp_path / "a", moving_square(3)))
    with pytest.raises(DataError, match=r"too full.*data\.cache"):
        store_clips([source], SIDE, tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_a_broken_file_of_the_store_is_named(tmp_path: Path) -> None:
    source = clip(write(tmp_path / "a", moving_square(3)))
    store_clips([source], SIDE, tmp_path / "store")
    (path,) = (tmp_path / "store").iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"broken .*delete it") as error:
        StoredClip(path, "a")
    assert str(path) in str(error.value)
