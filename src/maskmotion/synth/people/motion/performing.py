"""Tracks of a motion -> rotations of one body's bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.body import Body, Skeleton, parts
from maskmotion.synth.people.motion.behaviours import ARM
from maskmotion.synth.people.motion.curves import below, ease, soft_max
from maskmotion.synth.people.motion.limbs import (
    Limb,
    apply,
    dot,
    euler,
    inverse,
    turn,
    two_bone,
    unit,
    upright,
)

Array = np.ndarray
Tracks = dict[str, Array]

SIDES = ("L", "R")
SIGN = np.array([1.0, -1.0])  # of x on the left and on the right
FORWARD, UP = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
SPINE = {"spine05": 0.1, "spine04": 0.22, "spine03": 0.25, "spine02": 0.25, "spine01": 0.18}
NECK = {"neck01": 0.2, "neck02": 0.2, "neck03": 0.2, "head": 0.4}
ARM_BONES = ("upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist")
LEG_BONES = ("upperleg01", "upperleg02", "lowerleg01", "lowerleg02", "foot")
USUAL_SHOULDER = 0.35  # half the shoulders' width in arm lengths of a usual person
STRAIGHT = 0.994  # share of a leg's length at which a standing knee stays


@dataclass(frozen=True)
class Build:
    """What of a body at rest the performing needs; sides first where there are two.

    Attributes:
        skeleton: the bones.
        arms, legs: rest geometry.
        arm, leg: lengths in m.
        stance: half the distance of the ankles of somebody who stands at ease, m.
        girth: torso's outline.
    """

    skeleton: Skeleton
    arms: Limb
    legs: Limb
    arm: float
    leg: float
    stance: float
    girth: Girth

    def head(self, name: str) -> Array:
        return self.skeleton.heads[self.skeleton.index(name)].astype(float)

    def pair(self, name: str) -> Array:
        return np.stack([self.head(f"{name}.{side}") for side in SIDES])


@dataclass(frozen=True)
class Girth:
    """Outline of torso and head at rest: an ellipse at each height.

    Attributes:
        heights: (N,) m.
        half: (N, 2) half width and half depth, m.
        middle: (N,) y of the middle, m.
    """

    heights: Array
    half: Array
    middle: Array

    def at(self, z: Array, margin: float) -> tuple[Array, Array, Array]:
        """Half width, half depth and y of the middle at heights."""
        return (
            np.interp(z, self.heights, self.half[:, 0]) + margin,
            np.interp(z, self.heights, self.half[:, 1]) + margin,
            np.interp(z, self.heights, self.middle),
        )

    def outwards(self, points: Array) -> Array:
        """Unit vectors (..., 3), level, that lead out of the body from points (..., 3)."""
        a, b, middle = self.at(points[..., 2], 0.1)
        # A point in the very middle leaves forwards.
        x, y = points[..., 0] / a**2, (points[..., 1] - middle) / b**2 - 0.5
        return unit(np.stack([x, y, np.zeros_like(x)], -1))

    def depth(self, points: Array, ways: Array, margin: float) -> Array:
        """How far (...) to move points to be outside; softly, so that nothing jumps."""
        a, b, middle = self.at(points[..., 2], margin)
        px, py = points[..., 0] / a, (points[..., 1] - middle) / b
        wx, wy = ways[..., 0] / a, ways[..., 1] / b
        steep = wx * wx + wy * wy
        half = (px * wx + py * wy) / steep
        rest = (px * px + py * py - 1) / steep
        far = np.sqrt(np.maximum(half * half - rest, 0)) - half
        near = ease((1.3 - np.sqrt(px * px + py * py)) / 0.3)
        return near * soft_max(far, 0.0, 0.02)


def build(body: Body) -> Build:
    """Measure a body."""
    skeleton = body.skeleton

    def joints(bones: tuple[str, ...]) -> list[Array]:
        rows = [[skeleton.index(f"{bone}.{side}") for side in SIDES] for bone in bones]
        return list(skeleton.heads[rows].astype(float))

    arms, legs = _limb(joints(ARM_BONES)), _limb(joints(LEG_BONES), FORWARD)
    hips, ankles = joints(LEG_BONES)[0], joints(LEG_BONES)[-1]
    return Build(
        skeleton,
        arms,
        legs,
        float(np.add(*arms.lengths).mean()),
        float(np.add(*legs.lengths).mean()),
        float(0.55 * hips[0, 0] + 0.45 * ankles[0, 0]),
        _girth(body),
    )


def _limb(joints: list[Array], pole: Array | None = None) -> Limb:
    """Rest geometry from five heads; without a pole the limb's own bend gives the hinge."""
    first, second, middle, fourth, end = joints
    hinge = np.cross(end - first, middle - first if pole is None else pole)
    return Limb(middle - first, end - middle, middle - second, end - fourth, unit(hinge))


