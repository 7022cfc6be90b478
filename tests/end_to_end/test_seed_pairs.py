"""Heads that differ in their seed alone, on real frozen features: about 5 of 100 pairs are told apart.

pytest -s -m soak tests/end_to_end/test_seed_pairs.py    prints how many, by metric
"""

import sys
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from pipeline.ablate import dvc_runs, experiments
from pipeline.ablate.dvc_runs import Job
from pipeline.ablate.experiments import SWITCH, TARGETS
from pipeline.foundations.tables import tables
from pipeline.metrics import intervals
from pipeline.metrics.intervals import Measured
from pipeline.metrics.metrics import METRICS

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("pipeline_run")]

TRAINED, PAIRS, SEEDS = 60, 400, 3


def measured(left: Sequence[pa.Table], actions: int) -> list[Measured]:
    """Every metric of every seed, over the same draws of videos."""
    draws_BR = intervals.draw(left[0].num_rows, 1000, seed=0)
    return [
        intervals.measure(tables.vectors(one["scores"]), tables.multi_hot(one["actions"], actions), draws_BR)
        for one in left
    ]


def told_apart(found: Sequence[Measured], *, together: bool) -> dict[str, float]:
    """Of pairs of disjoint sets of seeds, the part whose interval leaves out 0; `together` with the seeds in it."""
    rng, count = np.random.default_rng(0), dict.fromkeys(METRICS, 0)
    for _ in range(PAIRS):
        drawn = [found[seed] for seed in rng.permutation(len(found))[: 2 * SEEDS]]
        ours, theirs = drawn[:SEEDS], drawn[SEEDS:]
        leads = intervals.leads_over_seeds(ours, theirs)
        if not together:
            leads = intervals.leads(intervals.averaged(ours), intervals.averaged(theirs))
        for name, lead in leads.items():
            count[name] += intervals.told_apart(lead, seeds=SEEDS)
    return {name: number / PAIRS for name, number in count.items()}


def test_of_pairs_that_differ_by_seed_alone_about_five_in_a_hundred_are_told_apart(ablated, monkeypatch):
    monkeypatch.chdir(ablated.root)
    overrides = ("model.heads=[fc]", f"frozen.repeats={TRAINED}", f"{SWITCH}=[ablate]")
    job = Job("seeds", "seed-pairs", overrides, TARGETS["frozen"])
    try:
        dvc_runs.run_one(job)
        left = experiments.heads(job.name).untuned
    finally:
        dvc_runs.remove([job.name])
    found = measured(left, len(left[0]["scores"][0]))
    rates, videos_alone = told_apart(found, together=True), told_apart(found, together=False)
    figures = {name: (round(100 * rates[name], 1), round(100 * videos_alone[name], 1)) for name in METRICS}
    sys.stdout.write(f"{figures}\n")
    assert max(rates.values()) <= 0.09, rates
    assert max(rates.values()) > 0.005, rates
