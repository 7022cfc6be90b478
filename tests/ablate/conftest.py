"""A finished ablation: two rows that ended well and one that did not."""

import pytest

from pipeline.ablate.result import Result, line
from pipeline.ablate.statistics import Figure
from pipeline.metrics.intervals import Estimate
from pipeline.metrics.metrics import METRICS


def figures_of(mean: float, lead: Estimate | None, seeds: int = 3) -> dict[str, Figure]:
    """The same figure for every metric."""
    spread = 1.25 if seeds > 1 else float("nan")
    return dict.fromkeys(
        METRICS, Figure(seeds, mean, spread, Estimate(mean, mean - 4.0, mean + 5.0), lead, seeds if lead else 0)
    )


@pytest.fixture
def result() -> Result:
    return Result(
        "table1",
        "frozen",
        "sample, test split",
        (
            line("table1", "fc", "fully connected", figures_of(50.0, None), ""),
            line("table1", "audio", "audio GCN", figures_of(57.5, Estimate(7.5, 2.25, 12.0)), ""),
            line("table1", "text", "text GCN", figures_of(51.0, Estimate(1.0, -2.0, 3.5)), ""),
            line("table1", "all", "all of them", None, "train: error: train.batch: found 13 & 50%"),
        ),
        {},
    )
