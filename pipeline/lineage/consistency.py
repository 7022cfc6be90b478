"""Cross-table checks: what one table says must agree with the others (DESIGN.md, invariants 1 and 2).

The checks are independent of the stages: they recompute from the tables that came before, with other code.
"""

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.exchange.released import UNKNOWN
from pipeline.foundations.params import Params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import mapped, tables

TABLES = {
    "data/index/videos.parquet": "videos",
    "data/index/actions.parquet": "actions",
    "data/index/missing.parquet": "exclusions",
    "data/audible/verdicts.parquet": "verdicts",
    "data/splits/train.parquet": "splits",
    "data/splits/val.parquet": "splits",
    "data/splits/test.parquet": "splits",
    "data/features/vggish.parquet": "vggish",
    "data/features/excluded.parquet": "exclusions",
    "data/features/whitened.parquet": "whitened",
    "data/features/whitening.parquet": "whitening",
    "data/lexicons/audio.parquet": "audio",
    "data/lexicons/text.parquet": "text",
    "data/graph/adjacency.parquet": "adjacency",
    "data/clips/clips.parquet": "clips",
    "data/clips/excluded.parquet": "exclusions",
    "data/predictions/predictions.parquet": "predictions",
    "data/predictions/excluded.parquet": "exclusions",
    "data/predictions/metrics.parquet": "metrics",
    "data/predictions/per_action.parquet": "per_action",
    "data/explain/pointing.parquet": "pointing",
    "data/explain/pointing_scores.parquet": "pointing_scores",
    "data/explain/drawn.parquet": "drawn",
    "data/explain/playable.parquet": "playable",
    "data/explain/embedding.parquet": "embedding",
    "data/explain/clustering.parquet": "clustering",
    "data/explain/neighbours.parquet": "neighbours",
    "data/explain/boosts.parquet": "boosts",
    "data/explain/compared.parquet": "compared",
}
"""Every table of the pipeline: its path and the schema that it follows."""
FORMS = {
    "vggish": ("video_id", "embedding"),
    "whitened": ("video_id", "form"),
    "audio": ("action_id", "video_id", "form"),
}
"""Columns of the tables with vectors of many videos, these last."""
SPLITS = ("train", "val", "test")
SAME_SUM = 1e-6
"""Relative; a mean summed in another order."""


class Finding(NamedTuple):
    """One relation between tables: what it says, on which files, and what was found against it."""

    statement: str
    against: str
    """Empty where the relation holds."""


class _Project:
    """The tables of a project, each read once."""

    def __init__(self, root: Path, params: Params) -> None:
        self.root, self.params = root, params
        self._read: dict[str, pa.Table] = {}

    def __call__(self, path: str) -> pa.Table:
        if path not in self._read:
            self._read[path] = _table(TABLES[path], self.root / path)
        return self._read[path]

    def ids(self, path: str) -> set[str]:
        return set(self(path)["video_id"].to_pylist())

    def split_ids(self, split: str) -> set[str]:
        videos = self("data/index/videos.parquet")
        return set(videos.filter(pc.equal(videos["split"], split))["video_id"].to_pylist())


def _table(name: str, path: Path) -> pa.Table:
    """A table; vectors of many videos are mapped from a file."""
    if name not in FORMS:
        return tables.read(name, path)
    return mapped.read(name, path, FORMS[name][:-1], FORMS[name][-1])


def check_consistency(root: Path, params: Params) -> Iterator[Finding]:
    """All relations between the tables of the project at `root`."""
    project = _Project(root, params)
    for statement, relation in _RELATIONS.items():
        try:
            yield Finding(statement, relation(project))
        except PlainError as error:  # a table that cannot be read proves nothing
            yield Finding(statement, str(error))


def _unexpected(found: set[str], known: set[str], where: str) -> str:
    """A sentence that names video ids that should not be there."""
    unexpected = sorted(found - known)
    return f"{where}: {len(unexpected):,} unexpected: {', '.join(unexpected[:5])}" if unexpected else ""


