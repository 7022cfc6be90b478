"""How threads wait for each other: what the library itself says it read."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.foundations.runtime.openmp import SETTINGS

ROOT = Path(__file__).resolve().parents[3]


def read_by_the_library(code: str, **own: str) -> dict[str, str]:
    """The settings that GNU's OpenMP found when `code` loaded it."""
    bare = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environment = bare | {"PYTHONPATH": str(ROOT), "OMP_DISPLAY_ENV": "VERBOSE"} | own
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return dict(re.findall(r"(\w+) = '(.*)'", said.stderr))


@pytest.mark.parametrize("module", ["stages.train", "stages.evaluate", "stages.explain", "stages.extract_vggish"])
def test_a_stage_settles_it_before_torch_is_loaded(module):
    assert read_by_the_library(f"import {module}, torch").items() >= SETTINGS.items()


def test_what_the_user_set_stays():
    own = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "77"}
    assert read_by_the_library("import stages, torch", **own).items() >= own.items()
