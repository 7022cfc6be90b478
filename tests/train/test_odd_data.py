"""Training on data at the edge of what data can be: each case ends in a model of finite numbers, or in a sentence."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from stages import train
from tests.train.miniature import SMALL, changed, write_inputs, write_params


@pytest.fixture
def run(tmp_path, monkeypatch, params):
    """Train on the miniature, with values of `train` changed; returns the model and its description."""
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(**values):
        small = SMALL | {"train": SMALL["train"] | {"epochs": 1, "validate_every": 1} | values}
        write_params(tmp_path, changed(params, small))
        train.main()
        made, description = load_model(tmp_path / "models/m3a")
        assert all(torch.isfinite(tensor).all() for tensor in made.state_dict().values())
        return made, description

    return call


def rewrite(name, path, change):
    """Change a table's columns in place."""
    tables.write(name, path, tables.from_columns(name, change(tables.read(name, path).to_pydict())))


def last(root, figure):
    """The last value of a learning curve."""
    lines = (root / "data/curves/plots/metrics" / f"{figure}.tsv").read_text().splitlines()
    return float(lines[-1].split("\t")[-1])


def relabelled(action):
    """A change of a split's table: no video has other actions than this one."""
    return lambda columns: columns | {"actions": [[action] for _ in columns["actions"]]}


@pytest.mark.parametrize("loss", ["bce", "wlsep", "asl", "focal"])
def test_an_action_with_no_positive_is_learnt_as_absent_and_left_out_of_the_metric(run, tmp_path, loss):
    for split in ("train", "val"):
        rewrite("splits", tmp_path / f"data/splits/{split}.parquet", lambda columns: columns | {
            "actions": [[action for action in actions if action != 2] for actions in columns["actions"]]
        })  # fmt: skip
    run(loss=loss)
    assert 0 <= last(tmp_path, "val/map_action") <= 100


def test_an_action_that_every_video_has_is_learnt(run, tmp_path):
    for split in ("train", "val"):
        rewrite("splits", tmp_path / f"data/splits/{split}.parquet", relabelled(1))
    run()
    assert last(tmp_path, "val/map_action") == pytest.approx(100.0)  # of the one action that has a positive


def test_a_batch_of_one_video_is_learnt_from(run, tmp_path):
    run(batch=1, freeze_batch_norm=True)
    assert np.isfinite(last(tmp_path, "val/loss"))


def test_a_batch_of_one_video_too_small_for_batch_norm_is_a_sentence(run, capfd):
    with pytest.raises(SystemExit):
        run(batch=1)
    assert (
        "error: train.batch leaves 1 clip a process, and of train.crop 16 that is one value a channel"
        in capfd.readouterr().err
    )


def test_an_action_whose_videos_are_all_silent_starts_from_zeros_and_is_told(run, tmp_path, capfd):
    lexicon = tmp_path / "data/lexicons/audio.parquet"
    table = tables.read("audio", lexicon)
    tables.write("audio", lexicon, table.filter(pa.array([action != 1 for action in table["action_id"].to_pylist()])))
    model, _ = run()
    assert "train: 1 of 3 actions have no sound; their nodes start from zeros" in capfd.readouterr().err
    assert torch.equal(model.head.learners["audio"].forms.any(dim=1), torch.tensor([True, False, True]))


@pytest.mark.parametrize("normalization", ["paper", "released"])
def test_a_graph_with_no_edge_lets_each_action_learn_for_itself(run, tmp_path, normalization, monkeypatch):
    graph = tmp_path / "data/graph/adjacency.parquet"
    rewrite("adjacency", graph, lambda columns: columns | {"edge": [False for _ in columns["edge"]]})
    monkeypatch.setitem(SMALL, "adjacency", {"normalization": normalization})
    model, _ = run()
    torch.testing.assert_close(model.head.adjacency, torch.eye(3))


@pytest.mark.parametrize("loss", ["bce", "wlsep"])
def test_a_vocabulary_of_one(run, tmp_path, loss):
    data = tmp_path / "data"
    for split in ("train", "val"):
        rewrite("splits", data / f"splits/{split}.parquet", relabelled(0))
    for name, path in (("actions", "index/actions"), ("text", "lexicons/text")):
        tables.write(name, data / f"{path}.parquet", tables.read(name, data / f"{path}.parquet").slice(0, 1))
    for name, path, count in (("adjacency", "graph/adjacency", 1), ("audio", "lexicons/audio", 4)):
        tables.write(name, data / f"{path}.parquet", tables.read(name, data / f"{path}.parquet").slice(0, count))
    model, description = run(loss=loss)
    assert description.actions == ("clapping",)
    assert model.scores(torch.rand(2, 3, 2, 16, 16)).shape == (2, 1)
    assert [last(tmp_path, f"val/{name}") for name in ("map_sample", "map_action")] == pytest.approx([100.0, 100.0])


def test_no_training_video_with_a_copy_is_a_sentence(run, tmp_path, capfd):
    rewrite("splits", tmp_path / "data/splits/train.parquet", lambda columns: {name: [] for name in columns})
    with pytest.raises(SystemExit):
        run()
    assert "train.batch is 4, but there are only 0 training videos: lower it or add videos" in capfd.readouterr().err
