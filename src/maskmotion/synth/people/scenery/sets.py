"""What a kind of scenery consists of, before it is traced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskmotion.synth.people.scenery.shading import Lighting
from maskmotion.synth.people.scenery.textures import Material
from maskmotion.synth.people.scenery.tracing import Form, Shape

Array = np.ndarray


@dataclass(frozen=True)
class Set:
    """Shapes and light in the scenery's frame.

    Attributes:
        shapes: what rays meet.
        lighting: what shines on them, and on the person.
        key: unit (x, y, z) from the person to the light that models it, and its linear colour.
        sunlit: whether that light is the sun, which things may keep off the person.
        softness: of the key light's shadow.
        backdrop: radiance (n, 3) where nothing is met, for (3, n) directions.
        parameters: for `Scene.parameters`.
    """

    shapes: list[Shape]
    lighting: Lighting
    key: tuple[Array, Array]
    softness: float
    sunlit: bool = False
    backdrop: Callable[[Array], Array] | None = None
    parameters: dict[str, object] = field(default_factory=dict)


class Room:
    """Shapes placed along a back wall: `u` m to the right, `w` m off the wall, `z` m up.

    Args:
        distance: m from the person to the wall, along y.
        yaw: the wall's turn about z.
    """

    def __init__(self, distance: float, yaw: float) -> None:
        self.yaw = yaw
        self.shapes: list[Shape] = []
        self._origin = np.array([0.0, distance, 0.0])
        self._along = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        self._out = np.array([np.sin(yaw), -np.cos(yaw), 0.0])

    @property
    def out(self) -> Array:
        """(3,) from the wall into the room."""
        return self._out

    @property
    def along(self) -> Array:
        """(3,) along the wall to the right."""
        return self._along

    def point(self, u: float, w: float, z: float) -> Array:
        return self._origin + u * self._along + w * self._out + np.array([0, 0, z])

    def coordinates(self, points: Array) -> tuple[Array, Array]:
        """(n,) u and w of (3, n) points."""
        from_wall = points - self._origin.astype(np.float32)[:, None]
        return self._along.astype(np.float32) @ from_wall, self._out.astype(np.float32) @ from_wall

    def add(
        self,
        form: Form,
        u: float,
        w: float,
        bottom: float,
        size: tuple[float, float, float],
        material: Material,
        turn: float = 0.0,
        **more: Any,
    ) -> None:
        """Put a shape of a size (width, depth, height) m with its middle at (u, w)."""
        x, y, z = self.point(u, w, bottom + size[2] / 2)
        half = (size[0] / 2, size[1] / 2, size[2] / 2)
        at = (float(x), float(y), float(z))
        self.shapes.append(Shape(form, at, half, material, self.yaw + turn, **more))
