"""What lights a scene: one soft lamp or sun, and what comes from all around."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Light"]

Colour = tuple[float, float, float]  # linear RGB


@dataclass(frozen=True)
class Light:
    """Light that falls on a person, in linear RGB; white paint under 1 comes out at 1.

    Attributes:
        towards: unit (x, y, z) from the person to the lamp.
        key: of the lamp, on a surface that faces it.
        sky: from above, on a surface that faces up.
        ground: from below, on a surface that faces down.
        softness: 0 hard shadows (sun) to 1 barely any (overcast).
        floor: whether the picture shows a floor at z = 0 that takes a shadow.
    """

    towards: tuple[float, float, float]
    key: Colour
    sky: Colour
    ground: Colour
    softness: float
    floor: bool
