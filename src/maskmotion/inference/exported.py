"""Exported models on ONNX Runtime or OpenVINO, which needs numpy but no torch (docs/export.md)."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, get_args

import numpy as np

from maskmotion.errors import InputError, MissingExtraError, ModelError
from maskmotion.inference.painter import BackgroundKind, Lazy, Painted, Precision, batch_frames

CONFIG_NAME = "config.json"
EXPORT_VERSION = 3
MASK_REDUCTION = 4  # a mask has a quarter of its picture's size
STAGES = ("mask", "refine", "low_res", "high_res")
WARP_STAGE = "warp"
BACKGROUND_STAGES = ("background_compose", "background_base", "background_refine")
EXACT_STAGES = (
    "mask",
    "refine",
    "warp",
    "background_compose",
)  # thresholds magnify what a reduced precision loses, and so do places of pixels

Runtime = Literal["onnx", "openvino"]


class Stages(Protocol):
    """The graphs of an exported folder on a runtime."""

    name: str

    def run(self, stage: str, /, **inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        """The outputs of a graph by name, float32."""


@dataclass(frozen=True)
class ExportedConfig:
    """What config.json tells.

    size: side of the networks' squares, px. animation_scale: of the driving mask in P.
    background_networks: whether there are BGBase and BGRefine. warp: whether there is w.
    """

    size: int
    animation_scale: float
    background_networks: bool
    warp: bool = False


def is_exported(folder: str | Path) -> bool:
    """Whether a folder is one that `maskmotion export` wrote, of whatever version."""
    return "exported" in _facts(Path(folder))


def read_config(folder: str | Path) -> ExportedConfig:
    """The configuration of an exported folder.

    Raises:
        ModelError: no exported folder, or one of another version.
    """
    facts = _facts(Path(folder))
    if "exported" not in facts:
        raise ModelError(
            f"{folder} is not an exported model; write one with `maskmotion export --model MODEL "
            "--out FOLDER`"
        )
    if facts["exported"] != EXPORT_VERSION:
        raise ModelError(
            f"{folder} was exported in format {facts['exported']}, and this version of maskmotion "
            f"reads {EXPORT_VERSION}; export the model again"
        )
    try:
        config = ExportedConfig(
            int(facts["size"]),
            float(facts["animation_scale"]),
            bool(facts["background_networks"]),
            bool(facts.get("warp", False)),
        )
        if config.size < 1 or not 0 < config.animation_scale <= 2:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ModelError(
            f"{Path(folder) / CONFIG_NAME} has missing or wrong settings; export the model again"
        ) from None
    return config


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def open_exported(
    folder: str | Path,
    *,
    runtime: Runtime = "onnx",
    dtype: Precision = "auto",
    threads: int | None = None,
) -> "ExportedEngine":
    """An exported folder, ready to paint.

    Args:
        folder: that `maskmotion export` wrote.
        runtime: "onnx" is ONNX Runtime, "openvino" OpenVINO.
        dtype: "float32"; with OpenVINO also "bfloat16", for all but masks; "auto" takes that where
            the processor has it.
        threads: of the processor, to compute with; None: as many as it has cores.
    Raises:
        InputError: a dtype that the runtime does not have.
        MissingExtraError: the runtime is not installed.
        ModelError: no exported folder, one of another version, or graphs missing or broken.
    """
    if dtype not in get_args(Precision):
        raise InputError(f"dtype is one of {', '.join(get_args(Precision))}, not {dtype!r}")
    config = read_config(folder)
    names = [*STAGES, *(WARP_STAGE,) * config.warp]
    names += BACKGROUND_STAGES * config.background_networks
    paths = {name: Path(folder) / f"{name}.onnx" for name in names}
    for path in paths.values():
        if not path.is_file():
            raise ModelError(f"{folder} has no {path.name}; copy the whole exported folder")
    stages: Stages
    if runtime == "onnx":
        stages = OnnxRuntimeStages(paths, dtype, threads)
    elif runtime == "openvino":
        stages = OpenVinoStages(paths, dtype, threads)
    else:
        raise InputError(f"exported models run on onnx or openvino, not on {runtime!r}")
    return ExportedEngine(stages, config)


class OnnxRuntimeStages:
    """Graphs on ONNX Runtime, in float32; arguments and errors as `open_exported`."""

    def __init__(self, paths: Mapping[str, Path], dtype: Precision, threads: int | None) -> None:
        if dtype == "bfloat16":
            raise InputError("ONNX Runtime computes in float32; for bfloat16 take openvino")
        library = _library("onnxruntime", "onnx")
        options = library.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3  # errors alone
        # Threads that wait for the next batch would take time from those that read and write.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._sessions = {}
        for name, path in paths.items():
            with _opening(path):
                self._sessions[name] = library.InferenceSession(
                    path, options, providers=["CPUExecutionProvider"]
                )
        self.name = "ONNX Runtime, float32"

    def run(self, stage: str, /, **inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        """As `Stages.run`."""
        session = self._sessions[stage]
        names = [output.name for output in session.get_outputs()]
        with _running(stage):
            return dict(zip(names, session.run(names, inputs), strict=True))


class OpenVinoStages:
    """Graphs on OpenVINO, masks always in float32; arguments and errors as `open_exported`."""

    def __init__(self, paths: Mapping[str, Path], dtype: Precision, threads: int | None) -> None:
        core = _library("openvino", "openvino").Core()
        if dtype == "auto":
            has_it = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            dtype = "bfloat16" if has_it else "float32"
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads or 0}
        hints = {"float32": "f32", "bfloat16": "bf16"}
        self._requests = {}
        for name, path in paths.items():
            hint = hints["float32" if name in EXACT_STAGES else dtype]
            with _opening(path):
                compiled = core.compile_model(
                    path, "CPU", settings | {"INFERENCE_PRECISION_HINT": hint}
                )
            self._requests[name] = compiled.create_infer_request()
        self.name = f"OpenVINO, {dtype}"

    def run(self, stage: str, /, **inputs: np.ndarray) -> Mapping[str, np.ndarray]:
        """As `Stages.run`."""
        with _running(stage):
            return self._requests[stage].infer(inputs)


def _library(name: str, extra: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"this engine needs {name} ({error}); install it with: pip install "
            f"'maskmotion[{extra}]', or pip install {name}"
        ) from None


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each runtime has its own
        raise ModelError(
            f"{path} cannot be read ({_reason(error)}); copy the exported folder again"
        ) from None


@contextmanager
def _running(stage: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(
            f"{stage}.onnx cannot be run ({_reason(error)}); if it does not belong to the other "
            f"graphs and {CONFIG_NAME} beside it, copy the whole exported folder again"
        ) from None


def _reason(error: Exception) -> str:
    """The first line that says something; OpenVINO's own first ones name its source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Exception from", "Check '"))]
    return (told or lines or [type(error).__name__])[0].rstrip(".")


