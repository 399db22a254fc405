"""What an evaluation finds out, as plain values that `report` writes and `page` shows."""

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]
BaselineRole = Literal["repeat", "paste"]
ContenderKind = Literal["model", "baseline", "bound"]
Verdict = Literal["better", "worse", "no clear difference", "too few clips"]


@dataclass(frozen=True)
class Metric:
    """What a column holds.

    Attributes:
        name: its key, such as "psnr".
        title: its heading, such as "PSNR".
        unit: such as "dB", "px" or "" where it has none.
        better: which values are good.
        population: on which frames and pixels it is computed.
        about: what it is, and its source.
        unfair: baselines that cannot lose by it, with which no comparison is made.
    """

    name: str
    title: str
    unit: str
    better: Better
    population: str
    about: str
    unfair: tuple[BaselineRole, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A mean over clips and its 95% interval from resampled clips.

    Attributes:
        mean: over clips, each clip's value being the mean of its frames.
        low, high: ends of the interval, identities being what is drawn again; equal to the mean
            with one of them.
        clips: how many have the value.
        frames: how many frames of these have it.
    """

    mean: float
    low: float
    high: float
    clips: int
    frames: int


@dataclass(frozen=True)
class Contender:
    """What is measured: a model in one way of running, a baseline, or an upper bound.

    Attributes:
        name: as the tables show it, such as "people-tiny, swapped" or "repeat the source".
        kind: "model" is a network's picture; "baseline" needs none, or does without the part in
            question; "bound" is given truth that no user has.
        about: one sentence.
    """

    name: str
    kind: ContenderKind
    about: str


@dataclass(frozen=True)
class Row:
    """A contender's values, by the metric's name; a metric that has no frames is left out."""

    contender: Contender
    values: dict[str, Estimate]


@dataclass(frozen=True)
class Comparison:
    """A contender against another on the same clips.

    Attributes:
        metric: its name.
        contender, against: their names.
        difference: of contender minus against, over the clips that both have.
        verdict: "better" or "worse" where the interval leaves out zero; "too few clips" below five
            independent ones.
    """

    metric: str
    contender: str
    against: str
    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Table:
    """Contenders that try the same, on the same clips.

    Attributes:
        title: such as "The same person in that motion".
        about: what was tried, and what the truth is.
        rows: baselines first.
        comparisons: of models against baselines, and of models with one another.
    """

    title: str
    about: str
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class ClipScores:
    """The values of one clip: table title -> contender's name -> metric's name -> mean."""

    clip: str
    values: dict[str, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Sheet:
    """Pictures of a clip: one row a time, one column a picture.

    Attributes:
        clip: its name.
        caption: such as "worst of 30 by LPIPS (0.41), people-tiny, animated".
        jpeg: the labelled picture.
    """

    clip: str
    caption: str
    jpeg: bytes


@dataclass(frozen=True)
class Report:
    """All of an evaluation.

    Attributes:
        protocol: "reconstruction", "cross", "truth" or "background".
        about: what the protocol does, in a few sentences.
        settings: the command's settings, models and data, as JSON values.
        metrics: the columns, in order.
        tables: at least one.
        clips: per clip, in order.
        sheets: best, median and worst.
        notes: sentences on what was left out, and why.
    """

    protocol: str
    about: str
    settings: dict[str, object]
    metrics: tuple[Metric, ...]
    tables: tuple[Table, ...]
    clips: tuple[ClipScores, ...]
    sheets: tuple[Sheet, ...]
    notes: tuple[str, ...]
