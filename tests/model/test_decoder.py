"""ML-Decoder: its size, what its queries see, and its places in the model."""

import pytest
import torch
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from pipeline.model.decoder import FEED_FORWARD, WIDTH, LabelDecoder, tokens
from pipeline.model.fold import fold
from pipeline.model.heads import SoundLayer
from pipeline.model.loss import LOSSES

LAYERS = 4 * (WIDTH**2 + WIDTH) + 3 * 2 * WIDTH + 2 * WIDTH * FEED_FORWARD + FEED_FORWARD + WIDTH
"""Attention, norms, feed-forward."""


def count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("features", "actions"), [(512, 313), (2048, 80)])
def test_parameters_by_hand(features, actions):
    embed, classifier = features * WIDTH + WIDTH, actions * WIDTH + actions
    assert count(LabelDecoder(features, actions)) == LAYERS + embed + classifier + actions * WIDTH
    assert count(LabelDecoder(features, actions, torch.zeros(actions, 300))) == (
        LAYERS + embed + classifier + 300 * WIDTH + WIDTH
    )


def test_attention_is_torchs():
    """The same weights in nn.MultiheadAttention give the same attention."""
    decoder = LabelDecoder(6, 5).double().eval()
    theirs = torch.nn.MultiheadAttention(WIDTH, 8, batch_first=True).double().eval()
    parts = (decoder.ask, decoder.key, decoder.value)
    theirs.in_proj_weight.data = torch.cat([part.weight.data for part in parts])
    theirs.in_proj_bias.data = torch.cat([part.bias.data for part in parts])
    theirs.out_proj.load_state_dict(decoder.join.state_dict())
    asked, memory = torch.randn(5, WIDTH).double(), torch.randn(2, 7, WIDTH).double()
    expected, _ = theirs(asked.expand(2, -1, -1), memory, memory)
    torch.testing.assert_close(decoder.attention(asked, memory), expected)


def test_the_order_of_places_does_not_matter_and_their_content_does():
    decoder = LabelDecoder(6, 5).double()
    places = torch.randn(2, 7, 6).double()
    torch.testing.assert_close(decoder(places.flip(1)), decoder(places))
    assert not torch.allclose(decoder(places.mean(1)), decoder(places))
    torch.testing.assert_close(decoder(places[:, 0]), decoder(places[:, :1]))


def test_an_action_asks_alone():
    """Another action's query changes no logit but its own."""
    decoder = LabelDecoder(6, 5).double()
    places = torch.randn(2, 7, 6).double()
    before = decoder(places)
    decoder.queries.data[3] += torch.randn(WIDTH)
    changed = (decoder(places) - before).abs() > 1e-9
    assert changed.any(0).tolist() == [False, False, False, True, False]


@pytest.mark.parametrize("heads", [("decoder",), ("decoder_text",)])
def test_in_the_model_it_sees_every_place_and_folds_to_itself(make_model, heads):
    model = make_model(heads).eval()
    clips = torch.randn(2, 3, 8, 32, 32)
    with torch.no_grad():
        places = tokens(model.feature_map(clips))
        assert places.shape[1] > 1
        torch.testing.assert_close(model(clips), model.head(places))
        torch.testing.assert_close(model.scores(clips), model.head(places).sigmoid())
        torch.testing.assert_close(fold(model).scores(clips), model.scores(clips))
        assert model.scores_at(places[:, :1]).shape == (2, 7)


@pytest.mark.parametrize("sound", [None, 6])
def test_many_views_are_scored_in_parts_as_at_once(make_model, monkeypatch, sound):
    decoder = make_model(("decoder",)).eval()
    places, heard = torch.randn(11, 1, decoder.backbone.features), torch.randn(11, 6)
    if sound:
        decoder.sound = SoundLayer(sound, 7)
    sounds = heard if sound else None
    with torch.no_grad():
        at_once = decoder.scores_at(places, sounds)
        monkeypatch.setattr("pipeline.model.model.DECODED_AT_ONCE", 4 * 7)
        torch.testing.assert_close(decoder.scores_at(places, sounds), at_once)


def test_text_queries_are_read_from_the_forms(make_model):
    model = make_model(("decoder_text",)).eval()
    places = torch.randn(2, 4, model.backbone.features)
    before = model.head(places)
    model.head.forms[2] += 1.0
    changed = (model.head(places) - before).abs() > 1e-6
    assert changed.any(0).tolist() == [number == 2 for number in range(7)]


@pytest.mark.parametrize("name", LOSSES)
def test_several_side_by_side_learn_as_each_alone(name):
    """As heads on frozen features are trained: stacked, one call for all."""
    heads = [LabelDecoder(6, 5) for _ in range(2)]
    stacked = {
        key: torch.stack([dict(h.named_parameters())[key] for h in heads]) for key, _ in heads[0].named_parameters()
    }
    features, targets = torch.randn(3, 6), torch.rand(3, 5) < 0.5

    def loss(weights):
        return LOSSES[name](functional_call(heads[0], weights, (features,)), targets)

    with sdpa_kernel(SDPBackend.MATH):  # as where heads are stacked
        together = vmap(loss)(stacked)
    alone = torch.stack([LOSSES[name](head(features), targets) for head in heads])
    torch.testing.assert_close(together, alone)
