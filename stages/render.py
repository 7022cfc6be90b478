"""Render the bundled sample."""

from pathlib import Path

from pipeline.dataset.sample.render import render_sample
from pipeline.foundations.params import Params
from stages import stage

TARGET = Path("data/raw/sample")


@stage
def main(params: Params) -> str:
    """Render the videos and their annotation files."""
    counts = render_sample(TARGET, params.render, params.execution)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
    return f"{sum(counts.values()):,} videos ({kinds}) -> {TARGET}"


if __name__ == "__main__":
    main()
