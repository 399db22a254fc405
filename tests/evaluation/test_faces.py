import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.evaluation.extras import needs_faces
from torch import Tensor
from torch.nn import functional as F

from maskmotion.errors import MissingExtraError, ShapeError
from maskmotion.evaluation.faces import Faces, FoundFaces, aed, akd, missing
from maskmotion.media import open_video, to_tensor

# Where each of the 68 landmarks is in a mirrored face: jaw, brows, nose, eyes, lips.
MIRRORED = np.array(
    [
        *range(16, -1, -1),
        *range(26, 16, -1),
        *(27, 28, 29, 30, 35, 34, 33, 32, 31),
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
        *(64, 63, 62, 61, 60, 67, 66, 65),
    ]
)


def some_faces(count: int, seed: int = 0) -> FoundFaces:
    random = np.random.default_rng(seed)
    return FoundFaces(random.uniform(0, 128, (count, 68, 2)), random.normal(size=(count, 128)))


def without(faces: FoundFaces, *frames: int) -> FoundFaces:
    landmarks, identities = faces.landmarks.copy(), faces.identities.copy()
    landmarks[list(frames)] = np.nan
    identities[list(frames)] = np.nan
    return FoundFaces(landmarks, identities)


@pytest.fixture
def truth() -> FoundFaces:
    return some_faces(4)


def test_a_shift_is_its_length(truth: FoundFaces) -> None:
    shifted = FoundFaces(truth.landmarks + np.array([3, 4]), truth.identities)
    np.testing.assert_allclose(akd(shifted, truth), [5, 5, 5, 5])
    assert np.array_equal(aed(shifted, truth), [0, 0, 0, 0])


def test_akd_is_the_mean_of_distances(truth: FoundFaces) -> None:
    """Not the distance of means, nor the root of a mean square."""
    moved = truth.landmarks.copy()
    moved[1, :17] += [6, 8]
    moved[1, 17:34] -= [6, 8]
    np.testing.assert_allclose(akd(FoundFaces(moved, truth.identities), truth), [0, 5, 0, 0])


def test_aed_is_a_length(truth: FoundFaces) -> None:
    other = truth.identities.copy()
    other[2, 5] += 0.3
    other[2, 100] -= 0.4
    np.testing.assert_allclose(aed(FoundFaces(truth.landmarks, other), truth), [0, 0, 0.5, 0])


def test_frames_without_a_face(truth: FoundFaces) -> None:
    found, known = without(truth, 1, 3), without(truth, 2, 3)
    assert found.present.tolist() == [True, False, True, False]
    np.testing.assert_array_equal(missing(found, known), [0, 1, np.nan, np.nan])
    np.testing.assert_array_equal(akd(found, known), [0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(aed(found, known), [0, np.nan, np.nan, np.nan])


points = arrays(float, (2, 68, 2), elements=st.floats(-1e4, 1e4))
vectors = arrays(float, (2, 128), elements=st.floats(-10, 10))


@given(points, points, vectors, vectors)
def test_distances_are_symmetric(
    landmarks: np.ndarray, others: np.ndarray, identities: np.ndarray, strangers: np.ndarray
) -> None:
    one, other = FoundFaces(landmarks, identities), FoundFaces(others, strangers)
    for distance in (akd, aed):
        assert (distance(one, other) >= 0).all()
        assert np.array_equal(distance(one, other), distance(other, one))
        assert np.array_equal(distance(one, one), [0, 0])


@pytest.mark.parametrize("metric", [akd, aed, missing])
def test_other_numbers_of_frames_are_refused(
    metric: Callable[[FoundFaces, FoundFaces], np.ndarray], truth: FoundFaces
) -> None:
    with pytest.raises(ShapeError, match=r"faces of 1 frames .* of 4"):
        metric(some_faces(1), truth)


@pytest.mark.parametrize("package", ["dlib", "face_recognition_models"])
def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"`pip install maskmotion\[eval-face\]`"):
        Faces()


@needs_faces
def test_broken_models_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "face_recognition_models"
    package.mkdir()
    (package / "__init__.py").write_text("import pkg_resources")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match=r"cannot be read .*--force-reinstall") as error:
        Faces()
    assert "\n" not in str(error.value)
    (package / "models").mkdir()
    (package / "models" / "shape_predictor_68_face_landmarks.dat").write_bytes(b"hello world")
    with pytest.raises(MissingExtraError, match="cannot be read"):
        Faces()


@pytest.fixture(scope="module")
def faces() -> Faces:
    return Faces()


def frames(testdata: Path, clip: str, count: int = 1) -> Tensor:
    """The first frames of a talking head, (count, 3, 256, 256)."""
    with open_video(testdata / "clips" / "faces" / "test" / f"{clip}.mp4") as video:
        return to_tensor([frame.image for frame in islice(video, count)])


