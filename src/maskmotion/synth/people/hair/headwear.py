"""Hats, scarves and glasses, fitted to a head."""

from __future__ import annotations

import functools

import numpy as np

from maskmotion.synth.people.figure import Piece
from maskmotion.synth.people.hair.looks import Colour, Hair
from maskmotion.synth.people.hair.scalp import Head
from maskmotion.synth.people.hair.strands import Mesh, grid, joined

__all__ = ["GLASSES", "HEADWEAR", "glasses_pieces", "headwear_pieces"]

Array = np.ndarray
HEADWEAR = ("cap", "beanie", "hat", "scarf", "band")
GLASSES = ("thin", "thick", "round", "sun")
COLUMNS = 40
SIDES = (1, -1)  # left, right
# A hat's crown from its middle to the brim: shares of the width and of the height.
CROWN = ((0, 0.94), (0.4, 0.96), (0.8, 1.0), (0.9, 0.95), (0.96, 0.7), (0.99, 0.3), (1.0, 0.0))


def headwear_pieces(head: Head, hair: Hair) -> list[Piece]:
    """Meshes of what is worn on the head."""
    if hair.headwear == "none":
        return []
    main, trim = hair.headwear_colours
    cloth, edge = MAKERS[hair.headwear](head, hair)
    paint = {"beanie": _knit, "scarf": _folds}.get(hair.headwear, _plain)()
    pieces = [_piece(head, cloth, main, paint, 0.1, 0.7)]
    if edge is not None:
        pieces.append(_piece(head, edge, trim, paint, 0.1, 0.7))
    return pieces


def _piece(
    head: Head, mesh: Mesh, colour: Colour, paint: Array, shine: float, rough: float
) -> Piece:
    x = np.asarray(colour)
    r, g, b = (x * x * (0.8 + 0.2 * x)).tolist()  # linear, as the shader does it
    uniforms: dict[str, float | tuple[float, ...]]
    uniforms = {"tint": (r, g, b), "shine": shine, "rough": rough}
    weights = head.hang_weights(mesh.vertices)
    return Piece(
        "hard", mesh.vertices, weights, mesh.faces, mesh.coordinates, mesh.aux,
        textures={"albedo": paint}, uniforms=uniforms,
    )  # fmt: skip


# Hats --------------------------------------------------------------------------------------


def _dome(
    head: Head, rim: Array, clearance: float, rows: int, top_m: float = 0.0, back_m: float = 0.0
) -> Mesh:
    """A cover of the skull down to elevations `rim` at COLUMNS + 1 azimuths.

    Args:
        top_m, back_m: how much higher and farther back than the skull its top reaches.
    """
    azimuth = np.linspace(0, 360, COLUMNS + 1)
    t = np.linspace(0, 1, rows)[:, None] ** 0.8
    elevation = 90 + (rim - 90) * t
    place = _off_skull(head, azimuth + 0 * elevation, elevation, clearance)
    lift = (1 - t**2)[..., None] ** 1.0
    place = place + lift * np.array([0, back_m, top_m])
    coordinates = np.stack([azimuth / 360 * 12 + 0 * t, elevation / 15], -1)
    return grid(place, coordinates, _open(place.shape[:2]))


def _off_skull(head: Head, azimuth: Array, elevation: Array, clearance: float | Array) -> Array:
    place = head.on_skull(azimuth, elevation)
    outward = place - head.middle
    outward = outward / np.linalg.norm(outward, axis=-1, keepdims=True)
    return place + np.asarray(clearance)[..., None] * outward


def _open(shape: tuple[int, ...], much: float = 1.0) -> Array:
    aux = np.zeros((*shape, 4))
    aux[..., 3] = much
    return aux


def _rim(front: float, side: float, back: float) -> Array:
    """Elevations of a rim at COLUMNS + 1 azimuths."""
    around = np.abs(np.mod(np.linspace(0, 360, COLUMNS + 1) + 180, 360) - 180)
    return np.interp(around, [0, 30, 90, 150, 180], [front, front - 1, side, back, back])


