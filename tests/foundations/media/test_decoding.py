"""Videos decoded side by side: in order, each with its own fate, and no process left where it ends in an error."""

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.foundations.media import decoder
from pipeline.foundations.media import guard as module
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.frames import Pictures, read_frames
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.media.unchanged import Recorded
from pipeline.foundations.media.wire import Opened
from pipeline.foundations.params import Media
from pipeline.foundations.runtime import files
from tests.foundations.media.test_guard import gone

Make = Callable[..., Path]


def recorded(path: Path) -> Recorded:
    return Recorded(path, path.stat().st_size, files.sha256(path))


@pytest.fixture
def texts(tmp_path: Path) -> list[Recorded]:
    """Seven small files, named by their numbers."""
    paths = [tmp_path / f"{number}" for number in range(7)]
    for path in paths:
        path.write_text(path.name)
    return [recorded(path) for path in paths]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Fills with the calls that guards begin with."""
    calls: list[object] = []
    begin = module.Guard.begin

    def counted(self: module.Guard, *args: object, **kwargs: object) -> Callable[[], object]:
        calls.append(args)
        return begin(self, *args, **kwargs)

    monkeypatch.setattr(module.Guard, "begin", counted)
    return calls


def process(file: Opened, media: Media) -> int:
    """Stands for a decoder: tells which process it is."""
    return os.getpid()


def named(file: Opened) -> str:
    """Which of `texts` it is."""
    file.seek(0)
    return file.read().decode()


def crash_on(number: str, file: Opened, media: Media) -> str:
    name = named(file)
    if name == number:
        os.kill(os.getpid(), signal.SIGSEGV)
    return name


def hang_on(numbers: str, file: Opened, media: Media) -> int:
    if named(file) in numbers:
        time.sleep(60)
    return os.getpid()


@pytest.mark.parametrize("threads", [1, 3, 9])
def test_each_video_gives_its_own_in_order(media: Media, tmp_path: Path, video: Make, threads: int):
    """One as it is, one without sound, one changed since, one that is none, one as it is, one absent."""
    paths = [video(tmp_path / "a.mp4"), video(tmp_path / "b.mp4", sound=False), tmp_path / "c.mp4", tmp_path / "d.mp4"]
    paths[2].write_bytes(b"x" * 99)
    paths[3].write_bytes(b"no video")
    videos = [recorded(path) for path in [*paths, video(tmp_path / "e.mp4", seconds=2.0)]]
    videos[2] = videos[2]._replace(sha256="0" * 64)
    videos.append(Recorded(tmp_path / "f.mp4", 1, "0" * 64))
    with decoded(videos, partial(read_sound, rate=8_000), media, threads=threads) as sounds:
        first, mute, changed, broken, last, absent = sounds
    for found, path in ((first, videos[0].path), (last, videos[4].path)):
        np.testing.assert_array_equal(found.samples, read_sound(path, media, rate=8_000).samples)
    assert isinstance(mute, NoAudioStream)
    assert [type(each) for each in (changed, broken, absent)] == [Undecodable] * 3
    assert str(changed).startswith("changed since `index`: found sha256")


@pytest.mark.parametrize("threads", [1, 3])
def test_so_many_processes_take_turns_and_serve_again(
    fresh: None, media: Media, texts: list[Recorded], begun: list[object], threads: int
):
    before = threading.active_count()
    served = []
    for _ in range(2):  # two shards
        with decoded(texts, process, media, threads=threads) as made:
            first = next(made)
            assert len(begun) <= threads  # nothing is begun that would have to wait for long
            served.append([first, *made])
        begun.clear()
    assert served[0] == [served[0][number % threads] for number in range(7)]
    assert set(served[0]) == set(served[1])
    assert len(set(served[0])) == threads
    assert threading.active_count() == before


def test_what_is_decoded_waits_for_a_worker_that_is_at_work_and_is_no_late_answer(
    media: Media, tmp_path: Path, video: Make
):
    """Frames that no pipe holds, so that their process is in the middle of sending them."""
    hasty = media.model_copy(update={"timeout_seconds": 2.0})  # enough to decode them on a busy machine
    videos = [recorded(video(tmp_path / f"{number}.mp4", "-s 320x240")) for number in range(3)]
    with decoded(videos, partial(read_frames, fps=10.0, short_side=240), hasty, threads=2) as made:
        for pictures in made:
            time.sleep(2 * hasty.timeout_seconds)
            assert isinstance(pictures, Pictures)
            assert pictures.pixels.nbytes > 2**21


@pytest.mark.parametrize("threads", [1, 3])
def test_a_crash_takes_its_video_alone(fresh: None, media: Media, texts: list[Recorded], threads: int):
    with decoded(texts, partial(crash_on, "4"), media, threads=threads) as made:
        found = [str(each) for each in made]
    assert found == ["0", "1", "2", "3", "the decoder crashed: Segmentation fault", "5", "6"]


def test_a_process_that_was_killed_meanwhile_costs_no_video(fresh: None, media: Media, texts: list[Recorded]):
    with decoded(texts, process, media, threads=3) as made:
        served = [next(made) for _ in range(4)]
        for child in set(served):
            os.kill(child, signal.SIGKILL)
        rest = list(made)
    assert len(rest) == 3
    assert all(isinstance(each, int) for each in rest)


def test_an_error_ends_all_processes_and_leaves_none_waiting(fresh: None, media: Media, texts: list[Recorded]):
    served: list[object] = []

    def fail() -> None:
        with decoded(texts, process, media, threads=3) as made:
            served.extend(next(made) for _ in range(3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(set(served)) == 3
    assert all(gone(int(str(child))) for child in served)
    assert decoder.idle == []


def test_ctrl_c_ends_all_that_are_at_work(fresh: None, media: Media, texts: list[Recorded], begun: list[object]):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def ring() -> None:
        while len(begun) < 6:  # the third that hangs begins when the next answer is asked for
            time.sleep(0.02)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGALRM)

    def interrupted() -> None:
        with decoded(texts, partial(hang_on, "345"), media, threads=3) as made:
            served.extend(next(made) for _ in range(3))
            threading.Thread(target=ring, daemon=True).start()
            next(made)

    served: list[object] = []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert len(set(served)) == 3
    assert all(gone(int(str(child))) for child in served)
    assert decoder.idle == []


def test_a_process_whose_answer_nobody_took_serves_no_more(fresh: None, media: Media, texts: list[Recorded]):
    with decoded(texts, process, media, threads=3) as made:
        first = next(made)
    assert len(decoder.idle) == 1  # the others were at their second and third video
    with decoded(texts, process, media, threads=1) as made:
        assert list(made) == [first] * 7
