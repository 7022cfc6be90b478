"""What the network's benchmarks compare is the same mathematics."""

import pytest
import torch

from pipeline.bench import network
from pipeline.model.gcn import Gcn
from pipeline.model.gcn_fast import shared_feature_gcn


def test_the_graph_is_one_of_m_mit_s_size_and_always_the_same():
    graph = network.graph()
    assert graph.shape == (313, 313)
    assert (graph.diagonal() > 0).all()
    assert torch.equal(graph, network.graph())


def test_the_literal_equation_gives_what_the_fast_form_gives():
    torch.manual_seed(0)
    gcn = Gcn([16, 32, network.ACTIONS], slope=0.2, bias=True, last_activation=False).double()
    graph, features = network.graph().double(), torch.randn(3, 16, dtype=torch.float64)
    literal = gcn(graph, features[:, None].expand(-1, network.ACTIONS, -1)).mean(1)
    torch.testing.assert_close(shared_feature_gcn(gcn, graph, features), literal)


def test_the_steps_that_are_compared_differ_by_their_heads_alone(params):
    three, one = (network.model_of(params, heads, "r2plus1d_tiny") for heads in (network.ALL, network.BASELINE))
    assert list(three.head.learners) == ["visual", "audio", "text"]
    for ours, theirs in zip(three.backbone.parameters(), one.backbone.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_a_step_with_all_heads_is_held_against_one_with_fc(corpus):
    step, heads = network.step(corpus, backbone="r3d_tiny", batch=1)
    assert [step.name, heads.name] == ["step", "step, by its heads"]
    for line in (step, heads):
        assert (line.unit, line.bound, line.target) == ("s", "at most", 1.03)
        assert line.ratio > 0
    assert heads.theirs == step.theirs
