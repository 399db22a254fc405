"""The folder of a training run: config.yaml, log.jsonl, previews/, checkpoints/, model/."""

import json
from collections.abc import Mapping
from pathlib import Path

from maskmotion.checkpoint import write_atomically
from maskmotion.config import TrainConfig, parse_yaml, to_yaml, validate
from maskmotion.errors import ConfigError, InputError

FREE_SECTIONS = ("run",)  # settings that may change when a run goes on


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

    def open(self, config: TrainConfig) -> None:
        """Start a run, or make sure that it goes on with the settings it was started with.

        Raises:
            ConfigError: the folder holds a run of other settings.
        """
        if self.config_path.exists():
            text = self.config_path.read_text()
            started = validate(parse_yaml(text, str(self.config_path)), str(self.config_path))
            changed = differences(started, config)
            if changed:
                raise ConfigError(
                    f"{self.path} holds a run with other settings ({'; '.join(changed)}); give "
                    "the same settings to go on, or another --out to start anew"
                )
        for folder in (self.checkpoints, self.previews):
            folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.config_path, lambda p: p.write_text(to_yaml(config)))

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
    found = []
    for section in TrainConfig.model_fields:
        if section in FREE_SECTIONS:
            continue
        old, new = getattr(started, section), getattr(config, section)
        if old == new:
            continue
        if not hasattr(old, "model_fields_set"):
            found.append(f"{section}: {old} -> {new}")
            continue
        for key in type(old).model_fields:
            if getattr(old, key) != getattr(new, key):
                found.append(f"{section}.{key}: {getattr(old, key)} -> {getattr(new, key)}")
    return found
