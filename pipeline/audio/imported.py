"""Use imported sound embeddings instead of decoded sound: verdicts, and the table `vggish` from them.

There is no file to decode, so nothing is known of loudness and length: those columns are NaN. A form that many videos
share to the last bit, which the folder's manifest names, is digital silence.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.features import FeatureFolder, Rows, rows_among

SILENT = "its imported form is the one that the manifest names as silence"
NO_FORM = "no form of its sound was imported"
REASONS = {"audible": "", "no_audio_stream": NO_FORM, "digital_silence": SILENT}
"""Of each verdict that there can be (`pipeline.audio.silence`)."""


def judge_imported(videos: Path, target: Path, folder: FeatureFolder) -> dict[str, int]:
    """Write the table `verdicts`; returns the count of each verdict.

    Raises:
        PlainError: the features cannot be read.
    """
    ids = tables.read("videos", videos)["video_id"].combine_chunks()
    verdicts = np.full(len(ids), "no_audio_stream", dtype=object)
    for rows in folder.read("sound"):
        found, place = rows_among(ids, rows)
        verdicts[place] = np.where(silent(rows, folder)[found], "digital_silence", "audible")
    unknown = np.full(len(ids), np.nan, np.float32)
    columns = {
        "video_id": ids,
        "verdict": verdicts.tolist(),
        "reason": [REASONS[verdict] for verdict in verdicts],
        "seconds": unknown,
        "peak_dbfs": unknown,
        "rms_dbfs": unknown,
    }
    tables.write("verdicts", target, tables.from_columns("verdicts", columns))
    counts = Counter(verdicts.tolist())
    return {verdict: counts[verdict] for verdict in REASONS}


def silent(rows: Rows, folder: FeatureFolder) -> np.ndarray:
    """Which rows are the form of silence."""
    sound = folder.manifest.sound
    if sound is None or sound.silence is None:
        return np.zeros(len(rows.stored), dtype=bool)
    return np.asarray((rows.stored == np.array(sound.silence, rows.stored.dtype)).all(axis=1))


def take_imported(videos: Path, verdicts: Path, target: Path, excluded: Path, folder: FeatureFolder) -> int:
    """Write the table `vggish` of the audible videos' imported forms, and one of exclusions without rows.

    Returns how many forms there are.

    Raises:
        PlainError: the verdicts are those of other videos, or the features cannot be read.
    """
    judged = tables.read("verdicts", verdicts)
    if not tables.read("videos", videos)["video_id"].equals(judged["video_id"]):
        raise PlainError(f"{verdicts}: found other videos than in {videos}; run `dvc repro filter_silent`")
    heard = judged.filter(pc.equal(judged["verdict"], "audible"))["video_id"].combine_chunks()
    tables.write("exclusions", excluded, tables.empty("exclusions"))
    return tables.write_stream("vggish", target, _taken(heard, folder))


def _taken(heard: pa.StringArray, folder: FeatureFolder) -> Iterator[pa.Table]:
    for rows in folder.read("sound"):
        found, _ = rows_among(heard, rows)
        columns = {"video_id": rows.video_ids.take(pa.array(found)), "embedding": rows.values[found]}
        yield tables.from_columns("vggish", columns)
