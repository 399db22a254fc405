"""The renderer against closed forms: light on a plate, its cover, and its shadow."""

import numpy as np
import pytest

pytest.importorskip("moderngl")

from maskmotion.synth.people.body import Body, Skeleton
from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.figure import Piece, assemble
from maskmotion.synth.people.light import Light
from maskmotion.synth.people.render import Grade, Renderer

SIZE = 64
CAMERA = Camera((0, -4, 0), (0, 0, 0), 2 * np.degrees(np.arctan(0.25)))  # sees 2 m x 2 m at y = 0
STILL = np.eye(3, dtype=np.float32)[None, None], np.zeros((1, 3), np.float32), np.zeros((1, 0))


@pytest.fixture(scope="module")
def drawing(opengl):
    with Renderer(SIZE) as made:
        yield made


def light(towards=(0, -1, 0), key=(1.0, 1.0, 1.0), sky=(0.0,) * 3, ground=(0.0,) * 3) -> Light:
    length = float(np.linalg.norm(towards))
    return Light(tuple(float(x) / length for x in towards), key, sky, ground, 0.0, True)


def plate(corners, **uniforms):
    """A figure that is one four-sided plate of white paint."""
    skeleton = Skeleton(("root",), (-1,), np.zeros((1, 3), np.float32))
    empty = np.zeros((0, 3))
    body = Body(empty, skeleton, np.zeros((0, 1)), (), np.zeros((0, 0, 3)), np.zeros(0, int))
    aux = np.zeros((4, 4), np.float32)
    aux[:, 3] = 1
    piece = Piece(
        "hard",
        np.float32(corners),
        np.ones((4, 1), np.float32),
        np.array([[0, 1, 2], [0, 2, 3]]),
        np.float32([[0, 0], [1, 0], [1, 1], [0, 1]]),
        aux,
        textures={"albedo": np.full((4, 4, 3), 255, np.uint8)},
        uniforms={"tint": (1.0, 1.0, 1.0), "shine": 0.0, "rough": 1.0} | uniforms,
    )
    figure = assemble(body, [piece])
    return figure, figure.pose(*STILL)


def upright(half=0.5, y=0.0):
    return [[-half, y, -half], [half, y, -half], [half, y, half], [-half, y, half]]


