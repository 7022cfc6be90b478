from pipeline.train.curves import Curves

RECORDS = [{"train/loss": 0.5}, {"train/loss": 0.25, "val/map_sample": 40.0}]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(folder, records):
    with Curves(folder) as curves:
        for record in records:
            curves.log(record)


def test_each_name_has_a_file_with_a_row_an_epoch(tmp_path):
    write(tmp_path / "curves", RECORDS)
    written = contents(tmp_path / "curves")
    assert written["plots/metrics/train/loss.tsv"].splitlines() == ["step\tloss", "1\t0.5", "2\t0.25"]
    assert written["plots/metrics/val/map_sample.tsv"].splitlines() == ["step\tmap_sample", "2\t40.0"]


def test_what_an_interrupted_run_left_is_written_anew(tmp_path):
    write(tmp_path / "straight", RECORDS)
    write(tmp_path / "resumed", RECORDS[:1])
    write(tmp_path / "resumed", RECORDS)
    assert contents(tmp_path / "straight") == contents(tmp_path / "resumed")
