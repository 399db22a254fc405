"""Streets, parks, beaches, woods: ground, far backdrop, sky, and what stands between."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maskmotion.synth.people.scenery import materials as mt
from maskmotion.synth.people.scenery import textures as tx
from maskmotion.synth.people.scenery.sets import Room, Set
from maskmotion.synth.people.scenery.shading import Lighting, Sun
from maskmotion.synth.people.scenery.textures import Cover, Material, Rng, Spots
from maskmotion.synth.people.scenery.tracing import Form, View

Array = np.ndarray
F32 = np.float32
MOODS = ("street", "wall", "park", "wood", "beach", "field", "square")
Radiance = Callable[[Array], Array]


def make_outdoors(rng: Rng, view: View, portrait: bool) -> Set:
    """A place of a random mood under a sunny, hazy or overcast sky."""
    mood = str(rng.choice(MOODS, p=[0.22, 0.16, 0.22, 0.14, 0.07, 0.09, 0.1]))
    sunny = bool(rng.random() < (0.4 if mood == "wood" else 0.6))
    near = {"wall": (0.8, 4), "street": (4, 14), "square": (6, 22)}.get(mood, (3, 9))
    distance = float(rng.uniform(*near))
    place = Room(distance, float(np.clip(rng.normal(0, 0.25), -0.6, 0.6)))
    half = float((distance - view.eye[1]) * view.reach / view.focal) + 0.5
    ground, ground_colour = _ground(rng, mood, view)
    green = leaf_green(rng)
    STAND[mood](rng, place, half, distance, green)
    lighting, key, softness = _light(rng, mood, sunny, ground_colour)
    backdrop, reach = _backdrop(rng, mood, view, lighting, sunny, green)
    place.add("floor", 0, 0, 0, (2 * reach, 1, 0), ground, casts=False)
    return Set(
        place.shapes, lighting, key, softness, sunny, backdrop,
        {"kind": "outdoors", "mood": mood, "light": "sun" if sunny else "overcast",
         "wall_m": distance, "wall_deg": float(np.degrees(place.yaw))},
    )  # fmt: skip


def leaf_green(rng: Rng) -> Array:
    """Leaves of summer, seldom of autumn."""
    if rng.random() < 0.15:
        return tx.hsv(rng.uniform(0.05, 0.13), rng.uniform(0.5, 0.8), rng.uniform(0.35, 0.6))
    return tx.hsv(rng.uniform(0.2, 0.31), rng.uniform(0.35, 0.65), rng.uniform(0.28, 0.5))


# -- light and sky ---------------------------------------------------------------------------------


def _light(
    rng: Rng, mood: str, sunny: bool, ground: Array
) -> tuple[Lighting, tuple[Array, Array], float]:
    haze_m = float(np.exp(rng.uniform(np.log(300), np.log(4000))))
    if not sunny:
        grey = tx.hsv(rng.uniform(0.52, 0.63), rng.uniform(0, 0.07), 1)
        sky = grey * rng.uniform(0.75, 1.0)
        towards = _unit([rng.normal(0, 0.5), rng.normal(-0.4, 0.4), 1])
        lighting = Lighting(sky, ground * 0.5 * sky, shade=0.8, haze=grey, haze_m=haze_m)
        return lighting, (towards, grey * rng.uniform(0.1, 0.3)), float(rng.uniform(0.85, 1))
    azimuth = rng.uniform(-np.pi, np.pi)
    high = np.radians(rng.uniform(14, 62))
    level = np.cos(high)
    towards = np.array([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(high)])
    if towards[1] > 0 and rng.random() < 0.6:  # people are seldom filmed against the sun
        towards[1] *= -1
    warmth = float(np.clip((0.75 - high) / 0.6, 0, 1))
    colour = tx.hsv(rng.uniform(0.08, 0.115), 0.1 + 0.38 * warmth, 1) * rng.uniform(1.0, 1.6)
    blue = tx.hsv(rng.uniform(0.56, 0.62), rng.uniform(0.1, 0.3), 1)
    sky = blue * rng.uniform(0.14, 0.34)
    shines = _dapples(rng, towards) if mood == "wood" or rng.random() < 0.25 else None
    lit = ground * (sky + colour * towards[2])
    lighting = Lighting(
        sky, lit * 0.8 + 0.1 * sky, sun=Sun(towards, colour, shines), shade=0.75,
        haze=(0.55 * blue + 0.4 * colour).astype(F32), haze_m=haze_m,
    )  # fmt: skip
    return lighting, (towards, colour), float(rng.uniform(0.05, 0.35))


def _unit(vector: list[float]) -> Array:
    return np.asarray(vector) / np.linalg.norm(vector)


def _dapples(rng: Rng, towards: Array) -> Callable[[Array], Array]:
    """Sunlight through leaves out of sight: a pattern in the plane across the sun's rays."""
    seed, gap = tx.seed_of(rng), rng.uniform(-0.4, 0.9)
    side = np.cross(towards, [0.0, 0, 1])
    side /= np.linalg.norm(side)
    up = np.cross(side, towards)
    size = rng.uniform(4, 9)

    def shines(points: Array) -> Array:
        u, v = side.astype(F32) @ points, up.astype(F32) @ points
        pattern = tx.noise(Spots(u, v, np.full_like(u, 0.02)), size, seed, 0.72)
        return np.clip(0.5 + 1.8 * (pattern - gap), 0, 1)

    return shines


