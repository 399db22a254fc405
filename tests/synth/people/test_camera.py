"""The camera: its three descriptions of the same picture agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskmotion.synth.people.camera import Camera

SIZE = 40
CAMERAS = st.builds(
    lambda x, y, z, view, roll: Camera((x, -y, z), (0.1, 0.0, 0.9), view, roll),
    st.floats(-1, 1),
    st.floats(1, 6),
    st.floats(0.3, 2),
    st.floats(10, 60),
    st.floats(-10, 10),
)


@given(CAMERAS)
def test_the_target_is_in_the_middle(camera):
    middle = camera.project(np.array(camera.target), SIZE)
    assert middle == pytest.approx([SIZE / 2] * 2, abs=1e-9)


@given(CAMERAS, st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))
def test_a_ray_s_points_project_to_its_pixel(camera, row, column):
    ray = camera.rays(SIZE)[row, column]
    for far in (0.7, 5.0):
        seen = camera.project(np.array(camera.position) + far * ray, SIZE)
        assert seen == pytest.approx([column + 0.5, row + 0.5], abs=1e-2)


@given(CAMERAS)
def test_rays_with_a_margin_hold_those_without_in_their_middle(camera):
    wide = camera.rays(SIZE + 20, margin=10 / SIZE)
    assert wide[10:-10, 10:-10] == pytest.approx(camera.rays(SIZE), abs=1e-5)


@given(CAMERAS, st.tuples(*[st.floats(-0.5, 0.5)] * 3))
def test_opengl_sees_points_at_the_same_place(camera, point):
    x, y, z, w = camera.matrix() @ np.array([*point, 1.0])
    seen = np.array([x / w + 1, 1 - y / w]) * SIZE / 2
    assert seen == pytest.approx(camera.project(np.array(point), SIZE), abs=2e-2)
    assert -1 < z / w < 1


def test_the_view_reaches_from_top_to_bottom():
    camera = Camera((0, -2, 1), (0, 0, 1), 60)
    top = np.array([0, 0, 1 + 2 * np.tan(np.radians(30))])
    assert camera.project(top, SIZE) == pytest.approx([SIZE / 2, 0], abs=1e-9)
