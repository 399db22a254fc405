"""Clips of rendered people: exact layers, one seed for each part, the same bytes each time."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("anny")

from maskmotion.errors import ConfigError
from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.clip import (
    JOINTS,
    MARGIN,
    ClipSeeds,
    Drift,
    PeopleRenderer,
    _backgrounds,
    _look,
    composite,
    drifted,
    shaded,
)
from maskmotion.synth.people.dressing import make_person
from maskmotion.synth.people.light import Light
from maskmotion.synth.people.render import Grade
from maskmotion.synth.people.scenery import Scene

LAYERS = ("frames", "alpha", "foreground", "background", "shade", "joints", "visible")
SEEDS = ClipSeeds(person=11, motion=12, scene=13, camera=14)


def clip(renderer, seeds=SEEDS, framing="body", frames=4, **options):
    return renderer.clip(seeds, framing=framing, frames=frames, **options)


def held() -> int:
    """A camera's seed whose picture drifts."""
    return next(k for k in range(99) if not _look(replace(SEEDS, camera=k), 20, 25.0).drift.still)


def same(first, second, layers=LAYERS):
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in layers)


@pytest.fixture(scope="module", params=["body", "portrait"])
def made(renderer, request):
    return clip(renderer, framing=request.param)


def test_frames_are_exactly_the_person_over_the_shaded_background(made):
    behind = shaded(made.background, made.shade)
    assert np.array_equal(made.frames, composite(made.foreground, made.alpha, behind))
    a = made.alpha[..., None] / 255
    exact = a * made.foreground + (1 - a) * behind
    assert np.abs(made.frames - exact).max() <= 0.5 + 1e-9
    assert not made.foreground[made.alpha == 0].any()


def test_the_person_is_there_and_so_is_the_background(made):
    share = made.alpha.mean() / 255
    assert 0.03 < share < 0.7
    assert (made.alpha == 255).any()
    assert (made.alpha == 0).any()
    assert made.frames.std() > 10


def test_a_clip_is_the_same_whatever_was_rendered_between(renderer):
    first = clip(renderer)
    clip(renderer, replace(SEEDS, person=1, motion=2), framing="portrait")
    second = clip(renderer)
    assert same(first, second)
    assert first.parameters == second.parameters


def test_another_scene_leaves_the_person_s_outline(renderer):
    first, second = clip(renderer), clip(renderer, replace(SEEDS, scene=99))
    assert same(first, second, ("alpha", "joints"))
    assert np.abs(first.background.astype(int) - second.background).mean() > 5


def test_another_person_moves_alike_in_the_same_place(renderer):
    first, second = clip(renderer), clip(renderer, replace(SEEDS, person=99))
    assert same(first, second, ("background",))
    for part in ("motion", "scene", "light", "camera", "look"):
        assert first.parameters[part] == second.parameters[part]
    assert first.parameters["person"] != second.parameters["person"]
    hands = [list(JOINTS).index(f"{side}_wrist") for side in ("left", "right")]
    paths = [
        c.joints[:, hands] - c.joints[:, [list(JOINTS).index("chest")]] for c in (first, second)
    ]
    assert np.abs(paths[0] - paths[1]).mean() < 0.06 * first.alpha.shape[-1]


def test_joints_lie_on_the_person(renderer):
    hits = []
    for seed in range(4):
        made = clip(renderer, ClipSeeds(seed, seed, seed, seed), frames=3)
        inner = [list(JOINTS).index(name) for name in ("chest", "pelvis", "left_knee", "neck")]
        x, y = np.moveaxis(made.joints[:, inner].astype(int), -1, 0)
        hits.append(made.alpha[np.arange(3)[:, None], y, x] > 0)
        assert made.visible[:, inner].all()
    assert np.mean(hits) > 0.95


def test_a_held_camera_moves_person_joints_and_background_alike(renderer):
    made = clip(renderer, replace(SEEDS, camera=held()), frames=20)
    assert len(made.background) == 20
    assert not np.array_equal(made.background[0], made.background[-1])
    still = clip(renderer, replace(SEEDS, camera=held()), frames=1)
    assert len(still.background) == 1


def test_drift_is_the_same_for_points_as_for_opengl():
    camera = Camera((0.2, -4, 1.2), (0, 0, 0.9), 30, 1.5)
    drift = Drift(np.array([1.03, 0.97]), np.array([[0.02, -0.01], [-0.03, 0.04]]))
    point = np.array([0.3, 0.1, 1.4])
    moved = drifted(np.broadcast_to(camera.project(point, 100), (2, 1, 2)), drift, 100)
    for t in range(2):
        x, y, _, w = drift.matrix(t) @ camera.matrix() @ np.array([*point, 1])
        assert moved[t, 0] == pytest.approx([(x / w + 1) * 50, (1 - y / w) * 50], abs=1e-3)


