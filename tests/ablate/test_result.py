import csv

import pytest

from pipeline.ablate.result import COLUMNS, Result, line, read, read_all, write
from pipeline.foundations.runtime.errors import PlainError
from pipeline.metrics.metrics import METRICS
from tests.ablate.conftest import figures_of


def test_what_is_written_is_read_again(result, tmp_path):
    path = write(result, tmp_path)
    assert path == tmp_path / "table1-frozen.csv"
    assert read(path) == result


def test_a_single_seed_and_a_row_of_other_videos_are_read_again(tmp_path):
    alone = Result(
        "table3", "joint", "mmit, val split", (line("table3", "v1-audio", "V1", figures_of(60.0, None, 1), ""),), {}
    )
    again = read(write(alone, tmp_path))
    assert again.lines[0].figures["top1"].spread != again.lines[0].figures["top1"].spread
    assert again.lines[0].figures["top1"].lead is None
    assert again.lines[0].figures["top1"].lead_seeds == 0
    assert again.lines[0].published == {"paper, M-MiT V1": {"map_sample": 64.0, "top1": 60.6, "top5": 85.3}}


def test_a_line_a_row_and_metric(result, tmp_path):
    with write(result, tmp_path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["row"], row["metric"]) for row in rows] == [
        (entry.row, name) for entry in result.lines for name in METRICS
    ]
    audio = next(row for row in rows if (row["row"], row["metric"]) == ("audio", "map_sample"))
    assert (audio["mean"], audio["spread"], audio["lead_low"]) == ("57.5", "1.25", "2.25")
    assert audio["published"] == "paper, Mini M-MiT V1: 58.0; authors' model zoo, M-MiT V1: 64.7"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "ablation,mode\ntable9,joint\n"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "table1-joint.csv"
    path.write_text(text)
    with pytest.raises(PlainError, match=r"table1-joint\.csv: not a table of `m3a ablate`"):
        read(path)


def test_a_tuned_table_and_what_is_achievable_are_read_again(result, tmp_path):
    lines = tuple(line._replace(tuning="tuned", settings="rate 2, decay 0") for line in result.lines)
    tuned = result._replace(lines=lines, budget="12 trials", achievable=dict.fromkeys(METRICS, 81.5))
    path = write(tuned, tmp_path)
    assert path.name == "table1-frozen-tuned.csv"
    assert read(path) == tuned
    write(result, tmp_path)
    assert [one.budget for one in read_all(tmp_path)] == ["12 trials", ""]


def test_tables_of_imported_features_are_named_by_their_folder():
    tuned = Result("table1", "frozen", "audioset, test split", (), {}, "a budget")
    assert tuned.name == "table1-frozen-tuned-audioset"
    assert tuned._replace(data="sample, test split").name == "table1-frozen-tuned"


def test_a_part_of_the_labels_has_a_table_of_its_own_and_real_data_come_first(result, tmp_path):
    real = result._replace(data="youtube8m, test split", budget="a budget")
    part = real._replace(labels="unimplied")
    assert part.name == "table1-frozen-tuned-youtube8m-unimplied"
    assert part.measured_on.startswith("youtube8m, test split, without labels that another")
    for one in (result, real, part):
        assert read(write(one, tmp_path)) == one
    assert [one.data.partition(",")[0] for one in read_all(tmp_path)] == ["youtube8m", "youtube8m", "sample"]
