"""Model cards: what a model is for, what it learned from, what it reaches; as facts and Markdown.

The facts stand in a model folder's config.json. README.md beside it, docs/models.md and what
`maskmotion models NAME` prints are made from them.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maskmotion.config import ModelConfig
from maskmotion.errors import ConfigError, ModelError

CARD = "card"  # the key among the facts about a model
SECTIONS = {
    "Intended use": "intended_use",
    "Not for": "misuse",
    "Limits": "limits",
    "Data": "data",
    "Training": "budget",
}
LINE = 100  # characters


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)


class Figures(_Facts):
    """A table of what was measured.

    title: what was tried, and on how much. about: how to read it, and what the truth is.
    columns: headings. rows: what a row stands for -> a cell a column.
    """

    title: str
    about: str
    columns: tuple[str, ...] = Field(min_length=1)
    rows: dict[str, tuple[str, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_a_cell_a_column(self) -> "Figures":
        for name, cells in self.rows.items():
            if len(cells) != len(self.columns):
                raise ValueError(f"{name!r} has {len(cells)} cells, not {len(self.columns)}")
        return self


class ModelCard(_Facts):
    """What somebody must know before using a model.

    name: of the model. object_class: what it animates. licence: of the weights, best as its SPDX
    identifier. data: what it learned from, and that data's licence. budget: machine and time.
    command: lines that train it. intended_use, misuse: what it is for, and what not. limits: what
    it does badly. figures: with baselines.
    """

    name: str
    object_class: str
    licence: str
    data: str
    budget: str
    command: str
    intended_use: str
    misuse: str
    limits: str
    figures: tuple[Figures, ...] = ()


def read_card(path: Path, reports: Sequence[Path] = ()) -> ModelCard:
    """A card from a JSON file of its facts.

    Args:
        path: of the file.
        reports: report.json files of `maskmotion evaluate`, whose tables follow the card's own.
    Raises:
        ConfigError: a file is missing, no JSON, or lacks facts.
    """
    facts = _read_json(path)
    try:
        card = ModelCard.model_validate(facts)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_problems(error)}") from None
    figures = [table for report in reports for table in _figures_in(report)]
    return card.model_copy(update={"figures": (*card.figures, *figures)})


def _figures_in(report: Path) -> tuple[Figures, ...]:
    facts = _read_json(report)
    try:
        return figures_of(facts)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ConfigError(
            f"{report} is no report of `maskmotion evaluate`; give its report.json"
        ) from None


def _read_json(path: Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON ({error})") from None


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())


def figures_of(report: Mapping[str, Any]) -> tuple[Figures, ...]:
    """The tables of a report.json: a mean over clips with its 95% interval in a cell."""
    found = []
    for table in report["tables"]:
        names = [
            name
            for name in report["metrics"]
            if any(name in row["values"] for row in table["rows"])
        ]
        estimates = [row["values"][name] for row in table["rows"] for name in row["values"]]
        clips = max(estimate["clips"] for estimate in estimates)
        frames = max(estimate["frames"] for estimate in estimates)
        found.append(
            Figures(
                title=f"{report['protocol']}: {table['title']}, {clips} clips, {frames} frames",
                about=f"{table['about']} Mean over clips and its 95% interval.",
                columns=tuple(_heading(report["metrics"][name]) for name in names),
                rows={
                    _contender(row): tuple(_cell(row["values"].get(name)) for name in names)
                    for row in table["rows"]
                },
            )
        )
    return tuple(found)


def _heading(metric: Mapping[str, str]) -> str:
    direction = "" if metric["better"] == "neither" else f" ({metric['better']})"
    return ", ".join(filter(None, [metric["title"], metric["unit"]])) + direction


def _contender(row: Mapping[str, str]) -> str:
    return row["contender"] + ("" if row["kind"] == "model" else f" ({row['kind']})")


def _cell(estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return "-"
    mean, low, high = (format(estimate[key], "#.3g").rstrip(".") for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


# What a model's facts hold --------------------------------------------------------------------


def card_of(about: Mapping[str, object]) -> ModelCard | None:
    """The card among the facts about a model; None where it has none.

    Raises:
        ModelError: it lacks facts, or has unknown ones.
    """
    if CARD not in about:
        return None
    try:
        return ModelCard.model_validate(about[CARD])
    except ValidationError as error:
        raise ModelError(f"the model's card is broken ({_problems(error)})") from None


def plain_facts(about: Mapping[str, object]) -> dict[str, object]:
    """The facts about a model in one level: those of its card, without figures, and the others."""
    card = about.get(CARD)
    facts = {key: value for key, value in about.items() if key != CARD}
    own = {k: v for k, v in card.items() if k != "figures"} if isinstance(card, dict) else {}
    return own | facts


def one_line(value: object) -> str:
    """A fact as one line that is safe on a terminal, whoever wrote it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(one_line, value))
    return "".join(filter(str.isprintable, " ".join(str(value).split())))


