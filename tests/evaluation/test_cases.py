"""Which clips are evaluated, and what is read of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.evaluation.conftest import moving_square
from tests.evaluation.known import SIZE

from maskmotion.data.clips import Clip
from maskmotion.data.pack import pack_clips
from maskmotion.errors import DataError, MediaError
from maskmotion.evaluation.cases import (
    BATCH_FRAMES,
    RenderedCase,
    SameClip,
    clip_frames,
    crossed,
    evaluation_clips,
    on_backgrounds,
)
from maskmotion.media import to_uint8
from maskmotion.synth.people.truth import read_truth

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


def test_a_lone_test_folder_is_taken(write_clips: WriteClips, tmp_path: Path) -> None:
    write_clips(2, frames=1, folder="set/test")
    assert len(evaluation_clips(tmp_path / "set")) == 2


def test_training_clips_are_not_taken_unasked(write_clips: WriteClips, tmp_path: Path) -> None:
    write_clips(2, frames=1, folder="set/train")
    with pytest.raises(DataError, match=r"has no test/ .* name .*train to evaluate on"):
        evaluation_clips(tmp_path / "set")
    assert len(evaluation_clips(tmp_path / "set" / "train")) == 2


def test_fewer_clips_are_spread_over_the_folder(write_clips: WriteClips) -> None:
    folder = write_clips(5, frames=1)
    assert [clip.path.name[0] for clip in evaluation_clips(folder, 3)] == ["a", "c", "e"]
    assert len(evaluation_clips(folder, 9)) == 5


def test_a_folder_without_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no clips in"):
        evaluation_clips(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        evaluation_clips(tmp_path / "missing")


@pytest.mark.parametrize("damage", [b"no clip", b""])
def test_broken_packed_clips_are_data_errors(
    damage: bytes, write_clips: WriteClips, tmp_path: Path
) -> None:
    pack_clips([write_clips(1, 3)], tmp_path / "packed", size=SIZE)
    clip = evaluation_clips(tmp_path / "packed" / "train")[0]
    with pytest.raises(DataError, match=f"packed at {SIZE} px"):
        list(clip_frames(clip, 2 * SIZE, 1))
    clip.path.write_bytes(damage)
    with pytest.raises(DataError, match="is broken"):
        list(clip_frames(clip, SIZE, 1))


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
    assert pair.name == "a#1.mkv by b#1.mkv"


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


def test_a_rendered_case_is_read_as_it_lies_on_the_disk(truth_set: Path) -> None:
    truth = read_truth(truth_set)[1]
    case = RenderedCase(truth)
    batches = list(case.batches(SIZE, 1))
    assert [(batch.number, len(batch.driving)) for batch in batches] == [(0, BATCH_FRAMES), (8, 2)]
    shots = list(truth.shots())
    for name in ("driving", "target", "swapped"):
        shown = np.concatenate([pictures(getattr(batch, name)) for batch in batches])
        np.testing.assert_array_equal(shown, [getattr(shot, name) for shot in shots])
    for name in ("driving_alpha", "target_alpha"):
        shown = torch.cat([getattr(batch, name) for batch in batches])
        alphas = np.stack([getattr(shot, name) for shot in shots])[:, None]
        torch.testing.assert_close(shown, torch.from_numpy(alphas / 255).float())
    for batch in batches:
        for shown, picture in (
            (batch.source, truth.source()),
            (batch.plate, truth.background()),
            (batch.background, truth.new_background()),
        ):
            np.testing.assert_array_equal(pictures(shown), picture[None])
    assert case.name == "c0001 (body)"


def test_every_nth_moment_of_a_rendered_case(truth_set: Path) -> None:
    truth = read_truth(truth_set)[0]
    (batch,) = RenderedCase(truth).batches(SIZE, 4)
    shots = list(truth.shots())[::4]
    np.testing.assert_array_equal(pictures(batch.target), [shot.target for shot in shots])
