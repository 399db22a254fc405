"""The scenery behind rendered people: geometry, light, statistics, photographs."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maskmotion.errors import ConfigError, MediaError
from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.scenery import lens, make_scene, shading, textures, tracing

BODY = Camera((0.4, -4.5, 1.3), (0, 0, 0.9), 28.0)
PORTRAIT = Camera((0.1, -1.5, 1.55), (0, 0, 1.55), 18.0)
SEEDS = range(24)


@pytest.fixture(scope="module")
def scenes():
    return [make_scene(seed, camera, 96) for seed in SEEDS for camera in (BODY, PORTRAIT)]


def grey():
    return lambda spots: np.full((len(spots.u), 3), 0.5, np.float32)


def test_the_same_seed_gives_the_same_picture_and_another_another():
    first, again, other = (make_scene(seed, BODY, 64) for seed in (3, 3, 4))
    assert np.array_equal(first.picture, again.picture)
    assert first.light == again.light
    assert first.parameters == again.parameters
    assert np.abs(first.picture - other.picture).mean() > 0.02


def test_pictures_have_the_promised_shape_and_are_finite(scenes):
    for scene in scenes:
        assert scene.picture.shape == (111, 111, 3)  # round(96 * 1.16)
        assert scene.picture.dtype == np.float32
        assert np.isfinite(scene.picture).all()
        assert scene.picture.min() >= 0


def test_parameters_fit_json_and_name_many_kinds(scenes):
    kinds = {json.loads(json.dumps(scene.parameters))["kind"] for scene in scenes}
    assert kinds == {"interior", "outdoors", "studio"}


def test_no_picture_is_lost_in_the_dark_or_in_the_light(scenes):
    means = [np.clip(scene.picture, 0, 1).mean() for scene in scenes]
    assert min(means) > 0.03
    assert max(means) < 0.75
    assert 0.12 < np.median(means) < 0.4


def test_light_is_a_unit_vector_from_above_and_shows_the_person(scenes):
    for scene in scenes:
        light = scene.light
        assert np.linalg.norm(light.towards) == pytest.approx(1, abs=1e-6)
        assert light.towards[2] > 0
        assert 0 <= light.softness <= 1
        front = max(-light.towards[1], 0)  # the cameras stand at -y
        key, sky, ground = (np.mean(c) for c in (light.key, light.sky, light.ground))
        assert 0.25 < (0.15 + 0.65 * front) * key + 0.5 * (sky + ground) < 1.8


def test_a_floor_takes_shadows_only_where_it_can_be_seen():
    assert make_scene(1, BODY, 48).light.floor
    assert not make_scene(1, PORTRAIT, 48).light.floor


@pytest.mark.parametrize(("seed", "camera"), list(itertools.product((2, 5, 9), (BODY, PORTRAIT))))
def test_another_size_shows_the_same_scene(seed, camera):
    small = make_scene(seed, camera, 100, margin=0.0).picture
    large = make_scene(seed, camera, 200, margin=0.0).picture
    reduced = lens.halve(large)
    inner = slice(4, -4)
    difference = np.abs(np.minimum(small, 1) - np.minimum(reduced, 1))[inner, inner]
    assert difference.mean() < 0.02
    shifted = np.abs(np.minimum(small, 1) - np.minimum(np.roll(reduced, 12, 1), 1))[inner, inner]
    assert difference.mean() < 0.5 * shifted.mean() + 0.003


def test_the_margin_adds_to_the_sides_and_leaves_the_middle():
    assert make_scene(7, BODY, 100, margin=0.1).picture.shape == (120, 120, 3)
    wide, narrow = (tracing.make_view(BODY, *sides).rays for sides in ((120, 0.1), (100, 0.0)))
    assert np.allclose(wide[:, 10:-10, 10:-10], narrow, atol=1e-6)


# -- geometry --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "camera", [BODY, PORTRAIT, Camera((3, -2.5, 1.2), (0, 0, 0.9), 35.0, roll_deg=4.0)]
)
def test_rays_are_the_cameras_own_turned_to_look_along_y(camera):
    view = tracing.make_view(camera, 40, 0.08)
    rays = np.moveaxis(view.rays, 0, -1)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    world = tracing.turned(rays.astype(float), tracing.heading(camera))
    assert np.allclose(world, camera.rays(40, 0.08), atol=1e-5)
    assert abs(rays[20, 20, 0]) < 0.03


@pytest.mark.parametrize("camera", [BODY, Camera((3, -2.5, 1.2), (0, 0, 0.9), 35.0, roll_deg=4.0)])
def test_where_a_ray_meets_the_floor_projects_back_to_its_pixel(camera):
    side = 50
    view = tracing.make_view(camera, side, 0.0)
    floor = tracing.Shape("floor", (0, 0, 0), (1000, 1, 0), grey())
    depth, number = tracing.trace(view, [floor])
    rows, columns = np.nonzero(number == 0)
    assert len(rows) > 300
    points = view.eye[:, None] + depth[rows, columns] * view.rays[:, rows, columns]
    assert np.abs(points[2]).max() < 1e-3
    world = tracing.turned(points.T.astype(float), tracing.heading(camera))
    near = depth[rows, columns] < 100
    pixels = camera.project(world[near], side)
    assert np.allclose(pixels, np.stack([columns, rows], -1)[near] + 0.5, atol=0.02)


@pytest.mark.parametrize("form", ["box", "tube", "ball", "card"])
def test_shapes_are_met_where_they_are(form):
    view = tracing.make_view(BODY, 120, 0.0)
    shape = tracing.Shape(form, (0.3, 1.0, 0.8), (0.4, 0.4, 0.5), grey(), yaw=0.0)
    depth, number = tracing.trace(view, [shape])
    rows, columns = np.nonzero(number == 0)
    points = view.eye[:, None] + depth[rows, columns] * view.rays[:, rows, columns]
    inside = (
        np.abs(points - np.array(shape.at)[:, None]) <= np.array([0.4, 0.4, 0.5])[:, None] + 1e-3
    )
    assert inside.all()
    # the middle of the outline lies where the camera sees the middle of the shape
    pixels = BODY.project(tracing.turned(np.array(shape.at), tracing.heading(BODY)), 120)
    middle = np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / 2
    assert np.abs(middle - pixels).max() < 3
    # 0.8 m wide, seen from its depth
    expected = 0.8 / (view.depth(np.array([shape.at]))[0] * view.sample)
    assert np.ptp(columns) + 1 == pytest.approx(expected, rel=0.12)


def test_the_nearer_shape_hides_the_other():
    view = tracing.make_view(BODY, 60, 0.0)
    far = tracing.Shape("card", (0, 3, 1), (4, 0, 4), grey())
    near = tracing.Shape("card", (0, 1, 1), (0.3, 0, 0.3), grey())
    for shapes, at in (((far, near), 1), ((near, far), 0)):
        _, number = tracing.trace(view, shapes)
        assert number[30, 30] == at


def test_what_stands_near_the_floor_darkens_it():
    view = tracing.make_view(BODY, 80, 0.0)
    floor = tracing.Shape("floor", (0, 0, 0), (1000, 1, 0), grey())
    box = tracing.Shape("box", (0, 1.0, 0.3), (0.3, 0.3, 0.3), grey())
    lighting = shading.Lighting(np.ones(3, np.float32), np.zeros(3, np.float32), shade=0.8)
    bright = [
        shading.shade(view, shapes, *tracing.trace(view, shapes), lighting)
        for shapes in ([floor], [floor, box])
    ]
    _, number = tracing.trace(view, [floor, box])
    seen = number == 0
    assert np.allclose(bright[0][seen], 0.5, atol=1e-4)
    darkest = bright[1][seen].min()
    assert darkest < 0.4
    assert np.mean(bright[1][seen] > 0.499) > 0.8  # far from the box nothing changes


def test_the_suns_shadow_falls_away_from_it():
    view = tracing.make_view(BODY, 80, 0.0)
    floor = tracing.Shape("floor", (0, 0, 0), (1000, 1, 0), grey())
    box = tracing.Shape("box", (0, 1.0, 0.4), (0.1, 0.1, 0.4), grey())
    towards = np.array([0.6, 0.0, 0.8])
    nothing = np.zeros(3, np.float32)
    lighting = shading.Lighting(
        nothing, nothing, sun=shading.Sun(towards, np.ones(3, np.float32)), shade=0.0
    )
    depth, number = tracing.trace(view, [floor, box])
    picture = shading.shade(view, [floor, box], depth, number, lighting)[..., 0]
    points = view.eye[:, None, None] + depth * view.rays
    dark = (number == 0) & (picture < 0.05)
    x, y = points[0][dark], points[1][dark]
    # 0.8 m tall under a sun of slope 4:3 throws 0.6 m of shadow towards -x
    assert x.min() == pytest.approx(-0.1 - 0.6, abs=0.08)
    assert x.max() < 0.12
    assert np.abs(y - 1.0).max() < 0.16


# -- textures and lens -----------------------------------------------------------------------------


def test_hashes_are_the_same_everywhere_and_spread_evenly():
    i, j = np.array([[0, 1, -1, 1234], [0, 2, -3, 7]], np.float32)
    values = textures.cell_hash(i, j, 5)
    assert (values * 2**24).astype(int).tolist() == [10559681, 5097600, 7922583, 7982200]
    grid = np.arange(200, dtype=np.float32)
    many = textures.cell_hash(np.repeat(grid, 200), np.tile(grid, 200), 1)
    assert many.mean() == pytest.approx(0.5, abs=0.01)
    assert np.histogram(many, 16, (0, 1))[0].min() > 0.9 * 40000 / 16


def test_textures_fade_to_their_mean_in_the_distance():
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-20, 20, (2, 4000)).astype(np.float32)
    near, far = (
        textures.noise(textures.Spots(u, v, np.full_like(u, size)), 1.0, 3) for size in (0.002, 0.5)
    )
    assert near.std() == pytest.approx(1, abs=0.15)
    assert far.std() < 0.7 * near.std()


def test_a_disc_blur_keeps_the_light_and_has_its_radius():
    picture = np.zeros((61, 61, 1), np.float32)
    picture[30, 30] = 1
    blurred = lens.disc_blur(picture, 6.0)[..., 0]
    assert blurred.sum() == pytest.approx(1, abs=1e-4)
    rows, columns = np.nonzero(blurred > 1e-4)
    assert np.hypot(rows - 30, columns - 30).max() == pytest.approx(6, abs=0.6)
    assert blurred[30, 30] == pytest.approx(1 / (np.pi * 36), rel=0.1)


def test_only_what_is_out_of_focus_is_blurred():
    picture = np.zeros((64, 64, 3), np.float32)
    picture[::2] = 1  # stripes
    depth = np.full((64, 64), 2.0, np.float32)
    depth[:, 32:] = 40.0
    seen = lens.defocus(picture, depth, focus_m=2.0, opening=5.0)
    assert seen[20:40, 4:20].std() > 0.45
    assert seen[20:40, 44:60].std() < 0.1


# -- statistics ------------------------------------------------------------------------------------


def spectrum_slope(picture):
    """Fall of the power spectrum over frequency, in a log-log plot, of the brightness as shown."""
    values = np.clip(picture, 0, 1).mean(-1) ** (1 / 2.2)
    side = min(values.shape)
    window = np.hanning(side)
    values = (values - values.mean()) * window[:, None] * window
    power = np.abs(np.fft.fftshift(np.fft.fft2(values))) ** 2
    y, x = np.indices(power.shape) - side // 2
    ring = np.hypot(y, x).round().astype(int)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    k = np.arange(3, side // 3)
    return np.polyfit(np.log(k), np.log(mean[k] + 1e-12), 1)[0]


def test_spectra_fall_as_those_of_real_pictures(scenes):
    sharp = [spectrum_slope(s.picture) for s in scenes if s.parameters["opening"] < 0.006]
    assert len(sharp) > 8
    natural = [-3.9 < slope < -1.9 for slope in sharp]
    assert np.mean(natural) > 0.8
    assert -3.3 < np.median(sharp) < -2.2


# -- photographs -----------------------------------------------------------------------------------


def photo(path: Path, pixels: np.ndarray, orientation: int = 1) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    return path


def test_a_photograph_stands_upright_and_is_linear(tmp_path):
    pixels = np.zeros((400, 300, 3), np.uint8)
    pixels[:, :100] = 188  # bright on the left as stored: above, once turned to the right
    path = photo(tmp_path / "a.jpg", pixels, orientation=6)
    for seed in range(6):
        scene = make_scene(seed, BODY, 100, photos=[path])
        rows = scene.picture.mean((1, 2))
        assert rows[:8].mean() > rows[-8:].mean() + 0.2
        assert scene.picture.max() < 0.6  # 188 is half the light of white
        assert scene.parameters["kind"] == "photograph"
        assert not scene.light.floor


def test_photographs_are_sometimes_mirrored(tmp_path):
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[:, 150:] = 220
    path = photo(tmp_path / "a.png", pixels)
    scenes = [make_scene(seed, BODY, 64, photos=[path]) for seed in range(12)]
    for scene in scenes:
        brighter_right = scene.picture[:, 37:].mean() > scene.picture[:, :37].mean()
        assert brighter_right != scene.parameters["mirrored"]
        assert (scene.light.towards[0] > 0) == brighter_right
    assert {scene.parameters["mirrored"] for scene in scenes} == {True, False}


def test_a_small_photograph_is_shown_whole_rather_than_enlarged(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)
    path = photo(tmp_path / "small.png", pixels)
    parts = [make_scene(s, BODY, 100, photos=[path]).parameters["part"] for s in range(5)]
    assert parts == [1.0] * 5


def test_without_photographs_there_is_nothing_to_choose_from():
    with pytest.raises(ConfigError, match="empty"):
        make_scene(0, BODY, 64, photos=[])


def test_a_broken_photograph_is_named(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"not a picture")
    with pytest.raises(MediaError, match=r"broken\.jpg"):
        make_scene(0, BODY, 64, photos=[path])
    with pytest.raises(MediaError, match=r"missing\.jpg"):
        make_scene(0, BODY, 64, photos=[tmp_path / "missing.jpg"])
