"""Hair and beards, and what people wear on their heads.

Close hair is fur: the scalp repeated in layers whose strands thin out towards the outside. Longer
hair is locks: ribbons that grow from the scalp, are combed, lie on the body and hang.
"""

from __future__ import annotations

import numpy as np

from maskmotion.synth.people.body import Body
from maskmotion.synth.people.figure import Piece
from maskmotion.synth.people.hair.beard import beard_fur, beard_locks
from maskmotion.synth.people.hair.cuts import CUTS, fur_layers, hair_locks
from maskmotion.synth.people.hair.headwear import glasses_pieces, headwear_pieces
from maskmotion.synth.people.hair.looks import Hair, draw_hair
from maskmotion.synth.people.hair.paint import fur, lock
from maskmotion.synth.people.hair.scalp import Head, measure_head
from maskmotion.synth.people.hair.strands import Mesh

__all__ = ["STYLES", "Hair", "draw_hair", "hair_pieces"]

Array = np.ndarray
STYLES = tuple(CUTS)


def hair_pieces(body: Body, hair: Hair) -> list[Piece]:
    """Meshes of everything on a head."""
    head = measure_head(body)
    rng = np.random.default_rng(hair.seed)
    pieces = [*_hair(head, hair, rng), *_beard(head, hair, rng)]
    return pieces + headwear_pieces(head, hair) + glasses_pieces(head, hair)


def _hair(head: Head, hair: Hair, rng: np.random.Generator) -> list[Piece]:
    if hair.style == "bald" or hair.headwear == "scarf":
        return []
    colour, tips = np.array(hair.colour), np.array(hair.tips)
    close = fur_layers(head, hair)
    weights = head.hang_weights
    pieces = [_piece(close, weights(close.vertices), fur(_grain(hair), colour, hair.grey), hair)]
    long = hair_locks(head, hair, rng)
    if long is not None:
        texture = lock(2 * hair.curl, colour, tips, hair.grey)
        pieces.append(_piece(long, weights(long.vertices), texture, hair))
    return pieces


def _grain(hair: Hair) -> int:
    return 2 if hair.style in ("afro", "curls") else 0


def _beard(head: Head, hair: Hair, rng: np.random.Generator) -> list[Piece]:
    if hair.beard == "none":
        return []
    colour = np.array(hair.beard_colour)
    close, skin = beard_fur(head, hair)
    locks, roots = beard_locks(head, hair, rng)
    weights = head.body.weights
    return [
        _piece(close, weights[skin], fur(1, colour, hair.grey), hair, skin),
        _piece(locks, weights[roots], lock(2 * hair.curl, colour, colour, hair.grey), hair, roots),
    ]


def _piece(
    mesh: Mesh, weights: Array, texture: Array, hair: Hair, follows: Array | None = None
) -> Piece:
    dark = 1 - float(np.mean(hair.colour))
    return Piece(
        "hair", mesh.vertices, weights, mesh.faces, mesh.coordinates, mesh.aux, follows=follows,
        textures={"albedo": texture}, uniforms={"shine": 0.3 + 0.6 * dark, "rough": 0.35},
    )  # fmt: skip
