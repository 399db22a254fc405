"""Who is shown: everything about a person that no motion and no place changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskmotion.synth.people.body import BODY_CHANGES, FACE_CHANGES
from maskmotion.synth.people.seeding import stream

__all__ = ["Traits", "draw_traits"]


# Standard deviations of changes that need another than the usual one: some move a vertex by 2 mm
# at 1, some by 6 cm.
SPREADS = {
    "forehead-nubian-incr": 0.03, "forehead-scale-vert-incr": 0.05, "head-scale-vert-incr": 0.06,
    "head-back-scale-depth-incr": 0.07, "head-scale-depth-incr": 0.08, "head-angle-out": 0.08,
    "head-scale-horiz-incr": 0.1, "forehead-trans-forward": 0.1, "chin-height-incr": 0.09,
    "chin-bones-incr": 0.13, "chin-prominent-incr": 0.15, "chin-width-incr": 0.15,
    "l-ear-flap-incr": 0.14, "l-ear-wing-incr": 0.18, "l-ear-scale-incr": 0.16,
    "eyebrows-trans-forward": 0.12, "head-fat-incr": 0.15, "mouth-trans-forward": 0.12,
    "mouth-trans-up": 0.16, "mouth-angles-up": 0.15, "nose-point-up": 0.1,
    "nose-scale-depth-incr": 0.14, "l-eye-scale-incr": 0.3, "l-eye-height1-incr": 0.3,
    "l-eye-height2-incr": 0.3, "l-eye-height3-incr": 0.3, "l-eye-corner1-up": 0.35,
    "l-eye-corner2-up": 0.35, "l-eye-eyefold-up": 0.35, "nose-width1-incr": 0.3,
    "nose-point-width-incr": 0.3, "mouth-dimples-out": 0.3, "mouth-upperlip-volume-incr": 0.35,
    "mouth-lowerlip-volume-incr": 0.25, "mouth-upperlip-height-incr": 0.3,
    "mouth-cupidsbow-incr": 0.3, "neck-scale-vert-incr": 0.1, "l-hand-scale-incr": 0.06,
    "l-foot-scale-incr": 0.05, "measure-upperarm-length-incr": 0.1,
    "measure-lowerarm-length-incr": 0.1, "measure-upperleg-height-incr": 0.07,
    "measure-lowerleg-height-incr": 0.07, "upperlegs-height-incr": 0.06,
    "lowerlegs-height-incr": 0.06, "stomach-pregnant-incr": 0.1,
}  # fmt: skip

# anny's mouths look sullen and its eyes stare.
USUAL = {
    "mouth-angles-up": 0.12,
    "l-eye-height1-incr": -0.15,
    "l-eye-height2-incr": -0.35,
    "l-eye-height3-incr": -0.25,
}

# What a heavy body has more of; anny's own weight ends at stout.
HEAVY = {
    "head-fat-incr": 0.2, "neck-double-incr": 0.25, "measure-waist-circ-incr": 0.35,
    "torso-scale-depth-incr": 0.25, "torso-scale-horiz-incr": 0.15, "hip-scale-depth-incr": 0.25,
    "hip-scale-horiz-incr": 0.15, "l-upperarm-fat-incr": 0.35, "l-lowerarm-fat-incr": 0.25,
    "l-upperleg-fat-incr": 0.35, "l-lowerleg-fat-incr": 0.2, "buttocks-volume-incr": 0.2,
    "stomach-pregnant-incr": 0.15, "stomach-tone-incr": -0.2,
}  # fmt: skip


@dataclass(frozen=True)
class Traits:
    """What a person is like, on which skin, hair and clothes depend.

    Attributes:
        gender: 0 male to 1 female.
        age_years: 18 to 80.
        ancestry: shares of anny's african, asian and caucasian shapes; they add up to 1.
        phenotype: for `make_body`.
        changes: for `make_body`.
    """

    gender: float
    age_years: float
    ancestry: tuple[float, float, float]
    phenotype: dict[str, float]
    changes: dict[str, float]


def draw_traits(seed: int) -> Traits:
    """A random adult."""
    rng = stream("traits", seed)
    gender = float(rng.beta(0.2, 0.2))
    age_years = float(18 + 62 * rng.beta(1.1, 1.6))
    ancestry = rng.dirichlet([0.35, 0.35, 0.35])
    fat = float(np.clip(rng.normal(0.35 + 0.008 * (age_years - 35), 1.1), -1.7, 2.5))
    phenotype = {
        "gender": gender,
        "age": (2 + (age_years - 25) / 55) / 3 if age_years > 25 else 2 / 3,
        "muscle": float(np.clip(rng.normal(0.52 - 0.1 * gender, 0.13), 0.15, 0.9)),
        "weight": float(np.clip(0.5 + 0.25 * fat, 0.1, 1)),
        "height": _height(rng, gender, ancestry),
        "proportions": float(rng.uniform(0.35, 0.95)),
        "cupsize": float(rng.uniform(0.25, 0.75)),
        "firmness": float(rng.uniform(0.3, 0.8)),
    } | dict(zip(("african", "asian", "caucasian"), map(float, ancestry), strict=True))
    changes = _changes(rng, float(ancestry[1]), fat)
    african, asian, caucasian = map(float, ancestry)
    return Traits(gender, age_years, (african, asian, caucasian), phenotype, changes)


def _height(rng: np.random.Generator, gender: float, ancestry: np.ndarray) -> float:
    """anny's value for a likely height: its heights are linear in the value."""
    least = float(ancestry @ [1.435, 1.247, 1.367]) - 0.142 * gender
    metres = rng.normal(1.765 - 0.135 * gender - 0.03 * ancestry[1], 0.062)
    return float((np.clip(metres, 1.53, 1.94) - least) / 1.09)


def _changes(rng: np.random.Generator, asian: float, fat: float) -> dict[str, float]:
    out = {}
    for name in (*FACE_CHANGES, *BODY_CHANGES):
        usual = 0.15 if name.startswith("nose") else 0.2 if name in FACE_CHANGES else 0.18
        deviation = SPREADS.get(name, usual)
        change = np.clip(rng.normal(0, deviation), -2 * deviation, 2 * deviation)
        narrow = name.startswith("l-eye")  # the Asian shapes' eyes are so without it
        change += USUAL.get(name, 0.0) * (1 - 0.8 * asian * narrow)
        out[name] = float(np.clip(change + HEAVY.get(name, 0.0) * max(fat - 0.2, 0.0), -0.9, 0.9))
    out["stomach-pregnant-incr"] = max(0.0, out["stomach-pregnant-incr"])
    return out
