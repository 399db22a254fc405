"""The command line: its entry points, and what it makes of exceptions."""

import importlib
import inspect
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from cyclopts import App

from maskmotion import cli
from maskmotion.errors import ConfigError, MediaError, MissingExtraError, TrainingError

COMMAND = Path(sysconfig.get_path("scripts")) / (
    "maskmotion.exe" if os.name == "nt" else "maskmotion"
)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)


def test_version_by_command_and_module() -> None:
    installed = command("--version")
    module = subprocess.run(
        [sys.executable, "-m", "maskmotion", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = importlib.metadata.version("maskmotion")
    assert installed.stdout.strip() == module.stdout.strip() == expected


def test_help_names_every_verb_and_no_arguments_means_help() -> None:
    page = command("--help")
    assert page.returncode == 0
    for name, summary in cli.VERBS:
        assert f" {name} " in page.stdout
        assert summary[:20] in page.stdout
    assert command().stdout == page.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["nonsense"]])
def test_short_answers_do_not_load_torch(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from maskmotion.cli import main\n"
        "main(sys.argv[1:])\n"
        "heavy = {'torch', 'numpy', 'av', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_renders_people_does_not_wait_for_torch() -> None:
    """Each of its processes would; anny loads it when the first body is made."""
    program = "import sys, maskmotion.cli.synth_people; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_verb_is_a_documented_function_of_its_module() -> None:
    for name, _ in cli.VERBS:
        for function in functions(name):
            assert inspect.isfunction(function)
            assert "Example" in function.__doc__, name


def functions(verb: str) -> list[object]:
    """The function of a verb, or those of the verbs below it."""
    found = getattr(importlib.import_module(f"maskmotion.cli.{verb}"), verb)
    if not isinstance(found, App):
        return [found]
    below = [name for name in found if not name.startswith("-")]
    assert below
    return [found[name].default_command for name in below]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "no verb 'nonsense'; the verbs are: animate, train, "),
        (["docter"], "did you mean 'doctor'?"),
        (["doctor", "--jsno"], "--jsno"),
        (["doctor", "extra"], "extra"),
    ],
)
def test_wrong_arguments(arguments: list[str], words: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("maskmotion: error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not done.stdout


def wrapped(error: ImportError) -> ImportError:
    """An ImportError as cyclopts raises it where a verb's module does not load."""
    return because(ImportError("Cannot import module"), error)


def because(error: ImportError, cause: ImportError) -> ImportError:
    """As `raise error from cause` leaves it."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MediaError("a.mp4 is no video."), 2, "error: a.mp4 is no video."),
        (ConfigError("two\n  lines"), 2, "error: two lines"),
        (TrainingError("the loss is nan."), 1, "error: the loss is nan."),
        (MissingExtraError("install x."), 1, "error: install x."),
        (wrapped(MissingExtraError("install x.")), 1, "error: install x."),
        (
            because(MissingExtraError("install x."), ModuleNotFoundError("no y", name="y")),
            1,
            "error: install x.",
        ),
        (
            wrapped(ModuleNotFoundError("No module named 'av'", name="av")),
            1,
            "error: No module named 'av'; `maskmotion doctor` tells how to install it",
        ),
        (
            PermissionError(13, "Permission denied", "out.mp4"),
            2,
            "error: out.mp4: Permission denied",
        ),
        (OSError(28, "No space left on device"), 2, "error: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_exceptions_become_one_sentence_and_an_exit_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def doctor() -> None:
        raise error

    monkeypatch.setattr("maskmotion.cli.doctor.doctor", doctor)
    assert cli.main(["doctor"]) == code
    assert capsys.readouterr().err == f"maskmotion: {message}\n"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a bug"),
        ImportError("cannot import name 'x'"),
        wrapped(ModuleNotFoundError("No module named 'maskmotion.x'", name="maskmotion.x")),
    ],
)
def test_bugs_keep_their_traceback(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def doctor() -> None:
        raise error

    monkeypatch.setattr("maskmotion.cli.doctor.doctor", doctor)
    with pytest.raises(type(error)):
        cli.main(["doctor"])


def test_exit_code_of_a_verb_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskmotion.cli.doctor.doctor", lambda: 3)
    assert cli.main(["doctor"]) == 3
    monkeypatch.setattr("maskmotion.cli.doctor.doctor", lambda: None)
    assert cli.main(["doctor"]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_behind_the_output() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [COMMAND, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == "maskmotion: error: No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes of Windows break in another way")
def test_reader_that_goes_away() -> None:
    program = (
        "import sys\n"
        "from maskmotion.cli import doctor, main\n"
        "doctor.doctor = lambda: sys.stdout.write('report') and None\n"
        "sys.exit(main(['doctor']))\n"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert done.returncode == 141
    assert not done.stderr
