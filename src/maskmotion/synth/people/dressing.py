"""Put a person together: body, skin, clothes and hair."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from maskmotion.synth.people.body import make_body
from maskmotion.synth.people.clothes import clothes_pieces, draw_outfit
from maskmotion.synth.people.figure import Figure, assemble
from maskmotion.synth.people.hair import draw_hair, hair_pieces
from maskmotion.synth.people.person import draw_traits
from maskmotion.synth.people.seeding import stream
from maskmotion.synth.people.skin import draw_skin, skin_pieces

__all__ = ["Person", "make_person"]


@dataclass(frozen=True)
class Person:
    """Somebody, ready to be posed.

    Attributes:
        figure: body, skin, clothes and hair as meshes.
        head_m: height of the neck's upper end at rest.
        parameters: what was drawn, for JSON.
    """

    figure: Figure
    head_m: float
    parameters: dict[str, Any]


def make_person(seed: int) -> Person:
    """The person of this seed."""
    traits = draw_traits(seed)
    body = make_body(traits.phenotype, traits.changes)
    outfit = draw_outfit(stream("clothes", seed), traits)
    hair = draw_hair(stream("hair", seed), traits)
    skin = draw_skin(stream("skin", seed), traits, hair.colour)
    clothes, hidden = clothes_pieces(body, outfit)
    pieces = [*skin_pieces(body, skin, hidden), *clothes, *hair_pieces(body, hair)]
    parameters = {
        "traits": asdict(traits),
        "skin": asdict(skin),
        "hair": asdict(hair),
        "outfit": asdict(outfit),
    }
    head = body.skeleton.heads[body.skeleton.index("head")]
    return Person(assemble(body, pieces), float(head[2]), parameters)
