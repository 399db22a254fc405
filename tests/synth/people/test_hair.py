from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest

pytest.importorskip("anny")

from maskmotion.synth.people.body import Body, make_body
from maskmotion.synth.people.figure import Piece, assemble, faces_normals
from maskmotion.synth.people.hair import STYLES, Hair, draw_hair, hair_pieces
from maskmotion.synth.people.hair.beard import BEARDS
from maskmotion.synth.people.hair.headwear import GLASSES, HEADWEAR
from maskmotion.synth.people.hair.scalp import Head, hairline_deg, measure_head
from maskmotion.synth.people.person import draw_traits
from maskmotion.synth.people.seeding import stream

PLAIN = Hair(
    style="crew", length=0.5, volume=0.5, curl=0.0, parting=0.3, fringe=0.0, recession=0.2,
    colour=(0.3, 0.2, 0.15), tips=(0.35, 0.25, 0.2), grey=0.1, beard="none", beard_length=0.3,
    beard_colour=(0.3, 0.2, 0.12), headwear="none",
    headwear_colours=((0.2, 0.3, 0.4), (0.5, 0.1, 0.1)), glasses="none",
    glasses_colour=(0.1, 0.1, 0.1), seed=7,
)  # fmt: skip
PEOPLE = ("middle", "thin", "heavy", "old", "young")


@functools.cache
def body_like(name: str) -> Body:
    shape = {"gender": 0.5, "age": 0.67, "muscle": 0.5, "weight": 0.5, "height": 0.5}
    extremes = {
        "thin": {"weight": 0.12, "muscle": 0.1, "gender": 1.0, "asian": 1.0},
        "heavy": {"weight": 0.95, "muscle": 0.9, "gender": 0.0, "african": 1.0},
        "old": {"age": 1.0, "gender": 0.0, "caucasian": 1.0},
        "young": {"age": 0.67, "gender": 1.0, "height": 0.1, "african": 1.0},
    }
    changes = {"heavy": {"head-fat-incr": 0.8}, "thin": {"head-scale-vert-incr": 0.7}}
    return make_body(shape | extremes.get(name, {}), changes.get(name, {}))


@functools.cache
def head_of(name: str) -> Head:
    return measure_head(body_like(name))


def pieces_of(name: str = "middle", **changes: object) -> list[Piece]:
    return _pieces_of(name, tuple(changes.items()))


@functools.cache
def _pieces_of(name: str, changes: tuple[tuple[str, object], ...]) -> list[Piece]:
    return hair_pieces(body_like(name), dataclasses.replace(PLAIN, **dict(changes)))


def looks() -> list[dict[str, object]]:
    """Each style, beard, headwear and pair of glasses at least once."""
    styles = [{"style": s, "recession": 2.0 if s == "wreath" else 0.2} for s in STYLES]
    beards = [{"beard": b, "beard_length": 0.8} for b in BEARDS]
    worn = [{"headwear": h, "style": s} for h in HEADWEAR for s in ("side", "long")]
    return styles + beards + worn + [{"glasses": g} for g in GLASSES]


def hits(piece: Piece, origin: np.ndarray, way: np.ndarray) -> bool:
    """Whether a ray meets a piece."""
    a, b, c = (piece.vertices[piece.faces[:, k]].astype(float) - origin for k in range(3))
    volumes = np.stack([np.cross(b, c) @ way, np.cross(c, a) @ way, np.cross(a, b) @ way], 1)
    inside = (volumes >= 0).all(1) | (volumes <= 0).all(1)
    ahead = np.einsum("fa,fa->f", volumes, np.stack([a @ way, b @ way, c @ way], 1))
    return bool((inside & (ahead * volumes.sum(1) > 0)).any())


def test_same_seed_same_hair() -> None:
    traits = draw_traits(3)
    first, again = (draw_hair(stream("hair", 3), traits) for _ in range(2))
    other = draw_hair(stream("hair", 4), traits)
    assert first == again
    assert first != other
    assert json.loads(json.dumps(dataclasses.asdict(first)))["seed"] == first.seed
    hair = dataclasses.replace(PLAIN, style="curls", beard="full")
    both = [hair_pieces(body_like("middle"), hair) for _ in range(2)]
    for one, two in zip(*both, strict=True):
        assert np.array_equal(one.vertices, two.vertices)
        assert np.array_equal(one.aux, two.aux)
        assert np.array_equal(one.textures["albedo"], two.textures["albedo"])


@pytest.mark.parametrize("name", PEOPLE)
def test_every_look_on_every_head(name: str) -> None:
    body = body_like(name)
    for look in looks():
        pieces = pieces_of(name, **look)
        for piece in pieces:
            for values in (piece.vertices, piece.weights, piece.aux, piece.coordinates):
                assert np.isfinite(values).all(), look
            assert np.abs(piece.weights.sum(1) - 1).max() < 1e-4, look
            assert piece.weights.min() >= 0, look
            assert piece.faces.max() < len(piece.vertices), look
        if pieces:
            normals = assemble(body, pieces).rest_normals()
            length = np.linalg.norm(normals, axis=1)
            assert np.mean(length > 0.99) > 0.98, look  # not folded flat


