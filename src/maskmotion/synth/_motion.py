"""Joint angles over time: smooth behaviours, blended one into the next.

Angles are in degrees and belong to the motion alone, so that any figure can perform them.
Shoulders and hips are measured from hanging straight down, positive outwards; a positive
elbow turns the forearm further outwards and up, a positive knee brings the shin back in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maskmotion.synth._seeding import stream

Array = np.ndarray
Channels = dict[str, Array]

LIMITS = {
    "shift": (-0.12, 0.12),  # of the figure's height, to the right
    "jump": (0.0, 0.1),  # of the figure's height, upwards
    "lean": (-22, 22),
    "bend": (-22, 22),
    "tilt": (-22, 22),
    "turn": (-1, 1),  # 1: looks fully to the right
    "shoulder": (-42, 175),
    "elbow": (-145, 145),
    "wrist": (-35, 35),
    "hip": (-25, 95),
    "knee": (-30, 140),
}
SIDES = ("l", "r")
PAIRED = ("shoulder", "elbow", "wrist", "hip", "knee")
CHANNELS = tuple(
    name if name not in PAIRED else f"{name}_{side}"
    for name in LIMITS
    for side in (SIDES if name in PAIRED else ("",))
)
REST = {"shoulder": 14.0, "elbow": -8.0, "hip": 6.0}


@dataclass(frozen=True)
class Motion:
    """Pose of every frame.

    Attributes:
        channels: name -> (T,) values, degrees for angles; see `CHANNELS`.
        arm_in_front: (T, 2) bool, left and right arm before the body.
        leg_in_front: 0 or 1, the leg drawn last.
    """

    channels: Channels
    arm_in_front: Array
    leg_in_front: int


def _pulse(phase: Array) -> Array:
    """0 -> 1 -> 0 once a turn, at rest at both ends."""
    return (1 - np.cos(phase)) / 2


def _both(name: str, value: Array | float) -> Channels:
    return {f"{name}_{side}": np.asarray(value, float) for side in SIDES}


# Legs -------------------------------------------------------------------------------------


def _march(phase: Array, rng: np.random.Generator) -> Channels:
    height = rng.uniform(45, 70)
    out: Channels = {"shift": 0.03 * np.sin(phase)}
    for side, offset in zip(SIDES, (0, np.pi), strict=True):
        lift = _pulse(phase + offset) ** 1.5
        out |= {f"hip_{side}": 5 + height * lift, f"knee_{side}": 1.5 * height * lift}
    return out


def _squat(phase: Array, rng: np.random.Generator) -> Channels:
    stance = rng.uniform(12, 26)
    hip = stance + rng.uniform(32, 48) * _pulse(phase)
    # Thigh and shin together keep the feet where they stand.
    shin = np.degrees(np.arcsin(2 * np.sin(np.radians(stance)) - np.sin(np.radians(hip))))
    return _both("hip", hip) | _both("knee", hip - shin)


def _kick(phase: Array, rng: np.random.Generator) -> Channels:
    height = rng.uniform(55, 82)
    kicks = [_pulse(phase + offset) ** 3 for offset in (0, np.pi)]
    out: Channels = {"lean": 9 * (kicks[0] - kicks[1]), "shift": 0.04 * (kicks[0] - kicks[1])}
    for side, kick in zip(SIDES, kicks, strict=True):
        out |= {f"hip_{side}": 6 + height * kick, f"knee_{side}": 130 * kick * (1 - kick)}
    return out


def _spread(phase: Array, rng: np.random.Generator) -> Channels:
    hip = 4 + rng.uniform(20, 30) * _pulse(phase)
    return _both("hip", hip) | {"jump": rng.uniform(0.03, 0.08) * _pulse(2 * phase)}


def _sway(phase: Array, rng: np.random.Generator) -> Channels:
    width = rng.uniform(0.05, 0.1)
    tilt = np.degrees(np.arctan(width / 0.45)) * np.sin(phase)
    stance = rng.uniform(8, 16)
    return {
        "shift": width * np.sin(phase),
        "lean": -rng.uniform(4, 10) * np.sin(phase),
        "hip_l": stance + tilt,
        "hip_r": stance - tilt,
    }


def _lunge(phase: Array, rng: np.random.Generator) -> Channels:
    depth = rng.uniform(28, 40)
    left, right = _pulse(phase), _pulse(phase + np.pi)
    return {
        "shift": 0.09 * (right - left),
        "lean": 6 * (right - left),
        "hip_l": 20 + depth * left,
        "knee_l": 1.7 * depth * left,
        "hip_r": 20 + depth * right,
        "knee_r": 1.7 * depth * right,
    }


def _flamingo(phase: Array, rng: np.random.Generator) -> Channels:
    lift = _pulse(phase)
    return {
        "hip_l": 6 + rng.uniform(45, 68) * lift,
        "knee_l": 125 * lift,
        "hip_r": 4 - 6 * lift,
        "lean": -5 * lift,
        "shift": 0.04 * lift,
    }


def _twist(phase: Array, rng: np.random.Generator) -> Channels:
    swing = rng.uniform(14, 22) * np.sin(phase)
    return {
        "hip_l": 14 + swing,
        "hip_r": 14 - swing,
        "knee_l": 14 + swing,
        "knee_r": 14 - swing,
        "bend": 0.5 * swing,
        "shift": -0.002 * swing,
    }


# Arms -------------------------------------------------------------------------------------


def _wave(phase: Array, rng: np.random.Generator) -> Channels:
    other = [(45.0, -100.0), (16.0, -12.0), (70.0, 20.0)][rng.integers(3)]
    swing = np.sin(1.6 * phase)
    return {
        "shoulder_l": rng.uniform(85, 130) + 14 * np.sin(phase),
        "elbow_l": rng.uniform(25, 50) + 40 * swing,
        "wrist_l": 20 * np.sin(1.6 * phase - 0.8),
        "shoulder_r": other[0] + 12 * np.sin(phase),
        "elbow_r": other[1] + 12 * np.sin(phase - 0.5),
    }


def _flap(phase: Array, rng: np.random.Generator) -> Channels:
    shoulder = rng.uniform(70, 90) + rng.uniform(50, 65) * np.sin(phase)
    return (
        _both("shoulder", shoulder)
        | _both("elbow", 25 * np.sin(phase - 0.9))
        | _both("wrist", 25 * np.sin(phase - 1.6))
    )


def _cheer(phase: Array, rng: np.random.Generator) -> Channels:
    lift = _pulse(phase)
    return _both("shoulder", 75 + rng.uniform(60, 85) * lift) | _both("elbow", 75 * (1 - lift))


def _swing(phase: Array, rng: np.random.Generator) -> Channels:
    size, bend = rng.uniform(40, 55), rng.uniform(-55, -15)
    return {
        "shoulder_l": 15 + size * np.sin(phase),
        "shoulder_r": 15 - size * np.sin(phase),
        "elbow_l": bend + 20 * np.sin(phase - 0.6),
        "elbow_r": bend - 20 * np.sin(phase - 0.6),
    }


def _robot(phase: Array, rng: np.random.Generator) -> Channels:
    turn = rng.uniform(80, 98) * np.tanh(1.3 * np.sin(phase))
    return _both("shoulder", rng.uniform(70, 95) + 8 * np.sin(2 * phase)) | {
        "elbow_l": turn,
        "elbow_r": -turn,
    }


def _disco(phase: Array, rng: np.random.Generator) -> Channels:
    size = rng.uniform(70, 88)
    return {
        "shoulder_l": 65 + size * np.sin(phase),
        "shoulder_r": 65 - size * np.sin(phase),
        "elbow_l": 18 * np.sin(phase - 0.7),
        "elbow_r": -18 * np.sin(phase - 0.7),
        "tilt": 8 * np.sin(phase),
    }


def _clap(phase: Array, rng: np.random.Generator) -> Channels:
    open_ = _pulse(phase)
    return _both("shoulder", rng.uniform(30, 50) + 45 * open_) | _both(
        "elbow", -rng.uniform(110, 135) + 140 * open_
    )


def _semaphore(phase: Array, rng: np.random.Generator) -> Channels:
    """Each arm goes back and forth between high and low poses drawn at random."""
    keys = 16  # more than a segment shows; then they repeat
    position = (phase - phase[0]) / np.pi
    index = np.floor(position).astype(int)
    x = position - index
    ease = x * x * (3 - 2 * x)
    out: Channels = {}
    for side in SIDES:
        high, low = rng.uniform(95, 165, keys), rng.uniform(-25, 60, keys)
        shoulder = np.where((np.arange(keys) + rng.integers(2)) % 2, high, low)
        elbow = rng.uniform(-60, 70, keys)
        for name, pose in (("shoulder", shoulder), ("elbow", elbow)):
            out[f"{name}_{side}"] = (1 - ease) * pose[index % keys] + ease * pose[
                (index + 1) % keys
            ]
    return out


Behaviour = Callable[[Array, np.random.Generator], Channels]
LEGS: tuple[Behaviour, ...] = (
    _march,
    _squat,
    _kick,
    _spread,
    _sway,
    _lunge,
    _flamingo,
    _twist,
)
ARMS: tuple[Behaviour, ...] = (
    _wave,
    _flap,
    _cheer,
    _swing,
    _robot,
    _disco,
    _clap,
    _semaphore,
)


# A whole clip -----------------------------------------------------------------------------


def make_motion(seed: int, frames: int, fps: float) -> Motion:
    """Motion of one clip: behaviours of 1 to 1.7 s, each eased into the next."""
    time = np.arange(frames) / fps
    channels = {name: np.zeros(frames) for name in CHANNELS}
    start, index = 0.0, 0
    while start <= time[-1] + 0.4:
        length = stream("motion", seed, 0, index).uniform(1.0, 1.7)
        weight = _window(time, start, start + length, first=index == 0)
        for name, value in _segment(seed, index, time).items():
            channels[name] += weight * value
        start, index = start + length, index + 1
    channels = {
        name: np.clip(value, *LIMITS[name.split("_")[0]]) for name, value in channels.items()
    }
    rng = stream("motion", seed, 1)
    in_front = [_depth(channels[f"shoulder_{s}"], channels[f"elbow_{s}"], rng) for s in SIDES]
    return Motion(channels, np.stack(in_front, axis=-1), int(rng.integers(2)))


def _window(time: Array, start: float, end: float, *, first: bool) -> Array:
    """Weight of a segment; neighbours overlap by 0.8 s and sum to one."""

    def rise(at: float) -> Array:
        x = np.clip((time - at) / 0.8 + 0.5, 0, 1)
        return x * x * (3 - 2 * x)

    return (1.0 if first else rise(start)) - rise(end)


def _segment(seed: int, index: int, time: Array) -> Channels:
    """All channels of one behaviour pair over the whole clip, with its own varying tempo.

    A clip goes through the behaviours in an order of its own, so that none follows itself.
    """
    rng = stream("motion", seed, 2, index)
    legs, arms = (
        group[stream("motion", seed, 3, number).permutation(len(group))[index % len(group)]]
        for number, group in enumerate((LEGS, ARMS))
    )
    rate = 2 * np.pi / rng.uniform(1.5, 2.2)
    wobble = rng.uniform(0.1, 0.35) * np.sin(2 * np.pi * 0.4 * time + rng.uniform(0, 6))
    phase = rate * time + rng.uniform(0, 2 * np.pi) + wobble
    phase = phase + 0.2 * np.sin(phase + rng.uniform(0, 6))  # lingers in some poses
    channels = {name: np.full(len(time), REST.get(name.split("_")[0], 0.0)) for name in CHANNELS}
    for part in (_trunk(phase, rng), legs(phase, rng), arms(phase, rng)):
        for name, value in part.items():
            base = channels[name] if name in ("lean", "bend", "tilt", "shift") else 0.0
            channels[name] = base + value
    return _mirrored(channels) if rng.random() < 0.5 else channels


def _trunk(phase: Array, rng: np.random.Generator) -> Channels:
    def drift(size: float) -> Array:
        rate = rng.choice([0.5, 1.0])
        return size * rng.uniform(0.4, 1) * np.sin(rate * phase + rng.uniform(0, 6))

    return {
        "shift": drift(0.04),
        "lean": drift(7),
        "bend": drift(9),
        "tilt": drift(12),
        "turn": drift(0.9),
    }


def _mirrored(channels: Channels) -> Channels:
    swap = {"l": "r", "r": "l"}
    out = {}
    for name, value in channels.items():
        part, _, side = name.partition("_")
        if side:
            out[f"{part}_{swap[side]}"] = value
        else:
            out[name] = value if name == "jump" else -value
    return out


def _depth(shoulder: Array, elbow: Array, rng: np.random.Generator) -> Array:
    """Whether an arm is before the body; it changes only while stretched away from it."""
    state = bool(rng.random() < 0.75)
    out = np.empty(len(shoulder), bool)
    for i, angle in enumerate(shoulder):
        crossing = i > 0 and (shoulder[i - 1] < 75) != (angle < 75)
        if crossing and abs(elbow[i]) < 50:
            state = bool(rng.random() < 0.65)
        out[i] = state
    return out
