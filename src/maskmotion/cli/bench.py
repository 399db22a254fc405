"""`maskmotion bench`: timed comparisons; one module a verb."""

from cyclopts import App

bench = App(name="bench", help="Measure how fast this machine animates, in every form.")
bench.command("maskmotion.cli.bench_inference:inference", name="inference")
