"""Models as ONNX graphs, with a program that runs them without torch (docs/export.md)."""

import copy
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from maskmotion.config import ModelConfig
from maskmotion.errors import InputError, MissingExtraError, ModelError
from maskmotion.inference.engine import is_fast
from maskmotion.inference.exported import (
    BACKGROUND_STAGES,
    CONFIG_NAME,
    EXPORT_VERSION,
    STAGES,
    WARP_STAGE,
    is_exported,
)
from maskmotion.inference.graph_blocks import use_graph_blocks
from maskmotion.media.files import remove
from maskmotion.models.animator import Animator, large, small
from maskmotion.models.background import composition, composition_channels
from maskmotion.models.gate import laid_over
from maskmotion.models.mask import MASK_REDUCTION
from maskmotion.models.warp import figure, mixed, warp

TORCH_FREE = (
    "errors.py",
    "inference/__init__.py",
    "inference/backdrop.py",
    "inference/exported.py",
    "inference/layers.py",
    "inference/painter.py",
    "inference/pipeline.py",
    "inference/video.py",
    "media",
)
"""What the program takes along of the package: modules, and folders of modules."""
UNFINISHED = ".new."  # begins the name of what an export that was killed leaves in its folder
PROGRAM = "cli/standalone.py"
PROGRAM_NAME, README_NAME, PACKAGE_NAME = "animate.py", "README.md", "maskmotion"
EXAMPLE_BATCH = 2  # any but 1, which torch would take for a constant
LARGEST_BYTES = 2**31 - 2**24  # of a graph in one file
BATCH, STILL_BATCH = "batch", "batch_or_1"  # as the graphs call their first axes


@dataclass(frozen=True)
class Shape:
    """Of pictures: channels, how many times smaller than the networks' squares they are, and
    whether one may go with a whole batch."""

    channels: int
    reduction: int = 1
    is_still: bool = False

    @property
    def still(self) -> "Shape":
        """The same, of which one may go with a whole batch."""
        return replace(self, is_still=True)

    def of(self, size: int, batch: int) -> list[int]:
        """(batch, channels, side, side) for networks of a size."""
        side = size // self.reduction
        return [batch, self.channels, side, side]

    def __str__(self) -> str:
        side = "S" if self.reduction == 1 else f"S/{self.reduction}"
        return f"({'1 or B' if self.is_still else 'B'}, {self.channels}, {side}, {side})"


PICTURE, SMALL = Shape(3), Shape(3, MASK_REDUCTION)
ALPHA, MASK = Shape(1), Shape(1, MASK_REDUCTION)
FLOW = Shape(2, MASK_REDUCTION)
SCALE = None  # the one input that is no picture: (1,)


@dataclass(frozen=True)
class Stage:
    """A graph: a network with the small operations around it.

    name, about: of the graph. network: the model's attribute that `compute` calls. inputs: by name,
    in the order in which `compute` takes them after the model. outputs: by name, in the order in
    which it returns them.
    """

    name: str
    about: str
    network: str
    inputs: Mapping[str, Shape | None]
    outputs: Mapping[str, Shape]
    compute: Callable[..., tuple[Tensor, ...]]


def _mask(model: Animator, picture: Tensor) -> tuple[Tensor, ...]:
    state = model.encode_source(picture)
    return state.mask, state.small


def _refine(
    model: Animator, small_source: Tensor, source_mask: Tensor, driving_mask: Tensor, scale: Tensor
) -> tuple[Tensor, ...]:
    perturbed = perturb_by_tensor(driving_mask, model.config.threshold, scale)
    return perturbed, model.refiner(small_source, source_mask, perturbed)


def _low_res(
    model: Animator, small_source: Tensor, source_mask: Tensor, refined_mask: Tensor
) -> tuple[Tensor, ...]:
    return (model.low_res(small_source, source_mask, refined_mask),)


def _warp(
    model: Animator, source: Tensor, small_source: Tensor, source_mask: Tensor, refined_mask: Tensor
) -> tuple[Tensor, ...]:
    assert model.warper is not None
    flow = model.warper(small_source, source_mask, refined_mask)
    return warp(source, flow), flow


def _high_res(
    model: Animator,
    source: Tensor,
    source_mask: Tensor,
    low_res: Tensor,
    refined_mask: Tensor,
    warped: Tensor | None = None,
) -> tuple[Tensor, ...]:
    alpha = large(refined_mask)
    painted = model.high_res(source, large(source_mask), low_res, alpha, warped)
    if warped is None:
        return *laid_over(painted, source), alpha
    painted, own = mixed(painted, warped)
    return *laid_over(painted, source, figure(alpha)), alpha, own


