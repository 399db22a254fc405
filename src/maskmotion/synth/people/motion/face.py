"""Faces over time: blinks, gaze, speech and expressions; and what heads do in portraits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.motion.curves import bump, drift, ease
from maskmotion.synth.people.seeding import stream

Array = np.ndarray
Rng = np.random.Generator
Actions = dict[str, Array]

# Shapes of the mouth while speaking: action -> how much at full stress.
VISEMES: tuple[dict[str, float], ...] = (
    {"jawOpen": 0.5, "mouthLowerDownLeft": 0.25, "mouthLowerDownRight": 0.25},  # ah
    {"jawOpen": 0.34, "mouthStretchLeft": 0.2, "mouthStretchRight": 0.2},  # eh
    {"jawOpen": 0.16, "mouthSmileLeft": 0.3, "mouthSmileRight": 0.3, "mouthStretchLeft": 0.2,
     "mouthStretchRight": 0.2},  # ee
    {"jawOpen": 0.34, "mouthFunnel": 0.55},  # oh
    {"jawOpen": 0.14, "mouthPucker": 0.65, "mouthFunnel": 0.2},  # oo
    {"mouthPressLeft": 0.35, "mouthPressRight": 0.35, "mouthRollLower": 0.2,
     "mouthRollUpper": 0.15},  # m, b, p
    {"jawOpen": 0.08, "mouthRollLower": 0.4, "mouthUpperUpLeft": 0.2, "mouthUpperUpRight": 0.2},
    {"jawOpen": 0.12, "mouthFunnel": 0.35, "mouthUpperUpLeft": 0.15, "mouthUpperUpRight": 0.15},
    {"jawOpen": 0.22, "mouthUpperUpLeft": 0.12, "mouthUpperUpRight": 0.12},  # n, l, t
)  # fmt: skip
EXPRESSIONS: dict[str, dict[str, float]] = {
    "smile": {"mouthSmile": 0.75, "cheekSquint": 0.4, "eyeSquint": 0.25, "mouthDimple": 0.2},
    "grin": {
        "mouthSmile": 0.8, "cheekSquint": 0.5, "eyeSquint": 0.35, "jawOpen": 0.13,
        "mouthUpperUp": 0.35, "mouthLowerDown": 0.2,
    },
    "surprise": {"browInnerUp": 0.8, "browOuterUp": 0.8, "eyeWide": 0.6, "jawOpen": 0.22},
    "raised_brows": {"browInnerUp": 0.6, "browOuterUp": 0.75},
    "frown": {"browDown": 0.8, "eyeSquint": 0.3, "mouthPress": 0.2},
    "worry": {"browInnerUp": 0.9, "mouthFrown": 0.5, "mouthShrugLower": 0.2},
    "pout": {"mouthPucker": 0.5, "mouthShrugLower": 0.5, "browDown": 0.2},
    "disgust": {"noseSneer": 0.7, "mouthUpperUp": 0.4, "browDown": 0.4, "eyeSquint": 0.4},
}  # fmt: skip
ONE_SIDED = ("jawOpen", "browInnerUp", "mouthPucker", "mouthShrugLower")
GAZE_LIMITS = (26.0, 18.0)  # degrees to the side and up or down, of the eyes in the head


@dataclass(frozen=True)
class Face:
    """What a face does.

    Attributes:
        actions: ARKit's name -> (T,) in 0..1; the gaze is not among them.
        look: (T, 2) degrees to the person's left and up, where the person wants to look.
        blinks_s: middles of the blinks.
        spoken_s: (start, end) of the phrases.
        moods: (name, start, end) of the expressions.
    """

    actions: Actions
    look: Array
    blinks_s: list[float]
    spoken_s: list[tuple[float, float]]
    moods: list[tuple[str, float, float]]


def make_face(seed: int, time: Array, *, talking: list[tuple[float, float]], moody: float) -> Face:
    """A face that speaks in given stretches.

    Args:
        seed: of the clip.
        time: (T,) s.
        talking: (start, end) s of the stretches in which phrases are spoken.
        moody: expressions a second.
    """
    actions: Actions = {}
    spoken = _speech(stream("speech", seed), time, talking, actions)
    moods = _moods(stream("moods", seed), time, moody, spoken, actions)
    look = _looks(stream("gaze", seed), time)
    blinks = _blinks(stream("blinks", seed), time, actions)
    return Face({n: np.clip(v, 0, 1) for n, v in actions.items()}, look, blinks, spoken, moods)


def _add(actions: Actions, name: str, value: Array) -> None:
    actions[name] = actions[name] + value if name in actions else value


def _blinks(rng: Rng, time: Array, actions: Actions) -> list[float]:
    """Every 2 to 6 s for 0.1 to 0.3 s; the lids fall faster than they rise."""
    lids, middles = np.zeros(len(time)), []
    at = time[0] + rng.uniform(0.2, 4.5)
    while at < time[-1]:
        lasting = rng.uniform(0.16, 0.3)
        shut, open_ = 0.35 * lasting, 0.65 * lasting
        lids = np.maximum(lids, ease((time - at + shut) / shut) * ease((at + open_ - time) / open_))
        # The shutter may miss the lids while they are down; some frame must show it.
        lids[np.abs(time - at).argmin()] = 1.0
        middles.append(round(float(at), 3))
        at += rng.uniform(0.35, 0.6) if rng.random() < 0.12 else rng.uniform(2.0, 6.0)
    for side in ("Left", "Right"):
        _add(actions, f"eyeBlink{side}", lids)
    return middles


def _looks(rng: Rng, time: Array) -> Array:
    """Fixations of 0.3 to 2 s with quick moves between them."""
    out = np.zeros((len(time), 2))
    at, now = time[0], np.zeros(2)
    while at < time[-1]:
        wide = 28 if rng.random() < 0.3 else 9
        goal = np.array([rng.normal() * wide, rng.normal() * 0.45 * wide])
        goal = np.clip(goal, (-38, -20), (38, 18)) * (rng.random() > 0.3)
        lasting = 0.05 + 0.002 * float(np.abs(goal - now).max())
        out += ease((time - at) / lasting)[:, None] * (goal - now)
        now = goal
        at += rng.uniform(0.3, 2.0)
    return out


def _speech(
    rng: Rng, time: Array, talking: list[tuple[float, float]], actions: Actions
) -> list[tuple[float, float]]:
    """Phrases of syllables, 3 to 6 a second, with pauses between them."""
    rate, loud = rng.uniform(3.2, 5.6), rng.uniform(0.7, 1.25)
    phrases = []
    for start, end in talking:
        at = start + rng.uniform(0, 0.25)
        while at < end - 0.4:
            stop = min(at + rng.uniform(0.7, 2.6), end)
            _phrase(rng, time, at, stop, rate, loud, actions)
            phrases.append((round(float(at), 3), round(float(stop), 3)))
            at = stop + rng.uniform(0.2, 0.7)
    return phrases


def _phrase(
    rng: Rng, time: Array, at: float, stop: float, rate: float, loud: float, actions: Actions
) -> None:
    while at < stop:
        lasting = rng.uniform(0.8, 1.3) / rate
        stress = loud * rng.uniform(0.55, 1.15)
        # Neighbours overlap, as the mouth already forms the next sound.
        shape = bump((time - at + 0.25 * lasting) / (1.5 * lasting))
        for name, amount in VISEMES[rng.integers(len(VISEMES))].items():
            _add(actions, name, stress * amount * shape)
        at += lasting


def _moods(
    rng: Rng, time: Array, often: float, spoken: list[tuple[float, float]], actions: Actions
) -> list[tuple[str, float, float]]:
    names = list(EXPRESSIONS)
    shares = np.array([5, 3, 1.5, 3, 1.5, 1, 1, 0.6])
    out = []
    at = time[0] + rng.exponential(1 / often)
    while at < time[-1]:
        name = names[rng.choice(len(names), p=shares / shares.sum())]
        lasting, size = rng.uniform(0.9, 3.0), rng.uniform(0.5, 1.1)
        speaks = any(begin < at + lasting and at < end for begin, end in spoken)
        shape = size * ease((time - at) / 0.35) * ease((at + lasting - time) / 0.45)
        lopsided = rng.uniform(-0.15, 0.15)
        for action, amount in EXPRESSIONS[name].items():
            if speaks and action.startswith(("jaw", "mouth")):
                amount *= 0.45  # the lips are busy
            if action in ONE_SIDED:
                _add(actions, action, amount * shape)
            else:
                _add(actions, f"{action}Left", amount * (1 + lopsided) * shape)
                _add(actions, f"{action}Right", amount * (1 - lopsided) * shape)
        out.append((name, round(float(at), 3), round(float(at + lasting), 3)))
        at += lasting + rng.exponential(1 / often)
    return out


def gaze_actions(gaze: Array) -> tuple[Actions, Array]:
    """Lids and eyes that look somewhere.

    The actions turn the eyeballs by part of the way and the lids with them; the rest is for the
    bones of the eyes.

    Args:
        gaze: (T, 2) degrees to the person's left and up, of the eyes in the head.
    Returns:
        Actions, and (T, 2) degrees that are left to the bones.
    """
    side, up = gaze[:, 0], gaze[:, 1]
    left, right = np.clip(side / 26, 0, 1), np.clip(-side / 26, 0, 1)
    above, below = np.clip(up / 18, 0, 1), np.clip(-up / 18, 0, 1)
    actions = {
        "eyeLookOutLeft": left,
        "eyeLookInRight": left,
        "eyeLookInLeft": right,
        "eyeLookOutRight": right,
        "eyeLookUpLeft": above,
        "eyeLookUpRight": above,
        "eyeLookDownLeft": below,
        "eyeLookDownRight": below,
    }
    done = np.stack([13.3 * (left - right), 8.9 * above - 10 * below], -1)
    return actions, gaze - done


# Portraits --------------------------------------------------------------------------------


def _talk(rng: Rng, time: Array, ends: float) -> Array:
    rate = rng.uniform(1.2, 2.2)
    loose = drift(rng, time, 3, 1.6) * np.array([7, 6, 14])
    loose[:, 0] += rng.uniform(2, 6) * bump((time * rate) % 1.0)
    return loose


def _nod(rng: Rng, time: Array, ends: float) -> Array:
    rate = rng.uniform(0.9, 2.0)
    beats = rng.integers(2, 5)
    window = ease((time - 0.05) * 3) * ease((beats / rate + 0.3 - time) * 3)
    pitch = rng.uniform(7, 16) * np.sin(2 * np.pi * rate * time) * window
    loose = drift(rng, time, 3, 3.0) * np.array([3, 4, 8])
    loose[:, 0] += pitch
    return loose


def _shake(rng: Rng, time: Array, ends: float) -> Array:
    rate = rng.uniform(0.8, 1.6)
    beats = rng.integers(2, 4)
    window = ease((time - 0.05) * 3) * ease((beats / rate + 0.3 - time) * 3)
    loose = drift(rng, time, 3, 3.0) * np.array([4, 4, 5])
    loose[:, 2] += rng.uniform(12, 26) * np.sin(2 * np.pi * rate * time) * window
    return loose


def _look_round(rng: Rng, time: Array, ends: float) -> Array:
    out = np.zeros((len(time), 3))
    at, now = -0.2, np.zeros(3)
    while at < ends + 0.5:
        goal = np.array([rng.uniform(-17, 18), rng.uniform(-10, 10), rng.uniform(-44, 44)])
        lasting = 0.35 + 0.007 * float(np.abs(goal - now).max()) * rng.uniform(0.8, 1.6)
        out += ease((time - at) / lasting)[:, None] * (goal - now)
        now = goal
        at += lasting + rng.uniform(0.0, 0.6)
    return out


def _tilt(rng: Rng, time: Array, ends: float) -> Array:
    goal = np.array([rng.uniform(-8, 8), rng.choice([-1, 1]) * rng.uniform(9, 19), 0.0])
    share = ease(time / rng.uniform(0.5, 0.8)) * ease((ends - time) / 0.7)
    return share[:, None] * goal + drift(rng, time, 3, 2.6) * np.array([5, 3, 12])


def _sing(rng: Rng, time: Array, ends: float) -> Array:
    phase = 2 * np.pi * rng.uniform(0.5, 0.9) * time + rng.uniform(0, 6)
    waves = [8 * np.cos(2 * phase), 13 * np.sin(phase), 16 * np.sin(phase - 0.6)]
    return np.stack(waves, -1) * rng.uniform(0.6, 1.1) + drift(rng, time, 3, 3.0) * 4


def _circle(rng: Rng, time: Array, ends: float) -> Array:
    phase = 2 * np.pi * rng.uniform(0.3, 0.5) * time * rng.choice([-1, 1]) + rng.uniform(0, 6)
    waves = [rng.uniform(9, 17) * np.cos(phase), 8 * np.sin(phase), 26 * np.sin(phase)]
    return np.stack(waves, -1)


# name -> (head's pitch, roll and yaw over the behaviour's clock, share of clips, whether it talks)
HEADS: dict[str, tuple[Callable[[Rng, Array, float], Array], float, bool]] = {
    "talk": (_talk, 4.0, True),
    "nod": (_nod, 1.2, False),
    "shake": (_shake, 1.0, False),
    "look_round": (_look_round, 2.2, False),
    "tilt": (_tilt, 1.2, True),
    "sing": (_sing, 1.0, True),
    "circle": (_circle, 0.7, False),
}
