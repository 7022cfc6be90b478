"""The guard under fire: what a decoder may do to its process, done on purpose."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest

from pipeline.foundations.media import guard as module
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.params import Media
from pipeline.foundations.runtime.errors import PlainError

Make = Callable[..., Path]


def gone(process: int) -> bool:
    """Whether a process ends within some seconds."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_what_a_function_returns_there_it_returns_here(guard: Guard, media: Media, tmp_path: Path, video: Make):
    path = video(tmp_path / "a.mp4")
    np.testing.assert_array_equal(guard.call(read_sound, path, media).samples, read_sound(path, media).samples)
    there = guard.call(read_frames, path, media, fps=10.0, short_side=24).pixels
    np.testing.assert_array_equal(there, read_frames(path, media, fps=10.0, short_side=24).pixels)


def test_findings_about_the_file_pass_through(guard: Guard, media: Media, tmp_path: Path, video: Make):
    with pytest.raises(NoAudioStream, match=r"^no audio stream$"):
        guard.call(read_sound, video(tmp_path / "a.mp4", sound=False), media)
    with pytest.raises(Undecodable, match=r"^cannot be opened: no such file or directory$"):
        guard.call(read_sound, tmp_path / "absent.mp4", media)


def test_a_child_that_does_not_start_is_no_finding_about_a_video(
    fresh: None, media: Media, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Guard(media) as guard, pytest.raises(PlainError, match="the decoding process does not start: /bin/false"):
        guard.call(len, "abc")


@pytest.mark.parametrize(
    ("function", "argument", "reason"),
    [
        (signal.raise_signal, signal.SIGABRT, "Aborted"),
        (signal.raise_signal, signal.SIGSEGV, "Segmentation fault"),
        (signal.raise_signal, signal.SIGKILL, "Killed"),
        (os._exit, 3, "exit status 3"),
    ],
)
def test_a_crash_is_a_finding_about_the_video_and_the_next_call_works(
    function: Callable[[int], object], argument: int, reason: str, media: Media
):
    with Guard(media) as guard:
        with pytest.raises(Undecodable, match=f"^the decoder crashed: {reason}$"):
            guard.call(function, argument)
        assert guard.call(len, "abc") == 3


@pytest.mark.parametrize(("function", "argument"), [(time.sleep, 60), (eval, "sum(range(10**12))")])
def test_so_is_a_call_without_an_end(function: Callable[..., object], argument: object, hasty: Media, media: Media):
    with Guard(hasty) as guard, pytest.raises(Undecodable, match=r"^decoding takes longer than 0\.5 s$"):
        guard.call(function, argument)
    with Guard(media) as guard:
        assert guard.call(len, "abc") == 3


@pytest.mark.parametrize("size", [2**30, 65 * 2**20])
def test_so_is_a_call_that_takes_too_much_memory(size: int, small: Media):
    with Guard(small) as guard:
        with pytest.raises(Undecodable, match=r"^decoding needs more than 64 MB$"):
            guard.call(bytes, size)
        assert guard.call(len, "abc") == 3


def test_one_child_serves_all_calls_and_the_guards_that_follow(fresh: None, media: Media):
    with Guard(media) as first:
        served = {first.call(os.getpid) for _ in range(3)}
    with Guard(media) as second:
        served.add(second.call(os.getpid))
    assert len(served) == 1
    assert served != {os.getpid()}


def test_guards_side_by_side_have_a_child_each(media: Media):
    with Guard(media) as first, Guard(media) as second:
        assert first.call(os.getpid) != second.call(os.getpid)


def test_other_bounds_take_another_child(media: Media, small: Media):
    with Guard(media) as guard:
        loose = guard.call(os.getpid)
    with Guard(small) as guard:
        assert guard.call(os.getpid) != loose


def test_relative_paths_start_where_this_process_is(
    media: Media, tmp_path: Path, video: Make, monkeypatch: pytest.MonkeyPatch
):
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        (tmp_path / name).mkdir()
        video(tmp_path / name / "video.mp4", picture=None, seconds=seconds)
        monkeypatch.chdir(tmp_path / name)
        with Guard(media) as guard:
            sound = guard.call(read_sound, Path("video.mp4"), media)
            assert len(sound.samples) == pytest.approx(16_000 * seconds, rel=0.1)


def test_what_a_child_has_not_imported_takes_another_that_has(fresh: None, media: Media, tmp_path: Path, video: Make):
    path = video(tmp_path / "a.mp4")
    with Guard(media) as guard:
        first = guard.call(os.getpid)
        guard.call(read_sound, path, media)
        second = guard.call(os.getpid)
        guard.call(read_frames, path, media, fps=10.0, short_side=24)
        third = guard.call(os.getpid)
        guard.call(read_sound, path, media)
        assert guard.call(os.getpid) == third
    assert len({first, second, third}) == 3
    assert gone(first)
    assert gone(second)


def test_a_file_that_cannot_be_opened_costs_the_child_nothing(fresh: None, media: Media, tmp_path: Path):
    with Guard(media) as guard:
        served = guard.call(os.getpid)
        answers = [guard.begin(read_sound, tmp_path / name, media) for name in ("absent", "gone")]
        for answer in answers:
            with pytest.raises(Undecodable, match="cannot be opened: no such file"):
                answer()
        assert guard.call(os.getpid) == served


def test_few_children_are_kept_waiting(fresh: None, media: Media):
    for seconds in (10.0, 20.0, 30.0, 40.0):
        with Guard(media.model_copy(update={"timeout_seconds": seconds})) as guard:
            served = guard.call(os.getpid)
    assert len(module.idle) == module.KEPT
    with Guard(media.model_copy(update={"timeout_seconds": 40.0})) as guard:
        assert guard.call(os.getpid) == served


def test_the_death_of_a_child_that_served_before_is_not_held_against_the_video(media: Media):
    with Guard(media) as guard:
        served = guard.call(os.getpid)
        os.kill(served, signal.SIGKILL)
        assert guard.call(os.getpid) != served


def test_a_video_that_kills_does_so_in_a_fresh_child_too_before_it_is_believed(
    fresh: None, media: Media, monkeypatch: pytest.MonkeyPatch
):
    def started(*args: object) -> module.Decoder:
        children.append(made(*args))
        return children[-1]

    children: list[module.Decoder] = []
    made = module.Decoder
    monkeypatch.setattr(module, "Decoder", started)
    with Guard(media) as guard:
        guard.call(os.getpid)
        with pytest.raises(Undecodable, match="exit status 9"):
            guard.call(os._exit, 9)
    assert [child.calls for child in children] == [2, 1]


def test_an_interrupted_call_leaves_no_answer_for_the_next(fresh: None, media: Media):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def interrupted_call() -> None:
        with Guard(media) as guard:
            served.append(guard.call(os.getpid))
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            guard.call(time.sleep, 60)

    served: list[int] = []
    before = signal.signal(signal.SIGALRM, interrupt)
    with pytest.raises(KeyboardInterrupt):
        interrupted_call()
    signal.signal(signal.SIGALRM, before)
    assert gone(served[0])
    with Guard(media) as guard:
        assert guard.call(len, "abc") == 3


ORPHAN = textwrap.dedent("""
    import os, sys, time
    from pathlib import Path
    from pipeline.foundations.media.guard import Guard
    from pipeline.foundations.params import load_params

    media = load_params(Path(sys.argv[1])).media.model_copy(update={"timeout_seconds": 2.0})
    with Guard(media) as guard:
        print(guard.call(os.getpid), flush=True)
        guard.call(time.sleep, 60) if sys.argv[2] == "busy" else time.sleep(60)
""")


@pytest.mark.parametrize("state", ["busy", "idle"])
def test_a_child_does_not_outlive_a_parent_that_is_killed(state: str, root: Path):
    command = [sys.executable, "-c", ORPHAN, str(root / "params.yaml"), state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.kill()
    assert gone(child)


def test_ctrl_c_is_not_for_the_child(fresh: None, media: Media):
    """From before its first line on, or a library that it loads would print a trace."""
    with Guard(media) as guard:
        assert signal.SIGINT in guard.call(signal.pthread_sigmask, signal.SIG_BLOCK, ())
        os.kill(guard.call(os.getpid), signal.SIGINT)
        assert guard.call(abs, -1) == 1


def test_no_descriptor_is_lost_with_a_dead_child(media: Media):
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with Guard(media) as guard:
        guard.call(len, "abc")
        before = descriptors()
        for _ in range(3):
            with pytest.raises(Undecodable):
                guard.call(os._exit, 1)
        guard.call(len, "abc")
        assert descriptors() == before


def test_a_fork_of_this_process_does_not_speak_to_its_children(media: Media):
    with Guard(media) as guard:
        guard.call(len, "abc")
    assert module.idle
    pid = os.fork()
    if pid == 0:
        os._exit(len(module.idle))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_joblibs_workers_have_children_of_their_own(media: Media):
    def task(_: int) -> tuple[int, int, int]:
        with Guard(media) as guard:
            return os.getppid(), os.getpid(), guard.call(os.getppid)

    for parent, worker, of_child in joblib.Parallel(n_jobs=2)(joblib.delayed(task)(n) for n in range(4)):
        assert parent == os.getpid()
        assert of_child == worker


def test_a_daemon_process_as_dasks_workers_are_has_one_too(media: Media):
    def task(answer: multiprocessing.Queue) -> None:
        with Guard(media) as guard:
            answer.put(guard.call(len, "abc"))

    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    process = context.Process(target=task, args=(answer,), daemon=True)
    process.start()
    assert answer.get(timeout=60) == 3
    process.join()
