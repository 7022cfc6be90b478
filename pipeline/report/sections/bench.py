"""Benchmarks: the table of `make bench`, where it has been run."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.report.bench_rows import Row, cells


class Line(NamedTuple):
    """A measurement as text."""

    name: str
    what: str
    ours: str
    theirs: str
    unit: str
    ratio: str
    target: str
    met: bool | None
    """Whether the target is reached; None where there is none."""
    note: str


class Machine(NamedTuple):
    """What was measured on one device."""

    name: str
    lines: list[Line]


def bench(rows: Sequence[Row]) -> list[Machine]:
    """The measurements, device by device."""
    devices = sorted({row.device for row in rows})
    return [Machine(device, [_line(row) for row in rows if row.device == device]) for device in devices]


def _line(row: Row) -> Line:
    name, what, ours, theirs, unit, ratio, target = cells(row)
    return Line(name, what, ours, theirs, unit, ratio, target, row.met, row.note)
