"""The presets: whole, up to date with params.yaml, with the paper's values; DVC plans a run with each."""

import subprocess
from pathlib import Path

import pytest

from params import make
from pipeline.foundations.params import load_params
from tests.end_to_end.clones import clone, environment

FOLDER = make.FOLDER
LAYOUTS = {
    "mmit": {
        "moments_categories.txt": "swimming,0\r\nplaying+music,1\r\n",
        "trainingSet.txt": "\ufeffswimming/a b.MP4,0,0\r\n\r\nplaying+music/c.mp4,0,1\r\n",
        "validationSet.txt": "swimming/d.mp4,0\r\n",
    },
    "charades": {
        "Charades_v1_classes.txt": "c000 Holding some clothes\nc001 Putting clothes somewhere\n",
        "Charades_v1_train.csv": 'id,script,actions,length\nA,"One, two.",c000 0.0 1.5;c001 1.0 2.0,30.1\n',
        "Charades_v1_test.csv": "id,script,actions,length\nB,x,c001 0.0 1.5,30.1\n",
    },
}


@pytest.fixture(params=make.PRESETS)
def name(request) -> str:
    return request.param


def test_every_file_has_its_recipe_and_every_recipe_its_file():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(make.PRESETS)


def test_a_preset_is_what_make_writes(name):
    written = make.preset(make.BASE.read_text(encoding="utf-8"), name)
    assert (FOLDER / f"{name}.yaml").read_text(encoding="utf-8") == written, "run `make presets`"


def test_a_preset_validates_and_is_of_real_data(name):
    params = load_params(FOLDER / f"{name}.yaml")
    assert params.dataset.source in LAYOUTS
    assert params.backbone.name == "r2plus1d_34"
    assert params.words.size == 300
    assert not params.dataset.videos.startswith(params.dataset.watch)  # or DVC would hash every video


def with_folder(name: str, folder: Path) -> str:
    """A preset, as the README says to use it: with another folder in one line, and nothing else changed."""
    lines = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    (line,) = (number for number, text in enumerate(lines) if text.startswith("  folder: "))
    lines[line] = f"  folder: {folder}\n"
    return "".join(lines)


def test_one_line_puts_every_path_into_the_folder(name, tmp_path):
    (tmp_path / "params.yaml").write_text(with_folder(name, Path("/your/folder")), encoding="utf-8")
    before, after = (load_params(path).model_dump() for path in (FOLDER / f"{name}.yaml", tmp_path / "params.yaml"))
    dataset = after["dataset"]
    paths = [str(Path(dataset["folder"], dataset[key])) for key in ("annotations", "videos", "watch")]
    assert paths == ["/your/folder/annotations", "/your/folder/videos", "/your/folder/annotations"]
    assert before | {"dataset": dataset} == after
    assert not any(before["dataset"]["folder"] in str(value) for value in after.values())


def test_the_papers_values():
    """DESIGN.md, "The paper's settings"."""
    params = load_params(FOLDER / "mmit_v1_mini.yaml")
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
    params = load_params(FOLDER / f"{name}.yaml")
    assert (params.split_mini.draw, params.split_mini.require_audio_stream) == ("all", False)
    assert 1_020_000 / params.clips.shard_size < 10_000 or name == "charades"


def test_charades_is_seen_and_read_but_not_heard():
    params = load_params(FOLDER / "charades.yaml")
    assert params.model.heads == ("visual", "text")
    assert params.evaluate.split == "val"


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    return clone(tmp_path_factory.mktemp("presets") / "clone")


@pytest.mark.slow
def test_dvc_plans_a_run_over_a_folder_in_the_published_layout(project, tmp_path, name):
    source = load_params(FOLDER / f"{name}.yaml").dataset.source
    (tmp_path / "videos").mkdir()
    (tmp_path / "annotations").mkdir()
    for file, content in LAYOUTS[source].items():
        (tmp_path / "annotations" / file).write_text(content, encoding="utf-8", newline="")
    (project / "params.yaml").write_text(with_folder(name, tmp_path), encoding="utf-8")
    command = ["dvc", "repro", "--dry", "--force"]  # without force, DVC's plan ends where an input is not there yet
    run = subprocess.run(command, cwd=project, env=environment(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    planned = [line.split("'")[1] for line in run.stdout.splitlines() if line.startswith("Running stage")]
    assert planned[0] == "index"
    assert {"split_mini", "build_adjacency", "train", "evaluate", "report"} <= set(planned)
    assert not [stage for stage in planned if "render" in stage]
