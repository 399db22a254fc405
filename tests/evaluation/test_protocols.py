"""The four protocols with a model whose masks and pictures are known: each figure by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.evaluation.known import (
    ADDED,
    PAINT,
    RED,
    SIZE,
    Box,
    inside,
    known_animator,
    painted,
    red_boxes,
    save_clip,
    soft,
    walk,
)
from torch import Tensor, nn

from maskmotion.data.clips import Clip
from maskmotion.errors import ModelError
from maskmotion.evaluation import protocols
from maskmotion.evaluation.cases import OtherClip, RenderedCase, SameClip
from maskmotion.evaluation.evaluate import evaluate
from maskmotion.evaluation.protocols import (
    ANIMATED,
    ELSEWHERE,
    MOVED_PASTED,
    PASTED,
    RECONSTRUCTED,
    REPEAT,
    SELF_PASTED,
    SWAPPED,
    THAT_MOTION,
    TRUE_PASTED,
    Protocol,
)
from maskmotion.evaluation.results import Report
from maskmotion.media import save_png
from maskmotion.synth.people.truth import Shot, TruthCase, read_truth

FRAMES = 11  # the source and ten more, in batches of 8 and 2
CEILING = 58.9224  # dB, of equal pictures
A, B = walk(48, 16, FRAMES), walk(32, 28, FRAMES)
SCENE = np.random.default_rng(7).integers(60, 220, (SIZE, SIZE, 3), np.uint8)

Means = dict[str, dict[str, float]]


def means(report: Report, table: int = 0) -> Means:
    """Contender -> metric -> mean."""
    return {
        row.contender.name: {name: value.mean for name, value in row.values.items()}
        for row in report.tables[table].rows
    }


def evaluated(protocol: Protocol, table: int = 0, every: int = 1) -> Means:
    """Of the known model, called m, whose masks keep their size."""
    report = evaluate({"m": known_animator()}, protocol, every=every, scale=1.0)
    return means(report, table)


def mean_of(of: Callable[[int], float]) -> float:
    """The mean over evaluated frames of a clip."""
    return float(np.mean([of(t) for t in range(1, FRAMES)]))


def l1(picture: np.ndarray, truth: np.ndarray, where: np.ndarray | None = None) -> float:
    error = np.abs(picture - truth)
    return float(error.mean() if where is None else error[where].mean())


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(picture - truth).mean()))


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def pasted(alpha: np.ndarray, picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    return alpha * picture + (1 - alpha) * background


def far_from(box: Box, px: int) -> np.ndarray:
    """(S, S) bool, what is px or more steps away from a box."""
    top, left, height, width = box
    reach = px - 1
    top, left = max(top - reach, 0), max(left - reach, 0)
    return ~inside((top, left, box[0] + height + reach - top, box[1] + width + reach - left))


# Reconstruction ----------------------------------------------------------------------------


@pytest.fixture
def clip_a(tmp_path: Path) -> Clip:
    return Clip(save_clip(tmp_path / "a.mkv", red_boxes(0, A)), "a")


@pytest.fixture
def clip_b(tmp_path: Path) -> Clip:
    return Clip(save_clip(tmp_path / "b.mkv", red_boxes(1, B)), "b")


def test_reconstruction(clip_a: Clip) -> None:
    frames = red_boxes(0, A) / 255
    found = evaluated(protocols.reconstruction([SameClip(clip_a)]))

    def made(t: int) -> np.ndarray:
        return painted(frames[0], A[0], A[t])

    def cut(t: int) -> np.ndarray:
        return pasted(soft(A[t]), made(t), frames[0])

    def changed(t: int) -> np.ndarray:
        return inside(A[0]) ^ inside(A[t])

    for name, picture in {
        f"m: {RECONSTRUCTED}": made,
        f"m: {ANIMATED}": made,
        f"m: {SELF_PASTED}": cut,
        REPEAT: lambda t: frames[0],
    }.items():
        expected = {
            "l1": mean_of(lambda t, of=picture: l1(of(t), frames[t])),
            "psnr": mean_of(lambda t, of=picture: psnr(of(t), frames[t])),
            "l1_changed": mean_of(lambda t, of=picture: l1(of(t), frames[t], changed(t))),
        }
        assert {key: found[name][key] for key in expected} == pytest.approx(expected, rel=1e-4)


def test_reconstruction_is_without_the_refiner_and_animation_with_it(clip_a: Clip) -> None:
    frames = red_boxes(0, A) / 255
    lower = [(top + 20, *rest) for top, *rest in A]
    protocol = protocols.reconstruction([SameClip(clip_a)])
    report = evaluate({"m": known_animator(rows=5)}, protocol, every=1, scale=1.0)
    for name, boxes in ((RECONSTRUCTED, A), (ANIMATED, lower)):
        expected = mean_of(lambda t, of=boxes: l1(painted(frames[0], A[0], of[t]), frames[t]))
        assert means(report)[f"m: {name}"]["l1"] == pytest.approx(expected, rel=1e-4)


# Cross -------------------------------------------------------------------------------------


def test_cross(clip_a: Clip, clip_b: Clip) -> None:
    """The model shows the subject 20 px below the driver's, and a scene that slowly brightens."""
    protocol = protocols.cross([OtherClip(clip_a, clip_b)])
    report = evaluate({"m": known_animator(rows=5)}, protocol, every=1, scale=1.0)
    shown = means(report)[f"m: {ANIMATED}"]
    brighter = [box[1] / 1000 for box in B]
    still = [iou(inside(A[0]), inside((box[0] + 20, *box[1:]))) for box in B]
    assert shown == pytest.approx(
        {
            "background": 255 * np.mean(brighter),
            "flicker": 255 * np.mean(np.diff(brighter)),
            "pose_iou": 12 / 52,
            "still_iou": np.mean(still),
        },
        rel=1e-3,
    )
    values = {row.contender.name: row.values for row in report.tables[0].rows}
    assert values[f"m: {ANIMATED}"]["background"].frames == FRAMES
    assert values[f"m: {ANIMATED}"]["flicker"].frames == FRAMES - 1
    repeated = [iou(inside(A[0]), inside(box)) for box in B]
    assert means(report)[REPEAT] == pytest.approx(
        {"background": 0, "flicker": 0, "pose_iou": np.mean(repeated), "still_iou": 1}
    )
    # The source's subject is still there beside the new one; nothing else but a soft rim changes.
    cut = means(report)[f"m: {MOVED_PASTED}"]
    assert (cut["background"], cut["flicker"]) == pytest.approx((0, 0), abs=0.03)
    both = [inside((box[0] + 20, *box[1:])) | inside(A[0]) for box in B]
    pose = [iou(shape, inside(box)) for shape, box in zip(both, B, strict=True)]
    assert cut["pose_iou"] == pytest.approx(np.mean(pose), rel=0.01)


