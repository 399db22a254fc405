"""`maskmotion models`: what can be given as --model."""

import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from maskmotion.checkpoint import (
    DEFAULT_MODEL,
    WEIGHTS_NAME,
    describe,
    shipped_folder,
    shipped_models,
)
from maskmotion.errors import ModelError

WIDE = 100_000  # columns


def models(*folders: Path) -> None:
    """List the models that come with maskmotion, and model folders of your own.

    Example: maskmotion models runs/

    Args:
        folders: look for model folders in these, too.
    """
    table = Table("model", "size", "width", "background swap", "about", box=None)
    with shipped_folder() as shipped:
        for name in shipped_models():
            title = f"{name} (default)" if name == DEFAULT_MODEL else name
            table.add_row(title, *_cells(shipped / name))
    for folder in folders:
        if not folder.is_dir():
            raise ModelError(f"there is no folder {folder}; give one that holds model folders")
        found = sorted(path.parent for path in folder.rglob(WEIGHTS_NAME))
        if not found:
            raise ModelError(
                f"{folder} holds no model; give a folder that `maskmotion train` or "
                "`maskmotion convert` wrote"
            )
        for path in found:
            table.add_row(escape(str(path)), *_cells(path))
    # One line a model where the output is read by a program.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE).print(table)


def _cells(folder: Path) -> tuple[str, str, str, str]:
    try:
        config, about = describe(folder)
    except ModelError as error:
        return "", "", "", escape(str(error))
    facts = "; ".join(f"{key}: {value}" for key, value in about.items())
    swap = "yes" if config.background_networks else "no"
    return f"{config.image_size} px", f"{config.width:g}", swap, escape(facts)
