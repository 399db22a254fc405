import json
import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.footage import alpha_planes, panning, scene, write, write_truth

from maskmotion.data import prepare
from maskmotion.data.check import check_clips
from maskmotion.data.clips import find_clips
from maskmotion.data.manifest import Manifest, Settings, make_settings
from maskmotion.data.prepare import find_footage, motion_square, prepare_footage
from maskmotion.errors import ConfigError, DataError, MediaError
from maskmotion.media import open_video

HEIGHT, WIDTH = 120, 200
SMALL = make_settings(size=32, shortest_s=0.4, longest_s=2, test_share=0)


def footage(
    count: int = 30, *, seed: int = 0, left: int = 110, top: int = 20, width: int = WIDTH
) -> list[np.ndarray]:
    """A white square of 16 px goes round in a square of 48 px at (left, top)."""
    background = scene(seed, 256)[:HEIGHT, :width] // 2 + 50 * (seed % 3)
    frames = []
    for index in range(count):
        frame = background.copy()
        x, y = left + 16 * (index % 3), top + 16 * (index // 3 % 3)
        frame[y : y + 16, x : x + 16] = 255
        frames.append(frame)
    return frames


def still(count: int = 30) -> list[np.ndarray]:
    return [scene(7, 256)[:HEIGHT, :WIDTH]] * count


def decoded(path: Path) -> np.ndarray:
    with open_video(path) as video:
        return np.stack([frame.image for frame in video]).astype(int)


def clips(out: Path) -> list[str]:
    return sorted(str(p.relative_to(out).as_posix()) for p in out.glob("t*/*"))


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    return {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()}


def test_footage_is_cut_at_scenes_and_into_pieces(tmp_path: Path) -> None:
    """1.2 s, then another scene of 4.4 s, then one that is too short."""
    frames = footage(30) + footage(110, seed=1) + footage(5, seed=2)
    file = write(tmp_path / "raw" / "ann.mp4", frames)
    before = state(tmp_path / "raw")
    manifest, problems = prepare_footage([file], tmp_path / "out", SMALL)
    assert problems == []
    pieces = manifest.sources[0].pieces
    spans = [(0, 30), (30, 80), (80, 130), (130, 140), (140, 145)]
    assert [(p.first, p.stop) for p in pieces] == spans
    assert [p.dropped for p in pieces] == [None] * 4 + ["too short"]
    assert [round(p.start_s, 2) for p in pieces] == [0, 1.2, 3.2, 5.2, 5.6]
    assert clips(tmp_path / "out") == [f"train/ann#00{number}.mp4" for number in range(4)]
    found = find_clips(tmp_path / "out")
    assert len({clip.identity for clip in found}) == 1
    assert [len(decoded(clip.path)) for clip in found] == [30, 50, 50, 10]
    assert state(tmp_path / "raw") == before


def test_a_clip_shows_what_moves(tmp_path: Path) -> None:
    file = write(tmp_path / "ann", footage(24))  # PNG files, whose pixels are kept
    manifest, _ = prepare_footage([file], tmp_path / "out", SMALL)
    left, top, side = manifest.sources[0].pieces[0].box
    assert abs(left - (110 - 0.15 * 48)) <= 6
    assert abs(top - (20 - 0.15 * 48)) <= 6
    assert abs(side - 1.3 * 48) <= 6
    wanted = [
        np.asarray(
            Image.fromarray(frame[top : top + side, left : left + side]).resize(
                (32, 32), Image.Resampling.BICUBIC
            )
        )
        for frame in footage(24)
    ]
    found = decoded(tmp_path / "out" / "train" / "ann#000.mp4")
    assert found.shape == (24, 32, 32, 3)
    assert np.abs(found - np.stack(wanted)).mean() < 4  # H.264
    reports = check_clips([tmp_path / "out"])
    assert {t.kind for report in reports for t in report.troubles} == {"small"}


def test_clips_are_read_at_random(tmp_path: Path) -> None:
    file = write(tmp_path / "ann.mp4", footage(40))
    prepare_footage([file], tmp_path / "out", SMALL)
    with av.open(str(tmp_path / "out" / "train" / "ann#000.mp4")) as container:
        stream = container.streams.video[0]
        packets = [p for p in container.demux(stream) if p.size]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.average_rate == 25
    keys = [number for number, packet in enumerate(packets) if packet.is_keyframe]
    assert max(np.diff([*keys, 40])) <= 12
    assert all(packet.pts == packet.dts for packet in packets)  # no frame hangs on a later one


def test_pieces_to_drop(tmp_path: Path) -> None:
    pan = panning(40, side=128)
    write(tmp_path / "raw" / "still.mp4", still())
    write(tmp_path / "raw" / "pan.mp4", pan[:24])
    manifest, _ = prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    reasons = {s.name: [p.dropped for p in s.pieces] for s in manifest.sources}
    assert reasons == {"pan": ["moving camera"], "still": ["nothing moves"]}
    assert clips(tmp_path / "out") == []
    keeping = SMALL.model_copy(update={"keep_moving_camera": True})
    prepare_footage([tmp_path / "raw"], tmp_path / "kept", keeping)
    assert clips(tmp_path / "kept") == ["train/pan#000.mp4"]


@pytest.mark.parametrize(("box", "wanted"), [((3, 5, 60), (3, 5, 60)), ("centre", (40, 0, 120))])
def test_a_given_box(box: object, wanted: tuple[int, int, int], tmp_path: Path) -> None:
    file = write(tmp_path / "ann.mp4", footage())
    settings = SMALL.model_copy(update={"box": box})
    manifest, _ = prepare_footage([file], tmp_path / "out", settings)
    assert manifest.sources[0].pieces[0].box == wanted


def test_a_box_outside_is_told_and_other_footage_is_used(tmp_path: Path) -> None:
    write(tmp_path / "raw" / "a.mp4", footage())
    write(tmp_path / "raw" / "b.mp4", footage(width=120, left=40))
    settings = SMALL.model_copy(update={"box": (80, 0, 120)})
    manifest, problems = prepare_footage([tmp_path / "raw"], tmp_path / "out", settings)
    assert [source.name for source in manifest.sources] == ["a"]
    (problem,) = problems
    assert "80,0,120 is not inside" in problem
    assert "120x120" in problem


@given(
    height=st.integers(2, 60),
    width=st.integers(2, 60),
    scale=st.floats(1, 20),
    least=st.integers(1, 400),
    data=st.data(),
)
def test_the_square_lies_in_the_picture_and_holds_the_motion(
    height: int, width: int, scale: float, least: int, data: st.DataObject
) -> None:
    share = np.zeros((height, width))
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom = data.draw(st.integers(top + 1, height))
    right = data.draw(st.integers(left + 1, width))
    share[top:bottom, left:right] = 0.5
    full_width, full_height = round(width * scale), round(height * scale)
    x, y, side = motion_square(share, full_width, full_height, least)
    assert x >= 0
    assert y >= 0
    assert x + side <= full_width
    assert y + side <= full_height
    assert side >= min(least, full_width, full_height)
    lost = 0.05 * max(right - left, bottom - top) * scale + scale + 2
    middle_x, middle_y = (left + right) / 2 * full_width / width, (top + bottom) / 2 * scale
    assert x - lost <= middle_x <= x + side + lost
    assert y - lost <= middle_y <= y + side + lost
    if max(right - left, bottom - top) * scale < min(full_width, full_height):
        assert x <= left * full_width / width + lost
        assert x + side >= right * full_width / width - lost
        assert y <= top * full_height / height + lost
        assert y + side >= bottom * full_height / height - lost


def test_lone_specks_do_not_widen_the_square() -> None:
    share = np.zeros((54, 96))
    share[20:40, 30:50] = 0.5
    alone = motion_square(share, 960, 540, 32)
    share[1, 94] = share[53, 2] = 0.04
    assert motion_square(share, 960, 540, 32) == alone


def test_an_identity_is_on_one_side(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path / "raw" / f"p{number // 2}#{number}.mp4", footage(12, seed=number))
    settings = SMALL.model_copy(update={"test_share": 0.34})
    manifest, _ = prepare_footage([tmp_path / "raw"], tmp_path / "out", settings)
    sides = {(source.identity, source.split) for source in manifest.sources}
    assert len(sides) == 3
    assert sorted(side for _, side in sides) == ["test", "train", "train"]
    assert len(clips(tmp_path / "out")) == 6


def test_sides_depend_on_names_alone(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}.mp4", footage(12, seed=n)) for n in range(4)]
    settings = SMALL.model_copy(update={"test_share": 0.5})
    one, _ = prepare_footage(files, tmp_path / "one", settings)
    other, _ = prepare_footage(files[::-1], tmp_path / "other", settings)
    assert clips(tmp_path / "one") == clips(tmp_path / "other")
    assert [source.split for source in one.sources].count("test") == 2
    assert {s.name: s.split for s in one.sources} == {s.name: s.split for s in other.sources}


def test_files_named_alike_have_their_own_clips(tmp_path: Path) -> None:
    for number, folder in enumerate(("x", "y", "z/y")):
        write(tmp_path / "raw" / folder / "0001.mp4", footage(12, seed=number))
    manifest, _ = prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    assert sorted(s.name for s in manifest.sources) == ["2-y-0001", "x-0001", "y-0001"]
    assert len(clips(tmp_path / "out")) == 3


def test_the_same_call_makes_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "raw" / "a.mp4", footage(110))
    first, _ = prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    made = clips(tmp_path / "out")
    (tmp_path / "out" / made[0]).unlink()  # a clip that its owner did not like
    before = state(tmp_path / "out" / "train")
    monkeypatch.setattr(prepare, "open_video", lambda path: pytest.fail("decoded again"))
    again, _ = prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    assert again == first
    assert state(tmp_path / "out" / "train") == before
    monkeypatch.undo()
    write(tmp_path / "raw" / "b.mp4", footage(20, seed=1))
    prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    assert clips(tmp_path / "out") == [*made[1:], "train/b#000.mp4"]
    assert before.items() <= state(tmp_path / "out" / "train").items()


