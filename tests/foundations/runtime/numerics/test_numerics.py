"""What portable arithmetic sets, where it is in force, and that a process computes the same twice."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.foundations.runtime import numerics
from pipeline.foundations.runtime.numerics import MARK, NO_AVX2, SETTINGS, has_avx2, use_numerics
from pipeline.foundations.tables import REVISION

EVERYTHING = "from pipeline.foundations.runtime.numerics import *"
ROOT = Path(__file__).resolve().parents[4]
IN_FORCE = """
import json, sys
sys.argv[0] = "-m"  # as `python -m` has it while a stage's package loads
import {module}
import numpy, torch, scipy.linalg
from numpy._core._multiarray_umath import __cpu_features__ as features
from threadpoolctl import threadpool_info
blas = [library["architecture"] for library in threadpool_info() if library["internal_api"] == "openblas"]
print(json.dumps([torch.backends.cpu.get_cpu_capability(), blas, features["X86_V3"], features["X86_V4"]]))
"""
needs_avx2 = pytest.mark.skipif(not has_avx2(), reason="portable arithmetic needs an x86-64 CPU with AVX2")


def ask(code: str, folder: Path = ROOT, **own: str) -> subprocess.CompletedProcess[str]:
    """Run Python where nothing of portable arithmetic is set."""
    bare = {name: value for name, value in os.environ.items() if name not in {*SETTINGS, MARK}}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, env=bare | {"PYTHONPATH": str(ROOT)} | own, capture_output=True, text=True, check=True
    )


@needs_avx2
@pytest.mark.parametrize("module", ["stages.train", "stages.whiten", "stages.extract_vggish", "stages.explain"])
def test_a_stage_holds_every_library_to_avx2_whatever_the_cpu_has_and_the_user_set(module):
    said = ask(IN_FORCE.format(module=module), ATEN_CPU_CAPABILITY="default", OPENBLAS_CORETYPE="Nehalem")
    capability, blas, v3, v4 = json.loads(said.stdout)
    assert (capability, set(blas), v3, v4) == ("AVX2", {"Haswell"}, True, False)


def test_the_settings_change_with_the_revision_that_every_stage_declares():
    """No stage declares this module, and it decides bytes: so DVC learns of a change by foundations/tables."""
    assert (REVISION, SETTINGS) == (
        1,
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_CBWR": "COMPATIBLE",
            "OPENBLAS_CORETYPE": "Haswell",
            "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
            "ARROW_USER_SIMD_LEVEL": "AVX2",
        },
    )


def test_no_stage_takes_a_square_root_by_torch():
    """It is not the same on every CPU, whatever is set."""
    roots = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("pipeline", "stages")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("sqrt", "sqrt_")
        if not (isinstance(node.value, ast.Name) and node.value.id in ("np", "math"))
    ]
    assert roots == []


def test_native_leaves_what_the_user_set(tmp_path):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("numerics: portable", "numerics: native  "), encoding="utf-8")
    code = IN_FORCE.format(module="stages.train")
    assert json.loads(ask(code, tmp_path, ATEN_CPU_CAPABILITY="default").stdout)[0] in ("DEFAULT", "NO AVX")


def test_native_takes_back_what_a_parent_set():
    code = f"import os; {EVERYTHING}; use_numerics('native'); print(numerics_in_use(), dict(os.environ))"
    said = ask(code, **SETTINGS, **{MARK: "portable"}).stdout
    assert said.startswith("native")
    assert not any(name in said for name in SETTINGS)


def test_a_process_that_has_loaded_numpy_goes_on_as_it_began():
    code = f"import numpy; {EVERYTHING}; print(use_numerics('portable'), numerics_in_use())"
    assert ask(code).stdout.split() == ["None", "native"]


@pytest.mark.parametrize("flags", ["flags\t\t: fpu sse sse2 avx\n", "Features\t: fp asimd\n", ""])
def test_a_cpu_without_avx2_is_told_so_and_computes_natively(flags, tmp_path, monkeypatch):
    """An old x86-64 CPU, an Arm one, and a system that does not say."""
    (tmp_path / "cpuinfo").write_text(flags, encoding="utf-8")
    assert not has_avx2(tmp_path / "cpuinfo")
    monkeypatch.setattr(numerics, "has_avx2", lambda: False)
    monkeypatch.setattr(numerics.sys, "modules", {})
    assert use_numerics("portable") == NO_AVX2
    assert use_numerics("native") is None


@needs_avx2
def test_m3a_numerics_prints_what_a_shell_sets():
    python = f"{sys.executable} -c"
    printed = f"{python} \"import sys; sys.argv = ['m3a', 'numerics']; from pipeline.cli import main; main()\""
    script = f"eval \"$({printed})\"; {python} '{EVERYTHING}; print(numerics_in_use())'"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "portable"


@needs_avx2
@pytest.mark.slow
def test_operations_give_the_same_bytes_in_two_processes():
    command = [
        sys.executable,
        "-m",
        "tests.foundations.runtime.numerics.operations",
        "--only",
        "training",
        "log_mel",
        "pca",
        "elementwise",
    ]
    first, second = (subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
    assert len(first.splitlines()) == 8
