"""Watches a stage from inside: which project modules it imports, which parameters it reads, which tables.

Python imports this file at start where its folder is on PYTHONPATH, in child processes too. It does nothing
unless M3A_RECORD names a folder; DVC names the stage. Each process appends what it learns to a file of its own, at
once, since workers are often killed.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import time
from pathlib import Path

FOLDER = os.environ.get("M3A_RECORD")
STAGE = os.environ.get("DVC_STAGE", "").rpartition(":")[2]
PROJECT = ("pipeline", "stages")


def _note(kind: str, name: str, seen: set[tuple[str, str]] = set()) -> None:  # noqa: B006
    """Append one fact to this process's file, once."""
    if (kind, name) not in seen:
        seen.add((kind, name))
        with Path(str(FOLDER), f"{STAGE}.{os.getpid()}").open("a", encoding="utf-8") as file:
            file.write(f"{kind} {name}\n")


def _watch_params(module: object) -> None:
    """Note each field that is read off a section, under the section's name in params.yaml."""
    section, params = module.Section, module.Params  # type: ignore[attr-defined]
    names = {field.annotation: name for name, field in params.model_fields.items()}
    plain, home = section.__getattribute__, Path(str(module.__file__)).parent  # type: ignore[attr-defined]

    def noting(self: object, attribute: str) -> object:
        kind = type(self)
        caller = sys._getframe(1).f_code
        reader = Path(caller.co_filename)
        # Neither a validator's look nor the record of the run is a stage's: no output depends on them. A property's is.
        checking = reader.parent == home and not isinstance(getattr(kind, caller.co_name, None), property)
        checking |= reader.parts[-2:] == ("runtime", "record.py")
        if attribute in kind.__pydantic_fields__ and not checking:  # type: ignore[attr-defined]
            if kind is not params:
                _note("param", f"{names[kind]}.{attribute}")
            elif attribute not in names.values() or attribute in ("seed", "numerics"):
                _note("param", attribute)
        return plain(self, attribute)

    def dumping(self: object, *args: object, **kwargs: object) -> object:
        kind = type(self)
        left_out = kwargs.get("exclude") or ()
        for field in set(kind.__pydantic_fields__) - set(left_out):  # type: ignore[attr-defined, call-overload]
            _note("param", f"{names[kind]}.{field}" if kind is not params else field)
        return dump(self, *args, **kwargs)

    dump = section.model_dump
    section.__getattribute__, section.model_dump = noting, dumping


def _watch_tables(module: object) -> None:
    """Note each table whose columns are asked for, unless to check a file that is read."""

    class Noting(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            callers = [sys._getframe(1), sys._getframe(2)]
            if not {caller.f_code.co_name for caller in callers} & {"_opened", "verify"}:
                _note("table", name)
            return super().__getitem__(name)

    module.SCHEMAS = Noting(module.SCHEMAS)  # type: ignore[attr-defined]


def _mark(word: str) -> None:
    """Have the watch on opened files (tests/end_to_end/file_access.py) take a turn, and wait until it has."""
    mark = Path(str(FOLDER)).parent / "marks" / f"{word}.{STAGE}"
    mark.touch()
    while mark.exists():
        time.sleep(0.01)


def _look_away(module: object) -> None:
    """Have what the record of the run reads, which is git's state and all that is declared, not be the stage's."""
    ask, result = module._git, module.result  # type: ignore[attr-defined]

    def asking() -> object:
        _mark("pause")
        found = ask()
        _mark("begin")
        return found

    def resulting(*args: object) -> object:
        _mark("pause")
        return result(*args)

    module._git, module.result = asking, resulting  # type: ignore[attr-defined]


PATCHES = {
    "pipeline.foundations.params": _watch_params,
    "pipeline.foundations.tables.schemas": _watch_tables,
    "pipeline.foundations.runtime.record": _look_away,
}


class _Watcher(importlib.abc.MetaPathFinder):
    """Notes each import of a project module, and hands it on to the ordinary finder."""

    def find_spec(self, name, path, target=None):  # type: ignore[no-untyped-def]
        if name.split(".")[0] not in PROJECT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin is not None and spec.loader is not None:
            _note("module", os.path.relpath(spec.origin))
            if name in PATCHES:
                execute = spec.loader.exec_module

                def exec_module(module: object) -> None:
                    execute(module)  # type: ignore[arg-type]
                    PATCHES[name](module)

                spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if FOLDER and STAGE:
    sys.meta_path.insert(0, _Watcher())
