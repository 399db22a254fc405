"""Skin, eyes and mouth: plausible colours in the right places, and no face that none can see."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

pytest.importorskip("anny")

from maskmotion.synth.people.body import make_body, parts
from maskmotion.synth.people.camera import Camera
from maskmotion.synth.people.figure import assemble, faces_normals
from maskmotion.synth.people.light import Light
from maskmotion.synth.people.person import draw_traits
from maskmotion.synth.people.render import Grade, Renderer
from maskmotion.synth.people.seeding import stream
from maskmotion.synth.people.skin import draw_skin, skin_pieces
from maskmotion.synth.people.skin.atlas import atlas, average, corner_places, cover

HAIR = (0.2, 0.13, 0.08)
GREEN = np.full((8, 8, 4), (0, 255, 0, 255), np.uint8)
LIGHT = Light((0.3, -0.8, 0.52), (1.5, 1.5, 1.5), (0.6, 0.6, 0.6), (0.3, 0.3, 0.3), 0.8, False)
CHEEK, UPPER_LIP, BROW, FOREHEAD = (0.041, 1.683), (0.0, 1.652), (0.03, 1.7432), (0.0, 1.79)
PEOPLE = range(64)


def skin_of(seed):
    return draw_skin(stream("skin", seed), draw_traits(seed), HAIR)


def body_of(seed):
    traits = draw_traits(seed)
    return make_body(traits.phenotype, traits.changes)


def pieces(seed=3, hidden=None, **changes):
    return skin_pieces(body_of(seed), replace(skin_of(seed), **changes), hidden)


def paint(**changes):
    """The skin's picture of somebody with an even skin and no paint."""
    plain = {"stubble": 0.0, "freckles": 0.0, "moles": 0, "spots": 0.0, "blotches": 0.0}
    plain |= {"lipstick": ((0.0, 0.0, 0.0), 0.0), "melanin": 0.3, "lines": 0.0}
    return pieces(**(plain | changes))[0].textures["albedo"]


def texels():
    """(V, 2) px of the body's vertices in the skin's picture."""
    at = np.zeros((len(average().vertices), 2), int)
    spots = corner_places(atlas().coordinates)[parts().corners["body"]]
    at[parts().faces["body"]] = np.clip(spots, 0, 1023)
    return at


def colour(picture, place, reach=2):
    """Mean sRGB in [0, 1] round the vertex of the face nearest to a point (x, z)."""
    body, used = average().vertices, np.unique(parts().faces["body"])
    used = used[(body[used, 1] < -0.12) & (atlas().openness[used] > 0.7)]
    apart = np.linalg.norm(body[used][:, [0, 2]] - place, axis=1)
    column, row = texels()[used[apart.argmin()]]
    window = picture[row - reach : row + reach + 1, column - reach : column + reach + 1, :3]
    return window.reshape(-1, 3).mean(0) / 255


def luminance(srgb):
    return np.asarray(srgb) ** 2.2 @ (0.2126, 0.7152, 0.0722)


def test_the_same_generator_gives_the_same_bytes():
    assert skin_of(5) == skin_of(5) != skin_of(6)
    once, again = pieces(5), pieces(5)
    for one, other in zip(once, again, strict=True):
        assert one.uniforms == other.uniforms
        for name, picture in one.textures.items():
            assert np.array_equal(picture, other.textures[name])
    assert not np.array_equal(once[0].textures["albedo"], pieces(6)[0].textures["albedo"])


def test_a_skin_can_be_written_as_json():
    skin = asdict(skin_of(1))
    assert json.loads(json.dumps(skin))["melanin"] == skin["melanin"]


def test_tones_are_those_of_skin_and_vary():
    cheeks = np.array([colour(pieces(seed)[0].textures["albedo"], CHEEK) for seed in PEOPLE[:24]])
    red, green, blue = cheeks.T
    assert (red > green).all()
    assert (green > blue).all()
    assert (green / red > 0.35).all()
    assert (green / red < 0.92).all()
    bright = luminance(cheeks)
    assert 0.02 < bright.min() < 0.12
    assert 0.4 < bright.max() < 0.75
    assert bright.std() > 0.07


def test_melanin_follows_the_ancestors():
    traits = [draw_traits(seed) for seed in PEOPLE]
    african = np.array([t.ancestry[0] for t in traits])
    melanin = np.array([skin_of(seed).melanin for seed in PEOPLE])
    assert np.corrcoef(african, melanin)[0, 1] > 0.8


def test_left_and_right_are_alike():
    picture = paint()[..., :3].astype(float)
    body, at = average().vertices, corner_places(atlas().coordinates)
    left, right = (
        at[parts().corners["body"]][(sign * body[parts().faces["body"], 0] > 0.003).all(1)]
        for sign in (1, -1)
    )
    means = [picture.reshape(-1, 3)[cover(half, len(picture))[0]].mean(0) for half in (left, right)]
    assert means[0] == pytest.approx(means[1], abs=1.5)
    assert colour(paint(), CHEEK, 8) == pytest.approx(
        colour(paint(), (-CHEEK[0], CHEEK[1]), 8), abs=0.03
    )


@pytest.mark.parametrize("melanin", [0.05, 0.3, 0.6, 0.9])
def test_lips_are_redder_than_the_cheek(melanin):
    picture = paint(melanin=melanin, lips=0.5)
    lip, cheek = colour(picture, UPPER_LIP), colour(picture, CHEEK)
    assert lip[0] / lip[1] > 1.04 * cheek[0] / cheek[1]


