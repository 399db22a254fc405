"""The look of a figure: proportions, clothes, hair and face, drawn at random from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskmotion.synth._canvas import Colour, darker, hsv, lighter, mix
from maskmotion.synth._seeding import stream
from maskmotion.synth._skeleton import Proportions

PATTERNS = ("plain", "plain", "hoops", "lines", "dots", "checks", "band", "halves", "emblem")
HAIR = (
    "bald",
    "short",
    "short",
    "fringe",
    "long",
    "bob",
    "bun",
    "pigtails",
    "afro",
    "spiky",
    "mohawk",
    "ponytail",
)
HATS = ("beanie", "top hat", "brim", "party", "headband", "crown", "cap")
SKINS: tuple[Colour, ...] = (
    (255, 224, 196),
    (246, 205, 170),
    (233, 184, 143),
    (209, 152, 108),
    (173, 116, 74),
    (134, 84, 52),
    (96, 60, 40),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (34, 28, 30),
    (70, 44, 30),
    (112, 68, 36),
    (170, 108, 46),
    (232, 190, 98),
    (190, 74, 34),
    (196, 196, 202),
)


@dataclass(frozen=True)
class Pattern:
    kind: str
    colour: Colour
    period: float  # of the standing height


@dataclass(frozen=True)
class Garment:
    colour: Colour
    pattern: Pattern
    cover: float  # part of the limb it covers
    flare: float  # width at its end over the limb's width


@dataclass(frozen=True)
class Head:
    skin: Colour
    hair: str
    hair_colour: Colour
    hat: str | None
    hat_colour: Colour
    eye: float  # radius over the head's
    eye_gap: float
    eye_white: bool
    iris: Colour
    mouth: str
    nose: float
    cheeks: bool
    beard: str | None
    glasses: bool


@dataclass(frozen=True)
class Figure:
    """Everything about a figure but its pose."""

    body: Proportions
    head: Head
    top: Garment
    bottom: Garment
    skirt: float  # length over the thigh's; 0: none
    skin: Colour
    hands: Colour
    shoes: Colour
    soles: Colour
    belt: Colour | None
    ink: Colour
    ink_width: float  # of the standing height; 0: no outline
    softness: float  # 0: straight bones, 1: bends like a hose
    height: float  # of the frame

    @property
    def head_reach(self) -> float:
        """How far hair and hat reach from the head's centre, in head radii."""
        return 2.3 if self.head.hat else 1.75


def make_figure(seed: int) -> Figure:
    rng = stream("figure", seed)
    body = _proportions(rng)
    skin = SKINS[rng.integers(len(SKINS))]
    if rng.random() < 0.2:  # robots, aliens and other friends
        skin = hsv(rng.random(), rng.uniform(0.25, 0.55), rng.uniform(0.7, 0.95))
    top, bottom = _clothes(rng, skin)
    skirt = float(rng.uniform(0.55, 1.15)) if rng.random() < 0.22 else 0.0
    if skirt:
        dress = top if rng.random() < 0.5 else bottom
        legs = 0.0 if rng.random() < 0.7 else bottom.cover
        bottom = Garment(dress.colour, dress.pattern, legs, bottom.flare)
    shoes = hsv(rng.random(), rng.uniform(0, 0.9), rng.choice([0.2, 0.5, 0.9]))
    outlined = rng.random() < 0.7
    ink = mix((22, 18, 30), darker(top.colour, 0.75), rng.uniform(0, 1))
    return Figure(
        body=body,
        head=_head(rng, skin, top.colour),
        top=top,
        bottom=bottom,
        skirt=skirt,
        skin=skin,
        hands=hsv(rng.random(), 0.7, 0.9) if rng.random() < 0.2 else skin,
        shoes=shoes,
        soles=lighter(shoes, 0.8) if rng.random() < 0.5 else darker(shoes, 0.4),
        belt=darker(bottom.colour, 0.5) if rng.random() < 0.4 else None,
        ink=ink,
        ink_width=float(rng.uniform(0.006, 0.011)) if outlined else 0.0,
        softness=float(rng.choice([0.2, 0.45, 0.95])),
        height=float(rng.uniform(0.66, 0.84)),
    )


