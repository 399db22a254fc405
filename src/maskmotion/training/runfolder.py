"""The folder of a training run: its settings, records, checkpoints and model."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from maskmotion.config import TrainConfig, parse_yaml, to_yaml, validate
from maskmotion.durable import locked, write_atomically
from maskmotion.errors import ConfigError, InputError
from maskmotion.training.state import checkpoints

# Settings that may change when a run goes on: they leave what was learned so far as it is.
FREE_KEYS = {
    "run.checkpoint_minutes",
    "run.preview_steps",
    "data.cache",
    "data.decode",
    "data.folders",
    "schedule.average",
    "schedule.epochs",
    "model.animation_scale",
}


class RunFolder:
    """Paths and records of one run.

    Args:
        path: made where missing.
    Raises:
        InputError: the path is a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{path} is a file; --out takes a folder for the training run")
        self.config_path = self.path / "config.yaml"
        self.log_path = self.path / "log.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.previews = self.path / "previews"
        self.model = self.path / "model"
        self.frames = self.path / "frames"
        self.tensorboard = self.path / "tensorboard"

    def check(self, config: TrainConfig) -> None:
        """Make sure that a run goes on with the settings it was started with; writes nothing.

        A run that left before its first checkpoint is none.

        Raises:
            ConfigError: the folder holds a run of other settings.
        """
        if not checkpoints(self.checkpoints) or not self.config_path.exists():
            return
        text = self.config_path.read_text()
        started = validate(parse_yaml(text, str(self.config_path)), str(self.config_path))
        changed = differences(started, config)
        if changed:
            raise ConfigError(
                f"{self.path} holds a run with other settings ({'; '.join(changed)}); give "
                "the same settings to go on, or another --out to start anew"
            )

    @contextmanager
    def held(self, config: TrainConfig) -> Iterator[None]:
        """Make the folder ready for `config`, and keep other processes out meanwhile.

        Raises:
            ConfigError: as `check`.
            InputError: another process trains in this folder.
        """
        for folder in (self.checkpoints, self.previews):
            folder.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            if not locked(file.fileno()):
                raise InputError(
                    f"another `maskmotion train` is at work in {self.path}; wait for it, or give "
                    "another --out"
                )
            self.check(config)  # once more: another process may have been here meanwhile
            for folder in (self.path, self.checkpoints, self.previews, self.model, self.frames):
                for left in folder.glob(".*.tmp"):  # of a process killed while it wrote
                    left.unlink()
            write_atomically(self.config_path, lambda p: p.write_text(to_yaml(config)))
            yield

    def log(self, entry: Mapping[str, object]) -> None:
        """Append one JSON line."""
        with self.log_path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def rewind_log(self, step: int) -> None:
        """Forget the lines of steps that a resumed run takes again."""
        if not self.log_path.exists():
            return
        kept = []
        for line in self.log_path.read_text().splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                continue  # the last line of a killed run may be cut
        write_atomically(self.log_path, lambda p: p.write_text("".join(kept)))


def differences(started: TrainConfig, config: TrainConfig) -> list[str]:
    """Settings that differ, as `section.key: old -> new`, but for those that are free to."""
    old, new = _flat(started), _flat(config)
    return [
        f"{key}: {_shown(old[key])} -> {_shown(new[key])}"
        for key in old
        if key not in FREE_KEYS and _absolute(old[key]) != _absolute(new[key])
    ]


def _flat(config: TrainConfig) -> dict[str, object]:
    """Settings by `section.key`."""
    flat: dict[str, object] = {}
    for section in TrainConfig.model_fields:
        value = getattr(config, section)
        if isinstance(value, BaseModel):
            flat |= {f"{section}.{key}": getattr(value, key) for key in type(value).model_fields}
        else:
            flat[section] = value
    if config.start is not None:
        flat["start"] = Path(config.start)  # one folder by any name, also when it is gone
    return flat


def _absolute(value: object) -> object:
    """A setting with its paths made absolute, so that two names of one folder are equal."""
    if isinstance(value, tuple):
        return tuple(_absolute(part) for part in value)
    return value.resolve() if isinstance(value, Path) else value


def _shown(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
