"""The heads against the authors' scores, and against Equation 3 read video by video."""

import numpy as np
import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.graph.normalize import normalize
from pipeline.model.heads import ExclusiveHead
from pipeline.model.published import AUTHORS, our_names

GOLDEN_HEADS = {
    "RGB": ("visual",),
    "AUDIO": ("audio",),
    "TEXT": ("text",),
    "AUDIOTEXT": ("audio_text",),
    "RGB_AUDIO_TEXT": ("visual", "audio", "text"),
}
LEARNERS = ("visual", "audio", "text", "audio_text")
SUMS = [("visual", "audio"), ("visual", "text"), ("audio", "text"), ("visual", "audio", "text"), LEARNERS]


@pytest.mark.parametrize("name", GOLDEN_HEADS)
def test_the_heads_give_the_authors_scores(golden, make_head, name):
    """Released normalization; two layers with bias, hidden 10; N 12, C 16."""
    edges = torch.from_numpy(golden["psi"] >= golden["threshold"])
    audio, text = torch.from_numpy(golden["audio"]), torch.from_numpy(golden["text"])
    head = make_head(GOLDEN_HEADS[name], normalize(edges, "released"), audio, text, gcn__hidden=10)

    prefix = f"{name}/weights/"
    theirs = {
        f"m3a_head.m3a_joint_learning.{key.removeprefix(prefix)}": key for key in golden if key.startswith(prefix)
    }
    ours = our_names(theirs, AUTHORS)
    assert len(ours) == len(theirs) == len(list(head.parameters()))
    weights = {ours[key].removeprefix("head."): torch.from_numpy(golden[theirs[key]]) for key in theirs}
    head.load_state_dict(head.state_dict() | weights)

    scores = head(torch.from_numpy(golden["x"])).detach().numpy()
    np.testing.assert_allclose(scores, golden[f"{name}/scores"], rtol=0, atol=1e-5)


def test_exclusive_actions_share_one_softmax():
    """Sigmoids of the head's logits are the softmax of a linear layer, at any scale and at several positions."""
    head = ExclusiveHead(3, 5).double()
    head.weight.data.normal_(std=4.0)
    features = torch.randn(2, 7, 3, dtype=torch.float64)
    expected = torch.nn.functional.linear(features, head.weight, head.bias).softmax(-1)
    torch.testing.assert_close(head(features).sigmoid(), expected)
    assert torch.isfinite(head(1000 * features)).all()
    torch.autograd.gradcheck(head, (features[0, :2].clone().requires_grad_(),))


@pytest.fixture
def tiny_head(make_head, random_graph):
    """Five actions, audio forms of 6, text forms of 3, in float64."""
    adjacency = normalize(random_graph(5, 0.4), "paper")
    audio, text = torch.randn(5, 6), torch.randn(5, 3)

    def make(heads, **changes):
        return make_head(heads, adjacency, audio, text, gcn__hidden=8, **changes).double()

    return make


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("last_activation", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_is_equation_1_video_by_video(tiny_head, name, layers, last_activation, bias):
    """With the GCN run for each video on its own node features, in values and in gradients."""
    head = tiny_head((name,), gcn__layers=layers, gcn__last_activation=last_activation, gcn__bias=bias)
    learner, A = head.learners[name], head.adjacency
    X = torch.randn(4, 16, dtype=torch.float64, requires_grad=True)
    rows = []
    for x in X:
        if name == "visual":
            rows.append(learner.relation(A, x.expand(5, 16)).mean(0))
        else:
            rows.append(learner.relation(A, learner.forms) @ x)
    literal, ours = torch.stack(rows), head(X)
    torch.testing.assert_close(ours, literal, rtol=0, atol=1e-10)
    leaves = [X, *head.parameters()]
    weighting = torch.randn(4, 5).double()
    for a, b in zip(*(torch.autograd.grad((z * weighting).sum(), leaves) for z in (ours, literal)), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("heads", SUMS)
def test_the_joint_head_is_the_sum_of_its_learners(tiny_head, heads):
    head, X = tiny_head(heads), torch.randn(4, 16).double()
    each = [head.learners[name](X, head.adjacency) for name in heads]
    torch.testing.assert_close(head(X), sum(each))


def test_audio_text_joins_the_forms_audio_first(tiny_head):
    head = tiny_head(LEARNERS[1:])
    both = torch.cat([head.learners["audio"].forms, head.learners["text"].forms], dim=1)
    assert torch.equal(head.learners["audio_text"].forms, both)


def test_lexicon_learners_are_one_linear_classifier(tiny_head):
    """The second identity: audio and text GCNs fold into one N x C matrix."""
    head, X = tiny_head(("audio", "text")), torch.randn(4, 16).double()
    folded_NC = sum(learner.matrix(head.adjacency) for learner in head.learners.values())
    assert folded_NC.shape == (5, 16)
    torch.testing.assert_close(head(X), X @ folded_NC.T)


def test_forms_that_a_learner_needs_and_does_not_get(make_head):
    with pytest.raises(PlainError, match="audio_text needs lexicon forms"):
        make_head(("audio_text",), torch.eye(5), None, torch.randn(5, 3))
    with pytest.raises(PlainError, match="found 4 actions, expected the adjacency's 5"):
        make_head(("text",), torch.eye(5), None, torch.randn(4, 3))


def test_fully_connected_is_a_linear_layer(make_head):
    head = make_head(("fc",), torch.eye(5), None, None)
    X = torch.randn(3, 16)
    torch.testing.assert_close(head(X), X @ head.weight.T + head.bias)
    assert torch.equal(head.bias, torch.zeros(5))
