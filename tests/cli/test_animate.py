"""`maskmotion animate`, from files to files, through the installed command."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import audio_packets, corners, growing_alpha, moving, psnr, write_clip, write_sound
from PIL import Image
from tiny import tiny_animator

from maskmotion import animate as animate_files
from maskmotion import cli
from maskmotion.checkpoint import save_model
from maskmotion.errors import InputError
from maskmotion.media import Frame, VideoInfo, open_video
from maskmotion.models.animator import Animator

COMMAND = Path(sysconfig.get_path("scripts")) / (
    "maskmotion.exe" if os.name == "nt" else "maskmotion"
)
SIZE = 128
COUNT = 5  # frames of the driving clip


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def sensitive(model: Animator) -> Animator:
    """Enlarge the weights of the driving's masks, so that motion shows in the results."""
    with torch.no_grad():
        model.refiner.hourglass.down_blocks[0].conv.weight[:, 4] *= 100
        model.low_res.first.conv.weight[:, 4] *= 100
        model.high_res.hourglass.down_blocks[0].conv.weight[:, 7] *= 100
    return model


@dataclass(frozen=True)
class Material:
    """Small files to animate, all in one folder that no test may change."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        return next(self.folder.glob(f"{name}.*"), self.folder / name)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("material")
    save_model(sensitive(tiny_animator(image_size=SIZE)), folder / "model")
    save_model(tiny_animator(image_size=SIZE, background_networks=False), folder / "plain")
    Image.fromarray(corners(40, 64)).save(folder / "source.png")
    Image.fromarray(corners(48, 40)).save(folder / "other.jpg")
    write_clip(folder / "driving.mp4", moving(COUNT))
    write_clip(folder / "backdrop.mp4", moving(3, 40, 56))
    write_sound(folder / "sound.mp4", codec="aac", seconds=0.4)
    return Material(folder)


@pytest.fixture
def run(material: Material, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Animate in this process and return what was printed; nothing may be complained about."""

    def call(*arguments: object) -> str:
        words = [str(argument) for argument in arguments]
        for name in ("source", "driving", "model"):
            if f"--{name}" not in words:
                words += [f"--{name}", str(getattr(material, name))]
        code = cli.main(["animate", *words])
        printed = capsys.readouterr()
        assert (code, printed.err) == (0, "")
        return printed.out

    return call


def opened(path: Path) -> tuple[VideoInfo, list[Frame]]:
    with open_video(path) as reader:
        return reader.info, list(reader)


def end_s(frames: list[Frame]) -> float:
    return frames[-1].time_s + frames[-1].duration_s


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm", ".gif", ".webp", ".png", ""])
def test_every_kind_of_output(
    ending: str, run: Callable[..., str], material: Material, tmp_path: Path
) -> None:
    out = tmp_path / "new" / f"out{ending}"
    printed = run("--out", out, "--dtype", "float32")
    assert printed == f"{out}: {COUNT} frames, 0.20 s (torch on cpu, float32)\n"
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    info, frames = opened(out)
    assert (info.height, info.width) == (SIZE, SIZE)
    assert len(frames) == COUNT
    assert end_s(frames) == pytest.approx(COUNT / 25, abs=0.01)


@pytest.mark.parametrize("ending", [".mov", ".webm", ".gif", ".webp", ".png", ""])
def test_transparent_outputs_carry_the_mask(
    ending: str, run: Callable[..., str], tmp_path: Path
) -> None:
    out = tmp_path / f"out{ending}"
    run("--out", out, "--background", "transparent", "--layers", tmp_path / "layers")
    _, frames = opened(out)
    _, wanted = opened(tmp_path / "layers" / "refined_mask")
    assert len(frames) == COUNT
    for frame, mask in zip(frames, wanted, strict=True):
        cover = mask.image[..., 0]
        if ending == ".gif":  # there or not
            assert set(np.unique(frame.alpha)) <= {0, 255}
            assert ((frame.alpha > 0) == (cover > 127)).mean() > 0.97
        else:
            assert psnr(frame.alpha, cover) > 30


