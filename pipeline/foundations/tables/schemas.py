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
_MODEL = _column("model", pa.string(), "model | baseline")
_LEARNER = _column("learner", pa.string(), "audio | text | audio_text; fc; data, for psi")
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
        _column("fps", pa.float64(), "stored frames a second"),
        _column("offsets", _list(pa.int64()), "where each frame's JPEG starts in the pack, and where the last ends"),
    ),
    "predictions": _schema(
        ("video_id",), _VIDEO, _ACTIONS, _column("scores", _VECTOR, "N scores in [0, 1], after combining views")
    ),
    "scored": _schema(
        ("video_id",), _VIDEO, _ACTIONS, _column("scores", _VECTOR, "as in predictions; empty where excluded"), _REASON
    ),
    "view_features": _schema(
        ("video_id",),
        _VIDEO,
        _ACTIONS,
        _column("features", _VECTOR, "of a frozen backbone, views x positions x C in one row; empty where excluded"),
        _column("shape", _list(pa.int32()), "views, positions and C"),
        _REASON,
    ),
    "trials": _schema(
        ("role", "trial", "seed"),
        _column("role", pa.string(), "tuning | untuned (as params.yaml has it) | tuned (the choice, from fresh seeds)"),
        _column("trial", pa.int16(), "number of the setting in the grid; 0 where untuned"),
        _column("seed", pa.int64(), "of the head's weights, forms and order of videos"),
        _column("learning_rate", pa.float64(), "at the start"),
        _column("weight_decay", pa.float64(), "of the head"),
        _column("epochs", pa.int32(), "passes over the training features"),
        _column("map_sample", pa.float64(), "of validation videos, one view each; percent, NaN where it diverged"),
        _column("diverged", pa.bool_(), "the loss or a weight was not a finite number"),
        _column("chosen", pa.bool_(), "the setting with the best mean map_sample, which the tuned heads have"),
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
    "pointing": _schema(
        ("model", "layer", "video_id", "action_id"),
        _MODEL,
        _column("layer", pa.string(), "of the 3D-CNN, whose heat points"),
        _VIDEO,
        _ACTION_ID,
        _column("times", pa.int16(), "recorded places of the action that were judged"),
        _column("heat", pa.float32(), "part of them with the heat's maximum in the action's square; NaN without any"),
        _column("other_action", pa.float32(), "in another action's square, mean over those; NaN where it is alone"),
        _column("centre", pa.float32(), "part of them with the frame's middle in the action's square"),
        _column("chance", pa.float32(), "the square's part of the frame, mean over them"),
        _column("no_heat", pa.float32(), "part of them without any heat"),
    ),
    "pointing_scores": _schema(
        ("model", "layer", "row"),
        _MODEL,
        _column("layer", pa.string(), "as in pointing"),
        _column(
            "row",
            pa.string(),
            "heat | no_heat | chance | centre | other_action | lead_ (of the heat) over each of the last three",
        ),
        _column("value", pa.float64(), "mean over pairs of video and action; percent, points for a lead"),
        _column("low", pa.float64(), "of the 95% interval, by a bootstrap over videos"),
        _column("high", pa.float64(), "of the 95% interval, by a bootstrap over videos"),
        _column("pairs", pa.int64(), "how many there are"),
    ),
    "drawn": _schema(
        ("number", "action_id", "model"),
        _column("number", pa.int16(), "of the video among those drawn, from 0"),
        _ACTION_ID,
        _MODEL,
        _VIDEO,
        _column("chosen", pa.string(), "by name | by score | by gain"),
        _column("layer", pa.string(), "of the 3D-CNN, whose heat is drawn"),
        _column("score", pa.float32(), "of the action, as in predictions"),
        _column("hottest", pa.float32(), "the heat at full strength; logits, 0 where there is no evidence"),
        _column("frames", pa.string(), "file of the bare frames, below data/explain"),
        _column("strip", pa.string(), "file of the same frames under the heat"),
        _column("moving", pa.string(), "file of all frames under the heat, moving"),
    ),
    "embedding": _schema(
        ("learner", "layer", "action_id"),
        _LEARNER,
        _column("layer", pa.int16(), "0 at the input, then after each layer"),
        _ACTION_ID,
        _column("x", pa.float32(), "by t-SNE, around 0"),
        _column("y", pa.float32(), "by t-SNE, around 0"),
    ),
    "clustering": _schema(
        ("learner", "layer"),
        _LEARNER,
        _column("layer", pa.int16(), "as in embedding"),
        _column("size", pa.int32(), "features a node"),
        _column("learnt", pa.float64(), "chance that a linked pair is closer than an unlinked one; percent"),
        _column("smoothed", pa.float64(), "likewise, of the forms multiplied by the graph alone, without any weights"),
    ),
    "neighbours": _schema(
        ("learner", "action_id", "rank"),
        _LEARNER,
        _ACTION_ID,
        _column("rank", pa.int16(), "from 1, the strongest"),
        _column("neighbour", pa.int16(), "the other action's id"),
        _column("strength", pa.float64(), "cosine of the two actions' classifiers; psi in the data"),
        _column("psi", pa.float64(), "P(neighbour | action) in the data; NaN where the action never occurs"),
    ),
    "boosts": _schema(
        ("action_id",),
        _ACTION_ID,
        _column("positives", pa.int64(), "compared videos with it"),
        _column("model", pa.float64(), "average precision; percent, NaN without a positive"),
        _column("baseline", pa.float64(), "likewise"),
        _column("boost", pa.float64(), "the model's lead; percentage points"),
        _column("low", pa.float64(), "of its 95% interval, by a paired bootstrap"),
        _column("high", pa.float64(), "of its 95% interval, by a paired bootstrap"),
    ),
    "compared": _schema(
        ("video_id", "model"),
        _VIDEO,
        _MODEL,
        _ACTIONS,
        _column("scores", _VECTOR, "as in predictions"),
    ),
    "bench": _schema(
        ("name", "device"),
        _column("name", pa.string(), "of the measurement"),
        _column("device", pa.string(), "where it ran"),
        _column("what", pa.string(), "what was measured"),
        _column("peer", pa.string(), "what it is compared with, run in the same minutes"),
        _column("unit", pa.string(), "of ours and theirs"),
        _column("ours", pa.float64(), "median over the repeats"),
        _column("theirs", pa.float64(), "median over the repeats"),
        _column("ratio", pa.float64(), "of ours to theirs, median over the repeats"),
        _column("low", pa.float64(), "least ratio of a repeat; NaN where measured once"),
        _column("high", pa.float64(), "largest ratio of a repeat; NaN where measured once"),
        _column("bound", pa.string(), "at least | at most | empty: how the ratio is held to its target"),
        _column("target", pa.float64(), "of the ratio; NaN where there is none"),
        _column("repeats", pa.int16(), "how often each was run, warm-up apart"),
        _column("note", pa.string(), "what else is to be known"),
    ),
}
