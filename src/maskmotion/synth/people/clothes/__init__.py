"""Clothes: shells over the body that are cut at sleeve, hem and neck, and hang from what is under.

Every garment is MakeHuman's close-fitting suit ("tights") or its skirt, moved outwards and cut in
the shader where a signed distance to its edges, held at the vertices, turns negative.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np

from maskmotion.synth.people.body import Body, parts
from maskmotion.synth.people.clothes.cloth import (
    Cloth,
    draw_cloth,
    paint_cloth,
    paint_print,
    paint_relief,
)
from maskmotion.synth.people.figure import Piece, faces_normals
from maskmotion.synth.people.person import Traits

__all__ = ["Garment", "Outfit", "clothes_pieces", "draw_outfit"]

Array = np.ndarray
FAR = 0.5  # m, for what no edge cuts
GAP_M = 0.004  # between two garments
UNDER_M = 0.03  # the body is left out where it lies this far inside a garment


@dataclass(frozen=True)
class Garment:
    """One piece of clothing.

    Attributes:
        kind: "top", "jacket", "trousers", "skirt" or "shoes".
        cloth: colours, pattern and folds.
        reach: how far sleeves (share of the arm) or legs (share of the leg) go; of a skirt, from
            the waist down to the foot.
        hem: of a top: 0 at the waist, 1 at the crotch.
        neck: "crew", "v", "scoop", "boat", "turtle" or "open"; of tops.
        thickness: m outwards from the body.
        looseness: 0 close-fitting to 1 hanging straight down.
        taper: how fast what hangs narrows, m a m; negative flares.
        tucked: below the waist, it lies on the body under trousers or a skirt.
    """

    kind: str
    cloth: Cloth
    reach: float = 1.0
    hem: float = 0.6
    neck: str = "crew"
    thickness: float = 0.006
    looseness: float = 0.5
    taper: float = 0.1
    tucked: bool = False


@dataclass(frozen=True)
class Outfit:
    """All that a person wears, from the skin outwards."""

    garments: tuple[Garment, ...]


# What is worn ------------------------------------------------------------------------------


def draw_outfit(rng: np.random.Generator, traits: Traits) -> Outfit:
    """Random everyday clothes."""
    feminine = rng.random() < traits.gender
    skirted = feminine and rng.random() < 0.4
    dress = skirted and rng.random() < 0.5
    top = _draw_top(rng, feminine)
    if skirted:
        cloth = top.cloth if dress else draw_cloth(rng, "skirt")
        reach = float(rng.uniform(0.3, 0.95))
        loose, taper = float(rng.uniform(0.2, 1)), float(rng.uniform(-0.5, 0.05))
        bottom = Garment("skirt", cloth, reach, 0, "", 0.008, loose, taper)
    else:
        bottom = _draw_trousers(rng, feminine)
    if skirted or rng.random() < 0.3:
        top = replace(top, hem=0.45, tucked=True)
    shaft = float(rng.choice([0.0, 0.05, 0.3], p=[0.65, 0.25, 0.1]))
    shoes = Garment("shoes", draw_cloth(rng, "shoes"), shaft)
    layers = [shoes, top, bottom] if top.tucked else [shoes, bottom, top]
    if rng.random() < 0.3:
        layers.append(_draw_jacket(rng, top))
    return Outfit(tuple(layers))


def _draw_top(rng: np.random.Generator, feminine: bool) -> Garment:
    sleeves = rng.choice([-0.02, 0.12, 0.25, 0.6, 0.97], p=[0.1, 0.1, 0.3, 0.1, 0.4])
    if not feminine:
        sleeves = max(sleeves, 0.2)
    necks, odds = ["crew", "v", "scoop", "boat", "turtle"], [0.4, 0.2, 0.15, 0.1, 0.15]
    neck = str(
        rng.choice(
            necks if feminine else ["crew", "v", "turtle"],
            p=odds if feminine else [0.65, 0.25, 0.1],
        )
    )
    return Garment(
        "top",
        draw_cloth(rng, "top"),
        float(sleeves * rng.uniform(0.92, 1.0)),
        float(rng.uniform(0.25, 1.0)),
        neck,
        float(rng.uniform(0.004, 0.012)),
        float(rng.beta(1.2, 1.0)),
        float(rng.uniform(-0.05, 0.25)),
    )


def _draw_jacket(rng: np.random.Generator, top: Garment) -> Garment:
    return Garment(
        "jacket",
        draw_cloth(rng, "jacket"),
        float(max(top.reach, rng.uniform(0.9, 1.0))),
        float(max(top.hem, rng.uniform(0.5, 1.0))),
        "open",
        top.thickness + float(rng.uniform(0.008, 0.016)),
        float(rng.uniform(max(0.4, top.looseness), 1)),
        float(rng.uniform(-0.05, min(0.1, top.taper))),
    )


def _draw_trousers(rng: np.random.Generator, feminine: bool) -> Garment:
    long = rng.random() < 0.75
    reach = rng.uniform(0.9, 1.0) if long else rng.uniform(0.2, 0.6)
    slim = rng.random() < (0.6 if feminine else 0.3)
    return Garment(
        "trousers",
        draw_cloth(rng, "trousers"),
        float(reach),
        0,
        "",
        float(rng.uniform(0.002, 0.006)),
        float(rng.uniform(0, 0.3) if slim else rng.uniform(0.4, 1.0)),
        float(rng.uniform(0.1, 0.25) if slim else rng.uniform(-0.06, 0.14)),
    )


# Where on the body -------------------------------------------------------------------------


@dataclass(frozen=True)
class Places:
    """Where points of a body at rest lie, as a tailor measures.

    Attributes:
        points: (n, 3) m.
        arm: (n,) share of the bones of the arm (1 on it, 0 off it).
        leg: (n,) share of the bones of the leg.
        along_arm: (n,) m from the shoulder, along the bones.
        along_leg: (n,) m from the hip.
        round_limb: (n, 2) m across the limb (or the trunk), from its axis.
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
    across = np.stack([points[:, 0], points[:, 1] - middle], 1)
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
        points, arm, leg, along_arm, along_leg, across,
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


