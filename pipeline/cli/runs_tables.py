"""Runs as tables for the terminal, and as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from pipeline.cli.app import out, write_json

if TYPE_CHECKING:
    from pipeline.lineage.runs import Run

SHOWN = ("map_sample", "map_action")
"""Metrics shown in the list; `--json` has all."""
WIDEST = 100_000
"""Characters of a line where the output is not a terminal."""


def print_runs(runs: Sequence["Run"], current: Mapping[str, Any], *, as_json: bool) -> None:
    """All runs, the latest last.

    Args:
        runs: what is known here.
        current: params.yaml, section by section.
        as_json: JSON instead of a table.
    """
    from pipeline.lineage.runs import parameters_that_differ

    if as_json:
        write_json([_as_json(run) | {"differ": parameters_that_differ(run, current)} for run in runs])
        return
    table = _table("run", "started", "seconds", "stages", "outcome", "revision", "machine", "parameters that differ")
    table.add_column("metrics")
    for run in runs:
        differ = [f"{key}={_value(value)}" for key, value in parameters_that_differ(run, current).items()]
        metrics = [f"{name} {run.metrics[name]}" for name in SHOWN if name in run.metrics]
        name = f"{run.name} ({run.experiment})" if run.experiment else run.name
        stages = _shortened([record["stage"] for record in run.records])
        machine = run.records[-1]["host"]["name"]
        figures = (f"{run.seconds:,.1f}", stages, run.outcome, run.revision, machine)
        table.add_row(name, run.started[:19], *figures, " ".join(differ), " ".join(metrics))
    _print(table)


def print_stages(run: "Run", *, as_json: bool) -> None:
    """The stages of one run."""
    if as_json:
        write_json(_as_json(run) | {"records": run.records})
        return
    table = _table("stage", "started", "seconds", "CPU s", "peak MB", "read MB", "written MB", "outcome", "incidents")
    for record in run.records:
        cpu, io, memory = (record.get(part, {}) for part in ("cpu_seconds", "io_mb", "peak_memory_mb"))
        incidents = ", ".join(
            f"{count} {kind.replace('_', ' ')}" for kind, count in record.get("incidents", {}).items()
        )
        peak = max(memory.get("self", 0.0), memory.get("largest_child", 0.0))
        figures = (record.get("seconds", 0.0), sum(cpu.values()), peak,
                   io.get("read", 0.0), io.get("written", 0.0))  # fmt: skip
        lines = [f"{figure:,.1f}" for figure in figures]
        table.add_row(record["stage"], record["started"][:19], *lines, record["outcome"], incidents)
    _print(table)


def print_differences(a: "Run", b: "Run", *, as_json: bool) -> None:
    """What differs between two runs, a line each."""
    from pipeline.lineage.runs import differences

    found = list(differences(a, b))
    if as_json:
        write_json([difference._asdict() for difference in found])
    for difference in () if as_json else found:
        change = f"{difference.before} -> {difference.after}"
        out.print(f"{difference.kind:<10}{difference.what}: {change}", markup=False)
    if not found and not as_json:
        out.print(f"{a.name} and {b.name}: nothing differs but when they ran", markup=False)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column.endswith((" s", " MB", "seconds")) else "left", no_wrap=True)
    return table


def _print(table: Table) -> None:
    (out if out.is_terminal else Console(width=WIDEST)).print(table, soft_wrap=False)


def _shortened(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} ... {names[-1]} ({len(names)})"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _as_json(run: "Run") -> dict[str, Any]:
    record = run.records[-1]
    return {
        "run": run.name, "experiment": run.experiment, "started": run.started, "seconds": run.seconds,
        "outcome": run.outcome, "stages": [record["stage"] for record in run.records], "git": record["git"],
        "machine": record["host"], "metrics": run.metrics,
    }  # fmt: skip
