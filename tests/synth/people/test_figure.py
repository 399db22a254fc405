"""Posing: forward kinematics, skinning, and normals against closed forms."""

import numpy as np
import pytest

pytest.importorskip("anny")

from maskmotion.synth.people.body import Body, Skeleton, forward, make_body, parts
from maskmotion.synth.people.figure import Piece, assemble

ABOUT_X = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32)  # a quarter turn
GRID = np.array([[x, y, 0] for y in range(3) for x in range(3)], np.float32)
CELLS = np.array(
    [[3 * y + x + k for k in c] for y in range(2) for x in range(2) for c in ((0, 1, 4), (0, 4, 3))]
)


def plate(weights=None, **options) -> Piece:
    """A flat square of 3 x 3 vertices in z = 0."""
    weights = np.tile([1, 0], (9, 1)) if weights is None else weights
    flat = np.zeros((9, 4))
    return Piece("hard", GRID, np.float32(weights), CELLS, flat[:, :2], flat, **options)


def stick(acting=()) -> Body:
    """Two bones along x, the second at (1, 0, 0); each vertex of the grid can act."""
    skeleton = Skeleton(("root", "tip"), (-1, 0), np.array([[0, 0, 0], [1, 0, 0]], np.float32))
    offsets = np.zeros((1, len(acting), 3), np.float32)
    offsets[..., 2] = 1
    return Body(GRID, skeleton, np.zeros((9, 2)), ("rise",), offsets, np.array(acting, int))


def pose(figure, rotations=None, shift=(0, 0, 0), action=0.0):
    rotations = np.stack([np.eye(3)] * 2) if rotations is None else np.stack(rotations)
    return figure.pose(np.float32(rotations)[None], np.float32([shift]), np.float32([[action]]))


def test_without_rotations_a_figure_rests_where_it_is_put():
    posed = pose(assemble(stick(), [plate()]), shift=(1, 2, 3))
    assert posed.vertices[0] == pytest.approx(GRID + np.array([1, 2, 3]))
    assert posed.heads[0] == pytest.approx(np.array([[1, 2, 3], [2, 2, 3]]))


def test_a_bone_turns_what_hangs_on_it_about_its_head():
    weights = np.where(GRID[:, :1] > 1, [0, 1], [1, 0])
    posed = pose(assemble(stick(), [plate(weights)]), [np.eye(3), ABOUT_X])
    expected = GRID.copy()
    tip = GRID[:, 0] > 1
    expected[tip] = (GRID[tip] - [1, 0, 0]) @ ABOUT_X.T + [1, 0, 0]
    assert posed.vertices[0] == pytest.approx(expected, abs=1e-6)


def test_a_child_turns_with_its_parent():
    turned, heads = forward(
        stick().skeleton, np.stack([ABOUT_X, ABOUT_X])[None], np.zeros((1, 3), np.float32)
    )
    assert turned[0, 1] == pytest.approx(ABOUT_X @ ABOUT_X)
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    _, heads = forward(stick().skeleton, np.stack([quarter, ABOUT_X])[None], np.zeros((1, 3)))
    assert heads[0, 1] == pytest.approx([0, 1, 0])


def test_between_two_bones_a_vertex_moves_by_their_blend():
    posed = pose(assemble(stick(), [plate(np.full((9, 2), 0.5))]), [np.eye(3), ABOUT_X])
    whole = (GRID - [1, 0, 0]) @ ABOUT_X.T + [1, 0, 0]
    assert posed.vertices[0] == pytest.approx((GRID + whole) / 2, abs=1e-6)


def test_only_what_follows_the_face_acts():
    figure = assemble(stick(acting=[4]), [plate(follows=np.arange(9)), plate()])
    posed = pose(figure, action=0.5).vertices[0]
    lifted = np.flatnonzero(posed[:, 2] != 0)
    assert lifted.tolist() == [4]
    assert posed[4, 2] == pytest.approx(0.5)


def test_normals_stand_on_the_faces():
    figure = assemble(stick(), [plate()])
    assert figure.rest_normals() == pytest.approx(np.tile([0, 0, 1], (9, 1)))
    turned = pose(figure, [ABOUT_X, np.eye(3)])
    assert turned.normals[0] == pytest.approx(np.tile(ABOUT_X @ [0, 0, 1], (9, 1)), abs=1e-6)


def test_a_body_s_normals_point_outwards_and_it_stands_on_the_floor():
    body = make_body({"gender": 0.3, "age": 0.7}, {})
    used, faces = np.unique(parts().faces["body"], return_inverse=True)
    aux = np.zeros((len(used), 4))
    piece = Piece(
        "skin", body.vertices[used], body.weights[used], faces.reshape(-1, 3), aux[:, :2], aux
    )
    figure = assemble(body, [piece])
    assert figure.rest[:, 2].min() == pytest.approx(0, abs=1e-6)
    height = figure.rest[:, 2].max()
    assert 1.4 < height < 2.1
    belly = (np.abs(figure.rest[:, 0]) < 0.05) & (np.abs(figure.rest[:, 2] - 0.6 * height) < 0.05)
    front = belly & (figure.rest[:, 1] < figure.rest[belly, 1].mean())
    assert (figure.rest_normals()[front, 1] < -0.3).mean() > 0.9
    assert body.weights.sum(1) == pytest.approx(np.ones(len(body.weights)), abs=1e-4)


def test_a_loose_vertex_is_an_error():
    piece = plate()
    with pytest.raises(AssertionError, match="without a face"):
        assemble(
            stick(), [Piece("hard", GRID, piece.weights, CELLS[:2], piece.coordinates, piece.aux)]
        )
