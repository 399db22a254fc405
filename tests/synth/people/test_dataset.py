"""Folders of rendered people: what is in them, going on, and what is refused."""

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.interrupts import interruptible
from tests.synth.people import standin
from tests.synth.people.standin import StandIn

from maskmotion.data.check import check_clips
from maskmotion.data.clips import find_clips
from maskmotion.errors import (
    ConfigError,
    DataError,
    InputError,
    MaskMotionError,
    MediaError,
    MissingExtraError,
)
from maskmotion.media import open_video, read_still
from maskmotion.synth.people import dataset
from maskmotion.synth.people.clip import JOINTS, ClipSeeds
from maskmotion.synth.people.dataset import framing_of, make_people
from maskmotion.synth.people.manifest import Settings

ROOT = Path(__file__).parents[3]
SMALL: dict[str, Any] = {"seed": 1, "size": 64, "frames": 6, "jobs": 1, "renderer": StandIn}
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def files(out: Path) -> dict[str, bytes]:
    """All that a folder holds, but for the lock."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def made(out: Path, **changes: Any) -> dict[str, bytes]:
    make_people(out, **SMALL | {"clips": 2} | changes)
    return files(out)


def pictures(path: Path) -> np.ndarray:
    with open_video(path) as video:
        return np.stack([frame.image for frame in video])


def test_truth_beside_each_clip(tmp_path: Path) -> None:
    result = make_people(tmp_path, clips=3, other_people=1, other_scenes=2, **SMALL | {"jobs": 2})
    assert (result.clips, result.new) == (3, 3)
    names = ["p00000", "p00001", "p00002"]
    clips = find_clips(tmp_path / "clips")
    assert [clip.path.name for clip in clips] == [f"{name}.mp4" for name in names]
    assert len({clip.identity for clip in clips}) == 3
    takes = {"": {}, "person-1": {"person": 1}, "scene-1": {"scene": 1}, "scene-2": {"scene": 2}}
    for (index, name), (other, changes) in product(enumerate(names), takes.items()):
        own = 1_000_000 + index
        seeds = dict.fromkeys(("person", "motion", "scene", "camera"), own)
        seeds |= {part: own + 100_000 * number for part, number in changes.items()}
        framing = "portrait" if index == 2 else "body"
        truth = StandIn(64).clip(
            ClipSeeds(**seeds), framing=framing, frames=6, fps=25, backgrounds=None
        )
        video = tmp_path / "clips" / f"{name}.mp4"
        folder = tmp_path / "truth" / name
        if other:
            video = tmp_path / "counterfactuals" / name / f"{other}.mp4"
            folder = video.with_suffix("")
        assert_is(truth, video, folder)
    assert (tmp_path / "truth/p00000/background.png").exists()  # a camera that stands
    assert (tmp_path / "truth/p00001/background.mkv").exists()  # one that drifts


def assert_is(truth: Any, video: Path, folder: Path) -> None:
    shown = pictures(video)
    assert shown.shape == truth.frames.shape
    closer = np.abs(shown.astype(int) - truth.frames).mean()
    assert closer < np.abs(shown.astype(int) - truth.background).mean()
    np.testing.assert_array_equal(pictures(folder / "alpha.mkv")[..., 0], truth.alpha)
    np.testing.assert_array_equal(pictures(folder / "shade.mkv")[..., 0], truth.shade)
    if len(truth.background) == 1:
        stored = read_still(folder / "background.png").image[None]
    else:
        stored = pictures(folder / "background.mkv")
    np.testing.assert_array_equal(stored, truth.background)
    joints = json.loads((folder / "joints.json").read_text())
    assert joints["names"] == list(JOINTS)
    np.testing.assert_allclose(joints["positions_px"], truth.joints, atol=6e-4)
    np.testing.assert_array_equal(joints["visible"], truth.visible)
    stored = json.loads((folder / "parameters.json").read_text())
    assert stored == json.loads(json.dumps(truth.parameters))


def test_manifest_tells_settings_software_and_seeds(tmp_path: Path) -> None:
    make_people(tmp_path, clips=2, other_people=1, **SMALL)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["settings"] == {
        "seed": 1,
        "framing": "mixed",
        "size": 64,
        "fps": 25.0,
        "frames": 6,
        "backgrounds": None,
    }
    software = manifest["software"]
    assert re.fullmatch("[0-9a-f]{12}", software.pop("code"))
    packages = ("maskmotion", "anny", "moderngl", "torch", "numpy", "pillow", "av")
    assert software == {
        "opengl": "stand-in",
        **{name: importlib.metadata.version(name) for name in packages},
    }
    for clip in manifest["clips"]:
        stored = json.loads((tmp_path / "truth" / clip["name"] / "parameters.json").read_text())
        assert clip["seeds"] == stored["seeds"]
        other = tmp_path / "counterfactuals" / clip["name"] / "person-1" / "parameters.json"
        assert clip["counterfactuals"] == {"person-1": json.loads(other.read_text())["seeds"]}


def test_the_quality_of_a_clip_is_part_of_its_looks(tmp_path: Path) -> None:
    for crf in (17, 40):
        with dataset.open_clip_writer(tmp_path / f"{crf}.mp4", 64, Fraction(25), crf=crf) as writer:
            for number in range(4):
                noise = np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8)
                writer.write(noise)
    assert (tmp_path / "40.mp4").stat().st_size < (tmp_path / "17.mp4").stat().st_size / 2


def test_same_seed_same_bytes_however_it_is_made(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", clips=4, other_scenes=1, jobs=2)
    made(tmp_path / "parts", clips=1)
    shutil.rmtree(tmp_path / "parts/truth")  # as if a process had been killed in between
    (tmp_path / "parts/clips/p00000.mp4").unlink()
    made(tmp_path / "parts", clips=3)
    assert made(tmp_path / "parts", clips=4, other_scenes=1) == whole
    fewer = made(tmp_path / "fewer", clips=2)
    assert {name for name, content in fewer.items() if whole.get(name) != content} == {
        "manifest.json"
    }


def test_a_call_goes_on_where_another_was_stopped(tmp_path: Path) -> None:
    whole = made(tmp_path / "out", clips=3, other_people=1)
    out = tmp_path / "out"
    (out / "clips/p00001.mp4").unlink()
    (out / "counterfactuals/p00002/person-1.mp4").unlink()
    (out / "clips/.p00001.0123abcd.mp4").touch()
    (out / "truth/.p00001.0123abcd").mkdir()
    (out / "truth/.p00001.0123abcd/alpha.mkv").touch()
    (out / "counterfactuals/p00002/.person-1.0123abcd.mp4").touch()
    (out / ".manifest.json.abc.tmp").touch()
    before = (out / "clips/p00000.mp4").stat().st_mtime_ns
    seen = []
    result = make_people(
        out, clips=3, other_people=1, progress=lambda *what: seen.append(what), **SMALL
    )
    assert (result.clips, result.new) == (3, 1)
    assert seen[1:] == [("rendering", done, 2) for done in range(3)]
    assert files(out) == whole
    assert (out / "clips/p00000.mp4").stat().st_mtime_ns == before


def test_fewer_clips_take_nothing_away(tmp_path: Path) -> None:
    whole = made(tmp_path, clips=3)
    result = make_people(tmp_path, clips=1, **SMALL)
    assert (result.clips, result.new) == (3, 0)
    assert files(tmp_path) == whole


def test_no_two_clips_share_a_seed() -> None:
    used: dict[str, set[int]] = {"person": set(), "motion": set(), "scene": set(), "camera": set()}
    others = [f"{part}-{number}" for part in ("person", "scene") for number in (1, 9)]
    for seed, index in product((0, 1, 2), (0, 1, 99_999)):
        settings = Settings(seed=seed)
        own = dataset._seeds(settings, index)
        for part, values in used.items():
            new = {getattr(own, part)}
            for other in others:
                if other.startswith(part):
                    new.add(getattr(dataset._seeds(settings, index, other), part))
            assert not new & values
            values |= new
    changed = dataset._seeds(settings, index, "person-9")
    assert (changed.motion, changed.scene, changed.camera) == (own.motion, own.scene, own.camera)


def test_a_third_of_mixed_clips_are_portraits() -> None:
    kinds = [framing_of("mixed", index) for index in range(300)]
    assert kinds.count("portrait") == 100
    assert kinds.count("body") == 200
    assert {framing_of("portrait", index) for index in range(9)} == {"portrait"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clips": 0}, "clips is 0: input should be greater than or equal to 1"),
        ({"clips": -3}, "clips is -3"),
        ({"clips": 100_001}, "clips is 100001: input should be less than or equal to 100000"),
        ({"seed": -1}, "seed is -1"),
        ({"framing": "feet"}, "framing is 'feet': input should be 'body', 'portrait' or 'mixed'"),
        ({"size": 65}, "size is 65: input should be a multiple of 2"),
        ({"size": 62}, "size is 62: input should be greater than or equal to 64"),
        ({"size": 2048}, "size is 2048: input should be less than or equal to 1024"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"frames": 1}, "frames is 1: input should be greater than or equal to 2"),
        ({"frames": 10_000}, "frames is 10000"),
        ({"other_people": 10}, "other_people is 10"),
        ({"other_scenes": -1}, "other_scenes is -1"),
        ({"jobs": 0}, "jobs is 0"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        made(tmp_path / "out", **changes)
    assert str(caught.value).startswith(words)
    assert not (tmp_path / "out").exists()


def test_other_folders_are_refused(tmp_path: Path) -> None:
    whole = made(tmp_path / "out", clips=1)
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (80, 80)).save(photos / "a.jpg")
    for changes, words in (
        ({"seed": 2}, "seed 1"),
        ({"size": 66, "fps": 30}, "size 64, fps 25.0"),
        ({"framing": "body"}, "framing mixed"),
        ({"frames": 8}, "frames 6"),
        ({"backgrounds": photos}, "other pictures as backgrounds"),
    ):
        with pytest.raises(DataError, match=f"out was made with {words}; use the same settings"):
            made(tmp_path / "out", clips=2, **changes)
    with pytest.raises(DataError, match="with opengl stand-in; use the same software or another"):
        made(tmp_path / "out", clips=2, renderer=standin.OtherSoftware)
    assert files(tmp_path / "out") == whole
    with pytest.raises(DataError, match="photos holds other things"):
        made(photos)
    with pytest.raises(DataError, match=r"a\.jpg is a file; name a folder"):
        made(photos / "a.jpg")
    (tmp_path / "out/manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"manifest\.json is not of .*, or is damaged"):
        made(tmp_path / "out")


def test_backgrounds(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    with pytest.raises(DataError, match="there is no folder of backgrounds"):
        made(out, backgrounds=photos)
    photos.mkdir()
    (photos / "notes.txt").touch()
    (photos / ".hidden.png").touch()
    with pytest.raises(DataError, match="there are no pictures in"):
        made(out, backgrounds=photos)
    (photos / "below").mkdir()
    for name in ("b.png", "a.jpg", "below/c.webp"):
        Image.new("RGB", (80, 70), (9, 9, 9)).save(photos / name)
    (photos / "bad.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
    with pytest.raises(MediaError, match=r"bad\.jpg is a damaged picture"):
        made(out, backgrounds=photos)
    assert not out.exists()
    (photos / "bad.jpg").unlink()
    made(out, clips=1, backgrounds=photos)
    stored = json.loads((out / "truth/p00000/parameters.json").read_text())
    assert stored["backgrounds"] == ["a.jpg", "b.png", "c.webp"]
    photos.rename(tmp_path / "moved")
    made(out, backgrounds=tmp_path / "moved")
    (tmp_path / "moved/a.jpg").unlink()
    with pytest.raises(DataError, match="other pictures as backgrounds"):
        made(out, backgrounds=tmp_path / "moved")


@posix
def test_a_killed_process_is_told_and_the_next_call_goes_on(tmp_path: Path) -> None:
    with pytest.raises(MaskMotionError, match=r"was killed, .*the same command goes on") as caught:
        made(tmp_path / "out", clips=4, renderer=standin.KilledAtThird, jobs=1)
    assert not isinstance(caught.value, InputError)
    assert {name for name in files(tmp_path / "out") if "clips/" in name} == {
        "clips/p00000.mp4",
        "clips/p00001.mp4",
    }
    assert made(tmp_path / "out", clips=4) == made(tmp_path / "undisturbed", clips=4)


@posix
def test_full_disk(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cannot be written \(File too large\)"):
        made(tmp_path, renderer=standin.FullDisk)
    assert set(files(tmp_path)) == {"manifest.json"}
    made(tmp_path)


def test_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingExtraError, match=r"no OpenGL 3\.3"):
        made(tmp_path / "out", renderer=standin.NoGraphics)
    made(tmp_path / "out")
    version = importlib.metadata.version

    def without_anny(package: str) -> str:
        if package == "anny":
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", without_anny)
    with pytest.raises(MissingExtraError, match=r"pip install maskmotion\[synth\]"):
        made(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_processes_have_one_thread_and_this_one_keeps_its_own(tmp_path: Path) -> None:
    before = dict(os.environ)
    made(tmp_path, clips=1, renderer=standin.Threads)
    software = json.loads((tmp_path / "manifest.json").read_text())["software"]
    assert software["opengl"] == "OMP_NUM_THREADS=1 LP_NUM_THREADS=0"
    assert dict(os.environ) == before


# Stopped from outside ----------------------------------------------------------------------

SCRIPT = """
import functools, sys
from pathlib import Path
from maskmotion.cli import main, synth_people
from tests.synth.people.standin import Slow

