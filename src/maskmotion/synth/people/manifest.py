"""What a folder of rendered people was made with, and which seeds its clips have."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maskmotion.durable import write_atomically
from maskmotion.errors import DataError
from maskmotion.media.files import require_folder, writing

FILE = "manifest.json"
LOCK = ".lock"
MOST_CLIPS = 100_000  # of one seed; their names have five digits
MOST_OTHERS = 9


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(_Model):
    """What all clips of a folder have in common.

    seed: another one gives other people, motions, scenes and cameras; framing: mixed is two of
    "body" to one of "portrait"; size: side of the frames, px; frames: length of each clip;
    backgrounds: a fingerprint of the pictures to stand before, None for drawn scenes.
    """

    seed: int = Field(ge=0, le=1_000_000_000)
    framing: Literal["body", "portrait", "mixed"] = "mixed"
    size: int = Field(256, ge=64, le=1024, multiple_of=2)
    fps: float = Field(25.0, ge=1, le=120)
    frames: int = Field(96, ge=2, le=1000)
    backgrounds: str | None = None


class Amount(_Model):
    """How much of it is asked for; the same folder may get more later.

    clips: in all; other_people and other_scenes: counterfactuals of each clip; jobs: processes.
    """

    clips: int = Field(ge=1, le=MOST_CLIPS)
    other_people: int = Field(0, ge=0, le=MOST_OTHERS)
    other_scenes: int = Field(0, ge=0, le=MOST_OTHERS)
    jobs: int | None = Field(None, ge=1)


class Manifest(_Model):
    """A folder of rendered people.

    software: what the bytes of its files depend on beside the settings; clips: name, framing,
    seeds and counterfactuals of each clip that is there.
    """

    kind: Literal["maskmotion rendered people"] = "maskmotion rendered people"
    version: Literal[1] = 1
    settings: Settings
    software: dict[str, str]
    clips: tuple[dict[str, Any], ...] = ()


def read_manifest(out: Path, settings: Settings) -> Manifest | None:
    """The manifest of a folder; None where there is nothing yet.

    Raises:
        DataError: the folder is a file, holds other things, or was made with other settings.
    """
    require_folder(out, "the clips")
    if not (out / FILE).exists():
        if out.exists() and any(entry.name != LOCK for entry in out.iterdir()):
            raise DataError(f"{out} holds other things; --out takes a new or empty folder")
        return None
    try:
        manifest = Manifest.model_validate_json((out / FILE).read_bytes())
    except (ValidationError, OSError):
        raise DataError(
            f"{out / FILE} is not of `maskmotion synth people`, or is damaged; name another --out"
        ) from None
    _require_same(out, manifest.settings.model_dump(), settings.model_dump(), "settings")
    return manifest


def require_software(out: Path, manifest: Manifest, software: dict[str, str]) -> None:
    """Refuse to add clips of other software, which would look otherwise.

    Raises:
        DataError: a version or the renderer is another one.
    """
    _require_same(out, manifest.software, software, "software")


def save_manifest(manifest: Manifest, out: Path) -> None:
    """Write the manifest into its folder.

    Raises:
        MediaError: the disk does not take it.
    """
    content = manifest.model_dump()
    # One line a clip, so that it can be read and searched.
    clips = ",\n".join(json.dumps(clip) for clip in content.pop("clips"))
    text = f'{json.dumps(content, indent=1)[:-2]},\n "clips": [\n{clips}\n ]\n}}\n'
    with writing(out / FILE):
        write_atomically(out / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def _require_same(out: Path, had: dict[str, Any], have: dict[str, Any], what: str) -> None:
    differing = [key for key, value in had.items() if have.get(key) != value]
    if differing:
        words = ", ".join(
            "other pictures as backgrounds" if key == "backgrounds" else f"{key} {had[key]}"
            for key in differing
        )
        raise DataError(f"{out} was made with {words}; use the same {what} or another --out")
