"""`maskmotion synth`: render clips with their exact truth; one module a verb."""

from cyclopts import App

synth = App(name="synth", help="Render clips of people with their exact truth.")
synth.command("maskmotion.cli.synth_people:people", name="people")
