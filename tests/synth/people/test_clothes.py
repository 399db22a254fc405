"""Clothes: cut where a tailor would, over one another, and hiding the body under them."""

from dataclasses import asdict, replace

import numpy as np
import pytest

pytest.importorskip("anny")

from maskmotion.synth.people.body import make_body, parts
from maskmotion.synth.people.clothes import (
    Garment,
    Outfit,
    clothes_pieces,
    draw_outfit,
    inside,
    measure,
)
from maskmotion.synth.people.clothes.cloth import (
    PATTERNS,
    draw_cloth,
    paint_cloth,
    paint_print,
    paint_relief,
)
from maskmotion.synth.people.person import draw_traits


@pytest.fixture(scope="module")
def body():
    return make_body({"gender": 0.5, "age": 0.7}, {})


@pytest.fixture(scope="module")
def places(body):
    return measure(body, body.vertices, body.weights)


def cloth(use="top", seed=0):
    return draw_cloth(np.random.default_rng(seed), use)


def on_body(mask):
    """Of all vertices, those of the body itself."""
    chosen = np.zeros(len(mask), bool)
    chosen[np.unique(parts().faces["body"])] = True
    return chosen & mask


def near(body, bone):
    """Vertices that bend with a bone alone."""
    return on_body(body.weights[:, body.skeleton.index(bone)] > 0.8)


@pytest.mark.parametrize(
    ("sleeves", "bare", "covered"),
    [
        (0.25, "lowerarm01.L", "spine02"),
        (0.25, "wrist.R", "spine02"),
        (0.97, "finger2-2.R", "lowerarm01.R"),
    ],
)
def test_a_top_covers_the_trunk_and_the_arms_down_to_its_sleeves(
    body, places, sleeves, bare, covered
):
    edge = inside(Garment("top", cloth(), sleeves, hem=1.0), places)
    assert (edge[near(body, covered)] > 0).all()
    assert (edge[near(body, bare)] < 0).all()
    assert (edge[near(body, "head")] < 0).all()
    assert (edge[near(body, "lowerleg01.L")] < 0).all()


@pytest.mark.parametrize(("legs", "covered"), [(1.0, True), (0.62, False)])
def test_trousers_end_where_they_should(body, places, legs, covered):
    edge = inside(Garment("trousers", cloth(), legs), places)
    assert ((edge[near(body, "lowerleg02.L")] > 0).mean() > 0.9) == covered
    assert (edge[near(body, "upperleg02.R")] > 0).all()
    assert (edge[near(body, "toe2-2.L")] < 0).all()
    assert (edge[near(body, "spine01")] < 0).all()
    assert (edge[near(body, "wrist.L")] < 0).all()


@pytest.mark.parametrize("neck", ["crew", "v", "scoop", "boat", "turtle"])
def test_necklines_differ_in_depth(body, places, neck):
    depth = {"turtle": -0.07, "crew": 0.03, "boat": 0.03, "scoop": 0.11, "v": 0.16}[neck]
    edge = inside(Garment("top", cloth(), neck=neck), places)
    neck_at = places.points[:, 2] - places.neck
    middle = on_body(
        (np.abs(places.points[:, 0]) < 0.02) & (places.points[:, 1] < places.neck_y - 0.04)
    )
    skin = middle & (neck_at > -0.3) & (edge < 0) & (neck_at < 0.05)
    assert (neck_at[skin].min() if skin.any() else 0.05) == pytest.approx(0.015 - depth, abs=0.04)


def test_the_body_is_hidden_under_clothes_only(body, places):
    outfit = Outfit((Garment("top", cloth()), Garment("trousers", cloth("trousers"))))
    _, hidden = clothes_pieces(body, outfit)
    assert hidden[near(body, "spine02")].all()
    assert hidden[near(body, "upperleg02.L")].all()
    for bone in ("head", "wrist.L", "finger1-2.R", "toe1-1.R"):
        assert not hidden[near(body, bone)].any()


def test_what_is_worn_over_something_lies_outside_it(body):
    cloths = cloth()
    loose = Garment("trousers", cloths, looseness=1.0, taper=-0.05)
    tight = Garment("top", cloths, looseness=0.0, thickness=0.002, hem=1.0)
    pieces, _ = clothes_pieces(body, Outfit((loose, tight)))
    under, over = pieces
    waist = over.aux[:, 0] > 0.02
    below = waist & (over.vertices[:, 2] < measure(body, over.vertices, over.weights).waist - 0.05)
    trunk = body.skeleton.heads[body.skeleton.index("root")][:2]
    checked = 0
    for vertex in over.vertices[below]:
        level = np.abs(under.vertices[:, 2] - vertex[2]) < 0.012
        away = under.vertices[level, :2] - trunk
        mine = vertex[:2] - trunk
        aligned = away @ mine / np.linalg.norm(away, axis=1) / np.linalg.norm(mine) > 0.995
        if aligned.any():
            checked += 1
            assert np.linalg.norm(mine) > np.linalg.norm(away[aligned], axis=1).min() - 0.005
    assert checked > 20


def test_loose_clothes_are_wider_and_never_inside_the_body(body):
    def shell(looseness):
        garment = Garment("top", cloth(), looseness=looseness, hem=1.0)
        (piece,), _ = clothes_pieces(body, Outfit((garment,)))
        return piece.vertices

    tight, loose = shell(0.0), shell(1.0)
    assert np.linalg.norm(loose - tight, axis=1).max() > 0.02
    belly = np.abs(tight[:, 2] - 0.62 * body.vertices[:, 2].max()) < 0.1
    width = [np.ptp(v[belly & (np.abs(tight[:, 0]) < 0.25), 1]) for v in (tight, loose)]
    assert width[1] >= width[0]


@pytest.mark.parametrize("seed", range(8))
def test_every_outfit_can_be_worn_by_anybody(seed):
    traits = draw_traits(seed)
    outfit = draw_outfit(np.random.default_rng(seed), traits)
    kinds = [garment.kind for garment in outfit.garments]
    assert "shoes" in kinds
    assert "top" in kinds
    assert ("skirt" in kinds) != ("trousers" in kinds)
    body = make_body(traits.phenotype, traits.changes)
    pieces, hidden = clothes_pieces(body, outfit)
    assert len(pieces) == len(outfit.garments)
    for piece in pieces:
        assert np.isfinite(piece.vertices).all()
        assert piece.weights.sum(1) == pytest.approx(np.ones(len(piece.weights)), abs=1e-4)
        assert (piece.aux[:, 0] > 0).any()
    assert 0.2 < on_body(hidden).sum() / on_body(np.ones_like(hidden)).sum() < 0.9
    again, _ = clothes_pieces(body, draw_outfit(np.random.default_rng(seed), traits))
    assert all(np.array_equal(a.vertices, b.vertices) for a, b in zip(pieces, again, strict=True))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_repeat_without_a_seam(pattern):
    made = replace(cloth(), pattern=pattern, weave=0.0)
    assert asdict(made)["pattern"] == pattern
    picture = paint_cloth(made).astype(int)
    inner = np.abs(np.diff(picture, axis=1)).mean((0, 2))
    seam = np.abs(picture[:, 0] - picture[:, -1]).mean()
    assert seam <= inner.max() + 2
    assert paint_relief(made)[..., :2].mean() == pytest.approx(127.5, abs=3)


def test_a_print_is_only_there_when_drawn():
    assert not paint_print(replace(cloth(), print_seed=-1))[..., 3].any()
    assert paint_print(replace(cloth(), print_seed=5))[..., 3].any()
