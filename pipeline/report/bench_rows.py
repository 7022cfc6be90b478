"""The table of benchmarks: Parquet for the report, Markdown for people."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import isnan, nan
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa

from pipeline.foundations.tables import tables

TABLE = Path("data/bench/bench.parquet")
Bound = Literal["at least", "at most", ""]


class Comparison(NamedTuple):
    """Our measurement beside a peer's."""

    ours: float
    theirs: float
    """Medians over the repeats."""
    ratio: float
    """Ours to theirs, the median over repeats of the ratio of neighbouring measurements."""
    low: float
    high: float
    """Extremes of that ratio over the repeats."""
    repeats: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One benchmark: what was measured, against what, and its target."""

    name: str
    device: str
    """Where it ran: cores and processor, or the GPU."""
    what: str
    peer: str
    """What a user would do without this project; it ran in the same minutes."""
    unit: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    """Of the ratio, over the repeats; NaN where it was measured once."""
    bound: Bound
    target: float
    """Of the ratio; NaN where there is none."""
    repeats: int
    note: str

    @property
    def met(self) -> bool | None:
        """Whether the ratio reaches its target; None where there is none."""
        if isnan(self.target):
            return None
        return self.ratio >= self.target if self.bound == "at least" else self.ratio <= self.target


def row(
    name: str,
    found: Comparison,
    *,
    device: str,
    what: str,
    peer: str,
    unit: str,
    bound: Bound = "",
    target: float = nan,
    note: str = "",
) -> Row:
    """A line from a comparison."""
    texts = {"name": name, "device": device, "what": what, "peer": peer, "unit": unit, "note": note}
    return Row(**texts, **found._asdict(), bound=bound, target=target)  # type: ignore[arg-type]


def merged(path: Path, rows: Iterable[Row]) -> pa.Table:
    """The table at `path`, where there is one, with `rows` in the place of those of the same name and device.

    Raises:
        PlainError: the file is not a table of benchmarks.
    """
    known = {(entry.name, entry.device): entry for entry in (read_rows(path) if path.exists() else [])}
    known |= {(entry.name, entry.device): entry for entry in rows}
    entries = [asdict(known[key]) for key in sorted(known)]
    names = tables.SCHEMAS["bench"].columns.names
    return tables.from_columns("bench", {name: [entry[name] for entry in entries] for name in names})


def read_rows(path: Path) -> list[Row]:
    """The lines of a table that `merged` made.

    Raises:
        PlainError: it cannot be read.
    """
    return [Row(**entry) for entry in tables.read("bench", path).to_pylist()]


def markdown(rows: Sequence[Row]) -> str:
    """The lines as a table for a README, in their order."""
    head = "| | what | ours | peer | unit | ratio | target |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(f"| {' | '.join(cells(entry))} |\n" for entry in rows)


def cells(entry: Row) -> tuple[str, ...]:
    """The cells of a line: name, what, ours, peer, unit, ratio with its extremes, target."""
    spread = f" ({short(entry.low)} to {short(entry.high)})" if not isnan(entry.low) else ""
    target = "" if entry.met is None else f"{entry.bound} {short(entry.target)}{'' if entry.met else ': missed'}"
    what = f"{entry.what}; against {entry.peer}" if entry.peer else entry.what
    return (
        entry.name, what, short(entry.ours), short(entry.theirs), entry.unit, f"{short(entry.ratio)}{spread}", target
    )  # fmt: skip


def short(value: float) -> str:
    """A number to three digits, without an exponent."""
    if isnan(value):
        return ""
    digits = max(0, 2 - len(str(int(abs(value)))) + 1) if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"