class ExportedEngine:
    """The graphs of an exported folder; an Engine (maskmotion.inference.painter).

    Args:
        stages: the graphs on a runtime.
        config: of the folder.
    """

    def __init__(self, stages: Stages, config: ExportedConfig) -> None:
        self.stages, self.config = stages, config
        self.name, self.size = stages.name, config.size
        self.batch_frames = batch_frames(config.size)

    def painter(
        self,
        source: np.ndarray,
        *,
        background: np.ndarray | None = None,
        background_kind: BackgroundKind = "scene",
        scale: float | None = None,
    ) -> "ExportedPainter":
        """As `Engine.painter`."""
        return ExportedPainter(self, source, background, background_kind, scale)


@dataclass(frozen=True)
class _Encoded:
    """A picture (B, 3, S, S), reduced (B, 3, S/4, S/4), and its mask (B, 1, S/4, S/4)."""

    picture: np.ndarray
    small: np.ndarray
    mask: np.ndarray


class ExportedPainter:
    """One source on one background, fed with driving frames; a Painter.

    The data flow is that of maskmotion.models.animator.
    """

    def __init__(
        self,
        engine: ExportedEngine,
        source: np.ndarray,
        background: np.ndarray | None,
        background_kind: BackgroundKind,
        scale: float | None,
    ) -> None:
        if background_kind not in ("scene", "class"):
            raise InputError(f"background_kind is scene or class, not {background_kind!r}")
        if scale is not None and not 0 < scale <= 2:
            raise InputError(f"the scale of the driving mask lies above 0 and up to 2, not {scale}")
        self._run = engine.stages.run
        self._config = engine.config
        self._same_class = background_kind == "class"
        taken = engine.config.animation_scale if scale is None else scale
        self._scale = np.array([taken], np.float32)
        self._source = self._encode(source[None])
        self._background = None if background is None else self._encode_background(background[None])

    def paint(self, squares: np.ndarray, scenes: np.ndarray | None = None) -> Painted:
        """As `Painter.paint`."""
        background = self._background if scenes is None else self._encode_background(scenes)
        source = self._source
        driving_mask = self._run("mask", picture=to_float(squares))["mask"]
        masks = self._run(
            "refine",
            small_source=source.small,
            source_mask=source.mask,
            driving_mask=driving_mask,
            scale=self._scale,
        )
        refined_mask = masks["refined_mask"]
        low_res = self._run(
            "low_res",
            small_source=source.small,
            source_mask=source.mask,
            refined_mask=refined_mask,
        )["low_res"]
        warped: dict[str, np.ndarray] = {}
        flows = np.zeros((len(squares), 2, *refined_mask.shape[-2:]), np.float32)
        if self._config.warp:
            made = self._run(
                WARP_STAGE,
                source=source.picture,
                small_source=source.small,
                source_mask=source.mask,
                refined_mask=refined_mask,
            )
            warped, flows = {"warped": made["warped"]}, made["flow"]
        high = self._run(
            "high_res",
            source=source.picture,
            source_mask=source.mask,
            low_res=low_res,
            refined_mask=refined_mask,
            **warped,
        )
        high_res, alpha, gate = high["high_res"], high["alpha"], high["gate"]
        kept = moved = np.zeros_like(gate)
        if self._config.warp:
            moved = gate * (1 - high["own"])
        pictures = {"refined_mask": alpha, "low_res": low_res, "high_res": high_res}
        if background is not None:
            swapped, new_gate = self._swap(high_res, refined_mask, background)
            kept = (1 - gate) * new_gate * alpha * figure(enlarged(source.mask))
            gate, moved = new_gate, new_gate * moved * figure(alpha)
            pictures |= swapped
        small_masks = {"driving_mask": driving_mask, "perturbed_mask": masks["perturbed_mask"]}
        layers = {name: lambda x=x: to_uint8(enlarged(x)) for name, x in small_masks.items()}
        layers |= {name: lambda x=x: to_uint8(x) for name, x in pictures.items()}
        frames = pictures["high_res" if background is None else "background_refined"]
        alphas, gates, keeps, moves = (to_uint8(x)[..., 0] for x in (alpha, gate, kept, moved))
        return Painted(to_uint8(frames), alphas, gates, keeps, moves, flows, Lazy(layers))

    def _encode(self, squares: np.ndarray) -> _Encoded:
        picture = to_float(squares)
        made = self._run("mask", picture=picture)
        return _Encoded(picture, made["small"], made["mask"])

    def _encode_background(self, squares: np.ndarray) -> _Encoded:
        if not self._config.background_networks:
            raise ModelError(
                "this model has no background networks; use one that was trained with them, or "
                "leave the background out"
            )
        encoded = self._encode(squares)
        if self._same_class:
            return encoded
        return _Encoded(encoded.picture, encoded.small, np.zeros_like(encoded.mask))

    def _swap(
        self, animated: np.ndarray, animated_mask: np.ndarray, background: _Encoded
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        composed = self._run(
            "background_compose",
            background=background.picture,
            background_small=background.small,
            background_mask=background.mask,
            animated=animated,
            refined_mask=animated_mask,
        )
        base = self._run("background_base", composed_small=composed["composed_small"])["base"]
        made = self._run(
            "background_refine",
            background=background.picture,
            composed=composed["composed"],
            base=base,
        )
        return {"background_base": base, "background_refined": made["refined"]}, made["gate"]


def to_float(squares: np.ndarray) -> np.ndarray:
    """Pictures as the graphs take them: (B, S, S, 3) uint8 -> (B, 3, S, S) float32 in [0, 1]."""
    return np.ascontiguousarray(squares.transpose(0, 3, 1, 2), np.float32) / 255


def to_uint8(pictures: np.ndarray) -> np.ndarray:
    """Pictures as files take them: (B, C, H, W) in [0, 1] -> (B, H, W, C) uint8."""
    levels = np.rint(pictures.clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))


def figure(mask: np.ndarray) -> np.ndarray:
    """A mask in [0, 1] without its outline, as maskmotion.models.warp.figure."""
    return (2 * mask - 1).clip(0)


def enlarged(masks: np.ndarray) -> np.ndarray:
    """U of docs/method.md: (B, C, h, w) -> (B, C, 4h, 4w), bilinear."""
    rows, columns = (_enlarging(side) for side in masks.shape[-2:])
    return rows @ masks @ columns.T


def _enlarging(side: int) -> np.ndarray:
    """(4 side, side) float32: what each pixel of an enlarged line takes from each of the line."""
    wanted = (np.arange(side * MASK_REDUCTION) + 0.5) / MASK_REDUCTION - 0.5
    wanted = wanted.clip(0, side - 1)  # beyond the outermost pixels these are repeated
    weight = 1 - np.abs(wanted[:, None] - np.arange(side))
    return weight.clip(0).astype(np.float32)
