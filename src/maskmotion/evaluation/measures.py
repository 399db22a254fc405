"""What is measured of a contender's pictures, frame by frame: metrics on their populations.

Distances are shares of the picture's side, so that figures at two sizes mean the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from maskmotion.evaluation import metrics
from maskmotion.evaluation.cases import Batch
from maskmotion.evaluation.results import Metric

FAR = 1 / 12  # from the subject on, no outline is in doubt
SEAM = (1 / 64, 1 / 16)  # a ring outside the outline, but for what belongs to it by a hair
BAND = 1 / 32  # on both sides of a true outline


@dataclass(frozen=True)
class Output:
    """A contender's answer to a batch.

    Attributes:
        picture: (B, 3, S, S) RGB in [0, 1].
        mask: (B, 1, S, S) bool, where it takes the subject to be; None if it takes no such view.
    """

    picture: Tensor
    mask: Tensor | None = None


@dataclass(frozen=True)
class Seen:
    """All that a measure may look at; subjects are (B or 1, 1, S, S) bool.

    Attributes:
        batch: frames and what is known about them.
        output: of the contender.
        source_subject: where the subject is in the source.
        driving_subject: where the driver's is.
        subject: where it is in the output, or ought to be; for one of the models, at least.
        core: where it is for all of them.
        before: (B, 3, S, S), the contender's picture at the frame before; NaN at the first frame.
        background: what no subject covers, nor did at the frame before.
        lpips: of pictures and their truths, (B, 3, S, S) each, -> (B,); None where it is not
            measured.
    """

    batch: Batch
    output: Output
    source_subject: Tensor | None = None
    driving_subject: Tensor | None = None
    subject: Tensor | None = None
    core: Tensor | None = None
    lpips: Callable[[Tensor, Tensor], Tensor] | None = None
    before: Tensor | None = None
    background: Tensor | None = None

    def anywhere(self) -> Tensor:
        """Where there is a subject in source, driver or output."""
        return _known(self.subject) | _known(self.source_subject) | _known(self.driving_subject)

    def outside(self, subjects: Tensor) -> Tensor:
        """What is not of them, nor by a hair."""
        return metrics.far_from(subjects, _px(subjects, SEAM[0]))


@dataclass(frozen=True)
class Measure:
    """A metric and how it is computed.

    Attributes:
        metric: what it is.
        of: -> (B,), NaN where a frame has no such pixels.
    """

    metric: Metric
    of: Callable[[Seen], Tensor]


Value = TypeVar("Value")


def _known(value: Value | None) -> Value:
    assert value is not None
    return value


def _px(picture: Tensor, share: float) -> int:
    return max(1, round(share * picture.shape[-1]))


def _mask_iou(seen: Seen, outline: Tensor) -> Tensor:
    """(B,), NaN for a contender that takes no view of where the subject is."""
    if seen.output.mask is None:
        return torch.full((len(outline),), torch.nan, device=outline.device)
    return metrics.iou(seen.output.mask, outline)


def _source(seen: Seen) -> Tensor:
    return seen.batch.source.expand_as(seen.output.picture)


def _new_background(seen: Seen) -> Tensor:
    return _known(seen.batch.background).expand_as(seen.output.picture)


def against(truth: Callable[[Batch], Tensor], word: str) -> tuple[Measure, ...]:
    """Whole pictures against the truth, which is named in a word: L1, PSNR, SSIM, LPIPS.

    Args:
        truth: finds (B, 3, S, S) in a batch.
        word: such as "the target".
    """
    whole = f"all frames and pixels, against {word}"
    return (
        Measure(
            Metric("l1", "L1", "", "lower", whole, "mean absolute error, colours in [0, 1]"),
            lambda seen: metrics.l1(seen.output.picture, truth(seen.batch)),
        ),
        Measure(
            Metric(
                *("psnr", "PSNR", "dB", "higher", whole),
                "peak signal-to-noise ratio, mean of frames; equal frames count 58.9, as rounding "
                "to eight bits does",
            ),
            lambda seen: metrics.psnr(seen.output.picture, truth(seen.batch)),
        ),
        Measure(
            Metric(
                *("ssim", "SSIM", "", "higher", whole),
                "structural similarity, 11x11 Gaussian window (Wang et al. 2004)",
            ),
            lambda seen: metrics.ssim(seen.output.picture, truth(seen.batch)),
        ),
        Measure(
            Metric(
                *("lpips", "LPIPS", "", "lower", whole),
                "learned perceptual distance, AlexNet, version 0.1 (Zhang et al. 2018)",
            ),
            lambda seen: _known(seen.lpips)(seen.output.picture, truth(seen.batch)),
        ),
    )


L1_CHANGED = Measure(
    Metric(
        *("l1_changed", "L1 where changed", "", "lower"),
        "pixels in which the source and the truth differ by more than 0.1 in a channel",
        "mean absolute error there, colours in [0, 1]: what has to be painted anew. These pixels "
        "are the source's own errors, so repeating it is not compared",
        unfair=("repeat",),
    ),
    lambda seen: metrics.l1(
        seen.output.picture,
        _known(seen.batch.target),
        metrics.changed(_source(seen), _known(seen.batch.target)),
    ),
)

SEAM_TRUE = Measure(
    Metric(
        *("seam", "seam", "/255", "lower"),
        "pixels within 1/32 of the side from the true outline, on both sides",
        "mean absolute error there, grey levels of 255",
    ),
    lambda seen: (
        255
        * metrics.l1(
            seen.output.picture,
            _known(seen.batch.swapped),
            metrics.band(_known(seen.subject), _px(seen.output.picture, BAND)),
        )
    ),
)

MASK_IOU = Measure(
    Metric(
        *("mask_iou", "mask IoU", "", "higher"),
        "all frames; the contender's mask, cut at the model's threshold",
        "intersection over union with the true outline of the person (alpha above one half)",
        unfair=("paste",),
    ),
    lambda seen: _mask_iou(seen, _known(seen.subject)),
)

DRIVER_IOU = Measure(
    Metric(
        *("driver_iou", "IoU with driver", "", "neither"),
        "all frames; the contender's mask, cut at the model's threshold",
        "intersection over union with the driver's true outline: above the mask IoU, the driver's "
        "shape leaks into the picture",
    ),
    lambda seen: _mask_iou(seen, _known(seen.driving_subject)),
)

FAR_PSNR = Measure(
    Metric(
        *("far_psnr", "background kept", "dB", "higher"),
        "pixels at least 1/12 of the side away from the subject's outline",
        "PSNR against the new background, at most 58.9; a paste keeps it by construction",
        unfair=("paste",),
    ),
    lambda seen: metrics.psnr(
        seen.output.picture,
        _new_background(seen),
        metrics.far_from(_known(seen.subject), _px(seen.output.picture, FAR)),
    ),
)

SEAM_RING = Measure(
    Metric(
        *("seam", "seam", "/255", "lower"),
        "pixels outside the subject's outline, at 1/64 to 1/16 of the side",
        "mean absolute error against the new background, grey levels of 255",
    ),
    lambda seen: (
        255
        * metrics.l1(
            seen.output.picture,
            _new_background(seen),
            metrics.ring(
                _known(seen.subject), *(_px(seen.output.picture, share) for share in SEAM)
            ),
        )
    ),
)

SHOW_THROUGH = Measure(
    Metric(
        *("show_through", "show-through", "", "lower"),
        "pixels outside the subject's outline by 1/64 of the side or more, in driver and source",
        "share of the old background in the picture, by least squares: 0 = none, 1 = as it was",
    ),
    lambda seen: metrics.show_through(
        seen.output.picture,
        _new_background(seen),
        _source(seen),
        metrics.far_from(
            _known(seen.subject) | _known(seen.source_subject),
            _px(seen.output.picture, SEAM[0]),
        ),
    ),
)

SUBJECT = Measure(
    Metric(
        *("subject", "subject kept", "/255", "lower"),
        "pixels inside the subject for all models, by 1/64 of the side or more",
        "mean absolute error against the clip's own frame, grey levels of 255",
        unfair=("repeat",),
    ),
    lambda seen: (
        255
        * metrics.l1(
            seen.output.picture,
            _known(seen.batch.target),
            metrics.far_from(~_known(seen.core), _px(seen.output.picture, SEAM[0])),
        )
    ),
)


BACKGROUND_KEPT = Measure(
    Metric(
        *("background", "background error", "/255", "lower"),
        "pixels at least 1/64 of the side away from the subjects of source, driver and output, now "
        "and at the frame before",
        "mean absolute error against the source, grey levels of 255",
        unfair=("repeat", "paste"),
    ),
    lambda seen: 255 * metrics.l1(seen.output.picture, _source(seen), _known(seen.background)),
)

FLICKER = Measure(
    Metric(
        *("flicker", "flicker", "/255", "lower"),
        "the same pixels, from the second frame on",
        "mean absolute change from one evaluated frame to the next, grey levels of 255",
        unfair=("repeat", "paste"),
    ),
    lambda seen: (
        255 * metrics.l1(seen.output.picture, _known(seen.before), _known(seen.background))
    ),
)

POSE_IOU = Measure(
    Metric(
        *("pose_iou", "IoU with driver", "", "neither"),
        "all frames; masks of all models together",
        "intersection over union of the output's subject and the driver's: 1 is the driver's very "
        "outline, in which its shape has leaked with its pose",
    ),
    lambda seen: metrics.iou(_known(seen.subject), _known(seen.driving_subject)),
)

STILL_IOU = Measure(
    Metric(
        *("still_iou", "IoU with source", "", "neither"),
        "all frames; masks of all models together",
        "intersection over union of the output's subject and the source's: 1 has not moved",
    ),
    lambda seen: metrics.iou(
        _known(seen.subject), _known(seen.source_subject).expand_as(_known(seen.subject))
    ),
)
