"""`maskmotion doctor`: what is installed, what this computer can do, and what is missing."""

import dataclasses
import importlib
import importlib.metadata
import importlib.resources
import importlib.util
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from maskmotion.processes import cores, cpuinfo, processor_name

Section = Literal["versions", "devices", "codecs", "models"]
GIB = 2**30
# Packages whose module has another name.
MODULES = {"pillow": "PIL", "pyyaml": "yaml"}
# On Debian and Ubuntu; libgl1 brings Mesa's drivers, the one for the processor among them.
OPENGL_MEND = "sudo apt install libegl1 libgl1"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Args:
        section: the table it stands in.
        name: what was looked at.
        ok: it is there and works.
        detail: its version or size, or what went wrong.
        needed: maskmotion cannot work without it.
        mend: the command that mends it; empty where nothing is wrong or nothing helps.
    """

    section: Section
    name: str
    ok: bool
    detail: str
    needed: bool = False
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """All that the doctor found."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether everything that maskmotion needs is there and works."""
        return all(finding.ok for finding in self.findings if finding.needed)


def doctor(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> int:
    """Check this installation: versions, devices, codecs, models.

    Devices and codecs are tried out, not only looked up. For what is missing the report gives
    the command that mends it. The exit code is 0 when everything that is needed works, else 1.

    Example: maskmotion doctor --json > report.json

    Args:
        as_json: print the report as JSON, for programs and for bug reports.
    """
    report = diagnose()
    if as_json:
        content = {"ok": report.ok, **dataclasses.asdict(report)}
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
    else:
        _print(report)
    return 0 if report.ok else 1


def diagnose() -> Report:
    """Examine this installation without changing anything."""
    return Report((*_versions(), *_devices(), *_codecs(), *_models()))


def _versions() -> Iterator[Finding]:
    yield Finding(
        "versions",
        "python",
        sys.version_info >= (3, 11),
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        needed=True,
        mend="" if sys.version_info >= (3, 11) else "install Python 3.11 or newer",
    )
    yield Finding("versions", "maskmotion", True, importlib.metadata.version("maskmotion"))
    for requirement in _requirements():
        if requirement.extra != "dev":
            yield _package(requirement)


class Requirement(NamedTuple):
    """What the package's metadata says about one of its dependencies."""

    package: str
    extra: str  # empty: always needed
    pip: str  # what to give to pip


def _requirements() -> list[Requirement]:
    found = []
    for line in importlib.metadata.requires("maskmotion") or ():
        pip, _, marker = (part.strip() for part in line.partition(";"))
        package = re.match(r"[A-Za-z0-9._-]+", pip)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if package:
            found.append(Requirement(package[0].lower(), extra[1] if extra else "", pip))
    return found


def _package(requirement: Requirement) -> Finding:
    package, extra, pip = requirement
    name = f"{package} ({extra})" if extra else package
    mend = f'{_python()} -m pip install "{pip}"'
    finding = partial(Finding, "versions", name, needed=not extra)
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return finding(ok=False, detail="not installed", mend=mend)
    minimum = re.search(r">=\s*([\d.]+)", pip)
    if minimum and _numbers(version) < _numbers(minimum[1]):
        return finding(ok=False, detail=f"{version} is older than {minimum[1]}", mend=mend)
    if extra:  # not imported: some of them take seconds
        return finding(ok=True, detail=version)
    try:
        module = importlib.import_module(MODULES.get(package, package.replace("-", "_")))
    except Exception as error:  # a broken binary package can raise anything
        mend = f'{_python()} -m pip install --force-reinstall "{pip}"'
        return finding(ok=False, detail=f"{version}: {_sentence(error)}", mend=mend)
    if package == "av":
        version += f", FFmpeg {_ffmpeg_version(module)}"
    return finding(ok=True, detail=version)


def _ffmpeg_version(av: Any) -> str:
    libraries = ", ".join(
        f"{name} {'.'.join(map(str, version))}"
        for name, version in av.library_versions.items()
        if name in ("libavcodec", "libavformat")
    )
    release = getattr(av, "ffmpeg_version_info", "")
    return f"{release} ({libraries})" if release else libraries


def _devices() -> Iterator[Finding]:
    yield Finding("devices", "processor", True, f"{processor_name()}, {cores()} cores")
    memory = _memory_bytes()
    yield Finding("devices", "memory", True, f"{memory / GIB:.1f} GiB" if memory else "unknown")
    try:
        import torch
    except Exception as error:
        yield Finding("devices", "torch", False, _sentence(error), needed=True)
        return

    def compute(device: str) -> None:
        ones = torch.ones(1, 3, 8, 8, device=device)
        if torch.nn.functional.conv2d(ones, ones).item() != 192:
            raise ArithmeticError("a convolution gave a wrong result")

    yield _tried(
        "devices",
        "cpu",
        partial(compute, "cpu"),
        f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}",
        needed=True,
    )
    flags = _bf16_instructions()
    # Absent instructions are no fault, so this line is always in order.
    yield Finding("devices", "cpu bfloat16", True, ", ".join(flags) or "no instructions for it")
    yield from _cuda_devices(compute)
    yield from _opengl()
    if torch.backends.mps.is_available():
        yield _tried("devices", "mps", partial(compute, "mps"), "Apple GPU")


