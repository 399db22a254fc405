"""What a person can do: short behaviours, each written as tracks over its own clock.

Angles are in degrees, lengths in leg lengths for the body and in arm lengths for the arms. The
left side comes first; positive turns and tilts go to the person's left, positive pitch forward.

A hand's place is seen from its shoulder, straight ahead being 0: degrees outwards, degrees up
(-80 hangs, 80 is overhead), and the reach (1: the arm is straight).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from maskmotion.synth.people.motion.curves import bump, drift, ease, flow, moves
from maskmotion.synth.people.motion.feet import Step

Array = np.ndarray
Tracks = dict[str, Array]
Rng = np.random.Generator

ARM = ("out", "up", "reach", "swivel", "pronate", "flex", "deviate", "index", "fingers", "thumb")
SHAPES = {
    "arms": (2, len(ARM)),
    "spine": (3,),  # pitch, roll, yaw
    "head": (3,),  # pitch, roll, yaw
    "pelvis": (3,),  # pitch, roll, yaw
    "hips": (3,),  # to the left, backwards, down
    "weight": (),  # -1 on the right foot, 1 on the left
    "root": (3,),  # to the left, backwards, heading; what the feet follow
    "stance": (2, 3),  # outwards, forwards, toes out
    "tiptoe": (),  # 0 to 1
    "shrug": (2,),  # 0 to 1
}


def arm(
    out: float,
    up: float,
    reach: float,
    swivel: float = 0,
    pronate: float = 0,
    flex: float = 0,
    deviate: float = 0,
    *,
    index: float | None = None,
    curl: float = 0.22,
    thumb: float | None = None,
) -> Array:
    """One pose of an arm; see the top. A positive swivel lifts the elbow outwards."""
    fingers = curl if index is None else index
    grip = curl if thumb is None else thumb
    return np.array([out, up, reach, swivel, pronate, flex, deviate, fingers, curl, grip])


ARM_LIMITS = np.array(
    [(-58, 120), (-112, 98), (0.3, 1), (-40, 75), (-85, 85), (-65, 65), (-22, 28)] + [(0, 1)] * 3
)
BODY_LIMITS = {  # pitch, roll, yaw
    "spine": ((-22, 60), (-32, 32), (-42, 42)),
    "pelvis": ((-15, 40), (-16, 16), (-30, 30)),
    "head": ((-28, 30), (-24, 24), (-58, 58)),
}

HANG = arm(13, -81, 0.955, pronate=15, curl=0.3)
ON_HIP = arm(-4, -84, 0.6, 55, 70, -30, curl=0.3)
AT_CHEST = arm(-35, -22, 0.55, 10, 40)
GUARD = arm(-18, 2, 0.5, -5, 10, curl=0.95)


def still(time: Array) -> Tracks:
    """Standing with hanging arms."""
    out = {name: np.zeros((len(time), *shape)) for name, shape in SHAPES.items()}
    out["arms"][:] = HANG
    out["stance"][:] = (0.0, 0.0, 6.0)
    return out


def limited(tracks: Tracks) -> Tracks:
    """Keep every joint within what people can do."""
    out = dict(tracks, arms=np.clip(tracks["arms"], *ARM_LIMITS.T))
    for name, limits in BODY_LIMITS.items():
        out[name] = np.clip(tracks[name], *np.array(limits, float).T)
    return out


@dataclass
class Scene:
    """What a behaviour gets, and where it leaves what it does.

    Attributes:
        time: (T,) s of the behaviour's own clock, 0 where it begins.
        ends: about when it is over on this clock.
        tempo: about how fast the clock goes.
        rng: its own stream.
        tracks: starts as `still`.
        steps: that the feet should make, on this clock.
        notes: for the description.
    """

    time: Array
    ends: float
    tempo: float
    rng: Rng
    tracks: Tracks
    steps: list[Step] = field(default_factory=list)
    notes: dict[str, float | str] = field(default_factory=dict)

    def set_arms(self, left: Array, right: Array) -> None:
        self.tracks["arms"] = np.stack(np.broadcast_arrays(left, right), -2) + np.zeros(
            (len(self.time), 1, 1)
        )

    def swing_arms(self, side: int, name: str, value: Array) -> None:
        self.tracks["arms"][:, side, ARM.index(name)] += value

    def rate(self, slowest: float, fastest: float, name: str) -> float:
        """A rate on this clock, of so many a second in the clip; noted by its name."""
        rate = float(self.rng.uniform(slowest, fastest))
        self.notes[name] = round(rate, 2)
        return rate / self.tempo

    def beat(self, slowest: float, fastest: float) -> Array:
        """A phase that makes so many turns a second."""
        rate = self.rate(slowest, fastest, "beats_per_s")
        return 2 * np.pi * (rate * self.time + self.rng.uniform())

    def crouch(self, down: Array | float) -> None:
        """Bend the knees; the hips go back and the torso forward, to keep the balance."""
        self.tracks["hips"][:, 2] += down
        self.tracks["hips"][:, 1] += 0.2 * np.asarray(down)
        self.tracks["pelvis"][:, 0] += 50 * np.asarray(down)
        self.tracks["spine"][:, 0] += 35 * np.asarray(down)
        self.tracks["head"][:, 0] -= 50 * np.asarray(down)

    def key_times(self, shortest: float, longest: float) -> Array:
        """Times of poses from before the beginning to after the end."""
        count = int(np.ceil((self.ends + 3.0) / shortest)) + 2
        return (
            -1.0
            - longest * self.rng.uniform()
            + np.cumsum(self.rng.uniform(shortest, longest, count))
        )


def _tempered(sine: Array, sharpness: float) -> Array:
    """A sine that dwells at its ends: sharper moves between poses."""
    return np.tanh(sharpness * sine) / np.tanh(sharpness)


def _either(rng: Rng, *choices: Array) -> Array:
    return choices[rng.integers(len(choices))]


# Standing ---------------------------------------------------------------------------------


def _stand(scene: Scene) -> None:
    """Shifts the weight; one hand busies itself."""
    rng, time = scene.rng, scene.time
    busy = [
        arm(-28, 38, 0.42, 35, -20, 30, curl=0.4),  # at the head
        ON_HIP,
        arm(-40, -12, 0.48, 15, 20, 15, curl=0.4),  # at the chest
        arm(-30, 8, 0.42, -5, -30, 20, curl=0.5),  # at the chin
        arm(-48, -30, 0.62, 5, 60, 0),  # looks at the watch
    ]
    keys = [HANG, busy[rng.integers(5)], busy[rng.integers(5)], HANG, busy[rng.integers(5)]]
    start = rng.uniform(-0.4, 0.3)
    gaps = rng.uniform(1.0, 1.8, 4).cumsum()
    left = moves(np.array(keys), start + gaps - gaps[0], np.full(4, 0.8), time)
    right = _either(rng, HANG, HANG, ON_HIP, arm(-25, -58, 0.72, 0, 20, curl=0.4))
    scene.set_arms(left, right)
    sway = drift(rng, time, 3, 4.0)
    scene.tracks["weight"] += 0.8 * _tempered(sway[:, 0], 2)
    scene.tracks["spine"] += np.stack(
        [2 * sway[:, 1], -5 * scene.tracks["weight"], 6 * sway[:, 2]], -1
    )
    scene.tracks["pelvis"][:, 1] += 4 * scene.tracks["weight"]


def _gesture(scene: Scene) -> None:
    """Strokes of a speaker's hands."""
    rng, time = scene.rng, scene.time
    times = scene.key_times(0.45, 1.1)
    together = rng.random() < 0.45
    keys = np.array([_stroke(rng) for _ in range(2 * len(times) + 2)]).reshape(2, -1, len(ARM))
    lasting = np.minimum(rng.uniform(0.38, 0.75, len(times)), 0.9 * np.append(np.diff(times), 1))
    left = moves(keys[0], times, lasting, time)
    if together:
        right = left.copy()
    elif rng.random() < 0.35:
        right = _either(rng, HANG, ON_HIP) + np.zeros_like(left)
    else:
        delay = rng.uniform(0.0, 0.3)
        right = moves(keys[1], times + delay, lasting, time)
    scene.set_arms(left, right)
    pulse = bump((time * rng.uniform(1.8, 2.6)) % 1.0)
    for side in range(2):
        scene.swing_arms(side, "up", 6 * pulse * rng.uniform(0.3, 1))
        scene.swing_arms(side, "flex", -12 * pulse * rng.uniform(0, 1))
    sway = drift(rng, time, 4, 2.5)
    scene.tracks["spine"] += sway[:, :3] * np.array([5, 4, 10])
    scene.tracks["head"] += sway[:, 1:] * np.array([5, 5, 10])
    scene.tracks["weight"] += 0.6 * sway[:, 3]


