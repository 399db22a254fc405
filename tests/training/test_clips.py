"""The form in which clips lie on the disk changes nothing that is learned."""

from pathlib import Path
from typing import Any

from maskmotion.config import TrainConfig
from maskmotion.data.pack import pack_clips

from .conftest import REFERENCE_STEPS, SIDE, Go, assert_same_run


def changed(config: TrainConfig, **data: Any) -> TrainConfig:
    return config.model_copy(update={"data": config.data.model_copy(update=data)})


def test_a_run_goes_on_with_the_clips_in_another_form(
    short: TrainConfig, clips: Path, go: Go, reference: Path, tmp_path: Path
) -> None:
    """Decoded once, then packed, then video files decoded each time: all as if undisturbed."""
    out = tmp_path / "run"
    pack_clips([clips], tmp_path / "pack", size=SIDE)
    third = REFERENCE_STEPS // 3
    go(changed(short, cache=tmp_path / "once"), out, max_steps=third)
    go(changed(short, folders=(tmp_path / "pack",)), out, max_steps=2 * third)
    go(changed(short, decode="always", cache=tmp_path / "always"), out, max_steps=REFERENCE_STEPS)
    assert list((tmp_path / "always").glob("*.index"))
    assert_same_run(out, reference)
