"""The authors' extension: self-attention over actions in the GCN's place (Section 2; released code).

The attention matrix softmax(Q K^T / sqrt(d)) is learned where the GCN's adjacency is counted. An adjacency
comes in and is not used, so that both relation learners read alike.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.foundations.params import Transformer
from pipeline.foundations.runtime.errors import PlainError

DROPOUT = 0.2  # released code
LINEAR_STD = 0.01  # released code: of the normal distribution that every linear layer starts from


class ActionEncoder(nn.Module):
    """Layers of self-attention over the N actions, D features each, with Leaky ReLU between layers."""

    def __init__(self, size: int, settings: Transformer) -> None:
        super().__init__()
        check_attention_heads(size, settings)
        self.positions = settings.positions
        self.slope = settings.slope
        self.layers = nn.ModuleList(_layer(size, settings) for _ in range(settings.layers))
        start_linears(self)

    def forward(self, nodes: Tensor) -> Tensor:
        """B x N x D or N x D, the same out."""
        tokens = nodes if nodes.dim() == 3 else nodes[None]
        if self.positions:
            tokens = F.dropout(tokens + sinusoids(*tokens.shape[1:]).to(tokens), DROPOUT, self.training)
        for index, layer in enumerate(self.layers):
            tokens = layer(F.leaky_relu(tokens, self.slope) if index else tokens)
        return tokens if nodes.dim() == 3 else tokens[0]


class ActionTransformer(nn.Module):
    """An encoder, then a linear layer from D to `outputs` features an action."""

    def __init__(self, size: int, outputs: int, settings: Transformer) -> None:
        super().__init__()
        self.encoder = ActionEncoder(size, settings)
        self.fc = nn.Linear(size, outputs)
        self.slope = settings.slope
        start_linears(self)

    def forward(self, adjacency_NN: Tensor, nodes: Tensor) -> Tensor:
        """... x N x outputs from ... x N x D; the adjacency is not used."""
        return F.dropout(self.fc(F.leaky_relu(self.encoder(nodes), self.slope)), DROPOUT, self.training)


class SimplifiedLayer(nn.Module):
    """Self-attention, residual, layer norm; no feed-forward part."""

    def __init__(self, size: int, attention_heads: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(size, attention_heads, dropout=DROPOUT, batch_first=True)
        self.norm = nn.LayerNorm(size)

    def forward(self, tokens: Tensor) -> Tensor:
        """B x N x D, the same out."""
        attended, _ = self.self_attn(tokens, tokens, tokens, need_weights=False)
        normed: Tensor = self.norm(tokens + F.dropout(attended, DROPOUT, self.training))
        return normed


class CrossAttention(nn.Module):
    """One modality's actions ask the others': attention, residual, layer norm, then a linear layer."""

    def __init__(self, query: int, key: int, value: int, outputs: int, settings: Transformer) -> None:
        super().__init__()
        self.cross_attn = nn.MultiheadAttention(
            query, settings.attention_heads, dropout=DROPOUT, batch_first=True, kdim=key, vdim=value
        )
        self.norm = nn.LayerNorm(query)
        self.fc = nn.Linear(query, outputs)
        self.slope = settings.slope
        start_linears(self)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """B x N x outputs, from B x N x (query, key and value size)."""
        attended, _ = self.cross_attn(queries, keys, values, need_weights=False)
        tokens = self.norm(queries + F.dropout(attended, DROPOUT, self.training))
        return F.dropout(self.fc(F.leaky_relu(tokens, self.slope)), DROPOUT, self.training)


def sinusoids(actions: int, size: int) -> Tensor:
    """The positions of Vaswani et al. 2017: N x D, sines at even features, cosines at odd ones."""
    feature = torch.arange(size)
    angle = torch.arange(actions)[:, None] / 10_000 ** ((feature - feature % 2) / size)
    return torch.where(feature % 2 == 0, angle.sin(), angle.cos())


def check_attention_heads(size: int, settings: Transformer) -> None:
    """Attention splits its features evenly.

    Raises:
        PlainError: it cannot.
    """
    if size % settings.attention_heads:
        raise PlainError(
            f"transformer.attention_heads: found {settings.attention_heads}, which does not divide the {size} "
            f"features of a node; expected a divisor of {size}"
        )


def _layer(size: int, settings: Transformer) -> nn.Module:
    if settings.block == "simplified":
        return SimplifiedLayer(size, settings.attention_heads)
    return nn.TransformerEncoderLayer(
        size, settings.attention_heads, settings.hidden, dropout=DROPOUT, batch_first=True
    )


def start_linears(module: nn.Module) -> None:
    """Draw every linear layer in `module` from N(0, 0.01), bias 0; query, key and value weights stay Xavier-uniform.

    The released code does so once the model is built, so whatever its layers drew before does not count.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=LINEAR_STD)
            nn.init.zeros_(layer.bias)