@pytest.mark.parametrize("name", PEOPLE)
def test_nothing_inside_the_skull(name: str) -> None:
    head = head_of(name)
    for look in looks():
        for piece in pieces_of(name, **look):
            step = piece.vertices - head.middle
            distance = np.linalg.norm(step, axis=1)
            elevation = np.degrees(np.arcsin(step[:, 2] / distance))
            azimuth = np.degrees(np.arctan2(step[:, 0], -step[:, 1]))
            above = elevation > hairline_deg(azimuth, 0.0) + 3
            skull = np.linalg.norm(head.on_skull(azimuth, elevation) - head.middle, axis=1)
            deepest = (skull - distance)[above].max(initial=0.0)
            assert deepest < 0.004, (look, piece.material)


@pytest.mark.parametrize("name", PEOPLE)
def test_eyes_are_uncovered(name: str) -> None:
    head = head_of(name)
    spots = [(x, z) for x in (-0.011, 0, 0.011) for z in (-0.006, 0, 0.004)]
    fringed = [{"style": s, "fringe": 1.0} for s in ("side", "curls", "bob", "long", "ponytail")]
    for look in looks() + fringed:
        if "glasses" in look:
            continue
        pieces = pieces_of(name, **look)
        for eye in head.eyes:
            for x, z in spots:
                origin = eye + np.array([x, 0, z])
                met = [p.material for p in pieces if hits(p, origin, np.array([0, -1.0, 0]))]
                assert not met, (look, x, z)


def test_hair_covers_the_back_of_the_skull() -> None:
    head = head_of("middle")
    for style in STYLES:
        if style in ("bald", "wreath"):
            continue
        pieces = pieces_of(style=style)
        for azimuth, elevation in ((180, 0), (130, 30), (90, 60), (-120, 20), (0, 70)):
            place = head.on_skull(np.array(azimuth), np.array(elevation)).astype(float)
            way = (place - head.middle) / np.linalg.norm(place - head.middle)
            assert any(hits(p, place, way) for p in pieces), (style, azimuth, elevation)


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("beard", BEARDS)
def test_beards_grow_below_the_nose(name: str, beard: str) -> None:
    head = head_of(name)
    grown = [p for p in pieces_of(name, style="bald", beard=beard) if p.follows is not None]
    assert len(grown) == 2
    for piece in grown:
        x, y, z = piece.vertices.T
        before = (np.abs(x) < 0.03) & (y < head.eyes[0, 1]) & (piece.aux[:, 0] < 0.95)
        assert z[before].max() < head.nose[2] + 0.007  # the tip's height; some noses droop
        # It moves with the jaw: what grows on the chin follows vertices that opening it moves.
        body = body_like(name)
        assert np.isin(piece.follows, body.acting).mean() > 0.5


def test_faces_look_outwards() -> None:
    head = head_of("middle")
    for look in looks():
        for piece in pieces_of(**look):
            across = faces_normals(piece.vertices, piece.faces)
            centre = piece.vertices[piece.faces].mean(1)
            away = centre - head.middle
            away[:, 2] *= centre[:, 2] > head.middle[2]
            # By area; what hangs behind a shoulder, buns, braids and tubes have two sides.
            outward = np.einsum("fa,fa->f", across, away) > 0
            area = np.linalg.norm(across, axis=1)
            two_sided = look.get("glasses") or look.get("headwear") in ("hat", "cap")
            assert (outward * area).sum() > (0.45 if two_sided else 0.62) * area.sum(), look


def test_few_triangles() -> None:
    for look in looks():
        assert sum(len(p.faces) for p in pieces_of(**look)) <= 9000, look
    drawn = []
    for seed in range(30):
        traits = draw_traits(seed)
        hair = draw_hair(stream("hair", seed), traits)
        drawn.append(sum(len(p.faces) for p in hair_pieces(body_like("middle"), hair)))
    assert np.mean(drawn) < 6000


def test_looks_vary_with_the_person() -> None:
    people = [draw_traits(seed) for seed in range(300)]
    drawn = [(t, draw_hair(stream("hair", n), t)) for n, t in enumerate(people)]
    assert {h.style for _, h in drawn} == set(STYLES)
    assert not any(h.beard != "none" for t, h in drawn if t.gender > 0.5)
    grey = [(t.age_years > 60, h.grey) for t, h in drawn if t.gender < 0.5]
    old = np.mean([g for aged, g in grey if aged])
    young = np.mean([g for aged, g in grey if not aged])
    assert old > young + 0.2
