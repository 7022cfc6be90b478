"""Import the authors' published files (zhenglab/multi-action-video, PREPARATION.md) into our tables.

train-v1-mini.csv          folder/file.mp4,index[,index...]: which videos are Mini M-MiT
audio-lexicon-v1-mini.pkl  {"label": {action: [folder/file.wav, ...]}, "audio": {folder/file.wav: 384 numbers}}
text-lexicon-v1-mini.pkl   N x 300
graph-adj-v1-mini.pkl      psi, N x N

Their code draws one audio form an action with Python's generator, seeded with 1 in the first published version and
with 0 in later ones. With its seed the same forms are drawn here, so that a converted checkpoint gets the nodes that
it was trained with.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dataset import mmit
from pipeline.dataset.annotations import video_id_of
from pipeline.exchange.unpickle import read_arrays
from pipeline.foundations.params import Adjacency
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.tables import FORM_SIZE
from pipeline.graph.cooccurrence import edges

UNKNOWN = -1
"""The counts behind a published psi, which the file does not give."""


def import_mini(source: Path, target: Path, *, actions: int, videos: pa.Table) -> int:
    """Write the published draw of Mini M-MiT as table `splits`; returns the number of videos.

    Args:
        source: `train-*-mini.csv`.
        target: where the table goes.
        actions: N.
        videos: table `videos`; each drawn video must be one of its training videos.

    Raises:
        PlainError: lines are malformed, or a video is not in the index.
    """
    drawn = mmit.read_split(source, "train", actions)
    known = set(videos.filter(pc.equal(videos["split"], "train"))["video_id"].to_pylist())
    strange = [video.video_id for video in drawn if video.video_id not in known]
    if strange:
        raise PlainError(
            f"{source}: {len(strange):,} of {len(drawn):,} videos are not training videos of data/index, first "
            f"{', '.join(strange[:3])}; expected the annotations of the same version"
        )
    columns = {
        "video_id": [video.video_id for video in drawn],
        "actions": [list(video.actions) for video in drawn],
        "drawn_for": [None] * len(drawn),
    }
    tables.write("splits", target, tables.from_columns("splits", columns))
    return len(drawn)


def import_audio(source: Path, target: Path, *, actions: int, seed: int | None) -> int:
    """Write a published audio lexicon as table `audio`; returns the number of (form, sense) pairs.

    Args:
        source: `audio-lexicon-*.pkl`.
        target: where the table goes.
        actions: N.
        seed: keep the one form an action that the released code draws with this seed; None keeps all.

    Raises:
        PlainError: the file is refused, or is no such lexicon of N actions.
    """
    content = read_arrays(source)
    labels, audio = (content.get(key) if isinstance(content, Mapping) else None for key in ("label", "audio"))
    if not isinstance(labels, Mapping) or not isinstance(audio, Mapping) or sorted(labels) != list(range(actions)):
        raise PlainError(f"{source}: expected dicts `label`, of the actions 0 to {actions - 1}, and `audio`")
    kept: Mapping[int, Sequence[str]] = labels if seed is None else _drawn(labels, seed, source)
    pairs = sorted({(action, name) for action, names in kept.items() for name in names})
    forms = np.stack([_form(audio, name, source) for _, name in pairs])
    columns = {
        "action_id": np.array([action for action, _ in pairs], np.int16),
        "video_id": [video_id_of(name) for _, name in pairs],
        "form": forms,
    }
    tables.write("audio", target, tables.from_columns("audio", columns))
    return len(pairs)


def _drawn(labels: Mapping[int, Sequence[str]], seed: int, source: Path) -> dict[int, list[str]]:
    """One name an action, as the released `get_audio_embedding` draws with one synonym: action after action."""
    generator = random.Random(seed)  # noqa: S311  (the released code's, not ours)
    drawn = {}
    for action in range(len(labels)):
        if not labels[action]:
            raise PlainError(f"{source}: action {action} has no sound; expected one at least")
        drawn[action] = [labels[action][generator.randint(0, len(labels[action]) - 1)]]
    return drawn


def _form(audio: Mapping[str, Any], name: str, source: Path) -> np.ndarray:
    form = np.asarray(audio.get(name, ()))
    if form.size != FORM_SIZE or form.dtype.kind != "f" or not np.isfinite(form).all():
        raise PlainError(f"{source}: {name}: found {form.dtype} {form.shape}, expected {FORM_SIZE} finite numbers")
    return form.reshape(-1).astype(np.float32)


def import_text(source: Path, target: Path, *, actions: pa.Table) -> int:
    """Write a published text lexicon as table `text`; returns Q, the size of a form.

    Args:
        source: `text-lexicon-*.pkl`.
        target: where the table goes.
        actions: table `actions`.

    Raises:
        PlainError: the file is refused, or has not N rows of finite numbers.
    """
    forms = _matrix(source, rows=actions.num_rows)
    if not np.isfinite(forms).all():
        raise PlainError(f"{source}: has numbers that are not finite")
    columns = {
        "action_id": actions["action_id"],
        "action": actions["action"],
        "form": forms.astype(np.float32),
        "words": actions["words"],
        "missing": [[] for _ in range(len(forms))],
    }
    tables.write("text", target, tables.from_columns("text", columns))
    return int(forms.shape[1])


def import_adjacency(source: Path, target: Path, *, actions: int, params: Adjacency) -> int:
    """Write a published psi as table `adjacency`, its counts UNKNOWN; returns the number of edges.

    Args:
        source: `graph-adj-*.pkl`, whose diagonal is 0 and whose rows are NaN where an action never occurs.
        target: where the table goes.
        actions: N.
        params: threshold, comparison and symmetrization.

    Raises:
        PlainError: the file is refused, or is no N x N matrix of probabilities.
    """
    psi = _matrix(source, rows=actions).astype(np.float64)
    if psi.shape != (actions, actions) or np.any((psi < 0) | (psi > 1)):
        raise PlainError(f"{source}: found {psi.shape}, expected {actions} x {actions} probabilities")
    np.fill_diagonal(psi, np.where(np.isnan(psi).any(axis=1), np.nan, 1.0))  # as in our tables
    edge = edges(psi, threshold=params.threshold, comparison=params.comparison, symmetrize=params.symmetrize)
    rows, columns = (grid.reshape(-1).astype(np.int16) for grid in np.indices(psi.shape))
    unknown = np.full(psi.size, UNKNOWN, np.int64)
    table = tables.from_columns(
        "adjacency",
        {"source": rows, "target": columns, "source_count": unknown, "pair_count": unknown,
         "psi": psi.reshape(-1), "edge": edge.reshape(-1)},
    )  # fmt: skip
    tables.write("adjacency", target, table)
    return int(np.count_nonzero(edge))


def _matrix(source: Path, *, rows: int) -> np.ndarray:
    matrix = np.asarray(read_arrays(source))
    if matrix.ndim != 2 or len(matrix) != rows or matrix.dtype.kind != "f":
        raise PlainError(
            f"{source}: found {matrix.dtype} {matrix.shape}, expected a matrix of {rows} rows, one an action"
        )
    return matrix