def _girth(body: Body) -> Girth:
    """Outline of the vertices that hang on spine, pelvis or head."""
    names = body.skeleton.names
    trunk = [i for i, n in enumerate(names) if n.startswith(("spine", "root", "pelvis", "breast"))]
    head = [i for i, n in enumerate(names) if n.startswith(("neck", "head"))]
    skin = np.unique(parts().faces["body"])
    points = body.vertices[skin[body.weights[skin][:, trunk + head].sum(1) > 0.6]]
    low, high = points[:, 2].min(), points[:, 2].max()
    heights = np.linspace(low, high + (high - low) / 23, 25)
    half, middle = np.zeros((25, 2)), np.zeros(25)  # ends in a point above the head
    for k, z in enumerate(heights[:-1]):
        near = points[np.abs(points[:, 2] - z) < (high - low) / 24]
        half[k, 0] = np.abs(near[:, 0]).max()
        half[k, 1] = np.ptp(near[:, 1]) / 2
        middle[k] = middle[-1] = (near[:, 1].max() + near[:, 1].min()) / 2
    return Girth(heights, half, middle)


def pose(tracks: Tracks, fps: float, body: Body) -> tuple[Array, Array]:
    """Rotations (T, J, 3, 3) and shift (T, 3) of a body that follows the tracks."""
    made = build(body)
    names = made.skeleton.names
    frames = len(tracks["weight"])
    out = np.broadcast_to(np.eye(3), (frames, len(names), 3, 3)).copy()
    ankles, feet = _feet(tracks, made)
    pelvis, root = _pelvis(tracks, fps, made, ankles)
    out[:, 0] = pelvis
    _legs(out, made, pelvis, root, ankles, feet, tracks)
    chest = _chain(out, made, pelvis, SPINE, np.radians(tracks["spine"]))
    _chain(out, made, chest, NECK, np.radians(tracks["head"]))
    eyes = np.radians(tracks["eyes"])
    for side in SIDES:
        out[:, names.index(f"eye.{side}")] = euler(-eyes[:, 1], 0 * eyes[:, 0], eyes[:, 0])
    _arms(out, made, pelvis, root, chest, tracks)
    return out, root - made.head("root")


def _chain(
    out: Array, made: Build, parent: Array, shares: dict[str, float], angles: Array
) -> Array:
    """Spread pitch, roll and yaw over bones; the world's rotation of the last."""
    world = parent
    for name, share in shares.items():
        local = euler(*(share * angles).T)
        out[:, made.skeleton.index(name)] = local
        world = world @ local
    return world


# Legs -------------------------------------------------------------------------------------


def _feet(tracks: Tracks, made: Build) -> tuple[Array, Array]:
    """The ankles' places (T, 2, 3) and the feet's rotations (T, 2, 3, 3) in the world."""
    heading = np.radians(tracks["foot"][..., 2])
    aside = np.stack([np.cos(heading), np.sin(heading)], -1)
    ankles = np.empty((*heading.shape, 3))
    ankles[..., :2] = made.leg * tracks["foot"][..., :2] + SIGN[:, None] * made.stance * aside
    ankles[..., 2] = made.pair("foot")[:, 2] + made.leg * tracks["lift"]
    # Heel up: the foot turns about the ball, where the toes stay.
    ball = _ball(made)
    level = upright(heading + SIGN * np.radians(tracks["toes_out"]))
    heel = _heel(tracks)
    feet = level @ euler(heel, 0 * heel, 0 * heel)
    return ankles + apply(level, ball) - apply(feet, ball), feet


