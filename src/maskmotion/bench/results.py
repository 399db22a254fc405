"""What benchmarks find, and how it is written down."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Row:
    """One form of a model, with or without a swap; medians over rounds.

    engine: the form. batch: frames painted at once. peak_mb: 10^6 bytes held at most; None where
    the system does not tell. psnr_to_plain_db: of the pictures; None for plain, from file to file,
    and where they are equal. times_plain: frames/s over those of plain in the same round, with
    the lowest and the highest. gflop_per_frame: 10^9 operations, as the networks are written down;
    conv_share: so many a second, over the machine's rate of convolutions in this dtype in the same
    rounds. Exact rewritings take it above what is computed. engine_gflop_per_frame and
    engine_conv_share: the same as our engine computes them; None for what torch does not run.
    """

    model: str
    engine: str
    dtype: str
    swap: bool
    batch: int
    rounds: int
    frames_per_s: float
    peak_mb: float | None
    psnr_to_plain_db: float | None
    times_plain: float
    times_plain_low: float
    times_plain_high: float
    gflop_per_frame: float
    conv_share: float
    engine_gflop_per_frame: float | None
    engine_conv_share: float | None


@dataclass(frozen=True)
class Machine:
    """Where it was measured; conv_gflops: what a large 3x3 convolution reaches, 10^9/s, medians."""

    processor: str
    device: str
    cores: int
    threads: int
    python: str
    torch: str
    conv_gflops_float32: float
    conv_gflops_bfloat16: float


@dataclass(frozen=True)
class Report:
    """All that was measured, and what there is to say about it."""

    machine: Machine
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


HEADER = (
    "form",
    "frames/s",
    "times plain (rounds)",
    "peak MB",
    "PSNR to plain",
    "GFLOP/s of plain",
    "of the rate",
    "computed",
)
LEGEND = (
    "Plain is the networks as they are written down. Times plain: frames/s over those of plain in "
    "the same round, with their range. End to end: a 1920x1080 H.264 file is read, and one of the "
    "networks' size is written.",
    "GFLOP/s of plain: operations of the networks as they are written down, by the time that the "
    "form takes; beside it their share of the machine's rate of convolutions in that dtype. Exact "
    "rewritings leave operations out, so it can pass what the machine computes, which is the last "
    "column, where it is known.",
)


def markdown(report: Report) -> str:
    """Tables to read."""
    machine = report.machine
    lines = [
        f"{machine.processor}, {machine.cores} cores, threads: {machine.threads}, device: "
        f"{machine.device}, torch {machine.torch}. A 3x3 convolution of 256 channels at 64x64 "
        f"reaches {machine.conv_gflops_float32:.0f} GFLOP/s in float32, "
        f"{machine.conv_gflops_bfloat16:.0f} in bfloat16.",
        "",
    ]
    for (model, swap), rows in groupby(report.rows, key=lambda row: (row.model, row.swap)):
        lines += [*_table(model, swap, list(rows)), ""]
    lines += [f"{note}\n" for note in (*LEGEND, *report.notes)]
    return "\n".join(lines)


def _table(model: str, swap: bool, rows: list[Row]) -> Iterator[str]:
    yield (
        f"**{model}**, {'with' if swap else 'without'} swap: "
        f"{rows[0].gflop_per_frame:.3g} GFLOP a frame, medians of {rows[0].rounds}"
    )
    yield ""
    yield f"| {' | '.join(HEADER)} |"
    yield f"|---{'|---:' * (len(HEADER) - 1)}|"
    for row in rows:
        yield f"| {' | '.join(_cells(row))} |"


def _cells(row: Row) -> tuple[str, ...]:
    equal = "" if row.engine == "plain" or "end to end" in row.engine else "equal"
    db, mb, share = row.psnr_to_plain_db, row.peak_mb, row.engine_conv_share
    return (
        f"{row.engine}, {row.dtype}",
        f"{row.frames_per_s:.3g}",
        f"{row.times_plain:.2f} ({row.times_plain_low:.2f} to {row.times_plain_high:.2f})",
        "" if mb is None else f"{mb:.0f}",
        equal if db is None else f"{db:.0f} dB",
        f"{row.frames_per_s * row.gflop_per_frame:.0f}",
        f"{row.conv_share:.0%}",
        "" if share is None else f"{share:.0%}",
    )
