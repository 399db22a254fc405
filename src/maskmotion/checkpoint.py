"""Model folders: config.json + model.safetensors, and README.md where the model has a card.

Files are written beside and renamed.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from maskmotion import hub
from maskmotion.card import CARD, ModelCard, readme
from maskmotion.config import ModelConfig
from maskmotion.durable import write_atomically
from maskmotion.errors import ModelError
from maskmotion.models.animator import Animator

SCHEMA_VERSION = 1
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
README_NAME = "README.md"
STATISTICS = ("running_mean", "running_var")
STEP = "_step"  # ends the name of what an 8-bit weight is multiplied by
# Levels of 8-bit weights on either side of zero, by the weights of a convolution, from so many on:
# fewer compress better, at little loss, since the errors of many weights cancel.
LEVELS = {0: 127, 10_000: 31, 250_000: 7}
DEFAULT_MODEL = "people-tiny"


def save_model(
    model: Animator,
    folder: Path,
    *,
    dtype: torch.dtype = torch.float32,
    card: ModelCard | None = None,
    **about: object,
) -> None:
    """Write a model folder.

    Args:
        model: the networks.
        folder: made where it is missing; its files are replaced as wholes.
        dtype: dtype of the stored weights; BatchNorm statistics stay float32. torch.int8 stores
            convolutions in 8 bits, each output channel in steps of its own (`in_eight_bits`), and
            the rest in float16: half the size of float16, a quarter where the file is compressed;
            its pictures are some 40 dB from the weights' own, and fewer if it is stored so again.
        card: what users must know; also written as README.md. Without one README.md stays as it is.
        about: facts kept in config.json, such as data and steps of a training run; JSON values.
    """
    folder = Path(folder)
    weights = {k: v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    small = torch.float16 if dtype == torch.int8 else dtype
    tensors = {key: _stored(key, value, small) for key, value in weights.items()}
    if dtype == torch.int8:
        for key, value in weights.items():
            if value.ndim == 4:
                tensors[key], tensors[key + STEP] = in_eight_bits(value.detach().cpu())
    if card is not None:
        about[CARD] = card.model_dump(mode="json")
    text = json.dumps(
        {"schema": SCHEMA_VERSION, "model": model.config.model_dump(mode="json"), "about": about},
        indent=1,
    )
    write_atomically(folder / WEIGHTS_NAME, lambda path: save_file(tensors, path))
    write_atomically(folder / CONFIG_NAME, lambda path: path.write_text(text + "\n"))
    if card is not None:
        write_readme(folder)


def write_readme(folder: Path) -> None:
    """Write README.md of a model folder as `readme_of` has it.

    Raises:
        ModelError: as `describe`; or a broken card.
    """
    text = readme_of(folder)
    write_atomically(
        Path(folder) / README_NAME, lambda path: path.write_text(text, encoding="utf-8")
    )


def readme_of(folder: Path) -> str:
    """README.md from the facts in a model folder's config.json; raises as `write_readme`."""
    folder = Path(folder)
    return readme(folder.absolute().name, *describe(folder), count_parameters(folder))


