"""Folding changes nothing but the work."""

import pytest
import torch

from pipeline.graph.normalize import normalize
from pipeline.model.fold import FoldedHead, fold
from pipeline.model.model import MultiActionModel

CROSS = {"model__relation": "transformer", "transformer__fusion": "cross_attention"}
MODELS = [
    (("fc",), {}),
    (("visual",), {}),
    (("audio",), {}),
    (("visual", "audio", "text"), {}),
    (("visual", "audio", "text"), {"gcn__bias": False}),
    (("visual", "audio", "text"), {"gcn__layers": 1}),
    (("visual", "audio", "text"), {"gcn__layers": 3, "gcn__last_activation": True}),
    (("visual", "audio_text"), {"model__relation": "transformer"}),
    (("audio", "text"), CROSS),
    (("visual", "audio", "text"), CROSS),
]


@pytest.fixture
def with_graph(make_model, random_graph):
    """A model whose batch norms have seen something and whose actions are related."""

    def make(heads: tuple[str, ...], **changes: object) -> MultiActionModel:
        model = make_model(heads, actions=7, gcn__hidden=32, **changes)
        for name, buffer in model.head.named_buffers():
            if name == "adjacency":
                buffer.copy_(normalize(random_graph(7), "released"))
        model(torch.randn(4, 3, 8, 32, 32))
        return model.eval()

    return make


@pytest.mark.parametrize(("heads", "changes"), MODELS)
def test_folded_scores_are_the_models(with_graph, heads, changes):
    """To float32's rounding of products in another order: of logits up to 7, each of 128 terms, some 1e-6."""
    model = with_graph(heads, **changes)
    clips = torch.randn(3, 3, 8, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(fold(model).scores(clips), model.scores(clips), rtol=0, atol=1e-5)


def test_audio_and_text_become_one_matrix(with_graph):
    model = with_graph(("audio", "text", "audio_text"))
    folded = fold(model).head
    assert isinstance(folded, FoldedHead)
    assert [tuple(parameter.shape) for parameter in folded.parameters()] == [(7, 128)]
    assert list(folded.buffers()) == []


def test_of_the_visual_graph_two_vectors_remain(with_graph):
    folded = fold(with_graph(("visual",))).head
    assert [tuple(buffer.shape) for buffer in folded.buffers()] == [(7,), (7,)]


def test_folding_leaves_the_model_as_it_was(with_graph):
    model = with_graph(("visual", "audio", "text"))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fold(model)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
