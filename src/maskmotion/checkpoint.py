"""Model folders: config.json + model.safetensors, written beside and renamed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from maskmotion.config import ModelConfig
from maskmotion.durable import write_atomically
from maskmotion.errors import ModelError
from maskmotion.models.animator import Animator

SCHEMA_VERSION = 1
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
DEFAULT_MODEL = "puppets-tiny"


def save_model(
    model: Animator, folder: Path, *, dtype: torch.dtype = torch.float32, **about: object
) -> None:
    """Write a model folder.

    Args:
        model: the networks.
        folder: made where it is missing; its two files are replaced as wholes.
        dtype: dtype of the stored weights; BatchNorm statistics stay float32.
        about: facts kept in config.json, such as training data or licence; JSON values.
    """
    folder = Path(folder)
    tensors = {
        key: _stored(key, value, dtype)
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    text = json.dumps(
        {"schema": SCHEMA_VERSION, "model": model.config.model_dump(mode="json"), "about": about},
        indent=1,
    )
    write_atomically(folder / WEIGHTS_NAME, lambda path: save_file(tensors, path))
    write_atomically(folder / CONFIG_NAME, lambda path: path.write_text(text + "\n"))


def _stored(key: str, value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    keep = key.endswith(("running_mean", "running_var"))
    return value.detach().cpu().to(torch.float32 if keep else dtype).contiguous()


def load_folder(folder: Path) -> Animator:
    """Read a model folder; float32, on the CPU, in evaluation mode.

    Raises:
        ModelError: files missing or broken, another schema, or weights that do not fit.
    """
    folder = Path(folder)
    config = read_config(folder)
    try:
        tensors = load_file(folder / WEIGHTS_NAME)
    except FileNotFoundError:
        raise ModelError(f"{folder} has no {WEIGHTS_NAME}; copy the whole model folder") from None
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{folder / WEIGHTS_NAME} cannot be read ({error}); copy the model folder again"
        ) from None
    model = Animator(config)
    load_weights(model, tensors, str(folder))
    return model.eval()


def load_weights(model: Animator, tensors: dict[str, torch.Tensor], origin: str) -> None:
    """Copy stored weights into a model, cast to its dtype.

    Raises:
        ModelError: keys or shapes that do not fit.
    """
    wanted = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    wrong = sorted(wanted.keys() ^ tensors.keys()) or [
        k for k, v in wanted.items() if v.shape != tensors[k].shape
    ]
    if wrong:
        raise ModelError(
            f"{origin} does not fit its configuration: {len(wrong)} tensors differ, "
            f"the first is {wrong[0]}; use the config.json that belongs to these weights"
        )
    model.load_state_dict(tensors, strict=False)


def read_config(folder: Path) -> ModelConfig:
    """ModelConfig of a model folder; raises as `describe`."""
    return describe(folder)[0]


def describe(folder: Path) -> tuple[ModelConfig, dict[str, object]]:
    """Configuration of a model folder, and the facts that `save_model` was told about it.

    Raises:
        ModelError: no readable config.json, or of another schema version.
    """
    path = Path(folder) / CONFIG_NAME
    try:
        data = json.loads(path.read_text())
        schema, settings, about = data["schema"], data["model"], dict(data.get("about", {}))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not a model folder: it has no {CONFIG_NAME}; give a folder that "
            "`maskmotion train` or `maskmotion convert` wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"{path} is not a readable model configuration") from None
    if schema != SCHEMA_VERSION:
        raise ModelError(
            f"{path} has schema {schema}, this version of maskmotion reads {SCHEMA_VERSION}; "
            "upgrade maskmotion"
        )
    try:
        return ModelConfig.model_validate(settings), about
    except ValidationError as error:
        raise ModelError(f"{path}: {error.errors()[0]['msg']}") from None


@contextmanager
def shipped_folder() -> Iterator[Path]:
    """The folder of the models inside the package."""
    with resources.as_file(resources.files("maskmotion") / "weights") as folder:
        yield folder


def shipped_models() -> list[str]:
    """Names of the models inside the package."""
    with shipped_folder() as folder:
        return sorted(p.parent.name for p in folder.glob(f"*/{CONFIG_NAME}"))


def load_model(
    name_or_dir: str | Path = DEFAULT_MODEL, *, device: str | torch.device = "cpu"
) -> Animator:
    """Load a shipped model by name or a model folder by path, in evaluation mode.

    Args:
        name_or_dir: a name that `maskmotion models` lists, or a folder that `maskmotion train` or
            `maskmotion convert` wrote (a training run's folder works too).
        device: where the networks go.
    Returns:
        The networks, float32, in evaluation mode.
    Raises:
        ModelError: no such model, or a folder that cannot be read.
    """
    folder = Path(name_or_dir)
    if (folder / "model" / CONFIG_NAME).is_file():
        folder = folder / "model"
    if folder.is_dir():
        return load_folder(folder).to(device)
    if str(name_or_dir) in shipped_models():
        with shipped_folder() as shipped:
            return load_folder(shipped / str(name_or_dir)).to(device)
    raise ModelError(
        f"there is no model {str(name_or_dir)!r}; give a model folder, or one of: "
        f"{', '.join(shipped_models()) or 'none is shipped'}"
    )