def _pelvis(tracks: Tracks, fps: float, made: Build, ankles: Array) -> tuple[Array, Array]:
    """The pelvis' rotation (T, 3, 3) and place (T, 3): between the feet, as high as they allow."""
    balance = tracks["balance"]
    places = made.leg * balance[..., :2] + SIGN[:, None] * made.stance * balance[..., 2:]
    middle = places.mean(1) + 0.36 * tracks["weight"][:, None] * (places[:, 0] - places[:, 1])
    level = upright(np.arctan2(balance[..., 3].sum(1), balance[..., 2].sum(1)))
    aside = made.leg * tracks["hips"] * np.array([1, 1, 0])
    aside[:, 1] += made.head("root")[1] - made.pair("foot")[0, 1]
    root = apply(level, aside)
    root[:, :2] += middle
    pelvis = level @ euler(*np.radians(tracks["pelvis"]).T)
    highest = below(_height(root, pelvis, ankles, made), 0.16 * fps)
    root[:, 2] = highest - made.leg * tracks["hips"][:, 2]
    return pelvis, root


def _ball(made: Build) -> Array:
    """(2, 3) from the ankles to where the toes begin, at rest."""
    return made.skeleton.heads[_toes(made.skeleton)].astype(float).mean(1) - made.pair("foot")


def _heel(tracks: Tracks) -> Array:
    """(T, 2) radians by which the feet are tipped forward."""
    return np.radians(38) * (1 - (1 - tracks["heel"]) * (1 - tracks["tiptoe"][:, None]))


def _toes(skeleton: Skeleton) -> Array:
    return np.array([[skeleton.index(f"toe{k}-1.{side}") for k in range(1, 6)] for side in SIDES])


def _height(root: Array, pelvis: Array, ankles: Array, made: Build) -> Array:
    """How high the root may be for both feet to stay where they are, (T,)."""
    hips = apply(pelvis[:, None], made.pair("upperleg01") - made.head("root"))
    away = root[:, None, :2] + hips[..., :2] - ankles[..., :2]
    reach = (STRAIGHT * made.leg) ** 2 - (away * away).sum(-1)
    limit = ankles[..., 2] + np.sqrt(np.maximum(reach, 0.01)) - hips[..., 2]
    soft = 0.012
    lowest = limit.min(1, keepdims=True)
    return lowest[:, 0] - soft * np.log(np.exp((lowest - limit) / soft).sum(1))


def _legs(
    out: Array, made: Build, pelvis: Array, root: Array, ankles: Array, feet: Array, tracks: Tracks
) -> None:
    hips = root[:, None] + apply(pelvis[:, None], made.pair("upperleg01") - made.head("root"))
    # Knees bend over the toes.
    pointing = unit(apply(feet, _ball(made)) * np.array([1, 1, 0]))
    knee_side = unit(pointing + 0.35 * (pelvis @ FORWARD)[:, None])
    upper, lower = made.legs.lengths
    knees, ends = two_bone(hips, ankles, upper, lower, knee_side)
    parent = np.broadcast_to(pelvis[:, None], feet.shape)
    zero = np.zeros(feet.shape[:2])
    bones, world = made.legs.bend(parent, (hips, knees, ends), knee_side, zero)
    local = inverse(world) @ feet
    flat = -_heel(tracks)  # of the toes
    for k, side in enumerate(SIDES):
        for i, bone in enumerate(LEG_BONES[:4]):
            out[:, made.skeleton.index(f"{bone}.{side}")] = bones[:, k, i]
        out[:, made.skeleton.index(f"foot.{side}")] = local[:, k]
        toe = euler(flat[:, k], 0 * flat[:, k], 0 * flat[:, k])
        for j in _toes(made.skeleton)[k]:
            out[:, j] = toe


# Arms -------------------------------------------------------------------------------------


