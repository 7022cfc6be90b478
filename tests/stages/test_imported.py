"""The stages on imported features, one after the other, on a folder of 60 videos made at random."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.evaluate.frozen import predict
from pipeline.foundations.params import load_params, parse_params
from pipeline.foundations.params.editing import edited
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from pipeline.model.design import Design
from pipeline.train.experiment import Experiment
from pipeline.train.imported import run_imported
from pipeline.train.inputs import Inputs
from stages import (
    build_adjacency,
    build_audio_lexicon,
    build_text_lexicon,
    evaluate,
    explain,
    extract_vggish,
    fetch_weights,
    filter_silent,
    freeze,
    heads,
    index,
    prepare_clips,
    split_mini,
    train,
    whiten,
)
from tests.features import ORIGIN, folder, items
from tests.presets import ROOT, preset_text

UP_TO_TRAINING = (index, filter_silent, split_mini, fetch_weights, extract_vggish, whiten, build_audio_lexicon,
                  build_text_lexicon, build_adjacency, prepare_clips)  # fmt: skip
CHANGES = {
    "dataset.folder": "set", "train.epochs": 2, "train.batch": 8, "frozen.epochs": 2, "frozen.batch": 8,
    "frozen.tune": True, "frozen.tune_epochs": [2], "frozen.repeats": 2, "gcn.hidden": 8, "evaluate.bootstrap": 50,
    "model.late_fusion": True,
}  # fmt: skip


@pytest.fixture(scope="module", params=[1, 3], ids=["one view", "three views"])
def project(request, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("imported")
    folder(root / "set", ORIGIN._replace(standardize=True, constant=1.0), views=request.param)
    (root / "data/external").mkdir(parents=True)
    for name in ("glove.6B.100d.real.txt", "speech_16khz.wav"):
        shutil.copyfile(ROOT / "data/external" / name, root / "data/external" / name)
    (root / "params.yaml").write_text(preset_text("youtube8m", CHANGES), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for stage in (*UP_TO_TRAINING, train, evaluate, explain, freeze, heads):
            stage.main()
    return root


@pytest.fixture
def inside(project, monkeypatch):
    monkeypatch.chdir(project)
    return project


def read(name: str, path: str):
    return tables.read(name, Path(path))


def test_verdicts_tell_silence_and_absence_and_invent_no_loudness(inside):
    rows = {row["video_id"]: row for row in read("verdicts", "data/audible/verdicts.parquet").to_pylist()}
    for item in items():
        number = int(item.video_id[1:])
        expected = "no_audio_stream" if number % 5 == 0 else "digital_silence" if number % 4 == 0 else "audible"
        assert rows[item.video_id]["verdict"] == expected
        assert np.isnan([rows[item.video_id][name] for name in ("seconds", "peak_dbfs", "rms_dbfs")]).all()


def test_forms_are_the_imported_ones_in_their_own_width(inside):
    whitened = read("whitened", "data/features/whitened.parquet")
    forms = dict(zip(whitened["video_id"].to_pylist(), tables.vectors(whitened["form"]), strict=True))
    audible = [item for item in items() if int(item.video_id[1:]) % 5 and int(item.video_id[1:]) % 4]
    assert sorted(forms) == sorted(item.video_id for item in audible)
    for item in audible:
        np.testing.assert_allclose(forms[item.video_id], item.form * (4 / 255) - 2, atol=1e-6)
    assert read("audio", "data/lexicons/audio.parquet")["form"].type.list_size == 6
    assert read("whitening", "data/features/whitening.parquet").num_rows == 0


def test_every_test_video_is_scored_by_the_trained_model(inside):
    model, about = load_model(Path("models/m3a"))
    assert (about.feature_size, about.sound_size, about.design.backbone.name) == (5, 6, "imported")
    assert about.features == {
        "title": "a test", "model": "noise", "preprocessing": "none", "licence": "none", "of": "its pictures",
    }  # fmt: skip
    predictions = read("predictions", "data/predictions/predictions.parquet")
    assert predictions.num_rows == 20
    params = parse_params(Path("params.yaml").read_text(), Path("params.yaml"))
    frozen = predict(heads.VIEW_FEATURES, model, Inputs().whitened, params.evaluate)
    assert frozen["video_id"].equals(predictions["video_id"])
    np.testing.assert_allclose(tables.vectors(frozen["scores"]), tables.vectors(predictions["scores"]), rtol=1e-5)


def test_late_fusion_hears_sounds_at_the_scale_of_x(inside):
    model, about = load_model(Path("models/m3a"))
    sounds = torch.ones(2, about.sound_size)
    expected = about.feature_size**-0.25 * model.sound.weight.sum(1)
    torch.testing.assert_close(model.sound(sounds), expected.expand(2, -1))


def test_curves_are_written_for_every_epoch(inside):
    for name in ("train/loss", "val/loss", "val/map_sample", "val/map_action", "train/learning_rate"):
        lines = Path(f"data/curves/plots/metrics/{name}.tsv").read_text().splitlines()
        assert [line.split("\t")[0] for line in lines[1:]] == ["1", "2"]


def test_training_that_was_stopped_goes_on_and_ends_with_the_same_bytes(inside, tmp_path, capsys):
    params, calls = load_params(), []

    def stops(scores, targets):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return 50.0

    def run(**metrics):
        experiment = Experiment(
            inputs=Inputs(), design=Design.of(params), train=params.train, metrics=metrics, seed=params.seed,
            execution=params.execution,
        )  # fmt: skip
        run_imported(experiment, model_folder=tmp_path / "model", curves_folder=tmp_path / "curves")

    with pytest.raises(KeyboardInterrupt):
        run(map_sample=stops)
    assert not (tmp_path / "model").exists()
    run(**train.METRICS)
    assert "going on from epoch 2" in capsys.readouterr().err
    name = "model.safetensors"
    assert (tmp_path / "model" / name).read_bytes() == Path("models/m3a", name).read_bytes()
    curve = "curves/plots/metrics/train/loss.tsv"
    assert (tmp_path / curve).read_bytes() == Path("data", curve).read_bytes()


def test_heads_are_tuned_on_them(inside):
    assert len(list((heads.PREDICTIONS / "tuned").iterdir())) == 2
    trials = read("trials", str(heads.TRIALS)).to_pylist()
    params = parse_params(Path("params.yaml").read_text(), Path("params.yaml"))
    assert sum(row["role"] == "tuning" for row in trials) == len(params.frozen.tune_learning_rates)


def test_explanations_are_of_relations_alone(inside):
    assert read("drawn", "data/explain/drawn.parquet").num_rows == 0
    assert read("pointing", "data/explain/pointing.parquet").num_rows == 0
    assert {"audio", "text", "data"} <= set(
        read("neighbours", "data/explain/neighbours.parquet")["learner"].to_pylist()
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"explain.videos": 4}, "explain.videos asks for pictures"),
        ({"backbone.name": "r3d_tiny"}, "set backbone.name to imported"),
        ({"vggish.source": "seeded"}, "set vggish.source to none"),
        ({"dataset.source": "csv"}, "another than imported"),
    ],
)
def test_parameters_that_do_not_go_with_features_are_told(changes, sentence):
    from pipeline.foundations.runtime.errors import PlainError

    text = edited(preset_text("youtube8m"), changes)
    with pytest.raises(PlainError, match=sentence):
        parse_params(text, Path("params.yaml"))
