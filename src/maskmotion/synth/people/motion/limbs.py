"""Rotations, and arms and legs that reach for a place (two-bone inverse kinematics).

Arrays have any leading axes; vectors are (..., 3), rotations (..., 3, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


def unit(v: Array) -> Array:
    return v / np.sqrt((v * v).sum(-1, keepdims=True) + 1e-30)


def dot(a: Array, b: Array) -> Array:
    return (a * b).sum(-1, keepdims=True)


def apply(rotation: Array, v: Array) -> Array:
    return (rotation @ v[..., None])[..., 0]


def inverse(rotation: Array) -> Array:
    return np.swapaxes(rotation, -1, -2)


def turn(axis: Array, angle: Array) -> Array:
    """Rotation by `angle` (...) radians about unit vectors `axis`."""
    c, s = np.cos(angle)[..., None], np.sin(angle)[..., None]
    shape = np.broadcast_shapes(axis.shape, c.shape)
    out = np.empty((*shape, 3))
    for i in range(3):
        basis = np.eye(3)[i]
        out[..., i] = c * basis + s * np.cross(axis, basis) + (1 - c) * axis[..., i : i + 1] * axis
    return out


def euler(pitch: Array, roll: Array, yaw: Array) -> Array:
    """Forward pitch, roll to the left and yaw to the left, in radians, in this order."""
    cx, sx, cy, sy = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    cz, sz = np.cos(yaw), np.sin(yaw)
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def upright(yaw: Array) -> Array:
    """Rotation about the vertical, in radians to the left."""
    return euler(0 * yaw, 0 * yaw, yaw)


def between(a: Array, b: Array) -> Array:
    """The smallest rotation that takes unit vectors `a` to `b`."""
    axis = np.cross(a, b)
    c = dot(a, b)[..., None]
    skew = np.zeros((*axis.shape, 3))
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -axis[..., 2], axis[..., 1], -axis[..., 0]
    skew = skew - inverse(skew)
    return np.eye(3) + skew + skew @ skew / np.maximum(1 + c, 1e-6)


def frame(along: Array, normal: Array) -> Array:
    """Rotation whose first column is `along` and whose second is nearest to `normal`."""
    x = unit(along)
    y = unit(normal - dot(normal, x) * x)
    return np.stack([x, y, np.cross(x, y)], -1)


def two_bone(
    start: Array, target: Array, upper: Array, lower: Array, pole: Array
) -> tuple[Array, Array]:
    """Middle and end of a limb of two bones that reaches for a target.

    Args:
        start: where the limb begins.
        target: where it should end; one out of reach is approached as far as possible.
        upper: (..., 1) length of the first bone.
        lower: (..., 1) length of the second.
        pole: the side to which the middle bends, not along the limb.
    """
    away = target - start
    margin = 1e-6 * (upper + lower)
    far = np.clip(np.sqrt(dot(away, away)), np.abs(upper - lower) + margin, upper + lower - margin)
    # A target in the very start has no direction; the limb then folds opposite to the pole.
    along = unit(away + 1e-9 * np.array([0.0, 0.0, -1.0]))
    side = unit(pole - dot(pole, along) * along)
    foot = (far * far + upper * upper - lower * lower) / (2 * far)
    height = np.sqrt(np.maximum(upper * upper - foot * foot, 0))
    return start + foot * along + height * side, start + far * along


@dataclass(frozen=True)
class Limb:
    """Rest geometry of arms or legs, arrays (2, 3): left and right.

    Attributes:
        upper: from the first joint to the middle one.
        lower: from the middle joint to the end.
        upper_twist: from the second bone's head (on the first stretch) to the middle joint.
        lower_twist: from the fourth bone's head (on the second stretch) to the end.
        hinge: axis that the middle joint turns about.
    """

    upper: Array
    lower: Array
    upper_twist: Array
    lower_twist: Array
    hinge: Array

    @property
    def lengths(self) -> tuple[Array, Array]:
        """(2, 1) of the upper and the lower stretch."""
        return np.sqrt(dot(self.upper, self.upper)), np.sqrt(dot(self.lower, self.lower))

    def bend(
        self, parent: Array, joints: tuple[Array, Array, Array], pole: Array, twist: Array
    ) -> tuple[Array, Array]:
        """Rotations of the limb's four bones for given joints.

        Args:
            parent: (T, 2, 3, 3) world rotation of what the limb hangs on.
            joints: first, middle and end, (T, 2, 3).
            pole: (T, 2, 3) side to which the middle bends.
            twist: (T, 2) radians, added about the lower stretch; three quarters of it are done
                here, the rest is the hand's.
        Returns:
            (T, 2, 4, 3, 3) rotations against the parents, (T, 2, 3, 3) world one of the last.
        """
        upper, lower = joints[1] - joints[0], joints[2] - joints[1]
        hinge = np.cross(joints[2] - joints[0], pole)
        # The second bone carries the twist about the limb, so that the skin at the shoulder
        # or hip is not wrung. Each bone maps its stretch exactly, whatever the twist.
        wanted = frame(upper, hinge) @ inverse(frame(self.upper, self.hinge))
        local = inverse(parent) @ wanted
        along = np.broadcast_to(unit(self.upper), upper.shape)
        swing = between(along, apply(local, along))
        side = frame(along, self.hinge)[..., 1]
        rest = apply(inverse(swing) @ local, side)
        angle = np.arctan2(dot(np.cross(side, rest), along), dot(side, rest))[..., 0]
        angle = np.unwrap(angle, axis=0)
        first = swing @ turn(along, 0.3 * angle)
        second = turn(unit(self.upper_twist), 0.7 * angle)
        world = parent @ first @ second
        wanted = frame(lower, hinge) @ inverse(frame(self.lower, self.hinge))
        third = inverse(world) @ wanted @ turn(unit(self.lower), 0.25 * twist)
        fourth = turn(unit(self.lower_twist), 0.5 * twist)
        out = np.stack([first, second, third, np.broadcast_to(fourth, third.shape)], -3)
        return out, world @ third @ fourth
