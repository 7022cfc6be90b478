"""The audio lexicon, many-to-many: each training video's whitened sound is a form of each of its actions.

Building it turns a table sorted by video into one sorted by action. At a million videos that is three gigabytes
of forms, so it is done in blocks that fit in memory, each filled by one pass over the whitened table.

Querying it gives every action the forms that its node of the graph starts from (Section 3.2, Table 2).
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.foundations.params import Lexicon, Scope
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import track
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.seeds import generator
from pipeline.foundations.tables.tables import ROW_GROUP

BLOCK = 64 * ROW_GROUP
"""Pairs whose forms are held at once: 524,288, of 1,536 bytes each, are 0.8 GB."""


class Built(NamedTuple):
    """What was built."""

    pairs: int
    videos: int
    """Training videos that contribute a form."""
    missing: tuple[int, ...]
    """Actions without any form, ascending."""


class NodeForms(NamedTuple):
    """The node features of the audio GCN."""

    forms: np.ndarray
    """N x P', float32; zeros for an action that is missing."""
    missing: tuple[int, ...]
    """Actions without any form, ascending. Their nodes start from zeros, and so from their neighbours alone."""


def training_videos(scope: Scope, *, videos: Path, train: Path) -> pa.Table:
    """Columns video_id and actions of the videos whose sounds are used: training videos alone, whatever the scope.

    Args:
        scope: `mini`, the drawn training split (released), or `full`, every training video of the index.
        videos: the table of that name.
        train: the table `splits` of the training split.

    Raises:
        PlainError: a table cannot be read.
    """
    columns = ["video_id", "actions"]
    if scope == "mini":
        return tables.read("splits", train).select(columns)
    groups = tables.read_stream("videos", videos, ["split", *columns])
    return pa.concat_tables(group.filter(pc.equal(group["split"], "train")).select(columns) for group in groups)


