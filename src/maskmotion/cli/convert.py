"""`maskmotion convert`: a released checkpoint becomes a model folder."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from maskmotion.checkpoint import save_model
from maskmotion.convert import convert_checkpoint
from maskmotion.errors import InputError

THRESHOLDS = {"faces": 100 / 255, "bodies": 60 / 255, "robots": 60 / 255}


def convert(
    checkpoint: Path,
    *,
    out: Path,
    kind: Annotated[Literal["faces", "bodies", "robots"], Parameter(name="--class")],
) -> None:
    """Turn a released checkpoint of Perturbed Masks into a model folder.

    Example: maskmotion convert taichi.pth.tar --class bodies --out models/taichi

    Takes checkpoints of the paper and of its background-swap extension. Only plain weights are
    read; a file that holds code is refused.

    Args:
        checkpoint: the file to read.
        out: the model folder to write.
        kind: what the checkpoint was trained on; it sets the masks' threshold.
    """
    for path in (out, *out.parents):
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file; --out takes a folder for the model")
    model = convert_checkpoint(checkpoint, threshold=THRESHOLDS[kind])
    save_model(model, out, converted_from=checkpoint.name)
    swap = "with" if model.config.background_networks else "without"
    sys.stdout.write(f"{out}: converted {checkpoint.name}, {swap} background networks\n")
