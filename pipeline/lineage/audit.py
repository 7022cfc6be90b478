"""`m3a audit`: check that files, parameters, code and records still are what dvc.lock says.

Each check recomputes digests or values itself and takes neither DVC's nor a stage's word. One line a check.
"""

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.foundations.params import Params, read_yaml
from pipeline.foundations.runtime.digests import md5
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import sha256
from pipeline.foundations.runtime.record_store import Record
from pipeline.foundations.tables import tables
from pipeline.lineage import consistency, lock, records
from pipeline.lineage.lock import Recorded, Stage

METRICS = "data/metrics.json"


class Check(NamedTuple):
    """One line of the audit."""

    group: str
    what: str
    green: bool
    finding: str
    """What was found and what was expected; empty for a check that passed."""


def audit(root: Path, params: Params) -> Iterator[Check]:
    """All checks of a project at `root`, in the order of the pipeline.

    Raises:
        PlainError: nothing has run here.
    """
    stages = lock.read_stages(root)
    yield from _files(root, stages)
    yield from _records(root, stages)
    yield from _parameters(stages, params.model_dump(mode="json"))
    yield from _columns_as_run(stages, columns(root))
    yield from _code(root, stages)
    yield from _tables(root)
    for finding in consistency.check_consistency(root, params):
        yield Check("consistency", finding.statement, not finding.against, finding.against)
    yield from _videos(root, params)
    yield from _weights(root)


def _files(root: Path, stages: Mapping[str, Stage]) -> Iterator[Check]:
    """Every input and output of dvc.lock against the bytes on disk."""
    digests: dict[str, str] = {}

    def now(path: str) -> str:
        if path not in digests:
            try:
                digests[path] = md5(root / path)
            except OSError as error:
                digests[path] = error.strerror or "unreadable"
        return digests[path]

    for stage in stages.values():
        roles: Iterable[tuple[str, str, tuple[Recorded, ...]]] = (
            ("code", "as it ran", stage.code),
            ("input", "as it was read", stage.inputs),
            ("output", "as it was written", stage.outs),
        )
        for group, role, entries in roles:
            for entry in entries:
                found = now(entry.path)
                finding = "" if found == entry.md5 else f"{role}: {entry.md5}; now: {found}"
                yield Check(group, f"{stage.name}: {entry.path}", not finding, finding)


def _records(root: Path, stages: Mapping[str, Stage]) -> Iterator[Check]:
    """One line a stage: the record of the run that made its result is there, and agrees with what lies here."""
    for stage in stages.values():
        record = records.record_of(root, stage)
        what = f"{stage.name}: made by no known run"
        if record is None:
            finding = records.ABSENT
        else:
            what = f"{stage.name}: made by {record['session']}, {record['started']}, on {record['host']['name']}"
            finding = "; ".join(_record_problems(root, stage, record))
        yield Check("record", what, not finding, finding)


def _record_problems(root: Path, stage: Stage, record: Record) -> Iterator[str]:
    """What is wrong with a record whose digests and parameters are those of dvc.lock."""
    if changed := record.get("changed_while_running"):
        yield f"changed while it ran, so it may have read another version: {', '.join(changed)}"
    if record["started"] > record["ended"]:
        yield f"it ended before it began: {record['ended']}"
    for out in stage.outs:
        if record["metrics"] and out.path == METRICS and (root / METRICS).exists():
            yield from _other_metrics(root / METRICS, record["metrics"])