def _backdrop(
    rng: Rng, mood: str, view: View, lighting: Lighting, sunny: bool, green: Array
) -> tuple[Radiance, float]:
    """Sky, then some far layers in front of it, and the depth in m where the ground ends."""
    sky = _sky(rng, lighting, sunny)
    layers: list[tuple[Callable[[Spots], Array], Callable[[Spots], Array], float]] = []
    if mood in ("field", "park", "beach") and rng.random() < 0.6:
        for k in range(int(rng.integers(1, 3))):
            layers.append(_hills(rng, green, 3000.0 / (k + 1)))
    if mood == "beach":
        layers.append(_sea(rng, lighting))
    elif mood in ("street", "square"):
        layers.append(_skyline(rng, rng.uniform(40, 150)))
    if mood in ("park", "wood", "field", "wall") or rng.random() < 0.4:
        layers.append(_treeline(rng, green, rng.uniform(18, 90), 1.0 if mood == "wood" else 0.3))

    def backdrop(rays: Array) -> Array:
        level = np.hypot(rays[0], rays[1])
        colours = sky(rays)
        azimuth, rise = np.arctan2(rays[0], rays[1]), rays[2] / level
        for height, material, far in layers:
            far_ = F32(far)
            spots = Spots(
                azimuth * far_,
                rise * far_ + F32(view.eye[2]),
                np.full_like(rise, view.sample * far),
            )
            top = height(spots)
            share = np.clip((top - spots.v) / spots.size + 0.5, 0, 1)
            ways = lighting.sky * 0.7 + lighting.ground * 0.3
            if lighting.sun is not None:
                ways = ways + lighting.sun.colour * (0.35 - 0.3 * lighting.sun.towards[1])
            lit = material(spots) * ways
            air = 1 - np.exp(-far / lighting.haze_m)
            lit += (lighting.haze - lit) * F32(air)
            colours = tx.mix(colours, lit, share)
        return colours

    return backdrop, min([far for _, _, far in layers], default=2000.0)


def _sky(rng: Rng, lighting: Lighting, sunny: bool) -> Radiance:
    seed, amount = tx.seed_of(rng), float(rng.uniform(-1.2, 1.2))
    high = tx.hsv(rng.uniform(0.57, 0.62), rng.uniform(0.45, 0.75), rng.uniform(0.65, 0.9))
    low = tx.hsv(rng.uniform(0.55, 0.6), rng.uniform(0.05, 0.25), 1) * rng.uniform(0.8, 1.2)
    cloud = np.array([1, 1, 1], F32) * rng.uniform(0.9, 1.5)
    if not sunny:
        low = lighting.haze * rng.uniform(0.9, 1.6)
        high, cloud = low * 0.8, low * 0.7
    spread = rng.uniform(0.3, 0.8)

    def sky(rays: Array) -> Array:
        rise = rays[2] / np.sqrt((rays * rays).sum(0))
        up = np.clip(rise, 0.02, 1)
        share = np.clip((up / F32(spread)) ** 0.6, 0, 1)
        colours = tx.mix(np.broadcast_to(low.astype(F32), (len(up), 3)), high.astype(F32), share)
        above = F32(1000) / (up + 0.08)
        level = np.hypot(rays[0], rays[1])
        spots = Spots(rays[0] / level * above, rays[1] / level * above, above * F32(0.004))
        clouds = tx.noise(spots, 9000.0, seed, 0.6)
        thick = np.clip(0.5 * (clouds + amount), 0, 1) * np.clip(up * 14, 0, 1)
        lit = cloud.astype(F32) * (1.05 - 0.3 * thick[:, None])
        return tx.mix(colours, lit, thick * F32(0.9)) if sunny else tx.mix(colours, lit, thick)

    return sky