def _stroke(rng: Rng) -> Array:
    """A pose of a hand that explains something."""
    out = rng.uniform(-28, 50)
    return arm(
        out,
        rng.uniform(-55, 20 if out > 5 else -8),  # not before the face
        rng.uniform(0.5, 0.86),
        rng.uniform(-5, 30),
        rng.uniform(-65, 55),
        rng.uniform(-35, 20),
        index=rng.uniform(0, 0.35),
        curl=rng.uniform(0.05, 0.5),
    )


def _wave(scene: Scene) -> None:
    """One raised arm waves."""
    rng = scene.rng
    phase = scene.beat(1.2, 2.3)
    swing = np.sin(phase)
    high = arm(
        rng.uniform(30, 65), rng.uniform(25, 58), rng.uniform(0.62, 0.9), 15, 15, -15, curl=0.08
    )
    scene.set_arms(high, _either(rng, HANG, HANG, ON_HIP, AT_CHEST))
    size = rng.uniform(10, 24)
    scene.swing_arms(0, "out", size * swing)
    scene.swing_arms(0, "deviate", -16 * np.sin(phase - 0.7))
    scene.swing_arms(0, "up", 4 * np.cos(2 * phase))
    if rng.random() < 0.3:
        scene.tracks["arms"][:, 1] = scene.tracks["arms"][:, 0]
    scene.tracks["weight"] += 0.5 * np.sin(phase / rng.choice([2, 4]))
    scene.tracks["spine"][:, 1] -= 5 + 3 * swing
    scene.tracks["head"][:, 1] += 6