def _beanie(head: Head, hair: Hair) -> tuple[Mesh, Mesh | None]:
    rim = _rim(18, 2, -22)
    slouch = 0.008 + 0.03 * hair.volume
    cover = _dome(head, rim + 6, 0.014, 10, slouch, 0.6 * slouch)
    azimuth = np.linspace(0, 360, COLUMNS + 1)
    t = np.linspace(0, 1, 5)[:, None]
    elevation = rim + 26 * (1 - t)
    bulge = 0.015 + 0.006 * np.sin(np.pi * np.clip(t * 1.1, 0, 1))
    place = _off_skull(head, azimuth + 0 * t, elevation, bulge + 0 * azimuth)
    place[..., 2] += 0.3 * slouch * (1 - t)
    coordinates = np.stack([azimuth / 360 * 12 + 0 * t, elevation / 15], -1)
    return joined([grid(place, coordinates, _open(place.shape[:2])), cover]), None


def _cap(head: Head, hair: Hair) -> tuple[Mesh, Mesh | None]:
    cover = _dome(head, _rim(24, 12, -8), 0.014, 9, 0.016, 0.0)
    across = np.linspace(-62, 62, 17)
    edge = _off_skull(head, across, np.full(17, 24.0) - 0.0018 * across**2, 0.015)
    reach = np.linspace(0, 1, 5)[:, None]
    ahead = 0.07 * (1 - (across / 66) ** 2) ** 0.5
    place = np.repeat(edge[None], 5, 0)
    place[..., 1] -= reach * ahead
    place[..., 2] -= 0.25 * reach * ahead + 0.0 * reach
    place[..., 0] *= 1 + 0.06 * reach
    under = place.copy()
    under[..., 2] -= 0.003
    aux = _open(place.shape[:2])
    coordinates = place[..., :2] * 10
    visor = joined([grid(place, coordinates, aux), grid(under[:, ::-1], coordinates, aux * 0.6)])
    same = hair.seed % 2 == 0
    return (joined([cover, visor]), None) if same else (cover, visor)


def _hat(head: Head, hair: Hair) -> tuple[Mesh, Mesh | None]:
    """A crown of felt or straw with a brim all round."""
    azimuth = np.linspace(0, 2 * np.pi, COLUMNS + 1)
    level = head.on_skull(np.array(0.0), np.array(34.0))[2]
    ring = _off_skull(
        head,
        np.degrees(azimuth),
        np.interp(np.abs(np.mod(np.degrees(azimuth) + 180, 360) - 180), [0, 90, 180], [30, 22, 8]),
        0.015,
    )
    tall = float(head.on_skull(np.array(0.0), np.array(90.0))[2]) + 0.035 - level
    centre = ring.mean(0)
    outward = ring - centre
    outward[:, 2] = 0
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    rows = []
    for scale, height in CROWN:
        row = centre + outward * scale + (ring - centre - outward) * (1 - height)
        row[:, 2] = ring[:, 2] + (level + tall - ring[:, 2]) * height
        rows.append(row)
    crown = np.stack(rows)
    wide = (0.045 + 0.035 * hair.volume) * np.linspace(0, 1, 5)[:, None, None]
    brim = ring + outward / length * wide
    droop = 0.012 * np.sin(2 * azimuth - np.pi / 2) - 0.01
    brim[..., 2] += (wide[..., 0] / wide.max()) ** 1.5 * droop
    under = brim.copy()
    under[..., 2] -= 0.002
    parts = [_wound(crown), _wound(brim), _wound(under[:, ::-1], 0.55)]
    band = np.stack([ring + outward * 0.012 + [0, 0, h] for h in (0.028, 0.002)])
    return joined(parts), _wound(band)


