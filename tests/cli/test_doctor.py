"""`maskmotion doctor`: the report of the installed command, and what it makes of faults."""

import importlib.metadata
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from maskmotion.cli import doctor as module
from maskmotion.cli.doctor import Finding, diagnose, doctor

COMMAND = Path(sysconfig.get_path("scripts")) / (
    "maskmotion.exe" if os.name == "nt" else "maskmotion"
)


def find(findings: tuple[Finding, ...], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


def fail(*_: object) -> None:
    raise ValueError("does not\n work")


def test_installed_command_reports_as_json() -> None:
    done = subprocess.run([COMMAND, "doctor", "--json"], capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert report["ok"] is True
    findings = {finding["name"]: finding for finding in report["findings"]}
    assert findings["maskmotion"]["detail"] == importlib.metadata.version("maskmotion")
    assert findings["torch"]["detail"] == importlib.metadata.version("torch")
    assert "FFmpeg" in findings["av"]["detail"]
    for codec in ("H.264", "VP9 with alpha", "ProRes 4444", "AAC", "Opus", "GIF", "APNG", "WebP"):
        assert findings[codec]["ok"], findings[codec]
    assert {finding["section"] for finding in report["findings"]} == {
        "versions",
        "devices",
        "codecs",
        "models",
    }


def test_missing_package_gets_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without_pillow(package: str) -> str:
        if package == "pillow":
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", without_pillow)
    report = diagnose()
    pillow = find(report.findings, "pillow")
    assert not pillow.ok
    assert pillow.needed
    assert pillow.mend.startswith(f"{sys.executable} -m pip install ")
    assert "pillow>=" in pillow.mend
    assert not report.ok


def test_old_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda p: "1.9.9+cpu" if p == "torch" else version(p)
    )
    torch = find(diagnose().findings, "torch")
    assert not torch.ok
    assert torch.detail.startswith("1.9.9+cpu is older than ")


@pytest.mark.parametrize(
    ("probe", "name", "code"),
    [("_video_there_and_back", "H.264", 1), ("_audio_there_and_back", "Opus", 0)],
)
def test_exit_code_tells_needed_from_optional(
    probe: str,
    name: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, probe, fail)
    finding = find(diagnose().findings, name)
    assert finding.detail == "does not work"
    assert finding.mend.endswith("--only-binary av av")
    assert doctor() == code
    text = capsys.readouterr().out
    assert f"{name}" in text
    assert finding.mend in text


def test_codec_probes_notice_a_lost_alpha_channel() -> None:
    # FFmpeg's own decoder of VP9 drops alpha: an opaque picture comes back.
    with pytest.raises(ValueError, match="changed"):
        module._video_there_and_back("webm", "libvpx-vp9", "yuva420p", "vp9")


def probed(monkeypatch: pytest.MonkeyPatch, program: str) -> list[Finding]:
    monkeypatch.setattr(module, "OPENGL_PROBE", program)
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: object())
    return list(module._opengl())


@pytest.mark.parametrize(
    ("renderer", "where"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", "in software, on the processor"),
        ("NVIDIA H100 PCIe/PCIe/SSE2", "on a graphics card"),
    ],
)
def test_what_draws_people(renderer: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = probed(monkeypatch, f"print({renderer!r}); print(450)")
    assert (found.name, found.ok, found.needed) == ("OpenGL (synth)", True, False)
    assert found.detail == f"4.5 by {renderer}, {where}"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("raise Exception('libEGL.so not loaded')", "Exception: libEGL.so not loaded"),
        ("import os; os.abort()", "exit code"),
    ],
)
def test_missing_opengl_is_only_a_note(
    program: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = probed(monkeypatch, program)
    assert not found.ok
    assert not found.needed
    assert reason in found.detail
    assert found.mend == "sudo apt install libegl1 libgl1"


def test_missing_extra_is_only_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without(package: str) -> str:
        if package in ("anny", "moderngl"):
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", without)
    requirements = [r for r in module._requirements() if r.extra == "synth"]
    assert {requirement.package for requirement in requirements} == {"anny", "moderngl"}
    for requirement in requirements:
        finding = module._package(requirement)
        assert (finding.ok, finding.needed, finding.detail) == (False, False, "not installed")
        assert f'pip install "{requirement.package}' in finding.mend
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert not list(module._opengl())


def test_shipped_models_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.resources, "files", lambda package: tmp_path)
    (none,) = module._models()
    assert not none.ok
    assert "none" in none.detail
    (tmp_path / "weights" / "broken").mkdir(parents=True)
    (tmp_path / "weights" / "broken" / "config.json").touch()
    (tmp_path / "weights" / "whole").mkdir()
    (tmp_path / "weights" / "whole" / "config.json").touch()
    (tmp_path / "weights" / "whole" / "model.safetensors").write_bytes(bytes(3 * 2**20))
    broken, whole = module._models()
    assert (broken.name, broken.ok, broken.detail) == ("broken", False, "has no model.safetensors")
    assert (whole.name, whole.ok, whole.detail) == ("whole", True, "3.0 MiB")
