"""Clothes: shells over the body that are cut at sleeve, hem and neck, and hang from what is under.

Every garment is MakeHuman's close-fitting suit ("tights") or its skirt, moved outwards and cut in
the shader where a signed distance to its edges, held at the vertices, turns negative.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from maskmotion.synth.people.body import Body, parts
from maskmotion.synth.people.clothes.cloth import paint_cloth, paint_print, paint_relief
from maskmotion.synth.people.clothes.cuts import inside
from maskmotion.synth.people.clothes.places import Places, limb_bones, measure
from maskmotion.synth.people.clothes.wardrobe import Garment, Outfit, draw_outfit
from maskmotion.synth.people.figure import Piece, faces_normals

__all__ = ["Garment", "Outfit", "clothes_pieces", "draw_outfit", "inside", "measure"]

Array = np.ndarray
GAP_M = 0.004  # between two garments
UNDER_M = 0.03  # the body is left out where it lies this far inside a garment


def clothes_pieces(body: Body, outfit: Outfit) -> tuple[list[Piece], Array]:
    """Meshes of an outfit.

    Returns:
        The pieces, and (V,) bool vertices of the body that are hidden under them.
    """
    hidden = np.zeros(len(body.vertices), bool)
    whole = measure(body, body.vertices, body.weights)
    pieces = []
    used, _ = _used("tights")
    outside = np.zeros(len(used), np.float32)  # m, how far what is worn so far stands off the body
    for garment in outfit.garments:
        pieces += _garment_pieces(body, garment, outside)
        if garment.kind not in ("skirt", "jacket"):
            hidden |= inside(garment, whole) > UNDER_M
    for garment in outfit.garments:
        if garment.kind == "skirt":
            trunk = (whole.arm < 0.5) & (whole.points[:, 2] > whole.crotch)
            hidden |= trunk & (inside(garment, whole) > UNDER_M)
    chin = body.weights[:, body.skeleton.index("head")] > 0.1  # hangs over high collars
    return pieces, hidden & ~chin


def _garment_pieces(body: Body, garment: Garment, outside: Array) -> list[Piece]:
    """A garment's mesh; what it adds to `outside` is kept there."""
    part = "skirt" if garment.kind == "skirt" else "tights"
    used, faces = _used(part)
    points, weights = body.vertices[used], body.weights[used]
    places = measure(body, points, weights)
    if garment.kind == "skirt":
        weights = _skirt_weights(body, places)
    edge = inside(garment, places)
    kept = (edge[faces] > 0).any(1)
    if not kept.any():
        return []
    normals = _normals(points, faces)
    if garment.kind == "skirt":
        lifted = _flare(garment, points, normals, places)
        _stand_under(body, lifted[edge > 0], outside)
    else:
        lifted = _hang(garment, points, normals, places)
        _cover(lifted, points, normals, edge, outside)
    aux = np.zeros((len(points), 4), np.float32)
    aux[:, 0] = edge
    aux[:, 1] = _folds(places, body)
    aux[:, 2] = (places.arm < 0.5) & (points[:, 1] < places.neck_y)
    aux[:, 3] = _openness(places)
    rows, faces = np.unique(faces[kept], return_inverse=True)
    return [
        Piece(
            "cloth",
            lifted[rows],
            weights[rows],
            faces.reshape(-1, 3).astype(np.int32),
            np.zeros((len(rows), 2), np.float32),
            aux[rows],
            textures={
                "albedo": paint_cloth(garment.cloth),
                "relief": paint_relief(garment.cloth),
                "print_": paint_print(garment.cloth),
            },
            uniforms=_uniforms(garment, places),
        )
    ]


def _uniforms(garment: Garment, places: Places) -> dict[str, float | tuple[float, ...]]:
    cloth = garment.cloth
    side = 0.3
    return {
        "tile": cloth.tile_m,
        "shine": cloth.shine,
        "rough": cloth.rough,
        "bump": (cloth.folds, 0.0, 0.0, 0.0),
        "trim": cloth.trim_m,
        "tint": cloth.trim,
        "print_box": (-side / 2, places.neck - 0.12 - side, 1 / side, 1 / side),
    }


