"""Where garments end: signed distances to sleeves, hems, necklines and open fronts."""

from __future__ import annotations

import numpy as np

from maskmotion.synth.people.clothes.places import Places
from maskmotion.synth.people.clothes.wardrobe import Garment

__all__ = ["inside"]

Array = np.ndarray
FAR = 0.5  # m, for what no edge cuts


def inside(garment: Garment, places: Places) -> Array:
    """(n,) m to the nearest edge of the garment; negative where it is cut away."""
    p = places
    z = p.points[:, 2]
    if garment.kind in ("top", "jacket"):
        sleeve = np.where(p.arm > 0.02, garment.reach * p.arm_m - p.along_arm, FAR)
        hem = p.waist + garment.hem * (p.crotch - p.waist)
        low = np.where(p.arm > 0.5, FAR, z - hem)
        edge = np.minimum.reduce([sleeve, low, _neckline(garment, p)])
        return np.minimum(edge, _front(garment, p))
    if garment.kind == "trousers":
        leg = np.where(p.leg > 0.02, garment.reach * p.leg_m - p.along_leg, FAR)
        waist = p.waist - 0.02 - z
        return np.where(p.arm > 0.5, -FAR, np.minimum(leg, waist))
    if garment.kind == "shoes":
        shaft = p.along_leg - p.leg_m * (1 - garment.reach)
        return np.where(p.leg > 0.5, shaft, -FAR)
    hem = p.waist - garment.reach * (p.waist - 0.06)
    return np.minimum(z - hem, p.waist + 0.02 - z)


def _neckline(garment: Garment, p: Places) -> Array:
    """(n,) m below the neckline."""
    x, y, z = np.abs(p.points[:, 0]), p.points[:, 1], p.points[:, 2]
    depth, width = {
        "crew": (0.03, 0.08), "v": (0.16, 0.075), "scoop": (0.11, 0.10), "boat": (0.03, 0.13),
        "turtle": (-0.07, 0.2), "open": (0.10, 0.07), "": (0.0, 0.1),
    }[garment.neck]  # fmt: skip
    front = np.clip((p.neck_y + 0.03 - y) / 0.06, 0, 1)
    share = np.clip(1 - x / width, 0, 1)
    dip = share if garment.neck in ("v", "open") else np.sqrt(1 - (1 - share) ** 2)
    if garment.neck == "turtle":
        dip = np.ones_like(x)
    top = p.neck + 0.015 - depth * dip * front + 0.35 * np.clip(x - 0.05, 0, 1)
    return np.where(p.arm > 0.5, FAR, top - z)


def _front(garment: Garment, p: Places) -> Array:
    """(n,) m to an open jacket's front edges."""
    if garment.kind != "jacket":
        return np.full(len(p.points), FAR)
    gap = 0.03 + 0.05 * np.clip((p.neck - p.points[:, 2]) / 0.5, 0, 1)
    return np.where(p.points[:, 1] < p.neck_y, np.abs(p.points[:, 0]) - gap, FAR)
