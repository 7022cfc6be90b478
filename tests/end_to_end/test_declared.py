"""Declared is used, and used is declared (DESIGN.md, invariant 4), held against real runs of every stage."""

import ast
import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from safetensors.torch import load_file, save_file

from pipeline.ablate.result import Result, line, write
from pipeline.foundations.params import presets
from pipeline.lineage.lock import TABLES, UNDECLARED
from pipeline.model import weights
from pipeline.report.dag import is_code
from tests.end_to_end.clones import PipelineRun, VariantRun, frozen_stages, nested, run_variants
from tests.end_to_end.watch import Watched
from tests.features import ORIGIN, folder

ROOT = Path(__file__).resolve().parents[2]
STAGES = [
    *YAML(typ="safe").load(ROOT / "data/raw/dvc.yaml")["stages"],
    *YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"],
]
FROZEN = list(YAML(typ="safe").load(ROOT / "data/frozen/dvc.yaml")["stages"])
"""Stages that `m3a ablate` alone runs."""
ALL = [*STAGES, *FROZEN]
DESIGN = {"frames", "backbone", "lexicon", "gcn", "transformer", "model"}
"""Sections that models/m3a/model.json carries, so that a model is rebuilt as it was trained."""
HOUSEKEEPING = {"params.yaml", TABLES, ".gitignore", ".gitattributes", ".dvcignore"}
"""Of parameters and tables' columns each read is watched by itself; the others DVCLive reads for git and DVC, which it
reports to."""
IN_EXPERIMENTS = {
    "dvc.yaml", "dvc.lock", "data/raw/dvc.yaml", "data/raw/dvc.lock", "data/frozen/dvc.yaml", "data/frozen/dvc.lock",
    "data/frozen/params.yaml", "data/metrics.json",
}  # fmt: skip
"""Read for git and DVC, too, by DVCLive where it finds itself in an experiment, and by DVC's worker."""
FIXED = {"lexicon", "transformer", "model", "train.head_rate", "train.head_weight_decay"}
"""Sections and parameters that stage `freeze` fills itself (tests/train/test_frozen.py)."""
PUBLISHED = {"models/pretrained"}
"""Opened where a backbone was fetched; the other run of stage `train` shows it, as which `freeze` and `heads` do."""
BACKBONE = "data/external/backbone.safetensors"
STEP = {"epochs": 1, "schedule": "step", "warmup_epochs": 0}
VARIANTS = (
    VariantRun("build_audio_lexicon", {"audio_lexicon": {"scope": "full"}}, "build_audio_lexicon: "),
    VariantRun("build_adjacency", {"adjacency": {"scope": "mini"}}, "build_adjacency: "),
    VariantRun("whiten", {"whitening": {"method": "released"}}, "with the released parameters"),
    VariantRun("evaluate", {"evaluate": {"split": "val", "temporal_views": 1}}, "evaluate: "),
    VariantRun("explain", {"evaluate": {"split": "val", "temporal_views": 1}, "explain": {"videos": 1}}, "explain: "),
    VariantRun("fetch_weights", {"vggish": {"source": "hub", "handle": "nowhere"}}, "nowhere has no saved_model.pb", 1),
    VariantRun(
        "fetch_weights", {"words": {"source": "sentences", "name": "nowhere"}}, "fetch_weights: error: words.", 1
    ),
    VariantRun("fetch_weights", {"backbone": {"weights": BACKBONE}}, "backbone.safetensors ("),
    VariantRun("train", {"train": STEP, "model": {"late_fusion": True}}, "the backbone starts from"),
    VariantRun("evaluate", {"evaluate": {"split": "val", "temporal_views": 1}}, "evaluate: "),
    VariantRun("report", {}, "report: "),
)
"""What the sample's run leaves aside and others' take up: other scopes, published weights, another tested split, a
table of an ablation."""
TO_FEATURES = presets.changes((ROOT / "params.yaml").read_text(encoding="utf-8"), presets.read("youtube8m"))
IMPORTED = nested(
    {change.key: change.then for change in TO_FEATURES}
    | {
        "train.epochs": 1, "train.batch": 8, "gcn.hidden": 8, "frozen.epochs": 1, "frozen.batch": 8,
        "frozen.repeats": 2, "evaluate.bootstrap": 50, "model.late_fusion": True,
    }
)  # fmt: skip
"""What turns the sample's parameters into those of imported features."""
ON_FEATURES = (
    "index", "filter_silent", "split_mini", "fetch_weights", "extract_vggish", "whiten", "build_audio_lexicon",
    "build_text_lexicon", "build_adjacency", "prepare_clips", "train", "evaluate", "explain", *FROZEN,
)  # fmt: skip
"""Stages that a run on imported features has, in their order."""
EXACT = {"index", "split_mini", "fetch_weights", "build_audio_lexicon", "build_adjacency", "prepare_clips"}
"""Stages that count, copy and choose, so that `numerics`, which all of them set, changes no byte of theirs."""
BY_DVC = {"dataset.watch"}
"""Read by DVC itself, which fills it into dvc.yaml."""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline_run")]


