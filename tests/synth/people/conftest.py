"""What the tests of rendered people share."""

from collections.abc import Iterator
from typing import Any

import pytest

from maskmotion.errors import MissingExtraError

SIZE = 64


@pytest.fixture(scope="session")
def renderer(opengl: str) -> Iterator[Any]:
    """A renderer of people at SIZE px."""
    from maskmotion.synth.people.clip import PeopleRenderer

    try:
        made = PeopleRenderer(SIZE)
    except MissingExtraError as error:
        pytest.skip(str(error))
    with made:
        yield made
