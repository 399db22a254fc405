"""The truth set: what a case shows, whose seeds it has, going on, and what is refused."""

import json
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.synth.people import standin
from tests.synth.people.standin import StandIn

from maskmotion.errors import ConfigError, DataError, MediaError
from maskmotion.media.lossless import save_lossless
from maskmotion.synth.people import dataset, truth
from maskmotion.synth.people.clip import (
    JOINTS,
    ClipSeeds,
    PeopleClip,
    _look,
    composite,
    holds_still,
)
from maskmotion.synth.people.manifest import MOST_CLIPS, MOST_OTHERS, MOST_SEED, Settings
from maskmotion.synth.people.truth import TruthCase, case_seeds, make_truth, read_truth

SMALL: dict[str, Any] = {"size": 64, "frames": 4, "jobs": 1, "renderer": StandIn}
FIRST = 1_000_000_001_000_000  # published: the seeds of truth-1 begin here
PARTS = ("person", "motion", "scene", "camera")
numbers = st.integers(0, truth.MOST_CASES - 1)


def files(out: Path) -> dict[str, bytes]:
    """All that a folder holds, but for the lock."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def made(out: Path, cases: int = 1, **changes: Any) -> dict[str, bytes]:
    make_truth(out, cases=cases, **SMALL | changes)
    return files(out)


def direct(renderer: Any, index: int, frames: int) -> dict[str, PeopleClip]:
    """The clips of a case that has `FIRST`'s next hundred seeds, written out."""
    a = FIRST + 100 * index
    b, c = a + 1, a + 2
    camera = next(seed for seed in range(a, a + 100) if holds_still(seed))
    seeds = {
        "source": (ClipSeeds(person=a, motion=a, scene=a, camera=camera), 1),
        "driving": (ClipSeeds(person=b, motion=b, scene=b, camera=camera), frames),
        "target": (ClipSeeds(person=a, motion=b, scene=a, camera=camera), frames),
        "elsewhere": (ClipSeeds(person=a, motion=a, scene=c, camera=camera), 1),
    }
    framing = "portrait" if index % 3 == 2 else "body"
    how = {"framing": framing, "fps": 25.0, "backgrounds": None}
    return {name: renderer.clip(own, frames=length, **how) for name, (own, length) in seeds.items()}


def assert_is(case: TruthCase, clips: dict[str, PeopleClip]) -> None:
    """The files of a case are those clips, value for value."""
    source, driving, target = clips["source"], clips["driving"], clips["target"]
    new_background = clips["elsewhere"].background[0]
    np.testing.assert_array_equal(case.source(), source.frames[0])
    np.testing.assert_array_equal(case.source_alpha(), source.alpha[0])
    np.testing.assert_array_equal(case.background(), source.background[0])
    np.testing.assert_array_equal(case.new_background(), new_background)
    shots = list(case.shots())
    assert len(shots) == case.frames == len(target.frames)
    swapped = composite(target.foreground, target.alpha, new_background)
    for t, shot in enumerate(shots):
        np.testing.assert_array_equal(shot.driving, driving.frames[t])
        np.testing.assert_array_equal(shot.driving_alpha, driving.alpha[t])
        np.testing.assert_array_equal(shot.target, target.frames[t])
        np.testing.assert_array_equal(shot.target_alpha, target.alpha[t])
        np.testing.assert_array_equal(shot.swapped, swapped[t])


# Seeds -------------------------------------------------------------------------------------


@given(numbers, numbers)
def test_no_two_cases_share_a_seed(first: int, second: int) -> None:
    for part in PARTS:
        own, others = (
            {getattr(seeds, part) for seeds in case_seeds(index).values()}
            for index in (first, second)
        )
        assert own == others if first == second else not own & others


@given(numbers)
def test_the_clips_of_a_case_share_what_they_should(index: int) -> None:
    seeds = case_seeds(index)
    source, driving, target = seeds["source"], seeds["driving"], seeds["target"]
    assert target == replace(source, motion=driving.motion)
    assert len({own.camera for own in seeds.values()}) == 1
    assert all(getattr(source, part) != getattr(driving, part) for part in PARTS[:3])
    assert len({source.scene, driving.scene, seeds["new_background"].scene}) == 3


