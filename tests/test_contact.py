"""docs/contact.py draws rows by a seed, from unseen clips and from the truth."""

import importlib.util
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from maskmotion.evaluation.cases import Batch, Case
from maskmotion.media import open_writer
from maskmotion.models.animator import Animator
from maskmotion.synth.puppets import render_clip

SCRIPT = Path(__file__).parents[1] / "docs" / "contact.py"


@pytest.fixture(scope="module")
def contact() -> ModuleType:
    spec = importlib.util.spec_from_file_location("contact", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contact")
    (folder / "clips").mkdir()
    (folder / "rooms").mkdir()
    for seed in range(4):
        clip = render_clip(figure_seed=seed, motion_seed=seed, background_seed=seed, frames=4)
        with open_writer(
            folder / "clips" / f"{seed}.mp4", width=128, height=128, fps=Fraction(25)
        ) as writer:
            for frame in clip.frames:
                writer.write(frame)
        Image.fromarray(clip.background).save(folder / "rooms" / f"{seed}.png")
    return folder


def drawn(contact: ModuleType, clips: Path, seed: int, *words: str) -> bytes:
    out = clips / "sheet.jpg"
    asked = ["--model", "robot-tiny", "--clips", str(clips / "clips"), "--rows", "2"]
    contact.main([*asked, "--seed", str(seed), "--out", str(out), *words])
    return out.read_bytes()


def test_a_seed_draws_the_same_sheet_and_others_draw_others(
    contact: ModuleType, clips: Path
) -> None:
    sheets = [drawn(contact, clips, seed) for seed in (0, 0, 1, 2, 3)]
    assert sheets[0] == sheets[1]
    assert len(set(sheets)) > 2


def test_a_swap_is_drawn_where_there_are_backgrounds(contact: ModuleType, clips: Path) -> None:
    widths = []
    for words in ((), ("--backgrounds", str(clips / "rooms"))):
        drawn(contact, clips, 0, *words)
        with Image.open(clips / "sheet.jpg") as page:
            widths.append(page.width)
    assert widths == [3 * 128, 4 * 128]


def test_pictures_stand_below_their_titles(contact: ModuleType) -> None:
    """What is known of a moment is shown as it is; a model adds what it makes of it."""
    model = contact.load_model("robot-tiny")
    generator = torch.Generator().manual_seed(0)
    pictures = {
        name: torch.rand(1, 3, 128, 128, generator=generator)
        for name in ("source", "driving", "target", "swapped")
    }
    moments = [contact.Batch(0, **pictures, background=torch.zeros(1, 3, 128, 128))] * 2
    columns = contact.columns(model, moments)
    assert list(columns) == [
        "source",
        "driver",
        "animated",
        "truth",
        "new background",
        "truth there",
    ]
    for title, name in (("source", "source"), ("driver", "driving"), ("truth", "target")):
        assert torch.equal(columns[title], pictures[name].expand(2, -1, -1, -1))
    assert torch.equal(columns["truth there"], pictures["swapped"].expand(2, -1, -1, -1))
    wanted = model.animate(model.encode_source(pictures["source"]), pictures["driving"])
    torch.testing.assert_close(columns["animated"][:1], wanted.high_res)
    scene = model.encode_background(moments[0].background, same_class=False)
    swap = model.swap_background(wanted.high_res, wanted.refined_mask, scene)
    torch.testing.assert_close(columns["new background"][:1], swap.refined)


def test_subjects_moments_and_scenes_are_drawn(
    contact: ModuleType, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_of: list[tuple[str, int]] = []
    shown: list[torch.Tensor] = []

    def columns(model: Animator, moments: list[Batch]) -> dict[str, torch.Tensor]:
        shown.extend(one.background for one in moments)
        return {"source": torch.cat([one.source for one in moments])}

    asked = contact.moment

    def moment(case: Case, size: int, rng: np.random.Generator) -> Batch:
        found = asked(case, size, rng)
        drawn_of.append((case.name, float(found.driving.mean())))
        return found

    monkeypatch.setattr(contact, "moment", moment)
    monkeypatch.setattr(contact, "columns", columns)
    for seed in range(6):
        drawn(contact, clips, seed, "--backgrounds", str(clips / "rooms"))
    assert len({name for name, _ in drawn_of}) == 4
    assert len(set(drawn_of)) > 4
    assert not torch.equal(shown[0], shown[1])
