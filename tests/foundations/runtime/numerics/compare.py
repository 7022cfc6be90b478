"""Says whether a run on this CPU gave the committed bytes: `python -m tests.foundations.runtime.numerics.compare`,
after `make repro`.

Prints the CPU and, where an output's hash is not that of the committed dvc.lock, the first stage that differs, how far
the metrics went, and which operations of this CPU give other bytes than those of
tests/foundations/runtime/numerics/operations.json. It
never fails: another CPU is no fault of the change that is tested.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.foundations.runtime.numerics import processor

ROOT = Path(__file__).resolve().parents[4]
LOCKS = ("data/raw/dvc.lock", "dvc.lock")
METRICS = "data/metrics.json"
TABLE = ROOT / "tests/foundations/runtime/numerics/operations.json"


def committed(path: str) -> str:
    """A file as the last commit has it."""
    return subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def outputs(text: str) -> dict[str, dict[str, str]]:
    """The hash of every output in a dvc.lock, by stage, in the order of their runs."""
    stages = YAML(typ="safe").load(text)["stages"]
    return {name: {out["path"]: out["md5"] for out in entry.get("outs", [])} for name, entry in stages.items()}


def differing(order: list[str]) -> dict[str, list[str]]:
    """The outputs whose hashes differ from the committed ones, by stage, in `order`."""
    found: dict[str, list[str]] = {}
    for lock in LOCKS:
        before, now = outputs(committed(lock)), outputs((ROOT / lock).read_text(encoding="utf-8"))
        for stage, hashes in now.items():
            paths = [path for path, md5 in hashes.items() if before.get(stage, {}).get(path) != md5]
            if paths:
                found[stage] = paths
    return dict(sorted(found.items(), key=lambda entry: order.index(entry[0])))


def numbers(content: Any, name: str = "") -> dict[str, float]:
    """Every number of a JSON document, by its place."""
    if isinstance(content, dict):
        parts = [numbers(value, f"{name}.{key}".lstrip(".")) for key, value in content.items()]
        return {place: value for part in parts for place, value in part.items()}
    return {name: float(content)} if isinstance(content, int | float) and not isinstance(content, bool) else {}


def furthest() -> str:
    """The metric that lies furthest from its committed value."""
    before = numbers(json.loads(committed(METRICS)))
    now = numbers(json.loads((ROOT / METRICS).read_text(encoding="utf-8")))
    gaps = {name: abs(now[name] - before[name]) for name in before.keys() & now.keys()}
    name = max(sorted(gaps), key=lambda place: gaps[place])
    return f"{name}: {now[name]:.6g} here, {before[name]:.6g} committed"


def operations_that_differ() -> list[str]:
    """The operations of this CPU whose results are not the committed ones."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.foundations.runtime.numerics.operations"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    here = [json.loads(line) for line in run.stdout.splitlines()]
    known = {(entry["operation"], entry["threads"]): entry["hashes"] for entry in read_table()["operations"]}
    lines = []
    for entry in here:
        pairs = zip(entry["hashes"], known[entry["operation"], entry["threads"]], strict=True)
        if others := [number for number, (found, expected) in enumerate(pairs) if found != expected]:
            lines.append(f"{entry['operation']} on {entry['threads']} threads, results {others}")
    return lines


def read_table() -> dict[str, Any]:
    """The committed results of every operation, and on which CPUs they were seen."""
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


def main() -> None:
    """Print the comparison."""
    order = ["render", *YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]]
    found = differing(order)
    print(f"CPU: {processor()}")  # noqa: T201
    if not found:
        print("every output of every stage is byte for byte the committed one")  # noqa: T201
        return
    count = sum(len(paths) for paths in found.values())
    first = next(iter(found))
    print(f"{count} outputs of {len(found)} stages differ from the committed ones")  # noqa: T201
    print(f"first stage that differs: {first} ({', '.join(found[first])})")  # noqa: T201
    print(f"metric that moved most: {furthest()}")  # noqa: T201
    names = operations_that_differ()
    print(f"operations that differ: {'; '.join(names) or 'none of those in the table'}")  # noqa: T201


if __name__ == "__main__":
    main()