def _every_video_is_known(project: _Project) -> str:
    known = project.ids("data/index/videos.parquet")
    paths = [path for path, name in TABLES.items() if "video_id" in tables.SCHEMAS[name].columns.names]
    paths = [path for path in paths if not path.startswith("data/index/")]
    return "; ".join(filter(None, (_unexpected(project.ids(path), known, path) for path in paths)))


def _every_video_has_a_verdict(project: _Project) -> str:
    verdicts, videos = project.ids("data/audible/verdicts.parquet"), project.ids("data/index/videos.parquet")
    return _unexpected(videos, verdicts, "without a verdict")


def _splits_hold_their_own(project: _Project) -> str:
    held = {split: project.ids(f"data/splits/{split}.parquet") for split in SPLITS}
    alien = [_unexpected(held[split], project.split_ids(split), f"data/splits/{split}.parquet") for split in SPLITS]
    shared = [_unexpected(held[a] & held[b], set(), f"in {a} and {b}") for a, b in combinations(SPLITS, 2)]
    return "; ".join(filter(None, [*alien, *shared]))


def _labels_are_the_index(project: _Project) -> str:
    videos = project("data/index/videos.parquet")
    labels = dict(zip(videos["video_id"].to_pylist(), videos["actions"].to_pylist(), strict=True))
    findings = []
    for path in [f"data/splits/{split}.parquet" for split in SPLITS] + ["data/predictions/predictions.parquet"]:
        rows = zip(project(path)["video_id"].to_pylist(), project(path)["actions"].to_pylist(), strict=True)
        other = {video for video, actions in rows if labels.get(video) != actions}
        findings.append(_unexpected(other, set(), f"{path}: other labels"))
    return "; ".join(filter(None, findings))


def _forms_are_of_audible_training_videos(project: _Project) -> str:
    verdicts = project("data/audible/verdicts.parquet")
    audible = set(verdicts.filter(pc.equal(verdicts["verdict"], "audible"))["video_id"].to_pylist())
    forms = project.ids("data/lexicons/audio.parquet")
    findings = (
        _unexpected(forms, project.split_ids("train"), "not of the training split"),
        _unexpected(forms, audible, "not audible"),
        _unexpected(project.ids("data/features/vggish.parquet"), audible, "embedded, not audible"),
    )
    return "; ".join(filter(None, findings))


def _forms_are_the_whitened_embeddings(project: _Project) -> str:
    whitened, lexicon = project("data/features/whitened.parquet"), project("data/lexicons/audio.parquet")
    place = pc.index_in(lexicon["video_id"], value_set=whitened["video_id"].combine_chunks()).combine_chunks()
    rows, known = pc.fill_null(place, 0).to_numpy(), pc.is_valid(place).to_numpy(zero_copy_only=False)
    forms, found = tables.vectors(whitened["form"]), tables.vectors(lexicon["form"])
    if len(found) and len(forms) and found.shape[1] != forms.shape[1]:
        return f"forms of {found.shape[1]} numbers, and embeddings of {forms.shape[1]}"
    same = np.zeros(len(found), dtype=bool)
    for start in range(0, len(found) if len(forms) else 0, tables.ROW_GROUP):
        part = slice(start, start + tables.ROW_GROUP)
        same[part] = known[part] & (found[part] == forms[rows[part]]).all(axis=1)
    return _unexpected(set(lexicon["video_id"].filter(pa.array(~same)).to_pylist()), set(), "other forms")


def _whitening_saw_training_alone(project: _Project) -> str:
    if project.params.whitening.method != "fit":
        return ""
    raw = project("data/features/vggish.parquet")
    training = pc.is_in(raw["video_id"], pa.array(sorted(project.split_ids("train")), pa.string()))
    mean = project("data/features/whitening.parquet")["mean"].to_numpy()
    patches = tables.vectors(raw.filter(training)["embedding"]).reshape(-1, len(mean))
    if not len(patches):
        return "" if not mean.any() else "there are no training patches, but a mean is recorded"
    worst = float(np.abs(patches.mean(axis=0, dtype=np.float64) - mean).max())
    allowed = SAME_SUM * float(np.abs(patches).max(initial=1.0))
    return "" if worst <= allowed else f"the mean of training patches is {worst:.3g} from the recorded one"


