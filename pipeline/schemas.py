"""The columns of every table that stages exchange, with what they mean and their units (DESIGN.md, the stages).

Long format, typed lists, fixed-size vectors; nothing that differs from run to run.
"""

from dataclasses import dataclass

import pyarrow as pa

PATCHES, PATCH_SIZE = 3, 128
FORM_SIZE = PATCHES * PATCH_SIZE
"""P: an audio form is three whitened VGGish patches of 128 (Section 4.1)."""


def _column(name: str, kind: pa.DataType, about: str, *, null: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=null, metadata={"about": about})


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("item", kind, nullable=False))


_VIDEO = _column("video_id", pa.string(), "the video's name in every table")
_ACTIONS = _column("actions", _list(pa.int16()), "its action ids, ascending")
_ACTION_ID = _column("action_id", pa.int16(), "row of the vocabulary, from 0")
_ACTION = _column("action", pa.string(), "the action's name in the vocabulary")
_WORDS = _column("words", _list(pa.string()), "the words of the action's name")
_REASON = _column("reason", pa.string(), "why, in plain words; empty where there is nothing to say")
_FORM = pa.list_(pa.field("item", pa.float32(), nullable=False), FORM_SIZE)
_VECTOR = _list(pa.float32())


@dataclass(frozen=True)
class Schema:
    """A table's columns and the columns that identify and sort its rows."""

    columns: pa.Schema
    key: tuple[str, ...]


def _schema(key: tuple[str, ...], *columns: pa.Field) -> Schema:
    return Schema(pa.schema(columns), key)


SCHEMAS: dict[str, Schema] = {
    "videos": _schema(
        ("video_id",),
        _VIDEO,
        _column("path", pa.string(), "below dataset.videos, with forward slashes"),
        _column("split", pa.string(), "train | val | test"),
        _ACTIONS,
        _column("bytes", pa.int64(), "size of the file"),
        _column("sha256", pa.string(), "of the file, hexadecimal; empty where the file is absent"),
    ),
    "actions": _schema(("action_id",), _ACTION_ID, _ACTION, _WORDS),
    "verdicts": _schema(
        ("video_id",),
        _VIDEO,
        _column("verdict", pa.string(), "audible | no_audio_stream | digital_silence | below_threshold | undecodable"),
        _REASON,
        _column("seconds", pa.float32(), "of decoded sound; s"),
        _column("peak_dbfs", pa.float32(), "largest sample; dB to full scale, -inf for digital silence"),
        _column("rms_dbfs", pa.float32(), "root mean square; dB to full scale, -inf for digital silence"),
    ),
    "embedded": _schema(  # a shard of extract_vggish: what becomes a row of `vggish`, or one of `exclusions`
        ("video_id",), _VIDEO, _REASON, _column("embedding", _FORM, "as in vggish; NaN where there is a reason")
    ),
    "vggish": _schema(("video_id",), _VIDEO, _column("embedding", _FORM, "3 patches x 128, raw, before PCA")),
    "whitened": _schema(("video_id",), _VIDEO, _column("form", _FORM, "3 patches x 128, whitened")),
    "whitening": _schema(
        ("component",),
        _column("component", pa.int16(), "from 0, by falling variance"),
        _column("mean", pa.float64(), "of this input dimension"),
        _column("variance", pa.float64(), "explained by this component; NaN for the released parameters"),
        _column("vector", _list(pa.float64()), "row of the projection, scaled so that its output is white"),
    ),
    "audio": _schema(
        ("action_id", "video_id"), _ACTION_ID, _VIDEO, _column("form", _FORM, "the video's whitened embedding")
    ),
    "text": _schema(
        ("action_id",),
        _ACTION_ID,
        _ACTION,
        _column("form", _VECTOR, "mean of its words' vectors, Q wide"),
        _WORDS,
        _column("missing", _list(pa.string()), "words without a vector"),
    ),
    "adjacency": _schema(
        ("source", "target"),
        _column("source", pa.int16(), "action i"),
        _column("target", pa.int16(), "action j"),
        _column("source_count", pa.int64(), "training videos with i"),
        _column("pair_count", pa.int64(), "training videos with i and j"),
        _column("psi", pa.float64(), "P(j | i); NaN where i never occurs"),
        _column("edge", pa.bool_(), "A_ij, before self-connections"),
    ),
    "splits": _schema(
        ("video_id",),
        _VIDEO,
        _ACTIONS,
        _column("drawn_for", pa.int16(), "the action whose draw brought it in; null where not drawn", null=True),
    ),
    "clips": _schema(
        ("video_id",),
        _VIDEO,
        _column("pack", pa.int32(), "number of the pack file"),
        _column("width", pa.int16(), "of a stored frame; pixels"),
        _column("height", pa.int16(), "of a stored frame; pixels"),
        _column("offsets", _list(pa.int64()), "where each frame's JPEG starts in the pack, and where the last ends"),
    ),
    "predictions": _schema(
        ("video_id",), _VIDEO, _ACTIONS, _column("scores", _VECTOR, "N scores in [0, 1], after combining views")
    ),
    "scored": _schema(
        ("video_id",), _VIDEO, _ACTIONS, _column("scores", _VECTOR, "as in predictions; empty where excluded"), _REASON
    ),
    "metrics": _schema(
        ("row", "metric"),
        _column("row", pa.string(), "model | frequency | chance | lead (of the model over frequency)"),
        _column("metric", pa.string(), "map_sample | map_action | map_micro | top1 | top5"),
        _column("value", pa.float64(), "percent; percentage points for a lead"),
        _column("low", pa.float64(), "of the 95% interval; NaN for an expectation in closed form"),
        _column("high", pa.float64(), "of the 95% interval; NaN for an expectation in closed form"),
    ),
    "per_action": _schema(
        ("action_id",),
        _ACTION_ID,
        _ACTION,
        _column("training", pa.int64(), "training videos with it"),
        _column("positives", pa.int64(), "scored videos with it"),
        _column("ap", pa.float64(), "average precision; percent, NaN without a positive"),
        _column("low", pa.float64(), "of its 95% interval; NaN without a positive"),
        _column("high", pa.float64(), "of its 95% interval; NaN without a positive"),
        _column("chance", pa.float64(), "expected of a random ranking; percent, NaN without a positive"),
    ),
    "exclusions": _schema(("video_id",), _VIDEO, _REASON),
}
