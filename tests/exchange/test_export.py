"""Exported models, run by ONNX Runtime and by PyTorch, against the model they come from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.exchange.export import DESCRIPTION, ONNX_NAME, PT2_NAME, ClipShape, export
from pipeline.graph.normalize import normalize
from tests.extras import WITHOUT

onnx = pytest.importorskip("onnx", reason=WITHOUT["onnx"])
onnxruntime = pytest.importorskip("onnxruntime", reason=WITHOUT["onnx"])

SHAPE = ClipShape(frames=8, height=32, width=40)
ABOUT = {"actions": ["stirring", "frying", "größer"], "frames": {"count": 8}}


PAPER = (("visual", "audio", "text"), {"gcn__hidden": 64})
ATTENTION = {"model__relation": "transformer", "transformer__fusion": "cross_attention", "transformer__positions": True}
OTHERS = {
    "fc, released pooling": (("fc",), {"backbone__pooling": "released"}),
    "a literal visual GCN": (("visual", "audio_text"), {"gcn__layers": 3, "gcn__hidden": 64}),
    "cross-attention": (("visual", "audio", "text"), ATTENTION),
}


@pytest.fixture(params=[
    pytest.param(PAPER, id="paper"),
    *(pytest.param(model, id=name, marks=pytest.mark.slow) for name, model in OTHERS.items()),
])  # fmt: skip
def exported(request, tmp_path, make_model, random_graph):
    """A whole model, small: its learners, graph, forms, batch norms that have seen something."""
    heads, changes = request.param
    model = make_model(heads, **changes)
    for name, buffer in model.head.named_buffers():
        if name == "adjacency":
            buffer.copy_(normalize(random_graph(7), "paper"))
    model(torch.randn(4, 3, *SHAPE))
    export(model, tmp_path / "out", SHAPE, ABOUT)
    return model, tmp_path / "out"


def test_exports_give_the_models_scores(exported):
    """Within 1e-5, for batches of other sizes than the one that was traced."""
    model, folder = exported
    session = onnxruntime.InferenceSession(folder / ONNX_NAME)
    extra = {DESCRIPTION: ""}
    program = torch.export.load(folder / PT2_NAME, extra_files=extra).module()
    for batch in (1, 2, 5):
        clips = torch.randn(batch, 3, *SHAPE)
        with torch.no_grad():
            expected = model.scores(clips).numpy()
            np.testing.assert_allclose(program(clips).numpy(), expected, rtol=0, atol=1e-5)
        (scores,) = session.run(["scores"], {"clips": clips.numpy()})
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
        assert np.ptp(expected) > 0.01  # the scores differ, so that agreeing means something

    assert json.loads(extra[DESCRIPTION]) == ABOUT
    metadata = {entry.key: entry.value for entry in onnx.load(folder / ONNX_NAME).metadata_props}
    assert json.loads(metadata[DESCRIPTION]) == ABOUT

    for name in (ONNX_NAME, PT2_NAME):  # the same bytes wherever the code lies
        assert str(Path(__file__).parents[2]).encode() not in (folder / name).read_bytes()
