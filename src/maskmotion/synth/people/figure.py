"""A dressed person as one bundle of meshes that bend together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from maskmotion.synth.people.body import Body, forward

__all__ = ["Figure", "Piece", "Posed", "assemble", "faces_normals"]

Array = np.ndarray


@dataclass(frozen=True)
class Piece:
    """One mesh of a person, at rest, and what it is made of.

    Attributes:
        material: name of a branch of shaders/figure.frag: "skin", "eye", "mouth", "lash", "cloth",
            "hair" or "hard".
        vertices: (n, 3) float32 m.
        weights: (n, J) float32 share of each bone.
        faces: (F, 3) int32, counter-clockwise seen from outside.
        corners: (F, 3) int32 rows of `coordinates` at the faces' corners; None: the vertices' own.
        coordinates: (c, 2) float32 texture coordinates.
        aux: (n, 4) float32 what the material needs at a vertex; see shaders/figure.frag.
        follows: (n,) vertices of the body whose facial motion these share; None: none.
        textures: sampler's name -> (h, w, 3 or 4) uint8.
        uniforms: uniform's name -> number or vector.
        casts: whether it throws a shadow.
    """

    material: str
    vertices: Array
    weights: Array
    faces: Array
    coordinates: Array
    aux: Array
    corners: Array | None = None
    follows: Array | None = None
    textures: Mapping[str, Array] = field(default_factory=dict)
    uniforms: Mapping[str, float | tuple[float, ...]] = field(default_factory=dict)
    casts: bool = True


@dataclass(frozen=True)
class Posed:
    """A figure in T poses.

    Attributes:
        vertices: (T, V, 3) float32 m.
        normals: (T, V, 3) float32, of length 1.
        heads: (T, J, 3) float32 m, where the bones start.
    """

    vertices: Array
    normals: Array
    heads: Array


@dataclass(frozen=True)
class Figure:
    """All pieces of a person, their vertices in one row.

    Attributes:
        body: what bends.
        pieces: the meshes.
        starts: first vertex of each piece among all.
    """

    body: Body
    pieces: tuple[Piece, ...]
    starts: tuple[int, ...]
    rest: Array
    weights: Array
    faces: Array
    _moving: tuple[Array, Array, Array]
    _incidence: tuple[Array, Array]

    def pose(self, rotations: Array, shift: Array, acting: Array) -> Posed:
        """Bend: linear blend skinning.

        Args:
            rotations: (T, J, 3, 3) how each bone turns about its head, against its parent, in the
                world's axes at rest; all identity is the rest pose.
            shift: (T, 3) m, added to everything.
            acting: (T, A) facial actions, 0 to 1.
        """
        turned, heads = forward(self.body.skeleton, rotations, shift)
        offset = heads - np.einsum("tjab,jb->tja", turned, self.body.skeleton.heads)
        # x -> G (x - rest head) + head, per bone; blended it is one affine map a vertex.
        maps = np.concatenate([turned, offset[..., None]], -1).reshape(len(shift), -1, 12)
        vertices = np.empty((len(shift), *self.rest.shape), np.float32)
        normals = np.empty_like(vertices)
        where, which, _ = self._moving
        offsets = np.tensordot(acting.astype(np.float32), self.body.offsets, 1)
        for t in range(len(shift)):
            moved = self.rest.copy()
            moved[where] += offsets[t][which]
            blended = (self.weights @ maps[t]).reshape(-1, 3, 4)
            vertices[t] = np.einsum("vab,vb->va", blended[..., :3], moved) + blended[..., 3]
            normals[t] = self._normals(vertices[t])
        return Posed(vertices, normals, heads)

    def rest_normals(self) -> Array:
        """(V, 3) float32 at rest."""
        return self._normals(self.rest)

    def _normals(self, vertices: Array) -> Array:
        across = faces_normals(vertices, self.faces)
        order, starts = self._incidence
        total = np.add.reduceat(across[order], starts)
        length = np.sqrt(np.einsum("va,va->v", total, total))[:, None]
        return total / np.maximum(length, 1e-12)


def faces_normals(vertices: Array, faces: Array) -> Array:
    """(F, 3) across the faces, twice their area long."""
    first = vertices[faces[:, 0]]
    a, b = vertices[faces[:, 1]] - first, vertices[faces[:, 2]] - first
    return np.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        -1,
    )


def assemble(body: Body, pieces: Sequence[Piece]) -> Figure:
    """Put pieces into one row of vertices; each vertex must be a corner of some face."""
    counts = [len(piece.vertices) for piece in pieces]
    starts = np.concatenate([[0], np.cumsum(counts)])
    faces = np.concatenate([p.faces + s for p, s in zip(pieces, starts, strict=False)])
    corners = faces.ravel()
    order = np.argsort(corners, kind="stable")
    firsts = np.searchsorted(corners[order], np.arange(starts[-1]))
    if len(np.unique(corners)) != starts[-1]:
        raise AssertionError("a vertex without a face")
    followed = np.concatenate(
        [np.full(len(p.vertices), -1) if p.follows is None else p.follows for p in pieces]
    )
    position = np.full(len(body.vertices) + 1, -1)
    position[body.acting] = np.arange(len(body.acting))
    moving = np.flatnonzero(position[followed] >= 0)
    return Figure(
        body,
        tuple(pieces),
        tuple(int(s) for s in starts[:-1]),
        np.concatenate([p.vertices for p in pieces]).astype(np.float32),
        np.concatenate([p.weights for p in pieces]).astype(np.float32),
        faces.astype(np.int32),
        (moving, position[followed[moving]], followed[moving]),
        (order // 3, firsts),
    )