def at_size(pictures: Tensor, size: int) -> Tensor:
    return F.interpolate(pictures, (size, size), mode="bicubic", antialias=True).clamp(0, 1)


@pytest.fixture(scope="module")
def person(testdata: Path) -> Tensor:
    return frames(testdata, "talkvid_Language_pl", 2)


@pytest.fixture(scope="module")
def stranger(testdata: Path) -> Tensor:
    return frames(testdata, "talkvid_Gender_male_3")


@needs_faces
@pytest.mark.parametrize(("height", "width"), [(128, 128), (64, 96), (600, 520)])
def test_a_blank_picture_has_no_face(faces: Faces, height: int, width: int) -> None:
    found = faces.find(torch.full((1, 3, height, width), 0.5))
    assert found.landmarks.shape == (1, 68, 2)
    assert found.identities.shape == (1, 128)
    assert np.isnan(found.landmarks).all()
    assert np.isnan(found.identities).all()


@needs_faces
@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64)])
def test_other_axes_are_refused(faces: Faces, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\(B, 3, H, W\)"):
        faces.find(torch.zeros(shape))


@needs_faces
def test_a_face_is_not_carried_over(faces: Faces, person: Tensor) -> None:
    blank = torch.full_like(person[:1], 0.5)
    found = faces.find(torch.cat([person[:1], blank, person[:1]]))
    assert found.present.tolist() == [True, False, True]
    assert np.isnan(found.landmarks[1]).all()
    assert np.isnan(found.identities[1]).all()
    assert np.array_equal(found.landmarks[0], found.landmarks[2])
    assert np.array_equal(found.identities[0], found.identities[2])


@needs_faces
@pytest.mark.parametrize("size", [128, 256])
def test_one_person_is_nearer_than_another(
    faces: Faces, person: Tensor, stranger: Tensor, size: int
) -> None:
    found = faces.find(at_size(torch.cat([person, stranger]), size))
    assert found.present.all()
    same = np.linalg.norm(found.identities[0] - found.identities[1])
    other = np.linalg.norm(found.identities[0] - found.identities[2])
    assert same < 0.4
    assert other > 0.6


@needs_faces
def test_landmarks_move_with_the_picture(faces: Faces, person: Tensor) -> None:
    picture = at_size(person[:1], 128)
    still = faces.find(picture).landmarks
    shifted = faces.find(torch.roll(picture, (5, -3), (2, 3))).landmarks  # down, and to the left
    np.testing.assert_allclose((shifted - still).mean(1), [[-3, 5]], atol=0.3)
    np.testing.assert_allclose(shifted - still, still * 0 + [-3, 5], atol=2)


@needs_faces
def test_landmarks_grow_with_the_picture(faces: Faces, testdata: Path) -> None:
    """Of 128 to 256 px; the middle of a pixel stays the middle: (x + 1/2) doubles, not x."""
    clips = ("grid_bbaf2n", "grid_lbax4n", "talkvid_Gender_female_3", "talkvid_Language_pl")
    pictures = torch.cat([frames(testdata, clip) for clip in clips])
    small, large = (faces.find(at_size(pictures, size)).landmarks for size in (128, 256))
    doubled = 2 * (small + 0.5) - 0.5
    np.testing.assert_allclose(doubled, large, atol=3)
    np.testing.assert_allclose(doubled.mean((0, 1)), large.mean((0, 1)), atol=0.2)


@needs_faces
def test_small_pictures_have_finer_landmarks(faces: Faces, person: Tensor) -> None:
    """dlib rounds to whole pixels, of the enlarged picture where it is enlarged."""
    small, large = (faces.find(at_size(person[:1], size)).landmarks for size in (128, 520))
    eighths = 8 * small  # enlarged four times: at odd eighths
    np.testing.assert_allclose(eighths % 2, 1)
    np.testing.assert_allclose(large, large.round())


@needs_faces
def test_landmarks_of_a_mirrored_picture(faces: Faces, person: Tensor) -> None:
    seen, mirrored = faces.find(torch.cat([person[:1], person[:1].flip(3)])).landmarks
    np.testing.assert_allclose(255 - mirrored[MIRRORED, 0], seen[:, 0], atol=6)
    np.testing.assert_allclose(mirrored[MIRRORED, 1], seen[:, 1], atol=6)


@needs_faces
@pytest.mark.parametrize("side", ["left", "right"])
def test_of_two_faces_the_larger_is_taken(
    faces: Faces, person: Tensor, stranger: Tensor, side: str
) -> None:
    """The picture is not square: x and y are scaled alike."""
    large, small = person[:1], F.pad(at_size(stranger, 150), (0, 106, 0, 106))
    pair = torch.cat([large, small] if side == "left" else [small, large], dim=3)
    found, alone = faces.find(pair), faces.find(large)
    offset = [0, 0] if side == "left" else [256, 0]
    np.testing.assert_allclose(found.landmarks, alone.landmarks + offset, atol=3)
    assert aed(found, alone) < 0.1
