"""Run a command with another /dev/shm than this machine's: in a mount namespace of its own."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o "$0" tmpfs /dev/shm && exec "$@"'


def with_dev_shm(options: str, command: Sequence[str], *, folder: Path, root: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the checkout `root` in `folder`, with a tmpfs of these mount options as /dev/shm."""
    unshare = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
    shell = [*unshare, "sh", "-c", MOUNT, options]
    tried = subprocess.run([*shell, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no mount namespace can be had here: {tried.stderr.strip()}")
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run([*shell, *command], cwd=folder, env=environment, capture_output=True, text=True)
