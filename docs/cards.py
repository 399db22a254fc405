"""Write the cards of the models inside the package anew: their README.md, and docs/models.md."""

import re
from pathlib import Path

from maskmotion.card import card_text
from maskmotion.checkpoint import (
    count_parameters,
    describe,
    shipped_folder,
    shipped_models,
    write_readme,
)

PAGE = Path(__file__).with_name("models.md")
MARKED = re.compile(r"(?<=<!-- cards -->\n).*(?=<!-- end of cards -->)", re.DOTALL)


def page_with_cards(page: str) -> str:
    """docs/models.md with the cards as the model folders have them now."""
    with shipped_folder() as shipped:
        cards = [
            card_text(name, *describe(shipped / name), count_parameters(shipped / name), level=2)
            for name in shipped_models()
        ]
    # A function, as the cards may hold backslashes.
    return MARKED.sub(lambda _: "\n" + "\n".join(cards) + "\n", page)


def main() -> None:
    """Write both."""
    with shipped_folder() as shipped:
        for name in shipped_models():
            write_readme(shipped / name)
    PAGE.write_text(page_with_cards(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
