"""Reading a run, and what is said where it is not whole."""

import shutil

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.lineage.consistency import TABLES as KNOWN
from pipeline.report.run_tables import TABLES, read_curves, read_run_tables


def test_a_finished_run_is_read(run_tables):
    assert run_tables.names[3] == "playing+music"
    assert run_tables.curves["train/loss"] == [(1, 0.7), (2, 0.4), (3, 0.3)]
    assert run_tables.weights["vggish"]["trained"] is False
    assert run_tables.predictions.num_rows == 3


def test_paths_and_schemas_agree_with_the_audits():
    assert {path: schema for schema, path in TABLES.values()}.items() <= KNOWN.items()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("data/lexicons/text.parquet", "cannot be read as a table of text"),
        ("models/m3a/model.json", "cannot be read"),
        ("data/curves/plots", "no learning curve is there; run `dvc repro train`"),
    ],
)
def test_a_missing_part_is_named(finished, tmp_path, path, said):
    copy = shutil.copytree(finished, tmp_path / "copy")
    (shutil.rmtree if (copy / path).is_dir() else type(copy).unlink)(copy / path)
    with pytest.raises(PlainError) as error:
        read_run_tables(copy)
    assert said in str(error.value)
    assert path.rsplit("/", 1)[0] in str(error.value)


@pytest.mark.parametrize("content", ["", "step\tloss\n1\tlow\n", "step\tloss\n\n"])
def test_a_damaged_curve_is_named(tmp_path, content):
    (tmp_path / "plots" / "metrics").mkdir(parents=True)
    (tmp_path / "plots" / "metrics" / "loss.tsv").write_text(content)
    with pytest.raises(PlainError, match=r"loss\.tsv: not a learning curve"):
        read_curves(tmp_path)


def test_a_description_of_another_kind_is_named(finished, tmp_path):
    copy = shutil.copytree(finished, tmp_path / "copy")
    (copy / "models/m3a/model.json").write_text("[]")
    with pytest.raises(PlainError, match=r"model\.json: found list, expected an object"):
        read_run_tables(copy)
