"""What things are made of: paint, wood, stone, cloth, leaves, books.

A function here draws its numbers once, and returns the material: a function from `Spots` to (n, 3)
linear colours. Lengths are in metres, so a texture has its right size at every distance.
"""

from __future__ import annotations

import numpy as np

from maskmotion.synth.people.scenery.textures import (
    TILE,
    Cover,
    Material,
    Spots,
    _shift,
    cell_hash,
    cloth_colour,
    hsv,
    leaves,
    line,
    mix,
    muted,
    neutral,
    noise,
    paint_colour,
    seed_of,
    shaded,
    stones,
    strong,
    wood_colour,
)

Array = np.ndarray
Rng = np.random.Generator
F32 = np.float32


def plain(colour: Array, rng: Rng, rough: float = 0.03) -> Material:
    """Paint, plastic or metal: almost one colour, with faint stains and roughness."""
    fine, wide = seed_of(rng), seed_of(rng)

    def material(spots: Spots) -> Array:
        stains = 1 + rough * noise(spots, 0.9, fine, 0.95) + rough * noise(spots, 9.0, wide, 0.4)
        return shaded(colour, stains)

    return material


def wood(colour: Array, rng: Rng, upright: bool = False) -> Material:
    """Boards with grain along u, or along v."""
    seed, strength = seed_of(rng), rng.uniform(0.06, 0.22)

    def material(spots: Spots) -> Array:
        s = spots if upright else Spots(spots.v, spots.u, spots.size)
        grain = noise(s, 0.7, seed, 0.8, stretch=14)
        wide = noise(s, 3.0, seed + 5, 0.6, stretch=5)
        return shaded(colour, 1 + strength * (0.7 * grain + 0.5 * wide))

    return material


def planks(rng: Rng, upright: bool = False) -> Material:
    """Boards side by side, each of its own shade; upright ones have no joints at their ends."""
    colour = wood_colour(rng)
    width, length = rng.uniform(0.07, 0.22), 9.0 if upright else rng.uniform(0.7, 2.4)
    seed, grain = seed_of(rng), rng.uniform(0.05, 0.18)
    differ, gap = rng.uniform(0.03, 0.16), rng.uniform(0.002, 0.006)

    def material(spots: Spots) -> Array:
        u, v = (spots.v, spots.u) if upright else (spots.u, spots.v)
        row = np.floor(v / width)
        along = u / length + cell_hash(row, row, seed)
        board = np.floor(along)
        own = cell_hash(row, board, seed + 1)
        turned = Spots(v + own * 5, u + own * 9, spots.size)
        lines = noise(turned, 0.6, seed, 0.82, stretch=16)
        shade = 1 + differ * (own - 0.5) * 3 + grain * lines
        to_side = np.abs(v / width - row - 0.5) * width - width / 2
        to_end = np.abs(along - board - 0.5) * length - length / 2
        dark = np.maximum(line(to_side, gap, spots.size), line(to_end, gap, spots.size))
        return shaded(colour, shade * (1 - 0.7 * dark))

    return material


def tiles(rng: Rng, colour: Array | None = None) -> Material:
    """Square or long tiles with joints."""
    if colour is None:
        colour = neutral(rng, 0.3, 0.9)
        if rng.random() < 0.2:
            colour = hsv(rng.random(), rng.uniform(0.08, 0.35), rng.uniform(0.3, 0.8))
    other = colour * rng.uniform(0.25, 1) if rng.random() < 0.12 else colour
    width = rng.uniform(0.08, 0.6)
    height = width * rng.choice([1, 1, 0.5, 0.33])
    joint, shift = rng.uniform(0.003, 0.012), rng.choice([0, 0, 0.5])
    joint_colour = neutral(rng, 0.35, 0.85)
    seed, differ = seed_of(rng), rng.uniform(0.01, 0.07)
    marble = rng.uniform(0.0, 0.09)

    def material(spots: Spots) -> Array:
        row = np.floor(spots.v / height)
        across = spots.u / width + shift * row
        column = np.floor(across)
        own = cell_hash(row, column, seed)
        moved = Spots(spots.u + own * 7, spots.v, spots.size)
        shade = 1 + differ * (own - 0.5) * 2 + marble * noise(moved, 1.1, seed, 0.7)
        face = mix(colour, other, ((row + column) % 2).astype(F32))
        in_u = np.abs(across - column - 0.5) * width - width / 2
        in_v = np.abs(spots.v / height - row - 0.5) * height - height / 2
        joints = np.maximum(line(in_u, joint, spots.size), line(in_v, joint, spots.size))
        return mix(shaded(face, shade), joint_colour, joints)

    return material


