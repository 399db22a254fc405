"""`maskmotion synth people`: render clips of people with their exact truth."""

import sys
from pathlib import Path
from typing import Literal

from maskmotion.cli.steps import Steps
from maskmotion.synth.people.dataset import make_people


def people(
    *,
    out: Path,
    clips: int,
    seed: int,
    framing: Literal["body", "portrait", "mixed"] = "mixed",
    size: int = 256,
    fps: float = 25.0,
    frames: int = 96,
    backgrounds: Path | None = None,
    other_people: int = 0,
    other_scenes: int = 0,
    jobs: int | None = None,
) -> None:
    """Render clips of people, each with another person, motion and scene, and their truth.

    Example: maskmotion synth people --out people --clips 300 --seed 1

    Then: maskmotion train --data people/clips ...

    OUT/clips holds the clips, OUT/truth the alpha, clean background, shadow, joints and
    parameters of each. The same seed gives the same clips, and another seed none of them: render
    a test set with a seed of its own. The same command goes on where it was stopped; with more
    --clips, --other-people or --other-scenes it adds to what is there.

    Args:
        out: the folder; new, or of the same command before.
        clips: in the folder at the end.
        seed: decides who, how, where and from where.
        framing: body (head to foot), portrait (head and shoulders), or mixed: two to one.
        size: side of the clips in px, even.
        fps: frames a second.
        frames: length of each clip.
        backgrounds: a folder of pictures to stand before; left out, drawn scenes.
        other_people: for each clip, render as many others who move alike (0 to 9).
        other_scenes: for each clip, render it before as many other backgrounds (0 to 9).
        jobs: processes that render side by side; left out, one a core.
    """
    with Steps(frames) as steps:
        made = make_people(
            out,
            clips=clips,
            seed=seed,
            framing=framing,
            size=size,
            fps=fps,
            frames=frames,
            backgrounds=backgrounds,
            other_people=other_people,
            other_scenes=other_scenes,
            jobs=jobs,
            progress=steps.show,
        )
    sys.stdout.write(
        f"{out}: {made.clips} clips ({made.new} new) of {frames} frames and {size} px; "
        f"train with --data {out / 'clips'}\n"
    )
