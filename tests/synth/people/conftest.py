"""What the tests of rendered people share."""

from collections.abc import Iterator
from typing import Any

import pytest

SIZE = 64


@pytest.fixture(scope="session")
def renderer(opengl: str) -> Iterator[Any]:
    """A renderer of people at SIZE px."""
    from maskmotion.synth.people.clip import PeopleRenderer

    with PeopleRenderer(SIZE) as made:
        yield made
