"""Every command and every Python example of the documentation runs as it is written."""

import contextlib
import functools
import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.evaluation.weights import write_weights

from maskmotion import cli
from maskmotion.media import open_video, open_writer
from maskmotion.synth.puppets import render_clip
from maskmotion.training.vgg import VGG19

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/training.md",
    "docs/inference.md",
    "docs/export.md",
    "docs/synthetic.md",
    "docs/evaluation.md",
]
# What makes a documented command short enough for a test; it is appended to the words given.
SHORTENED = {
    "animate": ["--frames", "3"],
    "evaluate": ["--every", "1", "--lpips-weights", "lpips"],
    "synth": ["--frames", "4", "--size", "64", "--framing", "body", "--jobs", "1"],
    "train": [
        *("--max-steps", "2", "--vgg-weights", "vgg.safetensors", "--set", "model.width=0.0625"),
        *("schedule.batch_size=2", "motion.weight=1", "motion.alone_samples=2", "loss.scales=[8]"),
    ],
}
# Several GPUs are documented, two processes on the processor run.
LAUNCHER = re.compile(r"torchrun --nproc-per-node \d+ -m maskmotion")
TWO_PROCESSES = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
CLIPS = re.compile(r"--clips \d+")
TRAINED = "maskmotion train --preset tiny --data my_clips --out runs/mine --max-time 2h"
PEOPLE = "maskmotion synth people --out people --clips 300 --seed 1 --other-people 1"
PEOPLE_TRAINED = "maskmotion train --preset people --data people/clips --out runs/people"
EXPORTED = "maskmotion export --model people-tiny --out exported"
# Covered elsewhere: run.py by the tests that it starts, a full-size checkpoint by test_convert.
ELSEWHERE = ("python3 run.py", "pip install", "maskmotion convert")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page; commands have no language."""
    text = (ROOT / page).read_text()
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [content for of, content in fenced if of == language]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the documentation names."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "my_clips").mkdir()
    targets = [folder / "dance.mp4", *(folder / "my_clips" / f"{i}.mp4" for i in range(4))]
    for seed, path in enumerate(targets):
        clip = render_clip(figure_seed=seed, motion_seed=seed, background_seed=seed, frames=4)
        with open_writer(path, width=128, height=128, fps=Fraction(25)) as writer:
            for frame in clip.frames:
                writer.write(frame)
    Image.fromarray(clip.frames[0]).save(folder / "me.png")
    Image.fromarray(clip.background).save(folder / "beach.jpg")
    (folder / "scenes").mkdir()
    Image.fromarray(clip.background).save(folder / "scenes" / "beach.jpg")
    save_file(VGG19((1, 2, 3)).state_dict(), folder / "vgg.safetensors")
    write_weights(folder / "lpips")
    return folder


@functools.cache
def run(command: str, desk: Path) -> None:
    """Run a documented command; once, on however many pages it stands."""
    if command.startswith("python benchmarks/"):
        script, *words = shlex.split(command)[1:]
        done = subprocess.run([sys.executable, ROOT / script, *words], cwd=desk, check=False)
        assert done.returncode == 0, command
        return
    if command.startswith("python exported/"):
        done = subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=desk, check=False)
        assert done.returncode == 0, command
        return
    plain = CLIPS.sub("--clips 2", LAUNCHER.sub("maskmotion", command))
    program, verb, *words = shlex.split(plain)
    assert program == "maskmotion"
    words = [verb, *words, *SHORTENED.get(verb, [])]
    if verb == "train" and {"people-tiny", "real-people"} & set(words):
        words.append("model.width=0.25")  # that of the models inside the package
    with contextlib.chdir(desk):
        if LAUNCHER.match(command):
            launched = [sys.executable, *TWO_PROCESSES, "-m", program, *words]
            assert subprocess.run(launched, check=False).returncode == 0, command
        else:
            assert cli.main(words) == 0, command
    if "--out" in words and verb == "animate":
        with open_video(desk / words[words.index("--out") + 1]) as video:
            assert len(list(video)) == 3


@pytest.mark.parametrize("page", PAGES)
def test_documented_commands_run(page: str, desk: Path, opengl_device: str | None) -> None:
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    commands = [line for line in lines if line and not line.startswith(ELSEWHERE)]
    assert commands
    if page == "docs/evaluation.md":
        run(TRAINED, desk)
    if page == "docs/training.md" and opengl_device is not None:
        run(PEOPLE, desk)
        run(PEOPLE_TRAINED, desk)
    for command in commands:
        rendered = re.search("(?<!real-)people(?!-tiny)|truth", command)
        if opengl_device is not None or not rendered:
            run(command, desk)


@pytest.mark.parametrize("page", ["README.md", "docs/inference.md", "docs/export.md"])
def test_documented_python_runs(page: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page == "docs/export.md":
        run(EXPORTED, desk)
    monkeypatch.chdir(desk)
    examples = blocks(page, "python")
    assert examples
    for example in examples:
        names: dict[str, object] = {}
        exec(compile(example, page, "exec"), names)
        if "frames" in names:
            frames = names["frames"]
            assert isinstance(frames, torch.Tensor)
            assert frames.shape[:2] == (8, 3)
    assert (desk / "out.mp4").is_file()


@pytest.mark.usefixtures("opengl")
def test_documented_python_reads_and_renders_people(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(PEOPLE, desk)
    monkeypatch.chdir(desk)
    names: dict[str, Any] = {}
    for example in blocks("docs/synthetic.md", "python"):
        short = example.replace("size=256", "size=64").replace("frames=96", "frames=4")
        exec(compile(short, "docs/synthetic.md", "exec"), names)
    assert names["alpha"].shape == (4, 64, 64)
    assert names["alpha"][0, int(names["y"]), int(names["x"])] > 0
    assert (names["clip"].alpha == names["alpha"]).all()


def test_documentation_links_lead_somewhere() -> None:
    for page in [
        *PAGES,
        "docs/method.md",
        "docs/models.md",
        "docs/performance.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ]:
        for link in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text()):
            if "://" in link:
                continue
            name, _, anchor = link.partition("#")
            target = (ROOT / page).parent / name if name else ROOT / page
            assert target.exists(), (page, link)
            assert not anchor or anchor in anchors(target), (page, link)


def anchors(page: Path) -> set[str]:
    """What links to a page's headings are called."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
