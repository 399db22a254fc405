"""What grows on a person's head and what is worn there: the parameters, and random ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.person import Traits

__all__ = ["Colour", "Hair", "draw_hair"]

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


# DRAW
