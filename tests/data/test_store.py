from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file, save_file
from tests.data.footage import SIDE, alpha_planes, moving_square, panning, write, write_truth

from maskmotion.data import store
from maskmotion.data.store import BrokenClipError, StoredClip, square, store_clip
from maskmotion.errors import DataError, MediaError


def stored(source: Path, size: int = SIDE) -> StoredClip:
    path = source.parent / "store" / f"{source.name}.safetensors"
    store_clip(source, size, path)
    return StoredClip(path, source.stem)


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
    clip = stored(write(tmp_path / "ann", frames))
    assert (clip.identity, clip.length, clip.size, clip.still) == ("ann", 8, SIDE, True)
    for index, frame in enumerate(frames):
        assert clip.frame(index).dtype == np.uint8
        assert np.array_equal(clip.frame(index), frame)
    assert np.array_equal(clip.median, np.median(frames, axis=0).astype(np.uint8))


def test_the_file_is_plain_safetensors(tmp_path: Path) -> None:
    frames = moving_square(5)
    store_clip(write(tmp_path / "ann", frames), SIDE, tmp_path / "x.safetensors", about={"a": "ü"})
    tensors = load_file(tmp_path / "x.safetensors")
    assert tensors.keys() == {"frames", "median"}
    assert np.array_equal(tensors["frames"], np.stack(frames))
    clip = StoredClip(tmp_path / "x.safetensors", "ann")
    assert clip.about == {"version": "1", "still": "yes", "a": "ü"}


def test_files_of_the_first_version_are_read(tmp_path: Path) -> None:
    frames = np.stack(moving_square(5))
    tensors = {"frames": frames, "median": frames[0]}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"still": "no"})
    clip = StoredClip(tmp_path / "x.safetensors", "ann")
    assert (clip.length, clip.still) == (5, False)
    assert np.array_equal(clip.frame(3), frames[3])


def test_the_median_is_the_scene_behind_the_square(tmp_path: Path) -> None:
    clip = stored(write(tmp_path / "a", moving_square(60)))
    wanted = moving_square(1)[0].copy()
    wanted[12:24, 12:24] = moving_square(2)[1][12:24, 12:24]
    assert (clip.median == wanted).all(-1).mean() > 0.99


