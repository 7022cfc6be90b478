"""Records of restored results are brought into git's files before a commit."""

import json

from pipeline.foundations.runtime import record_store
from pipeline.lineage import runs


def test_a_record_that_only_the_store_has_is_brought_into_gits_file(finished):
    path = finished / "data/runs/index.jsonl"
    record = json.loads(path.read_text())
    path.unlink()
    record_store.end(record_store.folder(finished), record)
    assert runs.track(finished) == ["index"]
    assert json.loads(path.read_text()) == record
    assert runs.track(finished) == []