# Markdown -------------------------------------------------------------------------------------


def card_text(
    name: str,
    config: ModelConfig,
    about: Mapping[str, object],
    parameters: int | None = None,
    *,
    level: int = 1,
) -> str:
    """All that is known about a model, in Markdown that also reads well as it is.

    Args:
        name: of a model without a card.
        config: of its networks.
        about: its facts, among them its card where it has one.
        parameters: how many weights it has; None: unknown.
        level: of the heading.
    Raises:
        ModelError: as `card_of`.
    """
    card = card_of(about)
    rows = {"networks": networks(config, parameters)}
    if card is not None:
        rows = {"object class": card.object_class, "licence": card.licence} | rows
    rows |= {key: one_line(value) for key, value in about.items() if key != CARD}
    title = f"{'#' * level} {one_line(card.name if card else name)}"
    parts = [title, _grid([["", ""], *map(list, rows.items())])]
    if card is not None:
        parts += [_paragraph(heading, getattr(card, key)) for heading, key in SECTIONS.items()]
        command = "\n".join(map(one_line, card.command.strip().splitlines()))
        parts.append(f"```\n{command}\n```")
        for figures in card.figures:
            parts.append(_paragraph(f"Measured: {figures.title}", figures.about))
            parts.append(
                _grid([["", *figures.columns], *([n, *c] for n, c in figures.rows.items())])
            )
    return "\n\n".join(parts) + "\n"


def readme(
    name: str, config: ModelConfig, about: Mapping[str, object], parameters: int | None = None
) -> str:
    """What README.md of a model folder holds: `card_text`, below what the hub reads of a model."""
    card = card_of(about)
    licence = card.licence.lower() if card else ""
    # The hub knows identifiers; anything else is a licence of its own kind there.
    known = licence if re.fullmatch(r"[a-z0-9.-]+", licence) else "other"
    head = [
        "---",
        f"license: {known}",
        "library_name: maskmotion",
        "tags: [image-animation]",
        "---",
    ]
    return "\n".join([*head, "", card_text(name, config, about, parameters)])


def networks(config: ModelConfig, parameters: int | None) -> str:
    """A model's networks in words."""
    parts = [
        f"{config.image_size} px, width {config.width:g}",
        f"{'with' if config.background_networks else 'without'} background networks",
        f"{'with' if config.gate else 'without'} a gate",
    ]
    parts += ["with a warped source"] if config.warp else []
    count = [] if parameters is None else [f"{in_millions(parameters)} parameters"]
    return ", ".join(parts + count)


def in_millions(parameters: int) -> str:
    """Such as "8.4 M"."""
    return f"{parameters / 1e6:.1f} M"


def _paragraph(heading: str, text: str) -> str:
    return textwrap.fill(
        f"**{one_line(heading)}.** {one_line(text)}",
        LINE,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _grid(lines: Iterable[Sequence[str]]) -> str:
    """A table whose columns are aligned; the first line holds the headings."""
    cells = [[one_line(cell).replace("|", r"\|") for cell in line] for line in lines]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    padded = [[c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)
