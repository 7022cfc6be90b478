"""Audio benchmarks: decoding and the silence filter, against one or two ffmpeg processes a clip.

Most of such a process is its start, and that depends on how the program was built: a system's ffmpeg loads some
hundred libraries, a static one none. So each that is here is a peer of its own.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg
import numpy as np

from pipeline.audio.logmel import RATE
from pipeline.audio.silence import filter_silent
from pipeline.audio.tracks import read_track
from pipeline.bench.corpus import Corpus, on_cores, track
from pipeline.bench.measure import by_rate, cores, rates
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.sound import Sound
from pipeline.foundations.tables import tables
from pipeline.report.bench_rows import Row, row

REPEATS = 5
WORKERS = 2
TIMES = 16
"""How often each clip stands in the table that the stage goes through: some five hundred videos."""
_DURATION = re.compile(r"Duration: (\d+):(\d+):([\d.]+)")
_SILENCE = re.compile(r"silence_duration: ([\d.]+)")


class Programs(NamedTuple):
    """What a peer starts for each clip."""

    name: str
    """Added to the names of the lines that it is the peer in; empty for the one that users have."""
    build: str
    """In words."""
    ffmpeg: str
    ffprobe: str | None
    """None where it comes without."""


def programs() -> list[Programs]:
    """The system's, where it has one, and imageio-ffmpeg's static build."""
    static = Programs(" (static build)", "a static ffmpeg", imageio_ffmpeg.get_ffmpeg_exe(), None)
    ffmpeg, ffprobe = shutil.which("ffmpeg"), shutil.which("ffprobe")
    return [Programs("", "the system's ffmpeg", ffmpeg, ffprobe), static] if ffmpeg else [static]


def sound(corpus: Corpus) -> list[Row]:
    """Sound tracks to 16 kHz mono on one core, as a stage reads them: checked by digest and in the guarded process."""
    tracks = [track(clip) for clip in corpus.sounding]
    media = corpus.params.media

    def ours() -> int:
        with decoded(tracks, read_track, media, threads=1) as sounds:
            return sum(isinstance(each, Sound) for each in sounds)

    def peer(ffmpeg: str) -> int:
        return sum(len(decode_by_ffmpeg(clip, ffmpeg)) > 0 for clip in corpus.sounding)

    peers = programs()
    with cores(1):
        found = rates({"ours": ours, **{those.name: partial(peer, those.ffmpeg) for those in peers}}, repeats=REPEATS)
    return [
        row(
            f"sound{those.name}",
            by_rate(found, theirs=those.name),
            device=on_cores(1),
            what="sound track of a 3 s clip to 16 kHz mono, its file checked, in a guarded process",
            peer=f"a process of {those.build} per clip",
            unit="clips/s",
            bound="at least",
            target=12.0,
        )
        for those in peers
    ]


def decode_by_ffmpeg(clip: Path, ffmpeg: str) -> np.ndarray:
    """A sound track as a process of ffmpeg decodes it: 16 kHz, mono, float32."""
    command: list[str | Path] = [ffmpeg, "-v", "error", "-nostdin", "-i", clip, "-vn", "-ac", "1"]
    raw = ["-ar", str(RATE), "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run([*command, *raw], capture_output=True, check=True).stdout, "<f4")


def silence(corpus: Corpus) -> list[Row]:
    """The whole stage filter_silent on two cores: shards, verdicts and table."""
    params = corpus.params
    videos, target = corpus.folder / "videos.parquet", corpus.folder / "verdicts.parquet"
    table = corpus.videos(TIMES)
    tables.write("videos", videos, table)

    def ours() -> int:
        counts = filter_silent(
            videos,
            target,
            root=Path(),
            rules=params.filter_silent,
            media=params.media,
            execution=params.execution.model_copy(update={"engine": "local", "workers": WORKERS}),
        )
        return sum(counts.values())

    def peer(those: Programs) -> int:
        with ThreadPoolExecutor(WORKERS) as pool:
            return len(list(pool.map(partial(judge_by_ffmpeg, those=those), corpus.clips)))

    peers = programs()
    with cores(WORKERS):
        found = rates({"ours": ours, **{those.name: partial(peer, those) for those in peers}}, repeats=REPEATS)
    return [
        row(
            f"silence{those.name}",
            by_rate(found, theirs=those.name),
            device=on_cores(WORKERS),
            what=f"filter_silent, the whole stage, {table.num_rows:,} clips of 3 s",
            peer=f"{'ffprobe' if those.ffprobe else 'probing'} and silencedetect by {those.build}, two at a time",
            unit="clips/s",
            bound="at least",
            target=10.0,
            note=""
            if those.ffprobe
            else "it comes without ffprobe: `ffmpeg -i`, which opens and describes the file as that does, stands in",
        )
        for those in peers
    ]


class Heard(NamedTuple):
    """What the two programs say of a clip."""

    stream: bool
    silent: bool


def judge_by_ffmpeg(clip: Path, those: Programs) -> Heard:
    """Whether a clip has a sound track, and whether all of it is below -60 dB."""
    if not _probe(clip, those):
        return Heard(stream=False, silent=True)
    detect = ["-vn", "-af", "silencedetect=noise=-60dB:duration=0.1", "-f", "null", "-"]
    log = _said([those.ffmpeg, "-nostdin", "-hide_banner", "-i", clip, *detect]).stderr
    hours, minutes, seconds = map(float, _DURATION.search(log).groups())  # type: ignore[union-attr]
    silent = sum(map(float, _SILENCE.findall(log)))
    return Heard(stream=True, silent=silent >= 0.95 * (3600 * hours + 60 * minutes + seconds))


def _probe(clip: Path, those: Programs) -> bool:
    """Whether there is a sound track: by ffprobe, or else by ffmpeg, which describes what it opens."""
    if those.ffprobe:
        select = ["-v", "error", "-select_streams", "a", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]
        return bool(_said([those.ffprobe, *select, clip]).stdout)
    return "Audio:" in _said([those.ffmpeg, "-nostdin", "-hide_banner", "-i", clip]).stderr


def _said(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, check=False, text=True)
