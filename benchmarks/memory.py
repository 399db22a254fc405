"""Does memory grow with the length of the driving video?

    python benchmarks/memory.py --model runs/mine --frames-short 300 --frames-long 3000

Makes two 1920x1080 H.264 clips with AAC sound, one longer than the other, animates a picture with
each through the installed command, and prints the peak memory of both processes, their ratio, and
how far the results' ends are from the clips' ends.
"""

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

WIDTH, HEIGHT, FPS, SAMPLE_RATE = 1920, 1080, 25, 48_000
COMMAND = Path(sysconfig.get_path("scripts")) / "maskmotion"


@dataclass(frozen=True)
class Run:
    """One animation: its peak memory, time, and ends of streams minus those of the clip's."""

    frames: int
    peak_mib: float
    wall_s: float
    video_end_difference_s: float
    audio_end_difference_s: float


def make_clip(path: Path, frames: int) -> None:
    """A window that wanders over a large noisy gradient, and a tone of the same length."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: HEIGHT + 256, : WIDTH + 256]
    field = np.stack([x * 200 // x.max(), y * 200 // y.max(), (x + y) % 256 * 3 // 4], -1)
    field = (field + rng.integers(0, 40, field.shape)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, width=WIDTH, height=HEIGHT)
        video.pix_fmt, video.options = "yuv420p", {"preset": "ultrafast", "crf": "30"}
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        per_frame = SAMPLE_RATE // FPS
        for index in range(frames):
            top, left = (round(127 + 120 * f(index / 20)) for f in (np.sin, np.cos))
            window = np.ascontiguousarray(field[top : top + HEIGHT, left : left + WIDTH])
            frame = av.VideoFrame.from_ndarray(window, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            times = (index * per_frame + np.arange(per_frame)) / SAMPLE_RATE
            wave = (0.2 * np.sin(times * 440 * 2 * np.pi)).astype(np.float32)[None]
            piece = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            piece.sample_rate, piece.pts = SAMPLE_RATE, index * per_frame
            container.mux(sound.encode(piece))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


def ends_s(path: Path) -> dict[str, float]:
    """When the last packet of each kind of stream ends, counted from the first picture."""
    begins: dict[str, list[float]] = {"video": [], "audio": []}
    ends: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is not None:
                kind = packet.stream.type
                begins[kind].append(float(packet.pts * packet.time_base))
                ends[kind].append(begins[kind][-1] + float(packet.duration * packet.time_base))
    start = min(begins["video"])
    return {kind: max(values, default=float("nan")) - start for kind, values in ends.items()}


def animate(source: Path, driving: Path, out: Path, frames: int, extra: list[str]) -> Run:
    """Run the installed command and wait for it alone: its own peak, not that of all children."""
    arguments = [COMMAND, "animate", "--source", source, "--driving", driving, "--out", out, *extra]
    start = time.monotonic()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"maskmotion animate ended with code {child.returncode}")
    wall_s = time.monotonic() - start
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    was, now = ends_s(driving), ends_s(out)
    return Run(frames, peak, wall_s, now["video"] - was["video"], now["audio"] - was["audio"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="as maskmotion animate takes it; default: the shipped one")
    parser.add_argument("--frames-short", type=int, default=300)
    parser.add_argument("--frames-long", type=int, default=3000)
    parser.add_argument("--keep-size", action="store_true", help="write the source's own size")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    extra = ["--model", options.model] if options.model else []
    extra += ["--keep-size"] if options.keep_size else []
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.png"
        y, x = np.mgrid[:1080, :1440]
        pixels = np.stack([x * 255 // 1439, y * 255 // 1079, 128 + 0 * x], -1)
        Image.fromarray(pixels.astype(np.uint8)).save(source)
        for frames in (options.frames_short, options.frames_long):
            driving = Path(folder) / f"driving{frames}.mp4"
            make_clip(driving, frames)
            runs.append(animate(source, driving, Path(folder) / f"out{frames}.mp4", frames, extra))
    ratio = runs[1].peak_mib / runs[0].peak_mib
    if options.json:
        print(json.dumps({"runs": [asdict(run) for run in runs], "peak_ratio": ratio}, indent=1))
        return
    for run in runs:
        print(
            f"{run.frames} frames: peak {run.peak_mib:.0f} MiB, {run.wall_s:.1f} s; ends "
            f"{run.video_end_difference_s:+.3f} s (video), {run.audio_end_difference_s:+.3f} s "
            "(sound) from the driving video's"
        )
    print(f"peak memory, long / short: {ratio:.3f}")


if __name__ == "__main__":
    main()
