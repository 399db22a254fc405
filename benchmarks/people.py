"""How fast are people rendered, and where does the time go?

    python benchmarks/people.py

First one process on one core renders `--clips` clips of each framing; printed are milliseconds a
frame for each stage, where building the person and the scene is spread over the clip's frames.
Then `maskmotion synth people` makes twice as many clips with a process on every core: frames a
second with everything written, from the first clip begun to the last one done, without start-up.
The stages' sum on all cores is the ratio's baseline: what is below 1 is lost to waiting.
"""

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("LP_NUM_THREADS", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from maskmotion.media.clip_writer import open_clip_writer
from maskmotion.synth.people import clip as clips
from maskmotion.synth.people.dataset import make_people
from maskmotion.synth.people.figure import Figure
from maskmotion.synth.people.render import Renderer

FRAMINGS = ("body", "portrait")


class Stages:
    """Seconds spent in functions that are called by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def watch(self, owner: Any, name: str, stage: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                self.seconds[stage] += time.perf_counter() - start

        setattr(owner, name, timed)


def watched() -> Stages:
    stages = Stages()
    stages.watch(clips, "make_person", "person")
    stages.watch(clips, "make_scene", "scene")
    stages.watch(clips, "perform", "motion")
    stages.watch(Figure, "pose", "pose")
    stages.watch(Renderer, "load", "load")
    stages.watch(Renderer, "draw", "draw")
    stages.watch(Renderer, "floor", "shadow")
    stages.watch(clips, "_shade", "shadow")
    stages.watch(clips, "_backgrounds", "background")
    stages.watch(clips, "composite", "layers")
    stages.watch(clips, "shaded", "layers")
    return stages


def one_process(size: int, frames: int, count: int) -> dict[str, dict[str, float]]:
    """Framing -> stage -> ms a frame."""
    stages = watched()
    table = {}
    with clips.PeopleRenderer(size) as renderer, tempfile.TemporaryDirectory() as folder:
        renderer.clip(clips.ClipSeeds(0, 0, 0, 0), frames=2)
        for framing in FRAMINGS:
            stages.seconds.clear()
            start = time.perf_counter()
            for seed in range(count):
                seeds = clips.ClipSeeds(seed, seed, seed, seed)
                made = renderer.clip(seeds, framing=framing, frames=frames)
                begin = time.perf_counter()
                path = Path(folder) / f"{seed}.mp4"
                with open_clip_writer(path, size, Fraction(25), crf=made.crf) as writer:
                    for frame in made.frames:
                        writer.write(frame)
                stages.seconds["H.264"] += time.perf_counter() - begin
            total = time.perf_counter() - start
            per = 1e3 / (count * frames)
            table[framing] = {name: s * per for name, s in stages.seconds.items()}
            table[framing]["all"] = total * per
    return table


def all_cores(size: int, frames: int, count: int, framing: str) -> float:
    """Frames a second of the whole command, after its start."""
    began: list[float] = []

    def progress(what: str, done: int, total: int) -> None:
        if total and not began:
            began.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "people"
        options = {"seed": 1, "framing": framing, "size": size, "frames": frames}
        make_people(out, clips=count, progress=progress, **options)
        return count * frames / (time.perf_counter() - began[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--clips", type=int, default=6)
    arguments = parser.parse_args()
    table = one_process(arguments.size, arguments.frames, arguments.clips)
    names = sorted({name for column in table.values() for name in column} - {"all"})
    print(f"{'ms a frame':12s}" + "".join(f"{framing:>10s}" for framing in FRAMINGS))
    for name in [*names, "all"]:
        print(f"{name:12s}" + "".join(f"{table[f].get(name, 0):10.2f}" for f in FRAMINGS))
    cores = len(os.sched_getaffinity(0))
    for framing in FRAMINGS:
        rate = all_cores(arguments.size, arguments.frames, 2 * arguments.clips, framing)
        alone = cores * 1e3 / table[framing]["all"]
        print(f"{framing}: {rate:.1f} frames/s on {cores} cores, {rate / alone:.2f} of {alone:.1f}")


if __name__ == "__main__":
    main()