def _point(scene: Scene) -> None:
    """Points here and there."""
    rng, time = scene.rng, scene.time
    times = scene.key_times(0.7, 1.4)
    keys = np.array(
        [
            arm(
                rng.uniform(-35, 95), rng.uniform(-35, 55), rng.uniform(0.85, 0.97), 10, 45,
                index=0.0, curl=0.85,
            )
            for _ in range(len(times) + 1)
        ]
    )  # fmt: skip
    at_rest = rng.random(len(keys)) < 0.25
    keys[at_rest] = AT_CHEST
    left = moves(keys, times, np.full(len(times), rng.uniform(0.45, 0.65)), time)
    scene.set_arms(left, _either(rng, HANG, ON_HIP, AT_CHEST))
    looks = np.clip(left[:, 0], -30, 60)
    scene.tracks["head"][:, 2] += 0.5 * looks
    scene.tracks["head"][:, 0] -= 0.25 * left[:, 1]
    scene.tracks["spine"][:, 2] += 0.3 * looks
    scene.tracks["weight"] += 0.5 * np.tanh(looks / 40)


def _stretch(scene: Scene) -> None:
    """Reaches up, or wide, or to the side."""
    rng, time = scene.rng, scene.time
    times = scene.key_times(0.9, 1.4)
    up = arm(18, 84, 0.96, 25, 10, -10, curl=0.1)
    wide = arm(88, 12, 0.95, 10, -20, -20, curl=0.05)
    folded = arm(38, 18, 0.42, 65, 40, curl=0.9)
    high = np.array([up, wide, arm(35, 70, 0.8, 35, 0, curl=0.1)])
    low = np.array([folded, HANG])
    count = len(times) + 1
    raised = (np.arange(count) % 2 == 0)[:, None]
    keys = np.where(raised, high[rng.integers(3, size=count)], low[rng.integers(2, size=count)])
    both = moves(keys, times, rng.uniform(0.8, 1.1) + 0 * times, time)
    scene.set_arms(both, both)
    lean = rng.uniform(0, 20) * np.sin(2 * np.pi * time / rng.uniform(2.2, 3.2))
    if rng.random() < 0.35:
        other = _either(rng, HANG, ON_HIP)
        scene.tracks["arms"][:, 1] = other
        lean = -abs(lean)
    raised = ease(both[:, 1] / 84)
    scene.tracks["spine"][:, 1] += lean * raised
    scene.tracks["spine"][:, 0] -= 9 * raised
    scene.tracks["head"][:, 0] -= 14 * raised
    scene.tracks["tiptoe"] += rng.choice([0, 0, 0.8]) * raised
    scene.tracks["stance"][..., 0] += 0.05


# Moving about -----------------------------------------------------------------------------


def _march(scene: Scene) -> None:
    """Walks, marches or jogs in place."""
    rng, time = scene.rng, scene.time
    style = ("stroll", "march", "jog")[rng.integers(3)]
    slowest, fastest = {"stroll": (1.3, 1.9), "march": (1.3, 1.8)}.get(style, (2.1, 2.6))
    rate = scene.rate(slowest, fastest, "steps_per_s")
    lift = {"stroll": rng.uniform(0.07, 0.13), "march": rng.uniform(0.18, 0.28)}.get(style, 0.15)
    scene.notes["style"] = style
    period = 1 / rate
    count = int((scene.ends + 2.0) * rate)
    for k in range(-rate.__ceil__(), count):
        scene.steps.append(Step(k % 2, k * period, (k + 0.86) * period, lift))
    phase = np.pi * rate * time  # the left foot is in the air while sin > 0
    swing = np.sin(phase - np.pi / 2 + 0.45 * np.pi)
    elbow = {"stroll": 0.93, "march": rng.uniform(0.72, 0.9)}.get(style, 0.6)
    size = {"stroll": 24.0, "march": 38.0}.get(style, 28.0)
    scene.set_arms(*([arm(8, -72 if elbow > 0.7 else -55, elbow, pronate=5, curl=0.4)] * 2))
    for side, sign in enumerate((-1, 1)):
        forward = sign * swing
        scene.swing_arms(side, "up", size * forward)
        scene.swing_arms(side, "reach", -0.07 * forward)
        scene.swing_arms(side, "out", -6 * forward)
    scene.tracks["spine"][:, 2] += 7 * swing
    scene.tracks["pelvis"][:, 2] -= 6 * swing
    scene.tracks["pelvis"][:, 1] += 3 * np.sin(phase)
    scene.tracks["spine"][:, 0] += {"stroll": 2, "march": 0}.get(style, 7)
    scene.crouch(0.02 + 0.012 * np.cos(2 * phase) + 0.02 * (style == "jog"))


