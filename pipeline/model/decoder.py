"""ML-Decoder (Ridnik et al. 2023), after Query2Label (Liu et al. 2021): each action asks the places of the feature map.

tokens (B x L x C) -> linear, ReLU -> memory (B x L x D)
queries (N x D)    -> norm -> attention over the memory -> norm -> feed-forward -> norm -> one dot product an action

Queries are learnt, or the text lexicon's forms through a linear layer. They do not see one another: no self-attention,
as published. Shape suffixes: B batch, C features, D width, H heads, L places, N actions, Q text-form size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, ATTENTION_HEADS, FEED_FORWARD = 768, 8, 2048
"""As published."""


class LabelDecoder(nn.Module):
    """From places of a feature map to one logit an action.

    Where a single vector a video is given, B x C, it is the one place: so on frozen features, which are pooled.
    """

    forms: Tensor | None

    def __init__(self, features: int, actions: int, forms_NQ: Tensor | None = None) -> None:
        super().__init__()
        self.embed = nn.Linear(features, WIDTH)
        self.queries = nn.Parameter(torch.randn(actions, WIDTH)) if forms_NQ is None else None
        self.read = None if forms_NQ is None else nn.Linear(forms_NQ.shape[1], WIDTH)
        self.register_buffer("forms", forms_NQ)
        self.ask, self.key, self.value, self.join = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.feed = nn.Sequential(nn.Linear(WIDTH, FEED_FORWARD), nn.ReLU(), nn.Linear(FEED_FORWARD, WIDTH))
        self.weight = nn.Parameter(torch.empty(actions, WIDTH).normal_(std=0.01))
        self.bias = nn.Parameter(torch.zeros(actions))

    def forward(self, tokens_BLC: Tensor) -> Tensor:
        """Logits, B x N, from places, B x L x C, or from pooled features, B x C."""
        if tokens_BLC.ndim == 2:
            tokens_BLC = tokens_BLC[:, None]
        memory_BLD = self.embed(tokens_BLC).relu()
        asked_ND = self.norm1(self.asked())
        found_BND = self.norm2(asked_ND + self.attention(asked_ND, memory_BLD))
        found_BND = self.norm3(found_BND + self.feed(found_BND))
        logits_BN: Tensor = (found_BND * self.weight).sum(-1) + self.bias
        return logits_BN

    def asked(self) -> Tensor:
        """The queries, N x D."""
        if self.read is not None:
            read_ND: Tensor = self.read(self.forms)
            return read_ND
        if self.queries is None:
            raise ValueError("a decoder has queries of its own or forms to read them from")
        return self.queries

    def attention(self, asked_ND: Tensor, memory_BLD: Tensor) -> Tensor:
        """What each action's query finds among the places, B x N x D."""
        q, k, v = (_by_head(part) for part in (self.ask(asked_ND), self.key(memory_BLD), self.value(memory_BLD)))
        q_BHND = q.expand(memory_BLD.shape[0], *q.shape)
        found_BHND = F.scaled_dot_product_attention(q_BHND, k, v)
        found_BND: Tensor = self.join(found_BHND.transpose(1, 2).flatten(2))
        return found_BND


def _by_head(values: Tensor) -> Tensor:
    """... x L x D as ... x H x L x D / H."""
    return values.reshape(*values.shape[:-1], ATTENTION_HEADS, WIDTH // ATTENTION_HEADS).transpose(-2, -3)


def tokens(map_BCTYX: Tensor) -> Tensor:
    """The places of a feature map, B x L x C."""
    return map_BCTYX.flatten(2).transpose(1, 2)
