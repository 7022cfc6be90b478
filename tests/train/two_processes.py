"""Code that two processes run together, over gloo on one machine, as torchrun starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run_by_two(code: str, folder: Path) -> Any:
    """Run `code` in two processes; returns what it writes as JSON into the file that `sys.argv[1]` names."""
    script, target = folder / "two.py", folder / "two.json"
    script.write_text(code)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script), str(target)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command], env=environment, check=True, capture_output=True, timeout=300)
    return json.loads(target.read_text())
