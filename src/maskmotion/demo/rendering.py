"""How the demonstration's inputs were made: `python -m maskmotion.demo --render FOLDER`."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from maskmotion.demo.inputs import FPS
from maskmotion.media import save_png
from maskmotion.media.clip_writer import open_clip_writer
from maskmotion.media.lossless import save_lossless
from maskmotion.synth.people import PeopleClip, PeopleRenderer
from maskmotion.synth.people.truth import MOST_CASES, case_seeds

SIZE = 256
FRAMES = 75
# The first case behind all that a truth set can hold: neither training nor evaluation has it.
CASE = MOST_CASES
# With these the errors that the demonstration tells differ by less than 0.1 from those against
# frames without loss, and all files together are below a megabyte.
DRIVING_CRF = 17
PERSON_CRF = 10


def render_inputs(folder: Path) -> None:
    """Render the demonstration's two persons and three scenes into a folder.

    Args:
        folder: made where it is missing; its files are replaced.
    Raises:
        MediaError: the folder cannot be written.
        MissingExtraError: the extra "synth", or OpenGL, is missing.
    """
    seeds = case_seeds(CASE)
    with PeopleRenderer(SIZE) as renderer:

        def clip(name: str, frames: int) -> PeopleClip:
            return renderer.clip(seeds[name], framing="body", frames=frames, fps=FPS)

        source, elsewhere = clip("source", 1), clip("new_background", 1)
        driving, target = clip("driving", FRAMES), clip("target", FRAMES)
    pictures = {
        "source": source.frames[0],
        "source_alpha": np.dstack([source.alpha[0]] * 3),
        "home": target.background[0],
        "background": elsewhere.background[0],
    }
    for name, picture in pictures.items():
        save_png(folder / f"{name}.png", picture)
    _save_clip(folder / "driving.mp4", driving.frames, DRIVING_CRF)
    _save_clip(folder / "person.mp4", target.foreground, PERSON_CRF)
    save_lossless(folder / "person_alpha.mkv", target.alpha, Fraction(FPS))
    save_lossless(folder / "person_shade.mkv", target.shade, Fraction(FPS))


def _save_clip(path: Path, frames: np.ndarray, crf: int) -> None:
    with open_clip_writer(path, SIZE, Fraction(FPS), crf=crf) as writer:
        for frame in frames:
            writer.write(frame)
