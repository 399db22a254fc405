"""All settings: frozen pydantic models, the one source for YAML, flags, help and checks."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maskmotion.errors import ConfigError

WINDOW_STEP = 8  # px, so that the least of the loss's scales has whole pixels
MaskInput = Literal["binary", "soft", "none"]
Model = TypeVar("Model", bound=BaseModel)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Settings):
    """The networks."""

    width: float = Field(
        1.0, gt=0, le=4, description="multiplier on all channel counts; 1 is the paper"
    )
    image_size: int = Field(256, multiple_of=128, ge=128, description="side of the frames, px")
    threshold: float = Field(
        60 / 255, ge=0, lt=1, description="th: mask values up to it count as background"
    )
    animation_scale: float = Field(
        0.75, gt=0, le=2, description="scale of the driving mask in animation (P)"
    )
    background_networks: bool = Field(True, description="hold BGBase and BGRefine")
    mask_input: MaskInput = Field("binary", description="masks that BGBase and BGRefine see")
    padded_masks: bool = Field(False, description="pad m's last convolution, not its output")
    mask_skips: bool = Field(False, description="skip connections in m and r")
    gate: bool = Field(
        False,
        description="h and BGRefine also paint how much of their picture is used; the rest is the "
        "source, or the new background, unchanged",
    )
    warp: bool = Field(
        False,
        description="a further network, w, warps the source, and h takes from that what it need "
        "not paint anew",
    )


class DataConfig(_Settings):
    """Clips and pairs of frames."""

    folders: tuple[Path, ...] = Field((), description="folders of clips")
    repeats: int = Field(1, ge=1, description="times that each identity is seen in an epoch")
    pair_candidates: int = Field(
        1, ge=1, le=16, description="draw this many pairs and keep the one that changes most"
    )
    jitter: float = Field(
        0.1, ge=0, le=0.5, description="brightness, contrast, saturation and hue jitter"
    )
    other_scenes: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the samples with a learned true alpha (motion.truth) on which the "
        "background networks see another clip's scene, as in a swap, and not the source",
    )
    twins: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the samples with a learned true alpha (motion.truth) that another "
        "drives who moves alike, where such others were rendered",
    )
    pasted: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the samples whose foreground is put on another clip's scene, for all "
        "networks: what moves before a still camera, or with motion.truth what the true alpha says",
    )
    cache: Path | None = Field(
        None, description="folder of decoded frames, shared freely; default: inside the run"
    )
    decode: Literal["once", "always"] = Field(
        "once",
        description="all clips once into the cache, or each frame whenever it is drawn: needs "
        "clips of short GOPs, and hardly any disk",
    )


def window_px(size: int, window: float) -> int:
    """Side of the windows that `LossConfig.window` cuts out of pictures of this side, px."""
    return round(window * size / WINDOW_STEP) * WINDOW_STEP


class LossConfig(_Settings):
    """Weights of the losses."""

    perceptual: float = Field(10.0, ge=0, description="weight of each VGG layer")
    vgg_layers: tuple[Literal[1, 2, 3, 4, 5], ...] = Field(
        (1, 2, 3), min_length=1, description="layers relu1_1 to relu5_1"
    )
    scales: tuple[Literal[1, 2, 4, 8], ...] = Field(
        (1, 2, 4, 8), min_length=1, description="reductions at which pictures are compared"
    )
    window: float = Field(
        1.0,
        ge=0.25,
        le=1,
        description="side of the part of each picture that is compared, mostly where it changes; 1 "
        "compares all of it",
    )
    refiner: float = Field(100.0, ge=0, description="weight of the refiner's L1")
    own: float = Field(
        40.0,
        ge=0,
        description="weight of what h paints of the figure instead of taking it from the warped "
        "source",
    )


class MotionConfig(_Settings):
    """What the mask generator is taught (not in the paper): what moves, or the true alpha."""

    weight: float = Field(0.0, ge=0, description="weight of the cross-entropy; 0 turns it off")
    alone_samples: int = Field(
        0, ge=0, description="samples at the start on which m and r train alone, cheaply"
    )
    zoom: float = Field(
        1.0,
        ge=1,
        le=4,
        description="while m and r train alone, half of the samples are enlarged by up to this",
    )
    only: bool = Field(
        False, description="m learns from motion alone: l's gradients do not reach it"
    )
    truth: bool = Field(
        False,
        description="of clips with a true alpha, m and r learn it, instead of what moves",
    )
    fixed: bool = Field(
        False,
        description="in whole steps m and r stay as the start or motion.alone_samples made them",
    )
    refined: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the samples on which l, h and the background networks see r's mask, "
        "as in animation, and not m's",
    )


class ScheduleConfig(_Settings):
    """Optimiser and epochs."""

    epochs: int = Field(
        100,
        ge=0,
        description="of whole steps; 0 trains m and r alone (motion.alone_samples), and leaves the "
        "other networks as the start has them",
    )
    batch_size: int = Field(16, ge=2, description="samples a step, of all processes together")
    batch_parts: int = Field(
        1,
        ge=1,
        description="work through a batch in this many parts, to save memory; BatchNorm then sees "
        "a part at a time",
    )
    learning_rate: float = Field(2e-4, gt=0)
    milestones: tuple[int, ...] = Field((60, 90), description="epochs that divide lr by ten")
    average: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="the model that is saved is the running mean of the weights, which keeps this "
        "much of itself a step; 0 saves the weights as they are",
    )
    refiner_epoch: int = Field(1, ge=0, description="first epoch (from 0) that trains r")
    background_epoch: int = Field(
        2, ge=0, description="first epoch (from 0) that trains the background networks"
    )


class RunConfig(_Settings):
    """How a run is carried out; none of these changes what is learned, but precision."""

    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_minutes: float = Field(5.0, gt=0)
    preview_steps: int = Field(500, ge=1)


class TrainConfig(_Settings):
    """Everything that a training run is made of."""

    seed: int = Field(0, ge=0)
    start: str | None = Field(
        None, description="model whose networks the run starts with; those of other shapes are new"
    )
    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    motion: MotionConfig = MotionConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    run: RunConfig = RunConfig()

    @property
    def sees_other_scenes(self) -> bool:
        """Whether samples are put on scenes of other clips, for some networks or all."""
        return self.data.pasted > 0 or self.data.other_scenes > 0

    @model_validator(mode="after")
    def _motion_has_weight(self) -> "TrainConfig":
        motion = self.motion
        if motion.weight == 0 and (motion.only or motion.alone_samples or motion.truth):
            raise ValueError(
                "motion.only, motion.truth and motion.alone_samples need a motion.weight above 0"
            )
        if motion.zoom > 1 and not motion.alone_samples:
            raise ValueError(
                "motion.zoom enlarges what m and r see alone: set motion.alone_samples above 0"
            )
        return self

    @model_validator(mode="after")
    def _fixed_masks_are_there(self) -> "TrainConfig":
        if self.motion.fixed and self.start is None and not self.motion.alone_samples:
            raise ValueError(
                "motion.fixed keeps m and r as they are: start with a model that has them (--from "
                "MODEL), or set motion.alone_samples above 0"
            )
        return self

    @model_validator(mode="after")
    def _something_is_trained(self) -> "TrainConfig":
        if self.schedule.epochs == 0 and not (self.start and self.motion.alone_samples):
            raise ValueError(
                "schedule.epochs=0 trains m and r alone: it needs motion.alone_samples above 0 and "
                "a model that has the other networks (--from MODEL)"
            )
        return self

    @model_validator(mode="after")
    def _windows_are_large_enough(self) -> "TrainConfig":
        least = max(self.loss.scales) * 2 ** (max(self.loss.vgg_layers) - 1)
        if window_px(self.model.image_size, self.loss.window) < least:
            raise ValueError(
                f"loss.window must be at least {least / self.model.image_size:g} with these "
                "loss.scales and loss.vgg_layers"
            )
        return self

    @model_validator(mode="after")
    def _refined_masks_are_learned(self) -> "TrainConfig":
        if self.motion.refined > 0 and self.schedule.refiner_epoch > 0:
            raise ValueError("motion.refined needs schedule.refiner_epoch=0, or motion.refined=0")
        return self

    @model_validator(mode="after")
    def _other_scenes_have_truth(self) -> "TrainConfig":
        if self.data.other_scenes > 0 and not self.motion.truth:
            raise ValueError("data.other_scenes needs motion.truth=true, or data.other_scenes=0")
        return self

    @model_validator(mode="after")
    def _twins_are_refined(self) -> "TrainConfig":
        if self.data.twins > 0 and not (self.motion.truth and self.schedule.refiner_epoch == 0):
            raise ValueError(
                "data.twins needs motion.truth=true and schedule.refiner_epoch=0, or data.twins=0"
            )
        return self


def validate(data: dict[str, Any], origin: str) -> TrainConfig:
    """Build a TrainConfig, naming every bad key at once.

    Raises:
        ConfigError: unknown keys or values out of range.
    """
    try:
        return TrainConfig.model_validate(data)
    except ValidationError as error:
        problems = "; ".join(
            ": ".join(filter(None, (".".join(map(str, e["loc"])), _words(e["msg"]))))
            for e in error.errors()
        )
        raise ConfigError(f"{origin}: {problems}") from None


def _words(message: str) -> str:
    """A message of pydantic's, without the kind of error that it puts before our own."""
    return message.removeprefix("Value error, ")


