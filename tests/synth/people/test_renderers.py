"""Two of Mesa's software renderers, which share no code for triangles or shaders, agree."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("anny")

SCRIPT = """
import sys
import numpy as np
from maskmotion.synth.people.clip import ClipSeeds, PeopleRenderer
with PeopleRenderer(96) as renderer:
    made = [
        renderer.clip(ClipSeeds(k, k, k, k), framing=framing, frames=1)
        for k, framing in enumerate(("body", "portrait"))
    ]
    np.savez(
        sys.argv[1],
        device=renderer.device,
        frames=np.stack([clip.frames for clip in made]),
        alpha=np.stack([clip.alpha for clip in made]),
    )
"""


def drawn_by(driver, path):
    environment = os.environ | {"GALLIUM_DRIVER": driver, "LIBGL_ALWAYS_SOFTWARE": "1"}
    subprocess.run([sys.executable, "-c", SCRIPT, str(path)], check=True, env=environment)
    with np.load(path) as drawn:
        return dict(drawn)


@pytest.mark.slow
def test_pictures_hardly_depend_on_the_renderer(opengl, tmp_path):
    first, second = (drawn_by(name, tmp_path / f"{name}.npz") for name in ("llvmpipe", "softpipe"))
    if str(first["device"]) == str(second["device"]):
        pytest.skip(f"this OpenGL has one renderer only: {first['device']}")
    for layer in ("frames", "alpha"):
        difference = np.abs(first[layer].astype(int) - second[layer])
        # Where a sample lies on an edge, one takes it and the other does not.
        assert (difference <= 2).mean() > 0.99
        assert difference.mean() < 0.5
