"""When, how long, on which machine and at which revision results were made, from their records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.lineage.records import CurrentResult

MINUTE = 60


def run_summary(results: Sequence[CurrentResult]) -> dict[str, str]:
    """The report's first line about the run; empty where no result has a record.

    Results that DVC restored may come from other days, machines or revisions: then each is named.

    Args:
        results: from the last stage upward, as `pipeline.lineage.trace.upstream_results` gives them.
    """
    records = [result.record for result in results if result.record]
    if not records:
        return {}
    seconds = sum(record["seconds"] for record in records)
    unknown = len(results) - len(records)
    made = f"{max(record['ended'] for record in records)[:16].replace('T', ' ')} UTC"
    first = min(record["started"] for record in records)[:10]
    return {
        "made": made if first == made[:10] else f"{made}, its first stage {first}",
        "took": f"{_duration(seconds)}, {len(records)} stages" + (f"; of {unknown} no record" if unknown else ""),
        "machine": _each(f"{record['host']['cpu']}, {record['device']}" for record in records),
        "revision": _each(_revision(record["git"]) for record in records),
    }


def _each(words: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(words))


def _revision(git: Mapping[str, Any]) -> str:
    return str(git["revision"])[:12] + (" with changes" if git["changed"] else "")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
