"""Sandbox of the decoding process: it may compute, read files that are open already, and answer.

    capabilities dropped, limits on files, processes, descriptors and memory   every Linux
    no new privileges (prctl)                                                  every Linux
    Landlock: no file, no TCP, no signal or socket beyond itself               Linux 5.13, where it is enabled
    seccomp: the system calls below and no other                               x86-64 and aarch64

Each is applied independently. Where the kernel lacks one, the others still apply, and `m3a doctor` says which.
The numbers are the kernel's and never change (arch/x86/entry/syscalls/syscall_64.tbl, uapi/asm-generic/unistd.h).
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # memory
    "brk": (12, 214), "madvise": (28, 233), "mincore": (27, 232), "mmap": (9, 222), "mprotect": (10, 226),
    "mremap": (25, 216), "munmap": (11, 215),
    # what is open already
    "close": (3, 57), "close_range": (436, 436), "dup": (32, 23), "fadvise64": (221, 223), "fcntl": (72, 25),
    "fstat": (5, 80), "lseek": (8, 62), "newfstatat": (262, 79), "poll": (7, None), "ppoll": (271, 73),
    "pread64": (17, 67), "preadv": (295, 69), "read": (0, 63), "readv": (19, 65), "recvmsg": (47, 212),
    "statx": (332, 291), "write": (1, 64), "writev": (20, 66),
    # threads that wait, and time
    "clock_getres": (229, 114), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "futex": (202, 98),
    "getcpu": (309, 168), "getitimer": (36, 102), "gettimeofday": (96, 169), "membarrier": (324, 283),
    "nanosleep": (35, 101), "restart_syscall": (219, 128), "rseq": (334, 293), "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124), "set_robust_list": (273, 99), "setitimer": (38, 103), "time": (201, None),
    "times": (100, 153),
    # itself
    "exit": (60, 93), "exit_group": (231, 94), "getcwd": (79, 17), "getegid": (108, 177), "geteuid": (107, 175),
    "getgid": (104, 176), "getpid": (39, 172), "getppid": (110, 173), "getrandom": (318, 278), "getrlimit": (97, 163),
    "getrusage": (98, 165), "gettid": (186, 178), "getuid": (102, 174), "rt_sigaction": (13, 134),
    "rt_sigpending": (127, 136), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "setrlimit": (160, 164),
    "sigaltstack": (131, 132), "sysinfo": (99, 179), "uname": (63, 160),
}  # fmt: skip
"""System calls and their numbers on x86-64 and aarch64. All others fail with EPERM, new ones too."""
TO_ITSELF = {"kill": (62, 129), "tgkill": (234, 131), "prlimit64": (302, 261)}
"""Calls whose first argument must be the process itself: abort() sends itself a signal, limits are its own."""
CLONE3 = 435
"""Answered with ENOSYS, so that the C library asks in the old way, which is refused as other calls are."""

DESCRIPTORS = 16
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # the column above; AUDIT_ARCH_*
_SECCOMP = (317, 277)
_PR_SET_NO_NEW_PRIVS, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 38, 1, 1
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF, _LANDLOCK_VERSION = 444, 446, 1  # the same on both machines
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: ld [k]; jeq k, if so, else; ret k
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # in struct seccomp_data
_CAPABILITY_VERSION_3 = 0x20080522


class SandboxStatus(NamedTuple):
    """Which parts of the sandbox apply: for each the reason why it does not, or an empty string."""

    no_new_privileges: str
    landlock: str
    seccomp: str

    def lacking(self) -> list[str]:
        """The parts that do not apply, with the reason."""
        return [f"{name.replace('_', ' ')}: {lack}" for name, lack in self._asdict().items() if lack]


def lock(*, megabytes: int) -> SandboxStatus:
    """Restrict this process permanently. It must have one thread and have imported and opened everything it needs.

    Args:
        megabytes: hard limit on address space beyond what the process has now.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _set_limits(megabytes)
    _drop_capabilities(libc)
    return SandboxStatus(
        no_new_privileges=_tried(libc, lambda: libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
        landlock=_landlock(libc),
        seccomp=_seccomp(libc),
    )


def _set_limits(megabytes: int) -> None:
    """Hard limits: no writes to files, no processes, few descriptors, no core dump, bounded address space."""
    for name, most in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, address_space() + megabytes * 2**20),
    ):
        _, hard = resource.getrlimit(name)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(name, (least, least))


