"""The demonstration: an unseen figure moves like another one, on a new scene.

Run with `python3 run.py demo` or `python -m maskmotion.demo`; needs no file but the package.
"""

import argparse
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from maskmotion.checkpoint import DEFAULT_MODEL, load_model
from maskmotion.errors import ModelError
from maskmotion.inference.session import AnimationSession
from maskmotion.media import open_writer, save_png, to_tensor, to_uint8
from maskmotion.models.animator import Animator
from maskmotion.synth.puppets import render_background, render_clip

# Training draws its seeds from another range, see synth.puppets.write_dataset.
FIGURE_SEED, DRIVER_SEED, MOTION_SEED = 900_001, 900_002, 900_003
HOME_SEED, DRIVER_HOME_SEED, SCENE_SEED = 900_004, 900_005, 900_006
FRAMES = 75
FPS = 25
SHOWN_FRAMES = 6
BATCH_FRAMES = 15
SHOWN_PX = 192
LABEL_PX = 18
MOVED_LEVELS = 25  # of 255


def main() -> None:
    """Draw, animate, swap the background; write demo.mp4 and demo.png."""
    parser = argparse.ArgumentParser(prog="maskmotion.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a model of drawn figures")
    arguments = parser.parse_args()

    try:
        model = load_model(arguments.model)
    except ModelError as problem:
        sys.stderr.write(f"maskmotion.demo: error: {problem}\n")
        sys.exit(2)
    size = model.config.image_size
    rows = demo_rows(model, size)
    write_video(rows, arguments.out / "demo.mp4")
    save_png(arguments.out / "demo.png", sheet(rows))
    say(f"{arguments.out / 'demo.mp4'}: the rows below side by side, {FRAMES} frames")
    say(f"{arguments.out / 'demo.png'}: {SHOWN_FRAMES} moments of each, from top to bottom:")
    for title in rows:
        say(f"  {title}")
    truth = rows[TRUTH]
    moved = moved_pixels(rows)
    say(f"mean error against the truth, of 255; all, and the {moved.mean():.0%} that moved:")
    for title in (SOURCE, ANIMATED):
        everywhere, there = error(rows[title], truth), error(rows[title][moved], truth[moved])
        say(f"  {everywhere:5.1f} {there:5.1f}  {title}")


SOURCE = "source: a drawn figure that training never saw"
DRIVING = "driving: another figure's clip, whose motion is taken"
MASK = "mask: the driver's pose, refined to the source's shape"
ANIMATED = "animated: the source in the driver's poses"
TRUTH = "truth: the source's figure drawn in these poses"
SWAPPED = "swapped: animated, on a new scene"


def demo_rows(model: Animator, size: int) -> dict[str, np.ndarray]:
    """Title -> (T, size, size, 3) uint8 frames."""
    figure = {"figure_seed": FIGURE_SEED, "background_seed": HOME_SEED}
    driver = {"figure_seed": DRIVER_SEED, "background_seed": DRIVER_HOME_SEED}
    clip = {"motion_seed": MOTION_SEED, "frames": FRAMES, "size": size, "fps": FPS}
    truth = render_clip(**figure, **clip).frames
    driving = render_clip(**driver, **clip).frames
    source = render_clip(**figure, motion_seed=MOTION_SEED + 1, frames=1, size=size).frames[0]
    scene = to_tensor([render_background(SCENE_SEED, size)])
    session = AnimationSession(model, to_tensor([source]), background=scene)
    parts: dict[str, list[np.ndarray]] = {MASK: [], ANIMATED: [], SWAPPED: []}
    for first in range(0, FRAMES, BATCH_FRAMES):
        animated = session.animate(to_tensor(list(driving[first : first + BATCH_FRAMES])))
        parts[MASK].append(to_uint8(animated.alpha.expand(-1, 3, -1, -1)))
        parts[ANIMATED].append(to_uint8(animated.animation.high_res))
        parts[SWAPPED].append(to_uint8(animated.frames))
    made = {title: np.concatenate(frames) for title, frames in parts.items()}
    return {
        SOURCE: np.broadcast_to(source, driving.shape),
        DRIVING: driving,
        MASK: made[MASK],
        ANIMATED: made[ANIMATED],
        TRUTH: truth,
        SWAPPED: made[SWAPPED],
    }


def moved_pixels(rows: dict[str, np.ndarray]) -> np.ndarray:
    """Where the truth differs clearly from the source, (T, H, W) bool."""
    change = np.abs(rows[TRUTH].astype(np.int16) - rows[SOURCE]).max(-1)
    return change > MOVED_LEVELS


def error(frames: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute difference of uint8 pixels of equal shapes."""
    return float(np.abs(frames.astype(np.int16) - truth).mean())


def write_video(rows: dict[str, np.ndarray], path: Path) -> None:
    """All rows side by side under their names, frame by frame."""
    names = [title.split(":")[0] for title in rows]
    width = SHOWN_PX * len(rows)
    with open_writer(path, width=width, height=SHOWN_PX + LABEL_PX, fps=Fraction(FPS)) as writer:
        for index in range(FRAMES):
            page = Image.new("RGB", (width, SHOWN_PX + LABEL_PX), "white")
            draw = ImageDraw.Draw(page)
            for column, (name, frames) in enumerate(zip(names, rows.values(), strict=True)):
                page.paste(_shown(frames[index]), (column * SHOWN_PX, LABEL_PX))
                draw.text((column * SHOWN_PX + 4, 3), name, fill="black")
            writer.write(np.asarray(page))


def sheet(rows: dict[str, np.ndarray]) -> np.ndarray:
    """A few moments of each row under its title, (H, W, 3) uint8."""
    moments = np.linspace(0, FRAMES - 1, SHOWN_FRAMES).astype(int)
    step = SHOWN_PX + LABEL_PX
    page = Image.new("RGB", (SHOWN_PX * SHOWN_FRAMES, step * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for row, (title, frames) in enumerate(rows.items()):
        draw.text((4, row * step + 3), title, fill="black")
        for column, moment in enumerate(moments):
            page.paste(_shown(frames[moment]), (column * SHOWN_PX, row * step + LABEL_PX))
    return np.asarray(page)


def _shown(frame: np.ndarray) -> Image.Image:
    return Image.fromarray(frame).resize((SHOWN_PX, SHOWN_PX), Image.Resampling.BICUBIC)


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
