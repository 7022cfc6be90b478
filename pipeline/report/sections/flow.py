"""The pipeline: its graph, and the rows that each stage kept and excluded."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.report.dag import Stage
from pipeline.report.figures import layout
from pipeline.report.stage_counts import Entry


class DrawnBox(NamedTuple):
    """A stage in the drawing of the pipeline."""

    name: str
    desc: str
    note: str
    left: float
    top: float


class Dag(NamedTuple):
    """The drawing of the pipeline, in SVG's terms."""

    boxes: list[DrawnBox]
    curves: list[str]
    width: float
    height: float
    box_width: int = layout.WIDTH
    box_height: int = layout.HEIGHT


class StageRow(NamedTuple):
    """A stage's row in the table of counts."""

    name: str
    desc: str
    kept: str
    dropped: tuple[tuple[int, str], ...]


def dag(stages: Sequence[Stage], entries: Mapping[str, Entry]) -> Dag:
    """The drawing of the pipeline, each box with what its stage kept."""
    drawn = layout.draw(stages)
    boxes = [
        DrawnBox(
            box.stage.name,
            box.stage.desc,
            entries[box.stage.name].kept.split(":")[0] if box.stage.name in entries else "",
            round(box.x - layout.WIDTH / 2, 1),
            round(box.y - layout.HEIGHT / 2, 1),
        )
        for box in drawn.boxes
    ]
    return Dag(boxes, [_curve(arrow) for arrow in drawn.arrows], round(drawn.width, 1), round(drawn.height, 1))


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """An arrow as an SVG path: from the foot of one box to the head of another, straight down at each bend."""
    half = layout.HEIGHT / 2
    (x, y), rest = points[0], points[1:]
    y += half
    path = [f"M{x:.1f} {y:.1f}"]
    for number, (next_x, centre) in enumerate(rest, start=1):
        next_y = centre - half if number == len(rest) else centre
        middle = (y + next_y) / 2
        path.append(f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}")
        x, y = next_x, next_y
    return " ".join(path)


def rows(stages: Sequence[Stage], entries: Mapping[str, Entry]) -> list[StageRow]:
    """The counts of every stage, in the order of dvc.yaml."""
    return [StageRow(stage.name, stage.desc, *entries.get(stage.name, Entry("", ()))) for stage in stages]
