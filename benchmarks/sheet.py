"""Contact sheets of rendered people, for the documentation.

    maskmotion synth people --out sheet --clips 40 --seed 7 --other-people 1 --other-scenes 1
    python benchmarks/sheet.py sheet --people docs/images/people.jpg --truth docs/images/truth.jpg

`--people` shows the middle frame of every clip, ten in a row; none is left out. `--truth` shows a
clip and its truth at five times, a row each: the clip, its alpha, its shade, its background, the
same motion by another person, the same person elsewhere.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from maskmotion.media import open_video, read_still

SIDE = 128  # px of a picture on the sheet
ROW = 10
TIMES = 5


def frames(path: Path) -> np.ndarray:
    """(T, H, W, 3) uint8."""
    with open_video(path) as video:
        return np.stack([frame.image for frame in video])


def small(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    scaled = Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(scaled)


def rows(pictures: list[np.ndarray], count: int) -> np.ndarray:
    """One picture of many, `count` in a row."""
    full = len(pictures) // count * count
    return np.concatenate(
        [np.concatenate(pictures[i : i + count], 1) for i in range(0, full, count)], 0
    )


def people(folder: Path) -> np.ndarray:
    clips = sorted((folder / "clips").glob("*.mp4"))
    return rows([small(made[len(made) // 2]) for made in map(frames, clips)], ROW)


def truth(folder: Path, name: str) -> np.ndarray:
    own, others = folder / "truth" / name, folder / "counterfactuals" / name
    still = own / "background.png"
    layers = [
        frames(folder / "clips" / f"{name}.mp4"),
        frames(own / "alpha.mkv"),
        frames(own / "shade.mkv"),
        np.asarray(read_still(still).image)[None]
        if still.exists()
        else frames(own / "background.mkv"),
        frames(others / "person-1.mp4"),
        frames(others / "scene-1.mp4"),
    ]
    times = np.linspace(0, len(layers[0]) - 1, TIMES).astype(int)
    shown = [small(layer[min(t, len(layer) - 1)], 160) for layer in layers for t in times]
    return rows(shown, TIMES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="of `maskmotion synth people`")
    parser.add_argument("--people", type=Path, help="where the sheet of people goes")
    parser.add_argument("--truth", type=Path, help="where the sheet of one clip's truth goes")
    parser.add_argument("--clip", default="p00000", help="the clip of --truth")
    arguments = parser.parse_args()
    if arguments.people:
        Image.fromarray(people(arguments.folder)).save(arguments.people, quality=88)
    if arguments.truth:
        Image.fromarray(truth(arguments.folder, arguments.clip)).save(arguments.truth, quality=88)


if __name__ == "__main__":
    main()
