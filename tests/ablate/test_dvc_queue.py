import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

from pipeline.ablate import dvc_queue
from pipeline.foundations.runtime.errors import PlainError

ROOT = Path(__file__).resolve().parents[2]


def test_dvcs_refusal_is_a_plain_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlainError, match=r"^dvc exp list --all-commits: ERROR: you are not inside of a DVC repository"):
        dvc_queue.finished()


def test_locks_that_git_knows_come_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    for name in ("dvc.lock", "data/raw/dvc.lock"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "dvc.yaml", name)
    subprocess.run(["git", "add", "dvc.lock"], check=True)
    assert dvc_queue.untracked(dvc_queue.LOCKS) == ["data/raw/dvc.lock"]


class Follower:
    """Stands for a `dvc exp run --run-all` that waits until it is killed, but for the last of `waits`."""

    waits: ClassVar[list[bool]] = []
    killed: ClassVar[int] = 0

    def __init__(self, command):
        assert command[3:] == ["exp", "run", "--run-all"]
        self.waiting = self.waits.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wait(self, timeout):
        if self.waiting:
            raise subprocess.TimeoutExpired("dvc", timeout)
        return 0

    def kill(self):
        type(self).killed += 1


def answers(monkeypatch):
    """What DVC is asked from here on."""

    def called(command, **_):
        asked.append(command[3:])
        return subprocess.CompletedProcess(command, 0, "", "")

    asked: list[list[str]] = []
    monkeypatch.setattr(dvc_queue.subprocess, "run", called)
    return asked


def test_sigterm_stops_the_workers_and_clears_the_queue(monkeypatch):
    def stopped(self, _):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)  # as DVC would go on

    monkeypatch.setattr(Follower, "waits", [True])
    monkeypatch.setattr(Follower, "killed", 0)
    monkeypatch.setattr(Follower, "wait", stopped)
    monkeypatch.setattr(dvc_queue.subprocess, "Popen", Follower)
    asked = answers(monkeypatch)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        dvc_queue.run(["a-1", "a-2"])
    assert ended.value.code == 143
    assert Follower.killed == 1
    assert asked == [["queue", "stop", "--kill"], ["queue", "remove", "a-1", "a-2"]]
    assert signal.getsignal(signal.SIGTERM) == before


def test_where_no_worker_is_left_another_is_started(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Follower, "waits", [True, False])
    monkeypatch.setattr(Follower, "killed", 0)
    monkeypatch.setattr(dvc_queue.subprocess, "Popen", Follower)
    asked = answers(monkeypatch)
    dvc_queue.run(["a-1"])
    assert asked == [["queue", "stop"]]
    assert Follower.killed == 2
    assert "DVC's worker is gone while experiments wait; starting another" in "".join(capsys.readouterr())


def test_a_worker_is_there_as_long_as_its_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert not dvc_queue._works()
    dvc_queue.WORKER.parent.mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        dvc_queue.WORKER.write_text(json.dumps({"pid": process.pid, "returncode": None}))
        assert dvc_queue._works()
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not dvc_queue._works()  # ended, and nobody has asked how
    finally:
        process.kill()
        process.wait()
    assert not dvc_queue._works()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["a", "heads: error: no", "ERROR: failed to reproduce"], "heads: error: no"),
        (["a", "ERROR: failed to reproduce"], "ERROR: failed to reproduce"),
        (["a"], ""),
    ],
)
def test_a_failure_is_told_in_the_stages_own_words_or_dvcs(lines, told):
    assert dvc_queue._told(lines) == told
