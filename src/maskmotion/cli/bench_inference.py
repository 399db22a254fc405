"""`maskmotion bench inference`: frames/s and memory of every form in which models run."""

import dataclasses
import json
import sys
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from maskmotion.bench.forms import PRESETS, RUNTIMES, Runtime, subject_of
from maskmotion.bench.inference import forms_here, measure_inference
from maskmotion.bench.results import markdown
from maskmotion.cli.steps import Steps
from maskmotion.inference.devices import pick_device

Count = Annotated[int | None, Parameter(validator=Number(gte=1))]


def inference(
    *,
    model: Annotated[list[str] | None, Parameter(negative="")] = None,
    engines: Annotated[
        tuple[Runtime, ...], Parameter(consume_multiple=True, negative="")
    ] = RUNTIMES,
    rounds: Count = None,
    batch: Count = None,
    threads: Count = None,
    device: str = "auto",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Measure frames/s and memory of every form in which models run.

    Example: maskmotion bench inference --model robot-tiny --rounds 3

    The forms are plain (the networks as they are written down, in float32), the engine on torch in
    float32 and bfloat16, the exported model on ONNX Runtime and OpenVINO where these are installed,
    and torch from a 1080p video file to a video file. Each is a process of its own, and they paint
    in turn, with and without a new background. Two idle cores take some minutes.

    Args:
        model: a model's folder or name; several (--model A --model B) one after the other. tiny,
            small and base (the paper's) are networks with random weights; left out, all three.
        engines: what to measure beside plain: torch, onnx, openvino.
        rounds: turns of each form; left out, as many as there is time for, 2 to 9.
        batch: frames painted at once; left out, what each engine takes as best.
        threads: of the processor; left out, torch's choice.
        device: auto, cpu, cuda or mps; on a GPU plain and torch alone are measured.
        as_json: print JSON, for programs.
    """
    subjects = PRESETS if model is None else [subject_of(name) for name in model]
    where = str(pick_device(device))
    forms, left_out = forms_here(engines, where)
    with Steps(0) as steps:
        report = measure_inference(
            subjects,
            forms,
            device=where,
            rounds=rounds,
            batch=batch,
            threads=threads,
            progress=steps.show,
        )
    report = dataclasses.replace(report, notes=(*left_out, *report.notes))
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(report), indent=2) + "\n")
    else:
        sys.stdout.write(markdown(report))
