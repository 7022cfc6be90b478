"""What the tests with kills take for finished, and what for begun."""

from pipeline.foundations.runtime.files import atomic_write
from tests.end_to_end.kill_and_resume import Left, left_in


def test_a_shard_is_finished_once_its_name_says_its_digest(tmp_path):
    shard = tmp_path / "work" / "000" / "000001.bin"
    assert left_in(tmp_path / "work")[:2] == (set(), set())
    with atomic_write(shard) as draft:
        assert left_in(tmp_path / "work")[:2] == (set(), {"000001.bin"})
        draft.write_bytes(b"frames")
        assert left_in(tmp_path / "work")[:2] == (set(), {"000001.bin"})
    assert left_in(tmp_path / "work") == Left(set(), set(), {"000001.bin"})
    finished = shard.rename(shard.with_stem(f"000001-videos=1-{'0' * 64}"))
    assert left_in(tmp_path / "work")[:2] == ({finished.name}, set())
