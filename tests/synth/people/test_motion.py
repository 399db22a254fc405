import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("anny")

from tests.synth.people.reference import pose_body

from maskmotion.synth.people.body import forward, make_body, parts
from maskmotion.synth.people.motion import make_motion, perform, performing
from maskmotion.synth.people.motion.behaviours import ARM, BEHAVIOURS, THEMES, arm
from maskmotion.synth.people.motion.curves import below, drift, flow, moves, smooth
from maskmotion.synth.people.motion.face import gaze_actions
from maskmotion.synth.people.motion.limbs import apply, turn, two_bone, unit
from maskmotion.synth.people.seeding import stream

FPS = 25.0
SEEDS = range(24)
LOOKS = {
    "usual": {},
    "heavy": {"weight": 1.0, "gender": 0.9, "cupsize": 0.9},
    "thin": {"weight": 0.05, "height": 0.8},
    "short": {"height": 0.1, "age": 1.0, "gender": 1.0},
}


@pytest.fixture(scope="module")
def bodies():
    usual = dict.fromkeys(
        ("gender", "muscle", "weight", "height", "proportions", "cupsize", "firmness"), 0.5
    ) | {"age": 0.67, "african": 0.3, "asian": 0.3, "caucasian": 0.4}
    return {name: make_body(usual | look, {}) for name, look in LOOKS.items()}


@pytest.fixture(scope="module")
def body(bodies):
    return bodies["usual"]


@pytest.fixture(scope="module")
def acted(bodies):
    """(motion, body, world rotations, heads) of many clips, on all bodies in turn."""
    out = []
    for seed in SEEDS:
        body = list(bodies.values())[seed % len(bodies)]
        motion = make_motion(seed, frames=96, fps=FPS, framing="body")
        performance = perform(motion, body)
        turned, heads = forward(body.skeleton, performance.rotations, performance.shift)
        out.append((motion, body, performance, turned.astype(float), heads.astype(float)))
    return out


def pair(skeleton, name):
    return [skeleton.index(f"{name}.{side}") for side in "LR"]


def angles(rotations):
    """Degrees by which rotations turn."""
    trace = np.trace(rotations.astype(float), axis1=-2, axis2=-1)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def turning(rotations):
    """(T - 1, J, 3) degrees a second between frames."""
    steps = np.swapaxes(rotations[:-1], -1, -2).astype(float) @ rotations[1:]
    axis = np.stack([steps[..., i, j] - steps[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], -1)
    return unit(axis) * angles(steps)[..., None] * FPS


# Limbs ------------------------------------------------------------------------------------

place = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array)
length = st.floats(0.1, 0.6)


@given(place, place, place, length, length)
def test_two_bones_reach_what_is_within_reach(start, target, pole, a, b):
    a, b = np.array([a]), np.array([b])
    far = np.linalg.norm(target - start)
    away = np.cross(target - start, pole)
    if np.linalg.norm(away) < 1e-3:
        return
    middle, end = two_bone(start, target, a, b, pole)
    assert np.linalg.norm(middle - start) == pytest.approx(a[0], abs=1e-6)
    assert np.linalg.norm(end - middle) == pytest.approx(b[0], abs=1e-6)
    nearest = np.clip(far, abs(a - b)[0], (a + b)[0])
    assert np.linalg.norm(end - start) == pytest.approx(nearest, abs=1e-4)
    if abs(nearest - far) < 1e-9:
        np.testing.assert_allclose(end, target, atol=1e-4)
    # The middle lies on the pole's side of the line.
    side = pole - (target - start) * (pole @ (target - start)) / far**2
    assert (middle - start) @ side >= -1e-9


def test_two_bones_survive_a_target_in_the_start():
    middle, end = two_bone(
        np.zeros(3), np.zeros(3), np.array([0.3]), np.array([0.25]), np.array([0.0, 1.0, 0.0])
    )
    assert np.isfinite(middle).all()
    assert np.linalg.norm(end) == pytest.approx(0.05, abs=1e-4)