def checked(model: type[Model], values: Mapping[str, object]) -> Model:
    """Settings of a kind from the words of a user.

    Raises:
        ConfigError: a value is out of range; the first is named.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        words = first["msg"][:1].lower() + first["msg"][1:]
        raise ConfigError(f"{first['loc'][0]} is {first['input']!r}: {words}") from None


def preset_names() -> list[str]:
    """Names of the presets inside the package."""
    folder = resources.files("maskmotion") / "presets"
    return sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """Settings of a preset by name, or of a YAML file by path.

    Raises:
        ConfigError: no such preset or file, or not a YAML mapping.
    """
    if name in preset_names():
        text = (resources.files("maskmotion") / "presets" / f"{name}.yaml").read_text()
    elif Path(name).is_file():
        text = Path(name).read_text()
    else:
        raise ConfigError(
            f"there is no preset {name!r}; choose one of {', '.join(preset_names())}, "
            "or give a YAML file"
        )
    return parse_yaml(text, name)


def parse_yaml(text: str, origin: str) -> dict[str, Any]:
    """A YAML mapping as a dict.

    Raises:
        ConfigError: not YAML, or not a mapping.
    """
    try:
        data = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date with a 13th month
        raise ConfigError(f"{origin} is not valid YAML ({error})".replace("\n", " ")) from None
    if not isinstance(data, dict):
        raise ConfigError(f"{origin} must hold a mapping of settings, not {type(data).__name__}")
    return data


def override(data: dict[str, Any], assignments: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """Apply `section.key=value` assignments (values as YAML) to nested settings; a new dict.

    Raises:
        ConfigError: an assignment without "=".
    """
    merged: dict[str, Any] = {k: dict(v) if isinstance(v, dict) else v for k, v in data.items()}
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals or not path:
            raise ConfigError(f"--set takes section.key=value, got {assignment!r}")
        *sections, key = path.split(".")
        target = merged
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigError(f"--set {assignment}: {section!r} is not a section")
        try:
            target[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError):
            raise ConfigError(f"--set {assignment}: the value is not valid YAML") from None
    return merged


def to_yaml(config: BaseModel) -> str:
    """Settings as YAML text that `parse_yaml` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