def test_the_whole_journey_by_the_installed_command(material: Material, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "out.mp4"
    done = command(
        *("animate", "--source", material.source, "--driving", material.sound, "--out", out),
        *("--model", material.model, "--background", material.backdrop),
        FORCE_COLOR="1",
    )
    assert done.returncode == 0
    assert done.stderr == ""  # quiet where nobody watches
    assert done.stdout.startswith(f"{out}: 10 frames, 0.40 s (torch on ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "out.mp4"]
    info, frames = opened(out)
    _, driven = opened(material.sound)
    assert info.has_audio
    assert end_s(frames) == pytest.approx(end_s(driven), abs=1 / 25)
    packets, wanted = audio_packets(out), audio_packets(material.sound)
    assert packets == wanted[: len(packets)]  # copied, not encoded anew
    assert len(wanted) - len(packets) <= 2


def test_frames_stops_picture_and_sound(
    run: Callable[..., str], material: Material, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    assert "3 frames, 0.12 s" in run("--driving", material.sound, "--frames", 3, "--out", out)
    assert len(opened(out)[1]) == 3
    assert len(audio_packets(out)) <= 0.12 * 48000 / 1024 + 2
    assert f"{COUNT} frames" in run("--frames", 99, "--out", out)  # replaced


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".webp"])
def test_uneven_timing_is_kept(ending: str, run: Callable[..., str], tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.2, 0.5, 0.54]
    driving = write_clip(tmp_path / "uneven.mp4", moving(5), times_s=times)
    run("--driving", driving, "--out", tmp_path / f"out{ending}")
    _, frames = opened(tmp_path / f"out{ending}")
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=0.002)


def test_a_driving_clip_of_one_frame_makes_one_frame(
    run: Callable[..., str], tmp_path: Path
) -> None:
    driving = write_clip(tmp_path / "one.mp4", moving(1))
    assert "1 frames" in run("--driving", driving, "--out", tmp_path / "out.mp4")
    assert len(opened(tmp_path / "out.mp4")[1]) == 1