def test_videos_are_cropped_and_reduced(tmp_path: Path) -> None:
    wide = [np.pad(f, ((0, 0), (32, 32), (0, 0))) for f in moving_square(6, side=128)]
    clip = stored(write(tmp_path / "ann#1.mp4", wide), 32)
    assert clip.length == 6
    for index, frame in enumerate(moving_square(6, side=128)):
        found = clip.frame(index)
        assert found.shape == (32, 32, 3)
        assert np.abs(found.astype(int) - square(frame, 32)).mean() < 8  # H.264


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    frames = moving_square(3)
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    alpha[: SIDE // 2] = 255
    (tmp_path / "ann").mkdir()
    for index, frame in enumerate(frames):
        Image.fromarray(np.dstack([frame, alpha])).save(tmp_path / "ann" / f"{index}.png")
    clip = stored(tmp_path / "ann")
    for index, frame in enumerate(frames):
        found = clip.frame(index)
        assert np.array_equal(found[: SIDE // 2], frame[: SIDE // 2])
        assert (found[SIDE // 2 :] == 255).all()


def test_a_moving_camera_is_marked(tmp_path: Path) -> None:
    assert stored(write(tmp_path / "a", moving_square())).still
    assert not stored(write(tmp_path / "b", panning())).still


@pytest.mark.parametrize(("count", "words"), [(1, "has 1 frame; a clip needs at least 2")])
def test_a_clip_that_is_too_short(tmp_path: Path, count: int, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        stored(write(tmp_path / "a", moving_square(count)))
    assert list((tmp_path / "store").iterdir()) == []


def test_whoever_stops_leaves_nothing(tmp_path: Path) -> None:
    asked = []

    def stopped() -> bool:
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(store.StoppedError):
        store_clip(
            write(tmp_path / "a", moving_square()),
            SIDE,
            tmp_path / "store" / "a.safetensors",
            stopped=stopped,
        )
    assert len(asked) == 4
    assert list((tmp_path / "store").iterdir()) == []


def test_a_full_disk_is_told_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 2**20

    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(DataError, match=r"too full.*data\.cache"):
        stored(write(tmp_path / "a", moving_square(3)))
    assert list((tmp_path / "store").iterdir()) == []


def test_a_disk_that_fills_up_while_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "require_length", full)  # after the frames
    with pytest.raises(DataError, match=r"No space left on device\); free some space"):
        stored(write(tmp_path / "a", moving_square(3)))
    assert list((tmp_path / "store").iterdir()) == []


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    clip = stored(write(tmp_path / "a", moving_square(3)))
    (path,) = (tmp_path / "store").iterdir()
    whole = path.read_bytes()
    for broken in (whole[:1000], whole[:-1], b"", bytes(len(whole)), b"{}" + whole):
        path.write_bytes(broken)
        with pytest.raises(BrokenClipError, match=r"broken .*delete it") as error:
            StoredClip(path, "a")
        assert str(path) in str(error.value)
    save_file({"weight": clip.median}, path)  # some model's
    with pytest.raises(BrokenClipError):
        StoredClip(path, "a")


def test_a_file_of_a_newer_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "STORE_VERSION", 2)
    assert stored(write(tmp_path / "a", moving_square(3))).about["version"] == "2"
    monkeypatch.undo()
    (path,) = (tmp_path / "store").iterdir()
    with pytest.raises(DataError, match="of version 2, this maskmotion reads 1; upgrade"):
        StoredClip(path, "a")


def test_memory_does_not_grow_with_the_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that were written are let go: none but the last two are alive at once."""
    alive: list[int] = []
    held: list[object] = []
    real = store.square

    class Counted(np.ndarray):
        def __array_finalize__(self, parent: object) -> None:
            pass

        def __del__(self) -> None:
            held.pop()

    def counted(image: np.ndarray, size: int) -> np.ndarray:
        held.append(None)
        alive.append(len(held))
        return real(image, size).view(Counted)

    monkeypatch.setattr(store, "square", counted)
    clip = stored(write(tmp_path / "a", moving_square(60)))
    assert clip.length == 60
    assert max(alive) <= 2


def test_alpha_is_cropped_and_resized_as_its_frames(tmp_path: Path) -> None:
    wide = np.pad(alpha_planes(6, side=128), ((0, 0), (0, 0), (32, 32)))
    frames = [np.repeat(plane[..., None], 3, 2) for plane in wide]
    source, path = write(tmp_path / "clips" / "ann", frames), tmp_path / "x.safetensors"
    store_clip(source, 32, path, alpha=write_truth(source, wide))
    clip = StoredClip(path, "ann")
    assert clip.has_alpha
    for index in range(6):
        assert clip.alpha(index).dtype == np.uint8
        assert np.array_equal(clip.alpha(index), clip.frame(index)[..., 0])


def test_a_file_with_alpha_is_plain_safetensors_of_the_same_version(tmp_path: Path) -> None:
    frames, alpha = moving_square(5), alpha_planes(5)
    source, path = write(tmp_path / "clips" / "ann", frames), tmp_path / "x.safetensors"
    store_clip(source, SIDE, path, alpha=write_truth(source, alpha))
    tensors = load_file(path)
    assert tensors.keys() == {"frames", "alpha", "median"}
    assert np.array_equal(tensors["frames"], np.stack(frames))
    assert np.array_equal(tensors["alpha"], alpha)
    assert np.array_equal(tensors["median"], np.median(frames, axis=0).astype(np.uint8))
    assert StoredClip(path, "ann").about["version"] == "1"
    assert not stored(source).has_alpha


@pytest.mark.parametrize(
    ("count", "side", "words"),
    [
        (4, SIDE, r"the true alpha of .*ann has 4 frames, but the clip 5; make both"),
        (6, SIDE, r"the true alpha of .*ann has 6 frames, but the clip 5; make both"),
        (5, 32, r"alpha\.mkv has 32x32 px, but .*ann 64x64; make both"),
    ],
)
def test_an_alpha_of_other_frames_is_refused(
    tmp_path: Path, count: int, side: int, words: str
) -> None:
    source = write(tmp_path / "clips" / "ann", moving_square(5))
    alpha = write_truth(source, alpha_planes(count, side=side))
    with pytest.raises(MediaError, match=words):
        store_clip(source, SIDE, tmp_path / "store" / "x.safetensors", alpha=alpha)
    assert not list(tmp_path.glob("store/*"))


def test_an_alpha_of_another_shape_is_a_broken_file(tmp_path: Path) -> None:
    frames = np.stack(moving_square(5))
    tensors = {"frames": frames, "median": frames[0], "alpha": frames[:4, ..., 0].copy()}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"still": "no"})
    with pytest.raises(BrokenClipError, match="alpha"):
        StoredClip(tmp_path / "x.safetensors", "ann")