def _arms(
    out: Array, made: Build, pelvis: Array, root: Array, chest: Array, tracks: Tracks
) -> None:
    arms = dict(zip(ARM, np.moveaxis(tracks["arms"], -1, 0), strict=True))
    place, natural = _reach(arms, made)
    spot = _spine_end(out, made, root)
    to_world = np.broadcast_to(chest[:, None], (*place.shape, 3))
    neck = made.head("spine01")

    def world(point: Array) -> Array:
        return spot[:, None] + apply(to_world, point - neck)

    shoulders, collar = _collar(out, made, place, tracks["shrug"])
    starts = world(shoulders)
    parent = to_world @ collar
    pole = apply(to_world, natural)
    upper, lower = made.arms.lengths
    target = world(made.pair("upperarm01") + place)
    for _ in range(2):
        target = starts + _soft_reach(target - starts, upper + lower)
        elbows, wrists = two_bone(starts, target, upper, lower, pole)
        target, pole = _clear(made, elbows, wrists, target, pole, (root, pelvis), (spot, chest))
    target = starts + _soft_reach(target - starts, upper + lower)
    elbows, wrists = two_bone(starts, target, upper, lower, pole)
    twist = np.radians(arms["pronate"]) * SIGN
    bones, _ = made.arms.bend(parent, (starts, elbows, wrists), pole, twist)
    hands = _hands(made, arms, twist)
    for k, side in enumerate(SIDES):
        for i, bone in enumerate(ARM_BONES[:4]):
            out[:, made.skeleton.index(f"{bone}.{side}")] = bones[:, k, i]
        for name, local in hands.items():
            out[:, made.skeleton.index(f"{name}.{side}")] = local[:, k]


def _reach(arms: dict[str, Array], made: Build) -> tuple[Array, Array]:
    """Wrists from the resting shoulders in the chest's axes, and where elbows naturally point.

    The direction turns away from straight ahead by an angle, not by two in a row: so there is
    no pole, and a hand that goes from hanging to overhead passes in front on an arc. The elbow
    turns along without twist, as shoulders do (Donders' law), before the swivel is added.
    """
    out, up = np.radians(arms["out"]), np.radians(arms["up"])
    angle = np.sqrt(out * out + up * up + 1e-8)
    wide, tall = out / angle, up / angle
    s, c = np.sin(angle), np.cos(angle)
    turned = np.radians(16 + 24 * ease(arms["up"] / 80) + arms["swivel"])
    px, pz = np.sin(turned), -np.cos(turned)
    along = px * wide + pz * tall
    x = arms["reach"] * s * wide
    # Inwards counts in shoulder widths, so that hands meet on every body.
    inward = 0.5 * (np.sqrt(x * x + 0.01) - x)
    ratio = made.pair("upperarm01")[0, 0] / made.arm / USUAL_SHOULDER
    x = x + (1 - ratio) * inward
    place = np.stack([SIGN * x, -arms["reach"] * c, arms["reach"] * s * tall], -1) * made.arm
    natural = [
        SIGN * (px + along * (c - 1) * wide),
        along * s,
        pz + along * (c - 1) * tall,
    ]
    return place, np.stack(natural, -1)


def _soft_reach(away: Array, length: Array) -> Array:
    """Keep a hand within the arm's reach, and its elbow from folding shut, without a jolt."""
    far = np.sqrt(dot(away, away) + 1e-9)
    share = far / length
    share = soft_max(share, 0.3, 0.06)
    share = -soft_max(-share, -0.985, 0.02)
    return away * (share * length / far)


def _spine_end(out: Array, made: Build, root: Array) -> Array:
    """Where the highest spine bone starts, (T, 3)."""
    world, spot = out[:, 0], root
    before = made.head("root")
    for name in SPINE:
        head = made.head(name)
        spot = spot + world @ (head - before)
        world = world @ out[:, made.skeleton.index(name)]
        before = head
    return spot


def _collar(out: Array, made: Build, place: Array, shrug: Array) -> tuple[Array, Array]:
    """Raise and advance the collar bones with the arms.

    Returns:
        The shoulders (T, 2, 3) at rest but for this, and the rotation (T, 2, 3, 3) that the
        upper arms hang on, both in the chest's axes.
    """
    direction = place / made.arm
    lifted = ease((direction[..., 2] + 0.55) / 1.5)
    raised = np.radians(24 * lifted + 12 * shrug)
    ahead = np.radians(14 * ease(-direction[..., 1]) - 8 * ease(direction[..., 1] * 1.5))
    half = euler(0 * raised, -0.5 * SIGN * raised, -0.5 * SIGN * ahead)
    clavicle, blade, shoulder = (
        made.pair(name) for name in ("clavicle", "shoulder01", "upperarm01")
    )
    for k, side in enumerate(SIDES):
        out[:, made.skeleton.index(f"clavicle.{side}")] = half[:, k]
        out[:, made.skeleton.index(f"shoulder01.{side}")] = half[:, k]
    spot = clavicle + apply(half, blade - clavicle)
    both = half @ half
    return spot + apply(both, shoulder - blade), both