def _background_compose(
    model: Animator,
    background: Tensor,
    background_small: Tensor,
    background_mask: Tensor,
    animated: Tensor,
    refined_mask: Tensor,
) -> tuple[Tensor, ...]:
    settings = model.config.threshold, model.config.mask_input
    masks = background_mask, refined_mask
    large_masks = large(background_mask), large(refined_mask)
    return (
        composition(background_small, small(animated), *masks, *settings),
        composition(background, animated, *large_masks, *settings),
    )


def _background_base(model: Animator, composed_small: Tensor) -> tuple[Tensor, ...]:
    assert model.background_base is not None
    return (model.background_base(composed_small),)


def _background_refine(
    model: Animator, background: Tensor, composed: Tensor, base: Tensor
) -> tuple[Tensor, ...]:
    assert model.background_refiner is not None
    return laid_over(model.background_refiner(composed, base), background)


def stages_of(config: ModelConfig) -> list[Stage]:
    """The stages of a model, in the order in which they run."""
    warped = {"warped": PICTURE} if config.warp else {}
    own = {"own": ALPHA} if config.warp else {}
    stages = [
        Stage(
            "mask",
            "m, for source, driving frames and background",
            "mask_generator",
            {"picture": PICTURE},
            {"mask": MASK, "small": SMALL},
            _mask,
        ),
        Stage(
            "refine",
            "P and r",
            "refiner",
            {"small_source": SMALL.still, "source_mask": MASK.still, "driving_mask": MASK}
            | {"scale": SCALE},
            {"perturbed_mask": MASK, "refined_mask": MASK},
            _refine,
        ),
        Stage(
            "low_res",
            "l",
            "low_res",
            {"small_source": SMALL.still, "source_mask": MASK.still, "refined_mask": MASK},
            {"low_res": PICTURE},
            _low_res,
        ),
        *[
            Stage(
                "warp",
                "w, and the source as it warps it; flow is how far right and down of a place lies "
                "what belongs there, in half sides",
                "warper",
                {"source": PICTURE.still, "small_source": SMALL.still, "source_mask": MASK.still}
                | {"refined_mask": MASK},
                warped | {"flow": FLOW},
                _warp,
            )
        ][: len(warped)],
        Stage(
            "high_res",
            "h; high_res is the result where there is no new background, gate how much of it was "
            "painted (the rest is source), alpha the mask enlarged"
            + ", own how much of what was painted does not come from warped"
            * config.warp,
            "high_res",
            {"source": PICTURE.still, "source_mask": MASK.still, "low_res": PICTURE}
            | {"refined_mask": MASK}
            | warped,
            {"high_res": PICTURE, "gate": ALPHA, "alpha": ALPHA} | own,
            _high_res,
        ),
    ]
    if not config.background_networks:
        return stages
    channels = composition_channels(config.mask_input)
    composed, composed_small = Shape(channels), Shape(channels, MASK_REDUCTION)
    return [
        *stages,
        Stage(
            "background_compose",
            "what the two background networks look at; animated is high_res",
            "",
            {"background": PICTURE.still, "background_small": SMALL.still}
            | {"background_mask": MASK.still, "animated": PICTURE, "refined_mask": MASK},
            {"composed_small": composed_small, "composed": composed},
            _background_compose,
        ),
        Stage(
            "background_base",
            "BGBase",
            "background_base",
            {"composed_small": composed_small},
            {"base": PICTURE},
            _background_base,
        ),
        Stage(
            "background_refine",
            "BGRefine; refined is the result on a new background, gate how much of it was painted",
            "background_refiner",
            {"background": PICTURE.still, "composed": composed, "base": PICTURE},
            {"refined": PICTURE, "gate": ALPHA},
            _background_refine,
        ),
    ]


def perturb_by_tensor(mask: Tensor, threshold: float, scale: Tensor) -> Tensor:
    """perturb_for_animation of square masks with a scale that the graph is given.

    Args:
        mask: (B, 1, n, n) in [0, 1].
        threshold: th in [0, 1].
        scale: (1,); 1 gives an identity matrix, and so leaves the size exactly as it is.
    Returns:
        (B, 1, n, n) in [0, 1].
    """
    pixel = torch.arange(mask.shape[-1], dtype=mask.dtype)
    centre = (len(pixel) - 1) / 2
    wanted = centre + (pixel - centre) / scale
    weight = (1 - (wanted[:, None] - pixel).abs()).clamp(min=0)  # (n, n)
    return weight @ torch.where(mask > threshold, mask, 0) @ weight.mT