def _side_steps(scene: Scene) -> None:
    """Steps to and fro, with swinging or clapping arms."""
    rng, time = scene.rng, scene.time
    phase = 2 * np.pi * time / rng.uniform(1.6, 2.6) + rng.uniform(0, 2 * np.pi)
    side = _tempered(np.sin(phase), 1.5)
    scene.tracks["root"][:, 0] += rng.uniform(0.13, 0.22) * side
    scene.crouch(0.04 + 0.02 * np.cos(2 * phase))
    lean = np.cos(phase)
    low = arm(25, -55, 0.85, 5, 30, curl=0.3)
    scene.set_arms(low, low)
    style = int(rng.integers(3))
    for k, sign in enumerate((1, -1)):
        if style == 0:  # both arms swing across
            scene.swing_arms(k, "out", 38 * sign * side)
            scene.swing_arms(k, "up", 25 + 22 * np.cos(2 * phase))
        elif style == 1:  # open and clap
            scene.swing_arms(k, "out", 22 + 55 * np.cos(2 * phase) - 38)
            scene.swing_arms(k, "up", 50 + 0 * phase)
            scene.swing_arms(k, "reach", -0.12 + 0.1 * np.cos(2 * phase))
        else:  # the arm of the side goes up
            scene.swing_arms(k, "up", 55 + 60 * sign * side)
            scene.swing_arms(k, "out", 20 + 0 * phase)
    scene.tracks["spine"][:, 1] += 6 * lean
    scene.tracks["pelvis"][:, 1] -= 3 * lean


def _turn(scene: Scene) -> None:
    """Turns the whole body, and sometimes back; the arms go along."""
    rng, time = scene.rng, scene.time
    widest = 95 if rng.random() < 0.2 else 60
    angle = rng.uniform(30, widest)
    scene.notes["degrees"] = round(float(angle))
    lasting = angle / rng.uniform(50, 75)
    start = rng.uniform(0, 0.25)
    back = ease((time - start - lasting - rng.uniform(0.3, 0.9)) / lasting)
    share = ease((time - start) / lasting) - back * rng.choice([0.0, 1.0, 1.0])
    scene.tracks["root"][:, 2] += angle * share
    ahead = ease((time - start + 0.15) / lasting) - back - share
    scene.tracks["head"][:, 2] += 35 * ahead
    scene.tracks["spine"][:, 2] += 15 * ahead
    raised = _either(rng, arm(30, -20, 0.7, 10, 20), arm(65, 0, 0.9, 10, 30), _stroke(rng))
    other = _either(rng, raised, HANG, _stroke(rng))
    scene.set_arms(raised, other)
    loose = drift(rng, time, 4, 1.8)
    for side in range(2):
        scene.swing_arms(side, "up", 24 * loose[:, side])
        scene.swing_arms(side, "out", 16 * loose[:, 2 + side])
    scene.crouch(0.02)


def _squat(scene: Scene) -> None:
    """Bends the knees, arms forward or wide."""
    rng, time = scene.rng, scene.time
    phase = 2 * np.pi * time / rng.uniform(1.8, 3.0) - rng.uniform(0, 2)
    deep = _tempered(-np.cos(phase), 0.8) * 0.5 + 0.5
    depth = rng.uniform(0.16, 0.34)
    scene.crouch(depth * deep)
    scene.tracks["stance"][..., 0] += 0.07
    scene.tracks["stance"][..., 2] += 10
    low = _either(rng, HANG, ON_HIP, arm(20, -50, 0.8, 10, 10))
    high = _either(rng, arm(0, 12, 0.93, 5, 60), arm(75, 10, 0.95, 5, 60), arm(-28, 5, 0.55, 10, 0))
    pose = low + deep[:, None] * (high - low)
    scene.set_arms(pose, pose)


def _bend(scene: Scene) -> None:
    """Bends forward or to the side."""
    rng, time = scene.rng, scene.time
    phase = 2 * np.pi * time / rng.uniform(2.0, 3.4) - rng.uniform(0, 2)
    down = _tempered(-np.cos(phase), 0.9) * 0.5 + 0.5
    scene.tracks["stance"][..., 0] += 0.06
    if rng.random() < 0.5:
        size = rng.uniform(25, 48)
        scene.tracks["spine"][:, 0] += 0.6 * size * down
        scene.tracks["pelvis"][:, 0] += 0.4 * size * down
        scene.tracks["hips"][:, 1] += 0.0022 * size * down
        scene.tracks["hips"][:, 2] += 0.0016 * size * down
        scene.tracks["head"][:, 0] -= 0.3 * size * down
        high = _either(rng, arm(40, 70, 0.9, 20), arm(80, 0, 0.92, 0, 60), HANG)
        low = arm(0, rng.uniform(-50, -25), rng.uniform(0.75, 0.92), 10, 40)
        pose = high + down[:, None] * (low - high)
        scene.set_arms(pose, pose)
    else:
        side = np.sin(phase)
        scene.tracks["spine"][:, 1] += rng.uniform(16, 26) * side
        scene.tracks["hips"][:, 0] -= 0.06 * side
        over = arm(35, 78, 0.82, 35, 0, 10)
        for k, sign in enumerate((-1, 1)):
            share = ease(0.5 + 0.6 * sign * side)[:, None]
            scene.tracks["arms"][:, k] = ON_HIP + share * (over - ON_HIP)