def _other_metrics(path: Path, recorded: Mapping[str, Any]) -> Iterator[str]:
    """The metrics that are not as the record has them."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError as error:
        yield f"{METRICS}: {error}"
        return
    for name in sorted({*found, *recorded}):
        if found.get(name) != recorded.get(name):
            yield f"{METRICS}: {name} was {recorded.get(name)}; now: {found.get(name)}"


def _parameters(stages: Mapping[str, Stage], current: Mapping[str, Any]) -> Iterator[Check]:
    """The parameters that each stage ran with against params.yaml."""
    for stage in stages.values():
        for key, used in stage.params.items():
            found = lookup(current, key)
            finding = "" if found == used else f"ran with {used!r}; params.yaml has {found!r}"
            yield Check("parameter", f"{stage.name}: {key}", not finding, finding)


def _columns_as_run(stages: Mapping[str, Stage], current: Mapping[str, Any]) -> Iterator[Check]:
    """The columns of the tables that each stage wrote against tables.yaml."""
    for stage in stages.values():
        for name, used in stage.tables.items():
            finding = "" if current.get(name) == used else f"ran with other columns; m3a why {stage.name} names them"
            yield Check("parameter", f"{stage.name}: table {name}", not finding, finding)


def columns(root: Path) -> Mapping[str, Any]:
    """The columns of all tables, as tables.yaml has them now; none where there is no such file."""
    path = root / lock.TABLES
    found: Mapping[str, Any] = read_yaml(path) if path.exists() else {}
    return found


def lookup(values: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key, or None."""
    found: Any = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _code(root: Path, stages: Mapping[str, Stage]) -> Iterator[Check]:
    """Code against git's HEAD, declared or not: uncommitted code cannot be recovered from its revision."""
    declared = {dep.path for stage in stages.values() for dep in stage.code}
    for path in sorted(declared.union(other for other in lock.UNDECLARED if (root / other).exists())):
        finding = _against_head(root, path)
        yield Check("git", path, not finding, finding)


def _against_head(root: Path, path: str) -> str:
    """How a file or folder differs from git's HEAD; empty where it does not."""

    def ask(*command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", *command, "--", path], cwd=root, check=False, capture_output=True)

    if ask("ls-files", "--error-unmatch").returncode:
        return "not in git"
    if new := ask("ls-files", "--others", "--exclude-standard").stdout.decode().split():
        return f"not in git: {', '.join(new)}"
    return "differs from HEAD" if ask("diff", "--quiet", "HEAD").returncode else ""


def _tables(root: Path) -> Iterator[Check]:
    """Each Parquet file against its schema: columns, types, and keys that rise."""
    for path, name in consistency.TABLES.items():
        if (root / path).exists():
            yield _attempt("table", f"{path} is a table of {name}", partial(tables.verify, name, root / path))


def _videos(root: Path, params: Params) -> Iterator[Check]:
    """Every video file against the SHA-256 that `index` recorded; one line, naming the first that differ."""

    def verify() -> None:
        folder = root / params.dataset.folder / params.dataset.videos
        table = tables.read("videos", root / "data/index/videos.parquet")
        recorded = zip(table["path"].to_pylist(), table["sha256"].to_pylist(), strict=True)
        same = {
            pair: _same(folder / pair[0], pair[1]) for pair in dict.fromkeys(recorded)
        }  # videos imported as features share files
        changed = [path for (path, _), unchanged in same.items() if not unchanged]
        if changed:
            raise PlainError(f"{len(changed):,} of {table.num_rows:,} changed or absent: {', '.join(changed[:5])}")

    yield _attempt("videos", f"{Path(params.dataset.folder, params.dataset.videos)} as `index` hashed it", verify)


def _weights(root: Path) -> Iterator[Check]:
    """Every file of models/pretrained against the SHA-256 that `fetch_weights` recorded."""
    manifest = root / "models/pretrained/weights.json"
    if not manifest.exists():
        return
    try:
        entries = json.loads(manifest.read_bytes()).values()
        recorded = [(entry["file"], entry["sha256"], entry["source"]) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        yield Check("weights", "models/pretrained/weights.json", green=False, finding=f"not as it was written: {error}")
        return
    for name, digest, source in recorded:
        path = manifest.parent / name
        same = _same(path, digest)
        finding = "" if same else f"not the file that was fetched from {source}"
        yield Check("weights", f"models/pretrained/{name}", same, finding)


def _same(path: Path, recorded: str) -> bool:
    try:
        return sha256(path) == recorded
    except OSError:
        return False  # absent: not what it was


def _attempt(group: str, what: str, verify: Callable[[], None]) -> Check:
    """Run a check; a PlainError is its finding."""
    try:
        verify()
    except PlainError as error:
        return Check(group, what, green=False, finding=str(error))
    return Check(group, what, green=True, finding="")
