"""Animate a picture with the motion of a video: the program of an exported folder.

Needs onnxruntime, numpy, av and pillow. `maskmotion export` copies it beside the graphs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None, *, folder: Path) -> int:
    """Animate, and return the exit code: 2 for what cannot be done, 1 for what failed, 130 for
    Ctrl-C.

    Args:
        argv: arguments without the program's name; those of this process when left out.
        folder: the exported folder.
    """
    options = parser().parse_args(argv)
    try:
        return run(options, folder)
    except KeyboardInterrupt:
        sys.stderr.write("animate: interrupted\n")
        return 130


def run(options: argparse.Namespace, folder: Path) -> int:
    """As `main`, but for Ctrl-C."""
    # Here, as this takes a moment, in which Ctrl-C is to be told as later.
    from maskmotion.errors import InputError, MaskMotionError
    from maskmotion.inference.exported import open_exported
    from maskmotion.inference.video import animate_with

    watched = sys.stderr.isatty()
    try:
        engine = open_exported(folder)
        made = animate_with(engine, **vars(options), progress=show if watched else None)
    except (MaskMotionError, OSError) as error:
        sys.stderr.write(f"animate: error: {error}\n")
        return 2 if isinstance(error, InputError | OSError) else 1
    sys.stderr.write("\n" * watched)
    sys.stdout.write(
        f"{made.path}: {made.frames} frames, {made.duration_s:.2f} s ({engine.name})\n"
    )
    return 0


def parser() -> argparse.ArgumentParser:
    """The options; their names are those of `animate_with`."""
    parser = argparse.ArgumentParser(
        description="Animate a picture with the motion of a video, on any background."
    )
    add = parser.add_argument
    add("--source", required=True, help="the picture, or a video whose first frame is taken")
    add("--driving", required=True, help="the video, or folder of frames, whose motion is taken")
    add(
        "--out",
        required=True,
        help=".mp4 .mov .mkv .webm .gif .webp .png, or a folder for numbered PNG frames",
    )
    add("--background", help="a picture, a video, a colour, or transparent")
    add(
        "--background-kind",
        choices=("scene", "class"),
        default="scene",
        help="class: it holds an object of the trained class, which is taken out",
    )
    add("--frames", type=int, help="stop after this many")
    add(
        "--fit",
        default="crop",
        help="what of the source is animated: crop, letterbox, or LEFT,TOP,WIDTH,HEIGHT in px",
    )
    add("--driving-fit", default="crop", help="the same for the driving video")
    add("--keep-size", action="store_true", help="write the source's own size and shape")
    add("--scale", type=float, help="of the driver's mask about its centre")
    add("--layers", help="a folder for masks and intermediate pictures")
    return parser


def show(done: int, total: int | None) -> None:
    """Say how far it is, on one line."""
    of_all = "" if total is None else f" of {total}"
    sys.stderr.write(f"\r{done}{of_all} frames")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(folder=Path(__file__).parent))
