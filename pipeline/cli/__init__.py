"""The `m3a` command: what a person runs beside `dvc repro`. One file a group of sub-commands."""

import sys

from pipeline.cli import ablate, bench, data, lineage, models, preset, results
from pipeline.cli.app import app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

__all__ = ["ablate", "app", "bench", "data", "lineage", "main", "models", "preset", "results"]


def main() -> None:
    """Run the command; an error for people is one line and status 1."""
    try:
        app()
    except PlainError as error:
        say(f"m3a: error: {error}")
        sys.exit(1)
