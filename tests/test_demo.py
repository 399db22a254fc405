"""The demonstration, with the model that comes with the package."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_animator

import maskmotion
from maskmotion.demo import __main__ as demo
from maskmotion.demo import pages, rendering
from maskmotion.demo.inputs import FPS, Inputs, read_folder, read_inputs
from maskmotion.demo.results import Results, animate, distances, moved_pixels
from maskmotion.media import open_video, read_still, to_tensor, to_uint8

FILES = Path(demo.__file__).parent / "files"
ROW_PX = pages.SHEET_TILE_PX + pages.GAP_PX
Run = Callable[..., None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """`python -m maskmotion.demo` with arguments."""

    def run(*arguments: object) -> None:
        monkeypatch.setattr("sys.argv", ["demo", *map(str, arguments)])
        demo.main()

    return run


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    return read_inputs()


@pytest.fixture(scope="module")
def few(inputs: Inputs) -> Inputs:
    """The inputs with a few frames of each clip."""
    clips = ("driving", "target", "target_swapped")
    return replace(inputs, **{name: getattr(inputs, name)[::10] for name in clips})


@pytest.fixture(scope="module")
def seen(few: Inputs) -> Inputs:
    """The same as tiny models see it."""
    return few.resized(128)


def greys(name: str) -> np.ndarray:
    with open_video(FILES / f"{name}.mkv") as video:
        return np.stack([frame.image[..., 0] for frame in video])


def test_it_writes_its_pictures_and_comes_closer_to_the_truth_than_the_source(
    tmp_path: Path,
    run: Run,
    few: Inputs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo, "read_inputs", lambda: few)
    for extra in ("anny", "moderngl"):  # it does without them
        monkeypatch.setitem(sys.modules, extra, None)
    out = tmp_path / "new" / "out"
    run("--out", out)
    with open_video(out / "demo.mp4") as video:
        assert video.info.fps == FPS
        assert sum(1 for _ in video) == len(few.driving)
    rows = 7  # what is given, the driving clip, the mask, two results and their truths
    with Image.open(out / "demo.png") as sheet:
        assert sheet.height == pages.TITLE_PX + rows * ROW_PX

    files, _, *figures = capsys.readouterr().out.splitlines()
    assert files.startswith(f"{out / 'demo.mp4'} and {out / 'demo.png'}")
    moved = {title: float(there) for _, there, title in (f.split(None, 2) for f in figures)}
    assert list(moved) == ["unmoved source", "animated", "unmoved source, pasted", "swapped"]
    assert moved["animated"] < moved["unmoved source"]
    assert moved["swapped"] < moved["unmoved source, pasted"]


def test_the_shipped_inputs_are_small_and_belong_together(inputs: Inputs) -> None:
    assert sum(path.stat().st_size for path in FILES.iterdir()) < 1_000_000
    clip = (rendering.FRAMES, rendering.SIZE, rendering.SIZE, 3)
    assert {x.shape for x in vars(inputs).values()} == {clip, clip[1:]}

    some = slice(None, None, 15)
    alpha, shade = greys("person_alpha")[some], greys("person_shade")[some]
    target, swapped = inputs.target[some], inputs.target_swapped[some]
    home = read_still(FILES / "home.png").image
    bare, person = alpha == 0, alpha == 255
    shadowed = home * (shade[..., None] / 255)
    assert np.abs(target - shadowed)[bare].max() <= 0.5
    assert np.array_equal(swapped[bare], np.broadcast_to(inputs.background, target.shape)[bare])
    assert np.array_equal(target[person], swapped[person])
    # The source has the target's person before the same home.
    still = read_still(FILES / "source_alpha.png").image[..., 0]
    wanted = target[person].mean(0)
    assert np.array_equal(inputs.source[:8], home[:8])
    assert np.abs(inputs.source[still == 255].mean(0) - wanted).max() < 10
    assert np.abs(inputs.driving[some][person].mean(0) - wanted).max() > 20


def test_inputs_are_resized_all_alike(inputs: Inputs) -> None:
    small = inputs.resized(64)
    for name, whole in vars(inputs).items():
        picture = getattr(small, name)
        assert picture.shape == (*whole.shape[:-3], 64, 64, 3)
        assert abs(picture.mean() - whole.mean()) < 0.5


def test_distances_of_given_pictures() -> None:
    black = np.zeros((2, 2, 3), np.uint8)
    target = np.zeros((4, 2, 2, 3), np.uint8)
    target[:, 0] = 100  # one of two rows moves
    target[:, 1] = 20  # too little to count
    given = Inputs(black, black, target, target, target + 10, black + 30)
    made = Results(target, target - 10, target + 15)
    assert moved_pixels(given).mean() == 0.5
    assert [(d.title, d.everywhere, d.moved) for d in distances(given, made)] == [
        ("unmoved source", 60, 100),
        ("animated", 10, 10),
        ("unmoved source, pasted", 40, 80),
        ("swapped", 5, 5),
    ]


def test_it_shows_what_a_session_makes(seen: Inputs) -> None:
    model = tiny_animator(image_size=128)
    made = animate(maskmotion.open_engine(model, dtype="float32"), seen)
    session = maskmotion.AnimationSession(
        model, to_tensor([seen.source]), background=to_tensor([seen.background])
    )
    wanted = session.animate(to_tensor(list(seen.driving)))
    assert made.swapped is not None
    for pictures, tensor in (
        (made.mask[..., :1], wanted.alpha),
        (made.animated, wanted.animation.high_res),
        (made.swapped, wanted.frames),
    ):
        assert np.abs(pictures.astype(int) - to_uint8(tensor)).max() <= 1


def test_a_model_without_background_networks_shows_the_rest(seen: Inputs, tmp_path: Path) -> None:
    model = tiny_animator(image_size=128, background_networks=False)
    made = animate(maskmotion.open_engine(model), seen)
    assert made.swapped is None
    assert made.animated.shape == seen.driving.shape
    figures = distances(seen, made)
    assert [figure.title for figure in figures] == ["unmoved source", "animated"]
    sheet = pages.draw_sheet(seen, made, figures, 0.5)
    assert sheet.shape[0] == pages.TITLE_PX + 5 * ROW_PX
    pages.write_video(tmp_path / "demo.mp4", seen, made)
    with open_video(tmp_path / "demo.mp4") as video:
        assert sum(1 for _ in video) == len(seen.driving)


def test_tiles_stand_where_they_belong(seen: Inputs) -> None:
    """Of flat colours, so that scaling does not change them."""
    flat = [np.full_like(seen.driving, level) for level in (40, 80, 120, 160, 200, 240)]
    inputs = Inputs(flat[0][0], flat[1][0], flat[2], flat[3], flat[4], flat[0][0])
    sheet = pages.draw_sheet(inputs, Results(flat[5], flat[0], flat[1]), [], 0.5)
    middle = pages.SHEET_TILE_PX // 2
    x, y = pages.GAP_PX + pages.LABELS_PX + middle, pages.TITLE_PX + middle
    assert [sheet[y, x, 0], sheet[y, x + ROW_PX, 0]] == [40, 80]
    last = x + (pages.MOMENTS - 1) * ROW_PX
    for column in (x, last):
        shown = [sheet[y + row * ROW_PX, column, 0] for row in range(1, 7)]
        assert shown == [120, 240, 40, 160, 80, 200]


@pytest.mark.parametrize("argument", ["--model", "--out", "--render"])
def test_problems_are_told_in_a_sentence(
    argument: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(SystemExit) as end:
        run(argument, "nobody" if argument == "--model" else blocked / "folder")
    assert end.value.code == 2
    told = capsys.readouterr()
    assert not told.out
    assert told.err.startswith("maskmotion.demo: error: ")
    assert told.err.count("\n") == 1


@pytest.mark.slow
def test_the_shipped_inputs_are_what_is_rendered(
    opengl: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, inputs: Inputs
) -> None:
    pytest.importorskip("anny")
    monkeypatch.setattr(rendering, "FRAMES", 2)
    run("--render", tmp_path)
    made = read_folder(tmp_path)
    assert made.target.shape == (2, *inputs.source.shape)
    for name in ("source", "background", "source_swapped"):  # the others depend on the length
        difference = np.abs(getattr(made, name).astype(int) - getattr(inputs, name))
        assert difference.mean() < 1  # of another renderer; 0 of the same
