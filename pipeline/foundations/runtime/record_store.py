"""Store records of runs: all of them beside DVC's cache, and one for each result in git.

A record is found by the result that it describes: its key is the SHA-256 of the stage's name, its parameters and the
digests of its inputs and outputs. Records are written once and never changed.

- Every run's record goes to `m3a/runs/STAGE/` in DVC's cache folder, which clones and experiments share: a result that
  DVC restores from there finds the record of the run that made it. `dvc gc` leaves that folder alone.
- The first run that makes a result also appends its record to data/runs/STAGE.jsonl, which git tracks. It changes
  exactly when dvc.lock does, so `dvc repro` that makes the committed bytes leaves `git status` clean, the record
  travels in the commit of the dvc.lock that it belongs to (with git push and pull, in DVC's experiments, on branches),
  and no stage reads it, so it enters no hash. A DVC output could not do that: its digest, which holds the time of the
  run, would be in dvc.lock. Git notes would, but a clone does not fetch them. Git joins two branches' records line by
  line (.gitattributes: merge=union).
"""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline.foundations.runtime.files import write_text

Record = Mapping[str, Any]
TRACKED = Path("data/runs")
"""The folder of git's records, below a project."""
BEGUN, DONE = ".begun", ".json"
_UNKEYED = "unfinished"


def key_of(stage: str, deps: Mapping[str, str], params: Mapping[str, Any], outs: Mapping[str, str]) -> str:
    """The key of a result.

    Args:
        stage: its name.
        deps: MD5 of what it read, by path.
        params: value by dotted key.
        outs: MD5 of what it wrote, by path.
    """
    return sha256(result_text(stage, deps, params, outs).encode()).hexdigest()


def result_text(stage: str, deps: Mapping[str, str], params: Mapping[str, Any], outs: Mapping[str, str]) -> str:
    """The JSON whose SHA-256 is a result's key."""
    result = {"stage": stage, "deps": dict(deps), "params": dict(params), "outs": dict(outs)}
    return json.dumps(result, sort_keys=True)


def pretty(record: Record) -> str:
    """A record as indented JSON."""
    return json.dumps(record, indent=1) + "\n"


def folder(root: Path) -> Path:
    """The folder for the records of all runs: in the cache of the project's DVC repository; without one, in .cache."""
    if not (root / ".dvc").is_dir():
        return root / ".cache" / "runs"
    from dvc.config import Config

    configured = Config(str((root / ".dvc").resolve())).get("cache", {}).get("dir")
    return Path(configured or root / ".dvc" / "cache") / "m3a" / "runs"


def tracked(root: Path, stage: str) -> Path:
    """The file of a stage's records that git tracks."""
    return root / TRACKED / f"{stage}.jsonl"


def begin(place: Path, record: Record) -> None:
    """Write a note in the folder `place` that a run has begun; it stays if the run is killed.

    Raises:
        PlainError: it cannot be written.
    """
    target = place / record["stage"] / f"{record['id']}{BEGUN}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, pretty(record))


def end(place: Path, record: Record) -> None:
    """Write the record of a run that has ended to the folder `place`, read-only.

    Raises:
        PlainError: it cannot be written.
    """
    target = place / record["stage"] / f"{record.get('key') or _UNKEYED}-{record['id']}{DONE}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, pretty(record))
    target.chmod(0o444)
    (target.parent / f"{record['id']}{BEGUN}").unlink(missing_ok=True)


def track(root: Path, record: Record) -> bool:
    """Append the record to git's, unless there is one of the same result; returns whether it was appended.

    Raises:
        PlainError: it cannot be written.
    """
    path = tracked(root, record["stage"])
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if any(other["key"] == record["key"] for other in parse(before)):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, before + json.dumps(record) + "\n")
    return True


def parse(lines: str) -> Iterator[Record]:
    """Parse a file of records in git; malformed lines (merge conflicts) are skipped."""
    for line in lines.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and {"id", "key", "stage"} <= record.keys():
            yield record


def read(root: Path, stage: str) -> list[Record]:
    """All records of a stage that are kept here, each once, by time."""
    path, found = tracked(root, stage), {}
    if path.exists():
        found = {record["id"]: record for record in parse(path.read_text(encoding="utf-8"))}
    for file in sorted((folder(root) / stage).glob(f"*{DONE}")):
        record = json.loads(file.read_text(encoding="utf-8"))
        found[record["id"]] = record
    return sorted(found.values(), key=lambda record: (record["started"], record["id"]))


def begun(root: Path) -> list[Record]:
    """Notes of runs that have not ended: still running, or killed."""
    files = sorted(folder(root).glob(f"*/*{BEGUN}"))
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def stages(root: Path) -> list[str]:
    """The stages of which a record is kept here."""
    shared = {path.name for path in folder(root).glob("*") if path.is_dir()}
    return sorted(shared | {path.stem for path in (root / TRACKED).glob("*.jsonl")})
