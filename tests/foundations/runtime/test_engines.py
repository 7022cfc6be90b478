"""A cluster that is there already: a Dask scheduler and two workers, each a process of its own."""

import functools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.numerics import SETTINGS
from pipeline.foundations.runtime.shards import shards, total
from tests.extras import needs
from tests.foundations.runtime.test_shards import SQUARES, done, square

pytestmark = [pytest.mark.slow, needs("dask")]


@pytest.fixture(scope="module")
def cluster(root, tmp_path_factory):
    """The scheduler's address; the workers have no nanny that would start them again."""
    folder = tmp_path_factory.mktemp("cluster")
    native = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    file = folder / "scheduler.json"
    options = ["--scheduler-file", file, "--no-dashboard"]
    roles = {
        "scheduler": ["--host", "127.0.0.1", "--port", "0"],
        "worker": ["--nthreads", "1", "--no-nanny", "--local-directory", folder],
    }
    with ExitStack() as cleanup:
        for role in ("scheduler", "worker", "worker"):
            command = [sys.executable, "-m", "dask", role, *options, *roles[role]]
            process = cleanup.enter_context(subprocess.Popen(command, cwd=root, env=native, stderr=subprocess.DEVNULL))
            cleanup.callback(process.kill)
            while not file.exists():
                assert process.poll() is None
                time.sleep(0.05)
        yield json.loads(file.read_text())["address"]


@pytest.fixture
def work(params, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    log = tmp_path / "log"

    def run(**options) -> tuple[bytes, dict[str, int], Path]:
        log.unlink(missing_ok=True)
        task = functools.partial(square, log=log, fails=options.pop("fails", ""))
        execution = params.execution.model_copy(update=options)
        with shards(task, range(10), stage="s", key="k", size=3, suffix=".txt", execution=execution, label="l") as made:
            return b"".join(shard.path.read_bytes() for shard in made), total(made), log

    return run


def test_shards_come_out_of_a_cluster_as_of_one_process(cluster, work):
    assert work(engine="dask", address=cluster)[:2] == work(engine="local", workers=1)[:2]


def test_a_worker_of_several_threads_is_refused(work):
    """What PyTorch is set to, and the GPU, are a whole process's."""
    from dask.distributed import LocalCluster

    several = LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None)
    refused = pytest.raises(PlainError, match=r"the Dask worker tcp://.* runs 2 tasks at once in one process; expected")
    with several, refused:
        work(engine="dask", address=several.scheduler_address)


def test_a_worker_that_computes_otherwise_than_the_stage_is_refused(cluster, work, monkeypatch):
    """One that was started without what `m3a numerics` prints, say."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PlainError, match=r"portable arithmetic and the Dask worker tcp://.* with native"):
        work(engine="dask", address=cluster)


def test_a_worker_that_is_lost_in_the_middle_costs_its_shard_alone(cluster, work, tmp_path):
    (tmp_path / "broken").touch()
    text, counts, log = work(engine="dask", address=cluster, fails="dies once")
    assert (text.decode(), counts) == (SQUARES, {"items": 10, "odd": 5})
    items = Counter(done(log))
    assert set(items) == set(range(10))
    assert {item for item, times in items.items() if times > 1} <= {3, 4, 5}  # the shard that died at its last item
    assert items[5] == 2
