"""Released checkpoints of the paper and its background-swap extension -> our model folders."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maskmotion.checkpoint import load_weights
from maskmotion.config import ModelConfig
from maskmotion.errors import ModelError
from maskmotion.models.animator import Animator

# released prefix -> ours; None: built by the released code but never called
RENAMED: dict[str, dict[str, str | None]] = {
    "generator": {
        "first.": "low_res.first.",
        "bottleneck.r": "low_res.bottleneck.",
        "up_blocks.": "low_res.up_blocks.",
        "down_blocks.": None,
        "final.": "low_res.final.",
        "hourglass.encoder.": "high_res.hourglass.",
        "hourglass.decoder.": "high_res.hourglass.",
        "final_hourglass.": "high_res.final.",
        "mask_fix_net.encoder.": "refiner.hourglass.",
        "mask_fix_net.decoder.": "refiner.hourglass.",
        "ref.": "refiner.final.",
    },
    "mask_generator": {
        "predictor.encoder.": "mask_generator.hourglass.",
        "predictor.decoder.": "mask_generator.hourglass.",
        "ref.": "mask_generator.final.",
        "down.weight": None,
    },
    "bg_generator": {
        "first.": "background_base.first.",
        "bottleneck.r": "background_base.bottleneck.",
        "up_blocks.": "background_base.up_blocks.",
        "down_blocks.": None,
        "final.": "background_base.final.",
    },
    "bg_refiner": {
        "hourglass.encoder.": "background_refiner.hourglass.",
        "hourglass.decoder.": "background_refiner.hourglass.",
        "final_hourglass.": "background_refiner.final.",
    },
}
BACKGROUND_PARTS = ("bg_generator", "bg_refiner")


def rename(part: str, key: str) -> str | None:
    """Our name of a released key of `part`; None where the weight is not needed.

    Raises:
        ModelError: a key that no released checkpoint has.
    """
    key = key.removeprefix("module.")  # saved from a data-parallel wrapper
    if key.endswith("num_batches_tracked"):
        return None
    for old, new in RENAMED[part].items():
        if key.startswith(old):
            return None if new is None else new + key[len(old) :]
    raise ModelError(f"the checkpoint's {part} has the unknown key {key}")


def read_checkpoint(path: Path) -> dict[str, dict[str, Tensor]]:
    """The state dicts of a released checkpoint, with `torch.load(weights_only=True)`.

    Raises:
        ModelError: missing, not a checkpoint, or without the paper's networks.
    """
    if not Path(path).is_file():
        raise ModelError(f"there is no checkpoint file {path}")
    try:
        data: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # what torch.load raises for other files is of almost any kind
        raise ModelError(
            f"{path} is not a checkpoint of plain weights, or is cut off; download it again or ask "
            "its maker for the state dicts alone"
        ) from None
    missing = {"generator", "mask_generator"} - set(data if isinstance(data, dict) else {})
    if missing:
        raise ModelError(
            f"{path} is not a Perturbed Masks checkpoint: it lacks {' and '.join(sorted(missing))}"
        )
    return {part: data[part] for part in RENAMED if isinstance(data.get(part), dict)}


def convert_checkpoint(path: Path, *, threshold: float = 60 / 255) -> Animator:
    """Build our networks from a released checkpoint.

    Args:
        path: checkpoint of the paper, or of the extension with background networks.
        threshold: th of the class, in [0, 1]: 100/255 for faces, 60/255 for bodies and arms.
    Returns:
        The networks at width 1, in evaluation mode; with background networks where both are there.
    Raises:
        ModelError: not such a checkpoint, or weights that do not fit.
    """
    parts = read_checkpoint(path)
    swap = all(part in parts for part in BACKGROUND_PARTS)
    tensors: dict[str, Tensor] = {}
    for part, weights in parts.items():
        if part in BACKGROUND_PARTS and not swap:
            continue
        for key, value in weights.items():
            name = rename(part, key)
            if name is not None and isinstance(value, Tensor):
                tensors[name] = value
    model = Animator(ModelConfig(threshold=threshold, background_networks=swap))
    load_weights(model, tensors, str(path))
    return model.eval()