Layer = tuple[Callable[[Spots], Array], Material, float]


def _hills(rng: Rng, green: Array, far: float) -> Layer:
    seed, high = tx.seed_of(rng), rng.uniform(0.02, 0.12) * far
    colour = green * rng.uniform(0.5, 1) if rng.random() < 0.6 else tx.hsv(0.09, 0.2, 0.5)

    def height(spots: Spots) -> Array:
        flat = Spots(spots.u, 0 * spots.u, spots.size)
        return F32(high) * (0.6 + 0.35 * tx.noise(flat, far * 3, seed, 0.5))

    def material(spots: Spots) -> Array:
        shade = 1 + 0.25 * tx.noise(spots, far * 0.4, seed + 1, 0.75)
        return tx.shaded(colour, shade)

    return height, material, far


def _treeline(rng: Rng, green: Array, far: float, share: float) -> Layer:
    seed = tx.seed_of(rng)
    high = rng.uniform(5, 11) + share * 12
    leafy, _ = mt.foliage(rng, green, leaf=rng.uniform(0.12, 0.3))

    def height(spots: Spots) -> Array:
        flat = Spots(spots.u, spots.v * 0.3, spots.size)
        return F32(high) * (1 + 0.25 * tx.noise(flat, 60.0, seed, 0.7))

    def material(spots: Spots) -> Array:
        crowns = tx.noise(spots, 25.0, seed + 1, 0.62)
        low = np.clip(spots.v / F32(high) * 1.4, 0.15, 1)  # it is dark between the trunks
        return tx.shaded(leafy(spots), low * np.exp(0.45 * crowns))

    return height, material, far


def _skyline(rng: Rng, far: float) -> Layer:
    seed, wide = tx.seed_of(rng), rng.uniform(9, 22)
    low, high = rng.uniform(4, 9), rng.uniform(10, 40)
    walls = np.stack([tx.neutral(rng, 0.4, 0.85), tx.muted(rng, 0.4, 0.75), tx.neutral(rng)])
    dark = np.array([0.06, 0.07, 0.08], F32)

    def block(spots: Spots) -> Array:
        return np.floor(spots.u / F32(wide))

    def height(spots: Spots) -> Array:
        own = tx.cell_hash(block(spots), block(spots), seed)
        return (low + (high - low) * own * own).astype(F32)

    def material(spots: Spots) -> Array:
        house = block(spots)
        own = tx.cell_hash(house, house, seed + 1)
        face = walls[(own * 3).astype(int)]
        floor = np.floor(spots.v / F32(3.1))
        column = np.floor(spots.u / F32(1.9))
        in_u = np.abs(spots.u / F32(1.9) - column - F32(0.5)) * F32(1.9)
        in_v = np.abs(spots.v / F32(3.1) - floor - F32(0.5)) * F32(3.1)
        soft = np.maximum(spots.size, 0.02)
        glass = np.clip(0.5 + (0.55 - in_u) / soft, 0, 1) * np.clip(
            0.5 + (0.85 - in_v) / soft, 0, 1
        )
        shine = tx.cell_hash(column, floor, seed + 2)
        panes = dark + F32(0.25) * (shine**3)[:, None]
        face = face * (0.85 + 0.15 * tx.noise(spots, 12.0, seed, 0.7))[:, None]
        return np.maximum(face + (panes - face) * glass[:, None], 0).astype(F32)

    return height, material, far


def _sea(rng: Rng, lighting: Lighting) -> Layer:
    seed = tx.seed_of(rng)
    colour = tx.hsv(rng.uniform(0.48, 0.58), rng.uniform(0.25, 0.6), rng.uniform(0.4, 0.7))
    far = 400.0

    def height(spots: Spots) -> Array:
        return np.full_like(spots.u, 1.2)

    def material(spots: Spots) -> Array:
        waves = tx.noise(Spots(spots.u, spots.v * 30, spots.size * 4), 300.0, seed, 0.85)
        return tx.shaded(colour, np.exp(0.25 * waves))

    return height, material, far


# -- ground ----------------------------------------------------------------------------------------


