"""VGG-19 up to its last needed layer, frozen; torchvision's key names."""

from pathlib import Path

import torch
from torch import Tensor, nn

from maskmotion.errors import ConfigError
from maskmotion.pretrained import fetch_tensors, missing_tensors, read_tensors

WEIGHTS_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
WEIGHTS_DOWNLOAD = "vgg19-dcbb9e9d.pth"  # kept, and checked, by this name
# channels of the convolutions between max pools, as far as relu5_1
PLAN: tuple[int | None, ...] = (
    *(64, 64, None),
    *(128, 128, None),
    *(256, 256, 256, 256, None),
    *(512, 512, 512, 512, None),
    512,
)
CONV_OF_LAYER = {1: 0, 2: 5, 3: 10, 4: 19, 5: 28}  # reluN_1 -> index of its convolution
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class VGG19(nn.Module):
    """Features relu1_1 to relu5_1 of a picture.

    Args:
        layers: which of the five are returned, rising; nothing after the last is built.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: tuple[int, ...]) -> None:
        super().__init__()
        self.wanted = {CONV_OF_LAYER[layer] + 1 for layer in layers}
        blocks: list[nn.Module] = []
        channels = 3
        for width in PLAN:
            if len(blocks) > max(self.wanted):
                break
            if width is None:
                blocks.append(nn.MaxPool2d(2))
            else:
                blocks += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
        self.features = nn.Sequential(*blocks)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(B, 3, H, W) RGB in [0, 1] -> the wanted features, (B, C, H/k, W/k) each."""
        x = (picture - self.mean) / self.std
        found = []
        for index, block in enumerate(self.features):
            x = block(x)
            if index in self.wanted:
                found.append(x)
        return found


def load_vgg(layers: tuple[int, ...], weights: Path | None = None) -> VGG19:
    """VGG-19 with ImageNet weights.

    Args:
        layers: see VGG19.
        weights: .safetensors or .pth with torchvision's keys; None downloads them once.
    Raises:
        ConfigError: the file cannot be read, holds too few layers, or nothing can be downloaded.
    """
    model = VGG19(layers)
    stored = read_tensors(weights, "VGG weights") if weights else _download()
    if missing := missing_tensors(model, stored):
        raise ConfigError(
            f"the VGG weights {weights} have no {missing[0]}; give a file that reaches "
            f"relu{max(layers)}_1, or set loss.vgg_layers to fewer layers"
        )
    model.load_state_dict({key: stored[key] for key in model.state_dict()})
    return model


def _download() -> dict[str, Tensor]:
    return fetch_tensors(
        WEIGHTS_URL,
        WEIGHTS_DOWNLOAD,
        "VGG-19 weights",
        "fetch that file on another machine and give it with --vgg-weights FILE",
    )
