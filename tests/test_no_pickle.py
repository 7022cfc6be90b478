"""No pickle: what a linter's list of names cannot say (DESIGN.md, invariant 7)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

READER = "pipeline/exchange/unpickle.py"
NEVER_TRUE = ("allow_pickle", "enable_unsafe_deserialization", "trust_remote_code")
LOADERS = ("load", "loads", "Unpickler")
MODULES = ("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")


def faults(source: str) -> Iterator[str]:
    """What a module does that may run a file's own code."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call | ast.ClassDef):
            continue
        for name in (node.func,) if isinstance(node, ast.Call) else node.bases:
            called = ast.unparse(name)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if called.endswith("torch.load") and keywords.get("weights_only") != "True":
                yield f"line {node.lineno}: torch.load without weights_only=True"
            yield from (
                f"line {node.lineno}: {key}={value}"
                for key, value in keywords.items()
                if (key in NEVER_TRUE and value != "False") or (key == "weights_only" and value != "True")
            )
            module, _, attribute = called.rpartition(".")
            if module in MODULES and attribute in LOADERS:
                yield f"line {node.lineno}: {called}"


def test_nothing_in_the_project_loads_what_may_run(root: Path):
    found = {
        str(path.relative_to(root)): list(faults(path.read_text()))
        for folder in ("pipeline", "stages", "params")
        for path in (root / folder).rglob("*.py")
    }
    assert len(found) > 150
    assert {path: said for path, said in found.items() if said} == {READER: [next(iter(found[READER]))]}
    assert "pickle.Unpickler" in found[READER][0]  # the class of its own that finds nothing to run


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=trusted)",
        "load(path, weights_only=False)",
        "numpy.load(path, allow_pickle=True)",
        "pickle.loads(data)",
        "class Own(pickle.Unpickler): pass",
        "joblib.load(path)",
    ],
)
def test_what_may_run_is_found(source):
    assert len(list(faults(source))) in (1, 2)


@pytest.mark.parametrize(
    "source", ["torch.load(path, weights_only=True)", "numpy.load(path, allow_pickle=False)", "json.load(file)"]
)
def test_what_runs_nothing_passes(source):
    assert list(faults(source)) == []
