"""Which clips are evaluated, and what is read of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.evaluation.conftest import SIZE, moving_square

from maskmotion.data.clips import Clip
from maskmotion.data.pack import pack_clips
from maskmotion.errors import DataError, MediaError
from maskmotion.evaluation.cases import (
    BATCH_FRAMES,
    SameClip,
    clip_frames,
    crossed,
    evaluation_clips,
    on_backgrounds,
)
from maskmotion.media import to_uint8

WriteClips = Callable[..., Path]


def pictures(tensor: torch.Tensor) -> np.ndarray:
    return to_uint8(tensor)


def test_every_nth_frame_is_read_in_batches(write_clips: WriteClips) -> None:
    frames = 4 * BATCH_FRAMES - 3
    clip = evaluation_clips(write_clips(1, frames))[0]
    batches = list(SameClip(clip).batches(SIZE, 3))
    expected = moving_square(0, frames)[3::3]
    assert [batch.number for batch in batches] == list(range(1, 1 + len(expected), BATCH_FRAMES))
    np.testing.assert_array_equal(
        np.concatenate([pictures(batch.driving) for batch in batches]), expected
    )
    for batch in batches:
        assert batch.target is batch.driving
        np.testing.assert_array_equal(pictures(batch.source), moving_square(0, 1))


def test_a_clip_needs_a_second_frame(write_clips: WriteClips) -> None:
    clip = evaluation_clips(write_clips(1, frames=4))[0]
    assert len(list(SameClip(clip).batches(SIZE, 3))) == 1
    with pytest.raises(MediaError, match="no second frame at --every 4"):
        list(SameClip(clip).batches(SIZE, 4))


def test_larger_frames_are_reduced_to_the_networks_size(write_clips: WriteClips) -> None:
    clip = evaluation_clips(write_clips(1, 2))[0]
    assert next(clip_frames(clip, 64, 1)).shape == (64, 64, 3)


def test_packed_clips_have_the_same_frames(write_clips: WriteClips, tmp_path: Path) -> None:
    folder = write_clips(2)
    pack_clips([folder], tmp_path / "packed", size=SIZE)
    packed, plain = evaluation_clips(tmp_path / "packed" / "train"), evaluation_clips(folder)
    assert len(packed) == len(plain) == 2
    for one, other in zip(packed, plain, strict=True):
        np.testing.assert_array_equal(
            list(clip_frames(one, SIZE, 2)), list(clip_frames(other, SIZE, 2))
        )


def test_of_two_splits_the_test_clips_are_taken(write_clips: WriteClips, tmp_path: Path) -> None:
    write_clips(3, folder="set/train")
    write_clips(2, folder="set/test")
    found = evaluation_clips(tmp_path / "set")
    assert [clip.path.parent.name for clip in found] == ["test", "test"]


def test_fewer_clips_are_spread_over_the_folder(write_clips: WriteClips) -> None:
    folder = write_clips(5, frames=1)
    assert [clip.path.name[0] for clip in evaluation_clips(folder, 3)] == ["a", "c", "e"]
    assert len(evaluation_clips(folder, 9)) == 5


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clips to evaluate on"):
        evaluation_clips(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        evaluation_clips(tmp_path / "missing")


@pytest.mark.parametrize("identities", ["abcdef", "aab", "aaabbc", "ab"])
def test_drivers_are_of_another_identity(identities: str) -> None:
    clips = [Clip(Path(f"{i}.mp4"), identity) for i, identity in enumerate(identities)]
    pairs = crossed(clips)
    assert [pair.clip for pair in pairs] == clips
    assert all(pair.driver.identity != pair.clip.identity for pair in pairs)
    assert crossed(clips) == pairs


def test_one_identity_cannot_be_crossed() -> None:
    with pytest.raises(DataError, match="two identities"):
        crossed([Clip(Path("1.mp4"), "a"), Clip(Path("2.mp4"), "a")])


def test_a_source_is_driven_by_the_other_clip(write_clips: WriteClips) -> None:
    pair = crossed(evaluation_clips(write_clips(2)))[0]
    batch = next(pair.batches(SIZE, 2))
    np.testing.assert_array_equal(pictures(batch.source), moving_square(0, 11)[:1])
    np.testing.assert_array_equal(pictures(batch.driving), moving_square(1, 11)[::2])
    assert batch.target is None
    assert pair.name == "a#1 by b#1"


def test_backgrounds_are_taken_in_turn(write_clips: WriteClips, tmp_path: Path) -> None:
    clips = evaluation_clips(write_clips(3, frames=2))
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    for name, grey in (("x.png", 50), ("y.png", 150)):
        Image.new("RGB", (200, SIZE), (grey,) * 3).save(scenes / name)
    levels = []
    for case in on_backgrounds(clips, scenes):
        background = next(case.batches(SIZE, 1)).background
        assert background is not None
        assert background.shape == (1, 3, SIZE, SIZE)
        levels.append(round(float(background.mean()) * 255))
    assert levels == [50, 150, 50]
    alone = on_backgrounds(clips, scenes / "y.png")
    assert [case.background for case in alone] == [scenes / "y.png"] * 3


def test_backgrounds_that_cannot_be_used(write_clips: WriteClips, tmp_path: Path) -> None:
    clips = evaluation_clips(write_clips(1, frames=1))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        on_backgrounds(clips, tmp_path / "empty")
    with pytest.raises(DataError, match="no pictures"):
        on_backgrounds(clips, tmp_path / "missing.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(MediaError):
        on_backgrounds(clips, tmp_path / "broken.png")