def _ground(rng: Rng, mood: str, view: View) -> tuple[Material, Array]:
    """The ground's material and mean colour."""
    eye = (float(view.eye[0]), float(view.eye[1]))
    if mood in ("park", "field"):
        green = tx.hsv(rng.uniform(0.19, 0.28), rng.uniform(0.4, 0.65), rng.uniform(0.32, 0.5))
        return mt.grass(rng, green, eye), green
    if mood == "beach":
        sand = tx.hsv(rng.uniform(0.085, 0.12), rng.uniform(0.15, 0.35), rng.uniform(0.65, 0.85))
        return sand_material(rng, sand), sand
    if mood == "wood":
        earth = tx.hsv(rng.uniform(0.06, 0.1), rng.uniform(0.3, 0.5), rng.uniform(0.3, 0.5))
        return _litter(rng, earth), earth
    grey = tx.neutral(rng, 0.32, 0.66)
    pick = rng.random() * (1 if mood == "wall" else 0.87)  # no lawn in streets
    if pick < 0.3:
        return mt.concrete(rng, grey), grey
    if pick < 0.6:
        return _slabs(rng, grey), grey
    if pick < 0.75:
        return mt.gravel(rng, grey, float(rng.uniform(0.07, 0.13))), grey
    if pick < 0.87:
        return mt.gravel(rng, grey, float(rng.uniform(0.015, 0.03))), grey
    green = tx.hsv(rng.uniform(0.19, 0.28), 0.5, 0.4)
    return mt.grass(rng, green, eye), green


def _slabs(rng: Rng, colour: Array) -> Material:
    """Paving with dirt in the joints."""
    stone, joint = mt.tiles(rng, colour), mt.concrete(rng, colour)

    def material(spots: Spots) -> Array:
        return (stone(spots) * joint(spots) / np.maximum(colour, 0.02)).astype(F32)

    return material


def sand_material(rng: Rng, colour: Array) -> Material:
    """Ripples and footprints."""
    seed, steps = tx.seed_of(rng), rng.uniform(0.05, 0.2)

    def material(spots: Spots) -> Array:
        shade = 1 + steps * tx.noise(spots, 4.1, seed, 0.8) + 0.05 * tx.noise(spots, 0.3, seed, 1.1)
        return tx.shaded(colour, shade * (1 + 0.08 * tx.noise(spots, 43.0, seed + 2, 0.7)))

    return material


def _litter(rng: Rng, earth: Array) -> Material:
    """Fallen leaves, earth and moss."""
    leafy, _ = mt.foliage(rng, earth * 1.2, leaf=0.04)
    moss = tx.hsv(rng.uniform(0.2, 0.3), 0.5, 0.35)
    seed, share = tx.seed_of(rng), rng.uniform(-1.2, 0.6)

    def material(spots: Spots) -> Array:
        here = np.clip(0.5 + 1.5 * (tx.noise(spots, 6.0, seed, 0.65) + share), 0, 1)
        rough = 1 + 0.25 * tx.noise(spots, 0.8, seed + 1, 0.95)
        return tx.mix(leafy(spots), tx.shaded(moss, rough), here)

    return material


# -- what stands there -----------------------------------------------------------------------------


def tree(rng: Rng, place: Room, u: float, w: float, green: Array) -> None:
    """A trunk, and a crown that mostly lies above the picture."""
    thick, tall, crown = rng.uniform(0.12, 0.45), rng.uniform(1.6, 4.0), rng.uniform(1.0, 2.2)
    place.add("tube", u, w, 0, (thick, thick, tall + 0.8 * crown), bark(rng))
    leaf = rng.uniform(0.05, 0.09)
    for k in range(int(rng.integers(4, 9))):
        r = crown * (0.75 if k == 0 else rng.uniform(0.35, 0.7))
        leafy, cover = mt.foliage(rng, green, leaf)
        du, dw = rng.normal(0, 0.6 * crown), rng.normal(0, 0.4 * crown)
        if k == 0:  # over the trunk's end
            du, dw = 0.0, 0.0
        z = tall + (rng.uniform(-0.3, 0.9) if k else 0.4) * crown - 0.4
        place.add("ball", u + du, w + dw, z, (2 * r, 2 * r, 1.7 * r), leafy, cover=cover)


def bark(rng: Rng) -> Material:
    colour, seed = (
        tx.hsv(rng.uniform(0.05, 0.1), rng.uniform(0.1, 0.4), rng.uniform(0.25, 0.5)),
        tx.seed_of(rng),
    )

    def material(spots: Spots) -> Array:
        cracks = tx.noise(spots, 0.6, seed, 0.8, stretch=5)
        moss = 0.2 * tx.noise(spots, 3.0, seed + 1, 0.6)
        return tx.shaded(colour, np.exp(0.4 * cracks + moss))

    return material


