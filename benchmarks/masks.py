"""How well do a model's masks cover the person? Intersection over union with the true alpha.

    maskmotion synth people --out people --clips 40 --seed 2
    python benchmarks/masks.py people --model runs/people --model people-tiny

The mask of every `--every`-th frame is compared with the clip's true alpha, averaged over the
mask's pixels (4 x 4 of the picture's) and cut at one half. A mask has no true threshold, so each
model gets the one of 0.05, 0.1, ... 0.95 at which it does best over all clips. `all` calls every
pixel a person, `middle` the best box round the pictures' middle: what no network needs. Printed
are means over clips with 95% intervals from resampled clips, and the area that masks and people
cover.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, interpolate

from maskmotion.checkpoint import load_model
from maskmotion.media import open_video

THRESHOLDS = np.arange(1, 20) / 20


@dataclass(frozen=True)
class Clip:
    """Frames (T, 3, S, S) in [0, 1], and what is a person in them (T, S / 4, S / 4)."""

    frames: torch.Tensor
    person: np.ndarray


def read(path: Path) -> torch.Tensor:
    """(T, 3, H, W) in [0, 1]."""
    with open_video(path) as video:
        images = np.stack([frame.image for frame in video])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def load(folder: Path, size: int, every: int) -> list[Clip]:
    """All clips of a folder made by `maskmotion synth people`."""
    clips = []
    for path in sorted((folder / "clips").glob("*.mp4")):
        frames = read(path)[::every]
        alpha = read(folder / "truth" / path.stem / "alpha.mkv")[::every, :1]
        scaled = interpolate(frames, size=(size, size), mode="bilinear", antialias=True)
        small = interpolate(alpha, size=(size, size), mode="bilinear", antialias=True)
        clips.append(Clip(scaled.clamp(0, 1), avg_pool2d(small, 4)[:, 0].numpy() > 0.5))
    return clips


def masks(model: torch.nn.Module, clip: Clip) -> np.ndarray:
    """(T, S / 4, S / 4) in [0, 1]."""
    with torch.inference_mode():
        return model.mask_generator(clip.frames)[:, 0].float().numpy()


def overlap(found: np.ndarray, person: np.ndarray) -> float:
    """Mean over frames of intersection over union, both bool (T, h, w)."""
    both = (found & person).sum((1, 2))
    either = (found | person).sum((1, 2))
    return float(np.mean(both / np.maximum(either, 1)))


def boxes(side: int) -> list[np.ndarray]:
    """(side, side) bool boxes of all widths and heights round the middle."""
    away = np.abs(np.arange(side) + 0.5 - side / 2)
    halves = np.linspace(0.05, 0.5, 10) * side
    return [(away[:, None] < high) & (away < wide) for high in halves for wide in halves]


def interval(values: np.ndarray) -> tuple[float, float]:
    """95% interval of the mean, by resampling clips."""
    rng = np.random.default_rng(0)
    means = rng.choice(values, (2000, len(values))).mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def best(candidates: np.ndarray) -> int:
    """Row of (candidates, clips) with the highest mean."""
    return int(candidates.mean(1).argmax())


def line(name: str, values: np.ndarray, note: str) -> None:
    low, high = interval(values)
    print(f"{name:24s} {values.mean():.3f} [{low:.3f}, {high:.3f}]  {note}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("people", type=Path, help="folder of `maskmotion synth people`")
    parser.add_argument("--model", action="append", required=True, help="folder or name")
    parser.add_argument("--every", type=int, default=8, help="take every n-th frame")
    arguments = parser.parse_args()
    for name in arguments.model:
        model = load_model(name)
        size = model.config.image_size
        clips = load(arguments.people, size, arguments.every)
        share = float(np.mean([clip.person.mean() for clip in clips]))
        print(f"{name}: {len(clips)} clips at {size} px; people cover {share:.3f} of the pictures")
        found = [masks(model, clip) for clip in clips]
        scores = np.array(
            [
                [overlap(m > t, c.person) for m, c in zip(found, clips, strict=True)]
                for t in THRESHOLDS
            ]
        )
        row = best(scores)
        area = float(np.mean([(m > THRESHOLDS[row]).mean() for m in found]))
        line(name, scores[row], f"threshold {THRESHOLDS[row]:.2f}, covers {area:.3f}")
        plain = np.array(
            [[overlap(box[None], c.person) for c in clips] for box in boxes(size // 4)]
        )
        line("middle", plain[best(plain)], "the best box round the middle")
        line("all", np.array([overlap(np.ones_like(c.person), c.person) for c in clips]), "")


if __name__ == "__main__":
    main()