# Forms and fights -------------------------------------------------------------------------

_FORMS = {
    "ball": (arm(-34, -42, 0.55, 10, -60, 10, curl=0.3), arm(-30, 2, 0.5, 35, 60, 10, curl=0.3)),
    "mane": (arm(8, 14, 0.8, 5, -45, 0, curl=0.15), arm(26, -60, 0.78, 15, 60, -25, curl=0.15)),
    "gather": (arm(4, -16, 0.42, 10, 35, -20, curl=0.2), arm(4, -16, 0.42, 10, 35, -20, curl=0.2)),
    "push": (arm(-4, 4, 0.86, 12, 45, -52, curl=0.1), arm(-4, 4, 0.86, 12, 45, -52, curl=0.1)),
    "raise": (arm(0, 4, 0.88, 12, 60, 22, curl=0.2), arm(0, 4, 0.88, 12, 60, 22, curl=0.2)),
    "sink": (arm(8, -50, 0.66, 12, 60, -25, curl=0.2), arm(8, -50, 0.66, 12, 60, -25, curl=0.2)),
    "brush": (arm(24, -62, 0.8, 15, 60, -25, curl=0.15), arm(-14, 6, 0.84, 8, 40, -50, curl=0.1)),
    "ear": (arm(-25, -25, 0.55, 10, 50, 0, curl=0.2), arm(38, 22, 0.52, 20, 20, -25, curl=0.15)),
    "crane": (arm(28, 48, 0.72, 20, -10, -10, curl=0.1), arm(22, -66, 0.82, 10, 60, -20, curl=0.1)),
    "whip": (arm(48, 8, 0.84, 10, 40, -42, curl=0.1), arm(75, 10, 0.86, 10, 45, 55, curl=0.55)),
    "open": (arm(78, 8, 0.9, 10, 20, -15, curl=0.12), arm(78, 8, 0.9, 10, 20, -15, curl=0.12)),
    "cross": (arm(-38, -4, 0.5, 12, -25, 0, curl=0.2), arm(-36, -10, 0.56, 12, -25, 0, curl=0.2)),
}  # fmt: skip


def _taichi(scene: Scene) -> None:
    """Slow forms: the arms on arcs, bent knees, the weight from foot to foot."""
    rng, time = scene.rng, scene.time
    times = scene.key_times(0.75, 1.25)
    names = rng.permutation(np.resize(list(_FORMS), 2 * len(_FORMS)))[: len(times)]
    keys = np.array([_FORMS[name] for name in names])
    flip = rng.random(len(times)) < 0.5
    keys[flip] = keys[flip, ::-1]
    scene.tracks["arms"] = flow(keys, times, time)
    side = np.where(flip, -1.0, 1.0) * rng.uniform(0.3, 1, len(times))
    lean = flow(side[:, None], times, time)[:, 0]
    deep = flow(rng.uniform(0.05, 0.17, (len(times), 1)), times, time)[:, 0]
    _taichi_legs(scene, lean, deep)
    scene.notes["style"] = "forms"


def _cloud_hands(scene: Scene) -> None:
    """Both hands circle before the body, half a turn apart."""
    rng, time = scene.rng, scene.time
    phase = 2 * np.pi * time / rng.uniform(2.0, 3.2) + rng.uniform(0, 2 * np.pi)
    tall, wide = rng.uniform(24, 36), rng.uniform(30, 46)
    scene.set_arms(*([arm(6, -14, 0.68, 15, 10, -5, curl=0.2)] * 2))
    for side in range(2):
        own = phase + np.pi * side
        scene.swing_arms(side, "out", wide * np.sin(own))
        scene.swing_arms(side, "up", tall * np.cos(own))
        scene.swing_arms(side, "pronate", 50 * np.sin(own + 0.6))
        scene.swing_arms(side, "reach", 0.1 * np.sin(own))
    _taichi_legs(scene, np.sin(phase), 0.1 + 0.03 * np.cos(phase * 2))


def _taichi_legs(scene: Scene, lean: Array, deep: Array) -> None:
    rng = scene.rng
    scene.tracks["weight"] += 0.85 * np.clip(lean, -1.1, 1.1)
    scene.crouch(deep)
    scene.tracks["spine"][:, 2] += 16 * lean
    scene.tracks["pelvis"][:, 2] += 10 * lean
    scene.tracks["head"][:, 2] += 14 * lean
    scene.tracks["root"][:, 2] += rng.uniform(-25, 25)
    stagger = rng.uniform(-0.12, 0.12)
    scene.tracks["stance"][..., 0] += rng.uniform(0.06, 0.14)
    scene.tracks["stance"][..., 1] += np.array([stagger, -stagger])
    scene.tracks["stance"][..., 2] += rng.uniform(0, 14)


