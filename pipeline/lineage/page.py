"""A lineage as a page of its own, to be clicked through: with times, machine and revision, which no output holds."""

from pipeline.lineage.tree import Node
from pipeline.report.templating import filled


def render(node: Node) -> str:
    """The page of a lineage: every line that others explain opens by a click."""
    return filled("trace.html.jinja", {"root": node}) + "\n"
