"""How sure a mean over clips is, from identities drawn again.

Frames of one clip resemble one another, and so do clips of one identity: intervals over frames, or
over clips of few identities, would be far too narrow.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np

from maskmotion.evaluation.results import Comparison, Estimate, Metric, Verdict

RESAMPLES = 2000
SEED = 0
TAIL = 0.025  # beyond each end of an interval
FEWEST_CLIPS = 5  # of different identities, that a verdict is drawn from


def estimate(
    values: np.ndarray, frames: int, identities: Sequence[str] | None = None
) -> Estimate | None:
    """The mean over clips and its 95% interval.

    The expanded percentile interval of the means of 2000 resamples, always the same draws: where
    identities are few, plain percentiles are too narrow, and are taken further out, as a t interval
    is wider than a normal one.

    Args:
        values: (clips,) each clip's mean over its frames, in any order; NaN for a clip that has
            no value.
        frames: how many frames the values come from.
        identities: of each clip, which are drawn with all of their clips; None: each its own.
    Returns:
        None where no clip has a value.
    Source: Hesterberg, What Teachers Should Know About the Bootstrap, 2015, section 3.3.
    """
    known = ~np.isnan(values)
    found = values[known]
    if not len(found):
        return None
    sums, clips = _by_identity(found, _identities(known, identities))
    draws = np.random.default_rng(SEED).integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[draws].sum(1) / clips[draws].sum(1)
    tail = _expanded_tail(len(sums))
    low, high = np.quantile(means, (tail, 1 - tail))
    mean = sums.sum() / clips.sum()  # of the same order as the draws
    return Estimate(float(mean), float(low), float(high), len(found), frames)


def compare(
    metric: Metric,
    contender: str,
    against: str,
    differences: np.ndarray,
    frames: int,
    identities: Sequence[str] | None = None,
) -> Comparison | None:
    """Judge a contender against another on the clips that both have.

    The difference is taken clip by clip, so that how hard a clip is falls out of it.

    Args:
        metric: whose `better` says which sign is good.
        contender, against: names.
        differences: (clips,) of the contender minus the other, each the mean over the frames that
            both have; NaN for a clip without.
        frames: how many frames these are.
        identities: as `estimate` takes them.
    Returns:
        None where the metric is not judged (its `better` is "neither"), or no clip is common.
    """
    difference = estimate(differences, frames, identities)
    if metric.better == "neither" or difference is None:
        return None
    independent = len(set(_identities(~np.isnan(differences), identities)))
    verdict = _verdict(metric, difference, independent)
    return Comparison(metric.name, contender, against, difference, verdict)


def _identities(known: np.ndarray, identities: Sequence[str] | None) -> list[str]:
    """Those of the clips that have a value."""
    named = identities if identities is not None else [str(i) for i in range(len(known))]
    return [name for name, is_known in zip(named, known, strict=True) if is_known]


def _by_identity(values: np.ndarray, identities: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Each identity's sum and number of clips, in an order that does not depend on the clips'."""
    groups: dict[str, list[float]] = {}
    for value, name in zip(values, identities, strict=True):
        groups.setdefault(name, []).append(float(value))
    ordered = sorted((sum(sorted(group)), len(group)) for group in groups.values())
    return np.array([total for total, _ in ordered]), np.array([count for _, count in ordered])


def _verdict(metric: Metric, difference: Estimate, independent: int) -> Verdict:
    if independent < FEWEST_CLIPS:
        return "too few clips"
    if difference.low <= 0 <= difference.high:
        return "no clear difference"
    return "better" if (difference.low > 0) == (metric.better == "higher") else "worse"


def _expanded_tail(identities: int) -> float:
    """The share of resampled means to leave out at each end, below TAIL where there are few."""
    if identities == 1:
        return 0.0
    reach = sqrt(identities / (identities - 1)) * _students_t(identities - 1)
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
