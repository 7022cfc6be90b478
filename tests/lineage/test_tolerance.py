"""Two runs of a few small tables: the same, apart by rounding, and apart in every other way."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.lineage.tolerance import MODEL, compare, distance

VGGISH, METRICS, SPLIT = (
    "data/features/vggish.parquet", "data/predictions/metrics.parquet", "data/splits/train.parquet",
)  # fmt: skip
EMBEDDINGS = np.random.default_rng(0).normal(size=(3, tables.FORM_SIZE)).astype(np.float32)
WEIGHTS = {"head.weight": EMBEDDINGS[:2], "bn.num_batches_tracked": np.array(7)}


def put_vggish(root: Path, embeddings: np.ndarray) -> None:
    columns = {"video_id": [f"v{row}" for row in range(len(embeddings))], "embedding": embeddings}
    tables.write("vggish", root / VGGISH, tables.from_columns("vggish", columns))


def put_metrics(root: Path, value: float, low: float = np.nan) -> None:
    columns = {"row": ["chance"], "metric": ["top1"], "value": [value], "low": [low], "high": [np.inf]}
    tables.write("metrics", root / METRICS, tables.from_columns("metrics", columns))


def put_split(root: Path, actions: list[int], drawn_for: int | None = None) -> None:
    columns = {"video_id": ["a", "b"], "actions": [[0], actions], "drawn_for": [None, drawn_for]}
    tables.write("splits", root / SPLIT, tables.from_columns("splits", columns))


def put_model(root: Path, weights: dict[str, np.ndarray]) -> None:
    (root / MODEL).parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, root / MODEL)


@pytest.fixture
def runs(tmp_path):
    """Two equal runs."""
    for root in (tmp_path / "here", tmp_path / "there"):
        put_vggish(root, EMBEDDINGS)
        put_metrics(root, 50.0)
        put_split(root, [1, 2], 2)
        put_model(root, WEIGHTS)
    return tmp_path / "here", tmp_path / "there"


def found(runs, tolerance=1e-4):
    """Findings by path; the reds alone, and all."""
    checks = {check.what.split(" within ")[0]: check for check in compare(*runs, tolerance)}
    return {path: check.finding for path, check in checks.items() if not check.green}, checks


def test_equal_runs_are_green_and_every_table_and_the_model_is_looked_at(runs):
    red, checks = found(runs, tolerance=0.0)
    assert red == {}
    assert list(checks) == [SPLIT, VGGISH, METRICS, MODEL]
    assert [check.group for check in checks.values()] == ["table", "table", "table", "model"]
    assert checks[SPLIT].finding == "exact"
    assert checks[VGGISH].finding == "at most 0 apart, in embedding"


def test_rounding_is_green_within_the_tolerance_and_red_without(runs):
    _, there = runs
    put_vggish(there, EMBEDDINGS + np.float32(3e-5))
    put_model(there, WEIGHTS | {"head.weight": EMBEDDINGS[:2] - np.float32(3e-5)})
    red, checks = found(runs)
    assert red == {}
    assert checks[VGGISH].finding.startswith("at most 3e-05 apart")
    red, _ = found(runs, tolerance=1e-6)
    assert red.keys() == {VGGISH, MODEL}
    assert red[VGGISH].startswith(f"embedding: {EMBEDDINGS.size:,} numbers lie further apart; at most 3e-05 apart")
    assert red[MODEL].startswith(f"head.weight: {2 * tables.FORM_SIZE} numbers")


def test_one_number_in_one_row_is_found(runs):
    changed = EMBEDDINGS.copy()
    changed[1, 17] += 0.5
    put_vggish(runs[1], changed)
    assert found(runs)[0][VGGISH].startswith("embedding: 1 numbers lie further apart")


def test_large_numbers_are_held_to_their_size(runs):
    put_metrics(runs[1], 50.004)  # 8e-5 of 50
    assert found(runs)[0] == {}
    put_metrics(runs[1], 50.006)
    assert found(runs)[0].keys() == {METRICS}


@pytest.mark.parametrize(
    ("change", "path", "finding"),
    [
        (lambda there: put_split(there, [1, 3], 2), SPLIT, "actions differs, first in the row b"),
        (lambda there: put_split(there, [1, 2], None), SPLIT, "drawn_for differs, first in the row b"),
        (lambda there: put_vggish(there, EMBEDDINGS[:2]), VGGISH, "another number of rows: 3 here, 2 there"),
        (lambda there: put_metrics(there, 50.0, low=1.0), METRICS, "low: 1 numbers lie further apart"),
        (lambda there: put_metrics(there, np.nan), METRICS, "value: 1 numbers lie further apart"),
        (lambda there: (there / METRICS).unlink(), METRICS, "absent there"),
        (lambda there: (there / METRICS).write_bytes(b"x"), METRICS, "cannot be read as a table of metrics"),
        (lambda there: put_model(there, {"head.weight": EMBEDDINGS[:2]}), MODEL, "other tensors: bn.num_batches"),
        (lambda there: put_model(there, WEIGHTS | {"bn.num_batches_tracked": np.array(8)}), MODEL, "whole numbers"),
        (lambda there: put_model(there, WEIGHTS | {"head.weight": EMBEDDINGS}), MODEL, "head.weight: float32 (2, 384)"),
        (lambda there: (there / MODEL).write_bytes(b"x"), MODEL, "cannot be read"),
    ],
)
def test_what_is_not_rounding_is_red_whatever_the_tolerance(runs, change, path, finding):
    change(runs[1])
    red, _ = found(runs, tolerance=1.0 if path != METRICS else 0.5)
    assert red.keys() == {path}
    assert finding in red[path]


def test_another_run_that_is_absent_or_empty_is_named(runs, tmp_path):
    with pytest.raises(PlainError, match="nowhere: no such folder"):
        list(compare(runs[0], tmp_path / "nowhere", 1e-4))
    for root in runs:
        shutil.rmtree(root)
        root.mkdir()
    with pytest.raises(PlainError, match="no table and no model"):
        list(compare(*runs, 1e-4))


def test_infinities_agree_with_themselves_alone():
    inf, nan = np.inf, np.nan
    a, b = np.array([inf, -inf, nan, inf, 1.0, nan]), np.array([inf, -inf, nan, -inf, inf, 1.0])
    assert distance(a, b, 1e9) == (3, inf)
