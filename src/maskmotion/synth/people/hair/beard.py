"""Beards: fur and short locks on the lower face, which move with it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.body import make_body, parts
from maskmotion.synth.people.figure import faces_normals
from maskmotion.synth.people.hair.looks import Hair
from maskmotion.synth.people.hair.scalp import Head
from maskmotion.synth.people.hair.strands import Growth, Mesh, grow, ribbons, trim, waved

__all__ = ["BEARDS", "beard_fur", "beard_locks"]

Array = np.ndarray
BEARDS = ("moustache", "goatee", "full")
CANDIDATES = 3000
SEGMENTS = 4


@dataclass(frozen=True)
class _Region:
    """Where a beard grows, on all bodies.

    Attributes:
        faces: (F, 3) of the body.
        inside: (F, 3) cm from the beard's border at their corners.
        roots: (n,) rows of `faces`; any first few are evenly spread.
        shares: (n, 3) of the corners in these.
        low: (n,) 0 at the cheeks to 1 at the chin.
    """

    faces: Array
    inside: Array
    roots: Array
    shares: Array
    low: Array


def beard_fur(head: Head, hair: Hair) -> tuple[Mesh, Array]:
    """Layers over the skin, and the vertices of the body that theirs follow."""
    region = _region(hair.beard)
    used, faces = np.unique(region.faces, return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.int32)
    inside = np.zeros(len(used))
    inside[faces] = region.inside
    place = head.body.vertices[used]
    outward = _normals(place, faces)
    down = np.array([0, -0.2, -1.0])
    vertices, auxes = [], []
    heights = (0.2,) if hair.beard == "full" else (1.0, 0.0)  # locks cover a full one
    for height in heights:
        rise = 0.0012 + height * (0.0015 + 0.006 * hair.beard_length) * np.clip(inside, 0, 1)
        vertices.append(place + rise[:, None] * (outward + 0.5 * height * down))
        aux = np.zeros((len(used), 4))
        aux[:, 0] = np.clip(0.6 - 0.6 * np.clip(inside / 0.45, -0.5, 1) + 0.4 * height, 0, 1)
        aux[:, 1], aux[:, 2], aux[:, 3] = -0.15, 0.4, 0.7 + 0.3 * height
        auxes.append(aux)
    coordinates = (place - head.middle)[:, [0, 2]] * [18, 10]
    coordinates[:, 0] += (place - head.middle)[:, 1] * 11
    mesh = Mesh(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate([faces + n * len(used) for n in range(len(heights))]).astype(np.int32),
        np.tile(coordinates, (len(heights), 1)).astype(np.float32),
        np.concatenate(auxes).astype(np.float32),
    )
    return mesh, np.tile(used, len(heights))


def beard_locks(head: Head, hair: Hair, rng: np.random.Generator) -> tuple[Mesh, Array]:
    """Short locks over the fur, and the vertices of the body that theirs follow."""
    region = _region(hair.beard)
    count = min(len(region.roots), {"moustache": 70, "goatee": 90}.get(hair.beard, 240))
    corner = region.faces[region.roots[:count]]
    share, low = region.shares[:count], region.low[:count]
    start = np.einsum("nk,nka->na", share, head.body.vertices[corner])
    triangle = head.body.vertices[corner]
    outward = _unit(np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0]))
    tip = low * low if hair.beard == "full" else 0.6 * low
    length = 0.012 + 0.012 * hair.beard_length + 0.1 * np.maximum(hair.beard_length - 0.3, 0) * tip
    length = length * rng.uniform(0.7, 1.1, count)
    lip = (low < 0) | (start[:, 2] > head.chin[2] + 0.4 * (head.nose[2] - head.chin[2]))
    aside = np.sign(start[:, :1]) * (np.abs(start[:, :1]) < 0.035) * lip[:, None]
    way = np.concatenate([0.9 * aside - 0.4 * (~lip)[:, None] * start[:, :1] / 0.08,
                          np.full((count, 1), -0.15), np.full((count, 1), -0.9)], 1)  # fmt: skip
    heading = 0.25 * outward + way + rng.normal(0, 0.15, (count, 3))
    growth = Growth(start, heading, length, 0.003, lambda places: way, weight=0.4, veils=True)
    lines = trim(grow(head, growth), np.full(count, -np.inf), SEGMENTS)
    size = np.full(count, 0.002 + 0.006 * hair.curl * hair.beard_length)
    lines = waved(lines, size, 0.03, rng.uniform(0, 6.3, count), 0.01)
    mesh = ribbons(
        head, lines, (0.007 + 0.008 * hair.beard_length) * rng.uniform(0.8, 1.2, count),
        rng.normal(0, 0.15, count), rng.integers(0, 4, count), rng.normal(0, 0.06, count),
        np.tile(np.linspace(0.75, 1, SEGMENTS + 1), (count, 1)),
    )  # fmt: skip
    return mesh, np.repeat(corner[:, 0], 2 * (SEGMENTS + 1))


def _normals(vertices: Array, faces: Array) -> Array:
    across = faces_normals(vertices, faces)
    total = [
        np.bincount(faces.ravel(), np.repeat(across[:, k], 3), len(vertices)) for k in range(3)
    ]
    return _unit(np.stack(total, 1))


@functools.cache
def _region(kind: str) -> _Region:
    body = make_body({"gender": 0.2, "age": 0.67, "muscle": 0.5, "weight": 0.5, "height": 0.5}, {})
    eye = body.skeleton.heads[[body.skeleton.index(f"eye.{s}") for s in "LR"]].mean(0)
    q = (body.vertices - eye) * 100
    inside = _inside(kind, q)
    faces = parts().faces["body"]
    faces = faces[(inside[faces] > -0.6).any(1) & (inside[faces] > -2.5).all(1)]
    corner = q[faces]
    across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    middle = corner.mean(1)
    # The inside of the mouth faces inwards and lies behind the lips.
    cavity = (middle[:, 1] > -1.3) & (np.abs(middle[:, 0]) < 3.0) & (middle[:, 2] > -11.4)
    facing = np.einsum("fa,fa->f", across, middle - np.array([0, 4.0, -6.0])) > 0
    faces = faces[facing & ~cavity]
    corner = q[faces]
    area = np.linalg.norm(
        np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1
    )
    rng = np.random.default_rng(9)
    chosen = rng.choice(len(faces), CANDIDATES, p=area / area.sum())
    share = rng.dirichlet([1.0, 1.0, 1.0], CANDIDATES)
    points = np.einsum("nk,nka->na", share, corner[chosen])
    good = np.einsum("nk,nk->n", share, inside[faces[chosen]]) > 0.15
    chosen, share, points = chosen[good], share[good], points[good]
    order = _spread(points, 260)
    low = np.clip((-7.5 - points[order, 2]) / 4.0, 0, 1) * np.clip(
        1 - np.abs(points[order, 0]) / 6, 0, 1
    )
    return _Region(faces, inside[faces], chosen[order], share[order].astype(np.float32), low)


def _inside(kind: str, q: Array) -> Array:
    """(V,) roughly cm inside the border of a beard; q: cm from between the template's eyes."""
    x, y, z = np.abs(q[:, 0]), q[:, 1], q[:, 2]
    lips = 1.45 * (np.hypot(x / 2.9, (z + 7.65) / 1.45) - 1)
    upper = np.interp(y, [-3, 0, 2, 4, 5.5, 6.8], [-7.0, -6.9, -6.4, -5.0, -2.6, 1.0])
    lower = np.interp(y, [-3, 1, 3, 5, 6.5, 7.5], [-14, -13.6, -12.9, -11.2, -8.0, -5.0])
    jaw = np.minimum(np.minimum(upper - z, z - lower), 7.0 - y)
    over = np.minimum(-5.25 - 0.12 * x - z, z + 7.6)
    moustache = np.minimum(np.minimum(over, 3.3 - x), -0.6 - y)
    round_mouth = np.minimum(np.minimum(4.1 - x, 0.4 - y), np.minimum(-5.6 - z, z + 9.5))
    chin = np.minimum(np.minimum(2.7 - x, -8.9 - z), np.minimum(z + 13.4, 1.0 - y))
    regions = {
        "moustache": moustache,
        "goatee": np.maximum(chin, np.maximum(moustache, np.minimum(round_mouth, 3.3 - x))),
        "full": np.maximum(np.maximum(jaw, moustache), round_mouth),
    }
    return np.minimum(regions[kind], lips)


def _spread(points: Array, count: int) -> Array:
    """Rows of points, each as far as can be from all before it."""
    distance = np.full(len(points), np.inf)
    order = np.zeros(min(count, len(points)), int)
    for n in range(1, len(order)):
        step = points - points[order[n - 1]]
        distance = np.minimum(distance, np.einsum("na,na->n", step, step))
        order[n] = np.argmax(distance)
    return order


def _unit(x: Array) -> Array:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
