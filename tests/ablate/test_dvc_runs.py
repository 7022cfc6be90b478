import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from pipeline.ablate import dvc_runs
from pipeline.ablate.dvc_runs import Job
from pipeline.foundations.runtime.errors import PlainError

ROOT = Path(__file__).resolve().parents[2]


def test_dvcs_refusal_is_a_plain_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlainError, match=r"^dvc exp list --all-commits: ERROR: you are not inside of a DVC repository"):
        dvc_runs.remove(["a"])


def test_locks_that_git_knows_come_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    for name in ("dvc.lock", "data/raw/dvc.lock"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "dvc.yaml", name)
    subprocess.run(["git", "add", "dvc.lock"], check=True)
    assert dvc_runs.untracked(dvc_runs.LOCKS) == ["data/raw/dvc.lock"]


STANDS_FOR_DVC = """
import subprocess, sys, time
arguments = sys.argv[1:]
if "list" in arguments:
    sys.exit()
name = arguments[arguments.index("--name") + 1]

def note(what):
    with open("notes", "a") as notes:
        print(what, name, time.monotonic(), file=notes)

note("begins")
time.sleep(0.2)
note("begun")
print("Stage 'index' didn't change, skipping", flush=True)
if name == "fails":
    print("heads: error: no such head")
    sys.exit(255)
if name == "stays":
    below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(below.pid, file=open("below.draft", "w"), flush=True)
    import os; os.replace("below.draft", "below")
    below.wait()
if name.startswith("waits"):
    deadline = time.monotonic() + 60
    while open("notes").read().count("begun waits") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
note("ends")
print("Ran experiment(s):", name)
"""
"""Says and does what `dvc exp run` does, as far as it matters here. Those that wait end once two have begun."""


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What happened to experiments, in its order; DVC is a stand-in."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "dvc.py"
    script.write_text(STANDS_FOR_DVC)
    monkeypatch.setattr(dvc_runs, "DVC", (sys.executable, str(script)))
    return lambda: [line.rsplit(" ", 1)[0] for line in (tmp_path / "notes").read_text().splitlines()]


def jobs(*names):
    return [Job(name, name, (), "evaluate") for name in names]


def test_one_after_the_other_and_one_that_fails_stops_no_other(told, capsys):
    assert dvc_runs.run(jobs("a", "fails", "b")) == {"fails": "heads: error: no such head"}
    assert told() == [
        "begins a", "begun a", "ends a", "begins fails", "begun fails", "begins b", "begun b", "ends b",
    ]  # fmt: skip
    assert capsys.readouterr().out.count("Ran experiment(s):") == 2


def test_the_first_runs_alone_and_then_two_at_once_which_begin_in_turn(told, capsys):
    assert dvc_runs.run(jobs("a", "waits1", "waits2"), at_once=2) == {}
    happened = told()
    assert happened[:3] == ["begins a", "begun a", "ends a"]
    begins = [line.split()[0] for line in happened[3:7]]
    assert begins == ["begins", "begun", "begins", "begun"]
    assert sorted(happened[7:]) == ["ends waits1", "ends waits2"]
    said = capsys.readouterr().out.splitlines()
    ends = [number for number, line in enumerate(said) if line.startswith("Ran experiment(s)")]
    assert all(said[end - 1] == "Stage 'index' didn't change, skipping" for end in ends)


def test_experiments_of_other_names_stay(monkeypatch):
    def called(command, **_):
        asked.append(command[len(dvc_runs.DVC) :])
        return subprocess.CompletedProcess(command, 0, "a\nother\n", "")

    asked: list[list[str]] = []
    monkeypatch.setattr(dvc_runs.subprocess, "run", called)
    dvc_runs.remove(["b", "a"])
    assert asked[1:] == [["exp", "remove", "a"]]


def test_one_that_fails_alone_is_an_error_with_its_reason(told):
    with pytest.raises(PlainError, match=r"^fails: heads: error: no such head$"):
        dvc_runs.run_one(*jobs("fails"))


def test_sigterm_stops_what_runs_and_all_below_it(told, tmp_path):
    below = tmp_path / "below"

    def stop():
        deadline = time.monotonic() + 60
        while not below.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    threading.Thread(target=stop).start()
    with pytest.raises(SystemExit) as ended:
        dvc_runs.run(jobs("stays", "never"))
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert "begins never" not in told()
    assert not psutil.pid_exists(int(below.read_text()))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["a", "heads: error: no", "ERROR: failed to reproduce"], "heads: error: no"),
        (["a", "ERROR: failed to reproduce"], "ERROR: failed to reproduce"),
        (["a"], ""),
    ],
)
def test_a_failure_is_told_in_the_stages_own_words_or_dvcs(lines, told):
    assert dvc_runs._told(lines) == told
