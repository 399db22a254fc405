"""Draw the losses of training runs over each other, as an SVG.

    python benchmarks/curves.py runs/float32 runs/bfloat16 --out curves.svg

Each run's log.jsonl gives one line a loss, smoothed over `--window` steps; printed are the means
over the last third of the steps.
"""

import argparse
import json
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 420, 220, 36
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")


def read(run: Path, name: str) -> list[tuple[int, float]]:
    """(step, value) of a number in a run's log."""
    lines = (run / "log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [(entry["step"], entry[name]) for entry in entries if name in entry]


def smoothed(values: list[tuple[int, float]], window: int) -> list[tuple[int, float]]:
    """Running means over `window` steps."""
    numbers = [value for _, value in values]
    return [
        (values[i][0], sum(numbers[i - window + 1 : i + 1]) / window)
        for i in range(window - 1, len(values))
    ]


def plot(name: str, curves: list[tuple[str, list[tuple[int, float]]]], top: int) -> str:
    """One diagram, `top` pixels down the page."""
    points = [point for _, curve in curves for point in curve]
    steps, values = zip(*points, strict=True)
    low, high = min(values), max(values)

    def at(step: int, value: float) -> str:
        x = MARGIN + (step - min(steps)) / max(max(steps) - min(steps), 1) * (WIDTH - 2 * MARGIN)
        y = top + HEIGHT - MARGIN - (value - low) / max(high - low, 1e-9) * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<text x="{MARGIN}" y="{top + 20}">{name}</text>',
        f'<text x="2" y="{top + MARGIN}">{high:.3g}</text>',
        f'<text x="2" y="{top + HEIGHT - MARGIN}">{low:.3g}</text>',
        f'<text x="{MARGIN}" y="{top + HEIGHT - 14}">step {min(steps)}</text>',
        f'<text x="{WIDTH - 80}" y="{top + HEIGHT - 14}">step {max(steps)}</text>',
    ]
    for index, (label, curve) in enumerate(curves):
        colour = COLOURS[index % len(COLOURS)]
        line = " ".join(at(step, value) for step, value in curve)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        parts.append(
            f'<text x="{WIDTH + 8}" y="{top + 40 + 18 * index}" fill="{colour}">{label}</text>'
        )
    return "\n".join(parts)


def main() -> None:
    """Parse, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--losses", nargs="+", default=["low_res", "high_res", "refiner", "motion"])
    parser.add_argument("--window", type=int, default=10)
    options = parser.parse_args()
    diagrams = []
    for row, name in enumerate(options.losses):
        curves = [(run.name, read(run, name)) for run in options.runs]
        for label, curve in curves:
            last = [value for _, value in curve[-(len(curve) // 3) :]]
            print(f"{name:10} {label:20} mean of the last third {sum(last) / len(last):.3f}")
        smooth = [(label, smoothed(curve, options.window)) for label, curve in curves]
        diagrams.append(plot(name, smooth, row * HEIGHT))
    size = f'width="{WIDTH + 160}" height="{HEIGHT * len(diagrams)}"'
    style = 'font-family="sans-serif" font-size="12"'
    body = "\n".join(diagrams)
    options.out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
