"""Learning curves as files, and as TensorBoard sees them."""

import sys

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.train.curves import Curves
from tests.extras import WITHOUT

RECORDS = [{"train/loss": 0.5}, {"train/loss": 0.25, "val/map_sample": 40.0}]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def write(folder, records):
    with Curves(folder, board=None) as curves:
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


def test_a_board_gets_the_same_records(tmp_path):
    pytest.importorskip("tensorboard", reason=WITHOUT["tensorboard"])
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for records in (RECORDS[:1], RECORDS):  # as a run that is interrupted, and goes on
        with Curves(tmp_path / "curves", board=tmp_path / "board/run") as curves:
            for record in records:
                curves.log(record)
    events = EventAccumulator(str(tmp_path / "board/run")).Reload()
    seen = {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    assert seen == {"train/loss": [(1, 0.5), (2, 0.25)], "val/map_sample": [(2, 40.0)]}


def test_without_tensorboard_a_named_board_is_an_error_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(
        PlainError, match=r"execution\.tensorboard: .*board needs TensorBoard.*: make install EXTRAS=tensorboard$"
    ):
        Curves(tmp_path / "curves", board=tmp_path / "board/run")
