"""Faces of a case, on real ones."""

from pathlib import Path

import pytest
import torch

from maskmotion.errors import MissingExtraError
from maskmotion.evaluation.cases import Batch, clip_frames, evaluation_clips
from maskmotion.evaluation.face_meter import FACE_METRICS, FaceMeter
from maskmotion.evaluation.faces import Faces
from maskmotion.media import to_tensor


@pytest.fixture(scope="module")
def faces() -> Faces:
    try:
        return Faces()
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def talkers(testdata: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Four frames of each of two people, (4, 3, 128, 128)."""
    clips = evaluation_clips(testdata / "clips" / "faces", 2)
    one, other = (to_tensor(list(clip_frames(clip, 128, 20))[:4]) for clip in clips)
    return one, other


def means(meter: FaceMeter) -> dict[tuple[str, str], float]:
    return {(name, metric): float(v.nanmean()) for name, metric, v in meter.values()}


def test_the_truth_itself_is_perfect_and_another_person_is_not(
    faces: Faces, talkers: tuple[torch.Tensor, torch.Tensor]
) -> None:
    one, other = talkers
    meter = FaceMeter(faces, "target")
    shown = {"truth": one, "other": other, "grey": torch.full_like(one, 0.5)}
    for part in (slice(0, 1), slice(1, 4)):
        batch = Batch(0, one[:1], one[part], one[part])
        meter.see(batch, {name: pictures[part] for name, pictures in shown.items()})
    found = means(meter)
    assert [found["truth", m.name] for m in FACE_METRICS["target"]] == [0, 0, 0]
    assert found["other", "aed"] > 0.5
    assert found["other", "akd"] > 2
    assert found["grey", "mkr"] == 1
    assert torch.tensor(found["grey", "akd"]).isnan()


def test_across_people_place_is_the_drivers_and_identity_the_sources(
    faces: Faces, talkers: tuple[torch.Tensor, torch.Tensor]
) -> None:
    one, other = talkers
    meter = FaceMeter(faces, "driving")
    batch = Batch(0, one[:1], other)
    meter.see(batch, {"repeat": one[:1].expand_as(other), "the driver": other})
    found = means(meter)
    assert found["the driver", "akd"] == pytest.approx(0, abs=1e-4)
    assert found["the driver", "aed"] > 0.5
    assert found["repeat", "aed"] == pytest.approx(0, abs=1e-6)
    assert found["repeat", "akd"] > found["the driver", "akd"]
