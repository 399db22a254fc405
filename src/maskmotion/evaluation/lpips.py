"""LPIPS v0.1 with AlexNet, frozen: how different two pictures look."""

from pathlib import Path

import torch
from torch import Tensor, nn

from maskmotion.errors import ConfigError, ShapeError
from maskmotion.pretrained import fetch_tensors, missing_tensors, read_tensors

NAME = "LPIPS weights"
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
        _check_shapes(picture, truth)
        return self.distance(self.directions(picture), self.directions(truth))

    def directions(self, picture: Tensor) -> list[Tensor]:
        """Features after each ReLU, (B, C, H/k, W/k), of length 1 over channels."""
        x = (2 * picture - 1 - self.shift) / self.scale
        found = []
        for block in self.features:
            x = block(x)
            if isinstance(block, nn.ReLU):
                found.append(x / (x.norm(dim=1, keepdim=True) + EPSILON))
        return found

    def distance(self, directions: list[Tensor], others: list[Tensor]) -> Tensor:
        """(B,) distances of two pictures by their `directions`."""
        distance = directions[0].new_zeros(len(directions[0]))
        for head, one, other in zip(self.alex.values(), directions, others, strict=True):
            distance = distance + ((one - other).square() * head).sum(1).mean((1, 2))
        return distance


class TruthOnce:
    """LPIPS that looks at a truth once, however many pictures in a row are compared with it.

    Args:
        lpips: stays as it is meanwhile.
    """

    def __init__(self, lpips: LPIPS) -> None:
        self._lpips = lpips
        self._truth: Tensor | None = None
        self._directions: list[Tensor] = []

    def __call__(self, picture: Tensor, truth: Tensor) -> Tensor:
        """As `LPIPS.forward`; a truth is known again as the same tensor, not by its values."""
        _check_shapes(picture, truth)
        if truth is not self._truth:
            self._truth, self._directions = truth, self._lpips.directions(truth)
        return self._lpips.distance(self._lpips.directions(picture), self._directions)


def _check_shapes(picture: Tensor, truth: Tensor) -> None:
    shape = picture.shape
    fits = len(shape) == 4 and shape[1] == 3 and min(shape[-2:]) >= MIN_SIDE_PX
    if not fits or truth.shape != shape:
        raise ShapeError(
            "LPIPS compares pictures of one shape (B, 3, H, W), at least "
            f"{MIN_SIDE_PX} px a side, not {tuple(shape)} with {tuple(truth.shape)}"
        )


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
    if missing := missing_tensors(model, stored):
        shape = tuple(model.state_dict()[missing[0]].shape)
        raise ConfigError(
            f"the LPIPS weights {weights or 'that were downloaded'} have no {missing[0]} of shape "
            f"{shape}; give AlexNet's features and the heads for AlexNet"
        )
    model.load_state_dict({key: stored[key] for key in model.state_dict()})
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
    return read_tensors(present[0], NAME)


def _renamed(heads: dict[str, Tensor]) -> dict[str, Tensor]:
    """lin0.model.1.weight, as published, -> alex.lin0."""
    return {
        f"alex.{key.removesuffix('.model.1.weight')}" if key.startswith("lin") else key: head
        for key, head in heads.items()
    }


def _download() -> dict[str, Tensor]:
    alexnet = fetch_tensors(ALEXNET_URL, ALEXNET_DOWNLOAD, NAME, _how_to_fetch())
    heads = fetch_tensors(HEADS_URL, HEADS_DOWNLOAD, NAME, _how_to_fetch())
    return alexnet | _renamed(heads)


def _how_to_fetch() -> str:
    return (
        f"fetch {ALEXNET_URL} and {HEADS_URL} on another machine, and give the folder that holds "
        "both files with --lpips-weights FOLDER"
    )
