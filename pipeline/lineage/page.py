"""The lineage as an HTML page, with times, machine and revision, which no output of a stage may hold."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import write_text
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables
from pipeline.lineage.run_summary import run_summary
from pipeline.lineage.trace import chain, trace, upstream_results
from pipeline.lineage.tree import Node
from pipeline.report.run_tables import TABLES
from pipeline.report.templating import filled
from pipeline.report.tracing import identity

FIGURE = "map_sample"
"""The metric whose lineage is written beside the report."""
PAGE = Path("data/report/trace.html")


def render(node: Node, links: list[Node], of: str = "", ran: Mapping[str, str] = MappingProxyType({})) -> str:
    """The page of a lineage.

    Args:
        node: the lineage, shown as a tree that unfolds.
        links: its upstream stages, a line each, the last one first.
        of: identity of the run; the page warns a reader who comes from another run's report.
        ran: when, how long, where and at which revision, shown at the top of the report.
    """
    return (
        filled("trace.html.jinja", {"root": node, "chain": links, "of": of, "ran": dict(ran)}, scripts=("trace.js",))
        + "\n"
    )


def write(root: Path, what: str, target: Path) -> None:
    """Write the page of the lineage of `what`.

    Raises:
        PlainError: `what` is not known, nothing has run here yet, or the page cannot be written.
    """
    schema, measured = TABLES["metrics"]
    of = identity(tables.read(schema, root / measured)) if (root / measured).exists() else ""
    write_text(target, render(trace(root, what), chain(root, what), of, run_summary(upstream_results(root, what))))


def main() -> None:
    """Renew the page beside the report, which stage `report` has just written."""
    try:
        write(Path(), FIGURE, PAGE)
    except PlainError as error:
        say(f"{PAGE}: not renewed: {error}")


if __name__ == "__main__":
    main()
