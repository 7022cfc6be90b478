import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import mapped, tables

ROWS = tables.ROW_GROUP + 5


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path / ".cache"


def whitened(path, rows=ROWS, size=3):
    forms = np.random.default_rng(0).standard_normal((rows, size), np.float32)
    columns = {"video_id": [f"v{row:06d}" for row in range(rows)], "form": forms}
    tables.write("whitened", path, tables.from_columns("whitened", columns))


@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_a_mapped_column_is_what_reading_gives(cache, rows):
    whitened(cache.parent / "whitened.parquet", rows)
    found = mapped.read("whitened", cache.parent / "whitened.parquet", ["video_id"], "form")
    assert found.equals(tables.read("whitened", cache.parent / "whitened.parquet"))


def test_it_lies_in_a_file_that_is_gone_with_its_last_array(cache):
    array = mapped.zeros(1000, 7)
    assert not array.any()
    array[:] = 1.0
    assert str(cache / mapped.FOLDER) in Path("/proc/self/maps").read_text()
    assert list((cache / mapped.FOLDER).iterdir()) == []
    del array
    assert str(cache / mapped.FOLDER) not in Path("/proc/self/maps").read_text()


def test_a_full_disk_is_a_plain_error_and_no_signal(cache, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(PlainError, match=r"mapped: no room for 0\.4 MB of vectors: No space left on device"):
        mapped.zeros(1000, 100)
