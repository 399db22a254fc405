"""Weights of published networks, from a file or downloaded once."""

import pickle
import sys
from contextlib import redirect_stdout
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.hub import get_dir, load_state_dict_from_url

from maskmotion.errors import ConfigError


def read_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a file, .safetensors or else as torch.save writes them.

    Args:
        path: of the file.
        name: what errors call them, such as "LPIPS weights".
    Raises:
        ConfigError: the file is missing, broken or of something else.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"there is no file of {name} {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # torch's own words are long, and advise what is not safe
        stored = None
    except Exception as error:
        raise ConfigError(f"the {name} {path} cannot be read ({error})") from None
    if not isinstance(stored, dict):
        raise ConfigError(f"the {name} {path} cannot be read (no file of tensors)")
    return stored


def fetch_tensors(url: str, kept_as: str, name: str, otherwise: str) -> dict[str, Tensor]:
    """The tensors of a file as torch.save writes them, downloaded on the first call.

    torch keeps downloads in a folder of its own, below TORCH_HOME where that is set.

    Args:
        url: of the file.
        kept_as: its name in that folder, such as alexnet-owt-7be5be79.pth; behind the minus sign
            stand the first digits of its SHA-256, by which a download is checked.
        name: what errors call the tensors, such as "LPIPS weights".
        otherwise: what to do where nothing can be downloaded, for the end of that error.
    Raises:
        ConfigError: the download fails, is another file, or was damaged since.
    """
    try:
        with redirect_stdout(sys.stderr):  # torch announces the download
            return load_state_dict_from_url(
                url, map_location="cpu", check_hash=True, file_name=kept_as, weights_only=True
            )
    except Exception as error:
        path = Path(get_dir()) / "checkpoints" / kept_as
        if path.exists():  # it was whole when it was kept
            raise ConfigError(
                f"the {name} {path} are damaged; delete that file, and it is fetched again"
            ) from None
        raise ConfigError(
            f"the {name} could not be downloaded from {url} ({error}); {otherwise}"
        ) from None


def missing_tensors(model: nn.Module, stored: dict[str, Tensor]) -> list[str]:
    """Which tensors of a model are not stored, or in another shape, in the model's order."""
    shapes = {key: getattr(tensor, "shape", None) for key, tensor in stored.items()}
    return [key for key, own in model.state_dict().items() if shapes.get(key) != own.shape]
