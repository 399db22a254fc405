"""Linear blend skinning of a bare body, written on its own."""

import numpy as np

from maskmotion.synth.people.body import Body, forward

Array = np.ndarray


def pose_body(body: Body, rotations: Array, shift: Array, acting: Array) -> tuple[Array, Array]:
    """Bend a body: linear blend skinning.

    Args:
        body: at rest.
        rotations: (T, J, 3, 3) how each bone turns about its head, against its parent, in the
            world's axes at rest; all identity is the rest pose.
        shift: (T, 3) m, added to everything.
        acting: (T, A) facial actions, 0 to 1.
    Returns:
        Vertices (T, V, 3) and bone heads (T, J, 3), float32.
    """
    turned, heads = forward(body.skeleton, rotations, shift)
    moved = np.broadcast_to(body.vertices, (len(shift), *body.vertices.shape)).copy()
    moved[:, body.acting] += np.tensordot(acting.astype(np.float32), body.offsets, 1)
    # x -> G (x - rest head) + head, per bone; blended it is one affine map a vertex.
    offset = heads - np.einsum("tjab,jb->tja", turned, body.skeleton.heads)
    maps = np.concatenate([turned, offset[..., None]], -1).reshape(len(shift), -1, 12)
    posed = np.empty_like(moved)
    for t in range(len(shift)):
        blended = (body.weights @ maps[t]).reshape(-1, 3, 4)
        posed[t] = np.einsum("vab,vb->va", blended[..., :3], moved[t]) + blended[..., 3]
    return posed, heads
