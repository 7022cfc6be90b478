"""A run in a few words, from the records of its stages."""

import pytest

from pipeline.lineage.lock import Stage
from pipeline.lineage.records import CurrentResult
from pipeline.lineage.run_summary import run_summary


def result(name, **told):
    record = {
        "started": "2026-01-02T03:00:00+00:00", "ended": "2026-01-02T03:01:30+00:00", "seconds": 90.2, "device": "cpu",
        "host": {"name": "vm", "cpu": "AMD EPYC"}, "git": {"revision": "c0ffee" * 6, "changed": []},
    }  # fmt: skip
    return CurrentResult(Stage(name, (), (), {}), record | told, "")


def test_one_run_on_one_machine():
    assert run_summary([result("evaluate"), result("train", seconds=3600.0)]) == {
        "made": "2026-01-02 03:01 UTC",
        "took": "1 h 1 min 30 s, 2 stages",
        "machine": "AMD EPYC, cpu",
        "revision": "c0ffeec0ffee",
    }


def test_what_came_from_elsewhere_is_named_beside_it():
    older = {"started": "2025-12-01T00:00:00+00:00", "ended": "2025-12-01T00:00:05+00:00"}
    other = result("train", device="cuda", git={"revision": "bead" * 9, "changed": ["params.yaml"]}, **older)
    unknown = CurrentResult(Stage("index", (), (), {}), None, "made elsewhere; record absent")
    assert run_summary([result("evaluate"), other, unknown]) == {
        "made": "2026-01-02 03:01 UTC, its first stage 2025-12-01",
        "took": "3 min, 2 stages; of 1 no record",
        "machine": "AMD EPYC, cpu; AMD EPYC, cuda",
        "revision": "c0ffeec0ffee; beadbeadbead with changes",
    }


@pytest.mark.parametrize("results", [[], [CurrentResult(Stage("index", (), (), {}), None, "")]])
def test_without_a_record_nothing_is_said(results):
    assert run_summary(results) == {}