def bush(rng: Rng, place: Room, u: float, w: float, green: Array) -> None:
    leaf = rng.uniform(0.03, 0.08)
    colour = green * rng.uniform(0.7, 1.4)
    for _ in range(int(rng.integers(2, 5))):
        r = rng.uniform(0.3, 0.8)
        leafy, cover = mt.foliage(rng, colour, leaf)
        size = (2 * r, 2 * r, 1.8 * r)
        place.add(
            "ball",
            u + rng.normal(0, 0.4),
            w + rng.normal(0, 0.3),
            -0.2 * r,
            size,
            leafy,
            cover=cover,
        )


def hedge(
    rng: Rng, place: Room, u: float, w: float, wide: float, high: float, green: Array
) -> None:
    leafy, cover = mt.foliage(rng, green * rng.uniform(0.6, 1.1), rng.uniform(0.03, 0.07))
    place.add("box", u, w, 0, (wide, 0.7, high), leafy)

    def ragged(spots: Spots) -> Array:
        return cover(spots) - 1.2 * np.clip((spots.v - high) / 0.22, 0, 1)

    place.add("card", u, w + 0.37, 0, (wide, 0, high + 0.25), leafy, cover=ragged, casts=False)


def fence(rng: Rng, place: Room, u: float, w: float, wide: float) -> None:
    high, pick = rng.uniform(0.9, 1.9), rng.random()
    pitch = float(rng.choice([0.1, 0.14, 0.18]))
    if pick < 0.35:
        place.add("card", u, w, 0, (wide, 0, high), mt.planks(rng, upright=True))
        return
    colour = tx.wood_colour(rng) if pick < 0.6 else tx.neutral(rng, 0.05, 0.9)
    bars = _bars(pitch, 0.6 if pick < 0.6 else 0.16, high)
    place.add("card", u, w, 0, (wide, 0, high), mt.plain(colour, rng, 0.1), cover=bars, casts=False)
    for k in range(int(wide / 2.2) + 1):
        place.add(
            "box",
            u - wide / 2 + 2.2 * k,
            w - 0.05,
            0,
            (0.09, 0.09, high + 0.05),
            mt.plain(colour, rng),
        )


def _bars(pitch: float, share: float, high: float) -> Cover:
    def cover(spots: Spots) -> Array:
        upright = np.abs(spots.u / pitch % 1 - 0.5) < share / 2
        rail = (np.abs(spots.v - 0.2 * high) < 0.04) | (np.abs(spots.v - 0.88 * high) < 0.04)
        return (upright | rail).astype(F32)

    return cover