def _cuda_devices(compute: Callable[[str], None]) -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            device = torch.cuda.get_device_properties(index)
            bf16 = "bfloat16" if device.major >= 8 else "no bfloat16"
            yield _tried(
                "devices",
                f"cuda:{index}",
                partial(compute, f"cuda:{index}"),
                f"{device.name}, {device.total_memory / GIB:.1f} GiB, {bf16}",
            )
    elif shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists():
        if torch.version.cuda is None:
            mend = (
                "choose a CUDA build on https://pytorch.org/get-started/locally"
                if sys.platform == "win32"
                else f"{_python()} -m pip install --force-reinstall torch"
            )
            detail = "there is an NVIDIA driver, but this torch is built without CUDA"
        else:
            mend, detail = "nvidia-smi", f"torch (CUDA {torch.version.cuda}) finds no GPU"
        yield Finding("devices", "cuda", False, detail, mend=mend)


# In a process of its own: some drivers end the one that asks for what they do not have.
OPENGL_PROBE = """
import moderngl
gl = moderngl.create_context(standalone=True, backend="egl", require=330)
print(gl.info["GL_RENDERER"], gl.version_code, sep="\\n")
"""


def _opengl() -> Iterator[Finding]:
    """What would draw people; nothing where the extra is not installed."""
    if importlib.util.find_spec("moderngl") is None:
        return
    finding = partial(Finding, "devices", "OpenGL (synth)")
    command = [sys.executable, "-c", OPENGL_PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        yield finding(ok=False, detail=_sentence(error), mend=OPENGL_MEND)
        return
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        yield finding(ok=False, detail=f"no OpenGL 3.3 through EGL ({reason})", mend=OPENGL_MEND)
        return
    renderer, version = done.stdout.splitlines()[-2:]
    software = any(name in renderer.lower() for name in ("llvmpipe", "softpipe", "swrast"))
    by = "in software, on the processor" if software else "on a graphics card"
    detail = f"{version[0]}.{version[1]} by {renderer}, {by}"
    yield finding(ok=True, detail=detail)


def _memory_bytes() -> int:
    if sys.platform == "win32":
        return 0
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0


def _bf16_instructions() -> list[str]:
    """The processor's bfloat16 instructions, by the names that torch or Linux has for them."""
    import torch

    names = {"avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX-BF16", "bf16": "ARM BF16"}
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    present = {name for name, there in capabilities.items() if there is True}
    if not present:
        line = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo(), flags=re.MULTILINE)
        present = set(line[1].split()) if line else set()
    return [names[name] for name in names if name in present]


def _codecs() -> Iterator[Finding]:
    mend = f"{_python()} -m pip install --force-reinstall --only-binary av av"
    for name, container, encoder, pixels, decoder in (
        ("H.264", "mp4", "libx264", "yuv420p", "h264"),
        ("VP9", "webm", "libvpx-vp9", "yuv420p", "vp9"),
        # FFmpeg's own decoder of VP9 drops the alpha channel.
        ("VP9 with alpha", "webm", "libvpx-vp9", "yuva420p", "libvpx-vp9"),
        ("ProRes 4444", "mov", "prores_ks", "yuva444p10le", "prores"),
    ):
        attempt = partial(_video_there_and_back, container, encoder, pixels, decoder)
        detail = f"written by {encoder}, read by {decoder}"
        yield _tried("codecs", name, attempt, detail, needed=name == "H.264", mend=mend)
    for name, container, encoder in (("AAC", "mp4", "aac"), ("Opus", "webm", "libopus")):
        attempt = partial(_audio_there_and_back, container, encoder)
        yield _tried("codecs", name, attempt, f"written by {encoder}, read back", mend=mend)

    mend = f"{_python()} -m pip install --force-reinstall --only-binary pillow pillow"
    for name, frames in (("JPEG", 1), ("PNG", 1), ("GIF", 2), ("APNG", 2), ("WebP", 2)):
        attempt = partial(_picture_there_and_back, name.replace("APNG", "PNG"), frames)
        detail = "animations written and read" if frames > 1 else "written and read"
        yield _tried("codecs", name, attempt, detail, needed=frames == 1, mend=mend)

    heif = next((r.pip for r in _requirements() if r.package == "pillow-heif"), "pillow-heif")
    yield _tried(
        "codecs",
        "HEIC",
        partial(importlib.import_module, "pillow_heif"),
        "read by pillow-heif",
        mend=f'{_python()} -m pip install "{heif}"',
    )


