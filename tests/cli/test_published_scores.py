"""The authors' transformers, from a checkpoint by their key lists to the logits that their code computed."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.params.editing import edited
from pipeline.foundations.tables import tables
from pipeline.graph.cooccurrence import adjacency_table
from pipeline.model.checkpoint import load_model
from tests import formula

ROOT = Path(__file__).resolve().parents[2]
KEYS = json.loads((ROOT / "tests/data/checkpoints/official_repository.json").read_text())
run = CliRunner(env={"COLUMNS": "100", "TERM": "dumb"})


@pytest.fixture
def lexicons(tmp_path, params, monkeypatch):
    """A project folder with the actions, the graph and the lexicons by formula."""
    monkeypatch.chdir(tmp_path)
    n, ids = formula.ACTIONS, np.arange(formula.ACTIONS, dtype=np.int16)
    names = [f"action {number}" for number in range(n)]
    written = {
        "data/index/actions.parquet": {"action_id": ids, "action": names, "words": [["action"]] * n},
        "data/lexicons/audio.parquet": {
            "action_id": ids, "video_id": [f"v{number}" for number in range(n)],
            "form": formula.audio().astype(np.float32),
        },
        "data/lexicons/text.parquet": {
            "action_id": ids, "action": names, "form": formula.text().astype(np.float32), "words": [["action"]] * n,
            "missing": [[]] * n,
        },
    }  # fmt: skip
    for path, columns in written.items():
        name = Path(path).stem
        tables.write(name, Path(path), tables.from_columns(name, columns))
    graph = adjacency_table(pa.chunked_array([[[0, 1], [2]]], pa.list_(pa.int16())), n, params.adjacency)
    tables.write("adjacency", Path("data/graph/adjacency.parquet"), graph)


def shapes_of(golden: dict[str, np.ndarray], head: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a whole checkpoint: the backbone by the authors' list, the head as released."""
    backbone = {
        name: tuple(shape)
        for name, shape in KEYS["r2plus1d34_trsfmr_audiotext"]["tensors"].items()
        if not name.startswith("m3a_head.")
    }
    entries = [re.fullmatch(r"(\S+) \((.*)\)", entry).groups() for entry in golden[f"names_{head}"]]
    return backbone | {name: tuple(int(size) for size in shape.split(",") if size) for name, shape in entries}


@pytest.mark.slow
@pytest.mark.parametrize("head", ["trsfmr_text", "trsfmr_audiotext_2layers", "trsfmr_rgb_text_cross"])
def test_a_published_transformer_gives_the_published_logits(lexicons, golden_released, head):
    """Converted, params.yaml set to what the command says, adopted: nothing else is needed for its logits."""
    shapes = shapes_of(golden_released, head)
    state = {name: torch.from_numpy(formula.tensor(name, shape)) for name, shape in shapes.items()}
    torch.save({"model_state": state, "epoch": 30}, "checkpoint.pyth")
    converted = run.invoke(app, ["convert-weights", "checkpoint.pyth", "weights.safetensors"])
    assert converted.exit_code == 0, converted.output
    assert f"mapped: {len(shapes)} tensors" in converted.output
    assert "left over: nothing" in converted.output
    assert "beware" not in converted.output

    settings = re.findall(r"^params\.yaml, to use its head: (\S+): (.+)$", converted.output, re.MULTILINE)
    design = {key: YAML(typ="safe").load(value) for key, value in settings}
    text = edited((ROOT / "params.yaml").read_text(), {"backbone.name": "r2plus1d_34"} | design)
    Path("params.yaml").write_text(text)
    adopted = run.invoke(app, ["adopt-weights", "weights.safetensors"])
    assert adopted.exit_code == 0, adopted.output

    model, _ = load_model(Path("models/m3a"))
    with torch.no_grad():
        logits = model.eval().logits(torch.from_numpy(golden_released["features"])).numpy()
    expected = golden_released[f"head_{head}"]
    np.testing.assert_allclose(logits, expected, rtol=0, atol=3e-6 * np.abs(expected).max())
