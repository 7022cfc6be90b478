"""The presets: they say what differs, with the paper's values; DVC plans a run with each."""

import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.foundations.params import parse_params, presets
from pipeline.foundations.params.editing import flat
from pipeline.foundations.runtime.errors import PlainError
from tests.end_to_end.clones import clone, environment
from tests.presets import FOLDER, NAMES, ROOT, preset_params, preset_text

TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
LAYOUTS = {
    "mmit": {
        "moments_categories.txt": "swimming,0\r\nplaying+music,1\r\n",
        "trainingSet.txt": "\ufeffswimming/a b.MP4,0,0\r\n\r\nplaying+music/c.mp4,0,1\r\n",
        "validationSet.txt": "swimming/d.mp4,0\r\n",
    },
    "csv": {"videos.csv": "path,split,labels\nswimming/a.mp4,train,swimming; running\nb.mp4,val,running\n"},
    "charades": {
        "Charades_v1_classes.txt": "c000 Holding some clothes\nc001 Putting clothes somewhere\n",
        "Charades_v1_train.csv": 'id,script,actions,length\nA,"One, two.",c000 0.0 1.5;c001 1.0 2.0,30.1\n',
        "Charades_v1_test.csv": "id,script,actions,length\nB,x,c001 0.0 1.5,30.1\n",
    },
    "features": {"manifest.json": "{}", "actions.txt": "singing\n"},
}


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


def own(name: str) -> dict:
    return flat(YAML(typ="safe").load(FOLDER / f"{name}.yaml"))


def test_the_sample_holds_the_committed_value_of_all_that_presets_set():
    sample = own(presets.SAMPLE)
    committed = flat(YAML(typ="safe").load(TEXT))
    missing = {key for name in NAMES for key in own(name) if key != "based_on"} - set(sample)
    assert missing == set(), f"add to params/{presets.SAMPLE}.yaml: {missing}"
    assert sample == {key: committed[key] for key in sample}


def test_a_preset_names_what_differs_and_nothing_else(name):
    base = presets.read(own(name).get("based_on", presets.SAMPLE), FOLDER).values
    assert [key for key, value in own(name).items() if key != "based_on" and base[key] == value] == []
    assert presets.read(name, FOLDER).about


def test_a_preset_does_not_depend_on_the_one_before(name):
    there = preset_text(name)
    for before in ("released", "charades"):
        text = preset_text(before)
        assert presets.applied(text, presets.changes(text, presets.read(name, FOLDER))) == there
    assert presets.applied(there, presets.changes(there, presets.read(presets.SAMPLE, FOLDER))) == TEXT


def test_a_preset_validates(name):
    params = preset_params(name)
    if params.dataset.source != "sample":
        assert not params.dataset.videos.startswith(params.dataset.watch)  # or DVC would hash every video


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("mmit", "charades", "released"))])
def test_a_preset_of_real_data_has_the_papers_backbone_and_words(name):
    params = preset_params(name)
    assert params.dataset.source in LAYOUTS
    assert params.backbone.name == "r2plus1d_34"
    assert params.words.size == 300


def test_one_value_puts_every_path_into_the_folder(name):
    before = preset_params(name).model_dump()
    after = parse_params(preset_text(name, {"dataset.folder": "/your/folder"}), Path("params.yaml")).model_dump()
    assert before | {"dataset": before["dataset"] | {"folder": "/your/folder"}} == after
    assert not any(before["dataset"]["folder"] in str(value) for value in after.values())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("train:\n  epoks: 3\n", "preset p: train.epoks: unknown parameter"),
        ("based_on: nowhere\n", "nowhere.yaml: no such preset; there are sample, p"),
        ("based_on: p\n", "p.yaml: based_on is circular: p -> p"),
        ("- a\n", "p.yaml: expected sections of parameters"),
        ("a: [\n", "p.yaml: not a preset: "),
    ],
)
def test_a_preset_that_cannot_be_read_is_told_in_a_sentence(tmp_path, content, sentence):
    (tmp_path / "sample.yaml").write_text("seed: 2021\n")
    (tmp_path / "p.yaml").write_text(content)
    with pytest.raises(PlainError) as caught:
        presets.changes(TEXT, presets.read("p", tmp_path))
    assert sentence in str(caught.value)


