"""The joint model: the paper's parameter counts, and what goes in and out."""

import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.backbones import BatchNorm
from pipeline.model.heads import FullyConnected
from pipeline.model.model import MultiActionModel, build_model

FC = 63_652_544
# DESIGN.md and the authors' checkpoints: N 313, P 384, Q 300, two layers, hidden 1024, bias.
COUNTS = [
    (("fc",), FC),
    (("audio",), 64_411_015),
    (("text",), 64_324_999),
    (("audio_text",), 64_718_215),
    (("visual", "audio", "text"), 66_090_176),
]


@pytest.fixture
def paper_model(design_with):
    """A model of the paper's sizes, without memory for its numbers."""

    def make(heads: tuple[str, ...], *, text: int = 300, audio: int = 384, **changes: object) -> MultiActionModel:
        with torch.device("meta"):
            return build_model(
                design_with(heads, **({"backbone__name": "r2plus1d_34"} | changes)),
                actions=313,
                adjacency=torch.empty(313, 313),
                audio_forms=torch.empty(313, audio),
                text_forms=torch.empty(313, text),
            )

    return make


def count(model: MultiActionModel) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("heads", "expected"), COUNTS)
def test_parameter_counts_of_the_paper(paper_model, heads, expected):
    assert count(paper_model(heads)) == expected


@pytest.mark.parametrize(
    ("heads", "bias", "more"),
    [
        (("audio",), True, 758_471),  # "0.76M" of Section 4.2
        (("text",), True, 672_455),  # "0.67M"
        (("audio",), False, 756_935),
        (("text",), False, 670_919),
    ],
)
def test_what_audio_and_text_cost_over_fully_connected(paper_model, heads, bias, more):
    assert count(paper_model(heads, gcn__bias=bias)) - FC == more


@pytest.mark.parametrize(
    ("variant", "heads", "changes"),
    [
        ("r2plus1d34_fc", ("fc",), {}),
        ("r2plus1d34_graph_audio", ("audio",), {}),
        ("r2plus1d34_graph_text", ("text",), {}),
        ("r2plus1d34_graph_audiotext", ("audio_text",), {}),
        ("r2plus1d34_graph_rgb_audio_text", ("visual", "audio", "text"), {}),
        ("r3d18_graph_audio_text", ("audio", "text"), {"backbone__name": "r3d_18"}),
        ("i3d50_graph_audio_text", ("audio", "text"), {"backbone__name": "i3d_50"}),
        ("r2plus1d34_trsfmr_audiotext", ("audio_text",), {"model__relation": "transformer"}),
    ],
)
def test_parameter_counts_of_the_released_models(published, paper_model, variant, heads, changes):
    assert count(paper_model(heads, **changes)) == published[variant]["parameters"]


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"gcn__layers": 1}, 384 * 512 + 512),
        ({"gcn__layers": 3}, 384 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 512 + 512),
        ({"gcn__hidden": 64}, 384 * 64 + 64 + 64 * 512 + 512),
        ({"audio": 2 * 384}, 768 * 1024 + 1024 + 1024 * 512 + 512),  # two forms, joined
        ({"audio": 3 * 384}, 1152 * 1024 + 1024 + 1024 * 512 + 512),
    ],
)
def test_depth_width_and_forms_are_parameters(paper_model, changes, more):
    assert count(paper_model(("audio",), **changes)) == FC - 313 * 513 + more


@pytest.mark.parametrize("size", [100, 300, 768])
def test_text_forms_of_any_size(paper_model, size):
    assert count(paper_model(("text",), text=size)) == FC - 313 * 513 + size * 1024 + 1024 + 1024 * 512 + 512


@pytest.mark.parametrize("backbone", ["r3d_tiny", "r2plus1d_tiny"])
@pytest.mark.parametrize("heads", [("fc",), ("visual",), ("audio", "text"), ("visual", "audio", "text", "audio_text")])
def test_clips_in_scores_out(make_model, backbone, heads):
    model = make_model(heads, actions=7, backbone__name=backbone).eval()
    clips = torch.randn(2, 3, 8, 56, 56)
    with torch.no_grad():
        features, logits, scores = model.features(clips), model(clips), model.scores(clips)
        assert model.feature_map(clips).shape == (2, 128, 1, 4, 4)
    assert features.shape == (2, 128)
    torch.testing.assert_close(model.head(features), logits)
    torch.testing.assert_close(scores, logits.sigmoid())
    assert logits.shape == (2, 7)