def bricks(rng: Rng, colour: Array | None = None) -> Material:
    """Bricks in mortar, rough, lit from above."""
    red = hsv(rng.uniform(0.01, 0.06), rng.uniform(0.3, 0.65), rng.uniform(0.35, 0.65))
    base = colour if colour is not None else red if rng.random() < 0.65 else neutral(rng, 0.4, 0.9)
    painted = colour is None and rng.random() < 0.25
    mortar = base * 0.8 if painted else neutral(rng, 0.4, 0.75)
    height, ratio = rng.uniform(0.06, 0.09), rng.uniform(2.6, 3.4)
    joint, seed = rng.uniform(0.008, 0.014), seed_of(rng)
    differ, rough = (0.05, 0.06) if painted else (rng.uniform(0.15, 0.4), rng.uniform(0.1, 0.2))

    def material(spots: Spots) -> Array:
        wobble = 0.003 * noise(spots, 0.8, seed, 0.6)
        v, u = spots.v + wobble, spots.u + wobble
        row = np.floor(v / height)
        across = u / (height * ratio) + 0.5 * (row % 2)
        column = np.floor(across)
        own = cell_hash(row, column, seed)
        shade = 1 + differ * (own - 0.5) * 2 + rough * noise(spots, 0.5, seed + 3, 0.85)
        shade += 0.1 * noise(spots, 6.0, seed + 4, 0.6)
        high = (v / height - row - 0.5) * height
        in_v = np.abs(high) - height / 2
        in_u = (np.abs(across - column - 0.5) - 0.5) * height * ratio
        joints = np.maximum(line(in_u, joint, spots.size), line(in_v, joint, spots.size))
        under = line(high + height / 2 - joint, joint, spots.size)  # the edge's own shadow
        face = shaded(base, shade * (1 - 0.3 * under))
        return mix(face, mortar * 0.8, joints)

    return material


def concrete(rng: Rng, colour: Array | None = None) -> Material:
    """Plaster, concrete or asphalt: stains at all scales, and grit."""
    colour = neutral(rng, 0.35, 0.75) if colour is None else colour
    seed, stains, grit = seed_of(rng), rng.uniform(0.05, 0.16), rng.uniform(0.03, 0.12)

    def material(spots: Spots) -> Array:
        shade = 1 + stains * noise(spots, 5.0, seed, 0.65) + grit * noise(spots, 0.6, seed + 1, 1.1)
        return shaded(colour, shade)

    return material


def carpet(rng: Rng, colour: Array | None = None) -> Material:
    """Pile: fine grain with soft lighter and darker areas."""
    if colour is None:
        colour = neutral(rng, 0.12, 0.7)
        if rng.random() < 0.25:
            colour = hsv(rng.random(), rng.uniform(0.1, 0.35), rng.uniform(0.2, 0.5))
    seed, grain = seed_of(rng), rng.uniform(0.08, 0.25)

    def material(spots: Spots) -> Array:
        shade = 1 + grain * noise(spots, 0.7, seed, 1.15) + 0.07 * noise(spots, 4.0, seed + 1, 0.6)
        return shaded(colour, shade)

    return material


def woven(rng: Rng, colour: Array | None = None) -> Material:
    """Upholstery: threads, wrinkles, sometimes stripes or checks."""
    colour = cloth_colour(rng) if colour is None else colour
    other = cloth_colour(rng) if rng.random() < 0.25 else colour
    pitch, checked, seed = rng.uniform(0.03, 0.15), rng.random() < 0.5, seed_of(rng)

    def material(spots: Spots) -> Array:
        up = (np.floor(spots.v / pitch) % 2) * 0.5
        across = (np.floor(spots.u / pitch) % 2) * (0.5 if checked else 1.0)
        face = mix(colour, other, (across + (up if checked else 0)).astype(F32))
        wrinkles = noise(spots, 1.6, seed, 0.55)
        return shaded(face, 1 + 0.07 * wrinkles + 0.06 * noise(spots, 0.4, seed + 2, 1.1))

    return material


