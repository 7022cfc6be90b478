"""Declared is used, and used is declared (DESIGN.md, invariant 4), held against real runs of every stage."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
STAGES = [
    *YAML(typ="safe").load(ROOT / "data/raw/dvc.yaml")["stages"],
    *YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"],
]
DESIGN = {"frames", "backbone", "lexicon", "gcn", "transformer", "model"}
"""Sections that models/m3a/model.json carries, so that a model is rebuilt as it was trained."""
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("house")]


def _empty(path: Path) -> bool:
    """Whether a module holds nothing but its docstring: it cannot change what a stage does."""
    body = ast.parse(path.read_text()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def _expand(keys: list, params: dict) -> set[str]:
    """Parameters named in dvc.yaml, whole sections spelled out."""
    names = set()
    for key in keys:
        head, _, field = key.partition(".")
        whole = not field and isinstance(params[head], dict)
        names |= {f"{head}.{name}" for name in params[head]} if whole else {key}
    return names


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_declares_the_modules_that_it_imports(house, stage):
    deps = {dep for dep in house.stages[stage]["deps"] if dep.endswith(".py")}
    imported = {name for name in house.watched[stage].modules if not _empty(house.root / name)}
    assert imported == deps


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_no_parameter_that_it_does_not_declare(house, stage):
    params = YAML(typ="safe").load(house.root / "params.yaml")
    declared = _expand(house.stages[stage].get("params", []), params)
    read = {name for name in house.watched[stage].params if not name.startswith("execution.")}
    if "models/m3a" in house.stages[stage]["deps"]:  # the design comes with the model, not from params.yaml
        read = {name for name in read if name.partition(".")[0] not in DESIGN}
    assert read <= declared


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_a_description_and_runs_as_a_module(house, stage):
    assert house.stages[stage]["cmd"] == f"python -m stages.{stage}"
    assert house.stages[stage]["desc"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_writes_what_it_declares(house, stage):
    for out in house.stages[stage]["outs"]:
        assert (house.root / (out if isinstance(out, str) else next(iter(out)))).exists()


def test_every_parameter_is_declared_by_some_stage_or_says_only_how(house):
    params = YAML(typ="safe").load(house.root / "params.yaml")
    declared = set().union(*(_expand(stage.get("params", []), params) for stage in house.stages.values()))
    watch = {"dataset.watch"}  # read by DVC, which fills it into dvc.yaml
    assert _expand([key for key in params if key != "execution"], params) <= declared | watch