# Background --------------------------------------------------------------------------------


@pytest.fixture
def on_scene(clip_a: Clip, tmp_path: Path) -> Protocol:
    save_png(tmp_path / "scene.png", SCENE)
    return protocols.background([SameClip(clip_a, tmp_path / "scene.png")])


def through(picture: np.ndarray, old: np.ndarray, where: np.ndarray) -> float:
    """Share of the old background by least squares, in NumPy's words."""
    new = SCENE / 255
    unknown, known = (old - new)[where].ravel(), (picture - new)[where].ravel()
    return float(np.linalg.lstsq(unknown[:, None], known, rcond=None)[0][0])


def test_background(on_scene: Protocol) -> None:
    source, new = red_boxes(0, A[:1])[0] / 255, SCENE / 255
    found = evaluated(on_scene)

    def wrong(picture: Callable[[int], np.ndarray]) -> float:
        both = far_from(A[0], 2)
        return mean_of(lambda t: through(picture(t), source, both & far_from(A[t], 2)))

    def swapped(t: int) -> np.ndarray:
        return np.where(inside(A[t])[..., None], PAINT, new) + ADDED

    def cut(t: int) -> np.ndarray:
        return pasted(soft(A[t]), painted(source, A[0], A[t]), new)

    def kept(t: int) -> float:
        top, left, height, width = A[t]
        deep = inside((top + 1, left + 1, height - 2, width - 2))
        return 255 * l1(cut(t)[deep], red)

    red, paint = np.array(RED) / 255, np.array(PAINT)
    assert found[f"m: {SWAPPED}"] == pytest.approx(
        {
            "far_psnr": -20 * np.log10(ADDED),
            "seam": 255 * ADDED,
            "show_through": wrong(swapped),
            "subject": 255 * l1(paint + ADDED, red),
        },
        rel=1e-3,
    )
    assert found[f"m: {PASTED}"] == pytest.approx(
        {
            "far_psnr": CEILING,
            "seam": 0,
            "show_through": wrong(cut),
            "subject": mean_of(kept),
        },
        rel=1e-3,
        abs=1e-4,
    )
    repeated = found[REPEAT]
    assert repeated["show_through"] == pytest.approx(1)
    far = mean_of(lambda t: psnr(source[far_from(A[t], 11)], new[far_from(A[t], 11)]))
    assert repeated["far_psnr"] == pytest.approx(far, rel=1e-4)