def wallpaper(rng: Rng) -> Material:
    """Stripes or a repeated motif, one shade apart."""
    colour = paint_colour(rng)
    other = colour * rng.uniform(0.6, 1.25) if rng.random() < 0.8 else muted(rng, 0.4, 0.9)
    other = np.minimum(other, 0.9)
    pitch, stripes, seed = rng.uniform(0.06, 0.4), rng.random() < 0.45, seed_of(rng)
    share = rng.uniform(0.2, 0.5)

    def material(spots: Spots) -> Array:
        column = np.floor(spots.u / pitch)
        across = spots.u / pitch - column
        if stripes:
            figure = line((across - 0.5) * pitch, share * pitch, spots.size)
        else:
            up = spots.v / pitch + 0.5 * (column % 2)
            # one motif, mirrored about its middle, repeated
            local = Spots(np.abs(across - 0.5), up - np.floor(up), spots.size / F32(pitch))
            figure = np.clip(0.5 + 1.6 * (noise(local, 4.0, seed, 0.55) - 0.4), 0, 1)
        plain_shade = 1 + 0.02 * noise(spots, 3.0, seed, 0.7)
        return shaded(mix(colour, other, figure), plain_shade)

    return material


def panels(rng: Rng) -> Material:
    """Wainscot: raised frames on a painted wall."""
    colour, seed = paint_colour(rng), seed_of(rng)
    width, height = rng.uniform(0.4, 1.1), rng.uniform(0.6, 1.4)
    inset, bevel = rng.uniform(0.06, 0.12), rng.uniform(0.012, 0.03)

    def material(spots: Spots) -> Array:
        u = spots.u / width
        v = spots.v / height
        x, y = (u - np.floor(u) - 0.5) * width, (v - np.floor(v) - 0.5) * height
        outside = np.maximum(np.abs(x) - width / 2 + inset, np.abs(y) - height / 2 + inset)
        frame = line(outside, bevel, spots.size)
        lit = np.sign(-y) * (np.abs(y) - height / 2 > np.abs(x) - width / 2) + 0.3 * np.sign(x)
        return shaded(colour, (1 + 0.25 * frame * lit) * (1 + 0.02 * noise(spots, 2.0, seed, 0.7)))

    return material


def curtain(rng: Rng, colour: Array | None = None) -> Material:
    """Hanging folds."""
    colour = cloth_colour(rng) if colour is None else colour
    seed, pitch, deep = seed_of(rng), rng.uniform(0.08, 0.25), rng.uniform(0.25, 0.6)

    def material(spots: Spots) -> Array:
        # folds run down, and wander a little: noise that is stretched very long in v
        bent = Spots(spots.u + 0.012 * noise(spots, 6.0, seed, 0.4), spots.v, spots.size)
        folds = noise(bent, pitch * 16, seed, 0.55, stretch=20)
        ripple = np.abs(2 * ((bent.u / pitch + 0.35 * folds) % 1) - 1)
        light = 1 - deep * (1 - ripple) ** 1.5 + 0.12 * folds
        return shaded(colour, light * (1 + 0.04 * noise(spots, 0.5, seed, 1.0)))

    return material


def foliage(rng: Rng, colour: Array, leaf: float = 0.05) -> tuple[Material, Cover]:
    """Leaves of about `leaf` m, and where there are any."""
    seed = seed_of(rng)
    scale = F32(TILE / (leaf * 40))
    other = np.clip(colour * np.array([1.5, 1.15, 0.8], F32), 0, 1)
    shift = _shift(seed)

    def texels(spots: Spots) -> Array:
        size = spots.size * scale
        return leaves().at(spots.u * scale + shift[0], spots.v * scale + shift[1], size)

    def material(spots: Spots) -> Array:
        bright, own, _ = texels(spots).T
        clumps = noise(spots, leaf * 60, seed, 0.62)
        shade = (0.12 + 1.9 * bright) * np.exp(0.45 * clumps)
        return shaded(mix(colour, other, own), np.minimum(shade, 3.5))

    def cover(spots: Spots) -> Array:
        return texels(spots)[:, 2] + 0.6 * noise(spots, leaf * 35, seed + 1, 0.72)

    return material, cover


