"""One reader, one writer: the same rows give the same bytes, and nothing else passes for a table."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables


def exclusions(*names: str) -> pa.Table:
    return tables.from_columns("exclusions", {"video_id": list(names), "reason": ["cut off"] * len(names)})


def audio(*keys: tuple[int, str]) -> pa.Table:
    forms = np.zeros((len(keys), tables.FORM_SIZE), np.float32)
    columns = {"action_id": [action for action, _ in keys], "video_id": [name for _, name in keys], "form": forms}
    return tables.from_columns("audio", columns)


def text(*forms: list[float]) -> pa.Table:
    columns = {
        "action_id": range(len(forms)),
        "action": [f"a{number}" for number in range(len(forms))],
        "form": [np.array(form, np.float32) for form in forms],
        "words": [["a", "b"]] * len(forms),
        "missing": [[]] * len(forms),
    }
    return tables.from_columns("text", columns)


def adjacency(psi: np.ndarray) -> pa.Table:
    n = len(psi)
    columns = {
        "source": range(n), "target": [0] * n, "source_count": [1] * n, "pair_count": [1] * n,
        "psi": psi, "edge": [False] * n,
    }  # fmt: skip
    return tables.from_columns("adjacency", columns)


@pytest.mark.parametrize("name", tables.SCHEMAS)
def test_every_schema_has_a_key_and_says_what_its_columns_are(name):
    schema = tables.SCHEMAS[name]
    assert set(schema.key) <= set(schema.columns.names)
    for column in schema.columns:
        assert column.metadata[b"about"]
        assert not pa.types.is_dictionary(column.type)
        assert not pa.types.is_temporal(column.type)


@pytest.mark.parametrize("name", tables.SCHEMAS)
def test_an_empty_table_of_every_schema_comes_back(name, tmp_path):
    tables.write(name, tmp_path / "t.parquet", tables.empty(name))
    read = tables.read(name, tmp_path / "t.parquet")
    assert read.num_rows == 0
    assert read.schema.equals(tables.SCHEMAS[name].columns)


def test_rows_come_back_sorted_with_units_in_the_file(tmp_path):
    tables.write("exclusions", tmp_path / "t.parquet", exclusions("b", "a", "é", "Z"))
    assert tables.read("exclusions", tmp_path / "t.parquet")["video_id"].to_pylist() == ["Z", "a", "b", "é"]
    field = pq.read_schema(tmp_path / "t.parquet").field("reason")
    assert field.metadata[b"about"] == b"why, in plain words; empty where there is nothing to say"


def test_a_changed_description_changes_the_bytes(tmp_path, monkeypatch):
    """So a stage that reads the table runs again, though dvc.yaml names the table at the stage that writes it alone."""
    tables.write("exclusions", tmp_path / "before", exclusions("a"))
    schema = tables.SCHEMAS["exclusions"]
    place = schema.columns.get_field_index("reason")
    described = schema.columns.set(place, schema.columns.field(place).with_metadata({"about": "why"}))
    monkeypatch.setattr(tables, "SCHEMAS", {"exclusions": tables.Schema(described, schema.key)})
    tables.write("exclusions", tmp_path / "after", exclusions("a"))
    assert (tmp_path / "after").read_bytes() != (tmp_path / "before").read_bytes()


def test_no_pandas_metadata_and_no_dictionaries_in_the_file(tmp_path):
    tables.write("exclusions", tmp_path / "t.parquet", exclusions(*(f"{number:05d}" for number in range(9000))))
    file = pq.ParquetFile(tmp_path / "t.parquet")
    assert b"pandas" not in file.metadata.metadata
    assert [file.metadata.row_group(group).num_rows for group in range(2)] == [tables.ROW_GROUP, 9000 - 8192]
    for column in range(2):
        assert not file.metadata.row_group(0).column(column).has_dictionary_page


def test_a_table_of_wide_rows_comes_in_smaller_groups(tmp_path):
    vectors = [np.full(number % 3, number, np.float32) for number in range(600)]
    columns = {
        "video_id": [f"{number:03d}" for number in range(600)],
        "actions": [[0]] * 600,
        "features": tables.lists(vectors, np.float32),
        "shape": [[]] * 600,
        "reason": [""] * 600,
    }
    tables.write("view_features", tmp_path / "t.parquet", tables.from_columns("view_features", columns))
    groups = [group.num_rows for group in tables.read_stream("view_features", tmp_path / "t.parquet")]
    assert groups == [0, 256, 256, 88]
    assert tables.length("view_features", tmp_path / "t.parquet") == 600
    read = tables.read("view_features", tmp_path / "t.parquet")
    assert read["features"].to_pylist() == [vector.tolist() for vector in vectors]


def test_the_order_of_the_rows_does_not_matter(tmp_path):
    names = [f"{number:05d}" for number in range(1000)]
    tables.write("exclusions", tmp_path / "one", exclusions(*names))
    tables.write("exclusions", tmp_path / "two", exclusions(*reversed(names)))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(cuts=st.lists(st.integers(0, 20_000), max_size=8))
def test_the_bytes_do_not_depend_on_the_pieces_of_a_stream(tmp_path_factory, cuts):
    table = exclusions(*(f"video {number:05d}" for number in range(20_000)))
    edges = [0, *sorted(cuts), 20_000]
    pieces = [table.slice(start, end - start) for start, end in itertools.pairwise(edges)]
    folder = tmp_path_factory.mktemp("pieces")
    tables.write("exclusions", folder / "whole", table)
    assert tables.write_stream("exclusions", folder / "pieces", pieces) == 20_000
    assert (folder / "pieces").read_bytes() == (folder / "whole").read_bytes()


def test_pieces_of_list_columns_give_the_same_bytes(tmp_path):
    table = text(*([float(number), np.nan, -0.5] for number in range(50)))
    tables.write("text", tmp_path / "whole", table)
    tables.write_stream("text", tmp_path / "pieces", [table.slice(0, 7), table.slice(7, 30), table.slice(37)])
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_table_read_and_written_again_has_the_same_bytes(tmp_path):
    tables.write("text", tmp_path / "one", text([1.0, np.nan], [2.0, 3.0]))
    tables.write("text", tmp_path / "two", tables.read("text", tmp_path / "one"))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


SCHEMA = tables.SCHEMAS["adjacency"].columns


@pytest.mark.parametrize("as_arrow", [False, True])
def test_every_nan_is_the_same_nan(tmp_path, as_arrow):
    odd64 = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x7FF8000000000000], np.uint64).view(np.float64)
    plain = np.array([np.nan] * 3)
    assert odd64.tobytes() != plain.tobytes()
    for name, values in (("odd", odd64), ("plain", plain)):
        table = adjacency(plain).set_column(4, SCHEMA.field("psi"), pa.array(values)) if as_arrow else adjacency(values)
        tables.write("adjacency", tmp_path / name, table)
    assert (tmp_path / "odd").read_bytes() == (tmp_path / "plain").read_bytes()


def test_every_nan_is_the_same_nan_in_vectors_too(tmp_path):
    odd = np.array([0xFFC12345, 0x7FC00000, 0x3F800000], np.uint32).view(np.float32)
    for name, form in (("odd", odd), ("plain", np.array([np.nan, np.nan, 1.0], np.float32))):
        tables.write("text", tmp_path / name, text(form, form))
        forms = np.zeros((1, tables.FORM_SIZE), np.float32)
        forms[0, :3] = form
        table = tables.from_columns("whitened", {"video_id": ["a"], "form": forms})
        tables.write("whitened", tmp_path / f"{name} fixed", table)
    assert (tmp_path / "odd").read_bytes() == (tmp_path / "plain").read_bytes()
    assert (tmp_path / "odd fixed").read_bytes() == (tmp_path / "plain fixed").read_bytes()


@pytest.mark.parametrize(
    "pieces",
    [[("b",), ("a",)], [("a",), ("a",)], [("a", "a")], [("b", "a")], [("a", "c"), (), ("b",)]],
    ids=["falling pieces", "a key in two pieces", "a key twice", "falling rows", "falling over an empty piece"],
)
def test_unsorted_or_repeated_keys_are_refused(tmp_path, pieces):
    with pytest.raises(PlainError, match="table exclusions: video_id must be unique and sorted"):
        tables.write_stream("exclusions", tmp_path / "t.parquet", [exclusions(*piece) for piece in pieces])
    assert list(tmp_path.iterdir()) == []


def test_a_repeated_key_is_refused_by_write_too(tmp_path):
    with pytest.raises(PlainError, match="must be unique"):
        tables.write("exclusions", tmp_path / "t.parquet", exclusions("a", "b", "a"))


def test_keys_of_two_columns_sort_by_the_first_then_the_second(tmp_path):
    tables.write_stream("audio", tmp_path / "t.parquet", [audio((0, "b"), (1, "a")), audio((1, "b"), (2, "a"))])
    for keys in ([(1, "a"), (0, "b")], [(0, "b"), (0, "a")], [(0, "a"), (0, "a")]):
        with pytest.raises(PlainError, match="action_id and video_id must be unique and sorted"):
            tables.write_stream("audio", tmp_path / "t.parquet", [audio(*keys)])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"video_id": ["a"]}, "columns ['video_id'], expected ['reason', 'video_id']"),
        ({"video_id": ["a"], "reason": ["x"], "more": [1]}, "columns ['more', 'reason', 'video_id']"),
        ({"video_id": ["a"], "reason": [3]}, "table exclusions: "),
        ({"video_id": ["a", "b"], "reason": ["x"]}, "table exclusions: "),
        ({"video_id": [None], "reason": ["x"]}, "video_id: found 1 nulls, expected none"),
    ],
    ids=["missing", "more", "type", "length", "null"],
)
def test_columns_that_do_not_fit_are_refused(columns, sentence):
    with pytest.raises(PlainError) as caught:
        tables.from_columns("exclusions", columns)
    assert sentence in str(caught.value)


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(PlainError, match="table actions"):
        tables.from_columns("actions", {"action_id": [40_000], "action": ["a"], "words": [["a"]]})
    with pytest.raises(PlainError, match="table splits"):
        tables.from_columns("splits", {"video_id": ["a"], "actions": [[70_000]], "drawn_for": [None]})


def test_a_null_may_stand_where_the_schema_says_so():
    table = tables.from_columns("splits", {"video_id": ["a", "b"], "actions": [[0], [1]], "drawn_for": [None, 1]})
    assert table["drawn_for"].to_pylist() == [None, 1]


@pytest.mark.parametrize("write", [tables.write, lambda *what: tables.write_stream(*what[:2], [what[2]])])
def test_a_table_of_another_schema_is_refused(tmp_path, write):
    with pytest.raises(PlainError, match="table exclusions: found columns"):
        write("exclusions", tmp_path / "t.parquet", tables.empty("actions"))
    assert not (tmp_path / "t.parquet").exists()


def test_an_absent_file_and_another_table_are_named(tmp_path):
    with pytest.raises(PlainError, match=r"gone\.parquet: cannot be read as a table of videos"):
        tables.read("videos", tmp_path / "gone.parquet")
    tables.write("exclusions", tmp_path / "t.parquet", exclusions("a"))
    with pytest.raises(PlainError, match=r"t\.parquet: not a table of videos: found \['video_id', 'reason'\]"):
        tables.read("videos", tmp_path / "t.parquet")


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(where=st.floats(0, 1), put=st.binary(min_size=0, max_size=8), gone=st.integers(0, 2000))
def test_a_damaged_file_is_read_or_refused_in_plain_words(tmp_path_factory, where, put, gone):
    path = tmp_path_factory.getbasetemp() / "damaged.parquet"
    tables.write("text", path, text(*([float(number)] * 4 for number in range(30))))
    content = path.read_bytes()
    start = round(where * len(content))
    path.write_bytes(content[:start] + put + content[start + gone :])
    try:
        table = tables.read("text", path)
    except PlainError as error:
        message = str(error)
    else:
        message = str(path) if table.num_rows <= 30 else "more rows than were written"
    assert str(path) in message


def test_a_row_group_at_a_time(tmp_path):
    tables.write("exclusions", tmp_path / "t.parquet", exclusions(*(f"{number:05d}" for number in range(9000))))
    assert [part.num_rows for part in tables.read_stream("exclusions", tmp_path / "t.parquet")] == [0, 8192, 808]


def test_vectors_are_a_matrix():
    assert tables.vectors(text([1.0, 2.0], [3.0, 4.0])["form"]).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert tables.vectors(audio((0, "a"), (1, "b"))["form"]).shape == (2, tables.FORM_SIZE)
    assert tables.vectors(tables.empty("audio")["form"]).shape == (0, tables.FORM_SIZE)
    assert tables.vectors(text([1.0, 2.0], [3.0, 4.0], [5.0, 6.0])["form"].slice(1)).tolist() == [
        [3.0, 4.0],
        [5.0, 6.0],
    ]


@pytest.mark.parametrize("forms", [([1.0], [2.0, 3.0]), ([1.0], [2.0, 3.0, 4.0])])
def test_vectors_of_two_sizes_are_refused(forms):
    with pytest.raises(PlainError, match="rows of different sizes"):
        tables.vectors(text(*forms)["form"])


def test_labels_as_a_matrix():
    columns = {"video_id": list("abc"), "actions": [[0, 2], [], [1]], "drawn_for": [None] * 3}
    actions = tables.from_columns("splits", columns)["actions"]
    assert tables.multi_hot(actions, 3).tolist() == [[True, False, True], [False] * 3, [False, True, False]]
    assert tables.multi_hot(actions.slice(1), 3).tolist() == [[False] * 3, [False, True, False]]


def test_some_columns_are_read_alone(tmp_path):
    tables.write("exclusions", tmp_path / "t.parquet", exclusions(*(f"v{n:05}" for n in range(9_000))))
    groups = list(tables.read_stream("exclusions", tmp_path / "t.parquet", ["video_id"]))
    assert {tuple(group.column_names) for group in groups} == {("video_id",)}
    assert [group.num_rows for group in groups] == [0, 8192, 808]
    assert pa.concat_tables(groups)["video_id"][-1].as_py() == "v08999"


def test_rows_count_as_read_where_they_were_and_not_where_the_footer_alone_was(tmp_path):
    forms = np.zeros((3, 5), np.float32)
    columns = {"video_id": ["a", "b", "c"], "form": forms}
    path = tmp_path / "whitened.parquet"
    tables.write("whitened", path, tables.from_columns("whitened", columns))
    assert (tables.width("whitened", path, "form"), tables.length("whitened", path)) == (5, 3)
    assert str(path) not in tables.rows_read
    tables.read("whitened", path)
    assert tables.rows_read[str(path)] == 3
