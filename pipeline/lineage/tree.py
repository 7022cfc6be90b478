"""A lineage as a tree of labelled lines, for the terminal and for the report."""

from typing import Any, NamedTuple

from rich.markup import escape
from rich.tree import Tree


class Node(NamedTuple):
    """One line of a lineage, and the lines that explain it."""

    label: str
    detail: str
    children: tuple["Node", ...] = ()


def to_rich(node: Node) -> Tree:
    """The tree as rich draws it."""
    tree = Tree(_line(node), guide_style="dim")
    for child in node.children:
        _grow(tree, child)
    return tree


def _grow(tree: Tree, node: Node) -> None:
    branch = tree.add(_line(node))
    for child in node.children:
        _grow(branch, child)


def _line(node: Node) -> str:
    detail = f" [dim]{escape(node.detail)}[/dim]" if node.detail else ""
    return f"{escape(node.label)}{detail}"


def to_json(node: Node) -> dict[str, Any]:
    """The tree as plain values."""
    return {"label": node.label, "detail": node.detail, "children": [to_json(child) for child in node.children]}