def facade(rng: Rng, wide: float) -> Material:
    """A building's front: rows of windows in a wall, on a ground floor with doors or shops."""
    colour = tx.neutral(rng, 0.4, 0.9)
    if rng.random() < 0.25:
        colour = tx.hsv(rng.random(), rng.uniform(0.08, 0.3), rng.uniform(0.4, 0.85))
    wall = mt.bricks(rng) if rng.random() < 0.45 else mt.concrete(rng, colour)
    storey, bay = rng.uniform(2.8, 3.6), rng.uniform(1.5, 3.0)
    glass_w, glass_h = bay * rng.uniform(0.35, 0.75), storey * rng.uniform(0.4, 0.6)
    frame_colour = tx.neutral(rng, 0.5, 0.95) if rng.random() < 0.7 else tx.neutral(rng, 0.05, 0.25)
    trim = colour * rng.uniform(0.6, 1.2)
    shop, seed = rng.random() < 0.45, tx.seed_of(rng)
    sky, dark = np.array([0.5, 0.6, 0.72], F32), np.array([0.03, 0.035, 0.04], F32)
    panes = int(rng.integers(1, 4))

    def material(spots: Spots) -> Array:
        floor, column = np.floor(spots.v / storey), np.floor(spots.u / bay)
        own = tx.cell_hash(column, floor, seed)
        low = floor < 0.5
        w = np.where(low & shop, bay * 0.86, glass_w)
        h = np.where(low, storey * 0.72, glass_h)
        x = spots.u - (column + 0.5) * bay
        y = (
            spots.v
            - floor * storey
            - np.where(low, h / 2 + (0.25 if shop else 0.02), storey * 0.55)
        )
        if not shop:  # on the ground floor some bays are doors, and some plain
            h = np.where(low & (own > 0.5), glass_h, h)
            y = np.where(low & (own > 0.5), spots.v - storey * 0.55, y)
        inside = np.minimum(w / 2 - np.abs(x), h / 2 - np.abs(y))
        soft = np.maximum(spots.size, 0.01)
        opening = np.clip(0.5 + inside / soft, 0, 1)
        bars = tx.line((x / w * panes % 1 - 0.5) * w / panes, 0.05, spots.size)
        rim = np.maximum(np.clip(0.5 + (0.06 - inside) / soft, 0, 1), bars)
        # the sky above a mirrored roof line, each pane at an angle of its own, over a dim room
        seen = tx.noise(Spots(spots.u + 3 * own, spots.v * 0.25, spots.size), 22.0, seed, 0.72)
        mirror = np.clip(2.5 * (y / h + 0.5 * seen + 0.8 * (own - 0.5)), 0, 1) * (0.25 + 0.6 * own)
        inner = np.clip(
            tx.noise(Spots(spots.u + 9 * own, spots.v, spots.size), 5.0, seed + 1, 0.7), 0, 2
        )
        glass = tx.mix(dark * (1 + 2 * inner[:, None]), sky, mirror)
        blind = (own > 0.55) & (y > h * (own - 0.75) * 2) & ~low
        glass = np.where(blind[:, None], 0.45 * glass + F32(0.25), glass)
        face = tx.mix(glass, frame_colour, rim.astype(F32))
        sill = tx.line(y + h / 2 + 0.06, 0.1, spots.size) * (np.abs(x) < w / 2 + 0.08)
        shadow = np.clip(0.5 + (y - h / 2 + 0.12) / np.maximum(soft, 0.05), 0, 1) * opening
        band = tx.line(spots.v - storey, 0.3, spots.size)
        around = tx.mix(wall(spots), trim, np.maximum(sill * 0.8, band * 0.9).astype(F32))
        face = tx.mix(around, face, opening)
        return tx.shaded(face, 1 - 0.55 * shadow)

    return material


def car(rng: Rng, place: Room, u: float, w: float) -> None:
    """A car from its side, as a cut-out."""
    long, high = rng.uniform(3.8, 4.7), rng.uniform(1.4, 1.75)
    paint = tx.neutral(rng, 0.05, 0.95)
    if rng.random() < 0.25:
        paint = tx.hsv(rng.choice([0.0, 0.6, 0.62]), rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.6))
    nose, seed = rng.choice([-1.0, 1.0]), tx.seed_of(rng)
    wheel = 0.32

    def outline(spots: Spots) -> Array:
        x = spots.u * F32(nose * 2 / long)
        # the windscreen leans more than the back; nose and tail are round
        roof = np.clip(np.minimum((0.5 - x) * 1.7, (x + 0.93) * 2.6), 0, 1)
        roof = np.sin(roof * (np.pi / 2)) ** 0.85
        ends = np.sqrt(np.clip(1 - ((np.abs(x) - 0.86) / 0.14).clip(0) ** 2, 0, 1))
        bonnet = 0.6 - 0.08 * np.clip(x - 0.3, 0, 1)
        return (high * (0.25 + (bonnet - 0.25) * ends + (1 - bonnet) * roof)).astype(F32)

    def wheels(spots: Spots) -> Array:
        x = np.abs(np.abs(spots.u) - long * 0.31)
        return np.hypot(x, spots.v - wheel)

    def cover(spots: Spots) -> Array:
        body = (spots.v < outline(spots)) & (spots.v > 0.24)
        return (body | (wheels(spots) < wheel)).astype(F32)

    def material(spots: Spots) -> Array:
        top = outline(spots)
        belt = 0.6 * high
        curve = np.clip((spots.v - 0.2) / (belt - 0.2), 0, 1)
        shade = 0.35 + 0.9 * curve + 0.25 * tx.line(spots.v - belt * 0.8, 0.05, spots.size)
        face = tx.shaded(paint, shade + 0.03 * tx.noise(spots, 2.0, seed, 0.6))
        face += F32(0.12) * np.clip(curve - 0.6, 0, 1)[:, None]
        pillar = tx.line((spots.u / 1.1 % 1 - 0.5) * 1.1, 0.09, spots.size)
        inner = (spots.v - belt) / np.maximum(top - 0.06 - belt, 0.01)
        side_on = np.abs(spots.u * F32(nose * 2 / long) + 0.2) < 0.62
        glass = (inner > 0) & (inner < 1) & (pillar < 0.5) & side_on
        doors = tx.line((spots.u / 1.1 % 1 - 0.5) * 1.1, 0.015, spots.size) * (spots.v < belt)
        face = tx.shaded(face, 1 - 0.6 * doors)
        mirror = np.clip(
            0.12 + 0.3 * (spots.v - belt) + 0.08 * tx.noise(spots, 3.0, seed, 0.6), 0.02, 1
        )
        face = np.where(glass[:, None], mirror[:, None] * np.array([0.8, 0.9, 1.0], F32), face)
        far = wheels(spots)
        rim = np.where(far < 0.2, 0.35 + 0.2 * tx.noise(spots, 0.4, seed, 0.6), 0.02)
        return np.where((far < wheel + 0.03)[:, None], np.maximum(rim, 0.01)[:, None], face).astype(
            F32
        )

    place.add("card", u, w, 0, (long, 0, high), material, cover=cover, casts=False)
    hull = mt.plain(np.array([0.01, 0.01, 0.01], F32), rng)
    place.add("box", u, w - 0.8, 0.12, (long * 0.94, 1.5, 0.5), hull)
    place.add("box", u - nose * 0.06 * long, w - 0.8, 0.3, (long * 0.45, 1.3, high - 0.5), hull)


