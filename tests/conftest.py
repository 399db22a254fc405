"""What all tests share: the folder of test data, thread limits, hypothesis' habits."""

import os
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