def _graph_counts_training_alone(project: _Project) -> str:
    """A published graph comes without its counts (`m3a import-released`): then there is nothing to count again."""
    graph = project("data/graph/adjacency.parquet")
    counts = pc.unique(pa.chunked_array([*graph["source_count"].chunks, *graph["pair_count"].chunks]))
    if counts.to_pylist() == [UNKNOWN]:
        psi = graph["psi"].to_numpy()
        return "" if bool(((psi >= 0) & (psi <= 1) | np.isnan(psi)).all()) else "psi outside [0, 1]"
    scope = project.params.adjacency.scope
    if scope == "mini":
        labels = project("data/splits/train.parquet")["actions"]
    else:
        videos = project("data/index/videos.parquet")
        labels = videos.filter(pc.equal(videos["split"], "train"))["actions"]
    n = project("data/index/actions.parquet").num_rows
    counted: dict[tuple[int, int], int] = {}
    for actions in labels.to_pylist():
        for i in actions:
            for j in actions:
                counted[i, j] = counted.get((i, j), 0) + 1
    rows = zip(*(graph[name].to_pylist() for name in ("source", "target", "source_count", "pair_count")), strict=True)
    other = [
        f"{i}-{j}"
        for i, j, source_count, pair_count in rows
        if (counted.get((i, i), 0), counted.get((i, j), 0)) != (source_count, pair_count)
    ]
    size = "" if graph.num_rows == n * n else f"{graph.num_rows:,} pairs, expected {n * n:,}; "
    return size + (f"{len(other):,} pairs with other counts: {', '.join(other[:5])}" if other else "")


def _training_copies_are_of_training_and_validation(project: _Project) -> str:
    if project.params.dataset.source == "features":  # copies are arrays in the order of the splits, without names
        return ""
    wanted = project.ids("data/splits/train.parquet") | project.ids("data/splits/val.parquet")
    there = project.ids("data/clips/clips.parquet") | project.ids("data/clips/excluded.parquet")
    return "; ".join(filter(None, (_unexpected(there, wanted, "copied"), _unexpected(wanted, there, "not copied"))))


def _scored_is_the_tested_split(project: _Project) -> str:
    split = project.ids(f"data/splits/{project.params.evaluate.split}.parquet")
    scored = project.ids("data/predictions/predictions.parquet")
    excluded = project.ids("data/predictions/excluded.parquet")
    findings = (
        _unexpected(scored | excluded, split, "not of the tested split"),
        _unexpected(split, scored | excluded, "neither scored nor excluded"),
        _unexpected(scored & excluded, set(), "both scored and excluded"),
    )
    return "; ".join(filter(None, findings))


def _scores_are_probabilities(project: _Project) -> str:
    scores = tables.vectors(project("data/predictions/predictions.parquet")["scores"])
    n = project("data/index/actions.parquet").num_rows
    if len(scores) and scores.shape[1] != n:
        return f"{scores.shape[1]} scores a video, expected {n}"
    return "" if bool(((scores >= 0) & (scores <= 1)).all()) else "scores outside [0, 1]"


def _text_is_the_vocabulary(project: _Project) -> str:
    text, actions = project("data/lexicons/text.parquet"), project("data/index/actions.parquet")
    return "" if text["action"].to_pylist() == actions["action"].to_pylist() else "other actions than the vocabulary"


_RELATIONS: dict[str, Callable[[_Project], str]] = {
    "every video of every table is in the index": _every_video_is_known,
    "every video of the index has a verdict": _every_video_has_a_verdict,
    "each split holds its own videos, and no two share one": _splits_hold_their_own,
    "labels are everywhere those of the index": _labels_are_the_index,
    "audio forms are of audible training videos": _forms_are_of_audible_training_videos,
    "audio forms are the whitened embeddings": _forms_are_the_whitened_embeddings,
    "whitening was fitted on training videos alone": _whitening_saw_training_alone,
    "the graph counts training labels alone, or was published without counts": _graph_counts_training_alone,
    "text forms are of the vocabulary": _text_is_the_vocabulary,
    "training copies are of the training and validation splits": _training_copies_are_of_training_and_validation,
    "the tested split is scored, or excluded by name": _scored_is_the_tested_split,
    "scores are probabilities of every action": _scores_are_probabilities,
}