def _wound(place: Array, much: float = 1.0) -> Mesh:
    """A grid whose texture runs round."""
    rows, columns = place.shape[:2]
    u, v = np.meshgrid(np.linspace(0, 12, columns), np.linspace(0, 4, rows))
    return grid(place, np.stack([u, v], -1), _open((rows, columns), much))


def _band(head: Head, hair: Hair) -> tuple[Mesh, Mesh | None]:
    """A band over the head from ear to ear."""
    angle = np.linspace(-100, 100, 33)
    width = 0.008 + 0.012 * hair.volume
    tilt = np.radians(20)
    a = np.radians(angle)
    way = np.stack([np.sin(a), -np.sin(tilt) * np.cos(a) - 0.03, np.cos(tilt) * np.cos(a)], -1)
    azimuth = np.degrees(np.arctan2(way[:, 0], -way[:, 1]))
    elevation = np.degrees(np.arctan2(way[:, 2], np.hypot(way[:, 0], way[:, 1])))
    rise = 0.017
    middle = _off_skull(head, azimuth, elevation, rise)
    across = np.array([0, np.cos(tilt), np.sin(tilt)])
    rows = []
    for s, lift in ((1.0, -0.004), (0.6, 0.002), (-0.6, 0.002), (-1.0, -0.004)):
        outward = (middle - head.middle) / np.linalg.norm(middle - head.middle, axis=1)[:, None]
        rows.append(middle + s * width * across + lift * outward)
    return _wound(np.stack(rows)), None


def _scarf(head: Head, hair: Hair) -> tuple[Mesh, Mesh | None]:
    """Cloth round the face, over the neck and the shoulders."""
    hood = _hood(head)
    return joined([hood, _drape(head, hair)]), None


def _hood(head: Head) -> Mesh:
    """From an oval round the face to the back of the head."""
    turn = np.linspace(0, 2 * np.pi, COLUMNS + 1)
    top = head.on_skull(np.array(0.0), np.array(24.0))[2]
    low = head.chin[2] - 0.028
    centre = np.array([0, head.eyes[0, 1] + 0.02, 0.5 * (top + low)])
    x, z = np.sin(turn), np.cos(turn)
    half_x, half_z = head.eyes[0, 0] + 0.034, 0.5 * (top - low)
    ahead = np.interp(z, [-1, -0.6, 0, 0.7, 1], [0.004, 0.022, 0.03, 0.0, -0.028])
    oval = centre + np.stack([half_x * x, ahead, half_z * z], -1)
    start = oval - head.middle
    size = np.linalg.norm(start, axis=1, keepdims=True)
    start /= size
    end = np.array([0, 1.0, 0.0])
    angle = np.arccos(np.clip(start @ end, -1, 1))[:, None]
    rows = [_out_of(head, oval, 0.004)]
    for t in np.linspace(0.06, 1, 11) ** 1.2:
        # Great circles from the oval to the back of the head.
        way = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / np.sin(angle)
        azimuth = np.degrees(np.arctan2(way[:, 0], -way[:, 1]))
        elevation = np.degrees(np.arcsin(np.clip(way[:, 2], -1, 1)))
        skull = np.linalg.norm(head.on_skull(azimuth, elevation) - head.middle, axis=1)
        low = np.clip((-elevation - 5) / 30, 0, 1)
        reach = (1 - low) * skull + low * (size[:, 0] * (1 - t) + 0.1 * t)
        place = head.middle + (reach + 0.006 + 0.016 * min(1.0, 3 * t))[:, None] * way
        rows.append(_out_of(head, place, 0.01 + 0.008 * min(1.0, 4 * t)))
    place = np.stack(rows)
    return _wound(place[:, ::-1])


