"""The name by which the report and the page of its lineage know that they tell of one run."""

import pyarrow.compute as pc

from pipeline.report.tracing import identity


def test_it_is_the_runs_own(run_tables):
    assert identity(run_tables.metrics) == identity(run_tables.metrics)
    assert len(identity(run_tables.metrics)) == 12
    other = run_tables.metrics.set_column(
        run_tables.metrics.schema.get_field_index("value"),
        run_tables.metrics.schema.field("value"),
        pc.add(run_tables.metrics["value"], 1e-6),
    )
    assert identity(other) != identity(run_tables.metrics)
