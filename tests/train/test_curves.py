from pipeline.train.curves import Curves

RECORDS = [{"train/loss": 0.5}, {"train/loss": 0.25, "val/map_sample": 40.0}]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_each_name_has_a_file_with_a_row_an_epoch(tmp_path):
    with Curves(tmp_path / "curves", ()) as curves:
        for record in RECORDS:
            curves.log(record)
    written = contents(tmp_path / "curves")
    assert written["plots/metrics/train/loss.tsv"].splitlines() == ["step\tloss", "1\t0.5", "2\t0.25"]
    assert written["plots/metrics/val/map_sample.tsv"].splitlines() == ["step\tmap_sample", "2\t40.0"]


def test_an_interrupted_run_leaves_the_same_files(tmp_path):
    with Curves(tmp_path / "straight", ()) as curves:
        for record in RECORDS:
            curves.log(record)
    with Curves(tmp_path / "resumed", ()) as curves:
        curves.log(RECORDS[0])
    with Curves(tmp_path / "resumed", RECORDS[:1]) as curves:
        curves.log(RECORDS[1])
    assert contents(tmp_path / "straight") == contents(tmp_path / "resumed")
