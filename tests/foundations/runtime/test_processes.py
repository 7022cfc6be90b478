"""Processes that end with the one that started them, that leave Ctrl-C to it, and a stage that is alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pipeline.foundations.runtime import processes
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import sigint_blocked, stage_lock

ROOT = Path(__file__).resolve().parents[3]
FAMILY = """
import os, subprocess, sys, time
from pipeline.foundations.runtime.processes import die_with_parent
if len(sys.argv) == 2:
    die_with_parent(int(sys.argv[1]))
    print(os.getpid(), flush=True)
    time.sleep(60)
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())] if len(sys.argv) == 3 else [])
time.sleep(60)
"""


def is_alive(process: int) -> bool:
    """Whether it runs; a dead one that nobody asked about yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def soon(condition) -> bool:
    """Whether it comes true within seconds."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def python(code, *arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, text=True, **options)


def test_a_process_ends_with_the_one_that_started_it():
    with python(FAMILY, FAMILY, "first", stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        assert is_alive(child)
        parent.kill()
        assert soon(lambda: not is_alive(child))


def test_a_process_whose_parent_has_ended_already_ends_at_once():
    with python(FAMILY, str(os.getppid()), stdout=subprocess.PIPE) as late:  # another's number: as if that had ended
        assert late.wait(10) == -signal.SIGKILL
        assert late.stdout.read() == ""


def test_ctrl_c_reaches_the_one_that_waits_and_not_what_it_started():
    sleeper = "import time; print('up', flush=True); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt), sigint_blocked():  # noqa: PT012
        child = python(sleeper, stdout=subprocess.PIPE)
        assert child.stdout.readline() == "up\n"
        os.kill(child.pid, signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert is_alive(child.pid)  # so this process goes on till the end of the context
    assert is_alive(child.pid)
    child.kill()
    child.communicate()


def test_an_interrupt_that_another_thread_takes_is_held_back_too():
    """The kernel gives it to any thread that lets it in, and Python then interrupts the main one."""
    over, held = threading.Event(), False
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        with sigint_blocked(pool=False):
            signal.pthread_kill(other.ident, signal.SIGINT)
            time.sleep(0.1)
            held = True
    except KeyboardInterrupt:
        assert held
    else:
        raise AssertionError("it was lost")
    finally:
        over.set()
        other.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


TRACKED = """
import multiprocessing, signal
from pipeline.foundations.runtime.processes import sigint_blocked
with sigint_blocked():
    lock = multiprocessing.get_context("spawn").Lock()
    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_what_starts_among_the_deaf_does_not_let_ctrl_c_in_again():
    """Python 3.11's tracker of shared resources does, which the first lock starts; workers after it would hear."""
    with python(TRACKED, stdout=subprocess.PIPE) as process:
        assert process.communicate()[0].split() == ["True", "False"]


def test_a_stage_is_alone_and_leaves_its_place(tmp_path):
    with stage("train", tmp_path / "cache"), stage("evaluate", tmp_path / "cache"):
        assert (tmp_path / "cache/train.running").read_text() == f"{os.getpid()}\n\n"
        with pytest.raises(PlainError, match=r"train\.lock: another process runs stage train in this checkout"):
            stage("train", tmp_path / "cache").__enter__()
    with pytest.raises(KeyError), stage("train", tmp_path / "cache"):
        raise KeyError
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock", ".lock"]


def stage(name, folder):
    return stage_lock(name, folder, whole_process=False)