def _video_there_and_back(container: str, encoder: str, pixels: str, decoder: str) -> None:
    import av
    import numpy as np

    levels = (0, 90, 180)
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pixels
        for level in levels:
            picture = np.full((64, 64, 4), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
        out.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as source:
        context: Any = av.CodecContext.create(decoder, "r")
        context.extradata = source.streams.video[0].codec_context.extradata
        frames = [
            frame
            for packet in source.demux(video=0)
            for frame in context.decode(packet if packet.size else None)
        ]
    if len(frames) != len(levels):
        raise ValueError(f"{len(frames)} of {len(levels)} frames came back")
    last = frames[-1].to_ndarray(format="rgba")
    channel = 3 if "a" in pixels else 0
    if abs(float(last[..., channel].mean()) - levels[-1]) > 10:
        raise ValueError("the picture came back changed")


def _audio_there_and_back(container: str, encoder: str) -> None:
    import av
    import numpy as np

    rate, samples = 48000, 9600
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(encoder, rate=rate, layout="stereo")
        silence = np.zeros((2, samples), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
        frame.sample_rate = rate
        out.mux(stream.encode(frame))
        out.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as source:
        back = sum(frame.samples for frame in source.decode(source.streams.audio[0]))
    if back < samples:
        raise ValueError(f"{back} of {samples} samples came back")


def _picture_there_and_back(kind: str, frames: int) -> None:
    from PIL import Image

    pictures = [Image.new("RGB", (16, 16), (90 * t, 0, 0)) for t in range(frames)]
    file = io.BytesIO()
    if frames == 1:
        pictures[0].save(file, kind)
    else:
        pictures[0].save(file, kind, save_all=True, append_images=pictures[1:], duration=40)
    with Image.open(file) as picture:
        picture.load()
        back = getattr(picture, "n_frames", 1)
    if back != frames:
        raise ValueError(f"{back} of {frames} frames came back")


def _models() -> Iterator[Finding]:
    weights = importlib.resources.files("maskmotion") / "weights"
    entries = weights.iterdir() if weights.is_dir() else ()
    folders = sorted((e for e in entries if e.is_dir()), key=lambda folder: folder.name)
    for folder in folders:
        absent = [n for n in ("config.json", "model.safetensors") if not (folder / n).is_file()]
        if absent:
            yield Finding("models", folder.name, False, f"has no {' and no '.join(absent)}")
        else:
            size = len((folder / "model.safetensors").read_bytes())
            yield Finding("models", folder.name, True, f"{size / 2**20:.1f} MiB")
    if not folders:
        mend = "pip install --force-reinstall --no-deps maskmotion"
        yield Finding("models", "shipped models", False, "none", needed=True, mend=mend)


def _tried(
    section: Section,
    name: str,
    attempt: Callable[[], object],
    detail: str,
    *,
    needed: bool = False,
    mend: str = "",
) -> Finding:
    """Report whether an attempt succeeds; `detail` describes its success."""
    try:
        attempt()
    except Exception as error:  # whatever it is, it is what the report is for
        return Finding(section, name, False, _sentence(error), needed, mend)
    return Finding(section, name, True, detail, needed)


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _numbers(version: str) -> tuple[int, ...]:
    """The release of a version, for comparison: `2.13.0+cpu` becomes (2, 13, 0)."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, release[0].split("."))) if release else ()


def _python() -> str:
    """This interpreter, as one would type it."""
    path = sys.executable
    return f'"{path}"' if " " in path else path


def _print(report: Report) -> None:
    console = Console(highlight=False)
    with console.capture() as text:  # in one piece: rich exits by itself when a reader goes away
        _render(report, console)
    sys.stdout.write(text.get())


def _render(report: Report, console: Console) -> None:
    for section in get_args(Section):
        table = Table("", "", "", title=section, title_justify="left", box=None, show_header=False)
        for finding in report.findings:
            if finding.section != section:
                continue
            if finding.ok:
                mark = "[green]ok[/]"
            elif finding.needed:
                mark = "[bold red]broken[/]"
            else:
                mark = "[yellow]missing[/]"
            table.add_row(mark, escape(finding.name), escape(finding.detail))
        console.print(table, "")
    # Printed as they are, unwrapped, so that they can be copied.
    mends: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.mend and not finding.ok:
            mends.setdefault(finding.mend, []).append(finding.name)
    for mend, names in mends.items():
        console.print(f"To mend {', '.join(names)}:", markup=False)
        console.print(f"  {mend}", markup=False, soft_wrap=True)
    verdict = "Everything that is needed works." if report.ok else "Something needed is broken."
    console.print(verdict, style="green" if report.ok else "bold red")
