"""`maskmotion evaluate`: measure models on clips, beside baselines."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from cyclopts import Parameter

from maskmotion.checkpoint import DEFAULT_MODEL, load_model
from maskmotion.cli.steps import Steps
from maskmotion.errors import ConfigError, DataError, InputError
from maskmotion.evaluation import protocols
from maskmotion.evaluation.cases import (
    RenderedCase,
    SameClip,
    crossed,
    evaluation_clips,
    on_backgrounds,
)
from maskmotion.evaluation.evaluate import Tools, require_one_size
from maskmotion.evaluation.evaluate import evaluate as measure
from maskmotion.evaluation.faces import Faces
from maskmotion.evaluation.lpips import LPIPS, load_lpips
from maskmotion.evaluation.page import require_extra
from maskmotion.evaluation.report import markdown, require_writable, write_report
from maskmotion.inference.devices import pick_device
from maskmotion.inference.engine import fast

TRUTH_CASES = 40
TRUTH_FRAMES = 48

Name = Literal["reconstruction", "cross", "truth", "background"]


def evaluate(
    *,
    model: Annotated[list[str] | None, Parameter(negative="")] = None,
    protocol: Name,
    data: Path,
    out: Path | None = None,
    backgrounds: Path | None = None,
    clips: int | None = None,
    every: int = 4,
    scale: float | None = None,
    faces: Annotated[bool, Parameter(negative="")] = False,
    lpips_weights: Path | None = None,
    device: str = "auto",
) -> None:
    """Measure models on clips, beside baselines, with intervals.

    Example: maskmotion evaluate --model runs/mine --protocol cross --data my_clips --out report

    reconstruction rebuilds each clip from its first frame, as the paper evaluates. cross drives
    each clip's first frame with a clip of another identity. truth renders people and compares
    with the true picture: this person doing that motion. background puts clips on given scenes.

    Without --out the tables are printed. A folder gets report.html, with plots and pictures, and
    report.json.

    Args:
        model: a model's folder or name; several (--model A --model B) are compared.
        protocol: reconstruction, cross, truth or background.
        data: a folder of clips that the models did not see in training; where it has test/, the
            clips in that. For truth, a folder in which the rendered cases are kept.
        out: folder of the report.
        backgrounds: for background: a folder of pictures, or one picture.
        clips: evaluate on so many clips, spread over the folder; left out, on all, or on 40 cases
            of truth.
        every: take every n-th frame.
        scale: of the driving mask about its centre; left out, each model's own.
        faces: measure AKD, MKR and AED too; for reconstruction and cross of faces.
        lpips_weights: a folder with the weights of LPIPS; left out, they are downloaded once.
        device: auto, cpu, cuda or mps.
    """
    if (backgrounds is None) == (protocol == "background"):
        raise ConfigError(
            "--backgrounds FOLDER goes with --protocol background, which needs it, and no other"
        )
    if clips is not None and clips < 1:
        raise ConfigError(f"--clips is a number from 1, not {clips}")
    if every < 1:
        raise ConfigError(f"--every is a number from 1, not {every}")
    if scale is not None and not 0 < scale <= 2:
        raise ConfigError(f"--scale lies above 0 and up to 2, not {scale}")
    if faces and protocol not in ("reconstruction", "cross"):
        raise ConfigError("--faces goes with --protocol reconstruction or cross")
    require_extra()
    if out is not None:
        require_writable(out)
    where = pick_device(device)
    chosen = _named(model or [DEFAULT_MODEL])
    models = {name: fast(load_model(path, device=where)) for name, path in chosen.items()}
    require_one_size(models)
    notes: list[str] = []
    with Steps(TRUTH_FRAMES * 2) as steps:
        cases = _protocol(protocol, data, backgrounds, clips, steps)
        tools = Tools(lpips=_lpips(lpips_weights, where, notes), faces=Faces() if faces else None)
        report = measure(
            models,
            cases,
            every=every,
            scale=scale,
            tools=tools,
            notes=notes,
            settings={
                "models": chosen,
                "data": str(data),
                "backgrounds": None if backgrounds is None else str(backgrounds),
                "clips": clips,
                "every": every,
                "scale": scale,
                "faces": faces,
                "lpips_weights": None if lpips_weights is None else str(lpips_weights),
                "device": str(where),
            },
            progress=lambda done, total: steps.show("evaluating", done, total),
        )
    # Before it is written: a full disk loses nothing.
    sys.stdout.write(markdown(report))
    sys.stdout.writelines(f"\n{note}\n" for note in report.notes)
    if out is not None:
        write_report(report, out)
        sys.stdout.write(f"\n{out / 'report.html'} shows plots and pictures\n")


def _protocol(
    name: Name, data: Path, backgrounds: Path | None, clips: int | None, steps: Steps
) -> protocols.Protocol:
    if name == "truth":
        return protocols.truth(_truth(data, clips or TRUTH_CASES, steps))
    found = evaluation_clips(data, clips)
    if name == "reconstruction":
        return protocols.reconstruction([SameClip(clip) for clip in found])
    if name == "cross":
        return protocols.cross(crossed(found))
    assert backgrounds is not None
    return protocols.background(on_backgrounds(found, backgrounds))


def _truth(folder: Path, cases: int, steps: Steps) -> list[RenderedCase]:
    """The first cases of a folder, which are rendered where they are not there."""
    from maskmotion.synth.people.truth import make_truth, read_truth

    try:
        found = read_truth(folder)
    except DataError:  # nothing there, or something else, as making it will tell
        found = []
    if len(found) < cases:
        make_truth(folder, cases=cases, frames=TRUTH_FRAMES, progress=steps.show)
        found = read_truth(folder)
    return [RenderedCase(case) for case in found[:cases]]


def _named(models: Sequence[str]) -> dict[str, str]:
    """Short names for reports -> models as they were given."""
    places = [_place(model) for model in models]
    if len(set(places)) < len(places):
        raise InputError("the same --model is given twice; name each once")
    short = [Path(place).name for place in places]
    names = short if len(set(short)) == len(short) else places
    return dict(zip(names, models, strict=True))


def _place(model: str) -> str:
    """What a model is, however it is written: a folder's full path, or a name."""
    path = Path(model)
    if not path.is_dir():
        return model
    path = path.resolve()
    return str(path.parent if path.name == "model" else path)


def _lpips(weights: Path | None, device: torch.device, notes: list[str]) -> LPIPS | None:
    """LPIPS; where its weights cannot be downloaded, a note says that it was left out."""
    try:
        return load_lpips(weights).to(device)
    except ConfigError as error:
        if weights is not None:
            raise
        sys.stderr.write(f"{error}\n")
        notes.append(f"LPIPS was left out: {error}")
        return None
