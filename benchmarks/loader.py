"""How fast are pairs of frames read for training?

    python benchmarks/loader.py

Reads the same batches of the same clips in four forms: `packed` (`maskmotion data pack`), `short`
and `long` (H.264 with a keyframe every 8th and every 250th frame, `data.decode=always`), and `png`,
the baseline: folders of PNG frames, which Pillow reads in torch's DataLoader with a worker process
a core, as other training code does. Each measurement is a process of its own; the forms take
turns, several rounds. Printed are the medians of samples/s (a sample is a pair of frames and its
clip's median), their ratio to `png` with the range over rounds, and the most memory that the
process and its workers took, mapped files left out (RssAnon of /proc/PID/status; where there is
none, the process's whole peak, and the largest worker's).
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

from maskmotion.data.clips import TrainingClip, find_clips
from maskmotion.data.load import load_clips
from maskmotion.data.pack import pack_clips
from maskmotion.data.pairs import Batch, PairSampler, read_ahead
from maskmotion.data.parallel import cores
from maskmotion.data.store import square
from maskmotion.media import on_white, open_video, save_png
from maskmotion.synth.puppets import render_clip

BASELINE = "png"
FORMS = (BASELINE, "packed", "short", "long")
GOPS = {"short": 8, "long": 250}
SAMPLE_EVERY_S = 0.02
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Row:
    """One form; ratios are to the baseline, lowest and highest of the rounds'."""

    form: str
    samples_per_s: float
    ratio: float
    ratio_low: float
    ratio_high: float
    peak_mib: float
    disk_mb: float


class PngClip:
    """A folder of PNG frames, read by Pillow; its median is taken from the packed form."""

    def __init__(self, folder: Path, packed: TrainingClip) -> None:
        self._files = sorted(folder.glob("*.png"))
        self._packed = packed
        self.identity, self.still = packed.identity, packed.still
        self.length = len(self._files)

    @property
    def median(self) -> np.ndarray:
        """(S, S, 3) uint8."""
        return self._packed.median

    def frame(self, index: int) -> np.ndarray:
        """(S, S, 3) uint8."""
        with Image.open(self._files[index]) as picture:
            return np.asarray(picture.convert("RGB"))


class Steps(torch.utils.data.Dataset[Batch]):
    """A sampler's batches by step, as DataLoader wants them."""

    def __init__(self, sampler: PairSampler) -> None:
        self.sampler = sampler

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, step: int) -> Batch:
        """One batch."""
        return self.sampler.batch(step)


def make_clips(folder: Path, options: argparse.Namespace) -> None:
    """All forms of the same frames."""
    sources = find_clips(options.data)[: options.clips] if options.data else range(options.clips)
    for number, source in enumerate(sources):
        if isinstance(source, int):
            seeds = {"figure_seed": source, "motion_seed": source, "background_seed": source}
            frames = list(render_clip(**seeds, frames=options.frames, size=options.size).frames)
        else:
            video = open_video(source.path)
            frames = [square(on_white(f.image, f.alpha), options.size) for f in video]
        for index, frame in enumerate(frames):
            save_png(folder / "png" / f"{number:04d}" / f"{index:05d}.png", frame)
        for form, gop in GOPS.items():
            write_mp4(folder / form / f"{number:04d}.mp4", frames, gop)
    pack_clips([folder / "png"], folder / "packed", size=options.size)
    for form in GOPS:
        loaded(folder, form, options.size)  # indexed once, as a run's first start does


def write_mp4(path: Path, frames: list[np.ndarray], gop: int) -> None:
    """H.264 as x264 writes it unasked, but for the distance of keyframes."""
    path.parent.mkdir(exist_ok=True)
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, width=width, height=height)
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18", "g": str(gop)}
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def loaded(folder: Path, form: str, size: int) -> list[TrainingClip]:
    """The clips of one form, as training loads them."""
    name = "packed" if form == BASELINE else form
    cache = folder / "cache"
    clips, _ = load_clips(find_clips(folder / name), size, cache, decode="always")
    if form != BASELINE:
        return clips
    return [PngClip(folder / "png" / Path(c.identity).name, c) for c in clips]


