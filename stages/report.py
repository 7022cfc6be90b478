"""Write the report, one HTML page."""

from pathlib import Path

from pipeline.foundations.params import Params
from pipeline.foundations.runtime.files import write_text
from pipeline.report import page
from stages import stage

REPORT = Path("data/report/index.html")
LARGEST = 15.0
"""Largest size of a page that browsers open easily, in MB."""


@stage
def main(params: Params) -> str:
    """Write the report."""
    html = page.build(Path(), params)
    write_text(REPORT, html)
    size = len(html.encode()) / 1e6
    advice = f"; above {LARGEST:g} MB: lower explain.videos or explain.short_side" if size > LARGEST else ""
    return f"{REPORT}, {size:.1f} MB, self-contained{advice}"


if __name__ == "__main__":
    main()
