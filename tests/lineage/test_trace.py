"""From a metric to the bytes of a video, and back down."""

import json
import shutil

import pyarrow.compute as pc
import pytest

from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.lineage.trace import trace
from pipeline.lineage.tree import to_json, to_rich
from pipeline.lineage.why import consequences, why
from tests.end_to_end.clones import change_params

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]


def _text(node):
    return "\n".join([f"{node.label} {node.detail}", *(_text(child) for child in node.children)])


def _find(node, label):
    found = [node] if node.label == label else []
    return found + [hit for child in node.children for hit in _find(child, label)]


def test_a_metric_leads_up_to_every_stage_the_parameters_and_the_machine(pipeline_run):
    tree = trace(pipeline_run.root, "map_sample")
    text = _text(tree)
    for stage in pipeline_run.stages:
        if stage not in ("explain", "report"):  # they come after the metric
            assert f"made by {stage}" in text
    assert "params" in text or "parameters" in text
    assert [node.detail for node in _find(tree, "went into")]
    file = trace(pipeline_run.root, "data/metrics.json")
    assert _find(file, "map_sample")[0].detail == tree.detail.removeprefix("a metric: ")
    assert _find(file, "made by")[0] == _find(tree, "made by")[0]
    assert len(_find(tree, "git revision")) >= len(pipeline_run.stages) - 2


def test_a_table_leads_both_ways(pipeline_run):
    tree = trace(pipeline_run.root, "data/features/whitened.parquet")
    assert _find(tree, "made by")[0].detail == "whiten"
    below = {child.label for child in _find(tree, "went into")[0].children}
    assert {"build_audio_lexicon", "train", "evaluate"} <= below
    assert "build_adjacency" not in below


def test_a_training_video_tells_its_file_sound_draw_and_lexicon_entries(pipeline_run):
    lexicon = tables.read("audio", pipeline_run.root / "data/lexicons/audio.parquet")
    video_id = lexicon["video_id"][0].as_py()
    videos = tables.read("videos", pipeline_run.root / "data/index/videos.parquet")
    row = videos.filter(pc.equal(videos["video_id"], video_id)).to_pylist()[0]
    tree = trace(pipeline_run.root, video_id)
    assert _find(tree, "sha256")[0].detail == row["sha256"]
    assert _find(tree, "sound")[0].detail == "audible"
    assert _find(tree, "mini split")[0].detail.startswith("drawn for ")
    assert _find(tree, "audio lexicon")[0].detail.startswith("a form of ")


def test_a_test_video_tells_its_ranks(pipeline_run):
    predictions = tables.read("predictions", pipeline_run.root / "data/predictions/predictions.parquet")
    row = predictions.to_pylist()[0]
    tree = trace(pipeline_run.root, row["video_id"])
    ranks = _find(tree, "prediction")[0].children
    best = max(range(len(row["scores"])), key=lambda number: row["scores"][number])
    names = tables.read("actions", pipeline_run.root / "data/index/actions.parquet")["action"].to_pylist()
    assert ranks[0].label == f"1. {names[best]}"
    assert sum("a label" in node.detail for node in ranks) == len(row["actions"])


def test_a_test_video_tells_what_explains_it_and_where_it_went(pipeline_run):
    drawn = tables.read("drawn", pipeline_run.root / "data/explain/drawn.parquet").to_pylist()[0]
    tree = trace(pipeline_run.root, drawn["video_id"])
    told = _find(tree, "explained by")[0]
    assert any(f"data/explain/{drawn['strip']}" in child.detail for child in told.children)
    went = {child.label: child.detail for child in _find(tree, "went into")[0].children}
    assert went["data/predictions/predictions.parquet"] == "a row"
    assert went["data/metrics.json"].startswith("scored on it")
    assert not went.keys() & {"models/m3a", "data/graph/adjacency.parquet", "data/features/whitening.parquet"}


