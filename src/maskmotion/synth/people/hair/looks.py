"""What grows on a person's head and what is worn there: the parameters, and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.person import Traits

__all__ = ["Colour", "Hair", "draw_hair"]

Array = np.ndarray
Colour = tuple[float, float, float]  # sRGB in [0, 1]


@dataclass(frozen=True)
class Hair:
    """A person's hair, beard, headwear and glasses.

    Attributes:
        style: of STYLES.
        length: 0 to 1, within what the style allows.
        volume: 0 flat to 1 full.
        curl: 0 straight, 0.5 wavy, 1 curly.
        parting: -1 over the right ear to 1 over the left, 0 in the middle.
        fringe: 0 none to 1 over the whole forehead down to the brows.
        recession: 0 a young hairline, 1 high temples, 2 only a wreath is left.
        colour, tips: at the roots and at the tips.
        grey: share of strands without colour.
        beard: "none", "moustache", "goatee" or "full".
        beard_length: 0 close to 1 long.
        beard_colour: often redder than the hair.
        headwear: "none", "cap", "beanie", "hat", "scarf" or "band".
        headwear_colours: of the cloth and of its trimming.
        glasses: "none", "thin", "thick", "round" or "sun".
        glasses_colour: of the frame.
        seed: of what has no name.
    """

    style: str
    length: float
    volume: float
    curl: float
    parting: float
    fringe: float
    recession: float
    colour: Colour
    tips: Colour
    grey: float
    beard: str
    beard_length: float
    beard_colour: Colour
    headwear: str
    headwear_colours: tuple[Colour, Colour]
    glasses: str
    glasses_colour: Colour
    seed: int


FEMALE_ODDS = {
    "bald": 0.01, "buzz": 0.02, "crew": 0.03, "side": 0.08, "slick": 0.03, "curls": 0.05,
    "afro": 0.0, "bob": 0.17, "shoulder": 0.22, "long": 0.24, "ponytail": 0.11, "bun": 0.07,
    "knot": 0.03, "braid": 0.05,
}  # fmt: skip
MALE_ODDS = {
    "bald": 0.07, "wreath": 0.07, "buzz": 0.16, "crew": 0.22, "side": 0.22, "slick": 0.09,
    "curls": 0.08, "afro": 0.0, "bob": 0.02, "shoulder": 0.03, "long": 0.02, "ponytail": 0.01,
    "knot": 0.02,
}  # fmt: skip
NATURAL = np.array(
    [
        (0.105, 0.093, 0.09), (0.15, 0.113, 0.095), (0.2, 0.14, 0.108), (0.29, 0.2, 0.14),
        (0.4, 0.29, 0.2), (0.52, 0.41, 0.28), (0.68, 0.56, 0.39), (0.8, 0.7, 0.53),
        (0.4, 0.18, 0.1), (0.56, 0.3, 0.16),
    ]
)  # fmt: skip
DARK_ODDS = np.array([0.6, 0.3, 0.08, 0.02, 0, 0, 0, 0, 0, 0])
LIGHT_ODDS = np.array([0.05, 0.15, 0.2, 0.18, 0.14, 0.1, 0.08, 0.04, 0.03, 0.03])
DYES = ((0.62, 0.12, 0.16), (0.85, 0.45, 0.6), (0.2, 0.32, 0.6), (0.2, 0.45, 0.4),
        (0.45, 0.25, 0.6), (0.82, 0.8, 0.76))  # fmt: skip
WORN = np.array(
    [
        (0.1, 0.1, 0.11), (0.3, 0.3, 0.32), (0.85, 0.84, 0.8), (0.12, 0.16, 0.3), (0.5, 0.1, 0.12),
        (0.3, 0.35, 0.22), (0.6, 0.5, 0.36), (0.7, 0.35, 0.15), (0.25, 0.4, 0.55),
        (0.75, 0.6, 0.65), (0.35, 0.2, 0.35), (0.45, 0.3, 0.2),
    ]
)  # fmt: skip
FRAMES = np.array(
    [(0.05, 0.05, 0.05), (0.25, 0.14, 0.08), (0.6, 0.5, 0.3), (0.5, 0.5, 0.52), (0.35, 0.06, 0.06)]
)


def draw_hair(rng: np.random.Generator, traits: Traits) -> Hair:
    """Random hair that suits a person."""
    woman = traits.gender > 0.5
    african = traits.ancestry[0] > 0.5
    style = _draw_style(rng, woman, african, traits.age_years)
    colour = _draw_colour(rng, traits)
    grey = float(np.clip((traits.age_years - rng.normal(50, 9)) / 25, 0, 1))
    tips = colour
    dyed = rng.random()
    if woman and dyed < 0.05:
        tips = _varied(rng, DYES[rng.integers(len(DYES))])
        colour = tips if rng.random() < 0.5 else colour
    elif woman and dyed < 0.25 and max(colour) > 0.15:
        tips = _colour(np.clip(np.array(colour) * rng.uniform(1.1, 1.6), 0, 0.85))
    if woman and rng.random() < 0.5:
        grey = 0.0  # dyed over
    odds = [0.15, 0.35, 0.5] if african else [0.55, 0.33, 0.12]
    beard = _draw_beard(rng, woman, traits.age_years)
    headwear = _draw_headwear(rng, woman, style)
    return Hair(
        style=style,
        length=float(rng.random()),
        volume=float(rng.beta(2, 2)),
        curl=1.0 if style in ("curls", "afro") else float(rng.choice([0.0, 0.5, 1.0], p=odds)),
        parting=float(np.clip(rng.choice([0.0, -0.45, 0.45]) + rng.normal(0, 0.08), -0.7, 0.7)),
        fringe=float(rng.uniform(0.3, 1)) if rng.random() < (0.3 if woman else 0.2) else 0.0,
        recession=_draw_recession(rng, woman, style, traits.age_years),
        colour=colour,
        tips=tips,
        grey=grey,
        beard=beard,
        beard_length=float(rng.beta(1.2, 3)) if beard == "full" else float(rng.uniform(0, 0.4)),
        beard_colour=_colour(np.array(colour) * [1.1, 1.0, 0.92]),
        headwear=headwear,
        headwear_colours=(
            _varied(rng, WORN[rng.integers(len(WORN))]),
            _varied(rng, WORN[rng.integers(len(WORN))]),
        ),
        glasses=str(
            rng.choice(["none", "thin", "thick", "round", "sun"], p=[0.74, 0.1, 0.09, 0.05, 0.02])
        ),
        glasses_colour=_varied(rng, FRAMES[rng.integers(len(FRAMES))]),
        seed=int(rng.integers(2**31)),
    )


def _draw_style(rng: np.random.Generator, woman: bool, african: bool, age_years: float) -> str:
    odds = dict(FEMALE_ODDS if woman else MALE_ODDS)
    if african:
        odds["afro"] = 0.2
        odds["curls"] += 0.1
        odds["buzz"] += 0.1 if not woman else 0
        for name in ("side", "slick"):
            odds[name] *= 0.2
    if not woman:
        old = np.clip((age_years - 30) / 30, 0, 1.5)
        odds["wreath"] *= old
        odds["bald"] *= 0.4 + old
    share = np.array(list(odds.values()))
    return str(rng.choice(list(odds), p=share / share.sum()))


def _draw_recession(rng: np.random.Generator, woman: bool, style: str, age_years: float) -> float:
    if style == "wreath":
        return 2.0
    most = 0.25 if woman else 0.35 + 0.65 * np.clip((age_years - 25) / 30, 0, 1)
    return float(most * rng.beta(1.2, 2))


def _draw_colour(rng: np.random.Generator, traits: Traits) -> Colour:
    share = traits.ancestry[2] ** 1.5
    odds = share * LIGHT_ODDS + (1 - share) * DARK_ODDS
    return _varied(rng, NATURAL[rng.choice(len(NATURAL), p=odds / odds.sum())])


def _draw_beard(rng: np.random.Generator, woman: bool, age_years: float) -> str:
    kinds = ["none", "moustache", "goatee", "full"]
    odds = [1.0, 0.0, 0.0, 0.0] if woman else [0.6, 0.06, 0.1, 0.24]
    kind = str(rng.choice(kinds, p=odds))
    return "none" if age_years < 22 else kind


def _draw_headwear(rng: np.random.Generator, woman: bool, style: str) -> str:
    kinds = ["none", "cap", "beanie", "hat", "scarf", "band"]
    odds = [0.86, 0.02, 0.025, 0.02, 0.05, 0.025] if woman else [0.87, 0.06, 0.05, 0.02, 0.0, 0.0]
    kind = str(rng.choice(kinds, p=odds))
    high = style in ("knot", "afro", "bun", "ponytail")
    return "none" if (high and kind in ("cap", "beanie", "hat")) else kind


def _varied(rng: np.random.Generator, colour: Sequence[float] | Array) -> Colour:
    return _colour(np.asarray(colour) * rng.normal(1, 0.06) * rng.normal(1, 0.03, 3))


def _colour(values: Array) -> Colour:
    r, g, b = np.clip(values, 0.03, 0.92).tolist()
    return r, g, b