def _box(scene: Scene) -> None:
    """Guard and punches."""
    rng, time = scene.rng, scene.time
    side = rng.uniform(12, 30)
    scene.tracks["root"][:, 2] -= side
    scene.tracks["stance"][..., 1] += np.array([0.12, -0.12])
    scene.tracks["stance"][..., 0] += 0.04
    scene.set_arms(GUARD, GUARD)
    bounce = np.sin(2 * np.pi * rng.uniform(1.2, 1.8) * time)
    scene.crouch(0.06 + 0.012 * bounce)
    at = -0.8
    while at < scene.ends + 1.0:
        hand = int(rng.integers(2))
        _punch(scene, hand, at, rng)
        at += rng.uniform(0.45, 1.0)
    for k in range(2):
        scene.swing_arms(k, "up", 4 * drift(rng, time, 1, 0.9)[:, 0])


def _punch(scene: Scene, hand: int, at: float, rng: Rng) -> None:
    lasting = rng.uniform(0.5, 0.7)
    share = bump((scene.time - at) / lasting)[:, None]
    goal = _either(
        rng,
        arm(-14, 6, 0.95, 10, 70, 0, curl=0.95),
        arm(-10, rng.uniform(-15, 15), 0.93, 12, 65, 0, curl=0.95),
        arm(-38, 12, 0.66, 60, 30, 0, curl=0.95),  # hook
        arm(-16, 20, 0.62, -15, -60, 0, curl=0.95),  # upper cut
    )
    arms = scene.tracks["arms"]
    arms[:, hand] += share * (goal - arms[:, hand])
    sign = 1 if hand else -1  # the punching shoulder goes forward
    scene.tracks["spine"][:, 2] += 20 * sign * share[:, 0]
    scene.tracks["pelvis"][:, 2] += 10 * sign * share[:, 0]
    scene.tracks["head"][:, 2] -= 20 * sign * share[:, 0]
    scene.tracks["weight"] += 0.4 * sign * share[:, 0]


# Dancing and exercise ---------------------------------------------------------------------


def _dance(scene: Scene) -> None:
    """To a beat: hips, shoulders and arms in one of several styles."""
    rng, time = scene.rng, scene.time
    phase = scene.beat(1.0, 1.75) / 2  # one turn takes two beats
    styles = (_groove, _disco, _twist, _ripple, _pump, _overhead, _roll, _freestyle)
    style = styles[rng.integers(len(styles))]
    scene.notes["style"] = style.__name__[1:]
    sharp = _tempered(np.sin(phase), rng.uniform(0.3, 1.6))
    size = rng.uniform(0.7, 1.3)
    scene.tracks["hips"][:, 0] += 0.05 * size * sharp
    scene.crouch(0.04 + 0.02 * size * np.cos(2 * phase))
    scene.tracks["pelvis"][:, 1] -= 8 * size * sharp
    scene.tracks["spine"][:, 1] += 9 * size * np.sin(phase - 0.5)
    scene.tracks["weight"] += 0.4 * sharp
    scene.tracks["head"][:, 0] += 5 * np.cos(2 * phase - 0.6)
    scene.tracks["head"][:, 1] -= 6 * np.sin(phase - 0.8)
    scene.tracks["stance"][..., 0] += 0.05
    scene.tracks["shrug"] += 0.25 + 0.25 * np.stack([np.sin(phase), -np.sin(phase)], -1)
    style(scene, phase)
    if rng.random() < 0.4:
        rate = float(phase[-1] - phase[0]) / (time[-1] - time[0]) / (2 * np.pi) * 2
        for k in range(-2, int(scene.ends * rate) + 3):
            begin = (k - float(np.interp(0, time, phase)) / np.pi) / rate
            scene.steps.append(Step(k % 2, begin, begin + 0.75 / rate, 0.06))


def _groove(scene: Scene, phase: Array) -> None:
    scene.set_arms(*([arm(22, -42, 0.62, 20, 15, curl=0.6)] * 2))
    for side, sign in enumerate((1, -1)):
        scene.swing_arms(side, "up", 26 * np.sin(phase + 0.4) * sign + 8 * np.cos(2 * phase))
        scene.swing_arms(side, "out", 22 * np.sin(phase))


def _disco(scene: Scene, phase: Array) -> None:
    high = arm(42, 62, 0.96, 20, 20, index=0.0, curl=0.85)
    low = arm(-42, -48, 0.72, 15, 30, index=0.0, curl=0.85)
    share = 0.5 + 0.5 * _tempered(np.sin(phase), 1.1)[:, None]
    scene.set_arms(low + share * (high - low), ON_HIP)
    scene.tracks["head"][:, 2] += 18 * (share[:, 0] - 0.3)
    scene.tracks["spine"][:, 2] += 14 * (share[:, 0] - 0.5)