def fronds(rng: Rng, colour: Array, half: float, high: float) -> tuple[Material, Cover]:
    """Long leaves that bend out of one point at the bottom: a palm, a lily, a spider plant."""
    count = int(rng.integers(7, 18))
    lean = np.sort(rng.uniform(-1.25, 1.25, count))
    lean = lean[rng.permutation(count)]
    long = high * rng.uniform(0.6, 1.0, count) * (1 - 0.25 * np.abs(lean))
    droop, broad = rng.uniform(0.1, 0.9) * np.sign(lean), rng.uniform(0.04, 0.12)
    own = rng.uniform(0.45, 1.5, count)
    seed = seed_of(rng)

    def leaf(spots: Spots) -> tuple[Array, Array]:
        """(n,) number of the leaf on top or -1, and how far to its one side, -1 to 1."""
        top, side = np.full(len(spots.u), -1, np.int32), np.zeros_like(spots.u)
        for k in range(count):
            c, s = F32(np.cos(lean[k])), F32(np.sin(lean[k]))
            along = (s * spots.u + c * spots.v) / F32(long[k])
            across = (c * spots.u - s * spots.v) / F32(long[k]) - F32(0.35 * droop[k]) * along**2
            width = F32(broad) * np.sqrt(np.clip(along * (1 - along), 0, 1)) * 2 + F32(1e-4)
            here = (np.abs(across) < width) & (along > 0) & (along < 1)
            top = np.where(here, k, top)
            side = np.where(here, across / width, side)
        return top, side

    def material(spots: Spots) -> Array:
        top, side = leaf(spots)
        rib = np.clip(1 - np.abs(side) * 6, 0, 1)
        shade = own[np.maximum(top, 0)] * (0.85 + 0.3 * np.sign(side) + 0.3 * rib)
        low = np.clip(0.35 + 0.9 * spots.v / high, 0, 1)
        return shaded(colour, shade * low * (1 + 0.1 * noise(spots, 0.6, seed, 0.8)))

    def cover(spots: Spots) -> Array:
        return (leaf(spots)[0] >= 0).astype(F32)

    return material, cover


def books(rng: Rng, shelf: float) -> Material:
    """Backs of books that stand on boards `shelf` m apart, with gaps and things between."""
    seed, width = seed_of(rng), rng.uniform(0.025, 0.05)
    palette = np.stack([cloth_colour(rng) for _ in range(12)])
    dark, full = np.array([0.02, 0.018, 0.015], F32), rng.uniform(0.6, 0.97)

    def material(spots: Spots) -> Array:
        row = np.floor(spots.v / shelf)
        high = spots.v / shelf - row
        u = spots.u + 0.31 * row
        slot = np.floor(u / width)
        edge = (0.6 * cell_hash(slot, row, seed) - 0.3) * width  # widths differ
        slot -= u < slot * width + edge
        left = slot * width + (0.6 * cell_hash(slot, row, seed) - 0.3) * width
        right = (slot + 1) * width + (0.6 * cell_hash(slot + 1, row, seed) - 0.3) * width
        own = cell_hash(slot, row, seed + 1)
        group = cell_hash(np.floor(slot / 7), row, seed + 2)
        tall = 0.55 + 0.2 * group + 0.2 * cell_hash(slot, row, seed + 3)
        face = palette[(own * 12).astype(int)]
        label = line((high - 0.55 * tall) * shelf, shelf * 0.12 * own, spots.size)
        face = mix(face, palette[(own * 97 % 12).astype(int)], label * (own > 0.4))
        across = (u - left) / np.maximum(right - left, 1e-3)
        rounded = 0.55 + 1.8 * across * (1 - across)
        deep = np.clip(1.15 - 0.5 * high, 0, 1)  # the board above keeps light off
        there = (high < tall) & (group < full)
        return np.where(there[:, None], shaded(face, rounded * deep), dark).astype(F32)

    return material


