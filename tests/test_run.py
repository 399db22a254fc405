"""run.py: when it installs, what it installs, and in which order."""

import importlib.util
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[1]


def load_run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("maskmotion_run", REPOSITORY / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = load_run()


class FakeSystem:
    """Plays Python and pip for an Environment: makes the files that they make, keeps a record.

    Args:
        refuse: pip commands that fail.
        inside: the version that the environment's own interpreter reports.
    """

    def __init__(
        self, refuse: Callable[[str], bool] = lambda command: False, inside: str = sys.version
    ) -> None:
        self.refuse = refuse
        self.inside = inside
        self.venvs = 0
        self.pip: list[str] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        text = " ".join(command)
        code, output = 0, ""
        if "-m venv" in text:
            self.venvs += 1
            scripts = Path(command[-1]) / ("Scripts" if os.name == "nt" else "bin")
            scripts.mkdir(parents=True, exist_ok=True)
            (scripts / "activate").write_text(f"VIRTUAL_ENV={command[-1]}\n", encoding="utf-8")
            (scripts / ("python.exe" if os.name == "nt" else "python")).touch()
        elif "-m pip" in text:
            request = text.partition(" -m pip install --disable-pip-version-check -q ")[2]
            assert request, text
            self.pip.append(request)
            code = int(self.refuse(request))
        elif not Path(command[0]).exists():
            raise FileNotFoundError(command[0])
        else:
            output = self.inside
        return subprocess.CompletedProcess(command, code, output, "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (root / "constraints.txt").write_text("# pins\ntorch==1.2.3\nrich==4.5\n", encoding="utf-8")
    return root


@pytest.fixture
def linux_without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(run, "has_nvidia_gpu", lambda: False)


def prepare(root: Path, system: FakeSystem, **variables: str) -> None:
    run.Environment(root, variables, system).prepare()


def package_request(root: Path) -> str:
    return f"-c {root / 'constraints.txt'} -e {root}[dev]"


def test_installs_once(root: Path) -> None:
    system = FakeSystem()
    prepare(root, system)
    assert system.venvs == 1
    assert system.pip == ["--no-index --no-deps torch==1.2.3", package_request(root)]

    prepare(root, system)
    assert system.venvs == 1
    assert len(system.pip) == 2


@pytest.mark.parametrize("failure", ["refused", "interrupted"])
def test_unfinished_install_is_taken_up_again(root: Path, failure: str) -> None:
    def refuse(command: str) -> bool:
        if "-e" not in command:
            return False
        if failure == "interrupted":
            raise KeyboardInterrupt
        return True

    expected = KeyboardInterrupt if failure == "interrupted" else run.SetupError
    with pytest.raises(expected):
        prepare(root, FakeSystem(refuse))
    assert not run.Environment(root, {}, FakeSystem()).ready()

    system = FakeSystem()
    prepare(root, system)
    assert system.venvs == 0  # what is there already is kept
    assert system.pip[-1] == package_request(root)
    assert run.Environment(root, {}, FakeSystem()).ready()


def test_failed_update_does_not_pass_for_the_old_install(root: Path) -> None:
    before = (root / "pyproject.toml").read_text(encoding="utf-8")
    prepare(root, FakeSystem())
    (root / "pyproject.toml").write_text("[broken]\n", encoding="utf-8")
    with pytest.raises(run.SetupError):
        prepare(root, FakeSystem(lambda command: "-e" in command))
    (root / "pyproject.toml").write_text(before, encoding="utf-8")
    assert not run.Environment(root, {}, FakeSystem()).ready()


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_in_place(root: Path, name: str) -> None:
    prepare(root, FakeSystem())
    with (root / name).open("a", encoding="utf-8") as file:
        file.write("# new\n")
    system = FakeSystem()
    prepare(root, system)
    assert system.venvs == 0
    assert system.pip[-1] == package_request(root)


def test_changed_torch_choice_is_installed_in_place(root: Path) -> None:
    prepare(root, FakeSystem())
    system = FakeSystem()
    prepare(root, system, MASKMOTION_TORCH="torch==1.0")
    assert system.venvs == 0
    assert system.pip[0] == "--no-deps --force-reinstall torch==1.0"


def test_environment_of_another_python_is_made_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(root, FakeSystem())
    system = FakeSystem(inside="3.0.0")
    monkeypatch.setattr(sys, "version", "4.0.0")
    prepare(root, system)
    assert system.venvs == 1


def test_environment_without_its_python_is_made_anew(root: Path) -> None:
    prepare(root, FakeSystem())
    run.Environment(root).python.unlink()
    system = FakeSystem()
    prepare(root, system)
    assert system.venvs == 1


def test_moved_environment_is_made_anew(root: Path) -> None:
    prepare(root, FakeSystem())
    moved = root.rename(root.with_name("moved"))
    system = FakeSystem()
    prepare(moved, system)
    assert system.venvs == 1


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_python_without_venv_is_explained(
    root: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: name != module)
    system = FakeSystem()
    with pytest.raises(run.SetupError, match=rf"no {module}; .*python3\.\d+-venv"):
        prepare(root, system)
    assert not system.pip


CPU_BUILD = (
    "--no-deps --retries 1 --timeout 30 "
    "--index-url https://download.pytorch.org/whl/cpu torch==1.2.3"
)
ON_DISK = "--no-index --no-deps torch==1.2.3"


@pytest.mark.usefixtures("linux_without_gpu")
def test_cpu_build_where_no_wheel_is_on_disk(root: Path) -> None:
    system = FakeSystem(lambda command: "--no-index" in command)
    prepare(root, system)
    assert system.pip == [ON_DISK, CPU_BUILD, package_request(root)]


@pytest.mark.usefixtures("linux_without_gpu")
def test_default_build_where_the_cpu_build_cannot_be_had(root: Path) -> None:
    system = FakeSystem(lambda command: "-e" not in command)
    prepare(root, system)
    assert system.pip == [ON_DISK, CPU_BUILD, package_request(root)]
    assert run.Environment(root, {}, FakeSystem()).ready()


@pytest.mark.usefixtures("linux_without_gpu")
@pytest.mark.parametrize("where", ["gpu", "mac"])
def test_default_build_with_a_gpu_and_on_macs(
    root: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "gpu":
        monkeypatch.setattr(run, "has_nvidia_gpu", lambda: True)
    else:
        monkeypatch.setattr(sys, "platform", "darwin")
    system = FakeSystem(lambda command: "--no-index" in command)
    prepare(root, system)
    assert system.pip == [ON_DISK, package_request(root)]


@pytest.mark.parametrize(
    ("choice", "request_to_pip"),
    [
        ("cpu", ["--index-url", "https://download.pytorch.org/whl/cpu", "torch==1.2.3"]),
        ("default", ["torch==1.2.3"]),
        ("https://host/whl/new", ["--index-url", "https://host/whl/new", "torch==1.2.3"]),
        ("https://host/torch-9.whl", ["https://host/torch-9.whl"]),
        ("wheels/torch-9.whl", ["wheels/torch-9.whl"]),
        ("torch==9", ["torch==9"]),
    ],
)
def test_torch_choice(root: Path, choice: str, request_to_pip: list[str]) -> None:
    system = FakeSystem()
    prepare(root, system, MASKMOTION_TORCH=choice)
    torch, package = system.pip
    assert torch.split() == ["--no-deps", "--force-reinstall", *request_to_pip]
    # The chosen build may be of another version, so the pin must not undo the choice.
    constraints = Path(package.split()[1])
    assert constraints.read_text(encoding="utf-8").split() == ["#", "pins", "rich==4.5"]


def test_torch_choice_that_fails_is_not_replaced(root: Path) -> None:
    system = FakeSystem(lambda command: "-e" not in command)
    with pytest.raises(run.SetupError, match="MASKMOTION_TORCH=cpu"):
        prepare(root, system, MASKMOTION_TORCH="cpu")
    assert len(system.pip) == 1


def test_constraints_pin_all_that_a_clone_installs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in required}
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    pinned = {name.lower() for name in re.findall(r"^([\w.-]+)==", constraints, re.MULTILINE)}
    assert names <= pinned
    assert re.fullmatch(r"torch==[\d.]+", run.pinned_torch(constraints))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fcntl")
def test_one_install_at_a_time(root: Path) -> None:
    entered = threading.Event()

    def other() -> None:
        with run.one_at_a_time(root / "pyproject.toml"):
            entered.set()

    thread = threading.Thread(target=other)
    with run.one_at_a_time(root / "pyproject.toml"):
        thread.start()
        assert not entered.wait(0.3)
    thread.join(10)
    assert entered.is_set()


def test_call_passes_the_exit_code_on() -> None:
    assert run.call([sys.executable, "-c", "raise SystemExit(7)"], None, os.environ) == 7


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_call_reports_a_killed_command_as_a_shell_does() -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run.call([sys.executable, "-c", program], None, os.environ) == 137


def test_lint_runs_every_check_and_remembers_failures(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = []

    def call(command: list[str], *_: object) -> int:
        commands.append(" ".join(command))
        return int("mypy" in command)

    monkeypatch.setattr(run, "call", call)
    assert run.lint(run.Environment(root), []) == 1
    assert len(commands) == 4
    assert "failed: mypy" in capsys.readouterr().err


def test_tests_compute_on_one_thread_unless_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(run, "call", lambda *arguments: calls.append(arguments) or 5)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert run.test(run.Environment(root), ["-k", "mask"]) == 5
    command, folder, variables = calls[0]
    assert command[1:] == ["-m", "pytest", "-n", "2", "--dist", "worksteal", "-k", "mask"]
    assert folder == root
    assert (variables["OMP_NUM_THREADS"], variables["MKL_NUM_THREADS"]) == ("3", "1")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), ([], 2), (["nonsense"], 2), (["--nonsense"], 2)]
)
def test_help(
    arguments: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(run.Environment, "prepare", lambda self: pytest.fail("installed"))
    assert run.main(arguments) == code
    printed = capsys.readouterr()
    text = printed.err if code else printed.out
    for verb in run.VERBS:
        assert re.search(rf"^  {verb} ", text, re.MULTILINE)


def test_old_python_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "OLDEST_PYTHON", (99, 0))
    assert run.main(["test"]) == 2
    assert "Python 99.0 or newer is needed" in capsys.readouterr().err
