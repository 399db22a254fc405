"""From files to a file, with an engine of closed form: what it is given, and what becomes of it."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import corners, growing_alpha, moving, write_clip
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from maskmotion.errors import InputError, MediaError
from maskmotion.inference import backdrop, video
from maskmotion.inference.layers import LAYERS
from maskmotion.inference.painter import BackgroundKind, Lazy, Painted
from maskmotion.inference.video import (
    animate_with,
    check_inputs,
    check_outputs,
    read_source,
)
from maskmotion.media import Frame, VideoReader, VideoWriter, open_video, open_writer
from maskmotion.media.fit import (
    add_detail,
    cover,
    cut,
    lay,
    lost_detail,
    moved_detail,
    paste,
    square_of,
)

pytestmark = pytest.mark.usefixtures("no_thread_is_left")

SIZE = 32
COUNT = 5


class Mixer:
    """Paints the mean of a driving frame and its background; an Engine, and its only Painter.

    What it was given is kept. Its mask is the green of the driving frame, its gate the blue.
    """

    name = "mixer"
    size = SIZE

    def __init__(self, batch_frames: int = 2) -> None:
        self.batch_frames = batch_frames
        self.given: dict[str, object] = {}
        self.batches: list[np.ndarray] = []
        self.scenes: list[np.ndarray | None] = []
        self.threads: set[threading.Thread] = set()
        self.asked: list[str] = []
        self.fails_at: int | None = None

    def painter(
        self,
        source: np.ndarray,
        *,
        background: np.ndarray | None = None,
        background_kind: BackgroundKind = "scene",
        scale: float | None = None,
    ) -> "Mixer":
        self.given = {
            "source": source,
            "background": background,
            "background_kind": background_kind,
            "scale": scale,
        }
        self.canvas = source if background is None else background
        return self

    def paint(self, squares: np.ndarray, scenes: np.ndarray | None = None) -> Painted:
        if len(self.batches) == self.fails_at:
            raise RuntimeError("out of memory")
        self.batches.append(squares)
        self.scenes.append(scenes)
        self.threads.add(threading.current_thread())
        frames = mixed(squares, self.canvas[None] if scenes is None else scenes)

        def layer(name: str) -> Callable[[], np.ndarray]:
            def make() -> np.ndarray:
                self.asked.append(name)
                return squares

            return make

        layers = Lazy({name: layer(name) for name in LAYERS[:6]})
        alone = scenes is None and self.given["background"] is None
        kept = np.zeros_like(squares[..., 0]) if alone else squares[..., 0]
        flows = np.full((len(squares), 2, 4, 4), 0.1, np.float32)
        return Painted(
            frames, squares[..., 1], squares[..., 2], kept, squares[..., 1], flows, layers
        )


def mixed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one // 2 + other // 2).astype(np.uint8)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    Image.fromarray(corners(40, 64)).save(folder / "source.png")
    Image.fromarray(moving(1, 60, 44)[0]).save(folder / "scene.png")
    write_clip(folder / "driving.mp4", moving(COUNT))
    uneven = [0, 0.04, 0.3, 0.31, 0.5]
    write_clip(folder / "uneven.mkv", moving(COUNT), times_s=uneven, tick_s=Fraction(1, 1000))
    write_clip(folder / "backdrop.mp4", moving(3, 40, 56), rate=Fraction(10))
    write_clip(folder / "large.mp4", [smooth(270, 480)] * 2)
    write_clip(folder / "turned.mp4", [smooth(270, 480)] * 2, rotation=90)
    return folder


def smooth(height: int, width: int) -> np.ndarray:
    """A picture of slow waves, the same at every size."""
    y, x = np.mgrid[0:height, 0:width]
    y, x = (y + 0.5) / height, (x + 0.5) / width
    waves = [np.sin(4 * x + 3 * y), np.cos(5 * x), np.sin(6 * y - 2 * x)]
    return np.rint(127.5 + 90 * np.stack(waves, -1)).astype(np.uint8)


def frames_of(path: Path) -> list[Frame]:
    with open_video(path) as reader:
        return list(reader)


def squares_of(path: Path, fit: str = "crop") -> list[np.ndarray]:
    """What an engine is to see of a video."""
    return [
        cut(frame.image, square_of(fit, *frame.image.shape[:2]), SIZE) for frame in frames_of(path)
    ]


def written(path: Path) -> list[np.ndarray]:
    return [frame.image for frame in frames_of(path)]


def alphas(path: Path) -> list[np.ndarray]:
    return [frame.alpha for frame in frames_of(path) if frame.alpha is not None]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_frame_is_painted_once_and_in_order(material: Path, tmp_path: Path) -> None:
    engine, seen = Mixer(), []
    made = animate_with(
        engine,
        material / "source.png",
        material / "driving.mp4",
        tmp_path / "out",
        progress=lambda done, total: seen.append((done, total)),
    )
    source = cut(corners(40, 64), square_of("crop", 40, 64), SIZE)
    driving = squares_of(material / "driving.mp4")
    assert np.array_equal(engine.given["source"], source)
    assert [len(batch) for batch in engine.batches] == [2, 2, 1]
    assert equal(list(np.concatenate(engine.batches)), driving)
    assert equal(written(tmp_path / "out"), [mixed(square, source) for square in driving])
    assert (made.path, made.frames) == (tmp_path / "out", COUNT)
    assert made.duration_s == pytest.approx(COUNT / 25)
    assert seen == [(2, COUNT), (4, COUNT), (5, COUNT)]
    assert engine.threads == {threading.current_thread()}
    assert engine.asked == []  # layers that nobody wants are not made


@pytest.mark.parametrize(("frames", "total"), [(1, 1), (4, 4), (5, 5), (90, 5)])
def test_frames_stops(frames: int, total: int, material: Path, tmp_path: Path) -> None:
    engine, seen = Mixer(), []
    made = animate_with(
        engine,
        material / "source.png",
        material / "driving.mp4",
        tmp_path / "out",
        frames=frames,
        progress=lambda done, of_all: seen.append((done, of_all)),
    )
    assert made.frames == len(written(tmp_path / "out")) == total
    assert seen[-1] == (total, total)
    assert made.duration_s == pytest.approx(total / 25)


@pytest.mark.parametrize("frames", [0, -1])
def test_no_frames_at_all_are_refused(frames: int, material: Path, tmp_path: Path) -> None:
    files = material / "source.png", material / "driving.mp4"
    with pytest.raises(InputError, match=f"a number from 1, not {frames}"):
        animate_with(Mixer(), *files, tmp_path / "out", frames=frames)


def test_settings_reach_the_engine(material: Path, tmp_path: Path) -> None:
    engine = Mixer()
    animate_with(
        engine,
        material / "source.png",
        material / "driving.mp4",
        tmp_path / "out",
        background="navy",
        background_kind="class",
        scale=0.7,
    )
    assert (engine.given["background_kind"], engine.given["scale"]) == ("class", 0.7)
    assert np.array_equal(engine.given["background"], np.full((SIZE, SIZE, 3), (0, 0, 128)))


def test_uneven_times_are_kept(material: Path, tmp_path: Path) -> None:
    driving = frames_of(material / "uneven.mkv")
    made = animate_with(
        Mixer(), material / "source.png", material / "uneven.mkv", tmp_path / "out.mkv"
    )
    found = frames_of(tmp_path / "out.mkv")
    times = [frame.time_s for frame in driving]
    assert [frame.time_s for frame in found] == pytest.approx(times, abs=2e-3)
    assert times == pytest.approx([0, 0.04, 0.3, 0.31, 0.5])
    assert made.duration_s == pytest.approx(driving[-1].time_s + driving[-1].duration_s)


def test_the_last_frame_is_shown_as_long_as_the_drivings(material: Path, tmp_path: Path) -> None:
    first, last = (Image.fromarray(image) for image in moving(2))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[last], duration=[100, 700])
    made = animate_with(Mixer(), material / "source.png", tmp_path / "a.gif", tmp_path / "b.gif")
    found = frames_of(tmp_path / "b.gif")
    assert [frame.duration_s for frame in found] == pytest.approx([0.1, 0.7])
    assert made.duration_s == pytest.approx(0.8)


def test_transparency_is_laid_on_white(material: Path, tmp_path: Path) -> None:
    clear = Image.fromarray(np.dstack([corners(32, 32), np.zeros((32, 32), np.uint8)]))
    clear.save(tmp_path / "source.png")
    (tmp_path / "frames").mkdir()
    clear.save(tmp_path / "frames" / "0.png")
    for background in (tmp_path / "source.png", tmp_path / "frames"):
        engine = Mixer()
        files = tmp_path / "source.png", tmp_path / "frames", tmp_path / "out"
        animate_with(engine, *files, background=background)
        assert (engine.given["source"] == 255).all()
        assert (engine.batches[0] == 255).all()
        scenes = engine.given["background"] if engine.scenes[0] is None else engine.scenes[0]
        assert (scenes == 255).all()


BOXES = ["crop", "letterbox", "3,2,30,18", "24,0,16,40", "0,22,64,16"]


@pytest.mark.parametrize("fit", BOXES)
@pytest.mark.parametrize("background", [None, "scene.png", "backdrop.mp4"])
def test_keep_size_paints_the_square_and_nothing_else(
    fit: str, background: str | None, material: Path, tmp_path: Path
) -> None:
    engine = Mixer(batch_frames=3)
    animate_with(
        engine,
        material / "source.png",
        material / "driving.mp4",
        tmp_path / "out",
        fit=fit,
        keep_size=True,
        background=None if background is None else material / background,
    )
    square = square_of(fit, 40, 64)
    canvases = [corners(40, 64)] * COUNT
    if background == "scene.png":
        canvases = [cover(moving(1, 60, 44)[0], 40, 64)] * COUNT
    if background == "backdrop.mp4":  # at 10 frames a second under 25
        shown = written(material / background)
        canvases = [cover(shown[index], 40, 64) for index in (0, 0, 0, 1, 1)]
    seen = [cut(canvas, square, SIZE) for canvas in canvases]
    driven = squares_of(material / "driving.mp4")
    wanted = [
        lay(canvas, scene, mixed(driving, scene), driving[..., 2], square)
        for canvas, driving, scene in zip(canvases, driven, seen, strict=True)
    ]
    whole = corners(40, 64)
    detail = lost_detail(whole, cut(whole, square, SIZE), square)
    assert detail.any()
    if background is not None:
        wanted = [
            add_detail(picture, detail, driving[..., 0], square)
            for picture, driving in zip(wanted, driven, strict=True)
        ]
    flow = np.full((2, 4, 4), 0.1, np.float32)
    for index, share in enumerate(driving[..., 1] for driving in driven):
        moved = moved_detail(detail, flow, share, square)
        wanted[index] = add_detail(wanted[index], moved, share, square)
    assert equal(written(tmp_path / "out"), wanted)
    assert np.array_equal(engine.given["source"], cut(corners(40, 64), square, SIZE))
    if background == "backdrop.mp4":
        assert engine.given["background"] is None
        assert equal(list(np.concatenate(engine.scenes)), seen)
    else:
        assert engine.scenes == [None, None]


@pytest.mark.parametrize("background", ["scene.png", "backdrop.mp4"])
def test_without_keep_size_the_square_is_all_of_the_background(
    background: str, material: Path, tmp_path: Path
) -> None:
    """Whatever part of the source it is."""
    engine = Mixer(batch_frames=COUNT)
    files = material / "source.png", material / "driving.mp4", tmp_path / "out"
    animate_with(engine, *files, fit="3,2,30,18", background=material / background)
    shown = [moving(1, 60, 44)[0]] * COUNT
    if background == "backdrop.mp4":
        pictures = written(material / background)
        shown = [pictures[index] for index in (0, 0, 0, 1, 1)]
    seen = [cover(picture, SIZE, SIZE) for picture in shown]
    driving = squares_of(material / "driving.mp4")
    assert equal(
        written(tmp_path / "out"), [mixed(*pair) for pair in zip(driving, seen, strict=True)]
    )


@pytest.mark.parametrize("keep_size", [False, True])
def test_transparent_outputs_carry_the_mask(
    keep_size: bool, material: Path, tmp_path: Path
) -> None:
    engine = Mixer()
    animate_with(
        engine,
        material / "source.png",
        material / "driving.mp4",
        tmp_path / "out",
        background="transparent",
        keep_size=keep_size,
        fit="3,2,30,18",
    )
    assert engine.given["background"] is None
    masks = [square[..., 1] for square in squares_of(material / "driving.mp4")]
    if keep_size:
        clear = np.zeros((40, 64), np.uint8)
        masks = [paste(clear, mask, square_of("3,2,30,18", 40, 64)) for mask in masks]
        assert all(mask.min() == 0 for mask in masks)
    assert equal(alphas(tmp_path / "out"), masks)


@pytest.mark.parametrize("clip", ["large.mp4", "turned.mp4"])
@pytest.mark.parametrize("fit", ["crop", "letterbox", "60,40,198,180"])
def test_large_frames_are_seen_as_when_read_whole(
    clip: str, fit: str, material: Path, tmp_path: Path
) -> None:
    """Their pictures are read three to seven times smaller; their squares stay where they are."""
    engine = Mixer()
    fit = fit if clip == "large.mp4" else fit.replace("60,40", "40,60")
    animate_with(
        engine,
        material / "source.png",
        material / clip,
        tmp_path / "out",
        driving_fit=fit,
    )
    wanted = np.stack(squares_of(material / clip, fit))
    apart = np.abs(engine.batches[0].astype(int) - wanted)
    assert apart.max() <= (8 if fit == "letterbox" else 3)  # where edges are repeated
    assert apart[:, 8:-8, 8:-8].max() <= 3


def test_large_moving_backgrounds_come_in_smaller_batches(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "WAITING_PX", 2 * 40 * 64)
    for background, most in (("backdrop.mp4", 2), ("scene.png", 4)):
        engine = Mixer(batch_frames=4)
        animate_with(
            engine,
            material / "source.png",
            material / "driving.mp4",
            tmp_path / background / "out",
            background=material / background,
            keep_size=True,
        )
        assert max(len(batch) for batch in engine.batches) == most
    monkeypatch.setattr(video, "WAITING_PX", 1)
    engine = Mixer(batch_frames=4)
    animate_with(
        engine,
        material / "source.png",
        material / "driving.mp4",
        tmp_path / "one",
        background=material / "backdrop.mp4",
    )
    assert [len(batch) for batch in engine.batches] == [1] * COUNT


def test_few_frames_are_read_ahead(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the clip is, a batch is painted while the next one waits."""
    made: list[int] = []
    ahead: list[int] = []

    class Watching(Mixer):
        def paint(self, squares: np.ndarray, scenes: np.ndarray | None = None) -> Painted:
            time.sleep(0.003)  # the reading thread gets as far as it may
            ahead.append(len(made) - sum(map(len, self.batches)))
            return super().paint(squares, scenes)

    def counted(path: Path) -> VideoReader:
        reader = open_video(path)

        def frames() -> Iterator[Frame]:
            for index, frame in enumerate(reader):
                made.append(index)
                yield frame

        return VideoReader(reader.info, frames)

    write_clip(tmp_path / "long.mp4", moving(40))
    monkeypatch.setattr(video, "open_video", counted)
    for batch_frames in (1, 4):
        made.clear()
        files = material / "source.png", tmp_path / "long.mp4"
        animate_with(Watching(batch_frames), *files, tmp_path / "out")
        assert max(ahead) <= 2 * batch_frames + 1  # one more is being made
        assert max(ahead) >= batch_frames
        ahead.clear()


