"""Contact sheets for docs/models.md: unseen subjects and moments, drawn by a seed and not by eye.

    maskmotion evaluate --model people-tiny --protocol truth --data truth
    python docs/contact.py --model people-tiny --truth truth --out docs/images/people-tiny.jpg
    python docs/contact.py --model runs/arms --clips clips --backgrounds rooms --out arms.jpg

The first renders the truth set. Of `--clips`, each subject is driven by a clip of another, as the
protocol `cross` pairs them, and the pictures of `--backgrounds` are taken in turn.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maskmotion.checkpoint import load_model
from maskmotion.evaluation.cases import (
    Batch,
    Case,
    RenderedCase,
    crossed,
    evaluation_clips,
    still_square,
)
from maskmotion.inference.fit import cover
from maskmotion.media import PICTURE_ENDINGS
from maskmotion.media.sheet import sheet_jpeg
from maskmotion.models.animator import Animator
from maskmotion.synth.people.truth import read_truth

TILE_PX = 160  # at most, of a picture's side


def moment(case: Case, size: int, rng: np.random.Generator) -> Batch:
    """One frame of a case, drawn at random."""
    frames = [(batch, i) for batch in case.batches(size, 1) for i in range(len(batch.driving))]
    batch, index = frames[rng.integers(len(frames))]
    timed = {"driving": batch.driving, "target": batch.target, "swapped": batch.swapped}
    one: dict[str, Any] = {name: x[index : index + 1] for name, x in timed.items() if x is not None}
    return replace(batch, **one)


def backgrounds(folder: Path, size: int) -> list[Tensor]:
    """The pictures of a folder, (1, 3, S, S) each."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)
    if not found:
        raise SystemExit(f"there are no pictures in {folder}")
    return [still_square(path, size) for path in found]


@torch.inference_mode()
def columns(model: Animator, moments: Sequence[Batch]) -> dict[str, Tensor]:
    """Titled pictures of each moment, (B, 3, S, S) each."""
    pictures: dict[str, list[Tensor]] = {}

    def show(title: str, picture: Tensor | None) -> None:
        if picture is not None:
            pictures.setdefault(title, []).append(picture)

    for shown in moments:
        animation = model.animate(model.encode_source(shown.source), shown.driving)
        show("source", shown.source)
        show("driver", shown.driving)
        show("animated", animation.high_res)
        show("truth", shown.target)
        if shown.background is not None and model.background_base is not None:
            background = model.encode_background(shown.background, same_class=False)
            swap = model.swap_background(animation.high_res, animation.refined_mask, background)
            show("new background", swap.refined)
            show("truth there", shown.swapped)
    tile = min(model.config.image_size, TILE_PX)
    return {title: cover(torch.cat(each), tile, tile) for title, each in pictures.items()}


def main(words: Sequence[str] | None = None) -> None:
    """Draw one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--truth", type=Path, help="folder of rendered cases")
    what.add_argument("--clips", type=Path, help="folder of unseen clips")
    parser.add_argument("--backgrounds", type=Path, help="folder of pictures, for --clips")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args(words)
    if arguments.backgrounds and not arguments.clips:
        parser.error("--backgrounds goes with --clips; the truth has its own")
    model = load_model(arguments.model)
    size = model.config.image_size
    cases: Sequence[Case] = (
        [RenderedCase(case) for case in read_truth(arguments.truth)]
        if arguments.truth
        else crossed(evaluation_clips(arguments.clips))
    )
    rng = np.random.default_rng(arguments.seed)
    drawn = sorted(rng.choice(len(cases), min(arguments.rows, len(cases)), replace=False))
    moments = [moment(cases[index], size, rng) for index in drawn]
    if arguments.backgrounds:
        scenes = backgrounds(arguments.backgrounds, size)
        moments = [
            replace(shown, background=scenes[index % len(scenes)])
            for index, shown in enumerate(moments)
        ]
    arguments.out.write_bytes(sheet_jpeg(columns(model, moments)))


if __name__ == "__main__":
    main()