def inside(garment: Garment, places: Places) -> Array:
    """(n,) m to the nearest edge of the garment; negative where it is cut away."""
    p = places
    z = p.points[:, 2]
    if garment.kind in ("top", "jacket"):
        sleeve = np.where(p.arm > 0.02, garment.reach * p.arm_m - p.along_arm, FAR)
        hem = p.waist + garment.hem * (p.crotch - p.waist)
        low = np.where(p.arm > 0.5, FAR, z - hem)
        edge = np.minimum.reduce([sleeve, low, _neckline(garment, p)])
        return np.minimum(edge, _front(garment, p))
    if garment.kind == "trousers":
        leg = np.where(p.leg > 0.02, garment.reach * p.leg_m - p.along_leg, FAR)
        waist = p.waist - 0.02 - z
        return np.where(p.arm > 0.5, -FAR, np.minimum(leg, waist))
    if garment.kind == "shoes":
        shaft = p.along_leg - p.leg_m * (1 - garment.reach)
        return np.where(p.leg > 0.5, shaft, -FAR)
    hem = p.waist - garment.reach * (p.waist - 0.06)
    return np.minimum(z - hem, p.waist + 0.02 - z)


def _neckline(garment: Garment, p: Places) -> Array:
    """(n,) m below the neckline."""
    x, y, z = np.abs(p.points[:, 0]), p.points[:, 1], p.points[:, 2]
    depth, width = {
        "crew": (0.03, 0.08), "v": (0.16, 0.075), "scoop": (0.11, 0.10), "boat": (0.03, 0.13),
        "turtle": (-0.07, 0.2), "open": (0.10, 0.07), "": (0.0, 0.1),
    }[garment.neck]  # fmt: skip
    front = np.clip((p.neck_y + 0.03 - y) / 0.06, 0, 1)
    share = np.clip(1 - x / width, 0, 1)
    dip = share if garment.neck in ("v", "open") else np.sqrt(1 - (1 - share) ** 2)
    if garment.neck == "turtle":
        dip = np.ones_like(x)
    top = p.neck + 0.015 - depth * dip * front + 0.35 * np.clip(x - 0.05, 0, 1)
    return np.where(p.arm > 0.5, FAR, top - z)


def _front(garment: Garment, p: Places) -> Array:
    """(n,) m to an open jacket's front edges."""
    if garment.kind != "jacket":
        return np.full(len(p.points), FAR)
    gap = 0.03 + 0.05 * np.clip((p.neck - p.points[:, 2]) / 0.5, 0, 1)
    return np.where(p.points[:, 1] < p.neck_y, np.abs(p.points[:, 0]) - gap, FAR)


# Meshes ------------------------------------------------------------------------------------


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
    below = np.clip((p.waist + 0.04 - points[:, 2]) / 0.06, 0, 1) * garment.tucked
    moved = points + (garment.thickness * (1 - below) + 0.001 * below)[:, None] * normals
    trunk = (p.arm <= 0.5) & (p.leg <= 0.5)
    moved = moved.copy()
    for here, along in (
        (trunk, p.neck - points[:, 2]),
        ((p.arm > 0.5) & (points[:, 0] > 0), p.along_arm),
        ((p.arm > 0.5) & (points[:, 0] <= 0), p.along_arm),
        ((p.leg > 0.5) & (points[:, 0] > 0), p.along_leg),
        ((p.leg > 0.5) & (points[:, 0] <= 0), p.along_leg),
    ):
        if garment.kind == "shoes" or not here.any():
            continue
        radius = np.linalg.norm(p.round_limb[here], axis=1)
        # Around the shoulder a sleeve is sewn on; it hangs from what is below.
        start = 0.1 if p.arm[here].min() > 0.5 else -0.1
        wider = _hanging_radius(p.round_limb[here], radius, along[here], garment.taper, start)
        out = normals[here] * np.array([1, 1, 0.2])
        gain = garment.looseness * np.clip(wider - radius, 0, 0.12)
        # Towards the shoulder, the neck and the waistband cloth lies on the body.
        gain *= np.clip(along[here] / 0.12, 0, 1) * (1 - below[here])
        if here is trunk:  # else shoulders would hang, too
            gain *= 1 - np.clip(p.arm[here] / 0.3, 0, 1)
        moved[here] += (gain[:, None] * out).astype(np.float32)
    if garment.kind == "shoes":
        sole = points[:, 2] < 0.03
        moved[sole, 2] = np.minimum(moved[sole, 2], -0.002)
    return moved.astype(np.float32)


def _cover(lifted: Array, points: Array, normals: Array, edge: Array, outside: Array) -> None:
    """Push a garment out of those under it, in place; all are the same vertices, moved."""
    stands = np.einsum("na,na->n", lifted - points, normals)
    more = np.where(outside > 0, np.maximum(outside + GAP_M - stands, 0), 0)
    lifted += more[:, None] * normals
    worn = edge > -0.01
    outside[worn] = np.maximum(outside, stands + more)[worn]


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
