"""A finished run of four stages, small enough to make by hand: their lock, their records, their tables."""

import json

import numpy as np
import pytest

from pipeline.foundations.runtime import digests, record_store
from pipeline.foundations.tables import tables

RUNS = {
    "index": {
        "deps": ["stages/index.py", "data/raw/annotations"],
        "params": {"index": {"absent": "exclude"}},
        "outs": ["data/index/actions.parquet"],
    },
    "split_mini": {
        "deps": ["stages/split_mini.py", "data/index/actions.parquet"],
        "params": {"seed": 7, "split_mini": {"per_action": 2}},
        "outs": ["data/splits/train.parquet", "data/splits/val.parquet", "data/splits/test.parquet"],
    },
    "build_audio_lexicon": {
        "deps": ["stages/build_audio_lexicon.py", "data/index/actions.parquet", "data/splits/train.parquet"],
        "params": {"audio_lexicon": {"draw": "fixed"}},
        "outs": ["data/lexicons/audio.parquet"],
    },
    "build_text_lexicon": {
        "deps": ["stages/build_text_lexicon.py", "pipeline/lexicon", "data/index/actions.parquet"],
        "params": {"words.size": 2},
        "outs": ["data/lexicons/text.parquet"],
    },
}  # fmt: skip


@pytest.fixture
def finished(tmp_path):
    """The project's folder."""
    root = tmp_path / "project"
    for name in RUNS:
        _write(root / f"stages/{name}.py", f'"""Stage {name}."""\n')
    _write(root / "pipeline/lexicon/text.py", '"""Forms of text."""\n')
    _write(root / "pipeline/lexicon/__init__.py", '"""Lexicons."""\n')
    _write(root / "pipeline/lexicon/README.md", "# A page that counts in no digest\n")
    _write(root / "pipeline/foundations/runtime/files.py", '"""How files are written."""\n')
    _write(root / "data/raw/annotations/trainingSet.txt", "waving/a.mp4,0\n")
    _write(root / "dvc.yaml", "stages: {}\n")
    _write(root / "params.yaml", "seed: 7\n")
    _write(root / "README.md", "# A run\n")
    for path in ("data/splits", "data/lexicons", "data/index"):
        (root / path).mkdir(parents=True)
    _write_tables(root)
    for minute, name in enumerate(RUNS):
        _write(root / f"data/runs/{name}.jsonl", json.dumps(_record(root, name, minute)) + "\n")
    _write(root / "dvc.lock", json.dumps({"schema": "2.0", "stages": {name: _entry(root, name) for name in RUNS}}))
    return root


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _entry(root, name):
    run = RUNS[name]
    return {
        "cmd": f"python -m stages.{name}",
        "deps": [{"path": path, "hash": "md5", "md5": digests.md5(root / path)} for path in run["deps"]],
        "params": {"params.yaml": run["params"]},
        "outs": [{"path": path, "hash": "md5", "md5": digests.md5(root / path)} for path in run["outs"]],
    }


def _record(root, name, minute):
    run = RUNS[name]
    deps, outs = ({path: digests.md5(root / path) for path in run[kind]} for kind in ("deps", "outs"))
    return {
        "id": f"20260102T03{minute:02}00Z-00000000",
        "key": record_store.key_of(name, deps, run["params"], outs),
        "stage": name,
        "session": "c0ffee00",
        "experiment": None,
        "deps": deps,
        "params": run["params"],
        "outs": outs,
        "metrics": {},
        "changed_while_running": [],
        "log": [f"{name}: made"],
        "incidents": {},
        "gpus": [],
        "cpu_seconds": {"self": 20.5, "children": 0.0},
        "io_mb": {"read": 1.0, "written": 0.5, "read_from_disk": 0.0, "written_to_disk": 0.5},
        "outcome": "finished",
        "started": f"2026-01-02T03:{minute:02}:00+00:00",
        "ended": f"2026-01-02T03:{minute:02}:30+00:00",
        "seconds": 30.25,
        "peak_memory_mb": {"self": 146.9, "largest_child": 0.0},
        "device": "cpu",
        "execution": {"workers": 2},
        "rows_written": {},
        "git": {"revision": "c0ffee" * 6 + "c0ff", "changed": []},
        "host": {"name": "vm", "system": "Linux", "cpu": "AMD EPYC"},
        "versions": {"python": "3.11.7", "dvc": "3.67.1"},
    }


def _write_tables(root):
    forms = np.arange(3 * tables.FORM_SIZE, dtype=np.float32).reshape(3, -1) / 7
    written = {
        "data/index/actions.parquet": ("actions", [(0, "waving", ["waving"]), (1, "clapping", ["clapping"])]),
        "data/splits/train.parquet": ("splits", [("waving/a", [0], 0), ("waving/b", [0, 1], None)]),
        "data/splits/val.parquet": ("splits", [("clapping/c", [1], None)]),
        "data/splits/test.parquet": ("splits", []),
        "data/lexicons/audio.parquet": (
            "audio", [(0, "waving/a", forms[0]), (0, "waving/b", forms[1]), (1, "waving/b", forms[2])]
        ),
        "data/lexicons/text.parquet": (
            "text", [(0, "waving", [1.0, 0.5], ["waving"], []), (1, "clapping", [0.25, 2.0], ["clapping"], [])]
        ),
    }  # fmt: skip
    for path, (name, rows) in written.items():
        tables.write(name, root / path, tables.from_rows(name, rows))