@functools.cache
def _used(part: str) -> tuple[Array, Array]:
    """Vertices of a part among the body's, and its faces in terms of these."""
    faces = parts().faces[part]
    used, inverse = np.unique(faces, return_inverse=True)
    return used, inverse.reshape(-1, 3).astype(np.int32)


def _normals(points: Array, faces: Array) -> Array:
    normals = np.zeros_like(points)
    across = faces_normals(points, faces)
    for k in range(3):
        np.add.at(normals, faces[:, k], across)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def _hang(garment: Garment, points: Array, normals: Array, p: Places) -> Array:
    """Move a shell outwards: by its thickness, and to where it hangs from what is above."""
    if garment.kind == "shoes":
        moved = points + garment.thickness * normals
        sole = points[:, 2] < 0.03
        moved[sole, 2] = np.minimum(moved[sole, 2], -0.002)
        return moved.astype(np.float32)
    below = np.clip((p.waist + 0.04 - points[:, 2]) / 0.06, 0, 1) * garment.tucked
    moved = points + (garment.thickness * (1 - below) + 0.001 * below)[:, None] * normals
    for here, across, along, start in _falls(garment, p):
        radius = np.linalg.norm(across, axis=1)
        wider = _hanging_radius(across, radius, along, garment.taper, start)
        gain = garment.looseness * np.clip(wider - radius, 0, 0.12) * (1 - below[here])
        # Towards the shoulder, the neck and the waistband cloth lies on the body.
        gain *= np.clip(along / 0.12, 0, 1)
        if start < 0:  # of the trunk: shoulders do not hang, nor what faces the other leg
            outwards = np.einsum("na,na->n", normals[here, :2], across) / np.maximum(radius, 1e-6)
            gain *= (1 - np.clip(p.arm[here] / 0.3, 0, 1)) * np.clip(outwards * 2, 0, 1)
        moved[here] += gain[:, None] * normals[here] * np.array([1, 1, 0.2])
    return moved.astype(np.float32)


def _falls(garment: Garment, p: Places) -> Iterator[tuple[Array, Array, Array, float]]:
    """What hangs in one piece: its vertices, m across and along its axis, and from where on."""
    left = p.points[:, 0] > 0
    if garment.kind == "trousers":  # hips hold them; they hang from the thighs
        for side in (left, ~left):
            here = (p.leg > 0.5) & side
            yield here, p.round_limb[here], p.along_leg[here], 0.0
        return
    trunk = p.arm <= 0.5
    yield trunk, p.round_trunk[trunk], (p.neck - p.points[:, 2])[trunk], -0.1
    for side in (left, ~left):
        here = (p.arm > 0.5) & side
        # Around the shoulder a sleeve is sewn on; it hangs from what is below.
        yield here, p.round_limb[here], p.along_arm[here], 0.1


def _cover(lifted: Array, points: Array, normals: Array, edge: Array, outside: Array) -> None:
    """Push a garment out of those under it, in place; all are the same vertices, moved."""
    stands = np.einsum("na,na->n", lifted - points, normals)
    more = np.where(outside > 0, np.maximum(outside + GAP_M - stands, 0), 0)
    lifted += more[:, None] * normals
    worn = edge > -0.01
    outside[worn] = np.maximum(outside, stands + more)[worn]


def _stand_under(body: Body, skirt: Array, outside: Array) -> None:
    """Note in `outside` how far a skirt stands off the suit, for what is worn over it."""
    used, faces = _used("tights")
    points = body.vertices[used]
    level = (points[:, 2] > skirt[:, 2].min()) & (points[:, 2] < skirt[:, 2].max() + 0.02)
    rows = np.flatnonzero(level & (body.weights[used] @ limb_bones(body.skeleton.names)[0] < 0.5))
    apart = skirt[None] - points[rows, None]
    apart[..., 2] *= 3  # what is beside counts, not what is above
    nearest = skirt[np.einsum("nsa,nsa->ns", apart, apart).argmin(1)]
    stands = np.einsum("na,na->n", nearest - points[rows], _normals(points, faces)[rows])
    outside[rows] = np.maximum(outside[rows], np.clip(stands, 0, 0.15))


