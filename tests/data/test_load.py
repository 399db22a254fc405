import os
from pathlib import Path

import numpy as np
import pytest
from tests.data.footage import SIDE, alpha_planes, moving_square, write, write_truth

from maskmotion.data import load, store
from maskmotion.data.clips import Clip, find_clips
from maskmotion.data.load import load_clips
from maskmotion.data.store import StoredClip, store_clip
from maskmotion.data.video import VideoClip
from maskmotion.errors import DataError


def clip(path: Path) -> Clip:
    return Clip(path, path.stem)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the clips that were decoded into the cache."""
    names: list[str] = []
    real = store.open_video

    def noted(path: Path, **settings: int) -> object:
        names.append(path.name)
        return real(path, **settings)

    monkeypatch.setattr(store, "open_video", noted)
    return names


def test_clips_are_decoded_once(tmp_path: Path, decoded: list[str]) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path / "clips" / name, moving_square(4))
    clips = find_clips(tmp_path / "clips")
    first, problems = load_clips(clips, 32, tmp_path / "cache")
    assert problems == []
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()}
    assert len(files) == 2
    decoded.clear()
    second, _ = load_clips(clips, 32, tmp_path / "cache")
    assert decoded == []
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").iterdir()} == files
    assert all(np.array_equal(a.frame(2), b.frame(2)) for a, b in zip(first, second, strict=True))
    # another size and a changed clip are decoded anew
    load_clips(clips[:1], 16, tmp_path / "cache")
    write(tmp_path / "clips" / "b.mp4", moving_square(5))
    third, _ = load_clips(clips, 32, tmp_path / "cache")
    assert decoded == ["a.mp4", "b.mp4"]
    assert third[1].length == 5
    # and a clip of another date, though its size be the same
    os.utime(clips[0].path, (0, 0))
    load_clips(clips, 32, tmp_path / "cache")
    assert decoded == ["a.mp4", "b.mp4", "a.mp4"]


def test_clips_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a" / "x", moving_square(4)),
        write(tmp_path / "b" / "x", moving_square(5, seed=1)),
    ]
    loaded, _ = load_clips([clip(p) for p in paths], SIDE, tmp_path / "cache")
    assert [c.length for c in loaded] == [4, 5]


@pytest.mark.parametrize("decode", ["once", "always"])
def test_broken_clips_are_reported_and_left_out(tmp_path: Path, decode: str) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    write(tmp_path / "good", moving_square(3))
    write(tmp_path / "single.mp4", moving_square(1))
    clips = [clip(tmp_path / n) for n in ("broken.mp4", "good", "gone.mp4", "single.mp4")]
    seen = []
    loaded, problems = load_clips(
        clips,
        SIDE,
        tmp_path / "cache",
        decode=decode,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert [c.identity for c in loaded] == ["good"]
    assert all(n in p for n, p in zip(("broken", "gone", "single"), problems, strict=True))
    assert all("\n" not in problem for problem in problems)
    assert "at least 2" in problems[2]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the folders hold no clips"):
        load_clips([], SIDE, tmp_path / "cache")
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    with pytest.raises(DataError, match=r"nothing to train on: .*broken\.mp4"):
        load_clips([clip(tmp_path / "broken.mp4")], SIDE, tmp_path / "cache")


def test_an_interruption_leaves_at_once(tmp_path: Path, decoded: list[str]) -> None:
    paths = [write(tmp_path / f"clip{i}", moving_square(3)) for i in range(30)]

    def interrupted(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_clips([clip(p) for p in paths], SIDE, tmp_path / "cache", progress=interrupted)
    assert len(decoded) < 30
    assert not list((tmp_path / "cache").glob(".*"))


def test_decoding_always_gives_the_frames_of_decoding_once(tmp_path: Path) -> None:
    clips = [clip(write(tmp_path / "clips" / n, moving_square(9))) for n in ("a.mp4", "b.webm")]
    once, _ = load_clips(clips, 32, tmp_path / "once")
    always, _ = load_clips(clips, 32, tmp_path / "always", decode="always")
    for stored, read in zip(once, always, strict=True):
        assert isinstance(read, VideoClip)
        assert (read.identity, read.length, read.still) == (stored.identity, 9, stored.still)
        assert np.array_equal(read.median, stored.median)
        for index in (8, 3, 3, 0, 5):
            assert np.array_equal(read.frame(index), stored.frame(index))
    assert sum(p.stat().st_size for p in (tmp_path / "always").iterdir()) < 2 * 5000


def test_what_has_no_order_of_frames_is_decoded_once(tmp_path: Path, decoded: list[str]) -> None:
    paths = [
        write(tmp_path / "folder", moving_square(4)),
        write(tmp_path / "b.gif", moving_square()),
    ]
    for _ in range(2):
        loaded, _ = load_clips([clip(p) for p in paths], 32, tmp_path / "cache", decode="always")
        assert all(isinstance(c, StoredClip) for c in loaded)
    assert sorted(decoded) == ["b.gif", "folder"]


def test_always_keeps_what_it_learned_and_uses_what_is_decoded(
    tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [clip(write(tmp_path / "a.mp4", moving_square(4)))]
    load_clips(clips, 32, tmp_path / "cache", decode="always")
    with monkeypatch.context() as patch:
        patch.setattr(load, "index_clip", None)  # not to be called
        (again,), _ = load_clips(clips, 32, tmp_path / "cache", decode="always")
    assert isinstance(again, VideoClip)
    load_clips(clips, 32, tmp_path / "cache", decode="once")
    (stored,), _ = load_clips(clips, 32, tmp_path / "cache", decode="always")
    assert isinstance(stored, StoredClip)
    assert decoded == ["a.mp4"]


def test_packed_clips_are_mapped_where_they_are(tmp_path: Path, decoded: list[str]) -> None:
    store_clip(write(tmp_path / "ann", moving_square(4)), 32, tmp_path / "ann#1.safetensors")
    decoded.clear()
    (loaded,), _ = load_clips(
        [clip(tmp_path / "ann#1.safetensors")], 32, tmp_path / "cache", decode="always"
    )
    assert loaded.length == 4
    assert decoded == []
    assert not (tmp_path / "cache").exists()


def test_packed_clips_of_another_size_are_refused(tmp_path: Path) -> None:
    store_clip(write(tmp_path / "ann", moving_square(4)), 32, tmp_path / "ann.safetensors")
    words = (
        r"ann\.safetensors is packed at 32 px but model\.image_size is 64; pack again with --size"
    )
    with pytest.raises(DataError, match=words):
        load_clips([clip(tmp_path / "ann.safetensors")], 64, tmp_path / "cache")


def test_a_broken_packed_clip_is_no_clip_to_leave_out(tmp_path: Path) -> None:
    store_clip(write(tmp_path / "ann", moving_square(4)), 32, tmp_path / "ann.safetensors")
    good = clip(tmp_path / "ann.safetensors")
    (tmp_path / "bob.safetensors").write_bytes(good.path.read_bytes()[:9000])
    with pytest.raises(DataError, match=r"bob\.safetensors is broken"):
        load_clips([good, clip(tmp_path / "bob.safetensors")], 32, tmp_path / "cache")


def test_alpha_beside_clips_is_found(tmp_path: Path) -> None:
    """Both ways of decoding give it, bit for bit; a clip without stays one."""
    sources = [write(tmp_path / "clips" / n, moving_square(9)) for n in ("a.mp4", "b.webm", "c")]
    for seed, source in enumerate((sources[0], sources[2])):
        write_truth(source, alpha_planes(9, seed=seed))
    clips = find_clips(tmp_path / "clips")
    once, _ = load_clips(clips, 32, tmp_path / "once")
    always, _ = load_clips(clips, 32, tmp_path / "always", decode="always")
    assert [c.has_alpha for c in once] == [c.has_alpha for c in always] == [True, False, True]
    assert [isinstance(c, VideoClip) for c in always] == [True, True, False]
    for number, seed in ((0, 0), (2, 1)):
        planes = alpha_planes(9, seed=seed)
        for index in (8, 3, 0):
            wanted = store.square(np.repeat(planes[index][..., None], 3, 2), 32)[..., 0]
            assert np.array_equal(once[number].alpha(index), wanted)
            assert np.array_equal(always[number].alpha(index), wanted)


@pytest.mark.parametrize("decode", ["once", "always"])
def test_alpha_that_came_or_changed_is_decoded_anew(tmp_path: Path, decode: str) -> None:
    source = write(tmp_path / "clips" / "a.mp4", moving_square(4))
    clips = find_clips(tmp_path / "clips")
    found = []
    for seed in (None, 1, 2):
        if seed is not None:
            write_truth(source, alpha_planes(4, seed=seed))
        (loaded,), _ = load_clips(clips, SIDE, tmp_path / "cache", decode=decode)
        found.append(loaded.alpha(3) if loaded.has_alpha else None)
    assert found[0] is None
    assert np.array_equal(found[1], alpha_planes(4, seed=1)[3])
    assert np.array_equal(found[2], alpha_planes(4, seed=2)[3])


@pytest.mark.parametrize("decode", ["once", "always"])
def test_clips_whose_alpha_does_not_fit_are_left_out(tmp_path: Path, decode: str) -> None:
    for name, planes in (("good", 4), ("long", 5)):
        source = write(tmp_path / "clips" / f"{name}.mp4", moving_square(4))
        write_truth(source, alpha_planes(planes))
    broken = write(tmp_path / "clips" / "no.mp4", moving_square(4))
    write_truth(broken, alpha_planes(4)).write_bytes(b"no video")
    clips = find_clips(tmp_path / "clips")
    loaded, problems = load_clips(clips, SIDE, tmp_path / "cache", decode=decode)
    assert len(loaded) == 1
    assert "long.mp4 has 5 frames, but the clip 4" in problems[0]
    assert "truth/no/alpha.mkv" in problems[1].replace("\\", "/")