def build(members: pa.Table, whitened: Path, target: Path, *, actions: int) -> Built:
    """Write table `audio`: every whitened form of a member, paired with each of its actions.

    Args:
        members: columns video_id and actions, in any order; a member without a form (silent) gives no pair; without
            any form, the table is empty.
        whitened: the table of that name, one form a video.
        target: where the table goes, sorted by action, then by video.
        actions: N; every action id is below it.

    Raises:
        PlainError: a table cannot be read or written, or an action id is not below `actions`.
    """
    groups = tables.read_stream("whitened", whitened, ["video_id"])
    ids = pa.chunked_array([group["video_id"].combine_chunks() for group in groups])
    pairs = _pairs(members, ids.combine_chunks())
    if len(pairs.action) and pairs.action[-1] >= actions:
        raise PlainError(f"{whitened}: found action {pairs.action[-1]}, expected ids below {actions}; run stage index")
    total = -(-len(pairs.row) // ROW_GROUP)
    blocks = track(_blocks(pairs, ids, whitened), total=total, label="audio lexicon, row groups")
    count = tables.write_stream("audio", target, blocks)
    missing = np.setdiff1d(np.arange(actions), pairs.action)
    return Built(pairs=count, videos=int(np.count_nonzero(np.bincount(pairs.row))), missing=tuple(missing.tolist()))


class _Pairs(NamedTuple):
    """(form, sense) pairs sorted by action, then by video: an action id, and a row of the whitened table."""

    action: np.ndarray
    row: np.ndarray


def _pairs(members: pa.Table, ids: pa.Array) -> _Pairs:
    """Join members to the forms by video id; rows of `ids` are sorted with the video id, so sorting by row does too."""
    found = pc.index_in(members["video_id"], value_set=ids)
    kept = pc.is_valid(found)
    labels = members["actions"].filter(kept)
    row = np.repeat(found.filter(kept).to_numpy(), pc.list_value_length(labels).to_numpy())
    action = pc.list_flatten(labels).to_numpy()
    order = np.lexsort((row, action))
    return _Pairs(action[order], row[order])


def _blocks(pairs: _Pairs, ids: pa.ChunkedArray, whitened: Path) -> Iterator[pa.Table]:
    """The table `audio`, a row group at a time."""
    for start in range(0, len(pairs.row), BLOCK):
        block = slice(start, start + BLOCK)
        yield from _row_groups(_Pairs(pairs.action[block], pairs.row[block]), ids, whitened)


def _row_groups(block: _Pairs, ids: pa.ChunkedArray, whitened: Path) -> Iterator[pa.Table]:
    """One block of it; yields copies, so that only one block is in memory."""
    forms = _gather(whitened, block.row)
    for start in range(0, len(forms), ROW_GROUP):
        part = slice(start, start + ROW_GROUP)
        columns = {
            "action_id": block.action[part],
            "video_id": ids.take(block.row[part]),
            "form": forms[part].copy(),
        }
        yield tables.from_columns("audio", columns)


def _gather(whitened: Path, rows: np.ndarray) -> np.ndarray:
    """The forms at `rows` of the whitened table, in their order, with one pass over it."""
    forms = np.empty((len(rows), tables.width("whitened", whitened, "form")), np.float32)
    order = np.argsort(rows, kind="stable")
    rising = rows[order]
    offset = 0
    for group in tables.read_stream("whitened", whitened):
        low, high = np.searchsorted(rising, (offset, offset + group.num_rows))
        wanted = order[low:high]
        forms[wanted] = tables.vectors(group["form"])[rows[wanted] - offset]
        offset += group.num_rows
    return forms


def form_size(lexicon: Lexicon, form: int) -> int:
    """P', the width of a node's features: forms x P where several of width P lie side by side, else P."""
    side_by_side = lexicon.draw != "mean" and lexicon.combine == "concat"
    return form * (lexicon.forms if side_by_side else 1)


def varies(lexicon: Lexicon) -> bool:
    """Whether `node_forms` differs from epoch to epoch."""
    return lexicon.draw == "resample" or (lexicon.draw == "fixed" and lexicon.combine == "one" and lexicon.forms > 1)


def node_forms(table: pa.Table, actions: int, lexicon: Lexicon, seed: int, epoch: int = 0) -> NodeForms:
    """Query the lexicon for every action: the node features X_a of the audio GCN, N x P'.

    `draw`: `mean` is the mean of all forms of an action, one form whatever `forms` says; `fixed` draws `forms` of
    them for good; `resample` draws anew each epoch. `combine` makes several drawn forms one row: laid side by side
    (`concat`), averaged (`mean`), or one of them, another each epoch (`one`). An action with fewer forms than asked
    repeats them. A draw depends on the seed, the action and the epoch, never on other actions.

    Args:
        table: table `audio`.
        actions: N.
        lexicon: how it is queried.
        seed: of every random choice.
        epoch: from 0; matters where `varies(lexicon)`.
    """
    bounds = np.searchsorted(table["action_id"].to_numpy(), np.arange(actions + 1))
    forms = np.zeros((actions, form_size(lexicon, table["form"].type.list_size)), np.float32)
    missing = []
    for action, (start, end) in enumerate(pairwise(bounds)):
        if start == end:
            missing.append(action)
        elif lexicon.draw == "mean":
            own = tables.vectors(table["form"].slice(start, end - start))
            forms[action] = own.mean(axis=0, dtype=np.float64)
        else:
            drawn = start + _draw(end - start, action, lexicon, seed, epoch)
            forms[action] = _combine(tables.vectors(table["form"].take(drawn)), action, lexicon, seed, epoch)
    return NodeForms(forms, tuple(missing))


def _draw(count: int, action: int, lexicon: Lexicon, seed: int, epoch: int) -> np.ndarray:
    """Which of an action's `count` forms: `lexicon.forms` different ones, or all of them over and over."""
    key = (action, epoch) if lexicon.draw == "resample" else (action,)
    order = generator(seed, "audio_lexicon", lexicon.draw, *key).permutation(count)
    return np.resize(order, lexicon.forms)


def _combine(drawn: np.ndarray, action: int, lexicon: Lexicon, seed: int, epoch: int) -> np.ndarray:
    """Several forms, F x P, combined: concatenated, F * P, or averaged, P."""
    if lexicon.combine == "concat":
        return drawn.reshape(-1)
    if lexicon.combine == "mean":
        return np.asarray(drawn.mean(axis=0, dtype=np.float64))
    one: np.ndarray = drawn[generator(seed, "audio_lexicon", "one", action, epoch).integers(len(drawn))]
    return one