def _drape(head: Head, hair: Hair) -> Mesh:
    """From the jaw over the neck to chest, shoulders and back."""
    azimuth = np.linspace(0, 2 * np.pi, COLUMNS + 1)
    outward = np.stack([np.sin(azimuth), -np.cos(azimuth), 0 * azimuth], -1)
    axis = head.bone("neck02")
    top = head.chin[2] - 0.014
    rng = np.random.default_rng(hair.seed)
    folds = sum(
        rng.uniform(0.3, 1) * (1 + np.sin(k * azimuth + rng.uniform(0, 6.3))) for k in (3, 5, 8, 11)
    )
    front = 0.5 - 0.5 * np.cos(azimuth)  # 0 ahead
    fall = 0.13 + 0.1 * (1 - np.abs(np.cos(azimuth / 2))) + 0.1 * (1 - front) * hair.length
    # It starts in the open below the jaw, and higher behind.
    place = axis * [0, 1, 0] + (0.07 + 0.02 * (1 - front) ** 2)[:, None] * outward
    place[:, 2] = top + 0.03 * (_smooth((front - 0.1) / 0.3) + _smooth((front - 0.45) / 0.4))
    rows = []
    for k in range(12):
        clearance = 0.012 + 0.014 * min(1, k / 3) + 0.003 * folds * min(1, k / 5)
        rows.append(_out_of(head, place, clearance))
        down = np.array([0, 0, -1.0]) * fall[:, None] * 1.35 / 11
        place = rows[-1] + down + 0.004 * outward * (k > 3)
    cloth = np.stack(rows)
    for _ in range(3):  # cloth spans hollows
        ring = cloth[:, :-1]
        ring = 0.5 * ring + 0.25 * (np.roll(ring, 1, 1) + np.roll(ring, -1, 1))
        cloth = np.concatenate([ring, ring[:, :1]], 1)
    out = _out_of(head, cloth.reshape(-1, 3), 0.02)
    return _wound(np.concatenate([cloth[:2], out.reshape(cloth.shape)[2:]]))


