"""The demonstration, with the model that comes with the package."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmotion import demo
from maskmotion.media import open_video


def test_demo_writes_its_pictures_and_beats_a_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the shipped model, on figures that training never saw."""
    rows: dict[str, np.ndarray] = {}
    make = demo.demo_rows

    def kept(*arguments: Any) -> dict[str, np.ndarray]:
        rows.update(make(*arguments))
        return rows

    monkeypatch.setattr(demo, "demo_rows", kept)
    monkeypatch.setattr("sys.argv", ["demo", "--out", str(tmp_path)])
    demo.main()
    with open_video(tmp_path / "demo.mp4") as video:
        assert len(list(video)) == demo.FRAMES
    with Image.open(tmp_path / "demo.png") as sheet:
        assert sheet.size == (demo.SHOWN_PX * demo.SHOWN_FRAMES, (demo.SHOWN_PX + 18) * 6)
    told = capsys.readouterr().out
    assert all(title in told for title in (demo.SOURCE, demo.ANIMATED, demo.SWAPPED))

    truth, moved = rows[demo.TRUTH], demo.moved_pixels(rows)
    animated, still = rows[demo.ANIMATED][moved], rows[demo.SOURCE][moved]
    assert demo.error(animated, truth[moved]) < demo.error(still, truth[moved])
    # the swap shows the new scene: its corners are those of the scene
    swapped = rows[demo.SWAPPED]
    scene = demo.render_background(demo.SCENE_SEED, swapped.shape[1])
    corners = (slice(None), slice(0, 12), slice(0, 12))
    assert demo.error(swapped[corners], scene[corners[1:]]) < 40
