"""Tests that need an extra which not everybody installs; development does."""

from importlib.util import find_spec

import pytest

needs_faces = pytest.mark.skipif(
    find_spec("dlib") is None or find_spec("face_recognition_models") is None,
    reason="the extra eval-face is not installed",
)