def _smooth(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _out_of(head: Head, points: Array, clearance: float | Array) -> Array:
    """Points moved out of the body."""
    for _ in range(2):
        near = head.nearest(points)
        depth = np.einsum("na,na->n", points - head.points[near], head.across[near])
        points = points + np.maximum(clearance - depth, 0)[:, None] * head.across[near]
    return points


MAKERS = {"cap": _cap, "beanie": _beanie, "hat": _hat, "band": _band, "scarf": _scarf}


# Glasses -----------------------------------------------------------------------------------


def glasses_pieces(head: Head, hair: Hair) -> list[Piece]:
    """Frames, and dark panes of sunglasses."""
    if hair.glasses == "none":
        return []
    thick = {"thin": 0.0009, "round": 0.0012, "thick": 0.0024, "sun": 0.002}[hair.glasses]
    rims = [_rim_of_lens(head, hair, side) for side in SIDES]
    tubes = [_tube(rim, thick) for rim in rims]
    bridge = np.stack([_closest(rims[0], rims[1]), _closest(rims[1], rims[0])])
    middle = bridge.mean(0) + np.array([0, -0.002, 0.003])
    tubes.append(_tube(np.stack([bridge[0], middle, bridge[1]]), thick))
    tubes += [_tube(_temple(head, r, side), thick) for r, side in zip(rims, SIDES, strict=True)]
    pieces = [_piece(head, joined(tubes), hair.glasses_colour, _plain(), 1.2, 0.25)]
    if hair.glasses == "sun":
        panes = joined([_pane(rim, side) for rim, side in zip(rims, SIDES, strict=True)])
        pieces.append(_piece(head, panes, (0.05, 0.05, 0.06), _plain(), 3.0, 0.1))
    return pieces


def _rim_of_lens(head: Head, hair: Hair, side: int) -> Array:
    """(25, 3) a closed line round one eye."""
    turn = np.linspace(0, 2 * np.pi, 25)
    wide, high, power = {
        "thin": (0.0265, 0.017, 3.0), "thick": (0.0265, 0.0185, 3.6),
        "round": (0.0235, 0.0215, 2.0), "sun": (0.029, 0.0215, 2.8),
    }[hair.glasses]  # fmt: skip
    c, s = np.cos(turn), np.sin(turn)
    x = wide * np.sign(c) * np.abs(c) ** (2 / power)
    z = high * np.sign(s) * np.abs(s) ** (2 / power) - 0.003
    eye = head.eyes[0]
    front = min(eye[1] - 0.024, head.brow[1] + 0.003)
    across = max(eye[0] + 0.001, wide + 0.0075)
    y = front + 1.6 * np.maximum(across + x - 0.02, 0) ** 2 + 0.08 * z
    return np.stack([side * (across + x), y, eye[2] + z], -1)


def _closest(rim: Array, other: Array) -> Array:
    """The place on a rim's upper half that is closest to the other rim."""
    upper = rim[rim[:, 2] > rim[:, 2].mean()]
    return upper[np.argmin(np.abs(upper[:, 0] - other[:, 0].mean()))]


def _temple(head: Head, rim: Array, side: int) -> Array:
    """(5, 3) from a rim's outer side over the ear."""
    outer = rim[np.argmax(side * rim[:, 0] + 0.3 * rim[:, 2])]
    ear = head.ears[0]
    top = np.array([head.width + 0.0005, ear[1] - 0.012, head.eyes[0, 2] + 0.006])
    hinge = outer * [1, 1, 1] + np.array([side * 0.004, 0.008, 0])
    wide = max(abs(hinge[0]), top[0] - 0.004)
    places = [
        outer, hinge, (side * wide, 0.5 * (hinge[1] + top[1]), 0.5 * (hinge[2] + top[2])),
        top * [side, 1, 1], (top + np.array([-0.002, 0.035, -0.03])) * [side, 1, 1],
    ]  # fmt: skip
    return np.array(places)


def _pane(rim: Array, side: int) -> Mesh:
    rim = rim + np.array([0, 0.001, 0])
    inner = rim.mean(0) + (rim - rim.mean(0)) * 0.02
    return _wound(np.stack([inner, rim])[:, ::side])


def _tube(line: Array, radius: float, sides: int = 5) -> Mesh:
    """A tube along a line (n, 3)."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.cross(tangent, np.where(np.abs(tangent[:, 1:2]) > 0.8, [0, 0, 1.0], [0, 1.0, 0]))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(tangent, side)
    turn = np.linspace(0, 2 * np.pi, sides + 1)[:, None, None]
    return _wound(line + radius * (np.cos(turn) * side + np.sin(turn) * other))


# Paint -------------------------------------------------------------------------------------


@functools.cache
def _plain() -> Array:
    """A fine felt."""
    noise = np.random.default_rng(3).normal(245, 5, (64, 64, 1))
    return np.repeat(np.clip(noise, 0, 255), 3, 2).astype(np.uint8)


@functools.cache
def _folds() -> Array:
    """Soft light and dark along the cloth."""
    rng = np.random.default_rng(4)
    turn = 2 * np.pi * np.arange(64) / 64
    wave = sum(rng.normal() * np.sin(k * turn + rng.uniform(0, 6.3)) for k in (1, 2, 3, 5, 7))
    value = 228 + 6 * wave + rng.normal(0, 2, (64, 64))
    return np.repeat(np.clip(value, 0, 255)[..., None], 3, 2).astype(np.uint8)


@functools.cache
def _knit() -> Array:
    """Ribs with rows of stitches."""
    v, u = np.mgrid[0:64, 0:64] / 64
    ribs = 0.5 + 0.5 * np.cos(2 * np.pi * 4 * u)
    stitch = 0.5 + 0.5 * np.cos(2 * np.pi * (8 * v + 0.35 * np.abs(np.sin(2 * np.pi * 4 * u))))
    value = 150 + 75 * ribs + 30 * stitch
    return np.repeat(np.clip(value, 0, 255)[..., None], 3, 2).astype(np.uint8)
