#!/usr/bin/env python3
"""Set maskmotion up in a fresh clone and run it: python3 run.py demo | test | lint.

Needs nothing but Python's standard library. The first run makes `.venv` beside this file and
installs the package there, editable and with its development tools, at the versions of
constraints.txt. Later runs start at once, until pyproject.toml, constraints.txt, the Python
version or MASKMOTION_TORCH change.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).resolve().parent
OLDEST_PYTHON = (3, 11)
TORCH_VARIABLE = "MASKMOTION_TORCH"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TEST_WORKERS = 2

HELP = f"""\
usage: python3 run.py VERB [ARGUMENTS...]

  demo    animate a picture, nothing else needed; see demo --help
  test    run the tests; further arguments go to pytest (test -k mask, test -m "not slow")
  lint    check style, types and the direction of imports

The first run makes .venv beside this file and installs everything there.

{TORCH_VARIABLE} chooses the build of torch. Unset: a wheel that pip has on disk; else the
CPU build on Linux and Windows without an NVIDIA GPU; else what `pip install torch` gives.
  cpu            the CPU build
  default        what `pip install torch` gives
  https://...    the build from this package index
  anything else  a requirement or a wheel for pip: torch==2.12.0, path/to/torch.whl
"""


class SetupError(Exception):
    """The environment cannot be made; the message is one sentence for the user."""


def say(message: str) -> None:
    print(f"run.py: {message}", file=sys.stderr, flush=True)


class Environment:
    """The virtual environment beside this file.

    Args:
        root: folder with pyproject.toml and constraints.txt.
        variables: the process environment.
        run: stands in for subprocess.run in tests.
    """

    def __init__(
        self, root: Path, variables: Mapping[str, str] = os.environ, run: Run = subprocess.run
    ) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.scripts = self.folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.scripts / ("python.exe" if os.name == "nt" else "python")
        self.stamp = self.folder / "installed"
        self.torch_choice = variables.get(TORCH_VARIABLE, "").strip()
        self._run = run

    def fingerprint(self) -> str:
        """One value for all that the installed packages depend on."""
        parts = [sys.version, str(self.root), self.torch_choice]
        parts += [
            (self.root / name).read_text(encoding="utf-8")
            for name in ("pyproject.toml", "constraints.txt")
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def ready(self) -> bool:
        """Whether nothing is left to install."""
        return self._stamped() and self._usable()

    def prepare(self) -> None:
        """Make the environment, or bring it up to date.

        Raises:
            SetupError: Python lacks venv, or pip failed.
        """
        if self.ready():
            return
        with one_at_a_time(self.root / "pyproject.toml"):
            if self.ready():  # another process did it while this one waited
                return
            fingerprint = self.fingerprint()
            # Without the stamp an interruption from here on makes the next run install again.
            self.stamp.unlink(missing_ok=True)
            if not self._usable():
                self._create()
            self._install_torch()
            say("installing maskmotion and its development tools")
            self._install_package()
            self.stamp.write_text(fingerprint, encoding="utf-8")

    def _stamped(self) -> bool:
        try:
            return self.stamp.read_text(encoding="utf-8") == self.fingerprint()
        except OSError:
            return False

    def _usable(self) -> bool:
        """Whether the environment runs, was made here, and for this version of Python."""
        probe = "import sys, pip; print(sys.version, end='')"
        try:
            done = self._run(
                [str(self.python), "-I", "-c", probe], capture_output=True, text=True, check=False
            )
            # A moved environment runs, but its launchers still point to the old place.
            launcher = (self.scripts / "activate").read_text(encoding="utf-8")
        except OSError:
            return False
        same_python = done.returncode == 0 and done.stdout == sys.version
        return same_python and str(self.folder) in launcher

    def _create(self) -> None:
        missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
        if missing:
            version = "{}.{}".format(*sys.version_info[:2])
            raise SetupError(
                f"this Python has no {' and no '.join(missing)}; "
                f"on Debian and Ubuntu: sudo apt install python{version}-venv"
            )
        say(f"making {self.folder}")
        done = self._run(
            [sys.executable, "-m", "venv", "--clear", str(self.folder)], text=True, check=False
        )
        if done.returncode != 0:
            raise SetupError(f"could not make {self.folder}, see above")

    def _install_torch(self) -> None:
        """Install torch before the rest, so that pip does not fetch gigabytes of CUDA in vain."""
        pinned = pinned_torch((self.root / "constraints.txt").read_text(encoding="utf-8"))
        choice = self.torch_choice
        if choice:
            say(f"installing torch as {TORCH_VARIABLE}={choice} asks")
            if self._pip("--no-deps", "--force-reinstall", *torch_request(choice, pinned)) != 0:
                raise SetupError(f"pip could not install {TORCH_VARIABLE}={choice}, see above")
            return
        say(f"installing {pinned}")
        if self._pip("--no-index", "--no-deps", pinned, quiet=True) == 0:
            return
        if sys.platform in ("linux", "win32") and not has_nvidia_gpu():
            say("pip has no wheel of it on disk; fetching the CPU build (about 200 MB)")
            attempt = ("--no-deps", "--retries", "1", "--timeout", "30")
            if self._pip(*attempt, *torch_request("cpu", pinned)) == 0:
                return
            say("the CPU build could not be had, see above; going on with the default build")
        # The default build comes with the package itself.

    def _install_package(self) -> None:
        constraints = self.root / "constraints.txt"
        if self.torch_choice:
            # The chosen build need not be of the pinned version.
            others = [
                line
                for line in constraints.read_text(encoding="utf-8").splitlines()
                if not re.match(r"torch\s*==", line)
            ]
            constraints = self.folder / "constraints-without-torch.txt"
            constraints.write_text("\n".join(others) + "\n", encoding="utf-8")
        if self._pip("-c", str(constraints), "-e", f"{self.root}[dev]") != 0:
            raise SetupError("pip could not install the package, see above")

    def _pip(self, *arguments: str, quiet: bool = False) -> int:
        command = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        # `quiet` is for an attempt that may fail; elsewhere pip's own errors must be seen.
        done = self._run([*command, *arguments], capture_output=quiet, text=True, check=False)
        return done.returncode


def pinned_torch(constraints: str) -> str:
    """The requirement `torch==...` in the text of constraints.txt."""
    found = re.search(r"^torch\s*==\s*([^\s;#]+)", constraints, flags=re.MULTILINE)
    if not found:
        raise SetupError("constraints.txt does not pin torch")
    return f"torch=={found[1]}"


def torch_request(choice: str, pinned: str) -> list[str]:
    """What to tell pip for a value of MASKMOTION_TORCH."""
    if choice == "default":
        return [pinned]
    if choice == "cpu":
        choice = CPU_INDEX
    if re.match(r"https?://", choice) and not choice.endswith(".whl"):
        return ["--index-url", choice, pinned]
    return [choice]


def has_nvidia_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()


@contextlib.contextmanager
def one_at_a_time(file: Path) -> Iterator[None]:
    """Let only one process at a time in; the system frees the lock when its holder dies."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with file.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run.py that is installing")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def call(command: Sequence[str], folder: Path | None, variables: Mapping[str, str]) -> int:
    """Run a command to its end, Ctrl-C included, and return its exit code."""
    with subprocess.Popen(command, cwd=folder, env=dict(variables)) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue  # the command got it too: let it end in its own way
            return code if code >= 0 else 128 - code


