"""Models on the command line."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.dataset.sample.write import write_video
from pipeline.foundations.params.editing import edited
from pipeline.foundations.tables import tables
from pipeline.graph.cooccurrence import adjacency_table
from pipeline.model.backbones.pooling import Pooling
from pipeline.model.backbones.resnet3d import ARCHITECTURES, ResNet3d
from pipeline.model.checkpoint import Description, load_model, save_model
from pipeline.model.design import Design
from pipeline.model.heads import FullyConnected
from pipeline.model.model import MultiActionModel, build_model
from pipeline.model.published import AUTHORS, our_names
from tests.extras import needs
from tests.train.miniature import changed

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "checkpoints"
run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})


@pytest.fixture
def published_fc(tmp_path):
    """A small fc model of five actions, and its checkpoint by the authors' names, with one tensor of no place."""
    names = json.loads((DATA / "official_repository.json").read_text())["r3d18_graph_audio_text"]["tensors"]
    model = MultiActionModel(ResNet3d(ARCHITECTURES["r3d_tiny"]), Pooling("global"), FullyConnected(128, 5))
    model(torch.randn(4, 3, 8, 32, 32))
    state = model.state_dict()
    theirs = {name: state[ours] for name, ours in our_names(names, AUTHORS).items() if ours in state}
    theirs |= {"projection.weight": state["head.weight"], "projection.bias": state["head.bias"], "extra": torch.ones(2)}
    torch.save({"model_state": theirs, "epoch": 1}, tmp_path / "c.pyth")
    return model.eval(), len(theirs)


def test_convert_weights_says_what_became_of_the_tensors(tmp_path, published_fc):
    result = run.invoke(app, ["convert-weights", str(tmp_path / "c.pyth"), str(tmp_path / "w.safetensors")])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("recognized: multi-action-video, r3d_tiny; sha256 ")
    assert lines[1].startswith(f"mapped: {published_fc[1] - 1} tensors")
    assert lines[2:5] == ["left over: extra (2,)", "missing: nothing", "batch norm: eps 1e-05, momentum 0.1"]
    assert "params.yaml, to use its head: model.heads: [fc]" in lines


@pytest.fixture
def trained(tmp_path, params, monkeypatch):
    """The folder of a saved, untrained model of two actions, and the working directory where params.yaml is."""
    monkeypatch.chdir(ROOT)
    design = Design.of(changed(params, {"model": {"heads": ("fc",)}}))
    model = build_model(design, actions=2, adjacency=torch.eye(2), audio_forms=None, text_forms=None)
    about = Description(
        actions=("frying", "größer werden"), design=design, audio_size=None, text_size=None, batch_norm=model.batch_norm
    )
    save_model(tmp_path / "m3a", model, about)
    return tmp_path / "m3a"


