"""Every file of the corpus gets the verdict of the table, for its sound and for its pictures, and nothing else.

No crash, no hang, bounded memory, and no file read but the video itself: seen by watching opens.
"""

import ctypes
import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.foundations.media.faults import NoAudioStream, Undecodable
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.params import Media

OK = "ok"
NO_SOUND = "no audio stream"
NO_PICTURES = "no video stream"
NO_CONTAINER = "not a readable MP4, Matroska or AVI file: starts with"
NO_INDEX = "MP4 without a readable index"
SHORT = "truncated: holds "
DAMAGED = "damaged: "
NOT_REGULAR = "not a regular file but a "
TOO_LARGE = "declares no picture size, or one beyond media.max_pixels 8,294,400"
NO_RATE = "samples a second, expected 2,000 to 768,000"

# name: (verdict on its sound, verdict on its pictures): ok, or a part of the reason
TABLE: dict[str, tuple[str, str]] = {
    # no videos at all
    "empty.mp4": ("empty file", "empty file"),
    "one_byte.mp4": (NO_CONTAINER, NO_CONTAINER),
    "zeros.mp4": (NO_CONTAINER, NO_CONTAINER),
    "random.mp4": (NO_CONTAINER, NO_CONTAINER),
    "text.mp4": (NO_CONTAINER + " b'Once upon a '", NO_CONTAINER),
    "html.mp4": (NO_CONTAINER + " b'<!DOCTYPE ht'", NO_CONTAINER),
    "jpeg.mp4": (NO_CONTAINER, NO_CONTAINER),
    "zip.mp4": (NO_CONTAINER + " b'PK", NO_CONTAINER),
    "elf.mp4": (NO_CONTAINER, NO_CONTAINER),
    # playlists that point at another local file
    "hls.mp4": (NO_CONTAINER + " b'#EXTM3U", NO_CONTAINER),
    "dash.mp4": (NO_CONTAINER, NO_CONTAINER),
    "ffconcat.mp4": (NO_CONTAINER, NO_CONTAINER),
    "sdp.mp4": (NO_CONTAINER, NO_CONTAINER),
    "webvtt.mp4": (NO_CONTAINER, NO_CONTAINER),
    # cut off; the number is what is left, in percent
    "index_last.mp4": (OK, OK),
    "index_last_2.mp4": (NO_INDEX, NO_INDEX),
    "index_last_25.mp4": (NO_INDEX, NO_INDEX),
    "index_last_50.mp4": (NO_INDEX, NO_INDEX),
    "index_last_75.mp4": (NO_INDEX, NO_INDEX),
    "index_first_2.mp4": (NO_INDEX, NO_INDEX),
    "index_first_25.mp4": (SHORT + "0.51 s of the 3.00 s", SHORT + "0.50 s of the 3.00 s"),
    "index_first_50.mp4": (SHORT, SHORT),
    "index_first_75.mp4": (SHORT, SHORT),
    "index_first_99.mp4": (OK, OK),
    "index_only.mp4": (SHORT + "0.00 s of the 3.00 s", SHORT),
    "matroska_2.mkv": (NO_CONTAINER, NO_CONTAINER),
    "matroska_25.mkv": (SHORT, SHORT),
    "matroska_50.mkv": (SHORT, SHORT),
    "matroska_75.mkv": (SHORT, SHORT),
    "good.avi": (OK, OK),
    "avi_2.avi": (SHORT, SHORT),
    "avi_25.avi": (SHORT, SHORT),
    "avi_50.avi": (SHORT, SHORT),
    "avi_75.avi": (SHORT, SHORT),
    "fragments.mp4": (OK, OK),
    "fragments_50.mp4": (OK, OK),  # declares no duration: what is there is whole
    "data_zeroed.mp4": (DAMAGED, DAMAGED),
    "data_noise.mp4": (DAMAGED, DAMAGED),
    "trailing_junk.mp4": (OK, OK),
    "leading_junk.mp4": (NO_CONTAINER, NO_CONTAINER),
    # wrong extension
    "mp4_named.avi": (OK, OK),
    "matroska_named.mp4": (OK, OK),
    "no_extension": (OK, OK),
    # streams
    "sound_only.mp4": (OK, NO_PICTURES),
    "pictures_only.mp4": (NO_SOUND, OK),
    "attached_picture.mp4": (OK, NO_PICTURES),
    "two_tracks.mp4": (OK, OK),
    "subtitles.mp4": (NO_SOUND, OK),
    "attachment.mkv": (OK, OK),
    "foreign_sound.mkv": ("its audio codec is not one that we read: g723_1", OK),
    "foreign_pictures.avi": (OK, "its video codec is not one that we read: snow"),
    # sound
    "surround.mp4": (OK, OK),
    "8_khz.mp4": (OK, OK),
    "96_khz.mkv": (OK, OK),
    "planar.mp4": (OK, OK),
    "float.mov": (OK, OK),
    "unsigned.avi": (OK, OK),
    "sixteen_channels.mov": (OK, OK),
    "opus.mkv": (OK, OK),
    "vorbis.mkv": (OK, OK),
    "mp3.avi": (OK, OK),
    "ac3.mkv": (OK, OK),
    "changing_sound.mkv": (OK, NO_PICTURES),
    "1_hz.avi": ("sound of 1 " + NO_RATE, OK),
    "2_ghz.avi": ("sound of 2,147,483,647 " + NO_RATE, OK),
    "no_channels.avi": (DAMAGED, OK),
    "65535_channels.avi": (DAMAGED, OK),
    # pictures
    "odd_size.mkv": (OK, OK),
    "one_pixel.mkv": (OK, OK),
    "ribbon.mkv": (OK, "15000 x 2 pixels are too long for short side 48"),
    "interlaced.mp4": (OK, OK),
    "10_bit.mp4": (OK, OK),
    "gray.mp4": (OK, OK),
    "transparent.mov": (OK, OK),
    "vp9.webm": (OK, OK),
    "av1.mp4": (OK, OK),
    "hevc.mp4": (OK, OK),
    "mpeg4.mp4": (OK, OK),
    "mjpeg.avi": (OK, OK),
    "raw.avi": (OK, OK),
    "rotated_90.mp4": (OK, OK),
    "rotated_180.mp4": (OK, OK),
    "changing_size.mkv": (NO_SOUND, OK),
    "16000.avi": (OK, TOO_LARGE),
    "16000_in_picture.avi": (OK, DAMAGED),  # its header says 64 x 48
    "16000_in_png.mov": (OK, TOO_LARGE),
    # times
    "three_frames.mkv": (OK, OK),
    "hour_in_header.mkv": (SHORT + "0.30 s of the 3600.00 s", SHORT + "0.30 s of the 3600.00 s"),
    "nan_in_header.mkv": (OK, OK),
    "infinite_in_header.mkv": (OK, OK),
    "negative_in_header.mkv": (OK, OK),
    "hour_in_header.mp4": (OK, OK),  # its index contradicts the header and is right
    "no_frame_rate.mp4": (OK, OK),
    "years_a_frame.mp4": ("the audio stream is empty", OK),
    "no_time_scale.mp4": (OK, OK),
    "absurd_time_scale.mp4": (OK, OK),
    "half_an_hour_between.mkv": (NO_SOUND, OK),
    "100000_fps.mp4": (NO_SOUND, OK),
    "variable_rate.mp4": (OK, OK),
    "negative_start.mkv": (OK, OK),
    "late_start.mp4": (OK, OK),
    "late_start.mkv": (OK, OK),
    "edit_list.mp4": (OK, OK),
    "live.mkv": (OK, OK),
    "metadata.mp4": (OK, OK),
    # names
    "two words.mp4": (OK, OK),
    'it\'s "quoted" `$(touch x)`.mp4': (OK, OK),
    "line\nfeed.mp4": (OK, OK),
    "-i.mp4": (OK, OK),
    "äöü 映画 🎬.mp4": (OK, OK),
    "caf\udce9.mp4": (OK, OK),
    "x" * 251 + ".mp4": (OK, OK),
    "%03d.mp4": (OK, OK),
    "concat:index_last.mp4|good.avi": (OK, OK),
    "subfile,,start,0,end,0,,:index_last.mp4": (OK, OK),
    "pipe:0": (OK, OK),
    "http:example.mp4": (OK, OK),
    # no regular files
    "link_out.mp4": (NOT_REGULAR + "symbolic link", NOT_REGULAR),
    "link_inside.mp4": (NOT_REGULAR + "symbolic link", NOT_REGULAR),
    "link_to_nothing.mp4": (NOT_REGULAR + "symbolic link", NOT_REGULAR),
    "folder.mp4": (NOT_REGULAR + "folder", NOT_REGULAR),
    "fifo.mp4": (NOT_REGULAR + "FIFO", NOT_REGULAR),
    "socket.mp4": (NOT_REGULAR + "socket", NOT_REGULAR),
}