def _proportions(rng: np.random.Generator) -> Proportions:
    chubby = rng.beta(1.6, 2.2)  # 0: thin, 1: stout
    width = 0.75 + 0.75 * chubby
    head = rng.uniform(0.09, 0.15)
    legs = rng.uniform(0.38, 0.48)
    shoulder = width * rng.uniform(0.1, 0.135)
    arm = rng.uniform(0.36, 0.46)
    upper = rng.uniform(0.48, 0.54)
    raw = Proportions(
        head=head,
        head_aspect=rng.uniform(0.86, 1.12),
        neck=rng.uniform(0.012, 0.04),
        torso=max(0.95 - legs - 2 * head, 0.24),
        shoulder=shoulder,
        hip=width * rng.uniform(0.05, 0.07),
        waist=shoulder * rng.uniform(0.6, 0.85) + 0.05 * chubby,
        upper_arm=arm * upper,
        forearm=arm * (1 - upper),
        hand=rng.uniform(0.035, 0.055),
        arm_radius=width * rng.uniform(0.023, 0.034),
        thigh=legs * 0.5,
        shin=legs * 0.5,
        foot=rng.uniform(0.055, 0.085),
        leg_radius=width * rng.uniform(0.031, 0.043),
    )
    scale = 1 / raw.standing_height()
    return Proportions(
        **{k: v if k == "head_aspect" else float(v * scale) for k, v in vars(raw).items()}
    )


def _pattern(rng: np.random.Generator, colour: Colour) -> Pattern:
    other = hsv(rng.random(), rng.uniform(0, 0.85), rng.uniform(0.55, 1))
    if np.abs(np.subtract(colour, other)).sum() < 150:
        other = lighter(colour, 0.8) if sum(colour) < 380 else darker(colour, 0.65)
    return Pattern(str(rng.choice(PATTERNS)), other, float(rng.uniform(0.045, 0.075)))


def _clothes(rng: np.random.Generator, skin: Colour) -> tuple[Garment, Garment]:
    hue = rng.random()
    colour = hsv(hue, rng.uniform(0.55, 0.95), rng.uniform(0.65, 0.98))
    if rng.random() < 0.12:
        colour = hsv(hue, rng.uniform(0, 0.15), rng.choice([0.18, 0.95]))
    if np.abs(np.subtract(colour, skin)).sum() < 110:
        colour = hsv(hue + 0.5, 0.75, 0.8)
    below = hsv(
        hue + rng.choice([0.08, 0.35, 0.5, 0.62]), rng.uniform(0.35, 0.85), rng.uniform(0.3, 0.9)
    )
    if rng.random() < 0.35:
        below = [(44, 62, 104), (52, 50, 58), (150, 122, 86), (86, 96, 66)][rng.integers(4)]
    top = Garment(
        colour, _pattern(rng, colour), float(rng.choice([0.0, 0.4, 0.5, 0.97])), rng.uniform(1, 1.5)
    )
    plain = Pattern("plain", below, 0.05)
    bottom = Garment(
        below,
        _pattern(rng, below) if rng.random() < 0.4 else plain,
        float(rng.choice([0.4, 0.55, 0.95, 0.95])),
        rng.uniform(0.95, 1.5),
    )
    return top, bottom


def _head(rng: np.random.Generator, skin: Colour, shirt: Colour) -> Head:
    natural = HAIR_COLOURS[rng.integers(len(HAIR_COLOURS))]
    dyed = hsv(rng.random(), rng.uniform(0.5, 0.9), rng.uniform(0.5, 0.95))
    hair = natural if rng.random() < 0.72 else dyed
    if np.abs(np.subtract(hair, skin)).sum() < 90:
        hair = darker(hair, 0.55)
    style = str(rng.choice(HAIR))
    hat = str(rng.choice(HATS)) if rng.random() < 0.25 and style not in ("afro", "mohawk") else None
    beard = str(rng.choice(["full", "moustache"])) if rng.random() < 0.15 else None
    return Head(
        skin=skin,
        hair=style,
        hair_colour=hair,
        hat=hat,
        hat_colour=shirt if rng.random() < 0.4 else hsv(rng.random(), 0.75, rng.uniform(0.4, 0.95)),
        eye=float(rng.uniform(0.11, 0.27)),
        eye_gap=float(rng.uniform(0.33, 0.42)),
        eye_white=bool(rng.random() < 0.65),
        iris=hsv(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.45)),
        mouth=str(rng.choice(["smile", "open", "grin", "small"])),
        nose=float(rng.uniform(0.07, 0.17)),
        cheeks=bool(rng.random() < 0.4),
        beard=beard,
        glasses=bool(rng.random() < 0.15),
    )