@pytest.fixture
def video(tmp_path):
    """Half a second of noise."""
    planes = np.random.default_rng(0).integers(0, 256, (15, 96 * 64 * 3 // 2), dtype=np.uint8)
    write_video(tmp_path / "noise [1].mp4", planes, size=(96, 64), fps=30, sound=None, rate=16_000)
    return tmp_path / "noise [1].mp4"


@pytest.mark.slow
@needs("onnx")
def test_export_carries_what_a_reader_needs(tmp_path, params, trained):
    """A saved model, exported: its input is a clip of params.yaml, its actions travel with it."""
    import onnxruntime

    result = run.invoke(app, ["export", "--model", str(trained), "--to", str(tmp_path / "out")])
    assert result.exit_code == 0
    clip = [3, params.frames.count, params.evaluate.crop, params.evaluate.crop]
    written = f"model.onnx, model.pt2 and infer.py, 2 actions, clips of {' x '.join(map(str, clip))}\n"
    assert result.output.endswith(written)
    assert "the model card will have no metrics: " in result.output  # the project's own run is another model's
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    assert session.get_inputs()[0].shape[1:] == clip
    carried = json.loads(session.get_modelmeta().custom_metadata_map["description.json"])
    assert carried["actions"] == ["frying", "größer werden"]
    assert carried["frames"]["mean"] == params.frames.mean
    assert carried["evaluate"]["temporal_views"] == params.evaluate.temporal_views
    names = {"README.md", "infer.py", "model.onnx", "model.pt2", "preprocess.json", "reference.json", "reference.mp4"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert "Not evaluated" in (tmp_path / "out/README.md").read_text()


def test_predict_names_the_best_actions_and_the_files_it_cannot_read(tmp_path, trained, video):
    (tmp_path / "bad.mp4").write_bytes(b"bad")
    ask = ["predict", str(tmp_path / "bad.mp4"), str(video), "--model", str(trained)]
    result = run.invoke(app, ask)
    assert result.exit_code == 1
    reason = "not a readable MP4, Matroska or AVI file: starts with b'bad'"
    assert result.stderr == f"{tmp_path}/bad.mp4: cannot be read: {reason}\n"
    name, *lines = result.stdout.splitlines()
    assert name == str(video)
    assert {line.split(maxsplit=1)[1] for line in lines} == {"frying", "größer werden"}
    as_json = run.invoke(app, [*ask, "--json", "--top", "1"])
    assert as_json.exit_code == 1
    bad, good = json.loads(as_json.stdout)
    assert bad == {"video": f"{tmp_path}/bad.mp4", "actions": [], "reason": reason}
    assert good["reason"] == ""
    assert f"  {good['actions'][0]['score']:.3f}  {good['actions'][0]['action']}" == lines[0]
    assert run.invoke(app, ["predict", str(video), "--model", str(trained)]).exit_code == 0


def test_predict_says_where_nothing_scores_above_a_floor(trained, video):
    ask = ["predict", str(video), "--model", str(trained)]
    said = run.invoke(app, [*ask, "--floor", "1"])
    assert said.exit_code == 0
    assert said.stderr == f"{video}: no action scores above 1: it may show none that this model knows\n"
    assert run.invoke(app, [*ask, "--floor", "0"]).stderr == ""
    assert json.loads(run.invoke(app, [*ask, "--floor", "1", "--json"]).stdout)[0]["actions"]


def test_predict_writes_a_page_too(tmp_path, trained, video):
    ask = ["predict", str(video), "--model", str(trained), "--html", str(tmp_path / "page.html"), "--json"]
    result = run.invoke(app, ask)
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0]["reason"] == ""
    assert result.stderr.endswith(f"the page: {(tmp_path / 'page.html').as_uri()}\n")
    page = (tmp_path / "page.html").read_text()
    assert "noise [1].mp4" in page
    assert page.count("<video") == 3  # the video, and it under the heat of each of two actions


def test_a_published_model_is_adopted_with_its_head(tmp_path, published_fc, params, monkeypatch):
    """Converted and adopted, without training: the model in models/m3a gives the published model's scores."""
    monkeypatch.chdir(tmp_path)
    text = edited((ROOT / "params.yaml").read_text(), {"model.heads": ["fc"]})
    (tmp_path / "params.yaml").write_text(text)
    ids, names = np.arange(5, dtype=np.int16), list("abcde")
    actions = {"action_id": ids, "action": names, "words": [[name] for name in names]}
    tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", actions))
    graph = adjacency_table(pa.chunked_array([[[0, 1], [2], [3, 4]]], pa.list_(pa.int16())), 5, params.adjacency)
    tables.write("adjacency", Path("data/graph/adjacency.parquet"), graph)

    assert run.invoke(app, ["convert-weights", "c.pyth", "w.safetensors"]).exit_code == 0
    result = run.invoke(app, ["adopt-weights", "w.safetensors"])
    assert result.exit_code == 0, result.output
    adopted, about = load_model(Path("models/m3a"))
    assert about.actions == tuple(names)
    clips = torch.randn(2, 3, 8, 32, 32)
    assert torch.equal(adopted.scores(clips), published_fc[0].scores(clips))