def artwork(rng: Rng, width: float, height: float) -> Material:
    """What hangs on walls: photographs of nothing, bold shapes, print on white."""
    seed, kind = seed_of(rng), rng.integers(3)
    first = strong(rng) if rng.random() < 0.25 else muted(rng, 0.15, 0.7)
    palette = np.stack([first, muted(rng), neutral(rng, 0.1, 0.95), muted(rng, 0.1, 0.6)])
    border = rng.choice([0, 0.03, 0.08])
    paper = neutral(rng, 0.75, 0.95)
    scale = float(rng.uniform(0.5, 1.6)) * max(width, height)

    def material(spots: Spots) -> Array:
        if kind == 2:  # rows of print
            row = np.floor(spots.v / 0.03)
            ink = (cell_hash(row, np.floor(spots.u / 0.012), seed) > 0.35) & (row % 3 > 0)
            short = np.abs(spots.u) < width * (0.25 + 0.2 * cell_hash(row, row, seed))
            blur = np.clip(0.02 / spots.size - 0.5, 0, 1) * 0.8
            face = mix(paper, palette[3], (ink & short) * blur)
        else:
            fall = 0.5 if kind == 0 else 0.7
            a, b = noise(spots, scale * 3, seed, fall), noise(spots, scale * 2, seed + 9, fall)
            steps = np.clip(3 * a, 0, 1) if kind == 0 else (a > 0).astype(F32)
            face = mix(palette[0], palette[1], steps)
            face = mix(face, palette[2], np.clip(4 * (b - 0.6), 0, 1))
            face = mix(face, palette[3], np.clip(2 * (a - b - 0.5), 0, 1) * 0.8)
            face = shaded(face, np.exp(0.25 * noise(spots, scale, seed + 4, 0.8)))
            sky = np.clip(spots.v / height * 1.4 - 0.6, 0, 1) if kind == 0 else 0 * a
            face = mix(face, palette[2], sky.astype(F32))
        inner = (np.abs(spots.u) < width / 2 - border) & (
            np.abs(spots.v - height / 2) < height / 2 - border
        )
        return np.where(inner[:, None], face, paper).astype(F32)

    return material


def gravel(rng: Rng, colour: Array, grain: float) -> Material:
    """Stones of about `grain` m, or a cobbled street."""
    seed = seed_of(rng)
    scale = F32(TILE / (grain * 32))
    shift, differ = _shift(seed), rng.uniform(0.3, 0.7)

    def material(spots: Spots) -> Array:
        size = spots.size * scale
        own, middle = stones().at(spots.u * scale + shift[0], spots.v * scale + shift[1], size).T
        shade = (1 + differ * (own - 0.5)) * (0.35 + 0.65 * middle)
        shade *= 1 + 0.12 * noise(spots, 6.0, seed, 0.65) + 0.08 * noise(spots, 0.4, seed, 0.9)
        return shaded(colour, 1.3 * shade)

    return material


def grass(rng: Rng, colour: Array, eye: tuple[float, float]) -> Material:
    """Blades, which look longer the flatter one looks, with bare and dry patches.

    Args:
        eye: (x, y) m of the camera over the ground.
    """
    seed, dry = seed_of(rng), colour * np.array([1.7, 1.1, 1.0], F32)
    earth = hsv(rng.uniform(0.07, 0.1), 0.4, rng.uniform(0.3, 0.5))
    bare, patch = rng.uniform(0.8, 3.0), rng.uniform(0.05, 0.3)

    def material(spots: Spots) -> Array:
        x, y = spots.u - eye[0], spots.v - eye[1]
        far = np.hypot(x, y)
        # blades stand up, so on the ground they are smeared away from the eye
        upright = Spots(x / np.maximum(far, 0.5) * 6, far, spots.size * 0.5)
        blades = noise(upright, 1.2, seed, 1.0, stretch=3) + noise(spots, 0.5, seed + 1, 1.0)
        wide = noise(spots, 9.0, seed + 2, 0.65)
        fade = np.clip(0.03 / np.maximum(spots.size, 1e-3), 0.3, 1)
        shade = np.exp(0.36 * fade * blades + 0.18 * wide)
        face = mix(colour, dry, np.clip(patch * (1 + noise(spots, 5.0, seed + 3, 0.7)), 0, 1))
        face = mix(face, earth, np.clip(wide + 0.3 * blades - bare, 0, 1))
        return shaded(face, np.minimum(shade, 3.0))

    return material
