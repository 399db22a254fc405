"""Locks of hair: lines that grow from the scalp, lie on the body and hang; ribbons along them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.hair.scalp import Head

__all__ = ["Growth", "Mesh", "grid", "grow", "joined", "ribbons", "trim", "waved"]

Array = np.ndarray
STEPS = 24
SLOTS = 4  # locks side by side in the texture


@dataclass(frozen=True)
class Mesh:
    """Some triangles of hair.

    Attributes:
        vertices: (n, 3) float32 m.
        faces: (F, 3) int32.
        coordinates: (n, 2) float32.
        aux: (n, 4) float32; see the branch HAIR of shaders/figure.frag.
    """

    vertices: Array
    faces: Array
    coordinates: Array
    aux: Array


@dataclass(frozen=True)
class Growth:
    """How n locks grow; what is an array of n may be one number for all.

    Attributes:
        start: (n, 3) m, on the scalp.
        heading: (n, 3) where each sets out.
        length: (n,) m.
        clearance: (n,) m from the surface.
        comb: from places (n, 3) to directions (n, 3) into which they are combed; None: not combed.
        reach_m: (n,) how far along a lock the comb still holds.
        weight: (n,) 0 stands up to 1 falls at once.
        stiffness: how much of its direction a lock keeps over a step.
        behind: (n,) -1 falls before the shoulder to 1 behind it.
        veils: (n,) whether it may hang before the face.
    """

    start: Array
    heading: Array
    length: Array
    clearance: Array | float
    comb: Callable[[Array], Array] | None = None
    reach_m: Array | float = 0.1
    weight: Array | float = 1.0
    stiffness: float = 1.0
    behind: Array | float = 1.0
    veils: Array | bool = False


def grow(head: Head, growth: Growth) -> Array:
    """(n, STEPS + 1, 3) float32 the locks' middle lines."""
    n = len(growth.start)
    clearance, reach, weight, behind, veils = (
        np.broadcast_to(np.asarray(x), n)[:, None]
        for x in (growth.clearance, growth.reach_m, growth.weight, growth.behind, growth.veils)
    )
    step = (growth.length / STEPS)[:, None]
    much = np.maximum(step / 0.015, 1)  # longer steps turn more
    place, heading = growth.start.astype(np.float32), _unit(growth.heading)
    out = np.empty((n, STEPS + 1, 3), np.float32)
    out[:, 0] = place
    down = np.array([0, 0, -1.0], np.float32)
    shoulder = head.bone("neck01")[2] + 0.02
    for k in range(STEPS):
        held = np.exp(-step * k / reach) * 0.5
        combed = growth.comb(place) if growth.comb else 0
        low = (place[:, 2:] < shoulder) * 0.5
        wide = np.clip((np.abs(place[:, :1]) - 0.1) / 0.04, 0, 1)  # slides off no shoulder
        inward = -low * place[:, :1] / 0.15 * np.where(behind > 0, 1, wide)
        across = np.concatenate([inward, low * behind, 0 * low], 1)
        change = held * combed + 1.1 * weight * (1 - held) * down + across
        heading = _unit(growth.stiffness * heading / much + change)
        moved = _outside(head, place + step * heading, clearance[:, 0] * min(1, (k + 1) / 3))
        moved = np.where(veils, moved, _beside_face(head, moved))
        heading = _unit(moved - place)
        place = moved
        out[:, k + 1] = place
    return out


def _outside(head: Head, points: Array, clearance: Array) -> Array:
    """Points moved out of the body."""
    near = head.nearest(points)
    outward = head.across[near]
    depth = np.einsum("na,na->n", points - head.points[near], outward)
    bulge = head.ears[0, 0] - head.width
    ear = np.linalg.norm(points[:, None] - head.ears, axis=2).min(1)
    wanted = clearance + max(bulge, 0.0) * np.exp(-((ear / 0.035) ** 2))
    return points + np.clip(wanted - depth, 0, 0.05)[:, None] * outward


def _beside_face(head: Head, points: Array) -> Array:
    """Points moved sideways from before the face."""
    eye = head.eyes[0]
    half = eye[0] + 0.028
    top = head.brow[2] + 0.015
    rise = np.clip(1 - (points[:, 2] - top) / 0.05, 0, 1)
    rise = rise * np.clip((points[:, 2] - head.chin[2] + 0.05) / 0.03, 0, 1)
    before = np.clip((eye[1] + 0.03 - points[:, 1]) / 0.02, 0, 1)
    limit = half * rise * before
    side = np.where(points[:, 0] < 0, -1.0, 1.0)
    out = points.copy()
    out[:, 0] = side * np.maximum(np.abs(points[:, 0]), limit)
    return out