def test_a_model_without_background_networks_is_named(on_scene: Protocol) -> None:
    model = known_animator()
    model.background_base = model.background_refiner = None
    report = evaluate({"m": model, "n": known_animator()}, on_scene, every=5, scale=1.0)
    assert list(means(report)) == [REPEAT, f"m: {PASTED}", f"n: {PASTED}", f"n: {SWAPPED}"]
    assert report.notes == ("m has no background networks; it is not among the swapped.",)


# Several models ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cross", "background"])
def test_the_order_of_models_does_not_matter(
    name: str, clip_a: Clip, clip_b: Clip, on_scene: Protocol
) -> None:
    protocol = on_scene if name == "background" else protocols.cross([OtherClip(clip_a, clip_b)])
    models = {"m": known_animator(), "wide": known_animator(margin=2)}
    found = means(evaluate(models, protocol, every=2, scale=1.0))
    turned = dict(reversed(models.items()))
    assert means(evaluate(turned, protocol, every=2, scale=1.0)) == found
    alone = evaluate({"m": models["m"]}, protocol, every=2, scale=1.0)
    assert means(alone)[REPEAT] != found[REPEAT]  # the second one has its say


def test_a_subject_is_where_any_model_sees_it_and_surely_where_all_do(on_scene: Protocol) -> None:
    wide = {"m": known_animator(), "wide": known_animator(margin=2)}
    alone, both = (
        means(evaluate(models, on_scene, every=2, scale=1.0))[f"m: {PASTED}"]
        for models in ({"m": wide["m"]}, wide)
    )
    assert both["subject"] == pytest.approx(alone["subject"])
    assert alone["show_through"] != 0  # of the soft rim, which the wider outline covers
    assert both["show_through"] == 0


# Truth -------------------------------------------------------------------------------------

OUTLINE = (40, 36, 48, 56)  # where the model takes every subject to be


class Everywhere(nn.Module):
    """m and r: OUTLINE, whatever they are shown."""

    def forward(self, picture: Tensor, *masks: Tensor) -> Tensor:
        found = torch.from_numpy(inside(OUTLINE)[::4, ::4].copy()).float()
        return found.expand(len(picture), 1, -1, -1)


@pytest.fixture
def case(truth_set: Path) -> TruthCase:
    return read_truth(truth_set)[0]


@pytest.fixture
def shots(case: TruthCase) -> list[Shot]:
    return list(case.shots())[::2]


