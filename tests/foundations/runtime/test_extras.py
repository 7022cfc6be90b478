"""Optional libraries: imported where they are used, and missed in a sentence."""

import ast
import sys
import tomllib
from collections.abc import Iterator

import pytest

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import EXTRAS, installed, require

FOR_ALL = {"dev", "lock"}
"""Extras of those who work on the project: no code imports them."""
PROGRAMS = {"pipeline/bench/vggish_tf.py", "pipeline/exchange/infer.py"}
"""What runs in a process of its own: TensorFlow through and through; the program in an exported folder."""


def test_a_library_that_is_not_there_is_missed_in_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "rocrate", None)
    assert not installed("crate")
    with pytest.raises(
        PlainError, match=r"^m3a crate needs RO-Crate, which is not installed: make install EXTRAS=crate$"
    ):
        require("crate", "m3a crate")


def test_one_that_is_there_is_not_imported_to_know_it(monkeypatch):
    monkeypatch.setitem(EXTRAS, "crate", EXTRAS["crate"]._replace(modules=("antigravity",)))
    require("crate", "m3a crate")
    assert "antigravity" not in sys.modules


def test_the_extras_are_those_of_pyproject(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) == EXTRAS.keys() | FOR_ALL


def _imported_on_loading(tree: ast.Module) -> Iterator[str]:
    """Names of modules that are imported outside functions and outside `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module
        waiting += ast.iter_child_nodes(node)


def test_no_module_imports_an_optional_library_as_it_is_loaded(root):
    optional = {module for extra in EXTRAS.values() for module in extra.modules}
    found = [
        f"{path.relative_to(root)}: {name}"
        for folder in ("pipeline", "stages")
        for path in sorted((root / folder).rglob("*.py"))
        if str(path.relative_to(root)) not in PROGRAMS
        for name in _imported_on_loading(ast.parse(path.read_text()))
        if name.partition(".")[0] in optional
    ]
    assert found == []