@pytest.mark.parametrize("side", [112, 128])
def test_released_fc_averages_sigmoids_over_positions(make_model, side):
    """At 112 there is one position; at 128 the mean of sigmoids is not the sigmoid of the mean."""
    model = make_model(("fc",), backbone__pooling="released").eval()
    torch.nn.init.normal_(model.head.weight)
    clips = torch.randn(1, 3, 8, side, side)
    with torch.no_grad():
        grid = torch.nn.functional.avg_pool3d(model.feature_map(clips), (1, 7, 7), stride=1)
        each = torch.stack([model.head(feature) for feature in grid.flatten(2)[0].T])
        torch.testing.assert_close(model.scores(clips)[0], each.sigmoid().mean(0))
        assert torch.allclose(model.scores(clips), model(clips).sigmoid(), atol=1e-4) == (side == 112)


def test_released_relation_heads_average_features_first(make_model):
    model = make_model(("audio",), backbone__pooling="released").eval()
    clips = torch.randn(1, 3, 8, 128, 128)
    with torch.no_grad():
        feature = torch.nn.functional.avg_pool3d(model.feature_map(clips), (1, 7, 7), stride=1).mean((2, 3, 4))
        torch.testing.assert_close(model.scores(clips), model.head(feature).sigmoid())


def test_a_new_draw_of_forms_replaces_the_old(make_model):
    model = make_model(("audio", "text", "audio_text"), actions=4, audio=6, text=3)
    audio, text = torch.randn(4, 6), torch.randn(4, 3)
    model.set_forms(audio=audio, text=text)
    learners = model.head.learners
    assert torch.equal(learners["audio"].forms, audio)
    assert torch.equal(learners["text"].forms, text)
    assert torch.equal(learners["audio_text"].forms, torch.cat([audio, text], dim=1))
    with pytest.raises(PlainError, match="audio needs lexicon forms"):
        model.set_forms(audio=None, text=text)
    with pytest.raises(PlainError, match=r"found \(4, 5\), expected \(4, 6\)"):
        model.set_forms(audio=torch.randn(4, 5), text=text)


def test_forms_and_adjacency_travel_with_the_weights(make_model):
    first, second = make_model(("visual", "audio")), make_model(("visual", "audio"))
    clips = torch.randn(1, 3, 8, 56, 56)
    assert not torch.equal(first.eval()(clips), second.eval()(clips))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(clips), second(clips))
    assert {"head.adjacency", "head.learners.audio.forms"} <= first.state_dict().keys()


def test_weights_come_from_torchs_random_state(make_model):
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(make_model(("visual", "audio", "text")).state_dict())
    same, other = ([torch.equal(states[0][name], state[name]) for name in state] for state in states[1:])
    assert all(same)
    assert not all(other)


def test_gradients_reach_everything_that_learns(make_model):
    """Joint learning (Section 3.3): the error reaches the relation learners and, through them, the backbone."""
    model = make_model(("visual", "audio", "text", "audio_text"))
    model(torch.randn(2, 3, 8, 56, 56)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_batch_norm_settings(make_model):
    model = make_model(("fc",))
    model.batch_norm = BatchNorm(eps=1e-3, momentum=0.9)
    assert model.batch_norm == BatchNorm(eps=1e-3, momentum=0.9)
    assert isinstance(model.head, FullyConnected)


def test_an_adjacency_of_another_vocabulary(design_with):
    with pytest.raises(PlainError, match="found 6 actions, expected the vocabulary's 7"):
        build_model(design_with(("fc",)), actions=7, adjacency=torch.eye(6), audio_forms=None, text_forms=None)


@pytest.mark.parametrize(
    ("heads", "changes"),
    [
        (("fc",), {}),
        (("visual", "audio", "text", "audio_text"), {}),
        (("visual", "text"), {"gcn__layers": 3}),
        (("visual", "audio"), {"model__relation": "transformer"}),
        (("audio", "text"), {"model__relation": "transformer", "transformer__fusion": "cross_attention"}),
    ],
)
def test_mixed_precision_gives_nearly_the_same_logits(make_model, heads, changes):
    """Half-precision parts meet the single-precision ones (biases, prefix sums) without complaint."""
    model = make_model(heads, **changes).eval()
    features = torch.randn(4, 128)
    exact = model.head(features).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model.head(features)
    half.float().sum().backward()
    assert all(parameter.grad is not None for parameter in model.head.parameters())
    torch.testing.assert_close(half.float(), exact, rtol=0, atol=0.03 * exact.abs().max().item() + 0.03)