@pytest.mark.parametrize("angle", [0, 30, 60, 80])
@pytest.mark.parametrize("exposure", [0.5, 1.0])
def test_light_falls_off_with_the_cosine_and_is_toned(drawing, angle, exposure):
    figure, posed = plate(upright())
    drawing.load(figure)
    grade = Grade(exposure=exposure, balance=(1.0, 0.8, 0.6))
    slant = np.radians(angle)
    lamp = light((np.sin(slant), -np.cos(slant), 0))
    colour, alpha = drawing.draw(posed, 0, CAMERA, lamp, grade)
    expected = 255 * grade.tone(np.full(3, np.cos(slant), np.float32))
    assert np.abs(colour[SIZE // 2, SIZE // 2] - expected).max() <= 1.01
    assert alpha[SIZE // 2, SIZE // 2] == 255


def test_light_from_around_depends_on_where_the_surface_faces(drawing):
    figure, posed = plate(upright())
    drawing.load(figure)
    lamp = light(key=(0.0,) * 3, sky=(0.6, 0.4, 0.2), ground=(0.2, 0.2, 0.2))
    colour, _ = drawing.draw(posed, 0, CAMERA, lamp, Grade())
    expected = 255 * Grade().tone(np.float32([0.4, 0.3, 0.2]))
    assert np.abs(colour[SIZE // 2, SIZE // 2] - expected).max() <= 1.01


def test_cover_is_the_plate_s_area_to_a_quarter_of_a_pixel(drawing):
    half = 0.5 + 0.5 / SIZE  # half a pixel beyond pixel borders
    figure, posed = plate(upright(half))
    drawing.load(figure)
    colour, alpha = drawing.draw(posed, 0, CAMERA, light(), Grade())
    assert alpha.sum() / 255 == pytest.approx((half * SIZE) ** 2, rel=0.02)
    assert alpha[SIZE // 2, SIZE // 4 - 1] in (127, 128)
    assert not colour[alpha == 0].any()


def test_colour_at_the_edge_is_not_mixed_with_black(drawing):
    figure, posed = plate(upright(0.5 + 0.5 / SIZE))
    drawing.load(figure)
    colour, alpha = drawing.draw(posed, 0, CAMERA, light(), Grade(softness_px=0.8))
    middle = colour[SIZE // 2, SIZE // 2].astype(int)
    assert np.abs(colour[alpha > 0] - middle).max() <= 1


def test_softness_spreads_an_edge_by_its_weights(drawing):
    grade = Grade(softness_px=0.8)
    figure, posed = plate(upright(0.5))
    drawing.load(figure)
    _, alpha = drawing.draw(posed, 0, CAMERA, light(), grade)
    _, side = grade.taps()
    row = alpha[SIZE // 2].astype(float) / 255
    assert row[SIZE // 4 - 1] == pytest.approx(side, abs=0.005)
    assert row[SIZE // 4] == pytest.approx(1 - side, abs=0.005)
    picture = np.zeros((5, 9, 3), np.float32)
    picture[:, 4:] = 1
    soft = grade.soften(picture)
    assert soft[2, 3:5, 0] == pytest.approx([side, 1 - side])


def test_the_shadow_lies_where_the_lamp_s_rays_meet_the_floor(drawing):
    z, half = 0.5, 0.1
    corners = [[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]]
    figure, posed = plate(corners)
    drawing.load(figure)
    camera, lamp = Camera((0, -3, 2), (0, 0, 0), 40), light((1, 0.5, 2))
    drawing.draw(posed, 0, camera, lamp, Grade())
    shadow, contact = drawing.floor(camera, lamp)
    y, x = np.nonzero(shadow > 127)
    place = camera.project(np.array([-z * 1 / 2, -z * 0.5 / 2, 0]), SIZE)
    assert [x.mean() + 0.5, y.mean() + 0.5] == pytest.approx(place, abs=0.7)
    assert not contact.any()  # nothing is near the floor


def test_contact_grows_towards_the_floor(drawing):
    camera = Camera((0, -3, 2), (0, 0, 0), 40)
    near = {}
    for z in (0.0, 0.1):
        figure, posed = plate([[-0.3, -0.3, z], [0.3, -0.3, z], [0.3, 0.3, z], [-0.3, 0.3, z]])
        drawing.load(figure)
        drawing.draw(posed, 0, camera, light((0, 0, 1)), Grade())
        near[z] = drawing.floor(camera, light((0, 0, 1)))[1].max()
    assert near[0.0] == 255
    assert near[0.1] == pytest.approx(128, abs=2)


def test_what_is_behind_something_is_in_its_shadow(drawing):
    front = upright(0.25, y=-0.5)
    figure, posed = plate(upright(0.5))
    blocked = assemble(figure.body, [figure.pieces[0], plate(front)[0].pieces[0]])
    posed = blocked.pose(*STILL)
    drawing.load(blocked)
    camera = Camera((3, -3, 0), (0, 0, 0), 30)
    colour, _ = drawing.draw(posed, 0, camera, light(), Grade())
    for x, dark in ((0.0, True), (0.4, False)):
        column, row = camera.project(np.array([x, 0.0, 0.0]), SIZE).astype(int)
        assert (colour[row, column].max() < 20) == dark


def test_corners_darken_by_the_vignette():
    corners = Grade(vignette=0.4).corners(101)[..., 0]
    assert corners[50, 50] == pytest.approx(1, abs=1e-3)
    assert corners[0, 0] == pytest.approx(0.6, abs=0.02)
