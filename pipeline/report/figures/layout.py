"""Layout of the pipeline's graph.

Stages are drawn in layers: each below all its inputs and just above its consumers. Arrows that a longer path implies
are left out (transitive reduction).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import networkx as nx

from pipeline.report.dag import Stage, graph

WIDTH, HEIGHT = 168, 50
"""Of a stage's box, in the drawing's units."""
COLUMN, ROW = 186, 92
"""From one box to the next."""
SWEEPS = 8  # passes of ordering layers by their neighbours; it converges after two or three


class Box(NamedTuple):
    """The centre of a stage's box."""

    stage: Stage
    x: float
    y: float


class Drawing(NamedTuple):
    """Boxes, arrows as lists of points, and the size of the drawing."""

    boxes: tuple[Box, ...]
    arrows: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


def draw(stages: Sequence[Stage]) -> Drawing:
    """Lay the stages out, top to bottom."""
    arrows = nx.transitive_reduction(graph(stages))
    layers = _layers(arrows, [stage.name for stage in stages])
    ways = [_way(source, target, layers) for source, target in sorted(arrows.edges)]
    rows = _rows(layers, ways)
    _order(rows, ways)
    x = _columns(rows, ways)
    y = {node: HEIGHT / 2 + ROW * number for number, row in enumerate(rows) for node in row}
    boxes = tuple(Box(stage, x[stage.name], y[stage.name]) for stage in stages)
    lines = tuple(tuple((x[node], y[node]) for node in way) for way in ways)
    right = max(x.values()) + WIDTH / 2
    return Drawing(boxes, lines, width=right, height=ROW * (len(rows) - 1) + HEIGHT)


def _layers(arrows: nx.DiGraph, names: Sequence[str]) -> dict[str, int]:
    """Each stage's layer: one below the lowest that it needs; then moved down to just above what needs it."""
    depth: dict[str, int] = {}
    order = list(nx.lexicographical_topological_sort(arrows, key=names.index))
    for name in order:
        depth[name] = 1 + max((depth[source] for source in arrows.predecessors(name)), default=-1)
    for name in reversed(order):
        depth[name] = min((depth[target] - 1 for target in arrows.successors(name)), default=depth[name])
    return depth


def _way(source: str, target: str, layers: Mapping[str, int]) -> tuple[str, ...]:
    """An arrow as nodes, one a layer; those between the two stages are bends."""
    bends = (f"{source}>{target}@{layer}" for layer in range(layers[source] + 1, layers[target]))
    return (source, *bends, target)


def _rows(layers: Mapping[str, int], ways: Sequence[tuple[str, ...]]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(layers.values()) + 1)]
    for name, layer in layers.items():
        rows[layer].append(name)
    for way in ways:
        for place, bend in enumerate(way[1:-1], start=1):
            rows[layers[way[0]] + place].append(bend)
    return rows


def _order(rows: list[list[str]], ways: Sequence[tuple[str, ...]]) -> None:
    """Order each row by the mean place of its neighbours, downwards and upwards in turn, so that few arrows cross."""
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        neighbours = _neighbours(ways, above=down)
        for row in rows if down else reversed(rows):
            place = {node: number / max(len(other) - 1, 1) for other in rows for number, node in enumerate(other)}
            row.sort(key=lambda node: _mean([place[n] for n in neighbours.get(node, [])], place[node]))


def _columns(rows: list[list[str]], ways: Sequence[tuple[str, ...]]) -> dict[str, float]:
    """Each node's x: at the mean of its neighbours, as far as the order and the boxes' width allow."""
    x = {node: COLUMN * (number - (len(row) - 1) / 2) for row in rows for number, node in enumerate(row)}
    for sweep in range(SWEEPS):
        neighbours = _neighbours(ways, above=sweep % 2 == 0)
        for row in rows:
            wished = [_mean([x[n] for n in neighbours.get(node, [])], x[node]) for node in row]
            x.update(zip(row, _spread(row, wished), strict=True))
    left = min(x.values()) - WIDTH / 2
    return {node: value - left for node, value in x.items()}


def _spread(row: list[str], wished: list[float]) -> list[float]:
    """Places in the wished order, far enough apart, and on average where they were wished."""
    placed = [wished[0]]
    for (before, node), wish in zip(pairwise(row), wished[1:], strict=True):
        gap = COLUMN if "@" not in before + node else COLUMN * 0.62
        placed.append(max(wish, placed[-1] + gap))
    shift = sum(wished) / len(wished) - sum(placed) / len(placed)
    return [value + shift for value in placed]


def _neighbours(ways: Sequence[tuple[str, ...]], *, above: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for way in ways:
        for upper, lower in pairwise(way):
            node, other = (lower, upper) if above else (upper, lower)
            found.setdefault(node, []).append(other)
    return found


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