def _clear(
    made: Build,
    elbows: Array,
    wrists: Array,
    target: Array,
    pole: Array,
    low: tuple[Array, Array],
    high: tuple[Array, Array],
) -> tuple[Array, Array]:
    """Move hands out of the torso, and turn the elbows from it.

    Args:
        made: whose torso.
        elbows, wrists: (T, 2, 3) where they are now.
        target: (T, 2, 3) of the wrists.
        pole: (T, 2, 3) side to which the elbows bend.
        low: place and rotation of the pelvis.
        high: place and rotation of the chest.
    Returns:
        The target and the pole to use instead.
    """
    along = wrists - elbows
    places = (0.0, 0.3, 0.6, -0.5, -1.0)  # wrist, palm, fingers, forearm, elbow
    points = np.stack([wrists + share * along for share in places], 2)
    hips = apply(inverse(low[1])[:, None, None], points - low[0][:, None, None])
    ribs = apply(inverse(high[1])[:, None, None], points - high[0][:, None, None])
    below, above = made.head("root"), made.head("spine01")
    hips, ribs = hips + below, ribs + above
    # The pelvis carries the lower half of the outline, the chest the upper one.
    share = ease((0.5 * (hips + ribs)[..., 2:] - 0.5 * (below + above)[2]) / 0.3 + 0.5)
    local = hips + share * (ribs - hips)
    # The whole hand takes the wrist's way out, or points on two sides would pull it apart.
    ways = made.girth.outwards(local[:, :, [0, 0, 0, 0, 4]])
    depth = made.girth.depth(local, ways, 0.03)[..., None] * np.array([[1], [1], [0.7], [1], [1]])
    world = (
        apply(low[1][:, None, None], ways) * (1 - share)
        + apply(high[1][:, None, None], ways) * share
    )
    hand = depth[:, :, :4]
    shift = (hand * hand).sum(2) / (hand.sum(2) + 1e-4) * world[:, :, 0]
    return target + shift, unit(pole) + 8.0 * depth[:, :, 4] * world[:, :, 4]


def _hands(made: Build, arms: dict[str, Array], twist: Array) -> dict[str, Array]:
    """Rotations (T, 2, 3, 3) of wrists and fingers."""
    wrist = made.pair("wrist")
    knuckles = {k: made.pair(f"finger{k}-1") for k in range(1, 6)}
    along = unit(knuckles[3] - wrist)
    across = unit(knuckles[2] - knuckles[5])  # towards the thumb
    # Out of the palm on both sides, as left and right are mirror images.
    palm = unit(np.cross(along, across) * SIGN[:, None])
    bend = unit(np.cross(along, palm))
    radial = unit(np.cross(along, across))
    out = {
        "wrist": turn(unit(made.arms.lower), 0.25 * twist)
        @ turn(radial, np.radians(arms["deviate"]))
        @ turn(bend, np.radians(arms["flex"]))
    }
    for k in range(1, 6):
        curl = arms["thumb" if k == 1 else "index" if k == 2 else "fingers"]
        _finger(out, made, k, np.clip(curl, 0, 1), palm, across)
    return out


def _finger(
    out: dict[str, Array], made: Build, k: int, curl: Array, palm: Array, across: Array
) -> None:
    heads = [made.pair(f"finger{k}-{i}") for i in (1, 2, 3)]
    towards = palm if k > 1 else unit(0.4 * palm - across)
    # What rest has of curl is taken off first, so that 0 is a flat hand.
    most = (75, 95, 65) if k > 1 else (28, 30, 45)
    least = (-6, -12, -10) if k > 1 else (-4, -4, -6)
    for i in range(3):
        a, b = (heads[i], heads[i + 1]) if i < 2 else (heads[1], heads[2])
        axis = unit(np.cross(unit(b - a), towards))
        out[f"finger{k}-{i + 1}"] = turn(axis, np.radians(least[i] + curl * (most[i] - least[i])))
