"""A lineage as a page of its own, to be clicked through: with times, machine and revision, which no output holds."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import write_text
from pipeline.foundations.runtime.progress import say
from pipeline.foundations.tables import tables
from pipeline.lineage.in_short import in_short
from pipeline.lineage.trace import behind, chain, trace
from pipeline.lineage.tree import Node
from pipeline.report.run_tables import TABLES
from pipeline.report.templating import filled
from pipeline.report.tracing import identity

FIGURE = "map_sample"
"""What the report's page of lineage is about."""
PAGE = Path("data/report/trace.html")


def render(node: Node, links: list[Node], of: str = "", ran: Mapping[str, str] = MappingProxyType({})) -> str:
    """The page of a lineage.

    Args:
        node: the whole, as a tree whose lines open by a click.
        links: the stages behind it in a line each, from it upward.
        of: which run's result it tells of; the page warns a reader whom the report of another run sent.
        ran: when, how long, where and by which revision, for the strip on top of the report.
    """
    return (
        filled("trace.html.jinja", {"root": node, "chain": links, "of": of, "ran": dict(ran)}, scripts=("trace.js",))
        + "\n"
    )


def write(root: Path, what: str, target: Path) -> None:
    """Write the page of the lineage of `what`.

    Raises:
        PlainError: that is not known, nothing has run here yet, or the page cannot be written.
    """
    schema, measured = TABLES["metrics"]
    of = identity(tables.read(schema, root / measured)) if (root / measured).exists() else ""
    write_text(target, render(trace(root, what), chain(root, what), of, in_short(behind(root, what))))


def main() -> None:
    """Renew the page beside the report, which stage `report` has just written."""
    try:
        write(Path(), FIGURE, PAGE)
    except PlainError as error:
        say(f"{PAGE}: not renewed: {error}")


if __name__ == "__main__":
    main()
