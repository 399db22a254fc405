"""What `--keep-size` adds, for docs/inference.md: the figure's upper half, large.

    maskmotion synth people --out large --size 768 --fps 3 --frames 6 --clips 10 --seed 77 \\
        --framing mixed --other-people 1
    python docs/keep_size.py --people large --out docs/images/keep-size.jpg

The first rows are taken, the source is a clip's first frame, and the other person's last drives it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from maskmotion.checkpoint import load_model
from maskmotion.inference.fit import cover
from maskmotion.inference.session import AnimationSession
from maskmotion.media import open_video, to_tensor
from maskmotion.media.sheet import sheet_jpeg
from maskmotion.models.animator import Animator

ROWS, TILE_PX = 4, 280


def upper_half(alpha: Tensor) -> tuple[slice, slice]:
    """Rows and columns of a square of half a side, at the top of a mask (1, 1, S, S)."""
    inside = alpha[0, 0] > 0.5
    side = len(inside)
    rows, columns = (inside.any(axis).nonzero()[:, 0] for axis in (1, 0))
    top = min(max(int(rows[0]) - side // 16, 0), side // 2) if len(rows) else 0
    middle = int(columns.float().mean()) if len(columns) else side // 2
    left = min(max(middle - side // 4, 0), side // 2)
    return slice(top, top + side // 2), slice(left, left + side // 2)


def row(model: Animator, clip: Path, driver: Path) -> dict[str, Tensor]:
    """Titled pictures of one person, (1, 3, TILE_PX, TILE_PX) each."""
    frames, driving = read(clip), read(driver)
    kept = AnimationSession(model, frames[:1], keep_size=True).animate(driving[-1:])
    small = AnimationSession(model, frames[:1]).animate(driving[-1:])
    place = upper_half(kept.alpha)
    pictures = {
        "source": frames[:1],
        "driver": driving[-1:],
        f"{model.config.image_size} px, enlarged": cover(small.frames, *frames.shape[-2:]),
        "--keep-size": kept.frames,
        "truth": frames[-1:],
    }
    return {title: cover(x[..., *place], TILE_PX, TILE_PX) for title, x in pictures.items()}


def read(path: Path) -> Tensor:
    """All frames, (T, 3, S, S) in [0, 1]."""
    with open_video(path) as video:
        return to_tensor([frame.image for frame in video])


def main(words: Sequence[str] | None = None) -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=Path, required=True, help="folder of `synth people`")
    parser.add_argument("--model", default="people-tiny")
    parser.add_argument("--out", type=Path, required=True, help="JPEG to write")
    arguments = parser.parse_args(words)
    model = load_model(arguments.model)
    others = sorted((arguments.people / "counterfactuals").glob("*/person-1.mp4"))[:ROWS]
    if not others:
        raise SystemExit(f"{arguments.people} has no counterfactuals; render with --other-people 1")
    clips = arguments.people / "clips"
    with torch.inference_mode():
        rows = [row(model, clips / f"{other.parent.name}.mp4", other) for other in others]
    columns = {title: torch.cat([each[title] for each in rows]) for title in rows[0]}
    arguments.out.write_bytes(sheet_jpeg(columns))


if __name__ == "__main__":
    main()