def test_lipstick_and_brows_are_where_they_belong():
    plain, painted = paint(brow_cover=0.0), paint(brow_cover=1.0, lipstick=((0.9, 0.0, 0.1), 0.8))
    assert colour(painted, UPPER_LIP)[1] < 0.5 * colour(plain, UPPER_LIP)[1]
    for side in (-1, 1):
        brow, bare = colour(painted, (side * BROW[0], BROW[1])), colour(painted, FOREHEAD)
        assert luminance(brow) < 0.6 * luminance(bare)
    assert colour(painted, CHEEK) == pytest.approx(colour(plain, CHEEK), abs=0.01)


def test_a_beard_s_shade_spares_the_forehead_and_the_lips():
    smooth, rough = paint(stubble=0.0), paint(stubble=1.0)
    chin = (0.0, 1.615)
    assert luminance(colour(rough, chin, 6)) < 0.8 * luminance(colour(smooth, chin, 6))
    for spared in (FOREHEAD, UPPER_LIP, (0.03, 1.70)):
        assert colour(rough, spared) == pytest.approx(colour(smooth, spared), abs=0.02)


def test_palms_are_lighter_than_the_backs_of_dark_hands():
    piece = pieces(melanin=0.9, moles=0, polish=((0.0, 0.0, 0.0), 0.0))[0]
    picture = piece.textures["albedo"][..., :3].astype(float)
    body, faces = average().vertices, parts().faces["body"]
    middles, at = body[faces].mean(1), texels()[faces].mean(1).astype(int)
    across = faces_normals(body, faces)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    nails = (atlas().masks["fingernails"][at[:, 1], at[:, 0]] > 0.5) & (middles[:, 0] > 0)
    outwards = across @ across[nails].mean(0)
    skeleton = average().skeleton
    knuckle = skeleton.heads[skeleton.index("finger3-1.L")]
    hand = np.linalg.norm(middles - knuckle, axis=1) < 0.04
    back, palm = (
        picture[at[part, 1], at[part, 0]].mean()
        for part in (hand & (outwards > 0.6), hand & (outwards < -0.6))
    )
    assert palm > 1.3 * back


def test_hidden_faces_are_absent_and_all_others_stay():
    body = body_of(2)
    hidden = body.vertices[:, 2] < 1.2
    shown, bare = (skin_pieces(body, skin_of(2), mask)[0] for mask in (hidden, None))
    covered = hidden[bare.follows[bare.faces]].all(1)
    assert covered.sum() > 1000
    assert len(shown.faces) == len(bare.faces) - covered.sum()
    assert not hidden[shown.follows[shown.faces]].all(1).any()
    assemble(body, skin_pieces(body, skin_of(2), hidden))  # refuses vertices without a face


def test_what_lies_behind_the_eyes_is_left_out():
    body, skin = body_of(2), pieces(2)[0]
    used = body.vertices[skin.follows]
    eyes = body.vertices[np.unique(parts().faces["eyes"])]
    depth = eyes[:, 1].max() - 0.006
    within = (
        (np.abs(used[:, 0]) < 0.05)
        & (used[:, 2] > eyes[:, 2].min())
        & (used[:, 2] < eyes[:, 2].max())
    )
    inside = within & (used[:, 1] > depth) & (used[:, 1] < depth + 0.03)
    assert len(parts().faces["body"]) - len(skin.faces) > 500
    assert not inside.any()


def test_the_mouth_and_the_nostrils_are_darker_than_the_forehead():
    piece = pieces(2)[0]
    open_ = dict(zip(piece.follows.tolist(), piece.aux[:, 3].tolist(), strict=True))
    body = average().vertices
    lips = [v for v in open_ if abs(body[v, 0]) < 0.01 and abs(body[v, 2] - 1.6448) < 0.0008]
    forehead = [
        v
        for v in open_
        if abs(body[v, 0]) < 0.03 and 1.76 < body[v, 2] < 1.79 and body[v, 1] < -0.1
    ]
    assert np.mean([open_[v] for v in forehead]) > 0.95
    assert min(open_[v] for v in lips) < 0.7


def test_everybody_is_of_an_adult_s_height():
    faces = np.unique(parts().faces["body"])
    heights = np.array([body_of(seed).vertices[faces, 2].max() for seed in PEOPLE])
    assert heights.min() > 1.48
    assert heights.max() < 2.0
    women = np.array([draw_traits(seed).gender > 0.5 for seed in PEOPLE])
    assert heights[~women].mean() - heights[women].mean() == pytest.approx(0.125, abs=0.06)


@pytest.fixture(scope="module")
def drawing(opengl):
    with Renderer(128) as made:
        yield made


@pytest.mark.parametrize("seed", range(8))
def test_closed_eyes_show_no_eyeball(drawing, seed):
    body = body_of(seed)
    shown = [
        replace(piece, textures={"albedo": GREEN}) if piece.material == "eye" else piece
        for piece in skin_pieces(body, skin_of(seed), None)
    ]
    figure = assemble(body, shown)
    acting = np.zeros((2, len(body.actions)), np.float32)
    acting[1, [k for k, name in enumerate(body.actions) if name.startswith("eyeBlink")]] = 1
    still = np.broadcast_to(np.eye(3, dtype=np.float32), (2, len(body.skeleton.names), 3, 3))
    posed = figure.pose(still, np.zeros((2, 3), np.float32), acting)
    drawing.load(figure)
    eyes = body.vertices[np.unique(parts().faces["eyes"])].mean(0)
    middle = tuple(float(c) for c in eyes)
    camera = Camera((middle[0] + 0.1, middle[1] - 0.8, middle[2]), middle, 9)
    counts = [green(drawing.draw(posed, t, camera, LIGHT, Grade())[0]) for t in range(2)]
    assert counts[0] > 100
    assert counts[1] == 0


def green(picture):
    """Pixels of green paint."""
    red, leaf, _ = picture.astype(int).transpose(2, 0, 1)
    return int((leaf > 1.3 * red + 8).sum())