def export_model(model: Animator, folder: Path, about: Mapping[str, object]) -> None:
    """Write an exported folder: the graphs of `stages_of`, and the program that runs them.

    Args:
        model: on any device.
        folder: made where missing; an export that is there is replaced once the new one is whole.
        about: facts kept in config.json and in the folder's README.md; JSON values.
    Raises:
        InputError: the folder holds anything else, or the model is an engine or too large.
        MissingExtraError: the extra "onnx" is missing.
    """
    if is_fast(model):
        raise InputError("an engine cannot be exported; export the model that it was made from")
    for name in ("onnx", "onnxscript"):
        if find_spec(name) is None:
            raise MissingExtraError(
                f"exporting needs {name}; install it with: pip install 'maskmotion[onnx]'"
            )
    largest = max(_bytes_of(network) for network in model.children())
    if largest > LARGEST_BYTES:
        raise ModelError(
            f"a network of this model takes {largest / 2**30:.1f} GiB, and a graph at most 2; "
            "export a model of less width"
        )
    folder = Path(folder).absolute()
    check_target(folder)
    stages = stages_of(model.config)
    texts = {
        CONFIG_NAME: _facts(model.config, about),
        README_NAME: readme(model.config, stages, about),
    }
    graphs = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    use_graph_blocks(graphs)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    # Inside, as a folder may lie on another disk than its parent.
    for left in folder.glob(f"{UNFINISHED}*"):
        remove(left)
    beside = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder))
    try:
        for stage in stages:
            export_graph(graphs, stage, beside / f"{stage.name}.onnx")
        _copy_program(beside)
        for name, text in texts.items():
            (beside / name).write_text(text, encoding="utf-8")
        _move(beside, folder)
    finally:
        remove(beside)
        for path in made:  # where nothing was written
            with suppress(OSError):
                path.rmdir()


def _move(beside: Path, folder: Path) -> None:
    """Put a new export in the place of an old one; what else lies there stays."""
    graphs = (f"{name}.onnx" for name in (*STAGES, WARP_STAGE, *BACKGROUND_STAGES))
    for name in (CONFIG_NAME, README_NAME, PROGRAM_NAME, PACKAGE_NAME, *graphs):
        remove(folder / name)
    # The configuration comes last: it makes the folder an export.
    for path in sorted(beside.iterdir(), key=lambda path: path.name == CONFIG_NAME):
        path.rename(folder / path.name)


def check_target(folder: Path) -> None:
    """Refuse a folder whose contents an export would destroy.

    Raises:
        InputError: a file, or a folder that holds anything but an export.
    """
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise InputError(f"{path} is a file; name a folder for the exported model")
    if not folder.is_dir() or is_exported(folder):
        return
    if any(not path.name.startswith(UNFINISHED) for path in folder.iterdir()):
        raise InputError(f"{folder} holds other files; name a new folder for the exported model")


