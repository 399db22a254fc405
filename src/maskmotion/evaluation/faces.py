"""Faces in frames: landmarks and identities, and how far they are from the truth's.

The models are dlib's, from the package face_recognition_models, and need no network. The package
gives them away under CC0, but the 68 landmarks were trained on iBUG 300-W, whose licence excludes
commercial use: the author's notes (davisking/dlib-models) pass on that the model must then not go
into a commercial product. The identity network was trained in part on FaceScrub and VGG Face.

AKD, MKR and AED are defined in Siarohin et al. 2019, First Order Motion Model for Image Animation,
section 4. They take other detectors there, so that values compare only within this package.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from maskmotion.errors import MissingExtraError, ShapeError
from maskmotion.media import to_uint8

MODELS_PACKAGE = "face_recognition_models"
LANDMARKS_FILE = "shape_predictor_68_face_landmarks.dat"
IDENTITY_FILE = "dlib_face_recognition_resnet_model_v1.dat"
LANDMARKS = 68
IDENTITY = 128
# dlib misses faces below 80 px and rounds landmarks to whole pixels, so small pictures are
# enlarged. Of 200 frames of ten talking heads, at 128 px as at 256 px, it then finds a face in
# all; enlarged to a side of 256 px in 198 and 197, of 768 px in 197 and 197.
WORKING_SIDE_PX = 512


@dataclass(frozen=True)
class FoundFaces:
    """The largest face of each picture.

    Attributes:
        landmarks: (B, 68, 2) x and y, px of the picture; NaN where no face was found.
        identities: (B, 128) vectors, nearer than about 0.6 for one person; NaN likewise.
    """

    landmarks: np.ndarray
    identities: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """(B,) bool: a face was found."""
        return ~np.isnan(self.landmarks[:, 0, 0])


class Faces:
    """Finds faces by dlib: HOG detector, 68 landmarks, and a network for identities.

    Loading takes about a second; a picture of 128 or 256 px about 90 ms of one core, of which the
    identity takes 65.

    Raises:
        MissingExtraError: the extra "eval-face" is missing or broken.
    """

    def __init__(self) -> None:
        dlib, folder = _dlib(), _models_folder()
        self._detect = dlib.get_frontal_face_detector()
        try:
            self._landmarks = dlib.shape_predictor(str(folder / LANDMARKS_FILE))
            self._identify = dlib.face_recognition_model_v1(str(folder / IDENTITY_FILE))
        except RuntimeError as error:
            raise MissingExtraError(
                f"the models of the package {MODELS_PACKAGE} cannot be read ({error}); reinstall "
                f"it with `pip install --force-reinstall {MODELS_PACKAGE}`"
            ) from None

    def find(self, pictures: Tensor) -> FoundFaces:
        """The largest face of each picture, looked for in that picture alone.

        Args:
            pictures: (B, 3, H, W) RGB in [0, 1], on any device.
        Raises:
            ShapeError: other axes.
        """
        if pictures.ndim != 4 or pictures.shape[1] != 3:
            raise ShapeError(
                f"faces are looked for in pictures (B, 3, H, W), not {tuple(pictures.shape)}"
            )
        landmarks = np.full((len(pictures), LANDMARKS, 2), np.nan)
        identities = np.full((len(pictures), IDENTITY), np.nan)
        for index in range(len(pictures)):
            enlarged = to_uint8(_enlarged(pictures[index : index + 1]))[0]
            boxes = self._detect(enlarged, 0)
            if not boxes:
                continue
            points = self._landmarks(enlarged, max(boxes, key=lambda box: box.area()))
            places = np.array([(point.x, point.y) for point in points.parts()])
            scale = np.divide(pictures.shape[:1:-1], enlarged.shape[1::-1])
            # whole numbers are the middles of pixels, in both sizes
            landmarks[index] = (places + 0.5) * scale - 0.5
            identities[index] = self._identify.compute_face_descriptor(enlarged, points)
        return FoundFaces(landmarks, identities)


def akd(found: FoundFaces, truth: FoundFaces) -> np.ndarray:
    """Average key-point distance: whether the face is where it should be, with that expression.

    About 0.2 px at 128 px, or 0.4 px at 256 px, is dlib's own noise: so far do landmarks move when
    fine grain is laid over the picture.

    Args:
        found: faces of B frames.
        truth: of the B true frames.
    Returns:
        (B,) mean distance of the 68 landmarks, px of the frames, so frames of one size compare;
        NaN where either has no face.
    Raises:
        ShapeError: different numbers of frames.
    Source: First Order Motion Model, section 4, AKD.
    """
    _require_same_length(found, truth)
    return np.linalg.norm(found.landmarks - truth.landmarks, axis=-1).mean(-1)


def missing(found: FoundFaces, truth: FoundFaces) -> np.ndarray:
    """Whether a face is lost; its mean is the missing key-point rate, MKR.

    dlib finds all 68 landmarks or none, so the rate counts whole faces here. Tilted heads are near
    what it can find: of 30 true frames of ten talking heads, fine grain alone hides one face.

    Args:
        found: faces of B frames.
        truth: of the B true frames.
    Returns:
        (B,) 1 where only the truth has a face, 0 where both have, NaN where the truth has none.
    Raises:
        ShapeError: different numbers of frames.
    Source: First Order Motion Model, section 4, MKR.
    """
    _require_same_length(found, truth)
    return np.where(truth.present, 1.0 - found.present, np.nan)


def aed(found: FoundFaces, truth: FoundFaces) -> np.ndarray:
    """Average Euclidean distance: whether the face is that person's.

    Between frames of one talking head it is 0.23, of two heads 0.84 (medians over ten heads, at
    128 px as at 256 px).

    Args:
        found: faces of B frames.
        truth: of the B true frames.
    Returns:
        (B,) distance of the identities, no unit; NaN where either has no face.
    Raises:
        ShapeError: different numbers of frames.
    Source: First Order Motion Model, section 4, AED.
    """
    _require_same_length(found, truth)
    return np.linalg.norm(found.identities - truth.identities, axis=-1)


def _enlarged(picture: Tensor) -> Tensor:
    """(1, 3, H, W) -> no side below WORKING_SIDE_PX; larger pictures keep their size."""
    factor = max(1.0, WORKING_SIDE_PX / min(picture.shape[-2:]))
    height, width = (round(side * factor) for side in picture.shape[-2:])
    return F.interpolate(picture.float(), (height, width), mode="bicubic", align_corners=False)


def _require_same_length(found: FoundFaces, truth: FoundFaces) -> None:
    if found.landmarks.shape != truth.landmarks.shape:
        raise ShapeError(
            f"faces of {len(found.landmarks)} frames cannot be compared with those of "
            f"{len(truth.landmarks)}"
        )


def _dlib() -> Any:
    try:
        return importlib.import_module("dlib")
    except ImportError as error:
        raise _missing_extra() from error


def _models_folder() -> Path:
    # Not imported: the package asks for pkg_resources, which setuptools has no more.
    spec = importlib.util.find_spec(MODELS_PACKAGE)
    if spec is None or spec.origin is None:
        raise _missing_extra()
    return Path(spec.origin).parent / "models"


def _missing_extra() -> MissingExtraError:
    return MissingExtraError(
        "faces are measured with the extra eval-face; install it with "
        "`pip install maskmotion[eval-face]`"
    )
