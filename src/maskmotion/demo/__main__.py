"""`python -m maskmotion.demo`: animate, swap the background, write demo.mp4 and demo.png."""

import argparse
import sys
from pathlib import Path

import maskmotion
from maskmotion.checkpoint import DEFAULT_MODEL
from maskmotion.demo.inputs import read_inputs
from maskmotion.demo.pages import draw_sheet, write_video
from maskmotion.demo.rendering import render_inputs
from maskmotion.demo.results import animate, distances, moved_pixels
from maskmotion.errors import MaskMotionError
from maskmotion.inference.video import check_outputs
from maskmotion.media import save_png
from maskmotion.media.files import require_folder


def main() -> None:
    """Read the arguments and run; problems are told in one sentence."""
    parser = argparse.ArgumentParser(
        prog="maskmotion.demo",
        description="An unseen rendered person moves like another one, on a new background.",
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the results")
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="a name that `maskmotion models` lists, a model folder, or an exported one",
    )
    parser.add_argument(
        "--render",
        type=Path,
        metavar="FOLDER",
        help="only render the demonstration's inputs anew, into a folder; needs OpenGL",
    )
    arguments = parser.parse_args()
    try:
        if arguments.render is None:
            demonstrate(arguments.model, arguments.out)
        else:
            render(arguments.render)
    except MaskMotionError as problem:
        sys.stderr.write(f"maskmotion.demo: error: {problem}\n")
        sys.exit(2)


def demonstrate(model: str, out: Path) -> None:
    """Write demo.mp4 and demo.png into a folder, and say how good they are.

    Raises:
        InputError, ModelError: no such model.
        MediaError: the folder cannot be written.
    """
    check_outputs(out / "demo.mp4", None, [], transparent=False)
    engine = maskmotion.open_engine(model)
    inputs = read_inputs()
    seen = inputs.resized(engine.size)
    results = animate(engine, seen)
    figures, moved_share = distances(seen, results), float(moved_pixels(seen).mean())
    write_video(out / "demo.mp4", inputs, results)
    save_png(out / "demo.png", draw_sheet(inputs, results, figures, moved_share))
    say(f"{out / 'demo.mp4'} and {out / 'demo.png'}: made with {model}, {engine.name}")
    say(f"mean error against the truth, of 255; all pixels, and the {moved_share:.0%} that move:")
    for figure in figures:
        say(f"  {figure.everywhere:5.1f} {figure.moved:5.1f}  {figure.title}")


def render(folder: Path) -> None:
    """Render the inputs into a folder, as `render_inputs`."""
    require_folder(folder, "the inputs")
    render_inputs(folder)
    say(f"{folder}: the demonstration's inputs")


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