if __name__ == "__main__":
    make = functools.partial(synth_people.make_people, renderer=Slow)
    synth_people.make_people = make
    words = "synth people --out out --clips 9 --seed 1 --size 64 --frames 6 --jobs 2"
    sys.exit(main(words.split()))
"""


@pytest.fixture
def running(tmp_path: Path) -> Any:
    """`maskmotion synth people` in a process group of its own, with two clips done."""
    (tmp_path / "script.py").write_text(SCRIPT)
    with interruptible():
        process = subprocess.Popen(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("out/clips/p*.mp4"))) < 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        with_group(process, signal.SIGKILL)
        process.communicate()


def with_group(process: subprocess.Popen[str], number: int) -> bool:
    """Send a signal to all processes of a group; False where none is left."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


def others_end(process: subprocess.Popen[str]) -> bool:
    deadline = time.monotonic() + 20
    while with_group(process, 0):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
@posix
def test_ctrl_c_stops_at_once_and_leaves_whole_clips(
    running: subprocess.Popen[str], tmp_path: Path
) -> None:
    begun = time.monotonic()
    with_group(running, signal.SIGINT)  # as a terminal does it: to all processes
    _, told = running.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    assert running.returncode == 130
    assert told.splitlines()[-1] == "maskmotion: interrupted"
    assert "Traceback" not in told
    assert others_end(running)
    assert_two_whole(tmp_path / "out")
    listed = json.loads((tmp_path / "out/manifest.json").read_text())["clips"]
    assert [clip["name"] for clip in listed] == ["p00000", "p00001"]