def _bytes_of(network: nn.Module) -> int:
    """At most what the weights of a network take in its graph form."""
    # Enlarging convolutions have 16 weights where there were 9, final ones 64 where there were 49.
    return sum(p.numel() * 4 * 16 // 9 for p in network.parameters())


def _facts(config: ModelConfig, about: Mapping[str, object]) -> str:
    """What `maskmotion.inference.exported.read_config` reads."""
    facts = {
        "exported": EXPORT_VERSION,
        "size": config.image_size,
        "animation_scale": config.animation_scale,
        "background_networks": config.background_networks,
        "warp": config.warp,
        "about": dict(about),
    }
    return json.dumps(facts, indent=1) + "\n"


class _Graph(nn.Module):
    """A stage as torch exports it: still pictures are repeated for the batch."""

    def __init__(self, model: Animator, stage: Stage) -> None:
        super().__init__()
        # Without the other networks, whose weights torch would trace as well, for seconds.
        self.model = copy.copy(model)
        self.model._modules = {
            name: network for name, network in model.named_children() if name == stage.network
        }
        self.stage = stage

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        shapes = self.stage.inputs.values()
        # Not len(): that is a plain number, which torch would take for a constant.
        batch = next(
            x.shape[0]
            for x, shape in zip(inputs, shapes, strict=True)
            if shape is not None and not shape.is_still
        )
        repeated = [
            x.expand(batch, -1, -1, -1) if shape is not None and shape.is_still else x
            for x, shape in zip(inputs, shapes, strict=True)
        ]
        return self.stage.compute(self.model, *repeated)


def export_graph(model: Animator, stage: Stage, path: Path) -> None:
    """Write a stage as an ONNX graph.

    Args:
        model: with graph blocks.
        stage: of this model.
        path: to write to.
    """
    from onnx_ir import Shape as GraphShape

    size = model.config.image_size
    batch = torch.export.Dim(BATCH)
    examples: list[Tensor] = []
    dynamic: list[dict[int, torch.export.Dim] | None] = []
    for shape in stage.inputs.values():
        if shape is None:
            examples.append(torch.ones(1))
        else:
            examples.append(torch.zeros(shape.of(size, 1 if shape.is_still else EXAMPLE_BATCH)))
        dynamic.append(None if shape is None or shape.is_still else {0: batch})
    with torch.no_grad(), _quietly():
        program = torch.onnx.export(
            _Graph(model, stage),
            tuple(examples),
            input_names=list(stage.inputs),
            output_names=list(stage.outputs),
            dynamic_shapes=(tuple(dynamic),),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    for value, shape in zip(program.model.graph.inputs, stage.inputs.values(), strict=True):
        if shape is not None and shape.is_still:
            # Repeating one picture of one works, too.
            value.shape = GraphShape([STILL_BATCH, *shape.of(size, 1)[1:]])
    program.save(path, external_data=False)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the exporter says of its own inner workings."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def readme(config: ModelConfig, stages: Sequence[Stage], about: Mapping[str, object]) -> str:
    """What the folder's README.md says: how to run it, and what each graph takes and gives."""
    lines = [
        "# An exported model of maskmotion",
        "",
        "It animates a picture with the motion of a video, "
        + ("on any background." if config.background_networks else "on its own background."),
        "",
        *(f"- {key}: {value}" for key, value in about.items()),
        "",
        "```",
        "pip install onnxruntime numpy av pillow  # Python 3.11 or later",
        f"python {PROGRAM_NAME} --source me.png --driving dance.mp4 --out me_dancing.mp4",
        "```",
        "",
        f"`python {PROGRAM_NAME} --help` names the other options. Neither torch nor maskmotion is "
        "needed; with",
        "maskmotion installed, `maskmotion animate` takes this folder as `--model`.",
        "",
        "## The graphs",
        "",
        f"S is {config.image_size}, B any number of frames. Everything is float32 in [0, 1], "
        "pictures are RGB, and masks",
        "are 1 in the foreground. Where one of something goes with a whole batch, it says 1 or B.",
    ]
    for stage in stages:
        lines += ["", f"**{stage.name}.onnx**: {stage.about}.", ""]
        for word, values in (("takes", stage.inputs), ("gives", stage.outputs)):
            lines += [f"- {word} `{name}` {_in_words(shape)}" for name, shape in values.items()]
    lines += [
        "",
        f"`scale` is that of the driver's mask about its centre; this model's is "
        f"{config.animation_scale:g}.",
        "The background's mask is all zero for a plain scene, and the mask of the background where "
        "an object of",
        "the trained class is to be taken out of it. The order of the calls stands in "
        "`maskmotion/inference/exported.py`.",
    ]
    return "\n".join(lines) + "\n"


def _in_words(shape: Shape | None) -> str:
    return "(1,), above 0 and up to 2" if shape is None else str(shape)


def _copy_program(folder: Path) -> None:
    with resources.as_file(resources.files(PACKAGE_NAME)) as package:
        shutil.copyfile(package / PROGRAM, folder / PROGRAM_NAME)
        for part in TORCH_FREE:
            target = folder / PACKAGE_NAME / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if part.endswith(".py"):
                shutil.copyfile(package / part, target)
            else:
                shutil.copytree(
                    package / part, target, ignore=shutil.ignore_patterns("__pycache__")
                )
    # The package's own speaks of more than there is here.
    licence = metadata.distribution(PACKAGE_NAME).read_text("licenses/LICENSE")
    if licence:
        (folder / PACKAGE_NAME / "LICENSE").write_text(licence, encoding="utf-8")
    text = '"""The part of maskmotion that runs exported models, without torch."""\n'
    (folder / PACKAGE_NAME / "__init__.py").write_text(text, encoding="utf-8")