def _twist(scene: Scene, phase: Array) -> None:
    swing = np.sin(phase)
    scene.set_arms(*([arm(20, -28, 0.6, 20, 25, curl=0.7)] * 2))
    for side, sign in enumerate((1, -1)):
        scene.swing_arms(side, "out", 24 * sign * swing)
        scene.swing_arms(side, "up", 16 * sign * swing)
    scene.tracks["spine"][:, 2] += 20 * swing
    scene.tracks["pelvis"][:, 2] -= 18 * swing
    scene.crouch(0.03)


def _ripple(scene: Scene, phase: Array) -> None:
    scene.set_arms(*([arm(86, 4, 0.9, 10, 60, curl=0.15)] * 2))
    for side in range(2):
        late = phase + (0.0 if side else 2.2)
        scene.swing_arms(side, "up", 26 * np.sin(late))
        scene.swing_arms(side, "flex", 32 * np.sin(late - 1.4))
        scene.swing_arms(side, "reach", -0.07 + 0.07 * np.cos(late))
        scene.swing_arms(side, "swivel", 15 * np.sin(late - 0.7))


def _pump(scene: Scene, phase: Array) -> None:
    low, high = arm(40, -2, 0.44, 30, 10, curl=0.95), arm(28, 74, 0.92, 25, 10, curl=0.95)
    for side, offset in enumerate((0.0, scene.rng.choice([0.0, np.pi]))):
        share = 0.5 + 0.5 * _tempered(np.sin(phase + offset), 1.0)[:, None]
        scene.tracks["arms"][:, side] = low + share * (high - low)


def _overhead(scene: Scene, phase: Array) -> None:
    scene.set_arms(*([arm(32, 68, 0.88, 25, 0, curl=0.15)] * 2))
    for side, sign in enumerate((1, -1)):
        scene.swing_arms(side, "out", 26 * sign * np.sin(phase))
        scene.swing_arms(side, "deviate", -15 * sign * np.sin(phase - 0.8))
        scene.swing_arms(side, "up", 6 * np.cos(2 * phase))
    scene.tracks["spine"][:, 1] += 6 * np.sin(phase)


def _roll(scene: Scene, phase: Array) -> None:
    """Forearms roll about each other."""
    scene.set_arms(*([arm(-34, -14, 0.56, 35, 45, curl=0.8)] * 2))
    for side in range(2):
        own = 2 * phase + np.pi * side
        scene.swing_arms(side, "up", 16 * np.sin(own))
        scene.swing_arms(side, "reach", 0.09 * np.cos(own))
    scene.tracks["spine"][:, 2] += 12 * np.sin(phase / 2)


def _freestyle(scene: Scene, phase: Array) -> None:
    """A new pose of both arms on every second beat."""
    rng = scene.rng
    poses = [
        arm(
            rng.uniform(-30, 80), rng.uniform(-60, 65), rng.uniform(0.5, 0.95),
            rng.uniform(0, 35), rng.uniform(-40, 50), rng.uniform(-35, 35),
            curl=rng.uniform(0, 0.8),
        )
        for _ in range(16)
    ]  # fmt: skip
    keys = np.array(poses).reshape(8, 2, len(ARM))
    keys = 0.55 * keys + 0.45 * np.roll(keys, 1, 0)  # or some would be too far apart
    if rng.random() < 0.5:
        keys[:, 1] = keys[:, 0]
    at = phase / np.pi
    first = np.floor(at.min()) - 1
    keys = keys[np.arange(int(np.ceil(at.max() - first)) + 2) % len(keys)]
    scene.tracks["arms"] = moves(
        keys, first + np.arange(len(keys) - 1), np.full(len(keys) - 1, 0.85), at
    )


def _circles(scene: Scene) -> None:
    """Arm circles, as when swimming or warming up."""
    rng = scene.rng
    phase = scene.beat(0.45, 0.8) * rng.choice([-1, 1])
    scene.set_arms(*([arm(48, 2, 0.86, 20, 15, curl=0.2)] * 2))
    tall, wide = rng.uniform(50, 72), rng.uniform(24, 42)
    offset = rng.choice([0.0, np.pi])
    for side in range(2):
        own = phase + offset * side
        scene.swing_arms(side, "up", tall * np.sin(own))
        scene.swing_arms(side, "out", wide * np.cos(own))
        scene.swing_arms(side, "reach", 0.07 * np.cos(2 * own))
    scene.tracks["spine"][:, 2] += 8 * np.sin(phase) * (offset > 0)
    scene.tracks["spine"][:, 0] -= 4 * np.sin(phase)
    scene.tracks["weight"] += 0.4 * np.sin(phase / 2)


