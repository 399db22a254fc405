"""How sure a mean over clips is, from clips drawn again.

The clip is what is drawn, not the frame: frames of one clip resemble one another, so that
intervals over frames would be far too narrow.
"""

from math import sqrt
from statistics import NormalDist

import numpy as np

from maskmotion.errors import ShapeError
from maskmotion.evaluation.results import Comparison, Estimate, Metric, Verdict

RESAMPLES = 2000
SEED = 0
TAIL = 0.025  # beyond each end of an interval
FEWEST_CLIPS = 5  # that a verdict is drawn from


def estimate(values: np.ndarray, frames: int) -> Estimate | None:
    """The mean over clips and its 95% interval.

    The expanded percentile interval of the means of 2000 resamples, always the same draws: where
    clips are few, plain percentiles are too narrow, and are taken further out, as a t interval is
    wider than a normal one.

    Args:
        values: (clips,) each clip's mean over its frames, in any order; NaN for a clip that has
            no value.
        frames: how many frames the values come from.
    Returns:
        None where no clip has a value.
    Source: Hesterberg, What Teachers Should Know About the Bootstrap, 2015, section 3.3.
    """
    # In rising order, so that the interval does not depend on the clips' order.
    found = np.sort(values[~np.isnan(values)])
    if not len(found):
        return None
    draws = np.random.default_rng(SEED).integers(len(found), size=(RESAMPLES, len(found)))
    tail = _expanded_tail(len(found))
    low, high = np.quantile(found[draws].mean(1), (tail, 1 - tail))
    return Estimate(float(found.mean()), float(low), float(high), len(found), frames)


def compare(
    metric: Metric,
    contender: str,
    against: str,
    values: np.ndarray,
    others: np.ndarray,
    frames: int,
) -> Comparison | None:
    """Judge a contender against another on the clips that both have.

    The difference is taken clip by clip, so that how hard a clip is falls out of it. Fewer than
    five clips are never more than "no clear difference".

    Args:
        metric: whose `better` says which sign is good.
        contender, against: names.
        values, others: (clips,) of the contender and of the other, for the same clips in the same
            order; NaN for a clip that has no value.
        frames: how many frames the common clips' values come from.
    Returns:
        None where the metric is not judged (its `better` is "neither"), or fewer than two clips
        are common: one says nothing about others.
    Raises:
        ShapeError: not the same number of clips.
    """
    if values.shape != others.shape:
        raise ShapeError(
            f"values of the same clips are compared, got {values.shape} and {others.shape}"
        )
    difference = estimate(values - others, frames)
    if metric.better == "neither" or difference is None or difference.clips < 2:
        return None
    return Comparison(metric.name, contender, against, difference, _verdict(metric, difference))


def _verdict(metric: Metric, difference: Estimate) -> Verdict:
    if difference.clips < FEWEST_CLIPS or difference.low <= 0 <= difference.high:
        return "no clear difference"
    return "better" if (difference.low > 0) == (metric.better == "higher") else "worse"


def _expanded_tail(clips: int) -> float:
    """The share of resampled means to leave out at each end, below TAIL where clips are few."""
    if clips == 1:
        return 0.0
    reach = sqrt(clips / (clips - 1)) * _students_t(clips - 1)
    return NormalDist().cdf(-reach)


def _students_t(freedom: int) -> float:
    """Student's quantile for 1 - TAIL, to 1% from 3 degrees of freedom on (Cornish and Fisher)."""
    z = NormalDist().inv_cdf(1 - TAIL)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