@given(
    numbers,
    st.integers(0, MOST_SEED),
    st.integers(0, MOST_CLIPS - 1),
    st.sampled_from(["", "person-1", "scene-1", f"person-{MOST_OTHERS}", f"scene-{MOST_OTHERS}"]),
)
def test_no_clip_of_any_seed_is_in_the_set(case: int, seed: int, index: int, other: str) -> None:
    clip = dataset._seeds(Settings(seed=seed), index, other)
    least = min(min(asdict(seeds).values()) for seeds in case_seeds(case).values())
    assert max(asdict(clip).values()) < FIRST <= least


def test_the_last_seed_of_people_lies_before_the_first_of_the_set() -> None:
    last = dataset._seeds(Settings(seed=MOST_SEED), MOST_CLIPS - 1, f"person-{MOST_OTHERS}")
    assert last.person == FIRST - 1
    assert case_seeds(0)["source"].person == FIRST


@given(numbers)
def test_cameras_stand_still(index: int) -> None:
    assert _look(case_seeds(index)["target"], 1000, 25.0).drift.still


def test_a_camera_holds_still_in_all_clips_or_in_none() -> None:
    still = [holds_still(seed) for seed in range(200)]
    assert 0.65 < np.mean(still) < 0.85
    for seed, expected in enumerate(still[:40]):
        drift = _look(ClipSeeds(1, 2, 3, seed), 48, 30.0).drift
        assert drift.still == expected


# Folders -----------------------------------------------------------------------------------


def test_what_is_read_is_what_was_rendered(tmp_path: Path) -> None:
    seen = []
    made(tmp_path, cases=3, progress=lambda *what: seen.append(what))
    assert seen[1:] == [("rendering", done, 3) for done in range(4)]
    cases = read_truth(tmp_path)
    assert [case.name for case in cases] == ["c0000", "c0001", "c0002"]
    assert [case.framing for case in cases] == ["body", "body", "portrait"]
    for index, case in enumerate(cases):
        assert_is(case, direct(StandIn(64), index, 4))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["version"] == "truth-1"
    assert manifest["settings"] == {"size": 64, "frames": 4}
    assert manifest["software"]["opengl"] == "stand-in"
    assert [case["seeds"] for case in manifest["cases"]] == [
        {name: asdict(seeds) for name, seeds in case_seeds(index).items()} for index in range(3)
    ]