@given(st.integers(0, 10**6))
def test_a_bent_limb_ends_where_it_was_solved_to(body, seed):
    rng = np.random.default_rng(seed)
    for limb, bones in (
        (performing.build(body).arms, performing.ARM_BONES),
        (performing.build(body).legs, performing.LEG_BONES),
    ):
        heads = body.skeleton.heads[[pair(body.skeleton, bone) for bone in bones]].astype(float)
        parent = turn(unit(rng.normal(size=(3, 2, 3))), rng.uniform(-2, 2, (3, 2)))
        start, target = rng.normal(size=(3, 2, 3)), rng.normal(size=(3, 2, 3))
        target = start + 0.45 * unit(target - start)
        pole = rng.normal(size=(3, 2, 3))
        joints = (start, *two_bone(start, target, *limb.lengths, pole))
        local, _ = limb.bend(parent, joints, pole, rng.uniform(-1, 1, (3, 2)))
        world, spot = parent, start
        for i in range(4):
            world = world @ local[:, :, i]
            spot = spot + apply(world, heads[i + 1] - heads[i])
            if i == 1:
                np.testing.assert_allclose(spot, joints[1], atol=1e-6)  # elbow or knee
        np.testing.assert_allclose(spot, target, atol=1e-4)


@given(st.integers(0, 10**6))
def test_an_elbow_turns_about_its_hinge_alone(body, seed):
    """The twist of the upper arm ends above the elbow, and that of the hand is the forearm's."""
    rng = np.random.default_rng(seed)
    limb = performing.build(body).arms
    start = np.zeros((3, 2, 3))
    pole = rng.normal(size=(3, 2, 3))
    joints = (start, *two_bone(start, 0.4 * unit(rng.normal(size=(3, 2, 3))), *limb.lengths, pole))
    parent = np.broadcast_to(np.eye(3), (3, 2, 3, 3))
    local, _ = limb.bend(parent, joints, pole, np.zeros((3, 2)))
    elbow = local[:, :, 2]
    axis = unit(
        np.stack([elbow[..., i, j] - elbow[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], -1)
    )
    assert np.abs((axis * limb.hinge).sum(-1)).min() > 0.97


def test_elbows_and_knees_bend_one_way(acted):
    for _, body, _, turned, heads in acted:
        made = performing.build(body)
        for limb, bones, most in (
            (made.arms, performing.ARM_BONES, 150),
            (made.legs, performing.LEG_BONES, 130),
        ):
            first, second, middle, _, end = (pair(body.skeleton, bone) for bone in bones)
            upper, lower = heads[:, middle] - heads[:, first], heads[:, end] - heads[:, middle]
            hinge = apply(turned[:, second], limb.hinge)
            bend = (np.cross(unit(lower), unit(upper)) * hinge).sum(-1)
            assert bend.min() > 0.0
            flexed = np.degrees(np.arccos((unit(upper) * unit(lower)).sum(-1)))
            assert flexed.max() < most


def test_rotations_are_rotations(acted):
    for motion, body, performance, *_ in acted:
        shape = (motion.frames, len(body.skeleton.names), 3, 3)
        assert performance.rotations.shape == shape
        assert performance.rotations.dtype == np.float32
        assert performance.shift.shape == (motion.frames, 3)
        assert performance.actions.shape == (motion.frames, len(body.actions))
        both = performance.rotations @ np.swapaxes(performance.rotations, -1, -2)
        np.testing.assert_allclose(both, np.broadcast_to(np.eye(3), shape), atol=1e-5)
        assert np.linalg.det(performance.rotations).min() > 0.99
        assert performance.actions.min() >= 0
        assert performance.actions.max() <= 1


def test_joints_stay_within_what_people_can_do(acted):
    most = {
        "upperleg01": 100, "foot": 60, "wrist": 75, "clavicle": 25, "neck01": 20, "head": 30,
        "spine03": 20, "root": 130, "toe1-1": 45, "eye": 20, "pelvis": 0.1,
    }  # fmt: skip
    for _, body, performance, *_ in acted:
        turned = angles(performance.rotations).max(0)
        for name, angle in zip(body.skeleton.names, turned, strict=True):
            assert angle <= most.get(name.split(".")[0], 180), name


def test_joints_move_smoothly(acted):
    for motion, body, performance, _, heads in acted:
        eyes = pair(body.skeleton, "eye")
        speed = np.delete(turning(performance.rotations), eyes, axis=1)
        assert np.linalg.norm(speed, axis=-1).max() < 750, motion.describe()
        jolt = np.linalg.norm(np.diff(speed, axis=0), axis=-1) * FPS
        assert jolt.max() < 12000, motion.describe()
        root = np.diff(heads[:, 0], 2, axis=0) * FPS**2 / performing.build(body).leg
        assert np.linalg.norm(root, axis=-1).max() < 11
        hands = heads[:, pair(body.skeleton, "wrist")]
        assert np.linalg.norm(np.diff(hands, axis=0), axis=-1).max() * FPS < 8
        assert np.linalg.norm(np.diff(hands, 2, axis=0), axis=-1).max() * FPS**2 < 110


# Feet -------------------------------------------------------------------------------------


def test_planted_feet_stay(acted):
    stood = 0
    for motion, body, _, _, heads in acted:
        for k, toe in enumerate(pair(body.skeleton, "toe3-1")):
            planted = motion.tracks["planted"][:, k]
            still = planted[1:] & planted[:-1]
            moved = np.linalg.norm(np.diff(heads[:, toe], axis=0), axis=-1)[still]
            stood += len(moved)
            assert moved.max(initial=0) < 0.004
            # Nor does it creep from one step to the next.
            for run in np.split(np.arange(96), np.flatnonzero(~still) + 1):
                assert np.ptp(heads[run, toe], axis=0).max() < 0.01
    assert stood > 2000


def test_somebody_stands_on_the_floor(acted):
    skin = np.unique(parts().faces["body"])
    for motion, body, performance, *_ in acted[:8]:
        at = slice(None, None, 12)
        vertices, _ = pose_body(
            body, performance.rotations[at], performance.shift[at], performance.actions[at]
        )
        lowest = vertices[:, skin, 2].min(1)
        assert lowest.min() > -0.01, motion.describe()
        assert lowest.max() < 0.01, motion.describe()


def test_people_stay_where_the_camera_looks(acted):
    for _, _, _, _, heads in acted:
        assert np.abs(heads[:, 0, 0]).max() < 0.35
        assert np.abs(heads[:, 0, 1]).max() < 0.25


# Hands ------------------------------------------------------------------------------------


def test_hands_stay_out_of_a_heavy_torso(bodies):
    body = bodies["heavy"]
    chest = body.skeleton.index("spine01")
    girth = performing.build(body).girth
    for seed in SEEDS:
        performance = perform(make_motion(seed, frames=60, fps=FPS, framing="body"), body)
        turned, heads = forward(body.skeleton, performance.rotations, performance.shift)
        for hand in pair(body.skeleton, "wrist"):
            seen = heads[:, hand] - heads[:, chest]
            spot = np.einsum("tba,tb->ta", turned[:, chest], seen) + body.skeleton.heads[chest]
            low, high = body.skeleton.heads[
                [body.skeleton.index(n) for n in ("spine04", "head")], 2
            ]
            spot = spot[(spot[:, 2] > low) & (spot[:, 2] < high)]
            wide, thick, middle = girth.at(spot[:, 2], 0.0)
            outside = np.hypot(spot[:, 0] / wide, (spot[:, 1] - middle) / thick)
            assert outside.min(initial=9) > 1.0


def test_hands_correspond_on_all_bodies(bodies):
    motions = [make_motion(seed, frames=48, fps=FPS, framing="body") for seed in SEEDS]
    assert json.loads(json.dumps(motions[0].describe())) == motions[0].describe()
    far = []
    for motion in motions:
        seen = []
        for body in bodies.values():
            performance = perform(motion, body)
            turned, heads = forward(body.skeleton, performance.rotations, performance.shift)
            chest = body.skeleton.index("spine01")
            rest = body.skeleton.heads
            shoulder = rest[pair(body.skeleton, "upperarm01")] - rest[chest]
            hands = heads[:, pair(body.skeleton, "wrist")] - heads[:, [chest]]
            local = np.einsum("tba,tkb->tka", turned[:, chest], hands) - shoulder
            seen.append(local / performing.build(body).arm)
        far.append(np.linalg.norm(np.array(seen) - seen[0], axis=-1))
    # A tenth of an arm, but where a girth is in the way.
    assert np.quantile(far, 0.9) < 0.12
    assert np.max(far) < 0.45


def test_hands_meet_before_every_chest(bodies):
    broad = make_body(
        {"gender": 0.0, "muscle": 1.0, "weight": 0.6}, {"measure-shoulder-dist-incr": 1.0}
    )
    motion = make_motion(0, frames=2, fps=FPS, framing="body")
    tracks = {name: 0 * track for name, track in motion.tracks.items()}
    tracks["balance"][..., 2] = 1
    # Shoulders are 0.35 arms from the middle: this is where sin(angle) reach = 0.35.
    tracks["arms"] += arm(-np.degrees(np.arcsin(0.35 / 0.8)), 0, 0.8)
    apart = []
    for body in [*bodies.values(), broad]:
        rotations, shift = performing.pose(tracks, FPS, body)
        _, heads = forward(body.skeleton, rotations, shift)
        left, right = heads[0, pair(body.skeleton, "wrist"), 0]
        apart.append(left - right)
    assert np.abs(apart).max() < 0.04
    assert np.ptp(apart) < 0.03


def test_most_clips_move_the_arms(acted):
    speed = [
        np.linalg.norm(np.diff(heads[:, pair(body.skeleton, "wrist")], axis=0), axis=-1).mean()
        * FPS
        for _, body, _, _, heads in acted
    ]
    assert np.median(speed) > 0.5
    assert np.quantile(speed, 0.05) > 0.15


# Motions ----------------------------------------------------------------------------------


def test_a_motion_depends_on_its_seed_alone(body):
    one, same, other = (make_motion(s, frames=30, fps=FPS, framing="body") for s in (5, 5, 6))
    np.testing.assert_array_equal(perform(one, body).rotations, perform(same, body).rotations)
    assert np.abs(one.tracks["arms"] - other.tracks["arms"]).max() > 20


@pytest.mark.parametrize("framing", ["body", "portrait"])
def test_a_longer_motion_begins_the_same(framing):
    short = make_motion(3, frames=40, fps=FPS, framing=framing)
    long = make_motion(3, frames=90, fps=FPS, framing=framing)
    for name, track in short.tracks.items():
        np.testing.assert_allclose(track, long.tracks[name][:40], atol=1e-9, err_msg=name)
    for name in short.actions.keys() | long.actions.keys():
        a, b = (m.actions.get(name, np.zeros(90))[:40] for m in (short, long))
        np.testing.assert_allclose(a, b, atol=1e-9, err_msg=name)


@given(st.integers(0, 2**40), st.sampled_from([12.0, 25.0, 30.0, 60.0]), st.integers(1, 40))
def test_any_seed_rate_and_length_will_do(body, seed, fps, frames):
    for framing in ("body", "portrait"):
        performance = perform(make_motion(seed, frames=frames, fps=fps, framing=framing), body)
        assert performance.shift.shape == (frames, 3)
        assert np.isfinite(performance.rotations).all()
        assert np.isfinite(performance.shift).all()


def test_clips_are_made_of_named_behaviours():
    described = [make_motion(s, frames=96, fps=FPS, framing="body").describe() for s in range(80)]
    counts = [len(clip["behaviours"]) for clip in described]
    assert min(counts) >= 2
    assert max(counts) <= 5
    assert {b["name"] for clip in described for b in clip["behaviours"]} == set(BEHAVIOURS)
    assert {name for shares in THEMES.values() for name in shares} == set(BEHAVIOURS)
    tempos = [b["tempo"] for clip in described for b in clip["behaviours"]]
    assert max(tempos) > 1.5 * min(tempos)
    assert any(b["pause_s"] is not None for clip in described for b in clip["behaviours"])
    for clip in described:
        for before, after in zip(clip["behaviours"], clip["behaviours"][1:], strict=False):
            assert before["end_s"] == after["start_s"]


# Faces ------------------------------------------------------------------------------------


def test_blinks_close_the_eyes(body):
    seen = 0
    for seed in range(12):
        motion = make_motion(seed, frames=120, fps=FPS, framing="portrait")
        lids = motion.actions["eyeBlinkLeft"]
        blinks = motion.describe()["blinks_s"]
        for at in blinks:
            frame = min(round(at * FPS), 119)
            assert lids[max(frame - 1, 0) : frame + 2].max() == 1
        # One after the end may begin within the clip.
        every = np.array([-9.0, *motion.face.blinks_s])
        apart = np.abs(np.arange(120) / FPS - every[:, None]).min(0)
        assert lids[apart > 0.3].max(initial=0) == 0
        seen += len(blinks)
    assert 10 < seen < 60


def test_closed_lids_meet(body):
    upright = np.broadcast_to(np.eye(3, dtype=np.float32), (2, len(body.skeleton.names), 3, 3))
    acting = np.zeros((2, len(body.actions)), np.float32)
    acting[1, [body.actions.index(f"eyeBlink{side}") for side in ("Left", "Right")]] = 1
    vertices, heads = pose_body(body, upright, np.zeros((2, 3)), acting)
    skin = np.unique(parts().faces["body"])
    near = vertices[:, skin] - heads[:, [body.skeleton.index("eye.L")]]
    # Skin that lies before the pupil: none while open, the upper lid while closed.
    aside = (np.abs(near[..., 0]) < 0.002) & (np.abs(near[..., 2] + 0.002) < 0.003)
    before = aside & (near[..., 1] < -0.0165)
    assert before[0].sum() == 0
    assert before[1].sum() > 0


@pytest.mark.parametrize("look", [(20.0, 0.0), (-15.0, 0.0), (0.0, 14.0), (0.0, -14.0)])
def test_eyes_look_where_they_should(body, look):
    actions, rest = gaze_actions(np.array([look, (0.0, 0.0)]))
    motion = make_motion(0, frames=2, fps=FPS, framing="portrait")
    tracks = {name: 0 * track for name, track in motion.tracks.items()}
    tracks["balance"][..., 2] = 1
    tracks["arms"] += arm(0, -80, 0.9)
    tracks["eyes"] = rest
    rotations, shift = performing.pose(tracks, FPS, body)
    acting = np.zeros((2, len(body.actions)))
    for name, values in actions.items():
        acting[:, body.actions.index(name)] = values
    vertices, heads = pose_body(body, rotations, shift, acting)
    eyes = np.unique(parts().faces["eyes"])
    eyes = eyes[body.vertices[eyes, 0] > 0]
    turned, still = vertices[:, eyes] - heads[:, [body.skeleton.index("eye.L")]]
    u, _, vt = np.linalg.svd(still.T @ turned)
    ahead = (u @ vt).T @ np.array([0.0, -1.0, 0.0])
    seen = np.degrees([np.arctan2(ahead[0], -ahead[1]), np.arcsin(ahead[2])])
    np.testing.assert_allclose(seen, look, atol=2.5)


def test_portraits_turn_their_heads_and_speak(body):
    widest, spoken = np.zeros(3), 0
    for seed in range(30):
        motion = make_motion(seed, frames=96, fps=FPS, framing="portrait")
        head = motion.tracks["head"]
        assert (np.abs(head) < (28, 22, 52)).all()
        assert np.ptp(head, axis=0).max() > 6  # somebody moves in every clip
        widest = np.maximum(widest, np.abs(head).max(0))
        phrases = motion.describe()["spoken_s"]
        spoken += bool(phrases)
        if phrases and not motion.describe()["expressions"]:
            time = np.arange(96) / FPS
            spans = motion.face.spoken_s
            silent = np.all([(time < a - 0.2) | (time > b + 0.5) for a, b in spans], axis=0)
            assert motion.actions["jawOpen"][silent].max(initial=0) == 0
    assert (widest > (15, 10, 35)).all()
    assert spoken > 15


# Curves -----------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
def test_curves_pass_their_poses_without_corners(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.5, 1.5, 6))
    keys = rng.normal(size=(6, 2))
    np.testing.assert_allclose(flow(keys, times, times), keys, atol=1e-9)
    fine = np.arange(times[0], times[-1], 1e-3)
    second = np.diff(flow(keys, times, fine), 2, axis=0) / 1e-6
    assert np.abs(np.diff(second, axis=0)).max() < 1e-2 * np.abs(second).max()
    held = moves(keys, times[:5], np.full(5, 0.4), times[:5] + 0.45)
    np.testing.assert_allclose(held, keys[1:], atol=1e-9)


@given(st.integers(0, 10**6), st.floats(1, 8))
def test_a_curve_below_stays_below(seed, reach):
    values = np.random.default_rng(seed).normal(size=60).cumsum()
    assert (below(values, reach) <= values + 1e-9).all()


def test_smoothing_keeps_lines_and_streams_differ():
    line = np.linspace(0, 1, 50)[:, None] * np.array([1.0, -2.0])
    np.testing.assert_allclose(smooth(line, 1.5)[8:-8], line[8:-8], atol=1e-9)
    assert stream("gaze", 1).random() == stream("gaze", 1).random()
    assert stream("gaze", 1).random() != stream("blinks", 1).random()
    assert np.abs(drift(stream("sway", 0), np.arange(0, 99, 0.1), 3, 2.0)).max() < 1.4


def test_arms_are_written_in_order():
    assert dict(zip(ARM, arm(1, 2, 3, 4, 5, 6, 7, index=8, curl=9, thumb=10), strict=True)) == {
        "out": 1, "up": 2, "reach": 3, "swivel": 4, "pronate": 5, "flex": 6, "deviate": 7,
        "index": 8, "fingers": 9, "thumb": 10,
    }  # fmt: skip