@pytest.mark.slow
@posix
def test_processes_end_with_the_one_that_is_killed(
    running: subprocess.Popen[str], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="another process writes to"):
        made(tmp_path / "out")
    running.kill()
    running.wait()
    assert others_end(running)
    made(tmp_path / "out")
    assert_two_whole(tmp_path / "out")


def assert_two_whole(out: Path) -> None:
    assert files(out).keys() == made(out.parent / "undisturbed").keys()
    for name, content in files(out.parent / "undisturbed").items():
        if name != "manifest.json":
            assert files(out)[name] == content


# With the renderer -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_people_from_end_to_end(opengl: str, renderer: Any, tmp_path: Path) -> None:
    """Another process stores what this one renders of the same seeds."""
    how = {"size": 64, "frames": 6, "framing": "body", "jobs": 1}
    make_people(tmp_path, clips=2, seed=7, other_people=1, **how)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["software"]["opengl"] == opengl
    for name, clip in zip(("p00000", "p00001"), manifest["clips"], strict=True):
        own = tmp_path / "clips" / f"{name}.mp4", tmp_path / "truth" / name
        other = tmp_path / "counterfactuals" / name / "person-1"
        truth = renderer.clip(ClipSeeds(**clip["seeds"]), framing="body", frames=6)
        assert_is(truth, *own)
        assert truth.alpha.max() == 255
        assert 0.02 < (truth.alpha > 127).mean() < 0.6
        frames, others = (pictures(path).astype(int) for path in (own[0], f"{other}.mp4"))
        assert np.abs(frames - others)[truth.alpha > 250].mean() > 5
    seeds = ClipSeeds(**clip["counterfactuals"]["person-1"])
    assert_is(renderer.clip(seeds, framing="body", frames=6), Path(f"{other}.mp4"), other)
    report = check_clips([tmp_path / "clips"])
    assert {trouble.kind for clip in report for trouble in clip.troubles} <= {"small", "too-short"}
