"""Run the command line as `python -m clinnlp`."""

from clinnlp.cli import app

app(prog_name="clinnlp")
