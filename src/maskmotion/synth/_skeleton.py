"""Forward kinematics: joint angles on a figure's proportions give joint positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskmotion.synth._motion import SIDES, Channels, Motion

Array = np.ndarray

JOINTS = (
    "pelvis",
    "spine",
    "neck",
    "head",
    *(f"{side}_{name}" for side in SIDES for name in ("shoulder", "elbow", "wrist", "hand")),
    *(f"{side}_{name}" for side in SIDES for name in ("hip", "knee", "ankle", "toe")),
)


@dataclass(frozen=True)
class Proportions:
    """Lengths as fractions of the standing height."""

    head: float  # radius
    head_aspect: float  # width / height
    neck: float
    torso: float
    shoulder: float  # half width
    hip: float  # half width
    waist: float  # half width
    upper_arm: float
    forearm: float
    hand: float
    arm_radius: float
    thigh: float
    shin: float
    foot: float
    leg_radius: float

    def standing_height(self) -> float:
        legs = self.thigh + self.shin + 0.9 * self.leg_radius
        return legs + self.torso + self.neck + 2 * self.head


def _towards(degrees: Array, side: float = 1.0) -> Array:
    """(T, 2) unit vectors; 0 is down, positive turns to `side` (1: right)."""
    radians = np.radians(degrees)
    return np.stack([side * np.sin(radians), np.cos(radians)], axis=-1)


def _up(degrees: Array) -> Array:
    """(T, 2) unit vectors; 0 is up, positive leans to the right."""
    radians = np.radians(degrees)
    return np.stack([np.sin(radians), -np.cos(radians)], axis=-1)


def pose_joints(body: Proportions, motion: Motion) -> Array:
    """(T, J, 2) joints in units of the figure's height; y grows downwards, ground at 0."""
    pose = motion.channels
    joints = _trunk(body, pose)
    for side, sign in zip(SIDES, (-1.0, 1.0), strict=True):
        joints |= _arm(body, pose, joints, side, sign)
        joints |= _leg(body, pose, joints, side, sign)
    stacked = np.stack([joints[name] for name in JOINTS], axis=1)
    root = np.stack([pose["shift"], -_ground(joints) - pose["jump"]], axis=-1)
    return stacked + root[:, None]


def _trunk(body: Proportions, pose: Channels) -> dict[str, Array]:
    chest = pose["lean"] + pose["bend"]
    pelvis = np.zeros((len(chest), 2))
    spine = pelvis + 0.5 * body.torso * _up(pose["lean"])
    neck = spine + 0.5 * body.torso * _up(chest)
    head = neck + (body.neck + body.head) * _up(chest + pose["tilt"])
    return {"pelvis": pelvis, "spine": spine, "neck": neck, "head": head}


def _arm(
    body: Proportions, pose: Channels, joints: dict[str, Array], side: str, sign: float
) -> dict[str, Array]:
    chest = pose["lean"] + pose["bend"]
    up = _up(chest)
    right = np.stack([-up[:, 1], up[:, 0]], axis=-1)
    reach = body.shoulder - 0.6 * body.arm_radius
    shoulder = joints["neck"] + sign * reach * right - 0.9 * body.arm_radius * up
    # The chest turns clockwise with a positive lean, which lowers the right arm.
    angle = pose[f"shoulder_{side}"] - sign * chest
    elbow = shoulder + body.upper_arm * _towards(angle, sign)
    angle = angle + pose[f"elbow_{side}"]
    wrist = elbow + body.forearm * _towards(angle, sign)
    hand = wrist + body.hand * _towards(angle + pose[f"wrist_{side}"], sign)
    return {
        f"{side}_shoulder": shoulder,
        f"{side}_elbow": elbow,
        f"{side}_wrist": wrist,
        f"{side}_hand": hand,
    }


def _leg(
    body: Proportions, pose: Channels, joints: dict[str, Array], side: str, sign: float
) -> dict[str, Array]:
    hip = joints["pelvis"] + np.array([sign * body.hip, 0.0])
    angle = pose[f"hip_{side}"]
    knee = hip + body.thigh * _towards(angle, sign)
    angle = angle - pose[f"knee_{side}"]
    ankle = knee + body.shin * _towards(angle, sign)
    toe = ankle + body.foot * _towards(78 + 0.55 * angle, sign)
    return {f"{side}_hip": hip, f"{side}_knee": knee, f"{side}_ankle": ankle, f"{side}_toe": toe}


def _ground(joints: dict[str, Array]) -> Array:
    """(T,) height of the lower foot, as a smooth maximum so that steps do not jerk."""
    sharpness = 60.0
    feet = [joints[f"{side}_{name}"][:, 1] for side in SIDES for name in ("ankle", "toe")]
    return np.asarray(np.logaddexp.reduce([sharpness * foot for foot in feet]) / sharpness)
