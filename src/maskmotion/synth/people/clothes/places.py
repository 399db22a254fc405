"""Where points of a body lie, as a tailor measures."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.body import Body

__all__ = ["Places", "measure"]

Array = np.ndarray


@dataclass(frozen=True)
class Places:
    """Where points of a body at rest lie, as a tailor measures.

    Attributes:
        points: (n, 3) m.
        arm: (n,) share of the bones of the arm (1 on it, 0 off it).
        leg: (n,) share of the bones of the leg.
        along_arm: (n,) m from the shoulder, along the bones.
        along_leg: (n,) m from the hip.
        round_trunk: (n, 2) m across the trunk, from its axis.
        round_limb: (n, 2) m across the limb (off the limbs: the trunk), from its axis.
        arm_m: length of the arm to the wrist.
        leg_m: length of the leg to the ankle.
        waist, crotch, neck: heights in m.
        neck_y: depth of the neck.
    """

    points: Array
    arm: Array
    leg: Array
    along_arm: Array
    along_leg: Array
    round_trunk: Array
    round_limb: Array
    arm_m: float
    leg_m: float
    waist: float
    crotch: float
    neck: float
    neck_y: float


def measure(body: Body, points: Array, weights: Array) -> Places:
    """Places of points that bend with these weights."""
    heads, index = body.skeleton.heads, body.skeleton.index
    arms, legs = limb_bones(body.skeleton.names)
    arm, leg = weights @ arms, weights @ legs
    left = points[:, 0] > 0
    along_arm = np.zeros(len(points), np.float32)
    along_leg = np.zeros(len(points), np.float32)
    spine = np.stack([heads[index(f"spine0{k}")] for k in (5, 4, 3, 2, 1)])
    middle = np.interp(points[:, 2], spine[:, 2], spine[:, 1]) - 0.03
    trunk = np.stack([points[:, 0], points[:, 1] - middle], 1)
    across = trunk.copy()
    lengths = {}
    for side, here in (("L", left), ("R", ~left)):
        for chain, share, along in (
            (("upperarm01", "lowerarm01", "wrist"), arm, along_arm),
            (("upperleg01", "lowerleg01", "foot"), leg, along_leg),
        ):
            joints = heads[[index(f"{name}.{side}") for name in chain]]
            travelled, offset = _project(points[here], joints)
            along[here] = travelled
            lengths[chain[0]] = float(np.linalg.norm(np.diff(joints, axis=0), axis=1).sum())
            limb = (share > 0.5) & here
            across[limb] = offset[share[here] > 0.5]
    hips = heads[index("upperleg01.L")]
    return Places(
        points, arm, leg, along_arm, along_leg, trunk, across,
        lengths["upperarm01"], lengths["upperleg01"],
        float(heads[index("spine03")][2]), float(hips[2] - 0.06),
        float(heads[index("neck01")][2]), float(heads[index("neck01")][1]),
    )  # fmt: skip


@functools.cache
def limb_bones(names: tuple[str, ...]) -> tuple[Array, Array]:
    """(J,) 1 for bones of the arms; the same for the legs."""
    arms = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    legs = ("upperleg", "lowerleg", "foot", "toe")
    on_arm, on_leg = ([name.startswith(limb) for name in names] for limb in (arms, legs))
    return np.array(on_arm, np.float32), np.array(on_leg, np.float32)


def _project(points: Array, joints: Array) -> tuple[Array, Array]:
    """How far along a chain of two bones (n,), and (n, 2) across it."""
    travelled = np.zeros(len(points), np.float32)
    offset = np.zeros((len(points), 2), np.float32)
    best = np.full(len(points), np.inf)
    start = 0.0
    for k in range(2):
        bone = joints[k + 1] - joints[k]
        length = float(np.linalg.norm(bone))
        axis = bone / length
        side = np.cross(axis, [0.0, 1.0, 0.0])
        side /= np.linalg.norm(side)
        local = points - joints[k]
        s = local @ axis
        # Beyond its ends a bone goes on, but not past the joint that both share.
        clipped = np.clip(s, -np.inf if k == 0 else 0, length if k == 0 else np.inf)
        across = local - clipped[:, None] * axis
        far = np.einsum("na,na->n", across, across)
        nearer = far < best
        best = np.where(nearer, far, best)
        travelled[nearer] = (start + clipped)[nearer]
        two = np.stack([across @ side, across @ np.cross(side, axis)], 1)
        offset[nearer] = two[nearer]
        start += length
    return travelled, offset
