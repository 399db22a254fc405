"""What people wear."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from maskmotion.synth.people.clothes.cloth import Cloth, draw_cloth
from maskmotion.synth.people.person import Traits

__all__ = ["Garment", "Outfit", "draw_outfit"]


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
    sleeves = rng.choice([-0.09, 0.12, 0.25, 0.6, 0.97], p=[0.1, 0.1, 0.3, 0.1, 0.4])
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
        float(rng.uniform(0.25, 0.75)),
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
        float(max(top.hem, rng.uniform(0.5, 0.85))),
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
