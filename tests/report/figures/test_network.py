"""The network: each action named once, each edge an arrow, mutual ones in another colour."""

import re

from pipeline.report.figures.network import Edge, network

NAMES = ["applauding", "diving", "singing", "swimming"]


def drawn(edges: list[Edge], names: list[str] = NAMES) -> str:
    return str(network(names, edges, name="n", about="x"))


def arrows(svg: str, colour: str) -> int:
    """How many arrow heads of a colour there are."""
    return len(re.findall(rf"fill: var\(--{colour}\)", svg))


def test_every_action_is_named_once():
    svg = drawn([Edge(0, 2, 0.5)])
    assert all(svg.count(f"{name}</text>") == 1 for name in NAMES)


def test_an_edge_both_ways_has_another_colour_than_one_way():
    svg = drawn([Edge(0, 2, 0.5), Edge(2, 0, 0.5), Edge(1, 3, 0.9)])
    assert arrows(svg, "accent") == 2
    assert arrows(svg, "second") == 1


def test_a_likelier_edge_is_wider():
    widths = [float(re.findall(r"stroke-width: ([\d.]+)", drawn([Edge(0, 1, psi)]))[0]) for psi in (0.4, 0.9)]
    assert widths[0] < widths[1]


def test_a_graph_without_edges_and_one_without_actions_can_be_drawn():
    assert drawn([]).startswith("<svg")
    assert drawn([], []).startswith("<svg")
