"""The drawing in SVG's terms."""

import re

from pipeline.report.sections import flow
from pipeline.report.stage_counts import Entry, stage_counts


def test_boxes_say_what_their_stage_kept(run_tables, stages):
    notes = {box.name: box.note for box in flow.dag(stages, stage_counts(run_tables)).boxes}
    assert notes["filter_silent"] == "10 audible videos"
    assert notes["fetch_weights"] == "2 files"
    assert notes["report"] == ""


def test_arrows_run_from_the_foot_of_a_box_to_the_head_of_another(run_tables, stages):
    dag = flow.dag(stages, stage_counts(run_tables))
    feet = {(round(box.left + dag.box_width / 2, 1), box.top + dag.box_height) for box in dag.boxes}
    heads = {(round(box.left + dag.box_width / 2, 1), box.top) for box in dag.boxes}
    for curve in dag.curves:
        numbers = [float(number) for number in re.findall(r"[\d.]+", curve)]
        assert min(abs(numbers[0] - x) + abs(numbers[1] - y) for x, y in feet) < 0.2
        assert min(abs(numbers[-2] - x) + abs(numbers[-1] - y) for x, y in heads) < 0.2


def test_rows_stand_in_the_order_of_dvc_yaml(stages):
    rows = flow.rows(stages, {"train": Entry("fc, 2 epochs", ((3, "why"),))})
    assert [row.name for row in rows] == [stage.name for stage in stages]
    (train,) = [row for row in rows if row.name == "train"]
    assert (train.kept, train.dropped) == ("fc, 2 epochs", ((3, "why"),))