def test_a_training_video_tells_that_it_was_counted_fitted_and_trained_on(pipeline_run):
    lexicon = tables.read("audio", pipeline_run.root / "data/lexicons/audio.parquet")
    went = {
        child.label: child.detail
        for child in _find(trace(pipeline_run.root, lexicon["video_id"][0].as_py()), "went into")[0].children
    }
    assert went["models/m3a"] == "trained on it"
    assert went["data/graph/adjacency.parquet"] == "its labels are counted"
    assert went["data/features/whitening.parquet"].startswith("fitted on it")
    assert "data/metrics.json" not in went


def test_a_metric_leads_to_the_weights_with_their_source_and_digest(pipeline_run):
    weights = _find(trace(pipeline_run.root, "top5"), "weights")[0]
    vggish = next(child for child in weights.children if child.label == "vggish.safetensors")
    assert vggish.detail == "from seed 2021, UNTRAINED"
    assert len(vggish.children[0].detail) == 64


def test_an_action_tells_its_counts_forms_and_neighbours(pipeline_run):
    videos = tables.read("videos", pipeline_run.root / "data/index/videos.parquet").to_pylist()
    names = tables.read("actions", pipeline_run.root / "data/index/actions.parquet")["action"].to_pylist()
    tree = trace(pipeline_run.root, names[0])
    train = sum(0 in row["actions"] for row in videos if row["split"] == "train")
    assert f"{train} train" in _find(tree, "videos")[0].detail


def test_a_stranger_is_refused_with_what_is_known(pipeline_run):
    with pytest.raises(PlainError, match="not known here; expected a metric"):
        trace(pipeline_run.root, "no such thing")


def test_before_a_run_what_git_does_not_hold_is_refused_with_how_to_get_it(pipeline_run, tmp_path):
    """A fresh clone has dvc.lock and the metrics."""
    shutil.copy(pipeline_run.root / "dvc.lock", tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copy(pipeline_run.root / "data/metrics.json", tmp_path / "data")
    assert trace(tmp_path, "map_sample").detail.startswith("a metric")
    with pytest.raises(
        PlainError, match=r"applauding: not a metric, .*, and there are no results yet: run `make repro`"
    ):
        trace(tmp_path, "applauding")


def test_a_tree_is_drawn_and_written(pipeline_run):
    tree = trace(pipeline_run.root, "index")
    assert "a stage" in str(to_rich(tree).label)
    assert json.loads(json.dumps(to_json(tree)))["label"] == "index"


def test_an_untouched_stage_has_no_reason_to_run(pipeline_run):
    params = load_params(pipeline_run.root / "params.yaml")
    assert [stage for stage in pipeline_run.stages if why(pipeline_run.root, params, stage)] == []


def test_a_changed_parameter_is_the_reason_with_both_values_and_what_follows(pipeline_run):
    path = pipeline_run.root / "params.yaml"
    before = path.read_bytes()
    change_params(pipeline_run.root, {"gcn": {"hidden": 77}})
    try:
        reasons = why(pipeline_run.root, load_params(path), "train")
        later = why(pipeline_run.root, load_params(path), "evaluate")
    finally:
        path.write_bytes(before)
    assert [reason.what for reason in reasons] == ["gcn.hidden: from 1024 to 77"]
    assert [reason.kind for reason in later] == ["upstream"]
    assert consequences(pipeline_run.root, "train") == ["evaluate", "explain", "report"]


def test_a_changed_module_is_shown_line_by_line(pipeline_run):
    module = pipeline_run.root / "pipeline/graph/cooccurrence.py"
    before = module.read_text()
    module.write_text(before + "\nEDITED = True\n")
    try:
        reasons = why(pipeline_run.root, load_params(pipeline_run.root / "params.yaml"), "build_adjacency")
    finally:
        module.write_text(before)
    assert [(reason.kind, reason.what) for reason in reasons] == [("code", "pipeline/graph/cooccurrence.py")]
    assert "+EDITED = True" in reasons[0].detail
