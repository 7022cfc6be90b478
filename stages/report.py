"""Put everything on one page."""

from pathlib import Path

from pipeline.files import write_text
from pipeline.params import Params
from pipeline.report import page
from stages import stage

REPORT = Path("data/report/index.html")


@stage
def main(params: Params) -> str:
    """Write the report."""
    html = page.build(Path(), params)
    write_text(REPORT, html)
    return f"{REPORT}, {len(html.encode()) / 1e6:.1f} MB, self-contained"


if __name__ == "__main__":
    main()