@pytest.fixture
def of_truth(case: TruthCase) -> Report:
    model = known_animator()
    model.mask_generator = model.refiner = Everywhere()
    protocol = protocols.truth([RenderedCase(case)])
    return evaluate({"m": model}, protocol, every=2, scale=1.0)


def over(shots: list[Shot], of: Callable[[Shot], float]) -> float:
    return float(np.mean([of(shot) for shot in shots]))


def test_that_motion(of_truth: Report, case: TruthCase, shots: list[Shot]) -> None:
    found = means(of_truth, 0)
    assert of_truth.tables[0].title == THAT_MOTION
    source, plate = case.source() / 255, case.background() / 255
    animated = painted(source, OUTLINE, OUTLINE)

    def cut(shot: Shot) -> np.ndarray:
        return pasted(shot.target_alpha[..., None] / 255, animated, plate)

    pictures: dict[str, Callable[[Shot], np.ndarray]] = {
        REPEAT: lambda _: source,
        f"m: {ANIMATED}": lambda _: animated,
        f"m: {MOVED_PASTED}": lambda _: pasted(soft(OUTLINE), animated, source),
        f"m: {TRUE_PASTED}": cut,
    }
    assert list(found) == [REPEAT, f"m: {MOVED_PASTED}", f"m: {ANIMATED}", f"m: {TRUE_PASTED}"]
    for name, of in pictures.items():
        expected = over(shots, lambda shot, of=of: l1(of(shot), shot.target / 255))
        assert found[name]["l1"] == pytest.approx(expected, rel=1e-4), name
    own = over(shots, lambda shot: iou(inside(OUTLINE), shot.target_alpha > 127))
    driver = over(shots, lambda shot: iou(inside(OUTLINE), shot.driving_alpha > 127))
    assert own != pytest.approx(driver, abs=0.01)
    for form in (ANIMATED, MOVED_PASTED):
        ious = [found[f"m: {form}"][name] for name in ("mask_iou", "driver_iou")]
        assert ious == pytest.approx([own, driver])
    assert found[f"m: {TRUE_PASTED}"]["mask_iou"] == 1
    assert "mask_iou" not in found[REPEAT]


def test_elsewhere(of_truth: Report, case: TruthCase, shots: list[Shot]) -> None:
    found = means(of_truth, 1)
    assert of_truth.tables[1].title == ELSEWHERE
    source, new = case.source() / 255, case.new_background() / 255
    animated = painted(source, OUTLINE, OUTLINE)
    pictures: dict[str, Callable[[Shot], np.ndarray]] = {
        REPEAT: lambda _: source,
        f"m: {PASTED}": lambda _: pasted(soft(OUTLINE), animated, new),
        f"m: {SWAPPED}": lambda _: np.where(inside(OUTLINE)[..., None], PAINT, new) + ADDED,
        f"m: {TRUE_PASTED}": lambda shot: pasted(shot.target_alpha[..., None] / 255, animated, new),
    }
    assert list(found) == [REPEAT, f"m: {PASTED}", f"m: {SWAPPED}", f"m: {TRUE_PASTED}"]
    for name, of in pictures.items():
        expected = over(shots, lambda shot, of=of: l1(of(shot), shot.swapped / 255))
        assert found[name]["l1"] == pytest.approx(expected, rel=1e-4), name
    assert found[f"m: {TRUE_PASTED}"]["far_psnr"] == pytest.approx(CEILING, abs=1e-3)


# Damaged models ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pictures_that_are_no_numbers_are_refused(value: float, clip_a: Clip) -> None:
    class Damaged(nn.Module):
        def forward(self, source: Tensor, *others: Tensor) -> Tensor:
            picture = source.expand(len(others[-1]), -1, -1, -1).clone()
            picture[-1, 0, 3, 3] = value
            return picture

    model = known_animator()
    model.high_res = Damaged()
    with pytest.raises(ModelError, match="broken gives pictures with values that are no numbers"):
        evaluate({"broken": model}, protocols.reconstruction([SameClip(clip_a)]))
