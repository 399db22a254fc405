"""LPIPS v0.1 with AlexNet, frozen: how different two pictures look."""

import pickle
import sys
from contextlib import redirect_stdout
from http.client import HTTPException
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.hub import get_dir, load_state_dict_from_url

from maskmotion.errors import ConfigError, ShapeError

ALEXNET_URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
HEADS_URL = (
    "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master"
    "/lpips/weights/v0.1/alex.pth"
)
# Downloads are kept, and checked, by these names: torch reads the start of the SHA-256 from them.
ALEXNET_DOWNLOAD = "alexnet-owt-7be5be79.pth"
HEADS_DOWNLOAD = "lpips_v0.1_alex-df73285e.pth"
# What each file may be called in a folder of weights: as safetensors, or as downloaded.
ALEXNET_FILES = ("alexnet_features.safetensors", "alexnet-owt-7be5be79.pth")
HEADS_FILES = ("lpips_v0.1_heads.safetensors", "alex.pth")

CHANNELS = (64, 192, 384, 256, 256)  # after each of the five ReLUs
# LPIPS' own mean and deviation, of pictures in [-1, 1]
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10
MIN_SIDE_PX = 31  # AlexNet's second pool needs 3x3


class LPIPS(nn.Module):
    """The distance of two pictures in AlexNet's features, weighted as people judge it.

    Comparable with published values of "LPIPS (Alex), v0.1". The parameters are named as in the
    stored files: features.* as in torchvision, alex.lin0 to alex.lin4 the heads.

    Source: Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric, section 3, equation 1.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(inplace=True)),
            nn.MaxPool2d(3, stride=2),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(inplace=True)),
            nn.MaxPool2d(3, stride=2),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(inplace=True)),
        )
        heads = {f"lin{i}": torch.ones(1, width, 1, 1) for i, width in enumerate(CHANNELS)}
        self.alex = nn.ParameterDict(heads)
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, picture: Tensor, truth: Tensor) -> Tensor:
        """How different two pictures look; which of them is the truth makes no difference.

        Args:
            picture: (B, 3, H, W) RGB in [0, 1], at least 31 px a side.
            truth: the same.
        Returns:
            (B,) distances, 0 for equal pictures, no unit.
        Raises:
            ShapeError: the pictures differ in shape, have no three channels or are too small.
        """
        shape = picture.shape
        fits = len(shape) == 4 and shape[1] == 3 and min(shape[-2:]) >= MIN_SIDE_PX
        if not fits or truth.shape != shape:
            raise ShapeError(
                "LPIPS compares pictures of one shape (B, 3, H, W), at least "
                f"{MIN_SIDE_PX} px a side, not {tuple(shape)} with {tuple(truth.shape)}"
            )
        distance = picture.new_zeros(len(picture))
        layers = zip(self._directions(picture), self._directions(truth), strict=True)
        for head, (one, other) in zip(self.alex.values(), layers, strict=True):
            distance = distance + ((one - other).square() * head).sum(1).mean((1, 2))
        return distance

    def _directions(self, picture: Tensor) -> list[Tensor]:
        """Features after each ReLU, (B, C, H/k, W/k), of length 1 over channels."""
        x = (2 * picture - 1 - self.shift) / self.scale
        found = []
        for block in self.features:
            x = block(x)
            if isinstance(block, nn.ReLU):
                found.append(x / (x.norm(dim=1, keepdim=True) + EPSILON))
        return found


def load_lpips(weights: Path | None = None) -> LPIPS:
    """LPIPS with the published weights.

    Args:
        weights: folder with alexnet_features.safetensors and lpips_v0.1_heads.safetensors, or with
            the two files that None downloads once, alexnet-owt-7be5be79.pth and alex.pth.
    Raises:
        ConfigError: the folder or a file is missing, broken or of another network, or nothing can
            be downloaded.
    """
    model = LPIPS()
    stored = _read_folder(Path(weights)) if weights is not None else _download()
    wanted = model.state_dict()
    shapes = {key: getattr(tensor, "shape", None) for key, tensor in stored.items()}
    missing = [key for key in wanted if shapes.get(key) != wanted[key].shape]
    if missing:
        raise ConfigError(
            f"the LPIPS weights {weights or 'that were downloaded'} have no {missing[0]} of shape "
            f"{tuple(wanted[missing[0]].shape)}; give AlexNet's features and the heads for AlexNet"
        )
    model.load_state_dict({key: stored[key] for key in wanted})
    return model


def _read_folder(folder: Path) -> dict[str, Tensor]:
    if not folder.is_dir():
        hint = "; it is a file, so name the folder that it lies in" if folder.exists() else ""
        raise ConfigError(f"there is no folder of LPIPS weights {folder}{hint}")
    alexnet, heads = (_read_first(folder, names) for names in (ALEXNET_FILES, HEADS_FILES))
    return alexnet | _renamed(heads)


def _read_first(folder: Path, names: tuple[str, ...]) -> dict[str, Tensor]:
    present = [folder / name for name in names if (folder / name).is_file()]
    if not present:
        raise ConfigError(
            f"the folder of LPIPS weights {folder} holds neither {' nor '.join(names)}; "
            f"{_how_to_fetch()}"
        )
    path = present[0]
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # torch's own words are long, and advise what is not safe
        stored = None
    except Exception as error:
        raise ConfigError(f"the LPIPS weights {path} cannot be read ({error})") from None
    if not isinstance(stored, dict):
        raise ConfigError(f"the LPIPS weights {path} cannot be read (no file of tensors)")
    return stored


def _renamed(heads: dict[str, Tensor]) -> dict[str, Tensor]:
    """lin0.model.1.weight, as published, -> alex.lin0."""
    return {
        f"alex.{key.removesuffix('.model.1.weight')}" if key.startswith("lin") else key: head
        for key, head in heads.items()
    }


def _download() -> dict[str, Tensor]:
    alexnet = _fetch(ALEXNET_URL, ALEXNET_DOWNLOAD)
    return alexnet | _renamed(_fetch(HEADS_URL, HEADS_DOWNLOAD))


def _fetch(url: str, name: str) -> dict[str, Tensor]:
    try:
        with redirect_stdout(sys.stderr):  # torch announces the download
            return load_state_dict_from_url(
                url, map_location="cpu", check_hash=True, file_name=name, weights_only=True
            )
    except (pickle.UnpicklingError, EOFError):
        path = Path(get_dir()) / "checkpoints" / name
        raise ConfigError(
            f"the LPIPS weights {path} are damaged; delete that file, and it is fetched again"
        ) from None
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: another hash
        raise ConfigError(
            f"the LPIPS weights could not be downloaded from {url} ({error}); {_how_to_fetch()}"
        ) from None


def _how_to_fetch() -> str:
    return (
        f"fetch {ALEXNET_URL} and {HEADS_URL} on another machine, and give the folder that holds "
        "both files with --lpips-weights FOLDER"
    )
