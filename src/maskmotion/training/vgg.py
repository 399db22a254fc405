"""VGG-19 up to its last needed layer, frozen; torchvision's key names."""

import pickle
import sys
from contextlib import redirect_stdout
from http.client import HTTPException
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url

from maskmotion.errors import ConfigError

WEIGHTS_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
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
    stored = _read_weights(weights) if weights else _download()
    wanted = model.state_dict()
    missing = [key for key in wanted if key not in stored or stored[key].shape != wanted[key].shape]
    if missing:
        raise ConfigError(
            f"the VGG weights {weights} have no {missing[0]}; give a file that reaches "
            f"relu{max(layers)}_1, or set loss.vgg_layers to fewer layers"
        )
    model.load_state_dict({key: stored[key] for key in wanted})
    return model


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not Path(path).is_file():
        raise ConfigError(f"there is no file of VGG weights {path}")
    try:
        if Path(path).suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # torch's own words are long, and advise what is not safe
        raise ConfigError(f"the VGG weights {path} cannot be read (no file of tensors)") from None
    except Exception as error:
        raise ConfigError(f"the VGG weights {path} cannot be read ({error})") from None


def _download() -> dict[str, Tensor]:
    try:
        with redirect_stdout(sys.stderr):  # torch announces the download
            return load_state_dict_from_url(WEIGHTS_URL, map_location="cpu", check_hash=True)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: another hash
        raise ConfigError(
            f"the VGG-19 weights could not be downloaded from {WEIGHTS_URL} ({error}); "
            "fetch that file on another machine and give it with --vgg-weights FILE"
        ) from None
