"""Each measure on pictures made by hand: the right pixels decide, and no others."""

from collections.abc import Callable
from operator import attrgetter

import pytest
import torch
from torch import Tensor

from maskmotion.evaluation import measures
from maskmotion.evaluation.cases import Batch
from maskmotion.evaluation.lpips import LPIPS
from maskmotion.evaluation.measures import Measure, Output, Seen, against

SIDE = 128
FRAMES = 2
HAIR, SEAM_END, BAND, FAR = 2, 8, 4, 11  # px: 1/64, 1/16, 1/32 and 1/12 of the side
TRUE_LEVEL = 0.05
CEILING = 58.9224  # dB, of equal pictures


def box(top: int, left: int, height: int, width: int) -> Tensor:
    """(1, 1, S, S) bool."""
    mask = torch.zeros((1, 1, SIDE, SIDE), dtype=torch.bool)
    mask[..., top : top + height, left : left + width] = True
    return mask


def distance(top: int, left: int, height: int, width: int) -> Tensor:
    """(1, 1, S, S) steps to the box; inside, 1 - the steps to its outside: 0 at its edge."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    down = torch.maximum(top - y, y - (top + height - 1))
    across = torch.maximum(left - x, x - (left + width - 1))
    return torch.maximum(down, across)[None, None]


SUBJECT, SOURCE_SUBJECT, DRIVER = (40, 48, 32, 24), (64, 8, 32, 24), (44, 48, 32, 24)
CORE = (44, 52, 24, 16)
OUTSIDE = distance(*SUBJECT)
INSIDE_CORE = 1 - distance(*CORE)  # steps to what is not of the core
BACKGROUND = box(96, 0, 32, SIDE)
CHANGED = box(16, 80, 24, 24)


def flat(level: float, frames: int = FRAMES) -> Tensor:
    return torch.full((frames, 3, SIDE, SIDE), level)


def noise(seed: int, frames: int = FRAMES) -> Tensor:
    return torch.rand((frames, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(seed))


def seen(picture: Tensor, mask: Tensor | None = None, **known: Tensor) -> Seen:
    """Of flat truths at four levels and boxes for the subjects; `known` goes to Batch or Seen."""
    source = torch.where(CHANGED, flat(0.5, 1), flat(TRUE_LEVEL, 1))
    pictures = {
        "source": source,
        "driving": flat(0.9),
        "target": flat(TRUE_LEVEL),
        "background": flat(TRUE_LEVEL + 0.1, 1),
        "swapped": flat(TRUE_LEVEL + 0.2),
    }
    subjects = {
        "source_subject": box(*SOURCE_SUBJECT),
        "driving_subject": box(*DRIVER).expand(FRAMES, -1, -1, -1),
        "subject": box(*SUBJECT).expand(FRAMES, -1, -1, -1),
        "core": box(*CORE).expand(FRAMES, -1, -1, -1),
        "background": BACKGROUND.expand(FRAMES, -1, -1, -1),
        "before": flat(TRUE_LEVEL + 0.3),
    }
    batch = Batch(0, **pictures | {k: v for k, v in known.items() if k in ("source", "target")})
    rest = {k: v for k, v in known.items() if k not in ("source", "target")}
    return Seen(batch, Output(picture, mask), **subjects | rest)


target, swapped = attrgetter("target"), attrgetter("swapped")


def grey_levels(error: Tensor) -> float:
    return 255 * error.abs().mean().item()


def share(error: Tensor) -> float:
    return error.abs().mean().item()


def decibels(error: Tensor) -> float:
    return -10 * error.square().mean().log10().item()


EVERYWHERE = box(0, 0, SIDE, SIDE)
L1_TARGET, PSNR_TARGET, *_ = against(target, "the target")
L1_SWAPPED, PSNR_SWAPPED, *_ = against(swapped, "the target")

# What is measured, against which level, over which pixels, and in which unit.
OF_PIXELS = {
    "l1 of the target": (L1_TARGET, 0.0, EVERYWHERE, share),
    "l1 of the swap": (L1_SWAPPED, 0.2, EVERYWHERE, share),
    "psnr of the target": (PSNR_TARGET, 0.0, EVERYWHERE, decibels),
    "psnr of the swap": (PSNR_SWAPPED, 0.2, EVERYWHERE, decibels),
    "l1 where changed": (measures.L1_CHANGED, 0.0, CHANGED, share),
    "seam of truth": (
        *(measures.SEAM_TRUE, 0.2),
        (OUTSIDE <= BAND) & (1 - OUTSIDE <= BAND),
        grey_levels,
    ),
    "seam": (measures.SEAM_RING, 0.1, (OUTSIDE > HAIR) & (OUTSIDE <= SEAM_END), grey_levels),
    "background kept": (measures.FAR_PSNR, 0.1, OUTSIDE >= FAR, decibels),
    "subject kept": (measures.SUBJECT, 0.0, INSIDE_CORE >= HAIR, grey_levels),
    "background error": (measures.BACKGROUND_KEPT, 0.0, BACKGROUND, grey_levels),
    "flicker": (measures.FLICKER, 0.3, BACKGROUND, grey_levels),
}


@pytest.mark.parametrize("known", OF_PIXELS.values(), ids=OF_PIXELS)
def test_errors_count_where_they_should_and_nowhere_else(
    known: tuple[Measure, float, Tensor, Callable[[Tensor], float]],
) -> None:
    measure, level, where, unit = known
    assert where.any()
    truth = flat(TRUE_LEVEL + level)
    error = 0.1 * (noise(0) - 0.5)
    found = measure.of(seen(torch.where(where, truth + error, truth + 0.7)))
    expected = [unit(frame[:, where[0, 0]]) for frame in error]
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("known", OF_PIXELS.values(), ids=OF_PIXELS)
def test_what_is_right_has_no_error(
    known: tuple[Measure, float, Tensor, Callable[[Tensor], float]],
) -> None:
    measure, level, _, unit = known
    perfect = CEILING if unit is decibels else 0
    found = measure.of(seen(flat(TRUE_LEVEL + level)))
    assert found.tolist() == pytest.approx([perfect] * FRAMES, abs=1e-3)


@pytest.mark.parametrize(
    ("measure", "left_out"),
    [
        (measures.SEAM_TRUE, {"subject": EVERYWHERE}),
        (measures.SEAM_RING, {"subject": EVERYWHERE}),
        (measures.FAR_PSNR, {"subject": EVERYWHERE}),
        (measures.SUBJECT, {"core": ~EVERYWHERE}),
        (measures.BACKGROUND_KEPT, {"background": ~EVERYWHERE}),
        (measures.FLICKER, {"background": ~EVERYWHERE}),
        (measures.FLICKER, {"before": flat(torch.nan)}),
        (measures.SHOW_THROUGH, {"subject": EVERYWHERE}),
        (measures.POSE_IOU, {"subject": ~EVERYWHERE, "driving_subject": ~EVERYWHERE}),
        (measures.STILL_IOU, {"subject": ~EVERYWHERE, "source_subject": ~EVERYWHERE}),
        (measures.L1_CHANGED, {"source": flat(TRUE_LEVEL, 1)}),
    ],
)
def test_frames_without_such_pixels_have_no_value(
    measure: Measure, left_out: dict[str, Tensor]
) -> None:
    found = measure.of(
        seen(flat(0.4), **{k: v.expand(FRAMES, -1, -1, -1) for k, v in left_out.items()})
    )
    assert found.isnan().all()
    assert len(found) == FRAMES


def test_l1_where_changed_asks_for_a_tenth_of_one_channel() -> None:
    truth = flat(TRUE_LEVEL)
    source = flat(TRUE_LEVEL, 1).clone()
    source[:, 2, 0, :10] += 0.11
    source[:, :, 1, :] += 0.09
    picture = truth.clone()
    picture[:, :, 0, :10] += 0.3
    picture[:, :, 1:, :] += 0.6
    found = measures.L1_CHANGED.of(seen(picture, source=source))
    assert found.tolist() == pytest.approx([0.3] * FRAMES)


def test_show_through_is_outside_of_both_subjects() -> None:
    old, new = noise(1, 1), flat(TRUE_LEVEL + 0.1, 1)
    where = (OUTSIDE >= HAIR) & (distance(*SOURCE_SUBJECT) >= HAIR)
    shares = torch.tensor([0.3, 0.0]).view(-1, 1, 1, 1)
    picture = torch.where(where, (1 - shares) * new + shares * old, 5 * old)
    found = measures.SHOW_THROUGH.of(seen(picture, source=old))
    assert found.tolist() == pytest.approx([0.3, 0], abs=1e-5)


# Outlines ----------------------------------------------------------------------------------

MOVED_DOWN = 28 / 36  # IoU of SUBJECT and DRIVER, which is 4 of 32 rows further down


@pytest.mark.parametrize("measure", [measures.MASK_IOU, measures.DRIVER_IOU])
def test_without_a_mask_there_is_no_iou(measure: Measure) -> None:
    assert measure.of(seen(flat(0.5))).isnan().tolist() == [True] * FRAMES


def test_ious_of_the_contenders_mask() -> None:
    mask = torch.cat([box(*SUBJECT), box(*DRIVER)])
    known = seen(flat(0.5), mask)
    assert measures.MASK_IOU.of(known).tolist() == pytest.approx([1, MOVED_DOWN])
    assert measures.DRIVER_IOU.of(known).tolist() == pytest.approx([MOVED_DOWN, 1])


def test_ious_of_the_outputs_subject() -> None:
    wider = box(64, 8, 32, 48)  # twice the source's subject
    known = seen(flat(0.5), subject=torch.cat([box(*SUBJECT), wider]))
    overlap = 12 * 8 / (32 * 48 + 32 * 24 - 12 * 8)
    assert measures.POSE_IOU.of(known).tolist() == pytest.approx([MOVED_DOWN, overlap])
    assert measures.STILL_IOU.of(known).tolist() == pytest.approx([0, 0.5])


# Whole pictures ----------------------------------------------------------------------------


def test_ssim_against_each_truth() -> None:
    picture = flat(0.5)
    for truth, level in ((target, TRUE_LEVEL), (swapped, TRUE_LEVEL + 0.2)):
        ssim = against(truth, "the truth")[2]
        assert ssim.metric.name == "ssim"
        expected = (2 * level * 0.5 + 1e-4) / (level**2 + 0.25 + 1e-4)
        assert ssim.of(seen(picture)).tolist() == pytest.approx([expected] * FRAMES, abs=1e-3)


def test_lpips_against_each_truth() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        distance = LPIPS()
    known = seen(noise(3), lpips=distance)
    for truth in (target, swapped):
        lpips = against(truth, "the truth")[3]
        assert lpips.metric.name == "lpips"
        expected = distance(known.output.picture, truth(known.batch))
        assert torch.equal(lpips.of(known), expected)
        assert (expected > 0).all()


# Baselines ---------------------------------------------------------------------------------


def test_no_comparison_with_baselines_that_cannot_lose() -> None:
    everything = [
        *against(target, "the truth"),
        *(m for m in vars(measures).values() if isinstance(m, Measure)),
    ]
    assert {m.metric.name: m.metric.unfair for m in everything if m.metric.unfair} == {
        "l1_changed": ("repeat",),
        "mask_iou": ("paste",),
        "far_psnr": ("paste",),
        "subject": ("repeat",),
        "background": ("repeat", "paste"),
        "flicker": ("repeat", "paste"),
    }
