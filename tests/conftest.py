"""What all tests share: the folder of test data, thread limits, hypothesis' habits."""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

# Before torch is imported: several test processes share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

# The same few examples every time: a failure in one run is a failure in the next.
hypothesis.settings.register_profile("maskmotion", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("maskmotion")


@pytest.fixture(scope="session")
def testdata() -> Path:
    """The folder that MASKMOTION_TESTDATA names: real clips, parity numbers, metric weights."""
    named = os.environ.get("MASKMOTION_TESTDATA")
    if not named:
        pytest.skip("MASKMOTION_TESTDATA is not set")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"MASKMOTION_TESTDATA={named} is not a folder")
    return folder


# In a process of its own: some drivers end the process that asks for what they do not have.
OPENGL_PROBE = (
    "import moderngl;"
    "gl = moderngl.create_context(standalone=True, backend='egl', require=330);"
    "print(gl.info['GL_RENDERER'])"
)


@pytest.fixture(scope="session")
def opengl_device() -> str | None:
    """The name of what draws; None where nothing does."""
    command = [sys.executable, "-c", OPENGL_PROBE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout.strip()


@pytest.fixture(scope="session")
def opengl(opengl_device: str | None) -> str:
    """The name of what draws; skips where nothing does."""
    if opengl_device is None:
        pytest.skip("there is no OpenGL 3.3 through EGL (Debian: apt install libegl1 libgl1)")
    return opengl_device
