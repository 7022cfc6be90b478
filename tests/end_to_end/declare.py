"""Write into dvc.yaml the project modules that each stage imports: `make deps`, after imports have changed.

What a stage names of data it keeps; tests/end_to_end/test_declared.py holds the result against real runs.
"""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = (ROOT / "data/raw/dvc.yaml", ROOT / "data/frozen/dvc.yaml", ROOT / "dvc.yaml")
ENTRY = re.compile(r"(( +)cmd: python -m stages\.(\w+)\n(?:.*\n)*?\2deps: )\[([^\]]*)\]")
LIST_IMPORTS = """
import sys, stages.{stage}
print(*(m.__file__ for n, m in sys.modules.items() if n.split(".")[0] in ("pipeline", "stages") and m.__file__))
"""


def is_empty(path: Path) -> bool:
    """Whether a module holds nothing but its docstring: it cannot change what a stage does."""
    body = ast.parse(path.read_text()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def imported(stage: str) -> list[str]:
    """The modules that a stage loads when it starts, the stage's own first."""
    command = [sys.executable, "-c", LIST_IMPORTS.format(stage=stage)]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = sorted(Path(name).relative_to(ROOT) for name in out.split())
    names = [path.as_posix() for path in paths if not is_empty(ROOT / path)]
    return sorted(names, key=lambda name: (name != f"stages/{stage}.py", not name.startswith("stages/"), name))


def declare(match: re.Match[str]) -> str:
    """One stage's entry with its `deps` renewed."""
    head, indent, stage, deps = match.groups()
    data = [name for name in re.split(r",\s*", deps.strip()) if name and not name.endswith(".py")]
    text = ", ".join([*imported(stage), *data])
    start = f"{indent}deps: ["
    lines = textwrap.wrap(text, 115 - len(start), break_long_words=False, break_on_hyphens=False)
    return head + "[" + ("\n" + " " * len(start)).join(lines) + "]"


if __name__ == "__main__":
    for file in FILES:
        file.write_text(ENTRY.sub(declare, file.read_text()))
