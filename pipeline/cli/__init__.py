"""The `m3a` command: what a person runs beside `dvc repro`. One file a group of sub-commands."""

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
    """Run the command; an error for people is one line and status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a file's name may hold what the terminal's encoding has not
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except PlainError as error:
        say(f"m3a: error: {error}")
        sys.exit(1)