def pole(rng: Rng, place: Room, u: float, w: float) -> None:
    grey = mt.plain(tx.neutral(rng, 0.1, 0.6), rng)
    r = rng.uniform(0.06, 0.14)
    place.add("tube", u, w, 0, (r, r, 5), grey)
    if rng.random() < 0.5:
        place.add(
            "box",
            u,
            w + 0.05,
            rng.uniform(1.9, 2.4),
            (0.5, 0.02, 0.5),
            mt.plain(tx.strong(rng), rng),
        )


def bench(rng: Rng, place: Room, u: float, w: float) -> None:
    board, iron = (
        mt.wood(tx.wood_colour(rng), rng),
        mt.plain(np.array([0.03, 0.03, 0.03], F32), rng),
    )
    wide = rng.uniform(1.3, 1.9)
    for k in range(3):
        place.add("box", u, w + 0.1 + 0.13 * k, 0.43, (wide, 0.1, 0.035), board)
        place.add("box", u, w, 0.55 + 0.13 * k, (wide, 0.03, 0.1), board)
    for edge in (-0.4, 0.4):
        place.add("box", u + edge * wide, w + 0.2, 0, (0.06, 0.4, 0.43), iron)


def bin_(rng: Rng, place: Room, u: float, w: float) -> None:
    colour = tx.neutral(rng, 0.08, 0.4) if rng.random() < 0.5 else tx.strong(rng) * 0.5
    form: Form = "tube" if rng.random() < 0.5 else "box"
    place.add(form, u, w, 0, (0.5, 0.5, rng.uniform(0.8, 1.1)), mt.plain(colour, rng, 0.08))


def _scatter(
    rng: Rng,
    place: Room,
    half: float,
    near: float,
    count: int,
    put: Callable[..., None],
    *more: object,
) -> None:
    """Put things at random, but not where the person stands or before it."""
    for _ in range(count):
        w = float(rng.uniform(-4, near))
        u = float(rng.uniform(-half, half))
        x, y, _z = place.point(u, w, 0)
        if y > 0.8 and (abs(x) > 0.5 or y > 2):
            put(rng, place, u, w, *more)


def _street(rng: Rng, place: Room, half: float, distance: float, green: Array) -> None:
    at = -half - rng.uniform(2, 6)
    while at < half + 2:
        wide = rng.uniform(6, 14)
        front = facade(rng, wide)
        setback = rng.uniform(0, 0.4)
        place.add("box", at + wide / 2, -4 - setback, 0, (wide, 8, rng.uniform(6, 14)), front)
        at += wide
    kerb = mt.concrete(rng)
    if distance > 5:
        pavement = _slabs(rng, tx.neutral(rng, 0.4, 0.65))
        place.add("box", 0, 1.2, 0, (60, 2.4, 0.12), pavement, casts=False)
        place.add("box", 0, 2.45, 0, (60, 0.14, 0.125), kerb, casts=False)
        first = rng.uniform(-half, half) - 5.6
        for k in range(int(rng.integers(1, 4)) if distance > 7 and rng.random() < 0.5 else 0):
            car(rng, place, first + 5.6 * k + rng.uniform(-0.3, 0.3), 4.3)
    _scatter(rng, place, half, distance, int(rng.integers(0, 3)), pole)
    _scatter(rng, place, half, distance, int(rng.integers(0, 3)), bin_)
    _scatter(rng, place, half, distance, int(rng.integers(0, 3)), tree, green)


