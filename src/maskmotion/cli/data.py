"""`maskmotion data`: pack, check and prepare clips for training; one module a verb."""

from cyclopts import App

data = App(name="data", help="Pack, check and prepare clips for training.")
for _verb in ("pack", "check", "prepare"):
    data.command(f"maskmotion.cli.data_{_verb}:{_verb}", name=_verb)
