"""What the graph counts, against the labels. The other relations are held against real runs (test_audit.py)."""

import numpy as np
import pyarrow as pa
import pytest

from pipeline.exchange.released import UNKNOWN
from pipeline.foundations.tables import tables
from pipeline.graph.cooccurrence import adjacency_table
from pipeline.lineage.consistency import check_consistency

TRAIN, TEST = [[0, 1], [0], [2, 0]], [[1, 2]]
GRAPH = "data/graph/adjacency.parquet"


@pytest.fixture
def project(tmp_path, params):
    labels = TRAIN + TEST
    columns = {
        "video_id": [f"v{i}" for i in range(4)], "path": ["x"] * 4, "split": ["train"] * 3 + ["test"],
        "actions": labels, "bytes": [1] * 4, "sha256": [""] * 4,
    }  # fmt: skip
    tables.write("videos", tmp_path / "data/index/videos.parquet", tables.from_columns("videos", columns))
    names = {"action_id": range(3), "action": list("abc"), "words": [["a"], ["b"], ["c"]]}
    tables.write("actions", tmp_path / "data/index/actions.parquet", tables.from_columns("actions", names))
    graph = adjacency_table(pa.chunked_array([TRAIN], pa.list_(pa.int16())), 3, params.adjacency)
    tables.write("adjacency", tmp_path / GRAPH, graph)
    return tmp_path


def _against(project, params):
    full = params.model_copy(update={"adjacency": params.adjacency.model_copy(update={"scope": "full"})})
    findings = {finding.statement: finding.against for finding in check_consistency(project, full)}
    return findings["the graph counts training labels alone, or was published without counts"]


def _change(project, **columns):
    table = tables.read("adjacency", project / GRAPH)
    values = {name: table[name].to_pylist() for name in table.column_names}
    values |= {name: change(values[name]) for name, change in columns.items()}
    tables.write("adjacency", project / GRAPH, tables.from_columns("adjacency", values))


def _unknown(values):
    return [UNKNOWN] * len(values)


def test_counts_of_the_training_labels_are_as_they_should_be(project, params):
    assert _against(project, params) == ""


def test_a_pair_that_counts_a_test_video_is_named(project, params):
    _change(project, pair_count=lambda counts: [count + (i == 5) for i, count in enumerate(counts)])
    assert _against(project, params) == "1 pairs with other counts: 1-2"


def test_a_published_graph_has_no_counts_to_be_held_against(project, params):
    _change(project, source_count=_unknown, pair_count=_unknown)
    assert _against(project, params) == ""


def test_a_graph_that_lacks_some_counts_was_not_published_so(project, params):
    _change(project, pair_count=_unknown)
    assert _against(project, params).startswith("9 pairs with other counts")


def test_a_published_graph_holds_probabilities(project, params):
    _change(project, source_count=_unknown, pair_count=_unknown, psi=lambda psi: [2.0] * len(psi))
    assert _against(project, params) == "psi outside [0, 1]"


def _forms_against(project, params, whitened, lexicon):
    columns = {"video_id": list(whitened), "form": np.array([*whitened.values()], np.float32)}
    tables.write("whitened", project / "data/features/whitened.parquet", tables.from_columns("whitened", columns))
    ids, forms = list(lexicon), np.array([*lexicon.values()], np.float32)
    columns = {"action_id": [0] * len(ids), "video_id": ids, "form": forms}
    table = tables.from_columns("audio", columns) if ids else tables.empty("audio")
    tables.write("audio", project / "data/lexicons/audio.parquet", table)
    findings = {finding.statement: finding.against for finding in check_consistency(project, params)}
    return findings["audio forms are the whitened embeddings"]


@pytest.mark.parametrize(
    ("lexicon", "against"),
    [
        ({"a": [1, 2], "c": [5, 6]}, ""),
        ({}, ""),
        ({"a": [1, 2], "b": [3, 9]}, "other forms: 1 unexpected: b"),
        ({"a": [1, 2], "d": [1, 2]}, "other forms: 1 unexpected: d"),
        ({"a": [1, 2, 3]}, "forms of 3 numbers, and embeddings of 2"),
    ],
)
def test_a_form_that_is_not_its_videos_embedding_is_named(project, params, monkeypatch, lexicon, against):
    monkeypatch.setenv("DVC_ROOT", str(project))
    assert _forms_against(project, params, {"a": [1, 2], "b": [3, 4], "c": [5, 6]}, lexicon) == against