def _wall(rng: Rng, place: Room, half: float, distance: float, green: Array) -> None:
    pick, wide = rng.random(), 2 * half + 8
    high = float(rng.uniform(1.6, 4.5))
    if pick < 0.3:
        hedge(rng, place, 0, 0, wide, high * 0.7, green)
    elif pick < 0.5:
        place.add("card", 0, 0, 0, (wide, 0, high * 0.6), mt.planks(rng, upright=True))
    elif pick < 0.75:
        place.add("box", 0, -0.15, 0, (wide, 0.3, high), mt.bricks(rng))
    elif pick < 0.9:
        place.add("box", 0, -0.15, 0, (wide, 0.3, high), mt.concrete(rng))
    else:
        place.add("box", 0, -3, 0, (wide, 6, 9), facade(rng, wide))
    for _ in range(int(rng.integers(0, 4))):
        u = float(rng.uniform(-half, half))
        pick = rng.random()
        if pick < 0.5:
            bush(rng, place, u, 0.4, green)
        elif pick < 0.75:
            bin_(rng, place, u, 0.4)
        else:
            pole(rng, place, u, 0.3)
    _scatter(rng, place, half + 3, -1.5, int(rng.integers(0, 4)), tree, green)
    if rng.random() < 0.6:
        tree(rng, place, float(rng.uniform(-half, half)), float(rng.uniform(-5, -1.5)), green)


def _park(rng: Rng, place: Room, half: float, distance: float, green: Array) -> None:
    _scatter(rng, place, half + 1, distance, int(rng.integers(2, 7)), tree, green)
    _scatter(rng, place, half, distance, int(rng.integers(0, 4)), bush, green)
    if rng.random() < 0.35:
        hedge(rng, place, 0, -3, 4 * half + 20, float(rng.uniform(0.8, 2.2)), green)
    if rng.random() < 0.35:
        _scatter(rng, place, half, distance - 1, 1, bench)
    if rng.random() < 0.3:
        fence(rng, place, 0, -1, 3 * half + 12)
    if rng.random() < 0.4:
        path = (
            mt.gravel(rng, tx.neutral(rng, 0.45, 0.7), 0.02)
            if rng.random() < 0.6
            else mt.concrete(rng)
        )
        place.add(
            "box",
            0,
            rng.uniform(1, distance),
            0,
            (80, rng.uniform(1.2, 2.5), 0.02),
            path,
            rng.normal(0, 0.3),
            casts=False,
        )


def _wood(rng: Rng, place: Room, half: float, distance: float, green: Array) -> None:
    for _ in range(int(rng.integers(6, 14))):
        w = float(rng.uniform(-14, distance - 1.2))
        spread = half * (1 + max(-w, 0) / (distance + 4))
        thick = rng.uniform(0.12, 0.5)
        place.add("tube", rng.uniform(-spread, spread), w, 0, (thick, thick, 12), bark(rng))
    _scatter(rng, place, half + 1, distance, int(rng.integers(1, 4)), tree, green)
    _scatter(rng, place, half + 2, distance, int(rng.integers(1, 6)), bush, green)


def _beach(rng: Rng, place: Room, half: float, distance: float, green: Array) -> None:
    if rng.random() < 0.4:
        _scatter(rng, place, half + 1, distance, int(rng.integers(1, 4)), bush, green)
    if rng.random() < 0.3:
        fence(rng, place, 0, -2, 3 * half + 10)


def _field(rng: Rng, place: Room, half: float, distance: float, green: Array) -> None:
    _scatter(rng, place, half * 2 + 4, distance, int(rng.integers(0, 4)), tree, green)
    if rng.random() < 0.5:
        fence(rng, place, 0, 0, 3 * half + 15)
    _scatter(rng, place, half + 2, distance, int(rng.integers(0, 4)), bush, green)


def _square(rng: Rng, place: Room, half: float, distance: float, green: Array) -> None:
    _street(rng, place, half, 4.0, green)
    _scatter(rng, place, half, distance, int(rng.integers(0, 3)), bench)
    _scatter(rng, place, half, distance, int(rng.integers(0, 4)), tree, green)


STAND: dict[str, Callable[[Rng, Room, float, float, Array], None]] = {
    "street": _street, "wall": _wall, "park": _park, "wood": _wood,
    "beach": _beach, "field": _field, "square": _square,
}  # fmt: skip
