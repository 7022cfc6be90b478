"""Self-attention over actions, checked against attention written out."""

import math

import pytest
import torch

from pipeline.errors import PlainError
from pipeline.nn.transformer import (
    ActionEncoder,
    ActionTransformer,
    CrossAttention,
    SimplifiedLayer,
    sinusoids,
)
from pipeline.params import Transformer


def settings(**changes: object) -> Transformer:
    fields = {
        "layers": 1,
        "hidden": 10,
        "attention_heads": 2,
        "block": "simplified",
        "positions": False,
        "fusion": "sum",
    }
    return Transformer.model_validate(fields | changes)


def attention(q, k, v, heads):
    """softmax(Q K^T / sqrt(d)) V, head by head; N x D each."""
    parts = zip(q.chunk(heads, 1), k.chunk(heads, 1), v.chunk(heads, 1), strict=True)
    return torch.cat([torch.softmax(a @ b.T / math.sqrt(a.shape[1]), 1) @ c for a, b, c in parts], dim=1)


def normed(x, layer):
    mean, variance = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * layer.weight + layer.bias


def test_simplified_layer_is_attention_residual_norm():
    layer = SimplifiedLayer(6, 2).double().eval()
    x = torch.randn(5, 6).double()
    q, k, v = (x @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias).chunk(3, 1)
    attended = layer.self_attn.out_proj(attention(q, k, v, 2))
    torch.testing.assert_close(layer(x[None])[0], normed(x + attended, layer.norm))


def test_learner_is_encoder_leaky_relu_linear():
    learner = ActionTransformer(6, 4, settings()).double().eval()
    x = torch.randn(5, 6).double()
    tokens = learner.encoder(x)
    tokens = torch.where(tokens > 0, tokens, 0.01 * tokens)
    expected = tokens @ learner.fc.weight.T + learner.fc.bias
    torch.testing.assert_close(learner(torch.eye(5), x), expected)


def test_layers_follow_one_another_with_leaky_relu_between():
    encoder = ActionEncoder(6, settings(layers=3)).double().eval()
    x = torch.randn(5, 6).double()
    first, second, third = encoder.layers
    leaky = torch.nn.LeakyReLU(0.01)
    torch.testing.assert_close(encoder(x)[None], third(leaky(second(leaky(first(x[None]))))))


@pytest.mark.parametrize("block", ["simplified", "full"])
def test_without_positions_actions_have_no_order(block):
    encoder = ActionEncoder(6, settings(block=block)).double().eval()
    x, order = torch.randn(5, 6).double(), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(encoder(x[order]), encoder(x)[order])
    placed = ActionEncoder(6, settings(block=block, positions=True)).double().eval()
    assert not torch.allclose(placed(x[order]), placed(x)[order], atol=1e-3)


def test_each_action_hears_every_other():
    """What the released full layer loses: there a batch of one is taken for a sequence of one."""
    for block in ("simplified", "full"):
        encoder = ActionEncoder(6, settings(block=block)).double().eval()
        x = torch.randn(5, 6).double()
        changed = x.clone()
        changed[4] += 1.0
        assert ((encoder(x) - encoder(changed)).abs().sum(1) > 1e-6).all()


def test_a_batch_is_each_video_alone():
    encoder = ActionEncoder(6, settings(block="full")).double().eval()
    x = torch.randn(3, 5, 6).double()
    torch.testing.assert_close(encoder(x), torch.stack([encoder(one) for one in x]))


def test_sinusoids_by_hand():
    table = sinusoids(3, 4)
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    expected = [math.sin(2), math.cos(2), math.sin(0.02), math.cos(0.02)]
    assert table[2].tolist() == pytest.approx(expected, rel=1e-5)  # float32, of an angle that is float32 too


def test_full_layer_has_a_feed_forward_part_of_the_hidden_size():
    layer = ActionEncoder(6, settings(block="full", hidden=11)).layers[0]
    assert layer.linear1.weight.shape == (11, 6)


def test_cross_attention_written_out():
    """Queries of one size, keys and values of others."""
    fusion = CrossAttention(6, 4, 3, 8, attention_heads=2).double().eval()
    q, k, v = (torch.randn(5, size).double() for size in (6, 4, 3))
    attn = fusion.cross_attn
    bq, bk, bv = attn.in_proj_bias.chunk(3)
    attended = attention(q @ attn.q_proj_weight.T + bq, k @ attn.k_proj_weight.T + bk, v @ attn.v_proj_weight.T + bv, 2)
    tokens = normed(q + attn.out_proj(attended), fusion.norm)
    expected = fusion.fc(torch.nn.functional.leaky_relu(tokens, 0.01))
    torch.testing.assert_close(fusion(q[None], k[None], v[None])[0], expected)


@pytest.mark.parametrize("heads", [("audio", "text"), ("visual", "audio"), ("visual", "audio", "text")])
def test_cross_head_asks_the_first_modality(make_head, heads):
    """Queries, keys and values are the first, second and last modality; each video gets its own classifier."""
    head = make_head(
        heads, torch.eye(5), torch.randn(5, 8), torch.randn(5, 4),
        model__relation="transformer", transformer__fusion="cross_attention",
    ).eval()  # fmt: skip
    X, text, audio = torch.randn(3, 16), torch.randn(5, 4), torch.randn(5, 8)
    for name, forms in (("text", text), ("audio", audio)):
        if name in heads:
            head.learners[name].forms.copy_(forms)
    start = {"visual": X[1].expand(5, 16), "audio": audio, "text": text}
    tokens = [head.learners[name].encoder(start[name])[None] for name in heads]
    classifier_NC = head.fusion(tokens[0], tokens[1], tokens[-1])[0]
    torch.testing.assert_close(head(X)[1], classifier_NC @ X[1])


def test_cross_attention_needs_two_or_three(make_head):
    with pytest.raises(PlainError, match="two or three"):
        make_head(
            ("audio",), torch.eye(5), torch.randn(5, 8), None,
            model__relation="transformer", transformer__fusion="cross_attention",
        )  # fmt: skip


def test_attention_heads_must_divide_the_features():
    with pytest.raises(PlainError, match="found 8, which does not divide the 300"):
        ActionEncoder(300, settings(attention_heads=8))


def test_dropout_acts_in_training_alone():
    learner = ActionTransformer(6, 4, settings())
    x = torch.randn(5, 6)
    assert not torch.equal(learner(torch.eye(5), x), learner(torch.eye(5), x))
    learner.eval()
    assert torch.equal(learner(torch.eye(5), x), learner(torch.eye(5), x))
