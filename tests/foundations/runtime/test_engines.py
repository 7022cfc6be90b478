"""A cluster that is there already: a Dask scheduler and two workers, each a process of its own."""

import functools
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.foundations.runtime import dask_engine, incidents
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
    refused = pytest.raises(
        PlainError, match=r"the Dask worker tcp://.* runs 2 tasks at once in one process: start workers"
    )
    with several, refused:
        work(engine="dask", address=several.scheduler_address)


def test_a_worker_that_computes_otherwise_than_the_stage_is_refused(cluster, work, monkeypatch):
    """One that was started without what `m3a numerics` prints, say."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PlainError, match=r"portable arithmetic and the Dask worker tcp://.* with native"):
        work(engine="dask", address=cluster)


@pytest.fixture
def alone(root, tmp_path):
    """Starts a scheduler, and workers that nobody starts again."""
    native = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    file = tmp_path / "scheduler.json"
    with ExitStack() as cleanup:

        def start(role, *options):
            command = [sys.executable, "-m", "dask", role, "--scheduler-file", file, "--no-dashboard", *options]
            process = cleanup.enter_context(subprocess.Popen(command, cwd=root, env=native, stderr=subprocess.DEVNULL))
            cleanup.callback(process.kill)
            return process

        def worker():
            return start("worker", "--nthreads", "1", "--no-nanny", "--local-directory", tmp_path)

        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0")
        while not file.exists():
            time.sleep(0.05)
        yield scheduler, worker, json.loads(file.read_text())["address"]


@pytest.mark.timeout(120)
def test_where_no_worker_is_left_it_says_so_and_gives_up(alone, work, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(dask_engine, "MAX_WAIT", 3.0)
    monkeypatch.setattr(incidents, "_counts", Counter())
    from dask.distributed import Client

    _, worker, address = alone
    worker()
    with Client(address) as client:
        client.wait_for_workers(1, timeout=60)
    (tmp_path / "broken").touch()
    with pytest.raises(PlainError, match=r"no Dask worker has been there for 3 s, and \d tasks are left; what was"):
        work(engine="dask", address=address, fails="dies once")
    said = capfd.readouterr().err
    assert re.search(r"a Dask worker was lost: tcp://.*; \d tasks continue on 0 workers", said)
    assert "tasks wait for one, for 3 s at most" in said
    assert incidents.so_far() == {"lost_workers": 1}


@pytest.mark.timeout(120)
def test_where_no_worker_is_left_one_that_comes_goes_on(alone, work, tmp_path, monkeypatch, capfd):
    _, worker, address = alone
    worker()
    (tmp_path / "broken").touch()

    class Starting(dask_engine._Workers):
        def look(self, left):
            before = self._said
            super().look(left)
            if self._said and not before:
                worker()

    monkeypatch.setattr(dask_engine, "_Workers", Starting)
    assert work(engine="dask", address=address, fails="dies once")[0].decode() == SQUARES
    assert "no Dask worker is there" in capfd.readouterr().err


@pytest.mark.timeout(120)
@pytest.mark.parametrize("client", ["tries to join again", "has given up"])
def test_a_scheduler_that_goes_away_is_told(alone, work, tmp_path, monkeypatch, client):
    (tmp_path / "broken").touch()
    scheduler, worker, address = alone
    worker()
    look = dask_engine._Workers.look
    monkeypatch.setattr(dask_engine._Workers, "look", _killing(scheduler, look, closed=client == "has given up"))
    with pytest.raises(PlainError, match=r"the Dask scheduler (no longer answers|gave up the tasks): .* is kept"):
        work(engine="dask", address=address, fails="waits")


def _killing(process, look, *, closed):
    """A look that ends the scheduler first, and waits where the client is to be closed by then."""

    def looking(self, left):
        process.kill()
        process.wait()
        time.sleep(1)
        while closed and self._client.status != "closed":
            time.sleep(0.1)
        look(self, left)

    return looking


def test_a_worker_that_is_lost_in_the_middle_costs_its_shard_alone(cluster, work, tmp_path):
    (tmp_path / "broken").touch()
    text, counts, log = work(engine="dask", address=cluster, fails="dies once")
    assert (text.decode(), counts) == (SQUARES, {"items": 10, "odd": 5})
    items = Counter(done(log))
    assert set(items) == set(range(10))
    assert {item for item, times in items.items() if times > 1} <= {3, 4, 5}  # the shard that died at its last item
    assert items[5] == 2
