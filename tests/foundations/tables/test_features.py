"""A folder of features from outside: what is not as its manifest says is refused, by name."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.exchange.feature_folder import write_folder
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.features import FeatureFolder, Rows, rows_among
from pipeline.foundations.tables.manifest import read_manifest
from tests.features import ACTIONS, ORIGIN, folder, items

VISUAL = "visual-00000.parquet"


def changed(path, **values):
    manifest = path / "annotations/manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | values))
    return path / "annotations"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"layout": 2}, "layout"),
        ({"licence": 3}, "licence"),
        ({"surprise": 1}, "surprise"),
        ({"files": {"../x.parquet": {"rows": 1, "bytes": 1, "sha256": "0" * 64}}}, "is not named"),
        ({"sound": None}, "but sound is null"),
    ],
)
def test_a_manifest_that_is_none_is_a_plain_error(tmp_path, values, sentence):
    folder(tmp_path / "set")
    with pytest.raises(PlainError, match=sentence):
        read_manifest(changed(tmp_path / "set", **values))


def test_views_of_splits_that_leave_one_out_are_a_plain_error_of_that_entry(tmp_path):
    visual = folder(tmp_path / "set").manifest.visual.model_dump(mode="json")
    annotations = changed(tmp_path / "set", visual=visual | {"views": {"train": 3, "val": 1}})
    with pytest.raises(PlainError, match=r"manifest\.json: visual\.views: .*found no number for test"):
        read_manifest(annotations)
    about = read_manifest(changed(tmp_path / "set", visual=visual | {"views": {"train": 3, "val": 1, "test": 2}}))
    assert [about.visual.views_of(split) for split in ("train", "val", "test")] == [3, 1, 2]


def test_a_split_without_videos_has_views_too(tmp_path):
    own = [item._replace(vectors=item.vectors[:1] if item.split == "test" else item.vectors) for item in items(views=2)]
    write_folder(tmp_path / "set", [item for item in own if item.split != "val"], ACTIONS, ORIGIN)
    assert read_manifest(tmp_path / "set/annotations").visual.views == {"train": 2, "val": 1, "test": 1}


def test_no_manifest_and_no_json_are_plain_errors(tmp_path):
    with pytest.raises(PlainError, match="import-features"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(PlainError, match=r"manifest\.json: "):
        read_manifest(tmp_path)


def test_a_changed_file_is_found(tmp_path):
    there = folder(tmp_path / "set")
    path = there.features / VISUAL
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(PlainError, match="not the file that the manifest describes"):
        there.verify()
    path.unlink()
    with pytest.raises(PlainError, match="cannot be read"):
        there.verify()
    with pytest.raises(PlainError, match="cannot be read"):
        list(there.read("visual"))


def lists(rows, kind, size=4):
    return pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * size), kind), size)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (lambda t: t.drop_columns("view"), "found the columns"),
        (lambda t: t.set_column(2, "vector", lists(60, pa.float32())), "not the size or type"),
        (lambda t: t.set_column(2, "vector", pa.array([b"12345"] * 60, pa.binary(5))), "not the size or type"),
        (lambda t: t.set_column(2, "vector", pa.array([[1.0]] * 60)), "expected bytes of one length"),
        (lambda t: t.set_column(0, "video_id", pa.array(["b", "a"] * 30)), "unique and sorted"),
        (lambda t: t.set_column(1, "view", pa.array([None] * 60, pa.int16())), "found nulls"),
        (lambda t: t.slice(0, 59), "found 59 rows"),
    ],
)
def test_a_file_of_other_columns_is_refused(tmp_path, columns, sentence):
    there = folder(tmp_path / "set")
    pq.write_table(columns(pq.read_table(there.features / VISUAL)), there.features / VISUAL)
    with pytest.raises(PlainError, match=sentence):
        list(there.read("visual"))


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    there = folder(tmp_path / "set", kind=np.float32)
    table = pq.read_table(there.features / VISUAL)
    bad = pa.FixedSizeListArray.from_arrays(pa.array(np.full(240, np.inf, np.float32)), type=table["vector"].type)
    pq.write_table(table.set_column(2, table.schema.field(2), bad), there.features / VISUAL)
    with pytest.raises(PlainError, match="not a finite number"):
        list(there.read("visual"))


def test_rows_are_joined_to_sorted_ids():
    ids = pa.array(["a", "c", "e", "g"])
    rows = Rows(pa.array(["b", "c", "c", "d", "g", "z"]), np.zeros(6), np.zeros((6, 1)), np.zeros((6, 1)))
    found, videos = rows_among(ids, rows)
    assert (found.tolist(), videos.tolist()) == ([1, 2, 4], [1, 1, 3])
    assert [len(part) for part in rows_among(pa.array([], pa.string()), rows)] == [0, 0]


def test_sounds_may_be_absent(tmp_path):
    there = folder(tmp_path / "set")
    silent = FeatureFolder(there.features, there.manifest.model_copy(update={"sound": None}))
    assert list(silent.read("sound")) == []
