import json
from pathlib import Path

import numpy as np
import pytest
from tests.data.footage import alpha_planes, moving_square, panning, scene, write, write_truth

from maskmotion.data.check import (
    KINDS,
    ClipReport,
    as_json,
    check_clips,
    drop_list,
    move_dropped,
    write_report,
)
from maskmotion.errors import DataError

SIDE = 128


def square(count: int = 12, seed: int = 0) -> list[np.ndarray]:
    """A moving square whose background is unlike that of other seeds."""
    tint = np.random.default_rng(seed).integers(0, 120, 3)
    return [
        np.where(frame < 255, (frame + tint) % 250, 255).astype(np.uint8)
        for frame in moving_square(count, side=SIDE, seed=seed)
    ]


def kinds(report: ClipReport) -> list[str]:
    return [trouble.kind for trouble in report.troubles]


def only(folder: Path) -> ClipReport:
    (report,) = check_clips([folder])
    return report


def cut_off(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    return path


def test_a_good_clip(tmp_path: Path) -> None:
    write(tmp_path / "ann#1.mp4", square(20))
    report = only(tmp_path)
    assert report.troubles == ()
    assert not report.dropped()
    assert (report.frames, report.width, report.height) == (20, SIDE, SIDE)
    assert report.duration_s == pytest.approx(0.8)
    assert (report.identity, report.split) == ("ann", "train")


@pytest.mark.parametrize(
    ("wanted", "frames"),
    [
        ("too-short", square(9)),
        ("cut", square(15) + [255 - frame for frame in square(10, seed=1)]),
        ("static", [scene(side=SIDE)] * 12),
        ("moving-camera", panning(side=SIDE)),
        ("small", moving_square(side=64)),
        ("too-short", square(1)),
    ],
)
def test_troubles_of_one_clip(wanted: str, frames: list[np.ndarray], tmp_path: Path) -> None:
    write(tmp_path / "clip", frames)
    report = only(tmp_path)
    assert kinds(report) == [wanted]
    assert report.dropped() == KINDS[wanted].dropped == (wanted != "small")
    assert not report.dropped(keep=[wanted])
    if wanted == "cut":
        assert "0.60 s" in report.troubles[0].detail


def test_broken_clips_and_those_that_stop_midway(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    (tmp_path / "b.mp4").touch()
    write(tmp_path / "c", square(12))
    (tmp_path / "c" / "000004.png").write_bytes(b"no picture")
    cut_off(write(tmp_path / "d.mp4", square(60)))
    cut_off(write(tmp_path / "e.mkv", square(60, seed=1)))
    write(tmp_path / "f.mp4", square(12, seed=2))
    reports = check_clips([tmp_path])
    assert ["broken" in kinds(report) for report in reports] == [True] * 5 + [False]
    assert "000004.png" in reports[2].troubles[0].detail
    assert f"stops after {reports[3].frames} of 60 frames" == reports[3].troubles[0].detail


def test_the_part_that_training_sees_counts(tmp_path: Path) -> None:
    """What lies beside the middle square is cut away: here all of the motion."""
    still = scene(side=SIDE)
    wide = [np.concatenate([frame, still, still], 1) for frame in square()]
    write(tmp_path / "wide", wide)
    assert kinds(only(tmp_path)) == ["static"]


def test_the_same_content_twice(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a", square(40))
    write(tmp_path / "train" / "b", square(40, seed=1))
    write(tmp_path / "train" / "c", square(40, seed=2))
    write(tmp_path / "test" / "again.mp4", square(40, seed=1))  # coded anew
    write(tmp_path / "test" / "own", square(40, seed=3))
    reports = check_clips([tmp_path])
    assert [kinds(report) for report in reports] == [[], [], [], ["copy"], []]
    assert str(tmp_path / "train" / "b") in reports[3].troubles[0].detail


def test_other_motion_before_one_background_is_no_copy(tmp_path: Path) -> None:
    write(tmp_path / "a", square(12))
    write(tmp_path / "b", square(12)[::-1])
    assert [kinds(report) for report in check_clips([tmp_path])] == [[], []]


def test_identities_on_both_sides(tmp_path: Path) -> None:
    write(tmp_path / "train" / "ann#1", square())
    write(tmp_path / "train" / "bob#1", square(seed=1))
    write(tmp_path / "test" / "ann#2", square(seed=2))
    reports = check_clips([tmp_path])
    assert [kinds(report) for report in reports] == [[], [], ["both-splits"]]
    assert not reports[2].dropped()


def test_clips_are_checked_once_and_progress_is_told(tmp_path: Path) -> None:
    write(tmp_path / "a", square())
    write(tmp_path / "b", square(seed=1))
    seen = []
    reports = check_clips(
        [tmp_path, tmp_path / ".." / tmp_path.name],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [report.path.name for report in reports] == ["a", "b"]
    assert seen == [(1, 2), (2, 2)]


def test_a_folder_without_clips(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no clips in"):
        check_clips([tmp_path])
    with pytest.raises(DataError, match="nowhere"):
        check_clips([tmp_path / "nowhere"])
    (tmp_path / "a.safetensors").touch()
    with pytest.raises(DataError, match=r"a\.safetensors is packed"):
        check_clips([tmp_path])


@pytest.fixture
def mixed(tmp_path: Path) -> list[ClipReport]:
    write(tmp_path / "in" / "train" / "good", square())
    write(tmp_path / "in" / "train" / "short", square(3, seed=1))
    write(tmp_path / "in" / "test" / "pan", panning(side=SIDE))
    return check_clips([tmp_path / "in"])


def test_what_is_written(mixed: list[ClipReport], tmp_path: Path) -> None:
    def paths(text: str) -> list[str]:
        return [Path(line).name for line in text.splitlines() if not line.startswith("#")]

    assert paths(drop_list(mixed)) == ["short", "pan"]
    assert paths(drop_list(mixed, keep=["moving-camera"])) == ["short"]
    write_report(tmp_path / "drop.txt", mixed)
    assert (tmp_path / "drop.txt").read_text() == drop_list(mixed)
    write_report(tmp_path / "all.json", mixed)
    assert (tmp_path / "all.json").read_text() == as_json(mixed)
    rows = json.loads(as_json(mixed))["clips"]
    assert [row["dropped"] for row in rows] == [False, True, True]
    assert rows[1]["troubles"] == [{"kind": "too-short", "detail": "3 frames"}]
    assert rows[0]["path"] == str(tmp_path / "in" / "train" / "good")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        write_report(tmp_path / "file" / "drop.txt", mixed)


def test_dropped_clips_are_moved_and_nothing_is_lost(
    mixed: list[ClipReport], tmp_path: Path
) -> None:
    target = tmp_path / "aside" / "in"
    assert move_dropped(mixed, tmp_path / "aside") == [
        target / "train" / "short",
        target / "test" / "pan",
    ]
    assert len(list((target / "train" / "short").iterdir())) == 3
    assert [p.name for p in (tmp_path / "in" / "train").iterdir()] == ["good"]


def test_nothing_is_moved_onto_other_things(mixed: list[ClipReport], tmp_path: Path) -> None:
    (tmp_path / "aside" / "in" / "test" / "pan").mkdir(parents=True)
    with pytest.raises(DataError, match="would be replaced"):
        move_dropped(mixed, tmp_path / "aside")
    assert (tmp_path / "in" / "train" / "short").is_dir()


def test_clips_of_folders_named_alike_do_not_meet(tmp_path: Path) -> None:
    for seed, parent in enumerate("ab"):
        write(tmp_path / parent / "clips" / "x", square(3, seed=seed))
    reports = check_clips([tmp_path / "a" / "clips", tmp_path / "b" / "clips"])
    with pytest.raises(DataError, match="would be replaced"):
        move_dropped(reports, tmp_path / "aside")
    assert all((tmp_path / parent / "clips" / "x").is_dir() for parent in "ab")


@pytest.mark.parametrize(
    ("planes", "side", "words"),
    [(12, SIDE, None), (11, SIDE, "11 frames, but the clip 12"), (12, 64, "64x64 px, but")],
)
def test_alpha_that_does_not_fit_is_a_broken_clip(
    planes: int, side: int, words: str | None, tmp_path: Path
) -> None:
    """Training would leave it out, too."""
    clip = write(tmp_path / "clips" / "p", square(12))
    write_truth(clip, alpha_planes(planes, side=side))
    report = only(tmp_path / "clips")
    assert kinds(report) == (["broken"] if words else [])
    if words:
        assert words in report.troubles[0].detail