def _flare(garment: Garment, points: Array, normals: Array, p: Places) -> Array:
    """A skirt moved outwards, and the more the lower, the looser it is."""
    down = np.clip((p.waist - points[:, 2]) / 0.5, 0, 1.6)
    wide = garment.looseness * (0.05 - 0.12 * garment.taper)
    out = normals * np.array([1, 1, 0])
    rim = 0.35 + 0.65 * np.clip(down / 0.2, 0, 1)
    return (points + (2 * garment.thickness * rim + wide * down)[:, None] * out).astype(np.float32)


def _hanging_radius(
    across: Array, radius: Array, along: Array, taper: float, start: float
) -> Array:
    """(n,) how far from the axis cloth hangs that may narrow by `taper` m a m from `start` on."""
    sectors, step = 12, 0.03
    angle = np.arctan2(across[:, 1], across[:, 0])
    sector = ((angle / (2 * np.pi) % 1) * sectors).astype(int) % sectors
    row = np.clip(((along + 0.1) / step).astype(int), 0, 49)
    table = np.zeros((50, sectors))
    below = along >= start
    np.maximum.at(table, (row[below], sector[below]), radius[below])
    table = np.maximum(table, 0.5 * (np.roll(table, 1, 1) + np.roll(table, -1, 1)) * (table == 0))
    for k in range(1, 50):
        table[k] = np.maximum(table[k], table[k - 1] - taper * step)
    smooth = (np.roll(table, 1, 1) + 2 * table + np.roll(table, -1, 1)) / 4
    # Bilinear in both, so that no step of the table shows.
    s = (angle / (2 * np.pi) % 1) * sectors - 0.5
    s0 = np.floor(s).astype(int)
    fs = s - s0
    r = np.clip((along + 0.1) / step - 0.5, 0, 48.99)
    r0 = r.astype(int)
    fr = r - r0
    a = smooth[r0, s0 % sectors] * (1 - fs) + smooth[r0, (s0 + 1) % sectors] * fs
    b = smooth[r0 + 1, s0 % sectors] * (1 - fs) + smooth[r0 + 1, (s0 + 1) % sectors] * fs
    return a * (1 - fr) + b * fr


def _skirt_weights(body: Body, p: Places) -> Array:
    """A skirt follows both thighs, the nearer one more, and hangs straight below the knees."""
    index = body.skeleton.index
    weights = np.zeros((len(p.points), len(body.skeleton.names)), np.float32)
    down = np.clip((p.waist - 0.02 - p.points[:, 2]) / (p.waist - p.crotch + 0.08), 0, 1)
    side = np.clip(0.5 + p.points[:, 0] / 0.2, 0.08, 0.92)
    hold = 0.72 * down * down * (3 - 2 * down)
    weights[:, index("upperleg01.L")] = hold * side
    weights[:, index("upperleg01.R")] = hold * (1 - side)
    weights[:, index("root")] = 1 - hold
    return weights


def _folds(p: Places, body: Body) -> Array:
    """(n,) how much cloth creases: at elbows, knees, armpits, groin and waist."""

    def bell(distance: Array, width: float) -> Array:
        return np.exp(-0.5 * (distance / width) ** 2)

    index, heads = body.skeleton.index, body.skeleton.heads
    elbow = np.linalg.norm(heads[index("lowerarm01.L")] - heads[index("upperarm01.L")])
    knee = np.linalg.norm(heads[index("lowerleg01.L")] - heads[index("upperleg01.L")])
    z = p.points[:, 2]
    total = (p.arm > 0.3) * (bell(p.along_arm - elbow, 0.06) + 0.7 * bell(p.along_arm, 0.07))
    total += (p.leg > 0.3) * (bell(p.along_leg - knee, 0.07) + bell(p.along_leg - p.leg_m, 0.08))
    total += (p.leg + p.arm < 0.6) * 0.8 * bell(z - p.waist, 0.07)
    return np.clip(total + 0.8 * bell(z - p.crotch, 0.06) * (p.arm < 0.5), 0, 1.2)


def _openness(p: Places) -> Array:
    """(n,) share of the surroundings that is seen: less under arms and between legs."""
    between = (p.leg > 0.5) * np.clip(1 - np.abs(p.points[:, 0]) / 0.09, 0, 1)
    under = (p.arm < 0.6) * np.clip(1 - np.abs(p.along_arm) / 0.12, 0, 1) * (p.arm > 0.05)
    return 1 - 0.35 * between - 0.3 * under
