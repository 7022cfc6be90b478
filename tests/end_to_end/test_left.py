"""What the tests with kills take for finished, and what for begun."""

import json

from pipeline.foundations.runtime.files import atomic_write, write_text
from tests.end_to_end.kill_and_resume import Left, left_in


def test_a_shard_is_finished_once_its_record_is_in_its_place(tmp_path):
    shard, record = tmp_path / "work" / "000001.bin", tmp_path / "work" / "000001.bin.json"
    assert left_in(shard.parent)[:2] == (set(), set())
    with atomic_write(shard) as draft:
        assert left_in(shard.parent)[:2] == (set(), {"000001.bin"})
        draft.write_bytes(b"frames")
        assert left_in(shard.parent)[:2] == (set(), {"000001.bin"})
    assert left_in(shard.parent) == Left(set(), set(), {"000001.bin"})
    with atomic_write(record) as draft:
        draft.write_text("{}")
        assert left_in(shard.parent)[:2] == (set(), {"000001.bin"}), "its record is a draft"
    assert left_in(shard.parent)[:2] == ({"000001.bin"}, set())


def test_a_record_whose_shard_has_gone_is_of_nothing(tmp_path):
    write_text(tmp_path / "000001.bin.json", json.dumps({}))
    assert left_in(tmp_path)[:2] == (set(), set())