def test_a_call_goes_on_where_another_was_stopped(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", cases=3)
    out = tmp_path / "out"
    first = made(out)
    assert {name for name, content in first.items() if whole[name] != content} == {"manifest.json"}
    kept = (out / "cases/c0000/target.mkv").stat().st_mtime_ns
    half = out / "cases/.c0001.0123abcd"
    half.mkdir()
    (half / "source.png").touch()
    (out / ".manifest.json.abc.tmp").touch()
    assert [case.name for case in read_truth(out)] == ["c0000"]
    assert made(out, cases=3) == whole
    assert made(out, cases=1) == whole  # fewer take nothing away
    assert (out / "cases/c0000/target.mkv").stat().st_mtime_ns == kept


def test_a_full_disk_leaves_no_part_of_a_case(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cannot be written \(File too large\)"):
        made(tmp_path, renderer=standin.FullDisk)
    assert set(files(tmp_path)) == {"manifest.json"}
    with pytest.raises(DataError, match="has no cases yet"):
        read_truth(tmp_path)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    out, people = tmp_path / "out", tmp_path / "people"
    whole = made(out)
    for changes, words in (
        ({"size": 66}, "size 64; use the same settings"),
        ({"frames": 5}, "frames 4; use the same settings"),
        ({"renderer": standin.OtherSoftware}, "opengl stand-in; use the same software"),
    ):
        with pytest.raises(DataError, match=f"out was made with {words} or another folder"):
            made(out, cases=2, **changes)
    assert files(out) == whole
    dataset.make_people(people, clips=1, seed=1, **SMALL)
    with pytest.raises(DataError, match='is not of "maskmotion truth set"'):
        made(people)
    with pytest.raises(DataError, match='is not of "maskmotion truth set"'):
        read_truth(people)
    with pytest.raises(DataError, match='is not of "maskmotion rendered people"'):
        dataset.make_people(out, clips=1, seed=1, **SMALL)
    with pytest.raises(DataError, match="cases holds other things"):
        made(out / "cases")
    for nothing in (tmp_path / "nowhere", out / "cases"):
        with pytest.raises(DataError, match="is no truth set; name the folder of one"):
            read_truth(nothing)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cases": 0}, "cases is 0"),
        ({"cases": 10_001}, "cases is 10001"),
        ({"size": 65}, "size is 65: input should be a multiple of 2"),
        ({"size": 62}, "size is 62"),
        ({"frames": 1}, "frames is 1"),
        ({"jobs": 0}, "jobs is 0"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path / "out", **changes)
    assert str(caught.value).startswith(words)
    assert not (tmp_path / "out").exists()


def test_a_case_with_files_of_other_lengths_or_none_is_told(tmp_path: Path) -> None:
    truth._render(4, StandIn(64), truth._Take(0, tmp_path / "c0000"))
    case = TruthCase("c0000", tmp_path / "c0000", "body", 4)
    save_lossless(case.folder / "swapped.mkv", np.zeros((3, 64, 64, 3), np.uint8), Fraction(25))
    shots = case.shots()
    assert [next(shots).swapped.any() for _ in range(3)] == [False] * 3
    with pytest.raises(DataError, match="has 3 frames in place of 4"):
        next(shots)
    (case.folder / "swapped.mkv").unlink()
    with pytest.raises(MediaError, match=r"swapped\.mkv does not exist"):
        next(case.shots())


# With the renderer -------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[0, 2], ids=["body", "portrait"])
def rendered(renderer: Any, request: Any, tmp_path_factory: Any) -> Any:
    """A case of 3 frames, and the clips it should be made of."""
    index = request.param
    folder = tmp_path_factory.mktemp("truth") / "case"
    truth._render(3, renderer, truth._Take(index, folder))
    case = TruthCase("case", folder, truth._framing(index), 3)
    return case, direct(renderer, index, 3)


def test_a_case_is_rendered_from_its_seeds(rendered: Any) -> None:
    assert_is(*rendered)


def test_the_target_is_the_source_s_person_in_the_driver_s_motion(rendered: Any) -> None:
    _, clips = rendered
    source, driving, target = (clips[name].parameters for name in ("source", "driving", "target"))
    assert target["motion"] == driving["motion"]
    assert target["camera"] == driving["camera"] == source["camera"]
    for part in ("person", "scene", "light"):
        assert target[part] == source[part] != driving[part]


@pytest.mark.parametrize("rendered", [0], indirect=True, ids=["body"])
def test_driver_and_target_take_the_same_pose_and_the_source_another(rendered: Any) -> None:
    _, clips = rendered
    wrists = [list(JOINTS).index(f"{side}_wrist") for side in ("left", "right")]
    chest = [list(JOINTS).index("chest")]
    pose = {name: clip.joints[:, wrists] - clip.joints[:, chest] for name, clip in clips.items()}
    apart = np.abs(pose["driving"] - pose["target"]).mean()
    assert apart < 0.5 * np.abs(pose["source"] - pose["target"]).mean()


def test_without_the_person_and_shadow_there_is_the_background(rendered: Any) -> None:
    case, clips = rendered
    alone = (case.source_alpha() == 0) & (clips["source"].shade[0] == 255)
    assert alone.mean() > 0.1
    np.testing.assert_array_equal(case.source()[alone], case.background()[alone])
    for shot, shade in zip(case.shots(), clips["target"].shade, strict=True):
        nobody = shot.target_alpha == 0
        lit = nobody & (shade == 255)
        np.testing.assert_array_equal(shot.target[lit], case.background()[lit])
        np.testing.assert_array_equal(shot.swapped[nobody], case.new_background()[nobody])
        covered = shot.target_alpha == 255
        assert covered.any()
        np.testing.assert_array_equal(shot.swapped[covered], shot.target[covered])
    plates = case.background().astype(int), case.new_background().astype(int)
    assert np.abs(plates[0] - plates[1]).mean() > 5


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_truth_from_end_to_end(opengl: str, renderer: Any, tmp_path: Path) -> None:
    """Another process stores what this one renders of the same seeds."""
    make_truth(tmp_path, cases=2, size=64, frames=3, jobs=1)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["software"]["opengl"] == opengl
    for index, case in enumerate(read_truth(tmp_path)):
        assert_is(case, direct(renderer, index, 3))
