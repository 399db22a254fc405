"""The demonstration, with the model that comes with the package."""

from pathlib import Path

import pytest
from PIL import Image

from maskmotion import demo
from maskmotion.checkpoint import load_model
from maskmotion.media import open_video


def test_demo_writes_its_pictures_and_beats_a_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["demo", "--out", str(tmp_path)])
    demo.main()
    with open_video(tmp_path / "demo.mp4") as video:
        assert len(list(video)) == demo.FRAMES
    with Image.open(tmp_path / "demo.png") as sheet:
        assert sheet.size == (demo.SHOWN_PX * demo.SHOWN_FRAMES, (demo.SHOWN_PX + 18) * 6)
    told = capsys.readouterr().out
    assert all(title in told for title in (demo.SOURCE, demo.ANIMATED, demo.SWAPPED))


def test_animated_figure_is_nearer_to_the_truth_than_the_source() -> None:
    """The shipped model, on figures that training never saw."""
    model = load_model()
    rows = demo.demo_rows(model, model.config.image_size)
    truth, moved = rows[demo.TRUTH], demo.moved_pixels(rows)
    animated, still = rows[demo.ANIMATED][moved], rows[demo.SOURCE][moved]
    assert demo.error(animated, truth[moved]) < demo.error(still, truth[moved])
    # the swap shows the new scene: its corners are those of the scene
    swapped = rows[demo.SWAPPED]
    scene = demo.render_background(demo.SCENE_SEED, model.config.image_size)
    corners = (slice(None), slice(0, 12), slice(0, 12))
    assert demo.error(swapped[corners], scene[corners[1:]]) < 40