def _stored(key: str, value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    keep = key.endswith(STATISTICS)
    return value.detach().cpu().to(torch.float32 if keep else dtype).contiguous()


def in_eight_bits(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight as whole steps: (out, ...) float -> the same shape int8, and steps (out, 1, ...).

    Their product is off by half a step at most: a 254th of the channel's largest weight, a 62nd in
    a convolution of 10,000 weights, a 14th in one of 250,000.
    """
    levels = next(LEVELS[count] for count in sorted(LEVELS)[::-1] if weight.numel() >= count)
    largest = weight.float().abs().amax(tuple(range(1, weight.ndim)), keepdim=True)
    step = largest.clamp(min=torch.finfo(torch.float32).tiny) / levels
    return (weight / step).round().to(torch.int8), step


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """A file's tensors; those of 8 bits as float32."""
    tensors = load_file(path)
    steps = {key: tensors.pop(key) for key in list(tensors) if key.endswith(STEP)}
    for key, step in steps.items():
        name = key.removesuffix(STEP)
        if name in tensors:
            tensors[name] = tensors[name].float() * step
    return tensors


def load_folder(folder: Path) -> Animator:
    """Read a model folder; float32, on the CPU, in evaluation mode.

    Raises:
        ModelError: files missing or broken, another schema, or weights that do not fit.
    """
    folder = Path(folder)
    config = read_config(folder)
    try:
        tensors = _read_weights(folder / WEIGHTS_NAME)
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
        if "exported" in data:
            raise ModelError(
                f"{folder} is an exported model, which `maskmotion animate` runs; give the model "
                "that it was made from"
            )
        schema, settings, about = data["schema"], data["model"], dict(data.get("about", {}))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not a model folder: it has no {CONFIG_NAME}; give a folder that "
            "`maskmotion train` or `maskmotion convert` wrote"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
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


def count_parameters(folder: Path) -> int | None:
    """How many weights a model folder stores; None where its weights are missing or broken."""
    try:
        with safe_open(Path(folder) / WEIGHTS_NAME, "pt") as file:
            names = file.keys()
            weights = [name for name in names if not name.endswith((*STATISTICS, STEP))]
            return sum(math.prod(file.get_slice(name).get_shape()) for name in weights)
    except (SafetensorError, OSError):
        return None


@contextmanager
def shipped_folder() -> Iterator[Path]:
    """The folder of the models inside the package."""
    with resources.as_file(resources.files("maskmotion") / "weights") as folder:
        yield folder


def shipped_models() -> list[str]:
    """Names of the models inside the package."""
    with shipped_folder() as folder:
        return sorted(p.parent.name for p in folder.glob(f"*/{CONFIG_NAME}"))


def hub_models() -> dict[str, Path]:
    """Models in the Hugging Face hub's cache: name as `load_model` takes it -> folder."""
    return {
        name: folder
        for name, folder in hub.cached_folders().items()
        if _holds_model(folder) and (folder / WEIGHTS_NAME).is_file()
    }


def _holds_model(folder: Path) -> bool:
    """Whether config.json was written by `save_model`, of whatever version."""
    try:
        data = json.loads((folder / CONFIG_NAME).read_text())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and {"schema", "model"} <= data.keys()


def load_model(
    name_or_dir: str | Path = DEFAULT_MODEL, *, device: str | torch.device = "cpu"
) -> Animator:
    """Load a model in evaluation mode: a folder, one inside the package, or one of the hub.

    Args:
        name_or_dir: a folder that `maskmotion train` or `maskmotion convert` wrote (a training
            run's folder works too); else a name that `maskmotion models` lists; else owner/name of
            a model on the Hugging Face hub, or owner/name@revision. Those are downloaded once
            and looked up at each call; where the hub cannot be reached, the cache is used.
        device: where the networks go.
    Returns:
        The networks, float32, in evaluation mode.
    Raises:
        ModelError: no such model, or one that cannot be read or downloaded.
    """
    with model_folder(name_or_dir) as folder:
        return load_folder(folder).to(device)


def describe_model(
    name_or_dir: str | Path = DEFAULT_MODEL,
) -> tuple[ModelConfig, dict[str, object]]:
    """Configuration of a model, and the facts about it; of the hub's no weights are downloaded.

    Args:
        name_or_dir: as `load_model`.
    Raises:
        ModelError: no such model, or no readable config.json.
    """
    with model_folder(name_or_dir, weights=False) as folder:
        return describe(folder)


@contextmanager
def model_folder(name_or_dir: str | Path, *, weights: bool = True) -> Iterator[Path]:
    """The folder of a model.

    Args:
        name_or_dir: as `load_model`.
        weights: False: of the hub's models, all but the weights will do.
    Raises:
        ModelError: no such model.
    """
    name, folder = str(name_or_dir), Path(name_or_dir)
    if (folder / "model" / CONFIG_NAME).is_file():
        yield folder / "model"
    elif folder.is_dir():
        yield folder
    elif name in shipped_models():
        with shipped_folder() as shipped:
            yield shipped / name
    elif isinstance(name_or_dir, str) and hub.is_hub_name(name) and not folder.exists():
        yield _hub_folder(name, weights)
    else:
        raise ModelError(
            f"there is no model {name!r}; give a model folder, owner/name of a model on the "
            f"Hugging Face hub, or one of: {', '.join(shipped_models()) or 'none is shipped'}"
        )


def _hub_folder(name: str, weights: bool) -> Path:
    # The small files first: other libraries' models of many gigabytes have a config.json, too.
    folder = hub.fetch(name, (CONFIG_NAME, README_NAME))
    if not _holds_model(folder):
        raise ModelError(
            f"{name} on the Hugging Face hub is no model of maskmotion; `maskmotion models` lists "
            "those that are at hand"
        )
    if not weights:
        return folder
    # By its commit, so that all files are of one version; of these the small ones are there.
    folder = hub.fetch(f"{name.partition('@')[0]}@{folder.name}", (CONFIG_NAME, WEIGHTS_NAME))
    if not (folder / WEIGHTS_NAME).is_file():
        raise ModelError(
            f"{name} on the Hugging Face hub has no {WEIGHTS_NAME}; tell its owner, or give "
            "another revision: owner/name@revision"
        )
    return folder
