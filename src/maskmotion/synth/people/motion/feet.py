"""Where the feet stand, and when they step: a foot moves when the body has left it behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.motion.curves import bump, ease

Array = np.ndarray
NEAR = 0.05  # leg lengths; a foot closer to its wanted place stays
QUICKEST_S = 0.4
AHEAD_S = 0.25  # a foot lands where the body wants it a little later


@dataclass(frozen=True)
class Step:
    """One step: side 0 is the left foot; times in s, height in leg lengths."""

    side: int
    lift: float
    land: float
    height: float


def walk(
    time: Array, root: Array, stance: Array, asked: list[Step]
) -> tuple[dict[str, Array], list[Step]]:
    """Tracks of both feet.

    Args:
        time: (T,) s.
        root: (T, 3) wanted place (x, y in leg lengths) and heading in degrees of the body.
        stance: (T, 2, 3) of each foot: outwards and forwards (leg lengths), toes out (degrees).
        asked: steps that the behaviours want; others are added where the body moves away.
    Returns:
        Tracks "foot" (T, 2, 3): place (without half the width of the hips) and heading,
        "toes_out" (T, 2) degrees, "lift" (T, 2) leg lengths, "heel" (T, 2) from 0 to 1 heel up,
        "planted" (T, 2); and all steps in order of time.
    """
    wanted = _wanted(root, stance)
    steps = _plan(time, wanted, sorted(asked, key=lambda step: step.lift))
    foot = np.empty((len(time), 2, 4))
    foot[:] = wanted[0]
    lift, heel = np.zeros((len(time), 2)), np.zeros((len(time), 2))
    planted = np.ones((len(time), 2), bool)
    for step in steps:
        x = (time - step.lift) / (step.land - step.lift)
        share = ease(x)[:, None]
        goal = wanted[_later(time, step.land + AHEAD_S), step.side]
        foot[:, step.side] += share * (goal - foot[-1, step.side])
        lift[:, step.side] += step.height * bump(x)
        heel[:, step.side] += min(step.height / 0.2, 1.0) * bump(x / 0.9)
        planted[:, step.side] &= (x <= 0) | (x >= 1)
    return {
        "foot": foot[..., :3],
        "toes_out": foot[..., 3],
        "lift": lift,
        "heel": heel,
        "planted": planted,
    }, steps


def _wanted(root: Array, stance: Array) -> Array:
    """(T, 2, 4) x, y, heading and toes out of the feet under a body that stands at `root`."""
    heading = np.radians(root[:, None, 2])
    out, forward = stance[..., 0] * np.array([1, -1]), stance[..., 1]
    x = root[:, None, 0] + np.cos(heading) * out + np.sin(heading) * forward
    y = root[:, None, 1] + np.sin(heading) * out - np.cos(heading) * forward
    facing = np.broadcast_to(root[:, None, 2], x.shape)
    return np.stack([x, y, facing, stance[..., 2]], -1)


def _later(time: Array, at: float) -> int:
    return min(int(np.searchsorted(time, at)), len(time) - 1)


def _plan(time: Array, wanted: Array, asked: list[Step]) -> list[Step]:
    """Asked steps that do not overlap, and between them those that keep up with the body."""
    steps: list[Step] = []
    placed = wanted[0].copy()
    free, i = time[0], 0
    asked = list(asked)
    while i < len(time):
        now = time[i]
        while asked and asked[0].lift < max(now, free) - 1e-9:
            asked.pop(0)
        due = asked[0].lift if asked else np.inf
        step = None
        if due < now + 1.0 / 60:
            step = asked.pop(0)
        elif now >= free:
            step = _catch_up(time, i, wanted, placed, due)
        if step is not None:
            placed[step.side] = wanted[_later(time, step.land + AHEAD_S), step.side]
            free = step.land + 0.04
            steps.append(step)
        i += 1
    return steps


def _catch_up(time: Array, i: int, wanted: Array, placed: Array, due: float) -> Step | None:
    """A step of the foot that is farthest from where it should be, if that is far."""
    goal = wanted[_later(time, time[i] + 0.5 + AHEAD_S)]
    off = goal - placed
    error = np.hypot(off[:, 0], off[:, 1]) + (np.abs(off[:, 2]) + np.abs(off[:, 3])) / 250
    side = int(error.argmax())
    if error[side] < NEAR:
        return None
    lasting = QUICKEST_S + 0.5 * min(float(error[side]), 0.4)
    if due < time[i] + lasting + 0.04:
        return None
    height = 0.05 + 0.08 * min(float(error[side]), 0.5)
    return Step(side, float(time[i]), float(time[i]) + lasting, height)