def test_folder_and_animation_as_driving(
    run: Callable[..., str], material: Material, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    pictures = [Image.fromarray(image) for image in moving(3)]
    for index, picture in enumerate(pictures):
        picture.save(folder / f"{index}.png")
    pictures[0].save(folder / "x.gif", save_all=True, append_images=pictures[1:], duration=80)
    shutil.move(folder / "x.gif", tmp_path / "x.gif")
    assert "3 frames, 0.12 s" in run("--driving", folder, "--out", tmp_path / "a.mp4")
    assert "3 frames, 0.24 s" in run("--driving", tmp_path / "x.gif", "--out", tmp_path / "b.mp4")


def test_several_sources_and_drivings_make_all_pairs(
    run: Callable[..., str], material: Material, tmp_path: Path
) -> None:
    pairs = ("--source", material.source, material.other)
    pairs += ("--driving", material.driving, material.sound, "--frames", 2)
    names = ["source-driving", "source-sound", "other-driving", "other-sound"]
    printed = run(*pairs, "--out", tmp_path / "x.gif", "--layers", tmp_path / "layers")
    assert re.findall(r"(\S+)\.gif: 2 frames", printed) == [str(tmp_path / n) for n in names]
    assert {path.stem for path in tmp_path.iterdir()} == {*names, "layers"}
    assert {path.name for path in (tmp_path / "layers").iterdir()} == set(names)
    run(*pairs, "--out", f"{tmp_path}/folders.v2/")
    assert {path.name for path in (tmp_path / "folders.v2").iterdir()} == set(names)


@pytest.mark.parametrize("background", [None, "navy"])
def test_layers(background: str | None, run: Callable[..., str], tmp_path: Path) -> None:
    layers = tmp_path / "new" / "layers"
    extra = () if background is None else ("--background", background)
    run("--out", tmp_path / "out", "--layers", layers, *extra)
    names = {"foreground", "driving_mask", "perturbed_mask", "refined_mask", "low_res", "high_res"}
    if background:
        names |= {"background_base", "background_refined"}
    assert {path.name for path in layers.iterdir()} == names
    pictures = {name: opened(layers / name)[1] for name in names}
    for frames in pictures.values():
        assert [frame.image.shape for frame in frames] == [(SIZE, SIZE, 3)] * COUNT
    made = opened(tmp_path / "out")[1]
    for index in range(COUNT):
        cover = pictures["foreground"][index].alpha
        assert np.array_equal(cover, pictures["refined_mask"][index].image[..., 0])
        assert np.array_equal(
            pictures["foreground"][index].image, pictures["high_res"][index].image
        )
        last = pictures["background_refined" if background else "high_res"][index]
        assert np.array_equal(made[index].image, last.image)


@pytest.mark.parametrize("background", ["other", "backdrop", "#20c040"])
def test_backgrounds_with_keep_size(
    background: str, run: Callable[..., str], material: Material, tmp_path: Path
) -> None:
    given = background if background.startswith("#") else getattr(material, background)
    run("--out", tmp_path / "o", "--background", given, "--keep-size", "--background-kind", "class")
    _, frames = opened(tmp_path / "o")
    assert {frame.image.shape for frame in frames} == {(40, 64, 3)}
    outside = [frame.image[:, :12] for frame in frames]  # the square is columns 12 to 52
    if background.startswith("#"):
        assert (np.array(outside) == (0x20, 0xC0, 0x40)).all()
    changes = [not np.array_equal(a, b) for a, b in pairwise(outside)]
    assert all(changes) == (background == "backdrop")


def test_keep_size_without_background_keeps_the_source(
    run: Callable[..., str], tmp_path: Path
) -> None:
    run("--out", tmp_path / "o", "--keep-size")
    for frame in opened(tmp_path / "o")[1]:
        assert np.array_equal(frame.image[:, :12], corners(40, 64)[:, :12])
        assert np.array_equal(frame.image[:, 52:], corners(40, 64)[:, 52:])
        assert not np.array_equal(frame.image, corners(40, 64))


def test_odd_sizes_with_keep_size(run: Callable[..., str], tmp_path: Path) -> None:
    Image.fromarray(corners(41, 63)).save(tmp_path / "odd.png")
    out = ("--out", tmp_path / "o.mp4", "--keep-size", "--fit", "letterbox")
    run("--source", tmp_path / "odd.png", *out)
    info, _ = opened(tmp_path / "o.mp4")
    assert (info.height, info.width) == (42, 64)


def test_transparent_sources_and_drivings_are_laid_on_white(
    run: Callable[..., str], tmp_path: Path
) -> None:
    image, alpha = corners(40, 40), growing_alpha(3, 40, 40)
    Image.fromarray(np.dstack([image, alpha])).save(tmp_path / "clear.png")
    white = np.where(alpha[..., None] > 0, image, 255).astype(np.uint8)
    Image.fromarray(white).save(tmp_path / "white.png")
    for name in ("clear", "white"):
        (tmp_path / f"{name}_driving").mkdir()
        shutil.copy(tmp_path / f"{name}.png", tmp_path / f"{name}_driving" / "0.png")
        inputs = ("--source", tmp_path / f"{name}.png", "--driving", tmp_path / f"{name}_driving")
        run(*inputs, "--out", tmp_path / f"{name}_out")
    made = [opened(tmp_path / f"{name}_out")[1][0].image for name in ("clear", "white")]
    assert np.array_equal(*made)


def test_the_first_frame_of_a_video_can_be_the_source(
    run: Callable[..., str], material: Material, tmp_path: Path
) -> None:
    Image.fromarray(opened(material.driving)[1][0].image).save(tmp_path / "first.png")
    shutil.copy(material.other, tmp_path / "picture_without_ending")
    for name, source in (("a", material.driving), ("b", tmp_path / "first.png")):
        run("--source", source, "--out", tmp_path / name)
    made = [opened(tmp_path / name)[1][0].image for name in ("a", "b")]
    assert np.array_equal(*made)
    run("--source", tmp_path / "picture_without_ending", "--out", tmp_path / "c.gif")


@pytest.mark.parametrize("side", [1, 16])
def test_tiny_pictures(side: int, run: Callable[..., str], tmp_path: Path) -> None:
    Image.new("RGB", (side, side), "red").save(tmp_path / "tiny.png")
    run("--source", tmp_path / "tiny.png", "--out", tmp_path / "o.png", "--keep-size")
    assert opened(tmp_path / "o.png")[0].width == side


@pytest.mark.slow
def test_huge_pictures(run: Callable[..., str], tmp_path: Path) -> None:
    Image.new("RGB", (7000, 4000), "red").save(tmp_path / "huge.png")
    out = ("--out", tmp_path / "o", "--frames", 1)
    run("--source", tmp_path / "huge.png", *out, "--keep-size", "--fit", "100,100,64,64")
    assert opened(tmp_path / "o")[0].width == 7000


def test_progress_is_shown_on_a_terminal(material: Material, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="needs pseudo-terminals")
    ours, theirs = pty.openpty()
    arguments = ("--source", material.source, "--driving", material.driving, "--model")
    child = subprocess.Popen(
        [COMMAND, "animate", *arguments, material.model, "--out", tmp_path / "o.gif"],
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            part = b""
        if not part:
            break
        shown += part
    printed, _ = child.communicate()
    os.close(ours)
    assert child.returncode == 0
    assert b"frames/s" in shown
    assert b"\x1b" not in printed


def test_an_interrupted_run_leaves_nothing(material: Material, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    out, layers = tmp_path / "new" / "out.mp4", tmp_path / "layers" / "new"
    with pytest.raises(KeyboardInterrupt):
        animate_files(
            material.source,
            material.sound,
            out,
            model=material.model,
            layers=layers,
            background="navy",
            progress=interrupt,
        )
    assert list(tmp_path.iterdir()) == []


def test_public_call_reports_progress_and_result(material: Material, tmp_path: Path) -> None:
    seen = []
    made = animate_files(
        material.source,
        material.driving,
        tmp_path / "o.mp4",
        model=material.model,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (made.path, made.frames) == (tmp_path / "o.mp4", COUNT)
    assert made.duration_s == pytest.approx(COUNT / 25)
    assert seen == [(COUNT, COUNT)]
    with pytest.raises(InputError, match="a number from 1"):
        animate_files(material.source, material.driving, tmp_path / "p.mp4", frames=0)


# --------------------------------------------------------------------------- what goes wrong

GOOD = ("--source source.png", "--driving driving.mp4", "--out new/out.mp4", "--model model")
# name: arguments that replace or join the good ones; words of the sentence
BAD = {
    "source missing": ("--source nothere.png", "nothere.png does not exist; check the path"),
    "source is text": ("--source text.txt", "text.txt is not a picture that can be read; save it"),
    "source is a folder": ("--source model", "model is a folder; name one file in it"),
    "source truncated": ("--source cut.png", "cut.png is a damaged picture"),
    "source empty": ("--source empty.png", "empty.png is empty (0 bytes); copy or download"),
    "source broken video": ("--source cut.mp4", "cut.mp4 is not a picture that can be read; save"),
    "driving missing": ("--driving nothere.mp4", "nothere.mp4 does not exist; check the path"),
    "driving is text": ("--driving text.mp4", "text.mp4 is not a video that can be read"),
    "driving truncated": ("--driving cut.mp4", "cut.mp4 is not a video that can be read, or"),
    "driving without picture": ("--driving tone.m4a", "tone.m4a has no video stream; choose"),
    "driving is a still": ("--driving source.png", "source.png is a single picture; a driving"),
    "driving is an empty folder": ("--driving emptyfolder", "emptyfolder has no pictures in it"),
    "frames of two sizes": ("--driving sizes", "but the first frame is 48x32 px; make all frames"),
    "background unknown": ("--background beach.jgp", "'beach.jgp' is neither a file nor a colour"),
    "background broken video": ("--background cut.mp4", "cut.mp4 is not a video that can be read"),
    "background broken picture": ("--background cut.png", "cut.png is a damaged picture"),
    "background needs networks": (
        "--model plain --background navy",
        "no background networks; use one that was trained with them",
    ),
    "moving background needs networks": (
        "--model plain --background backdrop.mp4",
        "no background networks; use one that was trained with them",
    ),
    "out of unknown kind": ("--out new/out.xyz", "unknown ending .xyz; use .mp4, .mov"),
    "out holds other things": ("--out foreign", "foreign holds other things than numbered frames"),
    "out is a folder": ("--out folder.mp4", "folder.mp4 is a folder; choose another name"),
    "out below a file": ("--out text.txt/out.mp4", "text.txt/out.mp4 cannot be written"),
    "out without alpha": (
        "--background transparent",
        "new/out.mp4 cannot keep transparency; use .mov, .webm",
    ),
    "out is the driving clip": ("--out driving.mp4", "would destroy driving.mp4; choose another"),
    "out is the source": ("--out ./source.png", "would destroy source.png; choose another"),
    "out is the background": ("--background backdrop.mp4 --out backdrop.mp4", "would destroy"),
    "out is the driving folder": ("--driving frames --out frames/", "would destroy frames; choose"),
    "out holds the source": ("--source frames/0.png --out frames", "would destroy frames/0.png"),
    "out holds the layers": ("--out new --layers new", "would destroy new/foreground; choose"),
    "out among the layers": ("--out l/low_res --layers l", "would destroy l/low_res; choose"),
    "layers hold the source": (
        "--source layers/foreground/0.png --layers layers",
        "would destroy layers/foreground/0.png",
    ),
    "layers is a file": ("--layers text.txt", "text.txt/foreground cannot be written"),
    "layers hold other things": ("--layers used", "used/foreground holds other things"),
    "model missing": ("--model nothere", "there is no model 'nothere'; give a model folder"),
    "model is no model": ("--model frames", "frames is not a model folder: it has no config.json"),
    "model without weights": ("--model bare", "bare has no model.safetensors; copy the whole"),
    "model with broken weights": ("--model broken", "model.safetensors cannot be read"),
    "model with other weights": ("--model mixed", "mixed does not fit its configuration"),
    "model of another schema": ("--model later", "has schema 99, this version of maskmotion reads"),
    "model with broken settings": ("--model odd", "odd/config.json"),
    "frames zero": ("--frames 0", "--frames. Must be >= 1"),
    "frames a word": ("--frames few", "few"),
    "fit unknown": ("--fit middle", "crop, letterbox, or LEFT,TOP,WIDTH,HEIGHT"),
    "fit outside": ("--fit 30,0,40,40", "must lie inside the picture of 64x40 pixels"),
    "driving fit outside": ("--driving-fit 0,0,64,40", "inside the picture of 48x32 pixels"),
    "scale outside": ("--scale 3", "above 0 and up to 2, not 3.0"),
    "dtype unknown": ("--dtype float8", '--dtype. Choose from: "auto", "float32", "bfloat16"'),
    "engine unknown": ("--engine tpu", 'Choose from: "auto", "torch", "onnx", "openvino"'),
    "engine for exported models": ("--engine onnx", "write one with `maskmotion export --model"),
    "background kind unknown": ("--background-kind none", 'Choose from: "scene", "class"'),
    "option unknown": ("--colour red", "--colour"),
    "device absent": ("--device cuda:77", "no device 'cuda:77' here; use auto or cpu"),
    "device without memory": ("--device meta", "no device 'meta' here; use auto or cpu"),
    "no out": ("--out", "--out requires an argument"),
    "pairs of one name": (
        "--source source.png again/source.png",
        "two pairs would both be written to new/source-driving.mp4; give sources and drivings",
    ),
    "second source bad": ("--source source.png nothere.png", "nothere.png does not exist"),
    "second driving bad": ("--driving driving.mp4 text.mp4", "text.mp4 is not a video"),
}  # fmt: skip


@pytest.fixture
def workplace(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The material and what is bad of it, in the current folder."""
    for name in ("source.png", "driving.mp4", "backdrop.mp4"):
        shutil.copy(material.folder / name, tmp_path)
    for name in ("model", "plain"):
        (tmp_path / name).symlink_to(material.folder / name)
    for name in ("bare", "broken", "mixed", "later", "odd"):
        shutil.copytree(material.model, tmp_path / name)
    (tmp_path / "bare" / "model.safetensors").unlink()
    weights = tmp_path / "broken" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    shutil.copy(material.plain / "model.safetensors", tmp_path / "mixed")
    for name, change in (("later", {"schema": 99}), ("odd", {"model": {"width": "wide"}})):
        path = tmp_path / name / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (tmp_path / "text.txt").write_text("no picture\n")
    (tmp_path / "text.mp4").write_text("no video\n" * 200)
    (tmp_path / "empty.png").touch()
    for name in ("source.png", "driving.mp4"):
        data = (tmp_path / name).read_bytes()
        (tmp_path / f"cut{Path(name).suffix}").write_bytes(data[: len(data) // 2])
    write_sound(tmp_path / "tone.m4a", codec="aac", video=False, seconds=0.2)
    for name in ("emptyfolder", "folder.mp4", "again", "sizes", "frames", "foreign"):
        (tmp_path / name).mkdir()
    for name in ("layers/foreground", "used/foreground"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(tmp_path / "source.png", tmp_path / "again")
    shutil.copy(tmp_path / "source.png", tmp_path / "layers" / "foreground" / "0.png")
    for folder in ("foreign", "used/foreground"):
        (tmp_path / folder / "notes.txt").touch()
    for index, image in enumerate(moving(2)):
        Image.fromarray(image).save(tmp_path / "frames" / f"{index}.png")
    for index in range(11):  # more than a batch, so that the last one is met late
        height = 30 if index == 10 else 32
        Image.new("RGB", (48, height)).save(tmp_path / "sizes" / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listing(folder: Path) -> dict[str, bytes | None]:
    """All files, hidden ones too, with what is in them."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def arguments(changes: str) -> list[str]:
    """The good arguments, changed."""
    changed = [f"--{part}".split() for part in changes.removeprefix("--").split(" --")]
    names = {words[0] for words in changed}
    kept = [words.split() for words in GOOD if words.split()[0] not in names]
    return [word for words in (*kept, *changed) for word in words]


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, words = BAD[name]
    before = listing(workplace)
    code = cli.main(["animate", *arguments(changes)])
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert printed.err.startswith("maskmotion: error: ")
    assert printed.err.count("\n") == 1
    assert printed.err.endswith("\n")
    assert words in printed.err
    assert listing(workplace) == before


@pytest.mark.parametrize("name", ["driving truncated", "out without alpha", "model missing"])
def test_bad_input_to_the_installed_command(name: str, workplace: Path) -> None:
    changes, words = BAD[name]
    before = listing(workplace)
    done = command("animate", *arguments(changes))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"maskmotion: error: [^\n]+\n", done.stderr)
    assert words in done.stderr
    assert listing(workplace) == before


def test_the_good_arguments_are_good(workplace: Path) -> None:
    assert cli.main(["animate", *arguments("--frames 2")]) == 0


@pytest.fixture
def loading_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("maskmotion.inference.engines.load_model", refuse)


@pytest.mark.usefixtures("loading_forbidden")
@pytest.mark.parametrize(
    "name",
    [name for name in BAD if not name.startswith(("model", "device", "frames of", "scale"))
     and "needs networks" not in name],
)  # fmt: skip
def test_bad_input_is_told_before_a_model_is_loaded(
    name: str, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["animate", *arguments(BAD[name][0])]) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures with wait4")
def test_memory_does_not_grow_with_the_clip(material: Material, tmp_path: Path) -> None:
    peaks, arguments = [], ("--source", material.source, "--model", material.model)
    for frames in (40, 240):
        clip = write_clip(tmp_path / "long.mp4", moving(frames, 240, 320), rate=Fraction(25))
        child = subprocess.Popen(
            [COMMAND, "animate", *arguments, "--driving", clip, "--out", tmp_path / "o.mp4"],
            stdout=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        peaks.append(usage.ru_maxrss)
    assert peaks[1] < 1.1 * peaks[0]