def trim(lines: Array, lowest: Array, segments: int) -> Array:
    """(n, segments + 1, 3) the lines down to heights (n,), as points."""
    below = lines[..., 2] < lowest[:, None]
    end = np.where(below.any(1), np.maximum(np.argmax(below, 1), 2), lines.shape[1] - 1)
    place = np.linspace(0, 1, segments + 1) ** 1.5 * end[:, None]  # closer on the skull
    first = np.minimum(place.astype(int), lines.shape[1] - 2)
    share = (place - first)[..., None]
    row = np.arange(len(lines))[:, None]
    return (lines[row, first] * (1 - share) + lines[row, first + 1] * share).astype(np.float32)


def waved(lines: Array, size: Array, length_m: float, phase: Array, fixed: float) -> Array:
    """Lines that wind round themselves.

    Args:
        size: (n,) m, how far.
        length_m: of a wave.
        phase: (n,) where in a wave each starts.
        fixed: m from the root that stay straight.
    """
    way = np.linalg.norm(np.diff(lines, axis=1), axis=2)
    way = np.concatenate([np.zeros((len(lines), 1)), np.cumsum(way, 1)], 1)
    tangent = _unit(np.gradient(lines, axis=1))
    side = _unit(np.cross(tangent, np.array([0.3, 1.0, 0.2])))
    other = np.cross(side, tangent)
    angle = 2 * np.pi * way / length_m + phase[:, None]
    much = size[:, None] * np.clip(way / max(fixed, 1e-3) - 0.3, 0, 1)
    moved = np.sin(angle)[..., None] * side + 0.6 * np.cos(angle)[..., None] * other
    return (lines + much[..., None] * moved).astype(np.float32)


def ribbons(
    head: Head, lines: Array, width: Array, twist: Array, slot: Array, tone: Array, open_: Array
) -> Mesh:
    """Two-sided strips along lines.

    Args:
        lines: (n, m, 3) m.
        width: (n,) m.
        twist: (n,) radians that a strip is turned from lying flat.
        slot: (n,) which of the texture's locks.
        tone: (n,) lighter or darker.
        open_: (n, m) how much light reaches it.
    """
    n, m = lines.shape[:2]
    tangent = _unit(np.gradient(lines, axis=1))
    outward = _outward(head, lines)
    side = _unit(np.cross(outward, tangent))
    turn = twist[:, None, None]
    side = np.cos(turn) * side + np.sin(turn) * np.cross(tangent, side)
    t = np.linspace(0, 1, m) ** 1.5
    half = 0.5 * width[:, None] * np.interp(t, [0, 0.15, 0.7, 1], [0.75, 1, 1, 0.7])
    edge = half[..., None] * side
    vertices = head.outside_skull(np.stack([lines - edge, lines + edge], 2), 0.002)
    v = np.broadcast_to(1 - t[None, :, None], (n, m, 2))
    u = (slot[:, None, None] + np.array([0.02, 0.98])) / SLOTS
    coordinates = np.stack([np.broadcast_to(u, (n, m, 2)), v], -1)
    aux = np.empty((n, m, 2, 4))
    aux[..., 0], aux[..., 1] = 0.5, tone[:, None, None]
    aux[..., 2], aux[..., 3] = t[None, :, None], open_[..., None]
    at = np.arange(n * m * 2).reshape(n, m, 2)
    corners = at[:, :-1, 0], at[:, :-1, 1], at[:, 1:, 0], at[:, 1:, 1]
    return _cells(vertices, coordinates, aux, corners)


def grid(vertices: Array, coordinates: Array, aux: Array) -> Mesh:
    """Faces between (rows, columns, ...) vertices: rows downwards, columns to the left."""
    rows, columns = vertices.shape[:2]
    at = np.arange(rows * columns).reshape(rows, columns)
    corners = at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]
    return _cells(vertices, coordinates, aux, corners)


def _cells(
    vertices: Array, coordinates: Array, aux: Array, corners: tuple[Array, Array, Array, Array]
) -> Mesh:
    """Two faces for each cell of a net; corners: rows of its first and second side's ends."""
    a, b, c, d = corners
    faces = np.concatenate([np.stack(f, -1).reshape(-1, 3) for f in ((a, c, b), (b, c, d))])
    return Mesh(
        vertices.reshape(-1, 3).astype(np.float32),
        faces.astype(np.int32),
        coordinates.reshape(-1, 2).astype(np.float32),
        aux.reshape(-1, 4).astype(np.float32),
    )


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several."""
    starts = np.concatenate([[0], np.cumsum([len(m.vertices) for m in meshes])])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=False)]).astype("i4"),
        np.concatenate([m.coordinates for m in meshes]),
        np.concatenate([m.aux for m in meshes]),
    )


def _outward(head: Head, lines: Array) -> Array:
    """(n, m, 3) away from the skull, and lower down from the body's axis."""
    away = lines - head.middle
    low = np.clip((head.middle[2] - lines[..., 2:]) / 0.12, 0, 1)
    axis = lines - np.array([0, head.bone("neck02")[1], 0])
    axis[..., 2] = 0.02
    return _unit(_unit(away) * (1 - low) + _unit(axis) * low)


def _unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
