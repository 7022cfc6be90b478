"""Why a stage would run again: the columns of its tables."""

import json

import pytest

from pipeline.lineage.audit import audit
from pipeline.lineage.lock import TABLES, read_stages
from pipeline.lineage.why import Reason, why

TEXT = """text:
  key: [action_id]
  columns:
    action_id: int16, row of the vocabulary
    form: list<float32>, {about}
"""


@pytest.fixture
def described(finished):
    """A finished run whose text lexicon named its columns; they can be described anew."""
    ran = {"action_id": "int16, row of the vocabulary", "form": "list<float32>, Q wide"}
    lock = json.loads((finished / "dvc.lock").read_text())
    params = lock["stages"]["build_text_lexicon"]["params"]
    params[TABLES] = {"text": {"key": ["action_id"], "columns": ran}}
    (finished / "dvc.lock").write_text(json.dumps(lock))

    def describe(about):
        (finished / TABLES).write_text(TEXT.format(about=about))
        return finished

    return describe


def test_tables_are_no_parameters(described):
    stage = read_stages(described("Q wide"))["build_text_lexicon"]
    assert dict(stage.params) == {"words.size": 2}
    assert list(stage.tables) == ["text"]
    assert read_stages(described("Q wide"))["split_mini"].tables == {}


def test_a_changed_column_is_named_with_what_it_was(described, params):
    reasons = why(described("300 wide"), params, "build_text_lexicon")
    assert Reason("table", "text.columns.form: from 'list<float32>, Q wide' to 'list<float32>, 300 wide'") in reasons


def test_columns_as_they_were_are_no_reason(described, params):
    assert not [reason for reason in why(described("Q wide"), params, "build_text_lexicon") if reason.kind == "table"]


@pytest.mark.parametrize(("about", "good"), [("Q wide", True), ("300 wide", False)])
def test_the_audit_holds_columns_against_those_of_the_run(described, params, about, good):
    checks = [check for check in audit(described(about), params) if check.what == "build_text_lexicon: table text"]
    assert [check.green for check in checks] == [good]
