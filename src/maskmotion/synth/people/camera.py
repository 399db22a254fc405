"""A pinhole camera in the people's world: metres, z up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Camera"]

Array = np.ndarray
NEAR_M, FAR_M = 0.05, 50.0


@dataclass(frozen=True)
class Camera:
    """Where the camera stands, what it looks at, and how wide.

    Attributes:
        position: (x, y, z) m.
        target: (x, y, z) m, in the middle of the picture.
        view_deg: angle from the picture's top to its bottom.
        roll_deg: turn about the line of sight.
    """

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    view_deg: float
    roll_deg: float = 0.0

    def axes(self) -> Array:
        """(3, 3) rows: right, up and backward of the camera in the world."""
        backward = np.subtract(self.position, self.target, dtype=float)
        backward /= np.linalg.norm(backward)
        right = np.cross([0.0, 0.0, 1.0], backward)
        right /= np.linalg.norm(right)
        up = np.cross(backward, right)
        c, s = np.cos(np.radians(self.roll_deg)), np.sin(np.radians(self.roll_deg))
        return np.stack([c * right + s * up, c * up - s * right, backward])

    @property
    def focal(self) -> float:
        """Distance of the picture's plane, in half heights of the picture."""
        return float(1 / np.tan(np.radians(self.view_deg) / 2))

    def rays(self, size: int, margin: float = 0.0) -> Array:
        """(size, size, 3) float32 directions of length 1 through the pixels' middles.

        Args:
            size: of the square picture in px.
            margin: share of the picture's side that is added on each side.
        """
        reach = 1 + 2 * margin
        steps = ((np.arange(size) + 0.5) / size * 2 - 1) * reach
        x, y = np.meshgrid(steps, -steps)
        local = np.stack([x, y, np.full_like(x, -self.focal)], -1)
        directions = local @ self.axes()
        return (directions / np.linalg.norm(directions, axis=-1, keepdims=True)).astype(np.float32)

    def project(self, points: Array, size: int) -> Array:
        """(..., 2) px (x, y) of points (..., 3); the first pixel's middle is (0.5, 0.5)."""
        local = (points - np.asarray(self.position)) @ self.axes().T
        plane = self.focal * local[..., :2] / -local[..., 2:]
        return (plane * np.array([1.0, -1.0]) + 1) * (size / 2)

    def matrix(self) -> Array:
        """(4, 4) float32 from the world to OpenGL's clip space, for column vectors."""
        axes = self.axes()
        view = np.eye(4)
        view[:3, :3] = axes
        view[:3, 3] = -axes @ np.asarray(self.position)
        depth = FAR_M - NEAR_M
        lens = np.array(
            [
                [self.focal, 0, 0, 0],
                [0, self.focal, 0, 0],
                [0, 0, -(FAR_M + NEAR_M) / depth, -2 * FAR_M * NEAR_M / depth],
                [0, 0, -1, 0],
            ]
        )
        return (lens @ view).astype(np.float32)
