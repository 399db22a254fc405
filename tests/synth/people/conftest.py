"""What the tests of rendered people share."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from maskmotion.errors import MissingExtraError

SIZE = 64
# In a process of its own: some drivers end the process that asks for what they do not have.
PROBE = (
    "import moderngl;"
    "gl = moderngl.create_context(standalone=True, backend='egl', require=330);"
    "print(gl.info['GL_RENDERER'])"
)


@pytest.fixture(scope="session")
def opengl() -> str:
    """The name of what draws; skips where nothing does."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("there is no OpenGL 3.3 through EGL (Debian: apt install libegl1 libgl1)")
    return done.stdout.strip()


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
