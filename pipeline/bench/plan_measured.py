"""The plan of a run beside what it took: `m3a doctor --plan --measured`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.bench.plan import Planned, duration
from pipeline.doctor.finding import size

TABLES = ("whiten", "build_audio_lexicon", "build_text_lexicon", "build_adjacency")
PARTS: Mapping[str, tuple[str, ...]] = {"whiten to adjacency": TABLES}
"""The stages of those lines of a plan that stand for several."""

Took = tuple[float, float, float | None]
"""Processor seconds, bytes of outputs, and bytes of memory where they are known."""


class Pair(NamedTuple):
    """A figure as planned and as measured."""

    planned: float
    measured: float | None

    @property
    def ratio(self) -> float | None:
        """Measured over planned."""
        return None if self.measured is None or not self.planned else self.measured / self.planned


class Compared(NamedTuple):
    """A stage."""

    stage: str
    core_seconds: Pair
    disk: Pair
    memory: Pair

    def to_json(self) -> dict[str, Any]:
        """The figures with their ratios."""
        pairs = {"core_seconds": self.core_seconds, "disk": self.disk, "memory": self.memory}
        return {"stage": self.stage} | {name: pair._asdict() | {"ratio": pair.ratio} for name, pair in pairs.items()}


def compare(planned: Iterable[Planned], took: Mapping[str, Took]) -> Iterator[Compared]:
    """The planned stages of which all parts are measured, each with what it took."""
    for each in planned:
        parts = PARTS.get(each.stage, (each.stage,))
        if all(part in took for part in parts):
            seconds, disk, memory = zip(*(took[part] for part in parts), strict=True)
            known = [peak for peak in memory if peak is not None]
            most = max(known) if len(known) == len(parts) else None
            yield Compared(
                each.stage,
                Pair(each.core_seconds, sum(seconds)),
                Pair(each.disk, sum(disk)),
                Pair(each.memory, most),
            )


def markdown(compared: Iterable[Compared]) -> str:
    """The comparison as a table, with the sum of times and of disk, and the most memory."""
    stages = list(compared)
    peaks = [stage.memory for stage in stages if stage.memory.measured is not None]
    whole = Compared(
        "all",
        Pair(*(sum(stage.core_seconds[side] or 0 for stage in stages) for side in (0, 1))),
        Pair(*(sum(stage.disk[side] or 0 for stage in stages) for side in (0, 1))),
        Pair(*(max((peak[side] or 0 for peak in peaks), default=0) for side in (0, 1))),
    )
    head = "| stage | processor time | took | ratio | disk | took | ratio | memory | took | ratio |"
    lines = [head, "|---" * 10 + "|", *map(_line, [*stages, whole])]
    return "".join(f"{line}\n" for line in lines)


def _line(each: Compared) -> str:
    cells = [each.stage]
    for pair, words in ((each.core_seconds, _seconds), (each.disk, size), (each.memory, size)):
        cells += [words(pair.planned), "" if pair.measured is None else words(pair.measured)]
        cells.append("" if pair.ratio is None else f"{pair.ratio:.2f}")
    return f"| {' | '.join(cells)} |"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)