def test_what_was_changed_by_hand_is_what_no_preset_sets():
    text = preset_text("mmit_v1_mini", {"train.batch": 16, "dataset.folder": "/mine", "seed": 5})
    found = presets.changes(text, presets.read("released", FOLDER))
    edited = presets.by_hand(found, [presets.read(each, FOLDER) for each in presets.names(FOLDER)])
    assert edited == [("dataset.folder", "/mine", "/data/mmit_v1"), ("train.batch", 16, 64)]


def test_the_papers_values():
    """DESIGN.md, "The paper's settings"."""
    params = preset_params("mmit_v1_mini")
    assert (params.train.batch, params.train.learning_rate, params.train.epochs) == (64, 0.01, 30)
    assert (params.train.momentum, params.train.nesterov, params.train.weight_decay) == (0.9, True, 1e-4)
    assert (params.train.milestones, params.train.jitter, params.train.crop) == ((12, 24), (128, 160), 112)
    assert (params.frames.fps, params.frames.span, params.frames.count) == (30.0, 16, 8)
    assert (params.frames.mean, params.frames.std) == (0.45, 0.225)
    assert (params.evaluate.temporal_views, params.evaluate.spatial_views, params.evaluate.combine) == (10, 3, "max")
    assert (params.evaluate.short_side, params.evaluate.crop) == (128, 128)
    assert (params.split_mini.per_action, params.split_mini.require_audio_stream) == (300, True)
    assert (params.adjacency.threshold, params.gcn.layers, params.gcn.slope) == (0.4, 2, 0.2)
    assert params.clips.short_side >= 1.2 * params.train.jitter[1]  # tests/clips/test_scaled_twice.py


@pytest.mark.parametrize("name", ["mmit_v1", "mmit_v2", "charades"], indirect=False)
def test_a_full_data_set_is_not_drawn_from_and_stays_in_few_files(name):
    params = preset_params(name)
    assert (params.split_mini.draw, params.split_mini.require_audio_stream) == ("all", False)
    assert 1_020_000 / params.clips.shard_size < 10_000 or name == "charades"


def test_charades_is_seen_and_read_but_not_heard():
    params = preset_params("charades")
    assert params.model.heads == ("visual", "text")
    assert params.evaluate.split == "val"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return clone(tmp_path_factory.mktemp("presets") / "clone")


def test_the_benchmark_is_the_sample_with_more_videos():
    """Some thousand test videos, of the same seed, table and hidden actions: only sizes and views differ."""
    sample, benchmark = parse_params(TEXT, Path("params.yaml")), preset_params("benchmark")
    sizes = {"train", "validation", "test"}
    assert benchmark.render.model_dump(exclude=sizes) == sample.render.model_dump(exclude=sizes)
    assert benchmark.render.test >= 4000
    assert benchmark.dataset == sample.dataset
    assert benchmark.render.train / benchmark.train.batch * benchmark.train.epochs > 500


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "benchmark"])
def test_dvc_plans_a_run_over_a_folder_in_the_published_layout(project, tmp_path, name):
    source = preset_params(name).dataset.source
    (tmp_path / "videos").mkdir()
    (tmp_path / "annotations").mkdir()
    for file, content in LAYOUTS[source].items():
        (tmp_path / "annotations" / file).write_text(content, encoding="utf-8", newline="")
    (project / "params.yaml").write_text(preset_text(name, {"dataset.folder": str(tmp_path)}), encoding="utf-8")
    command = ["dvc", "repro", "--dry", "--force"]  # without force, DVC's plan ends where an input is not there yet
    run = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    planned = [line.split("'")[1] for line in run.stdout.splitlines() if line.startswith("Running stage")]
    assert planned[0] == "index"
    assert {"split_mini", "build_adjacency", "train", "evaluate", "report"} <= set(planned)
    assert not [stage for stage in planned if "render" in stage]
