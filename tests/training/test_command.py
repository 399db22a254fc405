"""`maskmotion train` as it is installed: killed, stopped, and given what it cannot use."""

import os
import signal
import subprocess
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file

from maskmotion import cli
from maskmotion.cli.times import seconds
from maskmotion.config import TrainConfig
from maskmotion.errors import ConfigError
from maskmotion.training.loop import Result

from .conftest import REFERENCE_STEPS, assert_same_run, drawn, log_of, resumed_settings, write_clip

COMMAND = Path(sysconfig.get_path("scripts")) / (
    "maskmotion.exe" if os.name == "nt" else "maskmotion"
)
LONGEST_S = 200
Go = Callable[..., Result]
Arguments = Callable[..., list[str]]

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def preset(clips: Path, cache: Path, tmp_path: Path) -> Path:
    """The settings of `reference` as a YAML file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(resumed_settings(clips, cache)))
    return path


@pytest.fixture
def arguments(preset: Path, clips: Path, vgg_weights: Path, tmp_path: Path) -> Arguments:
    """Arguments of `maskmotion` for that run; by keyword, others, or None for none."""

    def make(*more: str, **changed: object) -> list[str]:
        options: dict[str, object] = {
            "preset": preset,
            "data": clips,
            "out": tmp_path / "run",
            "vgg-weights": vgg_weights,
            "device": "cpu",
        }
        options |= {name.replace("_", "-"): value for name, value in changed.items()}
        named = [f"--{name}={value}" for name, value in options.items() if value is not None]
        return ["train", *named, *more]

    return make


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + LONGEST_S
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def started(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def steps_logged(out: Path) -> int:
    path = out / "log.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


@posix
@pytest.mark.parametrize("later_s", [0.0, pytest.param(0.31, marks=pytest.mark.slow)])
def test_killed_run_goes_on_bit_by_bit(
    arguments: Arguments,
    capsys: pytest.CaptureFixture[str],
    reference: Path,
    tmp_path: Path,
    later_s: float,
) -> None:
    """At two moments; test_kills has more."""
    out = tmp_path / "run"
    command = arguments("--set", "run.checkpoint_minutes=1e-6", f"--max-steps={REFERENCE_STEPS}")
    process = started(command)
    wait_for(lambda: (out / "checkpoints" / "step-00000003.pt").exists(), process)
    time.sleep(later_s)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert cli.main(command) == 0
    resumed = capsys.readouterr()
    assert "goes on from step" in resumed.err
    assert resumed.out == f"{out / 'model'}: step {REFERENCE_STEPS}, --max-steps is reached\n"
    assert_same_run(out, reference)
    assert not list(out.rglob("*.tmp"))


@posix
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_stopped_run_saves_and_says_how_to_go_on(
    arguments: Arguments, short: TrainConfig, go: Go, reference: Path, tmp_path: Path, kind: int
) -> None:
    out = tmp_path / "run"
    process = started(arguments())
    wait_for(lambda: steps_logged(out) >= 1, process)
    process.send_signal(kind)
    seen = steps_logged(out)
    stdout, stderr = process.communicate(timeout=LONGEST_S)
    assert process.returncode == 0, stderr
    steps = steps_logged(out)
    assert seen <= steps <= seen + 2
    model = out / "model"
    assert stdout == f"{model}: step {steps}, stopped and saved; the same command goes on\n"
    assert [path.name for path in (out / "checkpoints").iterdir()] == [f"step-{steps:08d}.pt"]
    go(short, out, max_steps=REFERENCE_STEPS)
    assert_same_run(out, reference)


def failed(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int = 2) -> str:
    """Run `maskmotion`, expect its exit code and one sentence, and return that."""
    assert cli.main(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("maskmotion: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def folder_of(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_text("no video")
    return path


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data": "missing"}, "there is no folder of clips"),
        ({"data": "empty"}, "there is nothing to train on in"),
        ({"data": "text"}, "there is nothing to train on: "),
        ({"data": "single"}, "single/a has 1 frame; a clip needs at least 2"),
        ({"preset": "enormous"}, "there is no preset 'enormous'; choose one of bair, "),
        ({"preset": "list.yaml"}, "must hold a mapping of settings, not list"),
        ({"preset": "odd.yaml"}, "data: Input should be a valid dictionary"),
        ({"max_time": "soon"}, "--max-time takes a time such as 90s, 9m or 2h, not 'soon'"),
        ({"max_steps": 0}, "--max-steps takes a number of steps from 1, not 0"),
        ({"max_steps": "many"}, "many"),
        ({"vgg_weights": "missing.pth"}, "there is no file of VGG weights missing.pth"),
        ({"vgg_weights": "other.safetensors"}, "have no features.0.weight; give a file that"),
        ({"vgg_weights": "broken.safetensors"}, "broken.safetensors cannot be read"),
        ({"vgg_weights": "broken.pth"}, "broken.pth cannot be read (no file of tensors)"),
        ({"out": "list.yaml"}, "list.yaml is a file; --out takes a folder"),
        ({"out": "list.yaml/run"}, "Not a directory"),
        ({"device": "abacus"}, "there is no device 'abacus' here"),
        ({"data": None}, "--data"),
        ({"out": None}, "--out"),
    ],
    ids=str,
)
def test_what_cannot_be_used(
    arguments: Arguments,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path / "empty")
    folder_of(tmp_path / "text", "a.mp4", "b.txt")
    write_clip(tmp_path / "single" / "a", drawn(0, frames=1))
    (tmp_path / "list.yaml").write_text("[1, 2]")
    (tmp_path / "odd.yaml").write_text("data: 5")
    (tmp_path / "broken.safetensors").write_text("no tensors")
    (tmp_path / "broken.pth").write_text("no tensors")
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    assert words in failed(capsys, arguments(**changed))
    assert not (tmp_path / "run" / "model").exists()
    assert not list(tmp_path.glob("run/checkpoints/*"))


def test_all_bad_settings_are_named_at_once(
    arguments: Arguments, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = ["model.depth=3", "speed=fast", "schedule.batch_size=1", "loss.scales=[3]"]
    message = failed(capsys, arguments("--set", *bad))
    for name in ("model.depth", "speed", "schedule.batch_size", "loss.scales"):
        assert name in message
    assert "--set takes section.key=value" in failed(capsys, arguments("--set", "batch"))
    assert not (tmp_path / "run").exists()


def test_batch_that_an_epoch_does_not_fill(
    arguments: Arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    message = failed(capsys, arguments("--set", "schedule.batch_size=99"))
    assert "5 identities seen 2 times do not fill a batch of 99" in message
    assert cli.main(arguments("--max-steps=1")) == 0  # the right command is not refused after that


def test_loss_that_is_not_finite_fails(
    arguments: Arguments, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments("--set", "schedule.learning_rate=1.0e+30")) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("maskmotion: error: the loss low_res is not finite in step 2; ")


def test_goes_on_from_another_working_directory(
    arguments: Arguments,
    capsys: pytest.CaptureFixture[str],
    clips: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(clips.parent)
    assert cli.main(arguments("--max-steps=1", data=clips.name)) == 0
    assert clips.name in (tmp_path / "run" / "config.yaml").read_text()
    assert str(clips) in (tmp_path / "run" / "config.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments("--max-time=0s")) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].endswith("step 2, --max-time is over; the same command goes on")
    assert "holds a run with other settings (seed: 0 -> 1)" in failed(capsys, arguments("--seed=1"))
    # The run's own config.yaml is a preset, too.
    assert cli.main(arguments("--max-steps=3", preset=tmp_path / "run" / "config.yaml")) == 0


def test_seed_of_the_preset_is_kept(arguments: Arguments, preset: Path, tmp_path: Path) -> None:
    preset.write_text("seed: 5\n" + preset.read_text())
    assert cli.main(arguments("--max-steps=1")) == 0
    assert "seed: 5\n" in (tmp_path / "run" / "config.yaml").read_text()


def test_signal_while_clips_are_read(
    arguments: Arguments,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "maskmotion.cli.train.Screen.decoding",
        lambda screen, done, clips: os.kill(os.getpid(), signal.SIGTERM),
    )
    assert cli.main(arguments()) == 130
    assert capsys.readouterr().err == "maskmotion: interrupted\n"
    assert not list((tmp_path / "run").rglob("*.tmp"))
    assert not steps_logged(tmp_path / "run")


def test_no_weights_and_no_network(arguments: Arguments, tmp_path: Path) -> None:
    """Through the installed command, as a user without a network meets it."""
    hidden = {name for name in os.environ if name.lower().endswith("_proxy")}
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    nowhere = "http://127.0.0.1:9"
    environment |= {"TORCH_HOME": str(tmp_path / "torch"), "https_proxy": nowhere}
    done = subprocess.run(
        [COMMAND, *arguments(vgg_weights=None)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 2
    assert not done.stdout
    message = done.stderr.splitlines()[-1]  # torch says before that what it downloads
    assert message.startswith("maskmotion: error: the VGG-19 weights could not be downloaded from")
    assert message.endswith("give it with --vgg-weights FILE")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_installed_command_refuses_in_one_sentence(arguments: Arguments, tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, *arguments(data=tmp_path / "missing")],
        capture_output=True,
        text=True,
        check=False,
    )
    sentence = (
        f"maskmotion: error: there is no folder of clips {tmp_path / 'missing'}; check the path\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


def test_times() -> None:
    times = {"90": 90, "90s": 90, "9m": 540, "2h": 7200, "1.5h": 5400, " 3s ": 3}
    assert {text: seconds(text) for text in times} == times
    for text in ("", "soon", "-5s", "1d", "1:30", "s"):
        with pytest.raises(ConfigError, match="--max-time takes a time"):
            seconds(text)


def test_finished_run_says_so_again(
    arguments: Arguments, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = arguments("--set", "schedule.epochs=1")
    model = tmp_path / "run" / "model"
    said = f"{model}: step 5, the schedule is finished; schedule.epochs makes it longer\n"
    for before in (0, 5):
        assert steps_logged(tmp_path / "run") == before
        assert cli.main(command) == 0
        captured = capsys.readouterr()
        assert captured.out == said
        assert captured.err.startswith("goes on from step 5\n" if before else "step 1/5 epoch 0, ")
    assert [line["step"] for line in log_of(tmp_path / "run")] == [1, 2, 3, 4, 5]
