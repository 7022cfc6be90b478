"""A disk that is really full: what is said, what is left, and how the work goes on once there is room."""

import os
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.shards import shards
from pipeline.foundations.tables import tables
from stages import stage

MEGABYTE = 1_000_000


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A file system of eight megabytes, in which the current folder is."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", folder], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mount.stderr.strip()}")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    yield folder
    os.chdir(tmp_path)
    subprocess.run(["umount", "--lazy", folder], check=True)  # idle workers are still in there


def fill(disk: Path, *, leave: int) -> Path:
    """Take all room but some bytes."""
    filler = disk / "filler"
    space = os.statvfs(disk)
    filler.write_bytes(bytes(space.f_bavail * space.f_frsize - leave))
    return filler


def noise(items, target):
    """A task: a megabyte of noise an item."""
    for item in items:
        with target.open("ab") as file:
            file.write(np.random.default_rng(item).bytes(MEGABYTE))
    return {"items": len(items)}


def work(params) -> bytes:
    """Four shards of a megabyte."""
    execution = params.execution.model_copy(update={"workers": 2})
    with shards(
        partial(noise), range(4), stage="s", key="k", size=1, suffix=".bin", execution=execution, label="noise"
    ) as done:
        return b"".join(shard.path.read_bytes() for shard in done)


def test_shards_on_a_full_disk_stop_with_a_sentence_and_go_on_when_there_is_room(disk, params, capfd):
    filler = fill(disk, leave=int(2.5 * MEGABYTE))
    refused = r"/00000\d\.bin: cannot be written: No space left on device; it needs more"
    with pytest.raises(PlainError, match=refused):
        work(params)
    kept = list((disk / ".cache/s/k/000").glob("*-*.bin"))
    assert 1 <= len(kept) <= 2
    assert all(path.stat().st_size == MEGABYTE for path in (disk / ".cache/s/k/000").glob("*.bin"))
    assert not list((disk / ".cache/s/k/000").glob(".*"))  # nothing half-written
    filler.unlink()
    assert work(params) == b"".join(np.random.default_rng(item).bytes(MEGABYTE) for item in range(4))
    assert f"noise: {len(kept)} of 4 shards kept from an earlier run" in capfd.readouterr().err


def test_a_table_on_a_full_disk_leaves_the_one_before(disk):
    def write(rows: int) -> None:
        forms = np.random.default_rng(rows).standard_normal((rows, 384)).astype(np.float32)
        columns = {"video_id": [f"{row:06d}" for row in range(rows)], "embedding": forms}
        tables.write("vggish", disk / "vggish.parquet", tables.from_columns("vggish", columns))

    write(10)
    before = (disk / "vggish.parquet").read_bytes()
    filler = fill(disk, leave=MEGABYTE)
    with pytest.raises(PlainError, match=r"vggish\.parquet: cannot be written: .*No space left on device"):
        write(2_000)
    assert (disk / "vggish.parquet").read_bytes() == before
    assert sorted(path.name for path in disk.iterdir()) == ["filler", "vggish.parquet"]
    filler.unlink()
    write(2_000)
    assert tables.read("vggish", disk / "vggish.parquet").num_rows == 2_000


def test_a_stage_that_meets_a_full_disk_in_a_librarys_file_says_so_in_a_line(disk, root, monkeypatch, capfd):
    (disk / "params.yaml").write_text((root / "params.yaml").read_text())
    filler = disk / "filler"

    @stage
    def library(params):
        fill(disk, leave=0)
        try:
            (disk / "log.tsv").write_bytes(bytes(MEGABYTE))
        finally:
            filler.unlink()
        return "not reached"

    with pytest.raises(SystemExit) as status:
        library()
    assert status.value.code == 1
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.endswith("No space left on device; make room, or allow it, and run again")