def test_few_frames_wait_to_be_written(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow disk holds the networks up: a batch is written, another waits, and one is painted."""
    engine = Mixer()
    written_of: list[int] = []
    behind: list[int] = []

    class Slow(VideoWriter):
        def write(self, *frame: object) -> None:
            time.sleep(0.01)
            behind.append(sum(map(len, engine.batches)) - len(written_of))
            super().write(*frame)
            written_of.append(1)

    def slow(*place: object, **settings: object) -> VideoWriter:
        writer = open_writer(*place, **settings)
        writer.__class__ = Slow
        return writer

    write_clip(tmp_path / "long.mp4", moving(24))
    monkeypatch.setattr(video, "open_writer", slow)
    animate_with(engine, material / "source.png", tmp_path / "long.mp4", tmp_path / "out")
    assert len(written_of) == 24
    assert 2 <= max(behind) <= 3 * engine.batch_frames


def noting(asked: list[int]) -> Callable[[Path], VideoReader]:
    """An `open_video` that notes by which factors frames are read."""

    def opened(path: Path) -> VideoReader:
        reader = open_video(path)

        def reduced(by: int) -> Iterator[Frame]:
            asked.append(by)
            yield from reader.reduced(by)

        return VideoReader(reader.info, lambda: reduced(1), reduced)

    return opened


@pytest.mark.parametrize(("fit", "factor"), [("crop", 4), ("letterbox", 7), ("0,0,63,40", 1)])
def test_large_frames_are_read_reduced(
    fit: str, factor: int, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """480 x 270 px for 32: at least twice that is left of the square."""
    asked: list[int] = []
    monkeypatch.setattr(video, "open_video", noting(asked))
    files = material / "source.png", material / "large.mp4", tmp_path / "out"
    animate_with(Mixer(), *files, driving_fit=fit)
    assert asked == [factor]


@pytest.mark.parametrize(("keep_size", "factor"), [(False, 4), (True, 3)])
def test_large_moving_backgrounds_are_read_reduced(
    keep_size: bool,
    factor: int,
    material: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """480 x 270 px for 32 x 32 or 64 x 40: at least twice that is left each way."""
    asked: list[int] = []
    monkeypatch.setattr(backdrop, "open_video", noting(asked))
    engine = Mixer(batch_frames=COUNT)
    files = material / "source.png", material / "driving.mp4", tmp_path / "out"
    animate_with(engine, *files, background=material / "large.mp4", keep_size=keep_size)
    assert set(asked) == {factor}
    wanted = cover(smooth(270, 480), 40 if keep_size else SIZE, 64 if keep_size else SIZE)
    if keep_size:
        wanted = cut(wanted, square_of("crop", 40, 64), SIZE)
    assert engine.scenes[0] is not None
    assert np.abs(engine.scenes[0].astype(int) - wanted).max() <= 4


def test_layers_are_written_at_the_networks_size(material: Path, tmp_path: Path) -> None:
    engine = Mixer()
    animate_with(
        engine,
        material / "source.png",
        material / "driving.mp4",
        tmp_path / "out",
        layers=tmp_path / "layers",
        keep_size=True,
    )
    assert sorted(path.name for path in (tmp_path / "layers").iterdir()) == sorted(LAYERS[:6])
    driving = squares_of(material / "driving.mp4")
    for name in LAYERS[:6]:
        assert equal(written(tmp_path / "layers" / name), driving)
    masks = [square[..., 1] for square in driving]
    assert equal(alphas(tmp_path / "layers" / "foreground"), masks)
    assert alphas(tmp_path / "layers" / "high_res") == []


@pytest.mark.parametrize("fails_at", [0, 1, 2])
@pytest.mark.parametrize("out", ["new/er/out.mp4", "new/out/"])
def test_an_error_leaves_nothing(fails_at: int, out: str, material: Path, tmp_path: Path) -> None:
    engine = Mixer()
    engine.fails_at = fails_at
    files = material / "source.png", material / "driving.mp4"
    with pytest.raises(RuntimeError, match="out of memory"):
        animate_with(engine, *files, f"{tmp_path}/{out}", layers=tmp_path / "a" / "layers")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_at_the_end_leaves_nothing(material: Path, tmp_path: Path) -> None:
    """Encoders hold their frames back: the layers are complete when the video cannot be."""
    resource = pytest.importorskip("resource", reason="needs limits on files")
    files = material / "source.png", material / "driving.mp4"
    animate_with(
        Mixer(), *files, tmp_path / "good" / "out.mp4", layers=tmp_path / "good" / "layers"
    )
    sizes = {path: path.stat().st_size for path in tmp_path.rglob("*.*") if path.is_file()}
    shutil.rmtree(tmp_path / "good")
    largest_layer = max(size for path, size in sizes.items() if path.suffix == ".png")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    video_bytes = sizes[tmp_path / "good" / "out.mp4"]
    assert largest_layer + 400 < video_bytes
    enough = (largest_layer + video_bytes) // 2  # x264 may take a tenth more or less each time
    resource.setrlimit(resource.RLIMIT_FSIZE, (enough, limits[1]))
    try:
        with pytest.raises(MediaError, match=r"out\.mp4 cannot be written"):
            animate_with(Mixer(), *files, tmp_path / "new" / "out.mp4", layers=tmp_path / "layers")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_what_was_there(material: Path, tmp_path: Path) -> None:
    files = material / "source.png", material / "driving.mp4"
    animate_with(Mixer(), *files, tmp_path / "out.mp4", layers=tmp_path / "layers", frames=1)
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    engine = Mixer()
    engine.fails_at = 1
    with pytest.raises(RuntimeError, match="out of memory"):
        animate_with(engine, *files, tmp_path / "out.mp4", layers=tmp_path / "layers")
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fit": "0,0,65,20"}, "inside the picture of 64x40"),
        ({"driving_fit": "0,0,49,20"}, "inside the picture of 48x32"),
        ({"driving_fit": "middle"}, "not 'middle'"),
        ({"background": "nowhere"}, "neither a file nor a colour"),
    ],
)
def test_what_cannot_be_fitted_leaves_nothing(
    changes: dict[str, str], words: str, material: Path, tmp_path: Path
) -> None:
    source, driving = material / "source.png", material / "driving.mp4"
    with pytest.raises(InputError, match=words):
        animate_with(Mixer(), source, driving, tmp_path / "new" / "out.mp4", **changes)
    assert list(tmp_path.iterdir()) == []
    settings = {"background": None, "fit": "crop", "driving_fit": "crop"} | changes
    with pytest.raises(InputError, match=words):
        check_inputs([source], [driving], **settings)


def test_every_source_and_driving_is_looked_at(material: Path) -> None:
    good = [material / "source.png"], [material / "driving.mp4"], None, "crop", "crop"
    check_inputs(*good)
    for place in (0, 1):
        bad = list(good)
        bad[place] = [*good[place], material / "nothing"]
        with pytest.raises(MediaError, match="nothing does not exist"):
            check_inputs(*bad)


def test_background_files_are_looked_at(material: Path, tmp_path: Path) -> None:
    files = [material / "source.png"], [material / "driving.mp4"]
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"broken\.mp4 is not a video"):
        check_inputs(*files, tmp_path / "broken.mp4", "crop", "crop")
    for good in (material / "large.mp4", material / "scene.png", "navy", "transparent"):
        check_inputs(*files, good, "crop", "crop")


@pytest.mark.parametrize(
    ("out", "layers"),
    [
        ("in.mp4", None),
        ("./folder/../in.mp4", None),
        ("link.mp4", None),
        ("frames/", None),
        ("frames", None),
        ("out.mp4", "."),  # whose folder "foreground" is an input
        ("layers/", "layers"),  # the layers lie in what is replaced
        ("layers/foreground", "layers"),
        ("folder/../layers/high_res", "layers"),
    ],
)
def test_outputs_destroy_neither_inputs_nor_each_other(
    out: str, layers: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("frames", "folder", "foreground"):
        Path(folder).mkdir()
    Path("in.mp4").write_bytes(b"in")
    Path("link.mp4").symlink_to("in.mp4")
    Image.new("RGB", (16, 16)).save("frames/0.png")
    Image.new("RGB", (16, 16)).save("foreground/0.png")
    inputs = ["in.mp4", "frames/0.png", "foreground/0.png"]
    with pytest.raises(InputError, match="would destroy"):
        check_outputs(out, layers, inputs, transparent=False)


@given(
    names=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4),
    ending=st.sampled_from(["out.mp4", "out.webm", "out", "out/"]),
    layers=st.sampled_from([None, "layers", "a/layers", "a"]),
)
def test_checking_outputs_makes_nothing(
    names: list[str], ending: str, layers: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("checked")
    out = f"{folder}/{'/'.join(names)}/{ending}"
    check_outputs(out, layers and folder / layers, ["navy"], transparent=False)
    assert list(folder.iterdir()) == []


def test_checking_outputs_removes_no_folder_that_was_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_outputs(tmp_path / "empty" / "x" / "out.mp4", None, [], transparent=False)
    assert list(tmp_path.rglob("*")) == [tmp_path / "empty"]


@pytest.mark.parametrize("kind", ["picture", "video", "cut"])
def test_the_source_is_the_first_picture(kind: str, tmp_path: Path) -> None:
    colours = moving(3)
    rgba = [np.dstack([image, growing_alpha(index)]) for index, image in enumerate(colours)]
    path = tmp_path / {"picture": "a.png", "video": "a.mov", "cut": "a.gif"}[kind]
    if kind == "video":
        write_clip(path, rgba, codec="prores_ks", pixels="yuva444p10le", options={})
    else:
        pictures = [Image.fromarray(picture) for picture in rgba]
        pictures[0].save(path, save_all=kind == "cut", append_images=pictures[1:])
    still = read_source(path)
    assert still.alpha is not None
    opaque = growing_alpha(0) > 0
    assert np.array_equal(still.alpha > 127, opaque)
    assert np.abs(still.image.astype(int) - colours[0])[opaque].mean() < 8


@pytest.mark.parametrize("name", ["text.txt", "broken.mp4", "broken.png", "folder", "missing.mp4"])
def test_what_is_no_source(name: str, tmp_path: Path) -> None:
    for broken in ("text.txt", "broken.mp4", "broken.png"):
        (tmp_path / broken).write_bytes(b"nothing to see")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MediaError, match=name):
        read_source(tmp_path / name)
