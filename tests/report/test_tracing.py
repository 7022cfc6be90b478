"""The name by which the report and the page of its lineage know that they tell of one run."""

import pyarrow.compute as pc

from pipeline.report.tracing import identity


def test_it_is_the_runs_own(evidence):
    assert identity(evidence.metrics) == identity(evidence.metrics)
    assert len(identity(evidence.metrics)) == 12
    other = evidence.metrics.set_column(
        evidence.metrics.schema.get_field_index("value"),
        evidence.metrics.schema.field("value"),
        pc.add(evidence.metrics["value"], 1e-6),
    )
    assert identity(other) != identity(evidence.metrics)
