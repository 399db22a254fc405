import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.data.footage import alpha_planes, moving_square, write, write_truth

from maskmotion.data import pack, store
from maskmotion.data.clips import find_clips, find_training_clips
from maskmotion.data.load import load_clips
from maskmotion.data.pack import Packed, pack_clips
from maskmotion.data.pairs import PairSampler
from maskmotion.data.store import StoredClip
from maskmotion.durable import locked
from maskmotion.errors import DataError

SIDE = 32


def packed(*folders: Path, out: Path, size: int = SIDE) -> Packed:
    return pack_clips(list(folders), out, size=size)


def clips(folder: Path, *names: str, seed: int = 0) -> Path:
    for number, name in enumerate(names):
        write(folder / name, moving_square(4 + number, seed=10 * seed + number))
    return folder


def contents(out: Path) -> dict[str, int]:
    """Packed files and when they were written."""
    return {
        path.relative_to(out).as_posix(): path.stat().st_mtime_ns
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def names(out: Path) -> list[str]:
    return [name.removesuffix(".safetensors") for name in contents(out)]


def test_a_pack_trains_as_its_clips_do(tmp_path: Path) -> None:
    """The same batches bit for bit, so that a run may go on from the pack."""
    folder = clips(tmp_path / "clips", "train/ann#1.mp4", "train/ann#2", "train/bob.webm")
    clips(folder, "test/eve.mp4", seed=1)
    result = packed(folder, out=tmp_path / "pack")
    assert (result.clips, result.new, result.left_out) == (4, 4, [])
    assert result.frames == 4 + 5 + 6 + 4
    assert names(tmp_path / "pack") == ["test/eve", "train/ann#1", "train/ann#2", "train/bob"]
    assert result.size_bytes == sum(p.stat().st_size for p in tmp_path.glob("pack/t*/*"))
    for split, count in (("train", 3), ("test", 1)):
        raw, _ = load_clips(find_clips(folder, split), SIDE, tmp_path / "cache")
        mapped, _ = load_clips(find_clips(tmp_path / "pack", split), SIDE, tmp_path / "none")
        assert len(mapped) == count
        a, b = (PairSampler(c, batch_size=1, repeats=5) for c in (raw, mapped))
        for step in range(5):
            assert np.array_equal(a.batch(step).source, b.batch(step).source)
            assert np.array_equal(a.batch(step).median, b.batch(step).median)
    assert not (tmp_path / "none").exists()


def test_a_pack_may_be_moved(tmp_path: Path) -> None:
    packed(clips(tmp_path / "clips", "a.mp4", "b.mp4"), out=tmp_path / "pack")
    shutil.move(tmp_path / "pack", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "clips")
    loaded, problems = load_clips(find_clips(tmp_path / "elsewhere"), SIDE, tmp_path / "cache")
    assert [clip.length for clip in loaded] == [4, 5]
    assert problems == []


def test_only_what_is_missing_or_changed_is_packed(tmp_path: Path) -> None:
    folder, out = clips(tmp_path / "clips", "a.mp4", "b.mp4", "c"), tmp_path / "pack"
    packed(folder, out=out)
    before = contents(out)
    assert packed(folder, out=out).new == 0
    assert contents(out) == before
    clips(folder, "d.mp4")
    write(folder / "b.mp4", moving_square(9))
    (out / "train" / "c.safetensors").unlink()
    result = packed(folder, out=out)
    assert (result.new, result.clips) == (3, 4)
    after = contents(out)
    assert after.keys() == before.keys() | {"train/d.safetensors"}
    assert after["train/a.safetensors"] == before["train/a.safetensors"]
    assert StoredClip(out / "train" / "b.safetensors", "").length == 9


def test_a_second_folder_joins_and_its_names_do_not_clash(tmp_path: Path) -> None:
    a = clips(tmp_path / "a", "ann#1.mp4", "ann#2.mp4", "bob.mp4")
    b = clips(tmp_path / "b", "ann#1.mp4", "ann#7.mp4", "eve.mp4", seed=1)
    out = tmp_path / "pack"
    packed(a, out=out)
    packed(b, out=out)
    both = ["ann#1", "ann#2", "ann~2#1", "ann~2#7", "bob", "eve"]
    assert names(out) == [f"train/{name}" for name in both]
    identities = {clip.identity for clip in find_clips(out)}
    assert len(identities) == 4
    assert packed(a, b, out=out).new == 0
    # a clip that comes later belongs to the identity of its folder
    clips(b, "ann#8.mp4")
    assert packed(a, b, out=out).new == 1
    assert "train/ann~2#8" in names(out)
    # both at once come to the same
    packed(a, b, out=tmp_path / "at once")
    assert names(tmp_path / "at once") == names(out)


def test_a_folder_that_was_moved_is_not_packed_twice(tmp_path: Path) -> None:
    folder, out = clips(tmp_path / "clips", "ann#1.mp4", "bob.mp4"), tmp_path / "pack"
    packed(folder, out=out)
    moved = folder.rename(tmp_path / "moved")
    clips(moved, "ann#2.mp4")
    assert packed(moved, out=out).new == 1
    assert names(out) == ["train/ann#1", "train/ann#2", "train/bob"]


def test_names_that_differ_by_their_ending_or_case_alone(tmp_path: Path) -> None:
    folder = clips(tmp_path / "clips", "ann.mp4", "ann.webm", "ann#1.mp4", "Bob.mp4", "bob.webm")
    result = packed(folder, out=tmp_path / "pack")
    assert result.clips == len(find_clips(folder))
    assert len({name.casefold() for name in names(tmp_path / "pack")}) == result.clips
    assert len({c.identity for c in find_clips(tmp_path / "pack")}) == len(
        {c.identity for c in find_clips(folder)}
    )
    assert packed(folder, out=tmp_path / "pack").new == 0


def test_long_names_are_shortened(tmp_path: Path) -> None:
    folder = clips(tmp_path / "clips", "ä" * 60 + "#1.mp4", "ä" * 60 + "#2.mp4", "b" * 240 + ".mp4")
    assert packed(folder, out=tmp_path / "pack").clips == 3
    assert len({c.identity for c in find_clips(tmp_path / "pack")}) == 2
    assert packed(folder, out=tmp_path / "pack").new == 0


def test_broken_clips_are_reported_and_left_out(tmp_path: Path) -> None:
    folder = clips(tmp_path / "clips", "a.mp4")
    (folder / "b.mp4").write_bytes(b"not a video")
    write(folder / "c", moving_square(1))
    result = packed(folder, out=tmp_path / "pack")
    assert (result.clips, len(result.left_out)) == (1, 2)
    assert "b.mp4" in result.left_out[0]
    assert "at least 2" in result.left_out[1]
    (folder / "a.mp4").unlink()
    with pytest.raises(DataError, match=r"nothing could be packed into .*: .*b\.mp4"):
        packed(folder, out=tmp_path / "other")


def test_a_broken_file_of_a_pack_is_packed_again(tmp_path: Path) -> None:
    folder, out = clips(tmp_path / "clips", "a.mp4", "b.mp4"), tmp_path / "pack"
    packed(folder, out=out)
    path = out / "train" / "b.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    result = packed(folder, out=out)
    assert (result.new, result.left_out) == (1, [])
    assert path.read_bytes() == whole
    # and where its clip is gone, it is told
    path.write_bytes(whole[:5000])
    (folder / "b.mp4").unlink()
    result = packed(folder, out=out)
    assert result.clips == 1
    assert "b.safetensors is broken" in result.left_out[0]
    assert path.exists()


def test_an_interrupted_pack_goes_on(tmp_path: Path) -> None:
    folder, out = clips(tmp_path / "clips", *(f"{i}.mp4" for i in range(9))), tmp_path / "pack"

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack_clips([folder], out, size=SIDE, jobs=2, progress=interrupted)
    assert 1 <= len(contents(out)) < 9
    for path in find_clips(out):
        StoredClip(path.path, "")
    (out / "train" / ".0.safetensors.abc.tmp").touch()  # of a process that was killed
    assert packed(folder, out=out).clips == 9
    assert len(contents(out)) == 9


def test_a_full_disk_keeps_what_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = clips(tmp_path / "clips", "a.mp4", "b.mp4", "c.mp4"), tmp_path / "pack"
    real = store._write

    def full(path: Path, *rest: object) -> None:
        if path.name.startswith(".b"):
            raise OSError(28, "No space left on device")
        real(path, *rest)

    monkeypatch.setattr(store, "_write", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left.*same command"):
        pack_clips([folder], out, size=SIDE, jobs=1)
    assert "train/a" in names(out)
    assert not list(out.rglob("*.tmp"))


def test_a_pack_of_another_size_stays(tmp_path: Path) -> None:
    folder, out = clips(tmp_path / "clips", "a.mp4"), tmp_path / "pack"
    packed(folder, out=out)
    before = contents(out)
    clips(folder, "b.mp4")
    with pytest.raises(DataError, match=r"a\.safetensors is packed at 32 px, not 64; pack with"):
        packed(folder, out=out, size=64)
    assert contents(out) == before


def test_a_pack_of_a_newer_version_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = clips(tmp_path / "clips", "a.mp4"), tmp_path / "pack"
    with monkeypatch.context() as patch:
        patch.setattr(store, "STORE_VERSION", 2)
        packed(folder, out=out)
    before = contents(out)
    with pytest.raises(DataError, match="of version 2"):
        packed(folder, out=out)
    assert contents(out) == before


def test_what_cannot_be_a_pack(tmp_path: Path) -> None:
    folder = clips(tmp_path / "clips", "train/a.mp4")
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    other = clips(tmp_path / "other", "train/z.mp4")
    good = tmp_path / "good"
    packed(folder, out=good)
    before = set(tmp_path.rglob("*"))
    for folders, out, words in (
        ([tmp_path / "nowhere"], "pack", "there is no folder of clips .*nowhere"),
        ([tmp_path / "empty"], "pack", "there is nothing to pack in .*empty"),
        ([folder], "file", "file is a file; name a folder"),
        ([folder], "file/pack", "file is a file; name a folder"),
        ([folder], "clips", "holds the clips to be packed; give another --out"),
        ([folder], "clips/train", "holds the clips to be packed; give another --out"),
        ([folder], "other", r"a folder of clips such as z\.mp4, not a pack"),
        ([good], "pack", r"a\.safetensors is packed already"),
    ):
        with pytest.raises(DataError, match=words) as error:
            packed(*folders, out=tmp_path / out)
        assert "\n" not in str(error.value)
    assert set(tmp_path.rglob("*")) == before
    assert other.is_dir()


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_two_packs_into_one_folder(tmp_path: Path) -> None:
    folder, out = clips(tmp_path / "clips", "a.mp4"), tmp_path / "pack"
    packed(folder, out=out)
    with (out / ".lock").open("w") as file:
        assert locked(file.fileno())
        with pytest.raises(DataError, match=r"another `maskmotion data pack` writes to .*pack"):
            packed(folder, out=out)


def test_all_jobs_pack_the_same(tmp_path: Path) -> None:
    folder = clips(tmp_path / "clips", "a.mp4", "b.mp4", "c.mp4")
    for jobs in (1, 3):
        pack.pack_clips([folder], tmp_path / str(jobs), size=SIDE, jobs=jobs)
    for path in find_clips(tmp_path / "1"):
        assert path.path.read_bytes() == (tmp_path / "3/train" / path.path.name).read_bytes()


def test_alpha_is_packed_where_it_is_there(tmp_path: Path) -> None:
    """Also into a pack that was made before it was there; other clips of it stay."""
    folder, out = clips(tmp_path / "people" / "clips", "a.mp4", "b.mp4"), tmp_path / "pack"
    assert packed(folder, out=out).with_alpha == 0
    before = contents(out)
    write_truth(folder / "b.mp4", alpha_planes(5))
    result = packed(folder, out=out)
    assert (result.clips, result.new, result.with_alpha) == (2, 1, 1)
    assert contents(out)["train/a.safetensors"] == before["train/a.safetensors"]
    assert packed(folder, out=out).new == 0
    shutil.move(out, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "people")
    loaded, _ = load_clips(find_clips(tmp_path / "elsewhere"), SIDE, tmp_path / "cache")
    assert [clip.has_alpha for clip in loaded] == [False, True]
    wanted = store.square(np.repeat(alpha_planes(5)[3][..., None], 3, 2), SIDE)[..., 0]
    assert np.array_equal(loaded[1].alpha(3), wanted)


def test_others_who_move_alike_are_packed_and_drive(tmp_path: Path) -> None:
    """Also where they are rendered later; the pack tells who moves alike wherever it lies."""
    people, out = tmp_path / "people", tmp_path / "pack"
    folder = clips(people / "clips", "a.mp4", "b.mp4")
    packed(folder, out=out)
    other = clips(people / "counterfactuals" / "a", "person-1.mp4", seed=7) / "person-1.mp4"
    write_truth(folder / "a.mp4", alpha_planes(4))
    (other.parent / "person-1").mkdir()
    shutil.copy(people / "truth" / "a" / "alpha.mkv", other.parent / "person-1" / "alpha.mkv")
    assert packed(folder, out=out).new == 2
    assert packed(folder, out=out).new == 0
    assert names(out) == [
        "train/a-person-1",
        "train/a",
        "train/b",
    ]
    shutil.move(out, tmp_path / "elsewhere")
    loaded, _ = load_clips(find_clips(tmp_path / "elsewhere"), SIDE, tmp_path / "cache")
    unpacked, _ = load_clips(find_training_clips(folder), SIDE, tmp_path / "cache")
    for them in (loaded, unpacked):
        batch = PairSampler(them, batch_size=3, truth=True, twins=1).batch(0)
        assert batch.twins.used.sum() == 2
    by_motion = [clip.motion for clip in loaded]
    assert by_motion[0] == by_motion[1] is not None
    assert by_motion[2] is None


def with_others(people: Path, *names: str) -> Path:
    """Clips, each of which another is like, all of the same alpha."""
    folder = clips(people / "clips", *(f"{name}.mp4" for name in names))
    for number, name in enumerate(names):
        write_truth(folder / f"{name}.mp4", alpha_planes(4 + number))
        other = people / "counterfactuals" / name / "person-1.mp4"
        write(other, moving_square(4 + number, seed=70 + number))
        shutil.copytree(people / "truth" / name, other.with_suffix(""))
    return folder


def test_only_what_others_are_like_now_is_packed_anew(tmp_path: Path) -> None:
    folder, out = with_others(tmp_path / "people", "a", "b"), tmp_path / "pack"
    others = (tmp_path / "people" / "counterfactuals").rename(tmp_path / "later")
    assert packed(folder, out=out).new == 2
    others.rename(tmp_path / "people" / "counterfactuals")
    assert packed(folder, out=out).new == 4
    (tmp_path / "people").rename(tmp_path / "moved")
    assert packed(tmp_path / "moved" / "clips", out=out).new == 0
    assert len(names(out)) == 4


@pytest.mark.parametrize("decode", ["once", "always"])
def test_twins_are_the_same_in_any_form(tmp_path: Path, decode: str) -> None:
    folder, out = with_others(tmp_path / "people", "a", "b", "c"), tmp_path / "pack"
    packed(folder, out=out)
    forms = [
        load_clips(find_training_clips(place), SIDE, tmp_path / "cache", decode=decode)[0]
        for place in (folder, out)
    ]
    a, b = (PairSampler(form, batch_size=6, truth=True, twins=0.5) for form in forms)
    for step in range(4):
        one, other = a.batch(step), b.batch(step)
        for name in ("driving", "used"):
            assert np.array_equal(getattr(one.twins, name), getattr(other.twins, name))
        assert np.array_equal(one.source, other.source)


@pytest.mark.parametrize("decode", ["once", "always"])
def test_twins_drive_however_clips_are_read(tmp_path: Path, decode: str) -> None:
    found = find_training_clips(with_others(tmp_path / "people", "a", "b"))
    ready, _ = load_clips(found, SIDE, tmp_path / "cache", decode=decode)
    assert PairSampler(ready, batch_size=4, truth=True, twins=1).batch(0).twins.used.all()
