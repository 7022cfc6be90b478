"""Silent sound tracks: which videos have an audible sound ("we delete all silent audios", Section 4.1).

A verdict is one of

    audible           a sound
    no_audio_stream   the file holds no sound track
    digital_silence   every sample is zero
    below_threshold   something is there, and too faint (or, by the released rule, without change) to describe
    undecodable       damaged, changed since `index`, or beyond the bounds on media
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.audio.logmel import RATE, log_mel_patches, samples_for
from pipeline.audio.tracks import Track, read_track, tracks_of
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.faults import Finding, NoAudioStream, Undecodable
from pipeline.foundations.media.sound import Sound
from pipeline.foundations.params import Execution, FilterSilent, Media
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.map_videos import Failures, map_videos
from pipeline.foundations.runtime.shards import input_key, total
from pipeline.foundations.tables import tables

VERDICTS = ("audible", "no_audio_stream", "digital_silence", "below_threshold", "undecodable")
SAME = 1e-9  # log-mel; equal samples give equal patches only to rounding, which varies with the row of a product


class Verdict(NamedTuple):
    """The verdict on one audio track."""

    verdict: str
    reason: str
    """In plain words; empty for an audible track."""
    seconds: float
    """Of decoded sound."""
    peak_dbfs: float
    """Of the largest sample; -inf where all are zero, NaN where none was decoded."""
    rms_dbfs: float
    """Of the root mean square, so that a full-scale square wave has 0 and a sine -3.01."""


def judge(samples: np.ndarray, rules: FilterSilent) -> Verdict:
    """The verdict on a sound.

    Args:
        samples: S, mono at 16 kHz, finite; full scale is 1.
        rules: rule and thresholds.
    """
    exact = samples.astype(np.float64)
    peak = decibels(np.abs(exact).max(initial=0.0))
    rms = decibels(np.sqrt(np.mean(np.square(exact))) if len(exact) else 0.0)
    if peak == -np.inf:
        verdict, reason = "digital_silence", "every sample is zero"  # by either rule
    else:
        reason = _equal_patches(exact) if rules.rule == "released" else _too_faint(peak, rms, rules)
        verdict = "below_threshold" if reason else "audible"
    return Verdict(verdict, reason, len(samples) / RATE, peak, rms)


def decibels(amplitude: float) -> float:
    """Decibels to full scale; -inf for zero."""
    return float(20.0 * np.log10(amplitude)) if amplitude > 0 else -np.inf


def _too_faint(peak: float, rms: float, rules: FilterSilent) -> str:
    """Why a track of this loudness is silent; empty if it is not."""
    if peak < rules.peak_dbfs:
        return f"its peak of {peak:.1f} dBFS is below {rules.peak_dbfs:g}"
    if rms < rules.rms_dbfs:
        return f"its RMS of {rms:.1f} dBFS is below {rules.rms_dbfs:g}"
    return ""


def _equal_patches(samples: np.ndarray) -> str:
    """The released rule: silent where any two of the first three patches are equal; empty if not.

    The released code compares embeddings; patches that are equal have equal ones. A track with fewer than two
    whole patches has nothing to compare, and what becomes of it is for `vggish.short` to say.
    """
    patches = log_mel_patches(samples[: samples_for(tables.PATCHES)])
    for first, second in combinations(range(len(patches)), 2):
        if np.abs(patches[first] - patches[second]).max() < SAME:
            return f"released rule: log-mel patches {first + 1} and {second + 1} are equal"
    return ""


def filter_silent(
    videos: Path, target: Path, *, root: Path, rules: FilterSilent, media: Media, execution: Execution
) -> dict[str, int]:
    """Write the table `verdicts` for every video of the table at `videos`; returns the count of each verdict.

    Raises:
        PlainError: more than `rules.max_failure_rate` of the videos are undecodable; the first are named.
    """
    tracks = tracks_of(tables.read("videos", videos), root)
    limits = rules.rule, rules.peak_dbfs, rules.rms_dbfs
    key = input_key(*limits, rules.shard_size, media, root, files.sha256(videos), tables.SCHEMAS["verdicts"])
    with map_videos(
        partial(judge_shard, rules=rules, media=media, threads=execution.threads),
        tracks,
        stage="filter_silent",
        key=key,
        size=rules.shard_size,
        suffix=".parquet",
        execution=execution,
        label="listening",
        failed=Failures("undecodable", _undecodable, rules.max_failure_rate, "filter_silent.max_failure_rate"),
    ) as done:
        counts = {verdict: total(done).get(verdict, 0) for verdict in VERDICTS}
        tables.write_stream("verdicts", target, (part for s in done for part in tables.read_stream("verdicts", s.path)))
    return counts


def judge_shard(
    tracks: Sequence[Track], target: Path, *, rules: FilterSilent, media: Media, threads: int
) -> Mapping[str, int]:
    """The task of one shard: write the verdicts of `tracks` at `target`; returns the count of each verdict."""
    with decoded(tracks, read_track, media, threads=threads) as sounds:
        verdicts = [_verdict(sound, rules) for sound in sounds]
    columns: dict[str, object] = {"video_id": [track.video_id for track in tracks]}
    columns |= {field: [getattr(verdict, field) for verdict in verdicts] for field in Verdict._fields}
    tables.write("verdicts", target, tables.from_columns("verdicts", columns))
    return Counter(verdict.verdict for verdict in verdicts)


def _verdict(sound: Sound | Finding, rules: FilterSilent) -> Verdict:
    match sound:
        case NoAudioStream():
            return Verdict("no_audio_stream", str(sound), 0.0, np.nan, np.nan)
        case Undecodable():
            return Verdict("undecodable", str(sound), 0.0, np.nan, np.nan)
    return judge(sound.samples, rules)


def _undecodable(shard: Path) -> Iterator[tuple[str, str]]:
    """Video id and reason of each undecodable video."""
    rows = tables.read("verdicts", shard).select(["video_id", "verdict", "reason"]).to_pylist()
    yield from ((row["video_id"], row["reason"]) for row in rows if row["verdict"] == "undecodable")
