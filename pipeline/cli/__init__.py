"""The `m3a` command, one file for each group of sub-commands."""

import sys
from io import TextIOWrapper

from pipeline.cli import ablate, bench, data, features, gallery, graph, lineage, models, preset, results
from pipeline.cli.app import app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

__all__ = [
    "ablate",
    "app",
    "bench",
    "data",
    "features",
    "gallery",
    "graph",
    "lineage",
    "main",
    "models",
    "preset",
    "results",
]


def main() -> None:
    """Run the command; a PlainError is printed as one line, with exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # file names may have characters that the terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except PlainError as error:
        say(f"m3a: error: {error}")
        sys.exit(1)