def _empty(path: Path) -> bool:
    """Whether a module holds nothing but its docstring: it cannot change what a stage does."""
    body = ast.parse(path.read_text()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def _expand(keys: list, params: dict) -> set[str]:
    """Parameters named in dvc.yaml, whole sections spelled out."""
    names = set()
    for key in (key for key in keys if isinstance(key, str)):
        head, _, field = key.partition(".")
        whole = not field and isinstance(params[head], dict)
        names |= {f"{head}.{name}" for name in params[head]} if whole else {key}
    return names


@pytest.fixture(scope="module")
def variants(pipeline_run, tmp_path_factory):
    """What the stages did in runs with other parameters."""
    base = tmp_path_factory.mktemp("variants")
    tensors = load_file(pipeline_run.root / "models/m3a/model.safetensors")
    batch_norm = weights.BatchNorm(eps=1e-5, momentum=0.1)
    name = YAML(typ="safe").load(pipeline_run.root / "params.yaml")["backbone"]["name"]
    origin = weights.Origin("model.safetensors", "0" * 64, "ourselves", name, batch_norm, {})
    (base / "clone" / BACKBONE).parent.mkdir(parents=True)
    save_file(
        {name: tensor for name, tensor in tensors.items() if name.startswith("backbone.")},
        base / "clone" / BACKBONE,
        weights._header(origin),
    )
    ablation = Result("table1", "joint", "sample, test split", (line("table1", "fc", "baseline", None, "not run"),), {})
    (base / "clone/data/ablations").mkdir()
    write(ablation, base / "clone/data/ablations")
    folder(base / "set", ORIGIN._replace(standardize=True, constant=1.0))
    imported = IMPORTED | {"dataset": IMPORTED["dataset"] | {"folder": str(base / "set")}}
    on_features = [VariantRun(stage, imported, f"{stage}: ") for stage in ON_FEATURES]
    return run_variants(pipeline_run, base / "clone", base / "watch", [*VARIANTS, *on_features])


@pytest.fixture
def ran(request, pipeline_run, stage) -> PipelineRun:
    """The runs of a stage: of the whole pipeline, or of an ablation on frozen features."""
    if stage not in FROZEN:
        return pipeline_run
    ablated = request.getfixturevalue("ablated")
    return PipelineRun(ablated.root, frozen_stages(ablated.root), ablated.watched)


@pytest.fixture
def did(request, ran, stage) -> Watched:
    """What a stage did in any run, those with other parameters included."""
    once, again = ran.watched[stage], request.getfixturevalue("variants")[stage]
    return Watched(*(one | other for one, other in zip(once, again, strict=True)))


def _tables(entry: dict) -> set[str]:
    """The tables whose columns a stage names beside its parameters."""
    return {name for key in entry.get("params", []) if isinstance(key, dict) for name in key[TABLES]}


def _inside(root: Path, path: str) -> str:
    """A path below `root`, links followed."""
    return os.path.relpath((root / path).resolve(), root.resolve())


def _is_page(path: str) -> bool:
    """Whether it is a folder's README.md, which DVC leaves out of the folder's digest (.dvcignore)."""
    return path.startswith("pipeline/") and path.endswith("/README.md")


def _lies_in(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def _outs(entry: dict) -> list[str]:
    """Outputs and metrics, which dvc.yaml names by a path or by a mapping from it to options."""
    return [out if isinstance(out, str) else next(iter(out)) for out in [*entry["outs"], *entry.get("metrics", [])]]


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_opens_no_file_that_it_does_not_declare(ran, stage):
    entry = ran.stages[stage]
    declared = [_inside(ran.root, path) for path in [*entry["deps"], *_outs(entry)]] + [*UNDECLARED]
    work = [
        ".cache/mapped",
        f".cache/{stage}",
        f".cache/{stage}.lock",
        f".cache/{stage}.running",
        f"data/runs/{stage}.jsonl",
    ]
    allowed = [*declared, *work, *HOUSEKEEPING]
    opened = {path for path in ran.watched[stage].opened if _is_page(path) or not _lies_in(path, allowed)}
    if stage in FROZEN:
        opened = {path for path in opened - IN_EXPERIMENTS if not path.endswith("/.gitignore")}
    assert {path for path in opened if not (path.endswith(".py") and _empty(ran.root / path))} == set()


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_declares_no_file_that_no_run_opens(ran, did, stage):
    assert did.opened, "the watch saw nothing"
    deps = {_inside(ran.root, dep) for dep in ran.stages[stage]["deps"]} - (PUBLISHED if stage in FROZEN else set())
    assert {dep for dep in deps if not any(_lies_in(path, [dep]) for path in did.opened)} == set()


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_declares_no_parameter_that_no_run_reads(ran, did, stage):
    params = YAML(typ="safe").load(ran.root / "params.yaml")
    declared = _expand(ran.stages[stage].get("params", []), params)
    assert declared - BY_DVC <= did.params


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_declares_the_tables_that_it_writes_and_no_other(ran, did, stage):
    declared = _tables(ran.stages[stage])
    assert ran.watched[stage].tables <= declared <= did.tables


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_declares_the_modules_that_it_imports(ran, stage):
    code = [dep for dep in ran.stages[stage]["deps"] if is_code(dep)]
    imported = {name for name in ran.watched[stage].modules if not _empty(ran.root / name)}
    assert {name for name in imported if not _lies_in(name, [*code, *UNDECLARED])} == set()
    assert {dep for dep in code if not any(_lies_in(name, [dep]) for name in imported)} == set()


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_reads_no_parameter_that_it_does_not_declare(ran, stage):
    params = YAML(typ="safe").load(ran.root / "params.yaml")
    declared = _expand(ran.stages[stage].get("params", []), params)
    read = {name for name in ran.watched[stage].params if not name.startswith("execution.")}
    if stage in EXACT:
        read -= {"numerics"}
    if "models/m3a" in ran.stages[stage]["deps"]:  # the design comes with the model, not from params.yaml
        read = {name for name in read if name.partition(".")[0] not in DESIGN}
    if stage == "freeze":
        read = {name for name in read if not {name, name.partition(".")[0]} & FIXED}
    assert read <= declared


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_has_a_description_and_runs_as_a_module(ran, stage):
    assert ran.stages[stage]["cmd"] == f"python -m stages.{stage}"
    assert ran.stages[stage]["desc"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_what_it_declares(pipeline_run, stage):
    for out in _outs(pipeline_run.stages[stage]):
        assert (pipeline_run.root / out).exists()


def test_every_parameter_is_declared_by_some_stage_or_says_only_how(pipeline_run):
    params = YAML(typ="safe").load(pipeline_run.root / "params.yaml")
    declared = set().union(*(_expand(stage.get("params", []), params) for stage in pipeline_run.stages.values()))
    assert _expand([key for key in params if key != "execution"], params) <= declared | BY_DVC
