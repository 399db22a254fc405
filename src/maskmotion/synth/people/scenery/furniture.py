"""What stands in rooms and hangs on their walls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskmotion.synth.people.scenery import materials as mt
from maskmotion.synth.people.scenery import textures as tx
from maskmotion.synth.people.scenery.sets import Room
from maskmotion.synth.people.scenery.textures import Material, Rng, Spots

Array = np.ndarray
F32 = np.float32
WHITE = np.array([0.82, 0.82, 0.80], F32)


def furnish(
    rng: Rng, room: Room, mood: str, half: float, height: float, portrait: bool, distance: float
) -> None:
    """Fill the back wall from left to right, then put things into the room."""
    pieces = PIECES[mood]
    if portrait:  # only what reaches up to the height of a head
        pieces = tuple(piece for piece in pieces if piece not in LOW) or pieces
    gap = {"bare": 1.5, "gym": 0.8}.get(mood, 0.15)
    at = -half - rng.uniform(0, 0.8)
    while at < half:
        piece = pieces[int(rng.integers(len(pieces)))]
        at += gap * rng.exponential() * 0.8
        at += piece(rng, room, at, height) + 0.02
    if mood != "bare" and distance > 2.2 and not portrait:
        for _ in range(int(rng.integers(0, 5))):
            _in_the_room(rng, room, half, distance)
    if rng.random() < 0.35:
        u = rng.uniform(-half, half)
        switch = mt.plain(WHITE, rng)
        room.add("box", u, 0.005, rng.choice([0.3, 1.1]), (0.08, 0.012, 0.08), switch, casts=False)
    if rng.random() < 0.25 and not portrait and mood in ("living", "library", "bare"):
        rug = mt.woven(rng) if rng.random() < 0.6 else mt.carpet(rng)
        w = distance + rng.uniform(-0.3, 0.6)
        room.add(
            "box",
            rng.uniform(-0.5, 0.5),
            w,
            0,
            (rng.uniform(1.6, 3), rng.uniform(1.2, 2), 0.012),
            rug,
            rng.normal(0, 0.1),
            casts=False,
        )


def _in_the_room(rng: Rng, room: Room, half: float, distance: float) -> None:
    u = float(rng.uniform(0.5, 1) * half * rng.choice([-1, 1]))
    w = float(rng.uniform(1.0, max(distance - 0.8, 1.1)))
    pick = rng.random()
    if pick < 0.35:
        chair(rng, room, u, w, float(rng.uniform(-3, 3)))
    elif pick < 0.65:
        table(rng, room, u, w, float(rng.normal(0, 0.2)))
    elif pick < 0.85:
        plant(rng, room, u, w)
    else:
        carton(rng, room, u, w)


def chair(rng: Rng, room: Room, u: float, w: float, turn: float) -> None:
    seat, back = mt.woven(rng), mt.woven(rng)
    legs = mt.plain(tx.wood_colour(rng) if rng.random() < 0.5 else tx.neutral(rng, 0.1, 0.5), rng)
    c, s = np.cos(turn), np.sin(turn)

    def put(du: float, dw: float, z: float, size: tuple[float, float, float], m: Material) -> None:
        room.add("box", u + c * du + s * dw, w + c * dw - s * du, z, size, m, turn)

    put(0, 0, 0.42, (0.45, 0.45, 0.06), seat)
    put(0, -0.22, 0.55, (0.44, 0.04, 0.38), back)
    for du in (-0.2, 0.2):
        for dw in (-0.2, 0.2):
            put(du, dw, 0, (0.035, 0.035, 0.9 if dw < 0 else 0.42), legs)


def table(rng: Rng, room: Room, u: float, w: float, turn: float) -> None:
    top = mt.wood(tx.wood_colour(rng), rng) if rng.random() < 0.7 else mt.plain(WHITE, rng)
    wide, deep, high = rng.uniform(0.6, 1.5), rng.uniform(0.5, 0.9), rng.choice([0.45, 0.74])
    room.add("box", u, w, high - 0.03, (wide, deep, 0.035), top, turn, gloss=0.05)
    legs = mt.plain(tx.neutral(rng, 0.1, 0.6), rng)
    c, s = np.cos(turn), np.sin(turn)
    for a in (-1, 1):
        for b in (-1, 1):
            du, dw = a * (wide / 2 - 0.05), b * (deep / 2 - 0.05)
            room.add(
                "box",
                u + c * du + s * dw,
                w + c * dw - s * du,
                0,
                (0.04, 0.04, high - 0.03),
                legs,
                turn,
            )
    _things(rng, room, u - wide / 2, wide, w, high)


def _things(rng: Rng, room: Room, left: float, wide: float, w: float, z: float) -> None:
    """Cups, boxes, books, lamps, vases on something."""
    at = left + 0.08
    while at < left + wide - 0.12:
        pick, deep = rng.random(), w + rng.uniform(-0.06, 0.06)
        material = mt.plain(tx.cloth_colour(rng), rng, 0.05)
        if pick < 0.3:
            r, h = rng.uniform(0.03, 0.07), rng.uniform(0.08, 0.3)
            room.add("tube", at + r, deep, z, (2 * r, 2 * r, h), material)
            at += 2 * r
        elif pick < 0.55:
            b, h = rng.uniform(0.06, 0.3), rng.uniform(0.04, 0.3)
            room.add("box", at + b / 2, deep, z, (b, 0.12, h), material, rng.normal(0, 0.2))
            at += b
        elif pick < 0.68:
            r = rng.uniform(0.05, 0.12)
            room.add("ball", at + r, deep, z, (2 * r, 2 * r, 2 * r), material)
            at += 2 * r
        elif pick < 0.8:
            _small_plant(rng, room, at + 0.1, deep, z)
            at += 0.2
        at += rng.exponential(0.25) + 0.02


def _small_plant(rng: Rng, room: Room, u: float, w: float, z: float) -> None:
    pot = mt.plain(tx.neutral(rng, 0.3, 0.9), rng)
    room.add("tube", u, w, z, (0.12, 0.12, 0.11), pot)
    green = tx.hsv(rng.uniform(0.22, 0.36), rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.6))
    r = rng.uniform(0.1, 0.2)
    leafy, cover = mt.foliage(rng, green, rng.uniform(0.015, 0.035))
    if rng.random() < 0.35:
        room.add("ball", u, w, z + 0.08, (2 * r, 2 * r, 2.4 * r), leafy, cover=cover)
        return
    for k in range(2):
        wide, high = rng.uniform(0.12, 0.25), rng.uniform(0.2, 0.5)
        leafy, cover = mt.fronds(rng, green, wide, high)
        room.add("card", u, w + 0.03 * k, z + 0.09, (2 * wide, 0, high), leafy, cover=cover)


def plant(rng: Rng, room: Room, u: float, w: float) -> float:
    tall = rng.uniform(0.7, 1.9)
    pot = mt.plain(tx.neutral(rng, 0.2, 0.9) if rng.random() < 0.7 else tx.muted(rng), rng)
    room.add("tube", u, w, 0, (0.34, 0.34, 0.32), pot)
    green = tx.hsv(rng.uniform(0.22, 0.38), rng.uniform(0.35, 0.7), rng.uniform(0.25, 0.55))
    if rng.random() < 0.55:
        for k in range(3):
            wide, high = rng.uniform(0.3, 0.5), tall * rng.uniform(0.6, 1)
            leafy, cover = mt.fronds(rng, green * rng.uniform(0.5, 1.2), wide, high)
            room.add(
                "card",
                u,
                w - 0.05 + 0.05 * k,
                0.3,
                (2 * wide, 0, high),
                leafy,
                rng.normal(0, 0.3),
                cover=cover,
            )
        return 0.7
    leaf = rng.uniform(0.04, 0.08)
    for _ in range(int(rng.integers(2, 6))):
        r = rng.uniform(0.2, 0.4)
        leafy, cover = mt.foliage(rng, green, leaf)
        z = rng.uniform(0.35, max(tall - r, 0.4))
        room.add(
            "ball",
            u + rng.normal(0, 0.1),
            w + rng.normal(0, 0.08),
            z,
            (2 * r, 2 * r, 2 * r),
            leafy,
            cover=cover,
        )
    room.add("tube", u, w, 0.3, (0.03, 0.03, tall - 0.3), mt.plain(tx.wood_colour(rng) * 0.6, rng))
    return 0.7


def carton(rng: Rng, room: Room, u: float, w: float) -> None:
    material = mt.plain(
        tx.hsv(0.09, 0.4, 0.7) if rng.random() < 0.5 else tx.cloth_colour(rng), rng, 0.05
    )
    side = rng.uniform(0.3, 0.6)
    room.add(
        "box", u, w, 0, (side, side * 0.8, side * rng.uniform(0.5, 1)), material, rng.uniform(-1, 1)
    )


# Pieces along the wall: they take (rng, room, left edge u, ceiling height), and return their width.


def _plant_piece(rng: Rng, room: Room, u: float, height: float) -> float:
    return plant(rng, room, u + 0.35, 0.4)


def _bookshelf(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, rows = rng.uniform(0.7, 1.8), int(rng.integers(3, 8))
    pitch, deep = rng.uniform(0.28, 0.38), 0.28
    high = rows * pitch
    board = mt.wood(tx.wood_colour(rng) if rng.random() < 0.6 else WHITE, rng)
    backs = mt.books(rng, pitch)
    room.add("card", u + wide / 2, 0.16, 0.02, (wide, 0, high), backs)
    for k in range(rows + 1):
        room.add("box", u + wide / 2, deep / 2, k * pitch, (wide, deep, 0.022), board)
    for edge in (0.0, wide):
        room.add("box", u + edge, deep / 2, 0, (0.022, deep, high + 0.02), board)
    if high < height - 0.5:
        _things(rng, room, u, wide, 0.15, high + 0.02)
    return wide


def _wall_shelf(rng: Rng, room: Room, u: float, height: float) -> float:
    wide = rng.uniform(0.5, 1.3)
    board = mt.wood(tx.wood_colour(rng), rng)
    for z in np.arange(1.25, 2.1, 0.42)[: rng.integers(1, 3)]:
        room.add("box", u + wide / 2, 0.11, z, (wide, 0.22, 0.03), board)
        _things(rng, room, u, wide, 0.12, z + 0.03)
    return wide


def _cabinet(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, high, deep = rng.uniform(0.6, 1.8), rng.uniform(0.45, 1.1), rng.uniform(0.35, 0.5)
    colour = tx.wood_colour(rng) if rng.random() < 0.6 else tx.paint_colour(rng)
    body = mt.wood(colour, rng)
    room.add("box", u + wide / 2, deep / 2, 0.06, (wide, deep, high - 0.06), body)
    _fronts(rng, room, u, wide, deep, 0.08, high - 0.04, colour)
    _things(rng, room, u, wide, deep / 2, high)
    _hang(rng, room, u + wide / 2, wide, high + 0.35)
    return wide


def _fronts(
    rng: Rng, room: Room, u: float, wide: float, w: float, low: float, high: float, colour: Array
) -> None:
    """Doors or drawers with handles."""
    columns = max(1, round(wide / rng.uniform(0.4, 0.6)))
    rows = int(rng.integers(1, 5)) if rng.random() < 0.5 else 1
    door, knob = mt.wood(colour * 1.05, rng), mt.plain(tx.neutral(rng, 0.2, 0.8), rng)
    for i in range(columns):
        for j in range(rows):
            a, b = wide / columns, (high - low) / rows
            at, z = u + (i + 0.5) * a, low + j * b
            room.add(
                "box", at, w + 0.008, z + 0.004, (a - 0.012, 0.016, b - 0.008), door, casts=False
            )
            upright = rows == 1
            size = (0.012, 0.03, 0.12) if upright else (0.12, 0.03, 0.012)
            shift = (0.4 * a * (1 if i % 2 == 0 else -1)) if upright else 0.0
            room.add("box", at + shift, w + 0.025, z + b * 0.6, size, knob, casts=False)


def _hang(rng: Rng, room: Room, u: float, wide: float, bottom: float) -> None:
    """Pictures, a mirror or a clock above a piece of furniture, or nothing."""
    count = int(rng.integers(0, 4))
    frame = mt.plain(tx.wood_colour(rng) if rng.random() < 0.5 else tx.neutral(rng, 0.05, 0.9), rng)
    at = u - wide / 2
    for _ in range(count):
        w, h = rng.uniform(0.2, 0.75), rng.uniform(0.25, 0.8)
        at += w / 2
        z = bottom + rng.uniform(0, 0.4)
        room.add("box", at, 0.01, z, (w, 0.02, h), frame)
        room.add(
            "card",
            at,
            0.022,
            z + 0.02,
            (w - 0.04, 0, h - 0.04),
            mt.artwork(rng, w - 0.04, h - 0.04),
            casts=False,
        )
        at += w / 2 + rng.uniform(0.04, 0.4)


def _posters(rng: Rng, room: Room, u: float, height: float) -> float:
    wide = rng.uniform(0.4, 1.4)
    _hang(rng, room, u + wide / 2, wide, rng.uniform(1.0, 1.5))
    return wide


def _photo_wall(rng: Rng, room: Room, u: float, height: float) -> float:
    columns, rows = int(rng.integers(2, 6)), int(rng.integers(2, 5))
    w, h = rng.uniform(0.12, 0.25), rng.uniform(0.12, 0.25)
    for i in range(columns):
        for j in range(rows):
            if rng.random() < 0.85:
                at = u + (i + 0.5) * (w + 0.05) + rng.normal(0, 0.012)
                z = 0.9 + j * (h + 0.05) + rng.normal(0, 0.012)
                room.add("card", at, 0.006, z, (w, 0, h), mt.artwork(rng, w, h), casts=False)
    return columns * (w + 0.05)


def _sofa(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, deep, cloth = rng.uniform(1.5, 2.3), rng.uniform(0.8, 0.95), mt.woven(rng)
    middle = u + wide / 2
    room.add("box", middle, deep / 2 + 0.05, 0.08, (wide, deep, 0.2), cloth)
    room.add("box", middle, 0.18, 0.25, (wide, 0.24, rng.uniform(0.5, 0.65)), cloth)
    for edge in (u + 0.09, u + wide - 0.09):
        room.add("box", edge, deep / 2 + 0.05, 0.08, (0.18, deep, rng.uniform(0.48, 0.58)), cloth)
    seats = int(rng.integers(2, 4))
    for k in range(seats):
        a = (wide - 0.36) / seats
        room.add(
            "box",
            u + 0.18 + (k + 0.5) * a,
            deep / 2 + 0.12,
            0.28,
            (a - 0.02, deep - 0.2, 0.16),
            cloth,
        )
    for _ in range(int(rng.integers(0, 4))):
        at = rng.uniform(u + 0.3, u + wide - 0.3)
        room.add("ball", at, 0.36, 0.42, (0.42, 0.2, 0.4), mt.woven(rng), rng.normal(0, 0.2))
    _hang(rng, room, middle, wide * 0.8, 1.25)
    return wide


def _bed(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, cloth = rng.uniform(1.2, 1.9), mt.woven(rng)
    room.add("box", u + wide / 2, 0.05, 0, (wide, 0.08, rng.uniform(0.8, 1.2)), mt.woven(rng))
    room.add("box", u + wide / 2, 1.0, 0.1, (wide, 1.9, 0.4), cloth)
    for k in (0.27, 0.73):
        pillow = mt.plain(tx.neutral(rng, 0.6, 0.9), rng, 0.04)
        room.add("ball", u + k * wide, 0.3, 0.45, (0.65, 0.4, 0.26), pillow)
    return wide


def _floor_lamp(rng: Rng, room: Room, u: float, height: float) -> float:
    metal, tall = mt.plain(tx.neutral(rng, 0.08, 0.7), rng), rng.uniform(1.2, 1.8)
    room.add("tube", u + 0.25, 0.35, 0, (0.28, 0.28, 0.025), metal)
    room.add("tube", u + 0.25, 0.35, 0, (0.025, 0.025, tall), metal)
    glow = float(rng.uniform(0.9, 2.5)) if rng.random() < 0.6 else 0.0
    shade = mt.plain(tx.hsv(0.1, rng.uniform(0.1, 0.35), 0.95), rng, 0.04)
    size = (0.38, 0.38, rng.uniform(0.22, 0.35))
    room.add("tube", u + 0.25, 0.35, tall - 0.05, size, shade, glow=glow)
    return 0.5


def _door(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, high = rng.uniform(0.8, 0.95), rng.uniform(2.0, 2.1)
    colour = WHITE * 0.95 if rng.random() < 0.6 else tx.wood_colour(rng)
    frame = mt.plain(colour * 0.93, rng)
    if rng.random() < 0.2:  # it stands open to a dim room
        dim = mt.plain(tx.neutral(rng, 0.1, 0.4), rng, 0.2)
        room.add(
            "card",
            u + wide / 2,
            0.004,
            0,
            (wide, 0, high),
            dim,
            glow=float(rng.uniform(0.3, 1.5)),
            casts=False,
        )
    else:
        room.add(
            "box", u + wide / 2, 0.005, 0, (wide, 0.01, high), mt.wood(colour, rng, upright=True)
        )
        for z, h in ((0.2, 0.7), (1.05, 0.8)):
            for du in (-0.21, 0.21):
                leaf = mt.plain(colour * 0.96, rng)
                room.add("box", u + wide / 2 + du * wide, 0.012, z, (wide * 0.34, 0.012, h), leaf)
        knob = mt.plain(tx.neutral(rng, 0.3, 0.7), rng)
        room.add("box", u + wide * 0.9, 0.05, 1.0, (0.12, 0.02, 0.02), knob)
    for edge in (0.0, wide):
        room.add("box", u + edge, 0.02, 0, (0.08, 0.04, high + 0.08), frame)
    room.add("box", u + wide / 2, 0.02, high, (wide + 0.08, 0.04, 0.08), frame)
    return wide


def _outside(rng: Rng, wide: float, high: float) -> Material:
    """What a window shows: bright sky over trees or houses, washed out."""
    sky, seed = tx.hsv(rng.uniform(0.54, 0.62), rng.uniform(0.02, 0.3), 1), tx.seed_of(rng)
    green = tx.hsv(rng.uniform(0.15, 0.32), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.65))
    wall = tx.neutral(rng, 0.4, 0.8) if rng.random() < 0.6 else tx.hsv(0.04, 0.4, 0.55)
    skyline, houses = rng.uniform(0.1, 0.95) * high, rng.random() < 0.5

    def material(spots: Spots) -> Array:
        if houses:
            block = np.floor(spots.u / 0.45)
            top = skyline * (0.6 + 0.6 * tx.cell_hash(block, block, seed))
            own = tx.cell_hash(block, block, seed + 1)
            rows = np.clip(6 * np.abs(spots.v / (0.1 + 0.05 * own) % 1 - 0.5) - 0.9, 0, 1)
            columns = np.clip(6 * np.abs(spots.u / (0.07 + 0.04 * own) % 1 - 0.5) - 0.9, 0, 1)
            house = tx.shaded(wall, (0.6 + 0.6 * own) * (1 - 0.6 * rows * columns))
            trees = tx.shaded(green, np.exp(0.5 * tx.noise(spots, 0.8, seed + 1, 0.8)))
            low = 0.3 * skyline * (1 + 0.4 * tx.noise(spots, 2.0, seed, 0.7))
            ground = tx.mix(house, trees, np.clip((low - spots.v) / 0.02 + 0.5, 0, 1))
        else:
            top = skyline + 0.1 * tx.noise(spots, 2.0, seed, 0.7)
            ground = tx.shaded(green, np.exp(0.55 * tx.noise(spots, 0.8, seed + 1, 0.8)))
        share = np.clip((spots.v - top) / 0.03 + 0.5, 0, 1)
        above = tx.shaded(sky, 1 + 0.12 * tx.noise(spots, 4.0, seed + 2, 0.55))
        return tx.mix(ground, above, share).astype(F32)

    return material


def _window(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, low = rng.uniform(0.8, 2.2), rng.choice([0.1, 0.8, 1.0])
    high = rng.uniform(1.9, 2.3) - low
    glow = float(np.exp(rng.uniform(np.log(0.35), np.log(1.8))))
    middle = u + wide / 2
    room.add(
        "card",
        middle,
        0.006,
        low,
        (wide, 0, high),
        _outside(rng, wide, high),
        glow=glow,
        casts=False,
    )
    frame = mt.plain(WHITE if rng.random() < 0.7 else tx.wood_colour(rng) * 0.6, rng)
    panes = int(rng.integers(1, 4))
    for k in range(panes + 1):
        room.add("box", u + wide * k / panes, 0.03, low, (0.055, 0.06, high), frame)
    for z in (low - 0.03, low + high - 0.03):
        room.add("box", middle, 0.03, z, (wide + 0.05, 0.06, 0.06), frame)
    if rng.random() < 0.5:
        room.add("box", middle, 0.1, low - 0.06, (wide + 0.1, 0.2, 0.03), frame)
        _things(rng, room, u, wide, 0.12, low - 0.03)
    if rng.random() < 0.5:
        cloth = mt.curtain(rng)
        for edge in (u - 0.1, u + wide + 0.1):
            c = rng.uniform(0.25, 0.6)
            room.add(
                "card",
                edge,
                0.12,
                max(low - 0.9, 0.02),
                (c, 0, high + low + 0.15 - max(low - 0.9, 0.02)),
                cloth,
            )
    elif rng.random() < 0.4:
        _blind(rng, room, middle, wide, low, high)
    return wide


def _blind(rng: Rng, room: Room, u: float, wide: float, low: float, high: float) -> None:
    part = high * rng.uniform(0.3, 1)
    pitch, colour = rng.uniform(0.025, 0.06), tx.neutral(rng, 0.6, 0.95)

    def material(spots: Spots) -> Array:
        slat = spots.v / pitch % 1
        blur = np.clip(spots.size / pitch, 0, 1)
        shade = (0.55 + 0.6 * slat) * (1 - blur) + 0.85 * blur
        return tx.shaded(colour, shade)

    room.add("card", u, 0.07, low + high - part, (wide, 0, part), material, casts=False)


def _curtain_wall(rng: Rng, room: Room, u: float, height: float) -> float:
    wide = rng.uniform(0.8, 3)
    room.add("card", u + wide / 2, 0.1, 0.02, (wide, 0, height - 0.1), mt.curtain(rng))
    return wide


def _desk(rng: Rng, room: Room, u: float, height: float) -> float:
    wide = rng.uniform(1.1, 1.8)
    table(rng, room, u + wide / 2, 0.4, 0.0)
    black = mt.plain(np.array([0.015, 0.015, 0.017], F32), rng)
    if rng.random() < 0.7:
        a = rng.uniform(0.45, 0.7)
        at = u + wide * rng.uniform(0.3, 0.7)
        room.add("box", at, 0.3, 0.88, (a, 0.03, a * 0.58), black)
        room.add("box", at, 0.28, 0.74, (0.08, 0.08, 0.2), black)
        glow = float(rng.uniform(0.3, 1.2)) if rng.random() < 0.6 else 0.0
        room.add(
            "card",
            at,
            0.317,
            0.895,
            (a - 0.03, 0, a * 0.58 - 0.03),
            mt.artwork(rng, a, a * 0.58),
            glow=glow,
            casts=False,
        )
    chair(rng, room, u + wide * rng.uniform(0.3, 0.7), 0.95, float(rng.uniform(2.4, 3.9)))
    _hang(rng, room, u + wide / 2, wide, 1.4)
    return wide


def _whiteboard(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, high, seed = rng.uniform(1.2, 2.4), rng.uniform(0.9, 1.2), tx.seed_of(rng)
    ink = tx.strong(rng) * 0.5
    face = WHITE if rng.random() < 0.75 else np.array([0.02, 0.06, 0.04], F32)

    def material(spots: Spots) -> Array:
        row = np.floor(spots.v / 0.09)
        written = tx.cell_hash(np.floor(spots.u / 0.9), row, seed) > 0.6
        lines = np.abs(tx.noise(spots, 0.35, seed, 0.5))
        stroke = np.clip((0.012 / np.maximum(spots.size, 0.004)) * (0.2 - lines) + 0.3, 0, 1)
        here = stroke * (written & (spots.v / 0.09 % 1 > 0.35))
        smear = 1 + 0.03 * tx.noise(spots, 2.0, seed + 1, 0.5)
        return tx.shaded(tx.mix(face, ink if face[0] > 0.5 else WHITE, here * F32(0.7)), smear)

    middle = u + wide / 2
    room.add(
        "box",
        middle,
        0.01,
        0.88,
        (wide + 0.04, 0.02, high + 0.04),
        mt.plain(tx.neutral(rng, 0.4, 0.7), rng),
    )
    room.add("card", middle, 0.022, 0.9, (wide, 0, high), material, casts=False)
    room.add(
        "box", middle, 0.05, 0.86, (wide, 0.08, 0.02), mt.plain(tx.neutral(rng, 0.4, 0.7), rng)
    )
    return wide


def _lockers(rng: Rng, room: Room, u: float, height: float) -> float:
    count, wide, high = int(rng.integers(2, 6)), rng.uniform(0.35, 0.6), rng.uniform(1.3, 2.0)
    colour = tx.neutral(rng, 0.3, 0.85) if rng.random() < 0.6 else tx.strong(rng) * 0.7
    room.add(
        "box", u + count * wide / 2, 0.24, 0, (count * wide, 0.48, high), mt.plain(colour, rng)
    )
    _fronts(rng, room, u, count * wide, 0.48, 0.05, high - 0.03, colour)
    _things(rng, room, u, count * wide, 0.2, high)
    return count * wide


def _counter(rng: Rng, room: Room, u: float, height: float) -> float:
    """Kitchen units, below and above."""
    wide = rng.uniform(1.2, 2.6)
    colour = (
        WHITE
        if rng.random() < 0.45
        else tx.paint_colour(rng)
        if rng.random() < 0.5
        else tx.wood_colour(rng)
    )
    top = mt.wood(tx.wood_colour(rng), rng) if rng.random() < 0.5 else mt.concrete(rng)
    middle = u + wide / 2
    room.add("box", middle, 0.3, 0.1, (wide, 0.58, 0.76), mt.plain(colour, rng))
    _fronts(rng, room, u, wide, 0.59, 0.12, 0.85, colour)
    room.add("box", middle, 0.31, 0.86, (wide, 0.63, 0.04), top, gloss=0.05)
    _things(rng, room, u, wide, 0.25, 0.9)
    if rng.random() < 0.75:
        room.add("box", middle, 0.17, 1.45, (wide, 0.34, 0.7), mt.plain(colour, rng))
        _fronts(rng, room, u, wide, 0.34, 1.46, 2.14, colour)
    return wide


def _fridge(rng: Rng, room: Room, u: float, height: float) -> float:
    colour = tx.neutral(rng, 0.5, 0.9)
    high = rng.uniform(1.6, 2.0)
    room.add("box", u + 0.3, 0.33, 0, (0.6, 0.64, high), mt.plain(colour * 0.9, rng))
    for z, h in ((0.03, 0.6), (0.65, high - 0.68)):
        room.add("box", u + 0.3, 0.66, z, (0.59, 0.03, h), mt.plain(colour, rng))
        room.add(
            "box",
            u + 0.06,
            0.7,
            z + 0.1,
            (0.02, 0.04, h - 0.2),
            mt.plain(tx.neutral(rng, 0.3, 0.7), rng),
        )
    return 0.62


def _rack(rng: Rng, room: Room, u: float, height: float) -> float:
    """Dumb-bells or bars on a frame."""
    wide, black = rng.uniform(1.2, 2.2), mt.plain(np.array([0.02, 0.02, 0.02], F32), rng)
    for z in (0.35, 0.75, 1.1)[: rng.integers(2, 4)]:
        room.add("box", u + wide / 2, 0.25, z, (wide, 0.3, 0.04), black)
        for k in range(int(wide / 0.24)):
            weight = mt.plain(
                tx.neutral(rng, 0.05, 0.3) if rng.random() < 0.8 else tx.strong(rng), rng
            )
            room.add("tube", u + 0.14 + 0.24 * k, 0.3, z + 0.04, (0.15, 0.15, 0.16), weight)
    for edge in (0.0, wide):
        room.add("box", u + edge, 0.25, 0, (0.05, 0.4, 1.3), black)
    return wide


def _mirror(rng: Rng, room: Room, u: float, height: float) -> float:
    """A mirror: a soft picture of another wall, with windows, doors and dark things before it."""
    wide, seed = rng.uniform(0.8, 2.5), tx.seed_of(rng)
    wall, floor = tx.neutral(rng, 0.35, 0.8), tx.neutral(rng, 0.15, 0.5)
    things = [
        (rng.uniform(-wide / 2, wide / 2), rng.uniform(0.1, 0.4), rng.uniform(0.5, 1.8),
         tx.neutral(rng, 0.05, 0.3) if rng.random() < 0.6 else tx.neutral(rng, 0.8, 1))
        for _ in range(int(rng.integers(2, 6)))
    ]  # fmt: skip

    def material(spots: Spots) -> Array:
        soft = np.maximum(spots.size, 0.02)
        face = tx.mix(floor, wall, np.clip((spots.v - 0.45) / soft + 0.5, 0, 1))
        for middle, half, top, colour in things:
            inside = np.minimum(half - np.abs(spots.u - middle), top - spots.v)
            face = tx.mix(face, colour, np.clip(inside / soft + 0.5, 0, 1))
        return tx.shaded(face, 1 + 0.12 * tx.noise(spots, 3.0, seed, 0.6))

    room.add("card", u + wide / 2, 0.02, 0.15, (wide, 0, 1.9), material, casts=False)
    return wide


def _banner(rng: Rng, room: Room, u: float, height: float) -> float:
    wide, high = rng.uniform(0.8, 2.5), rng.uniform(0.6, 1.4)
    room.add(
        "card",
        u + wide / 2,
        0.01,
        rng.uniform(1.2, 2.4),
        (wide, 0, high),
        mt.artwork(rng, wide, high),
        casts=False,
    )
    return wide


def _radiator(rng: Rng, room: Room, u: float, height: float) -> float:
    wide = rng.uniform(0.6, 1.4)

    def material(spots: Spots) -> Array:
        across = np.abs(spots.u / 0.05 % 1 - 0.5) * 2
        return tx.shaded(WHITE, 0.75 + 0.3 * across)

    room.add("box", u + wide / 2, 0.09, 0.12, (wide, 0.1, rng.uniform(0.5, 0.65)), material)
    return wide


def _nothing(rng: Rng, room: Room, u: float, height: float) -> float:
    return float(rng.uniform(0.3, 1.0))


Piece = Callable[[Rng, Room, float, float], float]
LOW: tuple[Piece, ...] = (_bed, _radiator, _rack, _sofa)
PIECES: dict[str, tuple[Piece, ...]] = {
    "living": (
        _bookshelf, _cabinet, _cabinet, _sofa, _sofa, _floor_lamp, _plant_piece, _window, _window,
        _door, _posters, _photo_wall, _curtain_wall, _bed, _wall_shelf, _radiator, _nothing,
    ),
    "office": (
        _bookshelf, _cabinet, _desk, _desk, _whiteboard, _window, _lockers, _plant_piece, _door,
        _posters, _wall_shelf, _nothing, _radiator,
    ),
    "kitchen": (_counter, _counter, _counter, _fridge, _window, _wall_shelf, _cabinet, _door),
    "gym": (_rack, _mirror, _mirror, _banner, _lockers, _door, _window, _nothing),
    "library": (_bookshelf, _bookshelf, _bookshelf, _bookshelf, _window, _plant_piece, _desk),
    "bare": (_nothing, _posters, _door, _plant_piece, _radiator, _window, _floor_lamp),
}  # fmt: skip