def test_an_interrupted_call_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, name in enumerate("ab"):
        write(tmp_path / "raw" / f"{name}.mp4", footage(110, seed=seed))
    whole, _ = prepare_footage([tmp_path / "raw"], tmp_path / "whole", SMALL)
    real, saved = prepare.save_strip, []

    def interrupted(path: Path, picture: Image.Image) -> None:
        if len(saved) == 4:
            raise KeyboardInterrupt
        real(path, picture)
        saved.append(path)

    monkeypatch.setattr(prepare, "save_strip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    monkeypatch.undo()
    made = state(tmp_path / "out" / "train")
    assert not any(path.name.startswith(".") for path in made)
    resumed, _ = prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    assert resumed == whole
    now = state(tmp_path / "out" / "train")
    assert sum(now[path] == stamp for path, stamp in made.items()) >= 4
    for name in clips(tmp_path / "whole"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_settings_or_changed_footage_replace_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mp4", footage())
    prepare_footage([file], tmp_path / "out", SMALL)
    before = state(tmp_path / "out")
    with pytest.raises(DataError, match="was prepared with size=32; use the same"):
        prepare_footage([file], tmp_path / "out", SMALL.model_copy(update={"size": 64}))
    os.utime(file, (0, 0))
    with pytest.raises(DataError, match="has changed since"):
        prepare_footage([file], tmp_path / "out", SMALL)
    assert state(tmp_path / "out") == before


def test_folders_of_other_things_are_left_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "raw" / "a.mp4", footage())
    for name in ("notes", "foreign", "damaged"):
        (tmp_path / name).mkdir()
    (tmp_path / "notes" / "notes.txt").touch()
    (tmp_path / "foreign" / "manifest.json").write_text('[{"file": "a.mp4"}]')
    (tmp_path / "damaged" / "manifest.json").write_text('{"kind": "maskmotion')
    before = state(tmp_path)
    for out in ("raw", "notes", "foreign", "damaged", "raw/a.mp4", "raw/a.mp4/new"):
        with pytest.raises(DataError):
            prepare_footage([file], tmp_path / out, SMALL)
    assert state(tmp_path) == before


def test_the_output_may_lie_in_the_footage_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", footage())
    for _ in range(2):
        manifest, _ = prepare_footage([tmp_path], tmp_path / "out", SMALL)
        assert [source.name for source in manifest.sources] == ["a"]


def test_what_counts_as_footage(tmp_path: Path) -> None:
    for name in ("b.mp4", "deep/c.MOV", ".hidden/d.mp4", "._e.mp4", "notes.txt", "cover.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_footage([tmp_path, tmp_path / "b.mp4"], tmp_path / "out")
    assert [path.name for path in found] == ["b.mp4", "c.MOV"]
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0.png").touch()
    assert find_footage([tmp_path / "frames"], tmp_path / "out") == [tmp_path / "frames"]
    with pytest.raises(DataError, match="gone does not exist"):
        find_footage([tmp_path / "gone"], tmp_path / "out")
    with pytest.raises(DataError, match="no footage in"):
        find_footage([tmp_path], tmp_path)


def test_bad_footage_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write(raw / "good.mp4", footage())
    write(raw / "one.mp4", footage(1))
    write(raw / "cut.mkv", footage(100))
    content = (raw / "cut.mkv").read_bytes()
    (raw / "cut.mkv").write_bytes(content[: len(content) // 2])
    (raw / "text.mp4").write_text("no video")
    (raw / "void.mp4").touch()
    manifest, problems = prepare_footage([raw], tmp_path / "out", SMALL)
    assert [source.name for source in manifest.sources] == ["cut", "good", "one"]
    assert [source.kept > 0 for source in manifest.sources] == [True, True, False]
    for word, problem in zip(
        ("cut.mkv stops after", "text.mp4", "void.mp4"), problems, strict=True
    ):
        assert word in problem
        assert "\n" not in problem
    with pytest.raises(DataError, match=r"no footage could be used: .*text\.mp4"):
        prepare_footage([raw / "text.mp4"], tmp_path / "other", SMALL)
    assert not (tmp_path / "other").exists()


def test_a_full_disk_stops_and_leaves_no_half_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = write(tmp_path / "a.mp4", footage())
    monkeypatch.setattr("maskmotion.media.sinks.FileSink.append", full)
    with pytest.raises(MediaError, match="No space left"):
        prepare_footage([file], tmp_path / "out", SMALL)
    assert clips(tmp_path / "out") == []
    monkeypatch.undo()
    manifest, _ = prepare_footage([file], tmp_path / "out", SMALL)
    assert clips(tmp_path / "out") == ["train/a#000.mp4"]
    assert manifest.sources[0].done


@pytest.mark.parametrize("shape", [(121, 77), (90, 401), (300, 64)])
def test_any_shape_of_picture(shape: tuple[int, int], tmp_path: Path) -> None:
    height, width = shape
    frames = []
    for index in range(12):
        frame = np.full((height, width, 3), 90, np.uint8)
        x, y = 10 + 8 * (index % 3), 10 + 8 * (index // 3)
        frame[y : y + 12, x : x + 12] = 255
        frames.append(frame)
    file = write(tmp_path / "a", frames)
    manifest, _ = prepare_footage([file], tmp_path / "out", SMALL)
    assert decoded(tmp_path / "out" / "train" / "a#000.mp4").shape == (12, 32, 32, 3)
    assert (tmp_path / "out" / manifest.sources[0].picture(0)).is_file()


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for index, frame in enumerate(footage(12)):
        alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
        alpha[:, 150:] = 0
        Image.fromarray(np.dstack([frame, alpha])).save(tmp_path / "a" / f"{index:02d}.png")
    settings = SMALL.model_copy(update={"box": (80, 0, 120)})
    prepare_footage([tmp_path / "a"], tmp_path / "out", settings)
    found = decoded(tmp_path / "out" / "train" / "a#000.mp4")
    assert found[:, :, 22:].min() > 235
    assert found[:, :, :16].mean() < 200


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_page_leads_to_every_clip_and_names_every_drop(tmp_path: Path) -> None:
    write(tmp_path / "raw" / "a & <b>#1.mp4", footage(20) + still(30) + footage(4, seed=2))
    manifest, _ = prepare_footage([tmp_path / "raw"], tmp_path / "out", SMALL)
    page = (tmp_path / "out" / "preview.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "nothing moves" in page
    assert "1 pieces were dropped, too short" in page
    links = Links()
    links.feed(page)
    targets = {unquote(link) for link in links.found}
    assert all("//" not in link and "#" not in link for link in links.found)
    assert {f"train/{p.name}" for p in (tmp_path / "out" / "train").iterdir()} <= targets
    assert all((tmp_path / "out" / target).is_file() for target in targets)
    with Image.open(tmp_path / "out" / manifest.sources[0].picture(0)) as picture:
        assert picture.size == (240 + 5 * 146, 144)
        left, top, side = (round(v * 144 / HEIGHT) for v in manifest.sources[0].pieces[0].box)
        red, green, _ = picture.convert("RGB").getpixel((left + side // 2, top))
        assert red > green + 60  # the box


def test_the_manifest_says_what_was_made(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mp4", footage())
    manifest, _ = prepare_footage([file], tmp_path / "out", SMALL)
    stored = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert Manifest.model_validate(stored) == manifest
    assert stored["settings"]["size"] == 32
    assert stored["sources"][0]["path"] == str(file)
    assert (stored["sources"][0]["width"], stored["sources"][0]["height"]) == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"size": 33}, "size is 33: "),
        ({"size": 0}, "size is 0: "),
        ({"test_share": 0.7}, "test_share is 0.7: "),
        ({"shortest_s": 0}, "shortest_s is 0: "),
        ({"shortest_s": 5, "longest_s": 4}, "at least 5 s cannot be at most 4 s"),
    ],
)
def test_settings_out_of_range(words: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_settings(**words)
    assert make_settings() == Settings()


def test_progress_goes_through_both_passes(tmp_path: Path) -> None:
    file = write(tmp_path / "a.mp4", footage())
    seen: list[tuple[str, float]] = []
    prepare_footage([file], tmp_path / "out", SMALL, lambda *step: seen.append(step))
    assert list(dict.fromkeys(text for text, _ in seen)) == ["a.mp4: looking", "a.mp4: writing"]
    assert all(0 <= share <= 1 for _, share in seen)


def people(folder: Path, count: int = 60, planes: int | None = None) -> tuple[Path, np.ndarray]:
    """Rendered footage of two scenes with its truth; returns the clip and its alpha."""
    frames = footage(count // 2) + footage(count - count // 2, seed=1)
    clip = write(folder / "clips" / "p.mp4", frames)
    alpha = alpha_planes(planes or count, side=WIDTH)[:, :HEIGHT]
    write_truth(clip, alpha)
    return clip, alpha


def test_alpha_follows_the_pieces_and_the_square(tmp_path: Path) -> None:
    _, alpha = people(tmp_path / "people")
    # Named as a whole, the folder's truth is no footage.
    manifest, problems = prepare_footage([tmp_path / "people"], tmp_path / "out", SMALL)
    assert problems == []
    (source,) = manifest.sources
    assert source.alpha
    assert [(p.first, p.stop) for p in source.pieces] == [(0, 30), (30, 60)]
    found = find_clips(tmp_path / "out")
    assert [clip.path.name for clip in found] == ["p#000.mp4", "p#001.mp4"]
    for clip, piece in zip(found, source.pieces, strict=True):
        left, top, side = piece.box
        assert side < HEIGHT  # it was cropped
        planes = decoded(clip.alpha)[..., 0]
        assert len(planes) == len(decoded(clip.path)) == piece.stop - piece.first
        for plane, whole in zip(planes, alpha[piece.first : piece.stop], strict=True):
            cut = Image.fromarray(whole[top : top + side, left : left + side])
            assert np.array_equal(plane, cut.resize((32, 32), Image.Resampling.BICUBIC))


def test_alpha_of_pieces_is_there_when_their_clip_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(tmp_path / "people")

    def gone(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_write_clip", gone)
        with pytest.raises(KeyboardInterrupt):
            prepare_footage([tmp_path / "people"], tmp_path / "out", SMALL)
    (tmp_path / "out" / "truth" / "p#000" / ".alpha.0.mkv").touch()  # of a process that was killed
    prepare_footage([tmp_path / "people"], tmp_path / "out", SMALL)
    found = find_clips(tmp_path / "out")
    assert len(found) == 2
    assert all(clip.alpha for clip in found)
    assert not list(tmp_path.rglob("truth/*/.*"))


def test_an_alpha_that_does_not_fit_is_told(tmp_path: Path) -> None:
    people(tmp_path / "short", planes=40)
    with pytest.raises(MediaError, match=r"p#001\.mp4 has 10 frames, but the clip 30; make both"):
        prepare_footage([tmp_path / "short"], tmp_path / "out", SMALL)
    clip, alpha = people(tmp_path / "small")
    write_truth(clip, alpha[:, ::2, ::2])
    with pytest.raises(DataError, match=r"alpha\.mkv has 100x60 px, but .*p\.mp4 200x120"):
        prepare_footage([tmp_path / "small"], tmp_path / "other", SMALL)
