"""`m3a why STAGE`: what differs from the stage's last run, and what follows from it."""

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.foundations.params import Params
from pipeline.foundations.runtime.digests import md5
from pipeline.foundations.runtime.errors import PlainError
from pipeline.lineage import lock, records, revisions
from pipeline.lineage.audit import columns, lookup
from pipeline.lineage.lock import Recorded, Stage

LONGEST_DIFF = 40
"""Lines of a changed module that are shown."""


class Reason(NamedTuple):
    """One thing that differs from the last run."""

    kind: str
    """parameter | table | code | input | output | upstream"""
    what: str
    detail: tuple[str, ...] = ()
    """Lines that show the difference."""


def why(root: Path, params: Params, name: str) -> list[Reason]:
    """Why stage `name` would run again; empty where it would not.

    Raises:
        PlainError: no such stage has run here.
    """
    stages = lock.read_stages(root)
    if name not in stages:
        raise PlainError(f"{name}: no such stage has run here; those that have are {', '.join(stages)}")
    current = params.model_dump(mode="json")
    own = list(_own_reasons(root, current, stages[name]))
    above = [
        Reason("upstream", f"{other} would run again, and may change what {name} reads")
        for other in lock.reach(stages, name, down=False)
        if any(_own_reasons(root, current, stages[other]))
    ]
    return own + above


def last_run(root: Path, name: str) -> str:
    """Which run made the stage's result that dvc.lock names, in a few words.

    Raises:
        PlainError: no stage has run here.
    """
    record = records.record_of(root, lock.read_stages(root)[name])
    if record is None:
        return records.ABSENT
    changed = f", with changes to {', '.join(record['git']['changed'])}" if record["git"]["changed"] else ""
    revision = f"git {record['git']['revision'][:12]}{changed}"
    return f"made by run {record['session']}, {record['started']}, on {record['host']['name']}, {revision}"


def consequences(root: Path, name: str) -> list[str]:
    """The stages that would run next if the outputs of `name` change."""
    return lock.reach(lock.read_stages(root), name, down=True)


def _own_reasons(root: Path, current: Mapping[str, Any], stage: Stage) -> Iterator[Reason]:
    record = records.record_of(root, stage)
    revision = str(record["git"]["revision"]) if record else None
    for key, used in stage.params.items():
        now = lookup(current, key)
        if now != used:
            yield from _value_reasons("parameter", key, used, now)
    described = columns(root)
    for name, used in stage.tables.items():
        yield from _value_reasons("table", name, used, described.get(name))
    for dep in stage.code:
        if _now(root, dep) != dep.md5:
            yield from _code_reasons(root, dep, revision)
    for dep in stage.inputs:
        if (now := _now(root, dep)) != dep.md5:
            yield Reason("input", dep.path, (f"was {dep.md5}", f"now {now}"))
    for out in stage.outs:
        if (now := _now(root, out)) != out.md5:
            yield Reason("output", out.path, (f"was {out.md5}", f"now {now}"))


def _value_reasons(kind: str, key: str, used: Any, now: Any) -> Iterator[Reason]:
    """One reason for each changed value, also inside a section or table that is declared as a whole."""
    if isinstance(used, Mapping) and isinstance(now, Mapping):
        for field in [*used, *(field for field in now if field not in used)]:
            if used.get(field) != now.get(field):
                yield from _value_reasons(kind, f"{key}.{field}", used.get(field), now.get(field))
    elif used != now:
        yield Reason(kind, f"{key}: from {used!r} to {now!r}")


def _now(root: Path, entry: Recorded) -> str:
    try:
        return md5(root / entry.path)
    except OSError:
        return "absent"


def _code_reasons(root: Path, dep: Recorded, revision: str | None) -> Iterator[Reason]:
    """One reason for each file that changed, appeared or went away, with its lines."""
    before, after = revisions.as_it_ran(root, dep, revision), revisions.now(root, dep.path)
    if before is None:
        yield Reason("code", dep.path, ("the version that ran was never committed; its lines are not known",))
        return
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Reason("code", name, tuple(_changed_lines(before.get(name, b""), after.get(name, b""))))


def _changed_lines(before: bytes, after: bytes) -> Iterator[str]:
    """A unified diff from a file as it ran to the one on disk."""
    old, new = (text.decode("utf-8", errors="replace").splitlines() for text in (before, after))
    lines = list(difflib.unified_diff(old, new, "as it ran", "now", lineterm="", n=0))[2:]
    yield from lines[:LONGEST_DIFF]
    if len(lines) > LONGEST_DIFF:
        yield f"... and {len(lines) - LONGEST_DIFF} more lines"