_statm: list[int] = []
"""Descriptor of /proc/self/statm, opened before the sandbox forbids it."""


def address_space() -> int:
    """Address space of this process, in bytes."""
    if not _statm:
        _statm.append(os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC))
    return int(os.pread(_statm[0], 64, 0).split()[0]) * resource.getpagesize()


def _tried(libc: ctypes.CDLL, call: Callable[[], int]) -> str:
    """The error of a system call, or an empty string where it succeeds."""
    ctypes.set_errno(0)
    return "" if call() == 0 else os.strerror(ctypes.get_errno()).lower()


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Drop all capabilities, so that root may do no more than other users."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())


def _landlock(libc: ctypes.CDLL) -> str:
    """Forbid everything that this kernel's Landlock can restrict."""
    others = sum(1 for _ in Path("/proc/self/task").iterdir()) - 1
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 0:
        return os.strerror(ctypes.get_errno()).lower()
    files = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # rights to files that each version added, as bits
    handled = [(1 << files) - 1, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0]  # TCP; sockets, signals
    size = 8 * (3 if version >= 6 else 2 if version >= 4 else 1)
    rules = ctypes.create_string_buffer(struct.pack("<3Q", *handled)[:size], size)
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, rules, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return os.strerror(ctypes.get_errno()).lower()
    try:
        refused = _tried(libc, lambda: libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return refused or (f"it does not hold {others} other threads of the process" if others else "")


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _seccomp(libc: ctypes.CDLL) -> str:
    machine = platform.machine()
    if machine not in _MACHINES:
        return f"no table of system calls for {machine}"
    code = b"".join(filter_program(machine, os.getpid()))
    program, number = _Program(len(code) // 8, code), _SECCOMP[_MACHINES[machine][0]]
    every_thread = (_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(program))
    return _tried(libc, lambda: libc.syscall(number, *every_thread))


def filter_program(machine: str, process: int) -> Iterator[bytes]:
    """The filter, an instruction each: struct sock_filter.

    Args:
        machine: `x86_64` or `aarch64`.
        process: what `TO_ITSELF` compares with; 0, which stands for itself, passes too.
    """
    column, architecture = _MACHINES[machine]
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield from _unless_equal(architecture, _KILL)
    yield _instruction(_LOAD, _NUMBER)
    for numbers in ALLOWED.values():
        if (number := numbers[column]) is not None:
            yield from _if_equal(number, _ALLOW)
    yield from _if_equal(CLONE3, _ERRNO | errno.ENOSYS)
    for name, numbers in TO_ITSELF.items():
        themselves = (process,) if name != "prlimit64" else (0, process)
        check = [_instruction(_LOAD, _ARGUMENTS)]
        for each in themselves:
            check += _if_equal(each, _ALLOW)
        check.append(_instruction(_RETURN, _ERRNO | errno.EPERM))
        yield _instruction(_EQUAL, numbers[column], otherwise=len(check))
        yield from check
    yield _instruction(_RETURN, _ERRNO | errno.EPERM)


def _if_equal(value: int, result: int) -> list[bytes]:
    return [_instruction(_EQUAL, value, otherwise=1), _instruction(_RETURN, result)]


def _unless_equal(value: int, result: int) -> list[bytes]:
    return [_instruction(_EQUAL, value, so=1), _instruction(_RETURN, result)]


def _instruction(code: int, value: int, *, so: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("<HBBI", code, so, otherwise, value)
