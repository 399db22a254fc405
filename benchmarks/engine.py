"""How much faster is the engine than the plain model?

    python benchmarks/engine.py --model puppets-tiny
    python benchmarks/engine.py --width 1 --size 256 --rounds 3

Three forms of one model animate the same frames: `plain` (the networks as they are written down),
and the engine in float32 and in bfloat16. They work in turn, one batch at a time, so that whatever
else the machine does meets all alike. Printed are the median seconds a frame with the range over
rounds, the ratio to `plain` of the same round, and how far the pictures are from those of `plain`.
With --width the weights are random, which changes no time.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from maskmotion.checkpoint import DEFAULT_MODEL, load_model
from maskmotion.config import ModelConfig
from maskmotion.inference.engine import fast
from maskmotion.models.animator import Animator

FORMS = ("plain", "float32", "bfloat16")


@dataclass(frozen=True)
class Row:
    """One form, with or without a swap; low and high are over rounds, ratios are to `plain`."""

    form: str
    swap: bool
    s_per_frame: float
    s_low: float
    s_high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    psnr_to_plain_db: float | None


def smooth_pictures(count: int, size: int, seed: int) -> Tensor:
    """(count, 3, size, size) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, size // 16, size // 16, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 1)


def prepared(model: Animator, batch: int, *, swap: bool) -> Callable[[], Tensor]:
    """A call that animates a batch and returns its pictures, (batch, 3, size, size)."""
    size = model.config.image_size
    state = model.encode_source(smooth_pictures(1, size, 1))
    driving = smooth_pictures(batch, size, 2)
    scene = model.encode_background(smooth_pictures(1, size, 3), same_class=False)

    def animate() -> Tensor:
        animation = model.animate(state, driving)
        if not swap:
            return animation.high_res
        return model.swap_background(animation.high_res, animation.refined_mask, scene).refined

    return animate


@torch.inference_mode()
def measure(model: Animator, batch: int, rounds: int, *, swap: bool) -> list[Row]:
    """All forms in turn; the first round warms up and is compared."""
    engines = [fast(model, getattr(torch, form)) for form in FORMS[1:]]
    calls = {
        form: prepared(network, batch, swap=swap)
        for form, network in zip(FORMS, (model, *engines), strict=True)
    }
    pictures = {form: call() for form, call in calls.items()}
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    for _ in range(rounds):
        for form, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[form].append((time.perf_counter() - started) / batch)
    rows = []
    for form, own in seconds.items():
        ratios = [plain / mine for plain, mine in zip(seconds["plain"], own, strict=True)]
        error = (pictures[form] - pictures["plain"]).square().mean()
        rows.append(
            Row(
                form,
                swap,
                statistics.median(own),
                min(own),
                max(own),
                statistics.median(ratios),
                min(ratios),
                max(ratios),
                float(-10 * error.log10()) if error else None,
            )
        )
    return rows


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a name or a model folder")
    parser.add_argument("--width", type=float, help="random weights of this width instead")
    parser.add_argument("--size", type=int, default=256, help="side of the frames, with --width")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.width is None:
        name, model = options.model, load_model(options.model)
    else:
        name = f"width {options.width:g}, random weights"
        model = Animator(ModelConfig(width=options.width, image_size=options.size)).eval()
    rows = [
        row
        for swap in (False, True)
        for row in measure(model, options.batch, options.rounds, swap=swap)
    ]
    machine = {"processor": platform.processor() or platform.machine()}
    machine |= {"threads": options.threads, "torch": torch.__version__}
    setting = {"model": name, "size": model.config.image_size, "batch": options.batch}
    if options.json:
        print(json.dumps({"machine": machine | setting, "rows": [asdict(row) for row in rows]}))
        return
    print(", ".join(f"{key} {value}" for key, value in (setting | machine).items()))
    for row in rows:
        apart = "equal" if row.psnr_to_plain_db is None else f"{row.psnr_to_plain_db:.0f} dB"
        print(
            f"{'with' if row.swap else 'without'} swap, {row.form:8}: {row.s_per_frame:.4f} s a "
            f"frame ({row.s_low:.4f} to {row.s_high:.4f}), {row.ratio:.2f}x plain "
            f"({row.ratio_low:.2f} to {row.ratio_high:.2f}), {apart}"
        )


if __name__ == "__main__":
    main()