MEMORY_MB = 600
IN_OPEN = 0x20


class Opens:
    """The names of files opened in some folders, as the kernel tells them (inotify)."""

    def __init__(self, *folders: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.descriptor >= 0
        for folder in folders:
            assert libc.inotify_add_watch(self.descriptor, bytes(folder), IN_OPEN) >= 0

    def names(self) -> set[str]:
        """Of what was opened since the last call; empty for a folder itself."""
        found = set()
        while True:
            try:
                events = os.read(self.descriptor, 65_536)
            except BlockingIOError:
                return found
            while events:
                size = struct.unpack_from("iIII", events)[3]
                found.add(os.fsdecode(events[16 : 16 + size].rstrip(b"\0")))
                events = events[16 + size :]


@pytest.fixture(scope="module")
def opens(corpus: Path) -> Iterator[Opens]:
    opens = Opens(corpus, corpus.parent, corpus.parent / "other")
    yield opens
    os.close(opens.descriptor)


def verdict(call: Callable[[], object]) -> str:
    try:
        call()
    except (NoAudioStream, Undecodable) as error:
        return str(error)
    return OK


def test_the_table_names_every_file_of_the_corpus(corpus: Path):
    assert {path.name for path in corpus.iterdir()} == set(TABLE)
    assert len(TABLE) >= 60


@pytest.mark.parametrize("name", TABLE, ids=lambda name: ascii(name)[1:-1][:40])
def test_a_file_gets_its_verdict_and_nothing_else_is_opened(
    name: str, corpus: Path, guard: Guard, media: Media, opens: Opens, decoder_peak: Callable[[], float]
):
    path = corpus / name
    opens.names()
    sound = verdict(lambda: guard.call(read_sound, path, media))
    pictures = verdict(lambda: guard.call(read_frames, path, media, fps=10.0, short_side=48))
    opened = opens.names()

    expected = TABLE[name]
    assert sound == OK if expected[0] == OK else expected[0] in sound
    assert pictures == OK if expected[1] == OK else expected[1] in pictures
    assert opened <= {name}
    assert decoder_peak() < MEMORY_MB


def test_the_watch_sees_what_is_opened(corpus: Path, opens: Opens):
    opens.names()
    (corpus.parent / "other" / "secret.mp4").read_bytes()
    assert opens.names() == {"secret.mp4"}


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty", "/", "absent.mp4", "a\0b.mp4"])
def test_a_path_that_leads_to_no_video_is_refused(path: str, guard: Guard, media: Media):
    reason = verdict(lambda: guard.call(read_sound, Path(path), media))
    assert re.match("not a regular file but a (device|folder)|cannot be opened: ", reason)