def test_a_photograph_can_be_the_background(renderer, tmp_path):
    from PIL import Image

    Image.new("RGB", (300, 200), (200, 40, 40)).save(tmp_path / "red.png")
    made = clip(renderer, backgrounds=[tmp_path / "red.png"], frames=1)
    assert made.background[..., 0].mean() > made.background[..., 1].mean() + 60
    assert (made.shade == 255).all()


def test_parameters_are_fit_for_json(made):
    import json

    assert json.loads(json.dumps(made.parameters))["seeds"] == {
        "person": 11, "motion": 12, "scene": 13, "camera": 14
    }  # fmt: skip


@pytest.mark.parametrize("options", [{"frames": 0}, {"fps": 0}, {"fps": -25.0}])
def test_a_clip_needs_a_frame_and_a_rate(renderer, options):
    with pytest.raises(ConfigError, match="a clip needs a frame"):
        clip(renderer, **options)


@pytest.mark.parametrize("size", [8, 5000])
def test_an_impossible_size_is_refused(size):
    with pytest.raises(ConfigError, match="px a side"):
        PeopleRenderer(size)


def test_nobody_is_cut_in_two(renderer):
    """Between two garments the body shows, or one lies over the other."""
    lamp = Light((0.0, 0.0, 1.0), (1.0,) * 3, (1.0,) * 3, (1.0,) * 3, 0.5, False)
    drawing = renderer._renderer
    for seed in range(16):
        person = make_person(seed)
        skeleton = person.figure.body.skeleton
        still = np.eye(3, dtype=np.float32)[None, None].repeat(len(skeleton.names), 1)
        posed = person.figure.pose(still, np.zeros((1, 3)), np.zeros((1, 52)))
        drawing.load(person.figure)
        top, bottom = (skeleton.heads[skeleton.index(n)][2] for n in ("spine01", "upperleg01.L"))
        for side in (-4, 4):
            camera = Camera((0, side, 1), (0, 0, 1), 30)
            _, alpha = drawing.draw(posed, 0, camera, lamp, Grade())
            for z in np.arange(bottom, top, 0.01):
                x, y = camera.project(np.array([0.0, 0.0, z]), 64).astype(int)
                assert alpha[y, x] == 255, (seed, side, z)


def test_left_is_the_person_s_left():
    skeleton = make_person(0).figure.body.skeleton
    for name, bone in JOINTS.items():
        x = skeleton.heads[skeleton.index(bone)][0]
        assert (x > 0) == name.startswith("left_") or not name.startswith(("left_", "right_"))
        assert abs(x) < 0.01 or name.startswith(("left_", "right_"))


def test_a_held_camera_slows_down_before_it_stops():
    speeds = []
    for seed in range(60):
        drift = _look(replace(SEEDS, camera=seed), 96, 25.0).drift
        assert np.abs(drift.shift).max() < MARGIN / 2
        assert np.abs(np.log(drift.zoom)).max() < 0.05
        turns = np.abs(np.diff(drift.shift, n=2, axis=0)).max()
        speeds.append(turns)
    assert max(speeds) < 0.002  # half sides a frame and frame


def test_the_background_drifts_as_the_picture_does():
    """A bright spot of the scene goes where the camera's drift takes it."""
    side = round(64 * (1 + 2 * MARGIN))
    picture = np.full((side, side, 3), 0.05, np.float32)
    picture[20:24, 50:54] = 1.0
    lamp = Light((0.0, 0.0, 1.0), (1.0,) * 3, (1.0,) * 3, (1.0,) * 3, 0.5, False)
    look = _look(replace(SEEDS, camera=held()), 96, 25.0)
    shown = _backgrounds(Scene(picture, MARGIN, lamp, {}), look, 64)[..., 0].astype(float)
    spot = np.array([52.0, 22.0]) - (side - 64) / 2  # px in the still picture
    wanted = drifted(np.broadcast_to(spot, (96, 1, 2)), look.drift, 64)[:, 0]
    weight = np.clip(shown - shown.min() - 60, 0, None)
    x = np.arange(64) + 0.5
    found = np.stack([(weight.sum(1) * x).sum(1), (weight.sum(2) * x).sum(1)], 1)
    found /= weight.sum((1, 2))[:, None]
    assert np.abs(found - wanted).max() < 0.25
    assert np.ptp(wanted, axis=0).max() > 0.3


def test_two_renderers_do_not_disturb_each_other(renderer):
    alone = clip(renderer, frames=1)
    with PeopleRenderer(96) as other:
        assert other.device == renderer.device != ""
        clip(other, frames=1)
        assert same(clip(renderer, frames=1), alone)
