"""Sound tracks: decoding one, and the verdict on each; beside processes of ffmpeg, one or two a clip."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg
import numpy as np

from pipeline import tables
from pipeline.audio.logmel import RATE
from pipeline.audio.silence import filter_silent
from pipeline.audio.tracks import read_samples
from pipeline.bench.corpus import Corpus, on_cores, track
from pipeline.bench.measure import by_rate, cores, rates
from pipeline.bench.row import Row, row
from pipeline.media.guard import Guard

REPEATS = 5
WORKERS = 2
TIMES = 16
"""How often each clip stands in the table that the stage goes through: some five hundred videos."""
_DURATION = re.compile(r"Duration: (\d+):(\d+):([\d.]+)")
_SILENCE = re.compile(r"silence_duration: ([\d.]+)")


def sound(corpus: Corpus) -> list[Row]:
    """Sound tracks to 16 kHz mono on one core, as a stage reads them: checked by digest and in the guarded process."""
    tracks = [track(clip) for clip in corpus.sounding]
    media = corpus.params.media

    def ours() -> int:
        with Guard(media) as guard:
            return sum(len(read_samples(each, guard, media)) > 0 for each in tracks)

    def peer() -> int:
        return sum(len(decode_by_ffmpeg(clip)) > 0 for clip in corpus.sounding)

    with cores(1):
        found = rates({"ours": ours, "peer": peer}, repeats=REPEATS)
    return [
        row(
            "sound",
            by_rate(found),
            device=on_cores(1),
            what="sound track of a 3 s clip to 16 kHz mono, its file checked, in a guarded process",
            peer="a process of ffmpeg per clip",
            unit="clips/s",
            bound="at least",
            target=12.0,
        )
    ]


def decode_by_ffmpeg(clip: Path) -> np.ndarray:
    """A sound track as a process of ffmpeg decodes it: 16 kHz, mono, float32."""
    command: list[str | Path] = [_ffmpeg(), "-v", "error", "-nostdin", "-i", clip, "-vn", "-ac", "1"]
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

    def peer() -> int:
        with ThreadPoolExecutor(WORKERS) as pool:
            return len(list(pool.map(judge_by_ffmpeg, corpus.clips)))

    with cores(WORKERS):
        found = rates({"ours": ours, "peer": peer}, repeats=REPEATS)
    return [
        row(
            "silence",
            by_rate(found),
            device=on_cores(WORKERS),
            what=f"filter_silent, the whole stage, {table.num_rows:,} clips of 3 s",
            peer="ffprobe and ffmpeg's silencedetect per clip, two at a time",
            unit="clips/s",
            bound="at least",
            target=10.0,
            note=""
            if shutil.which("ffprobe")
            else "ffprobe is not installed: `ffmpeg -i`, which opens and describes "
            "the file as ffprobe does, stands in for it",
        )
    ]


class Heard(NamedTuple):
    """What the two programs say of a clip."""

    stream: bool
    silent: bool


def judge_by_ffmpeg(clip: Path) -> Heard:
    """Whether a clip has a sound track, and whether all of it is below -60 dB."""
    if not _probe(clip):
        return Heard(stream=False, silent=True)
    detect = ["-vn", "-af", "silencedetect=noise=-60dB:duration=0.1", "-f", "null", "-"]
    log = _said([_ffmpeg(), "-nostdin", "-hide_banner", "-i", clip, *detect]).stderr
    hours, minutes, seconds = map(float, _DURATION.search(log).groups())  # type: ignore[union-attr]
    silent = sum(map(float, _SILENCE.findall(log)))
    return Heard(stream=True, silent=silent >= 0.95 * (3600 * hours + 60 * minutes + seconds))


def _probe(clip: Path) -> bool:
    """Whether there is a sound track: ffprobe, or where there is none ffmpeg, which describes what it opens."""
    probe = shutil.which("ffprobe")
    if probe:
        select: list[str | Path] = [
            "-v",
            "error",
            "-select_streams",
            "a",
            "-show_entries",
            "stream=codec_name",
            "-of",
            "csv=p=0",
        ]
        return bool(_said([probe, *select, clip]).stdout)
    describe: list[str | Path] = [_ffmpeg(), "-nostdin", "-hide_banner", "-i", clip]
    return "Audio:" in _said(describe).stderr


def _said(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, check=False, text=True)


def _ffmpeg() -> str:
    program: str = imageio_ffmpeg.get_ffmpeg_exe()
    return program
