from pathlib import Path

import pytest

from maskmotion.data.clips import find_clips, find_training_clips
from maskmotion.errors import DataError


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(folder: Path, split: str = "train") -> list[str]:
    return [str(clip.path.relative_to(folder)) for clip in find_clips(folder, split)]


def test_splits(tmp_path: Path) -> None:
    made(tmp_path, "train/b.mp4", "train/a.mp4", "test/c.mp4", "d.mp4")
    assert names(tmp_path) == ["train/a.mp4", "train/b.mp4"]
    assert names(tmp_path, "test") == ["test/c.mp4"]


def test_a_folder_without_splits_is_all_for_training(tmp_path: Path) -> None:
    made(tmp_path, "a.mp4", "b.webm")
    assert names(tmp_path) == ["a.mp4", "b.webm"]
    assert names(tmp_path, "test") == []


def test_a_split_may_be_missing(tmp_path: Path) -> None:
    made(tmp_path, "train/a.mp4")
    assert names(tmp_path, "test") == []


def test_videos_strips_folders_of_frames_and_packed_clips_are_clips(tmp_path: Path) -> None:
    made(
        tmp_path,
        "video.MP4",
        "animation.gif",
        "old.mpg",
        "packed.safetensors",
        "phone.3GP",
        "scan/0.tif",
        "strip.png",
        "frames/0000.png",
        "frames/0001.png",
        "other.txt",
        "archive.zip",
        "empty/notes.txt",
    )
    (tmp_path / "void").mkdir()
    assert names(tmp_path) == [
        "animation.gif",
        "frames",
        "old.mpg",
        "packed.safetensors",
        "phone.3GP",
        "scan",
        "strip.png",
        "video.MP4",
    ]


def test_hidden_files_are_none(tmp_path: Path) -> None:
    made(tmp_path, ".a.mp4", "._b.mp4", ".frames/0.png", "c.mp4")
    assert names(tmp_path) == ["c.mp4"]


def test_the_part_before_a_hash_is_the_identity(tmp_path: Path) -> None:
    made(tmp_path, "ann#1#00.mp4", "ann#2.safetensors", "bob.mp4", "eve#1/0.png")
    names = [f"{tmp_path}/{name}" for name in ("ann", "ann", "bob", "eve")]
    assert [clip.identity for clip in find_clips(tmp_path)] == names


def test_equal_names_in_two_folders_are_two_identities(tmp_path: Path) -> None:
    made(tmp_path, "a/0001.mp4", "b/0001.mp4")
    found = [clip.identity for name in "ab" for clip in find_clips(tmp_path / name)]
    assert len(set(found)) == 2


@pytest.mark.parametrize("name", ["nowhere", "file.mp4"])
def test_a_missing_folder_is_named(tmp_path: Path, name: str) -> None:
    made(tmp_path, "file.mp4")
    with pytest.raises(DataError, match=name):
        find_clips(tmp_path / name)


def test_others_who_move_alike_are_trained_on_beside_whom_they_are_like(tmp_path: Path) -> None:
    made(
        tmp_path,
        "people/clips/a.mp4",
        "people/clips/b.mp4",
        "people/counterfactuals/a/person-1.mp4",
        "people/counterfactuals/a/person-1/alpha.mkv",
        "people/counterfactuals/a/person-2.mp4",
        "people/counterfactuals/a/scene-1.mp4",
        "people/counterfactuals/b/scene-1.mp4",
        "people/truth/a/alpha.mkv",
    )
    folder = tmp_path / "people" / "clips"
    found = find_training_clips(folder)
    assert [clip.name for clip in found] == ["a-person-1", "a-person-2", "a", "b"]
    assert [clip.path.stem for clip in found if clip.alpha] == ["person-1", "a"]
    assert len({clip.identity for clip in found}) == 4
    assert [clip.motion is None for clip in found] == [False, False, False, True]
    assert len({clip.motion for clip in found[:3]}) == 1
    assert [clip.name for clip in find_clips(folder)] == ["a", "b"]


def test_clips_to_test_on_are_the_clips_alone(tmp_path: Path) -> None:
    made(tmp_path, "train/a.mp4", "test/a.mp4", "counterfactuals/a/person-1.mp4")
    assert [clip.motion for clip in find_training_clips(tmp_path, "test")] == [None]


def test_others_of_two_clips_of_one_identity_are_identities_of_their_own(tmp_path: Path) -> None:
    made(tmp_path, "clips/ann#1.mp4", "clips/ann#2.mp4")
    made(tmp_path, *(f"counterfactuals/ann#{number}/person-1.mp4" for number in (1, 2)))
    found = find_training_clips(tmp_path / "clips")
    assert len({clip.identity for clip in found}) == 3
    assert [clip.name.count("#") for clip in found] == [0, 1, 0, 1]


def test_packed_clips_have_their_others_beside_them(tmp_path: Path) -> None:
    """Not those that they were packed of, where the pack lies there, too."""
    made(tmp_path, "train/a.safetensors", "counterfactuals/a/person-1.mp4")
    assert [clip.name for clip in find_training_clips(tmp_path)] == ["a"]
