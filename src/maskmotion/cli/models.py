"""`maskmotion models`: what can be given as --model, and what is known about it."""

import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from maskmotion.card import CARD, card_of, card_text, in_millions, one_line
from maskmotion.checkpoint import (
    CONFIG_NAME,
    DEFAULT_MODEL,
    WEIGHTS_NAME,
    count_parameters,
    describe,
    hub_models,
    model_folder,
    shipped_folder,
    shipped_models,
)
from maskmotion.errors import ModelError

COLUMNS = ("model", "class", "licence", "size", "parameters", "background swap", "gate", "about")
WIDE = 100_000  # columns


def models(*models: str) -> None:
    """List the models at hand, or tell all about one.

    Example: maskmotion models robot-tiny

    Listed are the models that come with maskmotion, those of the Hugging Face hub that were
    downloaded, and those in folders of your own. Of a model, its card is printed: what it learned
    from, its licence, what it is for, how well it does.

    Args:
        models: models to tell about: names, model folders, or owner/name on the Hugging Face hub;
            or folders whose models are listed, too.
    """
    chosen = [model for model in models if not _is_shelf(Path(model))]
    shelves = [Path(model) for model in models if _is_shelf(Path(model))]
    # All is found before anything is printed.
    texts = [_text(model) for model in chosen]
    if shelves or not chosen:
        texts.insert(0, _listing([*_at_hand(), *_on(shelves)]))
    _print("\n".join(texts))


def _is_shelf(path: Path) -> bool:
    """Whether a path is a folder that is no model itself, but may hold some."""
    is_model = any((path / name / CONFIG_NAME).is_file() for name in (".", "model"))
    return path.is_dir() and not is_model


def _text(model: str) -> str:
    with model_folder(model, weights=False) as folder:
        return card_text(model, *describe(folder), count_parameters(folder))


def _at_hand() -> Iterator[list[str]]:
    with shipped_folder() as shipped:
        for name in shipped_models():
            title = f"{name} (default)" if name == DEFAULT_MODEL else name
            yield [title, *_cells(shipped / name)]
    for name, folder in hub_models().items():
        yield [name, *_cells(folder)]


def _on(shelves: list[Path]) -> Iterator[list[str]]:
    for shelf in shelves:
        found = sorted(path.parent for path in shelf.rglob(WEIGHTS_NAME))
        if not found:
            raise ModelError(
                f"{shelf} holds no model; give a folder that `maskmotion train` or "
                "`maskmotion convert` wrote"
            )
        for folder in found:
            yield [str(folder), *_cells(folder)]


def _cells(folder: Path) -> list[str]:
    try:
        config, about = describe(folder)
        card = card_of(about)
        count = count_parameters(folder)
        if count is None:
            raise ModelError(f"{folder / WEIGHTS_NAME} cannot be read; copy the folder again")
    except ModelError as error:
        return [""] * (len(COLUMNS) - 2) + [str(error)]
    return [
        card.object_class if card else "",
        card.licence if card else "",
        f"{config.image_size} px",
        in_millions(count),
        "yes" if config.background_networks else "no",
        "yes" if config.gate else "no",
        "; ".join(f"{key}: {one_line(value)}" for key, value in about.items() if key != CARD),
    ]


def _listing(rows: list[list[str]]) -> str:
    table = Table(*COLUMNS, box=None)
    for row in rows:
        table.add_row(*(escape(one_line(cell)) for cell in row))
    # One line a model where the output is read by a program.
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE)
    with console.capture() as text:
        console.print(table)
    return text.get()


def _print(text: str) -> None:
    # Facts are anybody's words; a terminal may lack their letters.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
