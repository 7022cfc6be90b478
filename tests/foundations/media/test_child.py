"""The guarded process itself: its limits, its watchdog, and what travels to it and back."""

import os
import resource
import signal
import sys
import time
from types import SimpleNamespace

import pytest

from pipeline.foundations.media import sandbox
from pipeline.foundations.media.decoder import DecoderError
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Media


def test_a_defect_passes_through_with_its_trace(guard: Guard):
    with pytest.raises(DecoderError, match=r"^ZeroDivisionError: ") as caught:
        guard.call(divmod, 1, 0)
    assert "in _answer" in caught.value.__notes__[0]


def test_an_answer_that_cannot_travel_is_a_defect_and_no_finding(guard: Guard):
    with pytest.raises(DecoderError, match=r"^TypeError: object cannot be sent between processes"):
        guard.call(object)
    assert guard.call(len, "abc") == 3


def test_a_function_that_is_unknown_there_is_a_defect_and_no_finding(guard: Guard, monkeypatch: pytest.MonkeyPatch):
    def stranger() -> None: ...

    stranger.__module__, stranger.__qualname__ = "stranger", "stranger"
    monkeypatch.setitem(sys.modules, "stranger", SimpleNamespace(stranger=stranger))
    with pytest.raises(DecoderError, match=r"^ModuleNotFoundError: No module named 'stranger'"):
        guard.call(stranger)
    assert guard.call(len, "abc") == 3


def test_the_watchdog_wakes_also_where_the_parent_ignores_and_blocks_alarms(fresh: None, hasty: Media):
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    with Guard(hasty) as guard, pytest.raises(Undecodable, match="decoding takes longer"):
        guard.call(time.sleep, 60)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    signal.signal(signal.SIGALRM, before)


def test_memory_is_bounded_beyond_what_the_child_has_when_called(media: Media):
    with Guard(media) as guard:
        soft, _ = guard.call(resource.getrlimit, resource.RLIMIT_AS)
        size = guard.call(sandbox.address_space)
    assert abs(soft - media.memory_mb * 2**20 - size) < 64 * 2**20


def test_a_call_that_filled_its_memory_leaves_the_next_its_own(fresh: None, small: Media):
    with Guard(small) as guard:
        served = guard.call(os.getpid)
        for _ in range(3):
            assert len(guard.call(bytes, 20 * 2**20)) == 20 * 2**20
        assert guard.call(os.getpid) == served


def test_the_parents_memory_is_not_bounded(guard: Guard):
    guard.call(len, "abc")
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_ctrl_c_is_the_parents_to_handle(media: Media):
    with Guard(media) as guard:
        served = guard.call(os.getpid)
        os.kill(served, signal.SIGINT)
        assert guard.call(os.getpid) == served
