"""Hostile code run in the guarded process, as a flaw in FFmpeg would let it: each attempt fails, and one video is lost.

The same attempts succeed in a process that is not locked, or they would show nothing.
"""

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.doctor.probe import probe
from pipeline.foundations.media import decoder as module
from pipeline.foundations.media import sandbox
from pipeline.foundations.media.decoder import DecoderError
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.params import Media, Params

Make = Callable[..., Path]
REFUSED = (
    r"^(PermissionError|OSError|BlockingIOError): .*(not permitted|denied|unavailable)|^RuntimeError: can't start new"
)
LIBC = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)\n"
FAILED = "\nif result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))"
ATTEMPTS = {
    "read a file": "open(f'{folder}/secret').read()",
    "read its parent's environment": "open(f'/proc/{parent}/environ', 'rb').read()",
    "list a folder": "import os; os.listdir(folder)",
    "write a file": "open(f'{folder}/new', 'w')",
    "remove a file": "import os; os.unlink(f'{folder}/removed')",
    "rename a file": "import os; os.rename(f'{folder}/renamed', f'{folder}/other')",
    "make a folder": "import os; os.mkdir(f'{folder}/made')",
    "make a link": "import os; os.symlink('/', f'{folder}/link')",
    "empty a file": "import os; os.truncate(f'{folder}/emptied', 0)",
    "change a file's mode": "import os; os.chmod(f'{folder}/secret', 0o666)",
    "run a program": "import os; os.posix_spawn('/bin/true', ['true'], {})",
    "become a program": "import os; os.execv('/bin/true', ['true'])",
    "fork": "import os; os.fork() or os._exit(0)",
    "start a thread": "import threading; threading.Thread(target=len, args=('',)).start()",
    "open a socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "open a local socket": "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "signal its parent": "import os; os.kill(parent, 0)",
    "signal its group": "import os, signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN); os.kill(0, signal.SIGUSR1)",
    "queue a signal": LIBC + "result = libc.sigqueue(parent, 0, None)" + FAILED,
    "read its parent's memory": LIBC
    + "mine = ctypes.create_string_buffer(8); there = (ctypes.c_size_t * 2)(ctypes.addressof(mine), 8)\n"
    + "result = libc.process_vm_readv(own or parent, there, 1, there, 1, 0)"
    + FAILED,
    "be traced": LIBC + "result = libc.ptrace(0, 0, None, None)" + FAILED,
    "make a file in memory": "import os; os.memfd_create('x')",
    "have more memory": "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "have more descriptors": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))",
    "enter a namespace": LIBC + "result = libc.unshare(0x04000000)" + FAILED,
    "map a device": "import os; os.open('/dev/null', os.O_RDWR)",
}  # fmt: skip
"""Name and script; `folder` holds files, `parent` is the number of the process that started it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("secret", "removed", "renamed", "emptied"):
        (tmp_path / name).write_text("content", encoding="utf-8")
    return tmp_path


def script(attempt: str, folder: Path, parent: int, *, own: str = "0") -> str:
    return f"folder, parent, own = {str(folder)!r}, {parent}, {own}\n{ATTEMPTS[attempt]}"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_an_attempt_fails_in_the_guarded_process(attempt: str, folder: Path, guard: Guard):
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises((DecoderError, ValueError), match=f"{REFUSED}|^ValueError: not allowed to raise maximum limit"):
        guard.call(exec, script(attempt, folder, os.getpid()))
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "emptied").read_text(encoding="utf-8") == "content"


def test_the_same_attempts_succeed_elsewhere(folder: Path):
    """But for what this machine denies everybody, such as a namespace of one's own."""
    lines = ["import os, signal", "signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "os.setsid()", "failed = []"]
    for attempt in ATTEMPTS:
        code = script(attempt, folder, os.getpid(), own="os.getpid()")
        lines += [
            "child = os.fork()",
            "if not child:",
            f"    try: exec({code!r}, {{'os': os}}); os._exit(0)",
            "    except BaseException: os._exit(1)",
            f"failed += [{attempt!r}] * (os.waitpid(child, 0)[1] != 0)",
        ]
    done = subprocess.run([sys.executable, "-c", "\n".join([*lines, "print(failed)"])], capture_output=True, text=True)
    assert set(eval(done.stdout)) <= {"enter a namespace", "be traced", "have more memory", "have more descriptors"}


def test_it_knows_nothing_of_the_environment(fresh: None, media: Media, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "m3a-test-secret")
    with Guard(media) as guard:
        assert guard.call(eval, "dict(__import__('os').environ)") == {}
        guard.call(len, "")
        environment = Path(f"/proc/{guard.process()}/environ").read_bytes()
        names = {entry.partition(b"=")[0].decode() for entry in environment.split(b"\0") if entry}
    assert b"m3a-test-secret" not in environment
    assert names <= {*module.INHERITED, *module.ONE_THREAD, "LC_CTYPE"}


def test_it_has_no_descriptor_but_its_own(fresh: None, media: Media, tmp_path: Path, video: Make):
    """Input, output and errors lead nowhere; then the pipe, and its own size."""
    path = video(tmp_path / "a.mp4", picture=None)
    with Guard(media) as guard, path.open("rb"):
        guard.call(read_sound, path, media)
        found = {int(entry.name): str(entry.readlink()) for entry in Path(f"/proc/{guard.process()}/fd").iterdir()}
    assert {found.pop(number) for number in range(3)} == {"/dev/null"}
    kinds = sorted(re.sub(r"\d+|\[.*", "", name) for name in found.values() if name != "/dev/null")
    assert kinds == ["/proc//statm", "socket:"]


def forged(answer: bytes) -> str:
    """A script that answers in the place of the function."""
    return f"""
import os, stat
for number in range(3, 1024):
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode): os.write(number, {answer!r})
    except OSError: pass
os._exit(0)
"""


@pytest.mark.parametrize(
    "answer",
    [
        b"\x05\x00\x00\x00\x80\x04N.}",
        b"cos\nsystem\n(S'touch owned'\ntR.",
        b'\x14\x00\x00\x00["value", {"run": 1}]',
        b'\x10\x00\x00\x00["strange", "x"]',
        b"\xff\xff\xff\xff",
    ],
)
def test_an_answer_that_is_none_is_a_finding_about_the_video(answer: bytes, guard: Guard):
    with pytest.raises(Undecodable, match=r"^the decoder crashed: its answer is malformed: "):
        guard.call(exec, forged(answer))
    assert guard.call(len, "abc") == 3


def test_an_answer_of_another_type_is_one_too(guard: Guard, media: Media, tmp_path: Path, video: Make):
    path = video(tmp_path / "a.mp4")
    guard.call(read_frames, path, media, fps=10.0, short_side=24)
    hook = "import sys; m = sys.modules['pipeline.foundations.media.frames']; m.read_frames = lambda *a, **k: {}"
    guard.call(exec, hook.replace("{}", "[b'x', 1.0]"))
    pictures = guard.call(read_frames, path, media, fps=10.0, short_side=24)  # of a second child, which is sound
    assert pictures.pixels.shape == (10, 24, 32, 3)


def test_a_process_that_stopped_its_watchdog_is_not_waited_for(
    fresh: None, hasty: Media, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "GRACE", 0.5)
    begin = time.monotonic()
    with Guard(hasty) as guard, pytest.raises(Undecodable, match=r"^decoding takes longer than 0\.5 s$"):
        guard.call(exec, "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: pass")
    assert time.monotonic() - begin < 30


WITHOUT = {
    "Landlock": "s._landlock = lambda libc: 'function not implemented'",
    "seccomp": "s._seccomp = lambda libc: 'invalid argument'",
    "either": "s._landlock = s._seccomp = lambda libc: 'operation not permitted'",
}


@pytest.fixture(params=WITHOUT)
def lacking(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, fresh: None) -> str:
    """A kernel that lacks a part, as far as the guarded process can tell."""
    patch = f"import pipeline.foundations.media.sandbox as s; {WITHOUT[request.param]}; import runpy;"
    monkeypatch.setattr(module, "_START", module._START.replace("import runpy;", patch))
    return request.param


def test_videos_are_decoded_where_the_kernel_lacks_a_part(lacking: str, media: Media, tmp_path: Path, video: Make):
    path = video(tmp_path / "a.mp4")
    with Guard(media) as guard:
        pictures = guard.call(read_frames, path, media, fps=10.0, short_side=24).pixels
        np.testing.assert_array_equal(pictures, read_frames(path, media, fps=10.0, short_side=24).pixels)
        lacks = guard.sandbox_status().lacking()
        assert len(lacks) == (2 if lacking == "either" else 1)
        assert ("landlock: function not implemented" in lacks) == (lacking == "Landlock")
        for attempt in ("read a file", "write a file", "list a folder"):
            (tmp_path / "secret").write_text("content", encoding="utf-8")
            if lacking == "either" and attempt != "write a file":
                guard.call(exec, script(attempt, tmp_path, os.getpid()))
            elif lacking != "either":
                with pytest.raises(DecoderError, match=REFUSED):
                    guard.call(exec, script(attempt, tmp_path, os.getpid()))
        if lacking == "either":  # the limits hold: not a byte of a file, no process
            with pytest.raises(DecoderError, match="File too large"):
                guard.call(exec, f"open({str(tmp_path / 'new')!r}, 'wb', buffering=0).write(b'x')")


def test_what_stages_import_starts_no_thread_that_landlock_would_not_hold(
    guard: Guard, media: Media, params: Params, tmp_path: Path, video: Make
):
    path = video(tmp_path / "a.mp4")
    before = guard.sandbox_status()
    told = {"frames": params.frames, "clips": params.clips, "rules": params.filter_silent}
    guard.call(probe, path, media, **told)  # PyArrow, Pillow, PyAV
    assert guard.sandbox_status() == before
    assert len(list(Path(f"/proc/{guard.process()}/task").iterdir())) == 1


def test_this_kernel_lacks_what_it_lacks(guard: Guard):
    status = guard.sandbox_status()
    assert status.no_new_privileges == ""
    text = Path(f"/proc/{guard.process()}/status").read_text(encoding="utf-8")
    assert "NoNewPrivs:\t1" in text
    assert ("Seccomp:\t2" in text) == (not status.seccomp)
    assert "CapEff:\t0000000000000000" in text


HEADERS = {"x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "aarch64": "/usr/include/asm-generic/unistd.h"}


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine: str):
    header = Path(HEADERS[machine])
    if not header.exists():
        pytest.skip(f"{header} is not here (linux-libc-dev)")
    text = header.read_text(encoding="utf-8")
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    known |= {"newfstatat": 79, "getcwd": 17} if machine == "aarch64" else {}
    known |= {"fstat": known.get("fstat", 80)}
    column = 0 if machine == "x86_64" else 1
    for name, numbers in {**sandbox.ALLOWED, **sandbox.TO_ITSELF}.items():
        if numbers[column] is not None:
            assert known[name] == numbers[column], name
    assert known["clone3"] == sandbox.CLONE3
    assert known["seccomp"] == sandbox._SECCOMP[column]


@pytest.mark.parametrize("machine", HEADERS)
def test_the_filter_answers_as_its_table_says(machine: str):
    """The program, run by hand: what it says of each call, by its number and first argument."""
    program = [sandbox.struct.unpack("<HBBI", each) for each in sandbox.filter_program(machine, 4711)]
    column, architecture = sandbox._MACHINES[machine]

    def answer(number: int, first: int = 0, arch: int = architecture) -> int:
        data, place, held = {0: number, 4: arch, 16: first}, 0, 0
        while True:
            code, so, otherwise, value = program[place]
            place += 1
            if code == sandbox._LOAD:
                held = data[value]
            elif code == sandbox._EQUAL:
                place += so if held == value else otherwise
            else:
                return value

    allow, refuse = sandbox._ALLOW, sandbox._ERRNO | 1
    allowed = {numbers[column] for numbers in sandbox.ALLOWED.values()} - {None}
    themselves = {numbers[column]: name for name, numbers in sandbox.TO_ITSELF.items()}
    for number in range(1000):
        if number in allowed:
            assert answer(number) == allow
        elif number in themselves:
            assert answer(number, 4711) == allow
            assert answer(number, 1) == refuse
            assert answer(number, 0) == (allow if themselves[number] == "prlimit64" else refuse)
        else:
            assert answer(number) == (sandbox._ERRNO | 38 if number == sandbox.CLONE3 else refuse)
    assert answer(0x40000001) == refuse  # x32
    assert answer(1, arch=0x40000003) == sandbox._KILL  # i386
    assert platform.machine() in sandbox._MACHINES or sandbox._seccomp.__name__
