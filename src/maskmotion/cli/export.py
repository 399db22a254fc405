"""`maskmotion export`: a model becomes a folder of ONNX graphs and a program that runs them."""

import sys
from pathlib import Path
from typing import Literal

from maskmotion.card import plain_facts
from maskmotion.checkpoint import DEFAULT_MODEL, describe_model, load_model
from maskmotion.inference.export import check_target, export_model


def export(
    *,
    out: Path,
    model: str = DEFAULT_MODEL,
    format: Literal["onnx"] = "onnx",
) -> None:
    """Write a model as ONNX graphs, with a program that runs them without torch.

    Example: maskmotion export --model people-tiny --out exported

    The folder's README.md tells how to run it, and what each graph takes and gives. `maskmotion
    animate` takes the folder as --model, too.

    Args:
        out: the folder to write; one that holds an exported model is replaced.
        model: a name that `maskmotion models` lists, OWNER/NAME on the Hugging Face hub, or a
            model folder.
        format: onnx runs on ONNX Runtime, in browsers, and on OpenVINO.
    """
    check_target(out)
    export_model(load_model(model), out, {"model": Path(model).absolute().name} | facts_of(model))
    size = sum(path.stat().st_size for path in out.rglob("*.onnx"))
    sys.stdout.write(f"{out}: exported {model}, {size / 2**20:.1f} MiB of graphs\n")


def facts_of(model: str) -> dict[str, object]:
    """What a model's folder says about it: data, licence and the like."""
    return plain_facts(describe_model(model)[1])
