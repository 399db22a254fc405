"""An animator of a sixteenth of the paper's channels, with weights that make its outputs vary."""

import torch
from torch import Tensor, nn

from maskmotion.config import ModelConfig
from maskmotion.models.animator import Animator

WIDTH = 1 / 16


def tiny_animator(seed: int = 0, **settings: object) -> Animator:
    """Random weights, in evaluation mode; settings go to ModelConfig."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Animator(ModelConfig.model_validate({"width": WIDTH} | settings))
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    return model.eval()


def pictures(batch: int, height: int = 128, width: int = 128, seed: int = 0) -> Tensor:
    """Random pictures, (B, 3, H, W) in [0, 1]."""
    return torch.rand((batch, 3, height, width), generator=torch.Generator().manual_seed(seed))
