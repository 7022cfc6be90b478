"""`dvc plots` shows the curves that the report and `m3a compare` draw."""

import json
import subprocess

import pytest

from pipeline.report.runs import read_run
from tests.end_to_end.clones import environment

DATA = "<DVC_METRIC_DATA>"
FIELDS = {"loss": None, "learning_rate": "train/learning_rate"} | {
    name: f"val/{name}" for name in ("map_sample", "map_action")
}
"""The curve of each column; of the loss there are two, which DVC tells apart by their files."""


def told(root, *command):
    """What `dvc plots` draws: curves by revision, as files name them."""
    asked = ["dvc", "plots", *command, "--json", "--split"]
    run = subprocess.run(asked, cwd=root, env=environment(), capture_output=True, text=True, check=True)
    curves = {}
    for (panel,) in json.loads(run.stdout)["data"].values():
        for row in panel["anchor_definitions"][DATA]:
            field = next(key for key in row if key in FIELDS)
            name = FIELDS[field] or row["filename"].removesuffix(".tsv")
            point = (int(row["step"]), float(row[field]))
            curves.setdefault(row["rev"], {}).setdefault(name, []).append(point)
    return curves


@pytest.fixture
def here(kept, monkeypatch):
    monkeypatch.chdir(kept)
    return kept


def test_show_has_the_curves_of_the_report(here):
    assert told(here, "show") == {"workspace": read_run(".").curves}


def test_diff_has_the_curves_of_both(here):
    now, before = read_run(".").curves, read_run("before").curves
    assert now != before
    assert told(here, "diff", "before") == {"workspace": now, "before": before}