@contextmanager
def batches_of(form: str, sampler: PairSampler, threads: int) -> Iterator[Iterator[Batch]]:
    """As the loop reads them, or for the baseline as other training code does."""
    if form != BASELINE:
        with read_ahead(sampler, 0, threads) as batches:
            yield batches
        return
    loader = torch.utils.data.DataLoader(Steps(sampler), batch_size=None, num_workers=threads)
    yield iter(loader)


def measure(folder: Path, form: str, options: argparse.Namespace) -> dict[str, float]:
    """Samples/s and memory of this process; the first batches warm up."""
    sampler = PairSampler(
        loaded(folder, form, options.size),
        batch_size=options.batch_size,
        repeats=options.batch_size * 100,
    )
    with (
        peak_memory() as peak_mib,
        batches_of(form, sampler, options.threads) as batches,
    ):
        for _ in range(2 * options.threads):
            next(batches)
        started, done = time.perf_counter(), 0
        while (took := time.perf_counter() - started) < options.seconds:
            done += len(next(batches).source)
    return {"samples_per_s": done / took, "peak_mib": peak_mib()}


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """Watch the memory that this process and its children take, mapped files left out."""
    if not STATUS.exists():
        unit = 2**20 if sys.platform == "darwin" else 2**10
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        yield lambda: sum(resource.getrusage(kind).ru_maxrss for kind in kinds) / unit
        return
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_EVERY_S):
            children = Path("/proc/self/task").glob("*/children")
            try:
                own = [pid for file in children for pid in file.read_text().split()]
            except OSError:  # a thread ended meanwhile
                continue
            peak[0] = max(peak[0], sum(map(anonymous_mib, ["self", *own])))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: peak[0]
    finally:
        ended.set()
        watcher.join()


def anonymous_mib(process: str) -> float:
    """RssAnon of a process; of a worker, what it shares with its parent counts once more."""
    try:
        lines = Path("/proc", process, "status").read_text().splitlines()
    except OSError:
        return 0  # it has ended
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def in_turns(folder: Path, options: argparse.Namespace) -> list[Row]:
    """All rounds, each form in a process of its own."""
    found: dict[str, list[dict[str, float]]] = {form: [] for form in FORMS}
    for _ in range(options.rounds):
        for form in FORMS:
            command = [sys.executable, __file__, *sys.argv[1:], "--measure", form, str(folder)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            found[form].append(json.loads(output))
    rows = []
    for form in FORMS:
        speeds = [one["samples_per_s"] for one in found[form]]
        ratios = [
            speed / base["samples_per_s"]
            for speed, base in zip(speeds, found[BASELINE], strict=True)
        ]
        files = [file for file in (folder / form).rglob("*") if file.is_file()]
        rows.append(
            Row(
                form=form,
                samples_per_s=statistics.median(speeds),
                ratio=statistics.median(ratios),
                ratio_low=min(ratios),
                ratio_high=max(ratios),
                peak_mib=max(one["peak_mib"] for one in found[form]),
                disk_mb=sum(file.stat().st_size for file in files) / 10**6,
            )
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a folder of clips; default: drawn figures")
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--frames", type=int, default=120, help="of each drawn clip")
    parser.add_argument("--size", type=int, default=256, help="side of the frames, px")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=cores(), help="or worker processes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.measure:
        form, folder = options.measure
        print(json.dumps(measure(Path(folder), form, options)))
        return
    with tempfile.TemporaryDirectory() as name:
        make_clips(Path(name), options)
        rows = in_turns(Path(name), options)
    if options.json:
        machine = {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": options.threads,
        }
        print(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=1))
        return
    for row in rows:
        print(
            f"{row.form:6s} {row.samples_per_s:7.1f} samples/s, {row.ratio:.1f}x "
            f"({row.ratio_low:.1f} to {row.ratio_high:.1f}) the baseline's; memory "
            f"{row.peak_mib:.0f} MiB; on disk {row.disk_mb:.0f} MB"
        )


if __name__ == "__main__":
    main()
