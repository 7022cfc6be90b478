"""Compare changed parameters with the current ones, both trained from several seeds, in copies of the project.

Every run is a temporary DVC experiment, which is read and removed. The working tree does not change, and results in
DVC's cache are used.
"""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from pipeline.ablate import dvc_runs, experiments
from pipeline.ablate.estimate import estimate
from pipeline.ablate.experiments import Mode
from pipeline.ablate.rows import Ablation, Row, Value
from pipeline.ablate.statistics import Figure, figures
from pipeline.foundations.params import Params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

CURRENT, CHANGED = "current", "changed"
HEADLINE = "map_sample"
"""The metric that the verdict is about."""


class Verdict(NamedTuple):
    """Metrics with the current and the changed parameters."""

    current: dict[str, Figure]
    """By metric."""
    changed: dict[str, Figure]
    """Likewise, with the lead over the current parameters."""

    @property
    def sentence(self) -> str:
        """The verdict by `map_sample`, as far as its interval supports one."""
        figure = self.changed[HEADLINE]
        if figure.lead is None:
            raise PlainError(
                "the change scores other videos than the current parameters do, so they cannot be compared"
            )
        told = f"{HEADLINE} {figure.lead.value:+.1f} points ({figure.lead.low:+.1f} to {figure.lead.high:+.1f})"
        if figure.lead_seeds < 2:
            return f"no verdict from one seed, since training noise is not in its interval: {told}; take --seeds 3"
        if not figure.apart:
            return f"not told apart: {told}"
        return f"{'better' if figure.lead.value > 0 else 'worse'}: {told}"


def attempt(changes: Mapping[str, Value], params: Params, *, mode: Mode, seeds: int) -> Verdict:
    """Train the current and the changed parameters from several seeds and compare them on the scored split.

    Args:
        changes: dotted keys of params.yaml to values.
        params: with the changes.
        mode: joint training, or heads on frozen features.
        seeds: of each.

    Raises:
        PlainError: a run failed, with its reason, or the two were scored on different videos.
    """
    rows = (Row(CURRENT, "as params.yaml is", {}), Row(CHANGED, "with the change", dict(changes)))
    say(f"try: {estimate(rows, params, mode=mode, seeds=seeds, tune=False)}")
    jobs = experiments.plan(Ablation("try", "", "", rows), rows, mode=mode, seeds=seeds, extra={})
    found: dict[str, list[pa.Table]] = {CURRENT: [], CHANGED: []}
    try:
        for job in jobs:
            dvc_runs.run_one(job)
            left = [experiments.predictions(job.name)] if mode == "joint" else experiments.heads(job.name).untuned
            found[job.row] += left
    finally:
        dvc_runs.remove(job.name for job in jobs)
    actions = len(found[CURRENT][0]["scores"][0])
    measured = figures(found, actions=actions, bootstrap=params.evaluate.bootstrap, seed=params.seed)
    return Verdict(measured[CURRENT], measured[CHANGED])