def _jacks(scene: Scene) -> None:
    """Arms up and down at the sides with a bounce, as in gymnastics."""
    rng = scene.rng
    phase = scene.beat(0.6, 1.0)
    share = (0.5 - 0.5 * _tempered(np.cos(phase), 0.7))[:, None]
    side, high = arm(88, -6, 0.95, 10, 30, curl=0.15), arm(38, 76, 0.95, 20, 10, curl=0.15)
    low = arm(32, -72, 0.94, 0, 20, curl=0.2)
    bow = 4 * share * (1 - share)
    pose = (1 - share) ** 2 * low + share**2 * high + (1 - share**2 - (1 - share) ** 2) * side
    scene.set_arms(pose, pose)
    scene.crouch(0.02 + 0.06 * bow[:, 0])
    scene.tracks["stance"][..., 0] += rng.uniform(0.02, 0.1)


def _clap(scene: Scene) -> None:
    """Claps, low or high."""
    rng = scene.rng
    phase = scene.beat(1.3, 2.4)
    up = rng.uniform(-38, -4)
    open_ = 0.5 - 0.5 * np.cos(phase)
    scene.set_arms(*([arm(-24, up, 0.6, 8, 0, 0, curl=0.05)] * 2))
    for side in range(2):
        scene.swing_arms(side, "out", rng.uniform(28, 34) * open_ - 4)
        scene.swing_arms(side, "up", 8 * drift(rng, scene.time, 1, 2.0)[:, 0])
    scene.crouch(0.02 - 0.012 * np.cos(phase))
    scene.tracks["weight"] += 0.6 * np.sin(phase / 4)
    scene.tracks["spine"][:, 1] += 5 * np.sin(phase / 4)


Behaviour = Callable[[Scene], None]
BEHAVIOURS: dict[str, Behaviour] = {
    "stand": _stand,
    "gesture": _gesture,
    "wave": _wave,
    "point": _point,
    "stretch": _stretch,
    "march": _march,
    "side_steps": _side_steps,
    "turn": _turn,
    "squat": _squat,
    "bend": _bend,
    "taichi": _taichi,
    "cloud_hands": _cloud_hands,
    "box": _box,
    "dance": _dance,
    "circles": _circles,
    "jacks": _jacks,
    "clap": _clap,
}
# How often each is drawn, by the theme of a clip.
THEMES: dict[str, dict[str, float]] = {
    "mixed": {
        "stand": 0.5, "gesture": 1.2, "wave": 1, "point": 1, "stretch": 1, "march": 0.8,
        "side_steps": 0.8, "turn": 1, "squat": 0.6, "bend": 0.8, "taichi": 1.2, "cloud_hands": 0.6,
        "box": 0.8, "dance": 1.5, "circles": 0.7, "jacks": 0.6, "clap": 0.5,
    },
    "taichi": {"taichi": 4, "cloud_hands": 1.5, "turn": 0.7, "squat": 0.2},
    "dance": {"dance": 5, "turn": 0.6, "side_steps": 1, "clap": 0.5, "wave": 0.3},
    "exercise": {
        "stretch": 1, "squat": 1, "bend": 1, "circles": 1, "jacks": 1, "march": 1,
        "side_steps": 1, "box": 1,
    },
    "speaker": {"gesture": 4, "point": 1, "turn": 0.8, "stand": 0.6, "wave": 0.5},
}  # fmt: skip
THEME_SHARES = {"mixed": 0.4, "taichi": 0.22, "dance": 0.16, "exercise": 0.12, "speaker": 0.1}


def act(name: str, scene: Scene) -> None:
    """Play a behaviour into the scene, mirrored at random, with a little life of its own."""
    rng = scene.rng
    mirrored, liveliness = rng.random() < 0.5, rng.uniform(0.5, 1.2)
    strays, strayed = rng.random() < 0.4, rng.uniform((-0.1, -0.06), (0.1, 0.06))
    loose = drift(rng, scene.time, 12, 2.4) * liveliness
    BEHAVIOURS[name](scene)
    tracks = scene.tracks
    tracks["arms"][..., 0] += 3.5 * loose[:, 0:2]
    tracks["arms"][..., 1] += 3.5 * loose[:, 2:4]
    tracks["arms"][..., 5] += 5 * loose[:, 4:6]
    tracks["arms"][..., 7:] += 0.07 * loose[:, 10:, None]
    tracks["spine"] += loose[:, 6:9] * np.array([1.5, 2, 3])
    tracks["weight"] += 0.2 * loose[:, 9]
    if strays:
        tracks["root"][:, :2] += strayed
    if mirrored:
        mirror(scene)


def mirror(scene: Scene) -> None:
    """Swap left and right."""
    tracks = scene.tracks
    for name in ("arms", "stance", "shrug"):
        tracks[name] = tracks[name][:, ::-1]
    for name in ("spine", "head", "pelvis"):
        tracks[name] = tracks[name] * np.array([1, -1, -1])
    tracks["hips"] = tracks["hips"] * np.array([-1, 1, 1])
    tracks["root"] = tracks["root"] * np.array([-1, 1, -1])
    tracks["weight"] = -tracks["weight"]
    scene.steps = [Step(1 - s.side, s.lift, s.land, s.height) for s in scene.steps]
