"""Weights of LPIPS for tests that are not about its values."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from maskmotion.evaluation.lpips import LPIPS


def write_weights(folder: Path) -> None:
    """Write a folder that `load_lpips` reads: random features, heads of one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tensors = LPIPS().state_dict()
    folder.mkdir()
    for name, part in (("alexnet_features", "features."), ("lpips_v0.1_heads", "alex.")):
        chosen = {key: tensor for key, tensor in tensors.items() if key.startswith(part)}
        save_file(chosen, folder / f"{name}.safetensors")