def demo(environment: Environment, arguments: Sequence[str]) -> int:
    # Not in the root folder: paths in the arguments are the caller's.
    return call([str(environment.python), "-m", "maskmotion.demo", *arguments], None, os.environ)


def test(environment: Environment, arguments: Sequence[str]) -> int:
    # The workers share the cores, so each computes on one thread.
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    spread = ["-n", str(TEST_WORKERS), "--dist", "worksteal"]
    command = [str(environment.python), "-m", "pytest", *spread, *arguments]
    return call(command, environment.root, {**one_thread, **os.environ})


def lint(environment: Environment, arguments: Sequence[str]) -> int:
    if arguments:
        raise SetupError("lint takes no arguments")
    module = [str(environment.python), "-m"]
    checks = {
        "ruff check": [*module, "ruff", "check", "."],
        "ruff format": [*module, "ruff", "format", "--check", "."],
        "mypy": [*module, "mypy"],
        "lint-imports": [str(environment.scripts / "lint-imports")],
    }
    failed = []
    for name, command in checks.items():
        say(name)
        code = call(command, environment.root, os.environ)
        if code == 130:
            return code
        if code != 0:
            failed.append(name)
    if failed:
        say("failed: " + ", ".join(failed))
    return 1 if failed else 0


VERBS: Mapping[str, Callable[[Environment, Sequence[str]], int]] = {
    "demo": demo,
    "test": test,
    "lint": lint,
}


def main(arguments: Sequence[str]) -> int:
    if sys.version_info < OLDEST_PYTHON:  # a plain tuple, so that old versions get this far
        have, need = (".".join(map(str, v[:2])) for v in (sys.version_info, OLDEST_PYTHON))
        say(f"Python {need} or newer is needed, this is {have}")
        return 2
    if arguments and arguments[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if not arguments or arguments[0] not in VERBS:
        if arguments:
            say(f"there is no verb {arguments[0]!r}")
        print(HELP, end="", file=sys.stderr)
        return 2
    environment = Environment(ROOT)
    try:
        environment.prepare()
        return VERBS[arguments[0]](environment, arguments[1:])
    except SetupError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