def test_a_place_that_cannot_be_had_is_named(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(PlainError, match=r"cache/train\.lock: cannot be written: "), stage("train", tmp_path / "cache"):
        pass


TEMPORARY = """
import os, sys, tempfile
from pathlib import Path
from pipeline.foundations.runtime.processes import stage_lock
with stage_lock("train", Path("cache"), whole_process=True):
    left = tempfile.mkstemp()[1]
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), 9)
    print(left)
"""


@pytest.fixture
def short(monkeypatch):
    """A folder for temporary files whose path leaves room for a socket's."""
    with TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_temporary_files_go_with_the_stage_and_after_a_kill_with_the_next(tmp_path, short):
    with python(TEMPORARY, "killed", cwd=tmp_path) as killed:
        assert killed.wait(10) == -signal.SIGKILL
    assert len([path for path in short.rglob("*") if path.is_file()]) == 1
    with python(TEMPORARY, "well", cwd=tmp_path, stdout=subprocess.PIPE) as ended:
        assert Path(ended.stdout.readline().strip()).parents[1] == short
    assert list(short.iterdir()) == []


LISTENING = """
from multiprocessing.connection import Listener
from pathlib import Path
from pipeline.foundations.runtime.processes import stage_lock
with stage_lock("train", Path("cache"), whole_process=True):
    listener = Listener(family="AF_UNIX")
    raise SystemExit(130)
"""


def test_temporary_files_stay_until_multiprocessing_has_removed_its_own(tmp_path, short):
    """Its sockets, that workers send tensors by: it would tell of each that it misses, after the stage's last word."""
    with python(LISTENING, cwd=tmp_path, stderr=subprocess.PIPE) as ended:
        assert ended.communicate()[1] == ""
    assert ended.returncode == 130
    assert list(short.iterdir()) == []
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["train.lock"]


SENDING = """
import sys, tempfile
from multiprocessing.connection import Listener
from pathlib import Path
from pipeline.foundations.runtime.processes import stage_lock
with stage_lock("train", Path("cache"), whole_process=True):
    print(Path(tempfile.gettempdir()).parent, len(Listener(family="AF_UNIX").address))
"""


@pytest.mark.parametrize("length", [62, 63, 200])
def test_sockets_are_made_however_long_the_path_of_temporary_files_is(tmp_path, short, monkeypatch, length):
    folder = short / ("x" * (length - len(str(short)) - 1))
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with python(SENDING, cwd=tmp_path, stdout=subprocess.PIPE) as ended:
        where, bytes_of_path = ended.communicate()[0].split()
    assert ended.returncode == 0
    assert Path(where) == (folder if length == 62 else Path("/tmp"))
    assert int(bytes_of_path) <= 107


FORKING = """
import gc, multiprocessing, tempfile
from pathlib import Path
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.processes import stage_lock
with stage_lock("train", Path("cache"), whole_process=True):
    child = multiprocessing.get_context("fork").Process(target=gc.collect)
    child.start()
    child.join()
    tempfile.mkstemp()
    input("at work")
"""


def test_a_forked_child_takes_nothing_of_the_stages_with_it(tmp_path):
    with python(
        FORKING, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as forking:
        assert forking.stdout.read(7) == "at work"
        with pytest.raises(PlainError, match="another process runs stage train"):
            stage("train", tmp_path / "cache").__enter__()
        assert forking.communicate("\n")[1] == ""
    assert forking.returncode == 0


def test_what_the_system_keeps_of_a_killed_stage_is_cleared(tmp_path, monkeypatch):
    shared, precious = tmp_path / "shm", tmp_path / "precious"
    monkeypatch.setattr(processes, "_SHARED", shared)
    (shared / "joblib_memmapping_folder_77_ab_cd").mkdir(parents=True)
    precious.mkdir()
    for name in ("sem.loky-77-abc", "sem.loky-777-abc", "torch_77"):
        (shared / name).touch()
    (tmp_path / "train.running").write_text(f"77\n{precious}\n")
    with stage("train", tmp_path):
        assert sorted(path.name for path in shared.iterdir()) == ["sem.loky-777-abc", "torch_77"]
    assert precious.exists()  # not a folder of ours, whatever the note says
    for damaged in ("", "7", "\n\n", "*\n\n"):  # killed while it wrote
        (tmp_path / "train.running").write_text(damaged)
        with stage("train", tmp_path):
            assert len(list(shared.iterdir())) == 2
