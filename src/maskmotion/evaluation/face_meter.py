"""AKD, MKR and AED over the frames of a case."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from maskmotion.evaluation.cases import Batch
from maskmotion.evaluation.faces import Faces, FoundFaces, aed, akd, missing
from maskmotion.evaluation.metrics import aligned
from maskmotion.evaluation.results import Metric

Against = Literal["target", "driving"]

_DLIB = "dlib's 68 landmarks; AKD, MKR and AED after Siarohin et al. 2019, with other detectors"
_MISSING = Metric(
    *("mkr", "MKR", "", "lower"),
    "frames whose truth (or, across identities, driver) shows a face",
    "share of them in which none is found in the contender's picture",
)
FACE_METRICS: dict[Against, list[Metric]] = {
    "target": [
        Metric(
            *("akd", "AKD", "px", "lower"),
            "frames in which a face is found in both pictures",
            f"mean distance of landmarks to the truth's; {_DLIB}",
        ),
        _MISSING,
        Metric(
            *("aed", "AED", "", "lower"),
            "frames in which a face is found in both pictures",
            "distance of identity vectors to the truth's; dlib's network holds two pictures below "
            "0.6 to be one person",
        ),
    ],
    "driving": [
        Metric(
            *("akd", "AKD to driver", "px", "lower"),
            "frames in which a face is found in both pictures",
            "mean distance of landmarks to the driver's, after the one scale, rotation and shift "
            f"of the whole clip that fit best; {_DLIB}",
        ),
        replace(_MISSING, unfair=("repeat",)),
        Metric(
            *("aed", "AED to source", "", "lower"),
            "frames in which a face is found, of sources in which one is",
            "distance of identity vectors to the source's; dlib's network holds two pictures "
            "below 0.6 to be one person",
            unfair=("repeat",),
        ),
    ],
}


class FaceMeter:
    """Faces of a case's contenders, compared with those that should be there.

    Args:
        faces: finds them.
        against: "target" for place and identity; "driving" for place, aligned over the clip, with
            the source's identity.
    """

    def __init__(self, faces: Faces, against: Against) -> None:
        self.faces = faces
        self.against = against
        self._truth: list[FoundFaces] = []
        self._found: dict[str, list[FoundFaces]] = {}

    def see(self, batch: Batch, pictures: dict[str, Tensor]) -> None:
        """Find the faces of a batch, (B, 3, S, S) for each contender."""
        if self.against == "target":
            assert batch.target is not None
            self._truth.append(self.faces.find(batch.target))
        else:
            place, who = self.faces.find(batch.driving), self.faces.find(batch.source)
            identities = np.repeat(who.identities, len(batch.driving), axis=0)
            self._truth.append(FoundFaces(place.landmarks, identities))
        for name, picture in pictures.items():
            self._found.setdefault(name, []).append(self._find(picture))

    def values(self) -> Iterator[tuple[str, str, Tensor]]:
        """(contender, metric, (T,)) over all frames that were seen."""
        truth = _joined(self._truth)
        for name, parts in self._found.items():
            found = _joined(parts)
            placed = found
            if self.against == "driving":
                points = (torch.from_numpy(of.landmarks) for of in (found, truth))
                placed = replace(found, landmarks=aligned(*points).numpy())
            yield name, "akd", torch.from_numpy(akd(placed, truth))
            yield name, "mkr", torch.from_numpy(missing(found, truth))
            yield name, "aed", torch.from_numpy(aed(found, truth))

    def _find(self, pictures: Tensor) -> FoundFaces:
        if pictures.stride(0) != 0:
            return self.faces.find(pictures)
        found = self.faces.find(pictures[:1])  # one picture, expanded
        return FoundFaces(
            np.repeat(found.landmarks, len(pictures), axis=0),
            np.repeat(found.identities, len(pictures), axis=0),
        )


def _joined(parts: list[FoundFaces]) -> FoundFaces:
    return FoundFaces(
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.identities for part in parts]),
    )
