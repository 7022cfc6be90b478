"""A watch on stages while they run: from outside which files they open, from inside which parameters they read."""

import os
import re
import subprocess
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.end_to_end.file_access import FileAccess

ROOT = Path(__file__).resolve().parents[2]
COMPILED = re.compile(r"__pycache__/(\w+)\.cpython-.*")
DRAFT = re.compile(r"(^|/)\.([^/]+)\.draft/\2(?=/|$)")
"""Where a file or folder is written before it is renamed (pipeline/foundations/runtime/files.py)."""


class Watched(NamedTuple):
    """What one stage did while it ran."""

    modules: set[str]
    """Project modules that it imported, by Python's word."""
    params: set[str]
    """Parameters that it read."""
    tables: set[str]
    """Tables whose columns it asked for, to read or to write one."""
    opened: set[str]
    """Files of the project that it opened, by the kernel's word: it, its children, and libraries in any language."""


class Watch:
    """Runs commands in a project whose stages are then known by what they did."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.record = root, folder / "record"
        self.record.mkdir(parents=True)
        self._opens = FileAccess(root, folder)

    def __enter__(self) -> Self:
        self._opens.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opens.__exit__(kind, error, trace)

    def run(self, *command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command of DVC's, or `python -m stages.NAME` where `env` names it as DVC_STAGE."""
        watched = self.environment(env)
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, env=watched, check=False)

    def environment(self, env: dict[str, str]) -> dict[str, str]:
        """What `env` must be for stages to be seen."""
        path = f"{self._opens.programs}{os.pathsep}{env['PATH']}"
        return env | {"PATH": path, "M3A_RECORD": str(self.record), "PYTHONPATH": str(ROOT / "tests/recorder")}

    def of(self, stage: str) -> Watched:
        """What a stage has done, in all runs together."""
        lines = [line for file in self.record.glob(f"{stage}.*") for line in file.read_text().splitlines()]
        facts = [line.split(" ", 1) for line in lines]
        return Watched(
            modules={fact for kind, fact in facts if kind == "module"},
            params={fact for kind, fact in facts if kind == "param"},
            tables={fact for kind, fact in facts if kind == "table"},
            opened={_as_declared(path) for path in self._opens.of_stage[stage]},
        )


def _as_declared(path: str) -> str:
    """The file that stands for what was opened: a module for its compiled form, an output for its draft."""
    return COMPILED.sub(r"\1.py", DRAFT.sub(r"\1\2", path))
