"""One form of a model: that it paints the same pictures, and what is told about it."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_animator
from torch import Tensor, nn

from maskmotion.bench import footage, stand
from maskmotion.bench.forms import PLAIN, Form, Subject, subject_of
from maskmotion.bench.inference import psnr_db
from maskmotion.bench.stand import Stand
from maskmotion.checkpoint import save_model
from maskmotion.inference.session import AnimationSession
from maskmotion.media import open_video, read_still, to_tensor
from maskmotion.processes import Processes


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("models") / "m"
    save_model(tiny_animator(image_size=128), folder)
    return Subject(str(folder))


@pytest.fixture
def at(subject: Subject, tmp_path: Path) -> Callable[[Form], Stand]:
    return lambda form: Stand(subject, form, 3, 1, "cpu", str(tmp_path))


@pytest.mark.parametrize("swap", [False, True])
def test_all_forms_paint_the_same_pictures(swap: bool, at: Callable[[Form], Stand]) -> None:
    plain = stand.shown(at(PLAIN), swap=swap)
    assert plain is not None
    assert plain.shape == (stand.SHOWN_FRAMES, 3, 128, 128)
    assert plain.std() > 0.01
    assert psnr_db(stand.shown(at(Form("torch", "float32")), swap=swap), plain) > 80
    assert 40 < psnr_db(stand.shown(at(Form("torch", "bfloat16")), swap=swap), plain) < 80


def test_a_swap_shows_another_picture(at: Callable[[Form], Stand]) -> None:
    without, swapped = (stand.shown(at(PLAIN), swap=swap) for swap in (False, True))
    assert psnr_db(without, swapped) < 30


def test_turns_are_batches(at: Callable[[Form], Stand]) -> None:
    ready = stand.prepare(at(PLAIN), swap=True)
    assert (ready.batch, ready.frames) == (3, 3)
    assert ready.turn_s > 0
    assert stand.paint(at(PLAIN), 3, swap=True) > 0


def test_from_file_to_file(
    at: Callable[[Form], Stand], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footage, "FRAMES", 8)
    footage.write_files(tmp_path)
    end_to_end = at(Form("torch", "float32", end_to_end=True))
    ready = stand.prepare(end_to_end, swap=True)
    assert ready.batch == 3
    assert 6 <= ready.frames <= 8
    assert stand.paint(end_to_end, 5, swap=True) > 0
    assert stand.shown(end_to_end, swap=True) is None
    with open_video(tmp_path / stand.OUT) as video:
        assert len(list(video)) == 5


def test_files_are_large_and_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "FRAMES", 4)
    footage.write_files(tmp_path)
    with open_video(tmp_path / footage.DRIVING) as video:
        frames = [frame.image.astype(int) for frame in video]
    assert [frame.shape for frame in frames] == [(1080, 1920, 3)] * 4
    assert all(np.abs(a - b).mean() > 0.1 for a, b in pairwise(frames))
    assert read_still(tmp_path / footage.SCENE).image.shape == (1080, 1920, 3)
    assert read_still(tmp_path / footage.SOURCE).image.shape == (1080, 1080, 3)


def test_operations_are_those_of_the_convolutions(subject: Subject) -> None:
    """What else is counted are the products of the low-pass and of the perturbation."""
    model = subject.load()
    source, squares, scene = footage.pictures(128, 1)
    session = AnimationSession(model, to_tensor([source]), background=to_tensor([scene]))
    counted = 0

    def count(conv: nn.Module, _: object, out: Tensor) -> None:
        nonlocal counted
        assert isinstance(conv, nn.Conv2d)
        counted += 2 * conv.weight[0].numel() * out.numel()

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    session.animate(to_tensor(list(squares)))
    found = stand.operations(subject)
    assert counted / 1e9 <= found[True].plain < 1.05 * counted / 1e9
    assert found[False].plain < 0.7 * found[True].plain
    for operations in found.values():
        assert 0.5 < operations.engine / operations.plain < 1


def test_a_model_without_background_networks_does_not_swap(tmp_path: Path) -> None:
    save_model(tiny_animator(image_size=128, background_networks=False), tmp_path / "m")
    assert set(stand.operations(Subject(str(tmp_path / "m")))) == {False}


def test_names() -> None:
    """The sizes have random weights, the same in each process; all else is a model."""
    first, second = (subject_of("tiny").load() for _ in range(2))
    assert first.config.width == 0.25
    ours, theirs = first.state_dict(), second.state_dict()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    assert subject_of("base").preset == "vox"
    assert subject_of("robot-tiny").load().config.width == 0.25


def peaks_mb() -> tuple[float | None, float | None]:
    before = stand.peak_mb("cpu")
    np.ones(25_000_000)  # 200 MB
    return before, stand.peak_mb("cpu")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell")
def test_peak_memory_is_that_of_the_process_alone() -> None:
    ballast = np.ones(60_000_000)  # 480 MB
    with Processes(1, stand.begin, 1) as process:
        before, after = process.run(peaks_mb)
        assert process.run(partial(os.getenv, "OMP_NUM_THREADS")) == "1"
    assert before < ballast.nbytes / stand.MB
    assert after - before == pytest.approx(200, abs=20)
    assert not multiprocessing.active_children()
