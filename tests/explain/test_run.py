"""A whole explanation of a small run: every table, the same bytes, alone and beside a baseline."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.explain.models import FOLDER, explained, load
from pipeline.explain.run import Lexicon, run
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import save_model

MADE = (
    "pointing",
    "pointing_scores",
    "drawn",
    "playable",
    "embedding",
    "clustering",
    "neighbours",
    "boosts",
    "compared",
)
PAIRS = pa.table({"action_id": [0, 1], "video_id": ["a", "b"]})
ADJACENCY = [(i, j, 3, 1, 1 / 3, abs(i - j) == 1) for i in range(5) for j in range(5)]


@pytest.fixture
def explain(videos, places, small, tmp_path, monkeypatch):
    """Explains some models into a folder; returns the tables and the line."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))

    def make(target: Path, models, known=places, threads=1, **changes):
        line = run(
            target,
            models,
            videos,
            known,
            tables.from_rows("adjacency", ADJACENCY),
            Lexicon(PAIRS, {video.video_id: video for video in videos}),
            explain=small.explain.model_copy(update=changes),
            evaluate=small.evaluate,
            media=small.media,
            execution=small.execution.model_copy(update={"threads": threads}),
            seed=1,
        )
        return {name: tables.read(name, target / f"{name}.parquet") for name in MADE}, line

    return make


def test_alone(explain, this_run, tmp_path):
    made, line = explain(tmp_path / "out", this_run)
    assert made["pointing"].num_rows == 2 * 5  # layers, and pairs of a video and one of its actions
    assert set(made["pointing"]["times"].to_pylist()) == {3}  # at 0, 4 and 8 of the frames 0 2 4 7 and 4 6 8 11
    assert made["pointing_scores"].num_rows == 2 * 8
    assert made["embedding"].num_rows == 2 * 3 * 5
    assert made["clustering"].num_rows == 2 * 3
    assert set(made["neighbours"]["learner"].to_pylist()) == {"audio", "data", "text"}
    assert made["boosts"].num_rows == 0
    assert made["compared"].num_rows == 2
    assert made["playable"]["video_id"].to_pylist() == ["a", "b", "c"]
    assert len(set(made["drawn"]["video_id"].to_pylist())) == 2
    assert line.startswith("2 videos drawn; the model's heat at layer3 points at the action ")
    digests = json.loads((tmp_path / "out/models.json").read_text())
    assert digests["model"]["model.safetensors"] == files.sha256(this_run[0].folder / "model.safetensors")


def test_the_same_run_gives_the_same_bytes_by_any_number_of_threads(explain, this_run, tmp_path):
    for name, threads in (("one", 1), ("two", 3)):
        explain(tmp_path / name, this_run, threads=threads)
    names = [path.name for path in sorted((tmp_path / "one").iterdir())]
    assert len(names) > len(MADE)
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_any_action_may_be_asked_for_by_name(explain, this_run, tmp_path):
    vocabulary = load(this_run[0].folder)[1].actions
    asked = (vocabulary[4], vocabulary[0])
    made, _ = explain(tmp_path / "out", this_run, videos=1, actions=asked)
    assert made["drawn"]["action_id"].to_pylist() == [0, 4]
    with pytest.raises(PlainError, match=r"explain\.actions: there is no action juggling"):
        explain(tmp_path / "other", this_run, actions=("juggling",))


def test_where_no_places_are_known_nothing_is_pointed_at(explain, this_run, tmp_path):
    made, line = explain(tmp_path / "out", this_run, known={})
    assert made["pointing"].num_rows == made["pointing_scores"].num_rows == 0
    assert made["drawn"].num_rows == 4
    assert line == "2 videos drawn"


def test_beside_itself_a_model_gains_nothing(explain, finished, tmp_path):
    root = finished("run", "visual", "text")
    made, _ = explain(tmp_path / "out", explained(root, str(root)))
    assert [row["boost"] for row in made["boosts"].to_pylist()] == [0.0] * 5
    for name in ("pointing", "drawn"):
        rows = made[name].to_pylist()
        strip = {"model", "frames", "strip", "moving"}
        ours, theirs = (
            [{key: value for key, value in row.items() if key not in strip and value == value}
             for row in rows if row["model"] == which]
            for which in ("model", "baseline")
        )  # fmt: skip
        assert ours == theirs


def test_a_fully_connected_model_has_neighbours_alone(explain, finished, tmp_path):
    made, _ = explain(tmp_path / "out", explained(finished("run", "fc"), None))
    assert made["embedding"].num_rows == made["clustering"].num_rows == 0
    assert set(made["neighbours"]["learner"].to_pylist()) == {"data", "fc"}


def test_free_matrices_have_neighbours_but_no_layers(explain, finished, tmp_path):
    root = finished("run", "visual", "audio", "text", control="free_matrix")
    made, _ = explain(tmp_path / "out", explained(root, None))
    assert made["embedding"].num_rows == made["clustering"].num_rows == 0
    assert set(made["neighbours"]["learner"].to_pylist()) == {"audio", "data", "text"}
    assert made["pointing"].num_rows == 2 * 5
    assert made["drawn"].num_rows == 4


def test_late_fusion_leaves_the_heat_as_it_is_without(explain, finished, tmp_path):
    """The heat is of the pictures; what a video sounds like changes no gradient of theirs."""
    root, plain = finished("run", "fc", late_fusion=True), finished("plain", "fc")
    network, _ = load(root / FOLDER)
    other, description = load(plain / FOLDER)
    other.load_state_dict({name: value for name, value in network.state_dict().items() if not name.startswith("sound")})
    save_model(plain / FOLDER, other, description)
    for name, run_of in (("out", root), ("expected", plain)):
        explain(tmp_path / name, explained(run_of, None))
    for name in ("pointing", "neighbours", "drawn"):
        assert (tmp_path / f"out/{name}.parquet").read_bytes() == (tmp_path / f"expected/{name}.parquet").read_bytes()


def test_a_baseline_of_other_actions_is_refused(explain, finished, tmp_path):
    other = finished("other", "fc", actions=("one", "two", "three", "four", "five"))
    with pytest.raises(PlainError, match=r"explain.baseline: .*other actions"):
        explain(tmp_path / "out", explained(finished("run", "fc"), str(other)))


def test_a_baseline_that_is_not_there_is_an_error_that_names_it(finished, tmp_path):
    with pytest.raises(PlainError, match=r"nowhere/data/predictions/predictions\.parquet"):
        explained(finished("run", "fc"), str(tmp_path / "nowhere"))
