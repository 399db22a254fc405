"""Model cards: which facts they need, and what is made from them."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.tiny import tiny_animator

from maskmotion.card import (
    Figures,
    ModelCard,
    card_of,
    card_text,
    figures_of,
    one_line,
    plain_facts,
    read_card,
    readme,
)
from maskmotion.checkpoint import (
    describe,
    load_folder,
    readme_of,
    save_model,
    shipped_folder,
    shipped_models,
)
from maskmotion.config import ModelConfig
from maskmotion.errors import ConfigError, ModelError

ROOT = Path(__file__).parents[1]
CONFIG = ModelConfig(width=0.25, image_size=128)
FACTS: dict[str, Any] = {
    "name": "arms",
    "object_class": "robot arms",
    "licence": "CC-BY-4.0",
    "data": "600 clips | of our own arm",
    "budget": "one GPU, 3 hours",
    "command": "maskmotion train --preset small --data arms \\\n  --out runs/arms\n",
    "intended_use": "previews",
    "misuse": "planning",
    "limits": "grippers are soft",
}
TABLE = {"title": "t", "about": "a", "columns": ["x", "y"], "rows": {"r": ["1", "2"]}}


def a_card(**facts: object) -> ModelCard:
    return ModelCard.model_validate(FACTS | facts)


def estimate(mean: float, half: float, clips: int = 8) -> dict[str, float]:
    return {
        "mean": mean,
        "low": mean - half,
        "high": mean + half,
        "clips": clips,
        "frames": 10 * clips,
    }


REPORT: dict[str, Any] = {
    "protocol": "truth",
    "metrics": {
        "psnr": {"title": "PSNR", "unit": "dB", "better": "higher"},
        "iou": {"title": "IoU", "unit": "", "better": "neither"},
        "akd": {"title": "AKD", "unit": "px", "better": "lower"},
    },
    "tables": [
        {
            "title": "That motion",
            "about": "Truth: rendered.",
            "rows": [
                {
                    "contender": "repeat",
                    "kind": "baseline",
                    "values": {"psnr": estimate(19.0, 0.75)},
                },
                {
                    "contender": "arms, animated",
                    "kind": "model",
                    "values": {"iou": estimate(0.5, 0.0625, 7), "psnr": estimate(100.0, 0.0)},
                },
            ],
        }
    ],
}


def tables(markdown: str) -> list[list[list[str]]]:
    """The cells of each table."""
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        found.append([[cell.strip() for cell in line] for line in lines])
    return found


def test_a_card_says_everything() -> None:
    card = a_card(figures=[TABLE])
    text = card_text("folder", CONFIG, {"card": card.model_dump(mode="json"), "step": 7}, 8_400_000)
    assert text.startswith("# arms\n")
    facts, measured = tables(text)
    assert facts[2:] == [
        ["object class", "robot arms"],
        ["licence", "CC-BY-4.0"],
        [
            "networks",
            "128 px, width 0.25, with background networks, without a gate, 8.4 M parameters",
        ],
        ["step", "7"],
    ]
    assert measured == [["", "x", "y"], ["---", "---", "---"], ["r", "1", "2"]]
    for words in ("**Not for.** planning", "**Data.** 600 clips | of", "**Measured: t.** a"):
        assert words in text
    assert f"```\n{FACTS['command']}```\n".replace("  --out", "--out") in text


def test_a_model_without_a_card_has_its_networks_and_facts() -> None:
    config = ModelConfig(background_networks=False, gate=True, warp=True)
    text = card_text("runs/mine", config, {"step": 7, "data": ["a", "b"]}, level=3)
    assert text.startswith("### runs/mine\n")
    assert tables(text)[0][2:] == [
        [
            "networks",
            "256 px, width 1, without background networks, with a gate, with a warped source",
        ],
        ["step", "7"],
        ["data", "a, b"],
    ]
    assert "**" not in text


@pytest.mark.parametrize(
    ("licence", "known"),
    [
        ("Apache-2.0", "apache-2.0"),
        ("CC-BY-4.0", "cc-by-4.0"),
        ("ask us", "other"),
        (None, "other"),
    ],
)
def test_the_hub_learns_the_licence(licence: str | None, known: str) -> None:
    about = {"card": a_card(licence=licence).model_dump()} if licence else {}
    text = readme("m", CONFIG, about)
    head, rest = text.removeprefix("---\n").split("---\n\n", 1)
    assert f"license: {known}\n" in head
    assert rest == card_text("m", CONFIG, about)


@given(st.text())
def test_facts_cannot_harm_a_terminal(text: str) -> None:
    line = one_line([text, text])
    assert line.isprintable()
    line.encode()  # no half characters


def test_facts_stay_in_their_cell() -> None:
    cells = tables(card_text("m", CONFIG, {"data": "a | b\n\x1b[31m c"}))[0]
    assert cells[-1] == ["data", r"a \| b [31m c"]


def test_tables_of_a_report() -> None:
    (figures,) = figures_of(REPORT)
    assert figures == Figures(
        title="truth: That motion, 8 clips, 80 frames",
        about="Truth: rendered. Mean over clips and its 95% interval.",
        columns=("PSNR, dB (higher)", "IoU"),
        rows={
            "repeat (baseline)": ("19.0 [18.2, 19.8]", "-"),
            "arms, animated": ("100 [100, 100]", "0.500 [0.438, 0.562]"),
        },
    )


@given(st.floats(1e-3, 999))
def test_cells_keep_three_digits(value: float) -> None:
    report = json.loads(json.dumps(REPORT))
    report["tables"][0]["rows"][0]["values"]["psnr"] = estimate(value, 0)
    cell = figures_of(report)[0].rows["repeat (baseline)"][0]
    assert math.isclose(float(cell.split()[0]), value, rel_tol=0.0051)


def test_a_card_is_read_with_reports(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps(FACTS | {"figures": [TABLE]}))
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    card = read_card(tmp_path / "card.json", [tmp_path / "report.json"] * 2)
    assert card == a_card(figures=[Figures.model_validate(TABLE), *figures_of(REPORT) * 2])


BAD_CARDS = {
    "no file": (None, "cannot be read as JSON"),
    "no JSON": ("{", "cannot be read as JSON"),
    "no text": (b"\xff", "cannot be read as JSON"),
    "a list": ("[]", "valid dictionary"),
    "nothing": ("{}", "name: Field required; object_class: Field required"),
    "an unknown fact": (json.dumps(FACTS | {"fame": 1}), "fame: Extra inputs"),
    "an empty fact": (json.dumps(FACTS | {"misuse": ""}), "misuse: String should have"),
    "a missing cell": (
        json.dumps(FACTS | {"figures": [TABLE | {"rows": {"r": ["1"]}}]}),
        "'r' has 1 cells, not 2",
    ),
}


@pytest.mark.parametrize("name", BAD_CARDS)
def test_bad_cards(name: str, tmp_path: Path) -> None:
    content, words = BAD_CARDS[name]
    path = tmp_path / "card.json"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError) as error:
        read_card(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("report", [[], {}, {"tables": []}, {"tables": [{}], "metrics": {}}])
def test_bad_reports(report: object, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(json.dumps(FACTS))
    (tmp_path / "r.json").write_text(json.dumps(report))
    if report == {"tables": []}:
        assert read_card(tmp_path / "card.json", [tmp_path / "r.json"]).figures == ()
        return
    with pytest.raises(ConfigError, match=r"r\.json is no report of `maskmotion evaluate`"):
        read_card(tmp_path / "card.json", [tmp_path / "r.json"])


def test_a_folder_keeps_its_card(tmp_path: Path) -> None:
    model = tiny_animator()
    save_model(model, tmp_path, card=a_card(), step=3)
    config, about = describe(tmp_path)
    assert card_of(about) == a_card()
    count = sum(weight.numel() for weight in model.parameters())
    assert (tmp_path / "README.md").read_text() == readme("", config, about, count)
    assert plain_facts(about) == FACTS | {"step": 3}
    assert load_folder(tmp_path).config == model.config


@pytest.mark.parametrize("card", [3, {}, FACTS | {"name": 3}])
def test_a_broken_card_leaves_the_model_usable(card: object, tmp_path: Path) -> None:
    save_model(tiny_animator(), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"about": {"card": card}}))
    load_folder(tmp_path)
    config, about = describe(tmp_path)
    plain_facts(about)
    with pytest.raises(ModelError, match=r"^the model's card is broken \("):
        card_text("m", config, about)


def test_shipped_models_have_cards() -> None:
    names = shipped_models()
    assert names
    with shipped_folder() as shipped:
        for name in names:
            card = card_of(describe(shipped / name)[1])
            assert card is not None
            assert card.name == name
            assert card.figures


def test_what_is_made_from_cards_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import cards

    hint = "run `python docs/cards.py`"
    page = cards.PAGE.read_text(encoding="utf-8")
    assert cards.page_with_cards(page) == page, hint
    emptied = re.sub(r"(?s)(?<=<!-- cards -->\n).*(?=<!-- end of)", "", page)
    assert emptied != page
    assert cards.page_with_cards(emptied) == page
    with shipped_folder() as shipped:
        for name in shipped_models():
            assert (shipped / name / "README.md").read_text(encoding="utf-8") == readme_of(
                shipped / name
            ), hint


def test_the_documented_card_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```(json|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    monkeypatch.chdir(tmp_path)
    Path("card.json").write_text(blocks["json"])
    Path("report").mkdir()
    Path("report/report.json").write_text(json.dumps(REPORT))
    save_model(tiny_animator(), Path("runs/mine/model"))
    exec(compile(blocks["python"], "docs/models.md", "exec"), {})
    assert {path.name for path in Path("arms").iterdir()} == {
        *("README.md", "config.json", "model.safetensors"),
    }
    assert "| arms, animated    | 100 [100, 100]" in Path("arms/README.md").read_text()
