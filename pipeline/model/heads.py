"""Heads, from backbone features to action logits: the relation learners and their sum (Equation 3).

Shape suffixes: B batch, C backbone features, N actions, D features of a node at a learner's input.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from pipeline.model import gcn_fast
from pipeline.model.decoder import LabelDecoder
from pipeline.model.gcn import Gcn
from pipeline.model.transformer import ActionEncoder, ActionTransformer, CrossAttention


class FreeMatrix(nn.Module):
    """A free N x C matrix in the place of G(forms): a control, without a graph and without forms.

    An audio or text GCN outputs one such matrix (`pipeline.model.fold`); here it is a free parameter.
    """

    def __init__(self, actions: int, features: int) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.empty(actions, features).normal_(std=0.01))  # as `FullyConnected` starts

    def forward(self, adjacency_NN: Tensor, nodes_ND: Tensor) -> Tensor:
        """N x C, whatever the arguments."""
        return self.matrix


Relation = Gcn | ActionTransformer
LexiconName = Literal["audio", "text"]


class FullyConnected(nn.Linear):
    """The baseline J(H, FC): one linear layer, no relations."""

    def __init__(self, features: int, actions: int) -> None:
        super().__init__(features, actions)
        nn.init.normal_(self.weight, std=0.01)  # released code
        nn.init.zeros_(self.bias)


class ExclusiveHead(FullyConnected):
    """One linear layer for actions that exclude one another, as in Kinetics: one softmax over all of them.

    Its logits are log-odds, log p_i - log(1 - p_i) = z_i - log sum_{j != i} exp(z_j), so that their sigmoids, which are
    scores everywhere here, are the softmax's p.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Logits, ... x N, from features, ... x C."""
        z_N = super().forward(features)
        own_NN = torch.eye(self.out_features, dtype=torch.bool, device=z_N.device)
        others_NN = z_N[..., None, :].masked_fill(own_NN, float("-inf"))
        return z_N - others_NN.logsumexp(-1)


class VisualHead(nn.Module):
    """Each node gets the video's own feature; the mean over nodes of the relations is the prediction Z_v."""

    def __init__(self, relation: Relation | FreeMatrix) -> None:
        super().__init__()
        self.relation = relation

    def forward(self, features_BC: Tensor, adjacency_NN: Tensor) -> Tensor:
        """Logits, B x N."""
        if isinstance(self.relation, Gcn) and gcn_fast.holds(self.relation):
            return gcn_fast.shared_feature_gcn(self.relation, adjacency_NN, features_BC)
        nodes_BNC = features_BC[:, None].expand(-1, len(adjacency_NN), -1)
        Z_BNN: Tensor = self.relation(adjacency_NN, nodes_BNC)
        return Z_BNN.mean(1)


class LexiconHead(nn.Module):
    """Each node gets its action's form from a lexicon; the relations weigh the video's feature, X G(forms)^T.

    The relations do not depend on the video: they are computed once for the whole batch.
    """

    forms: Tensor

    def __init__(self, relation: Relation | FreeMatrix, forms_ND: Tensor) -> None:
        super().__init__()
        self.relation = relation
        self.register_buffer("forms", forms_ND)

    def matrix(self, adjacency_NN: Tensor) -> Tensor:
        """G(forms), N x C: this learner's part of a linear classifier of features."""
        Z_NC: Tensor = self.relation(adjacency_NN, self.forms)
        return Z_NC

    def forward(self, features_BC: Tensor, adjacency_NN: Tensor) -> Tensor:
        """Logits, B x N."""
        return features_BC @ self.matrix(adjacency_NN).T


class BuildRelation(Protocol):
    """Makes a relation learner from nodes of `inputs` features to `outputs`, as the parameters describe it."""

    def __call__(self, inputs: int, outputs: int, *, lexical: bool) -> Relation | FreeMatrix:
        """The learner; `lexical` where its nodes are forms, so that it is the same for every video."""


class HeadKind(NamedTuple):
    """One of `model.heads`."""

    build: Callable[[BuildRelation, int, int, Tensor | None], nn.Module]
    """From C, N and its forms (N x D, where it has lexicons): a module from features (B x C) and graph to B x N."""
    lexicons: tuple[LexiconName, ...] = ()
    """Lexicons whose forms, concatenated, are its nodes; none where nodes are the video's feature."""


def _visual(relation: BuildRelation, C: int, N: int, forms_ND: Tensor | None) -> nn.Module:
    return VisualHead(relation(C, N, lexical=False))


def _lexical(relation: BuildRelation, C: int, N: int, forms_ND: Tensor | None) -> nn.Module:
    if forms_ND is None:
        raise ValueError("a head with a lexicon needs its forms")
    return LexiconHead(relation(forms_ND.shape[1], C, lexical=True), forms_ND)


def _fully_connected(relation: BuildRelation, C: int, N: int, forms_ND: Tensor | None) -> nn.Module:
    return FullyConnected(C, N)


def _exclusive(relation: BuildRelation, C: int, N: int, forms_ND: Tensor | None) -> nn.Module:
    return ExclusiveHead(C, N)


def _decoder(relation: BuildRelation, C: int, N: int, forms_ND: Tensor | None) -> nn.Module:
    return LabelDecoder(C, N, forms_ND)


HEADS: Mapping[str, HeadKind] = {
    "visual": HeadKind(_visual),
    "audio": HeadKind(_lexical, ("audio",)),
    "text": HeadKind(_lexical, ("text",)),
    "audio_text": HeadKind(_lexical, ("audio", "text")),
    "fc": HeadKind(_fully_connected),
    "softmax": HeadKind(_exclusive),
    "decoder": HeadKind(_decoder),
    "decoder_text": HeadKind(_decoder, ("text",)),
}
"""What each name in `model.heads` builds; those from `fc` on stand alone, without a graph."""


def uses(heads: Iterable[str], lexicon: LexiconName) -> bool:
    """Whether one of some heads has forms of a lexicon."""
    return any(lexicon in HEADS[name].lexicons for name in heads)


class JointHead(nn.Module):
    """Z = Z_v + Z_a + Z_t, over any subset of the learners (Equation 3)."""

    adjacency: Tensor

    def __init__(self, learners: Mapping[str, nn.Module], adjacency_NN: Tensor) -> None:
        super().__init__()
        self.learners = nn.ModuleDict(learners)
        self.register_buffer("adjacency", adjacency_NN)

    def forward(self, features_BC: Tensor) -> Tensor:
        """Logits, B x N."""
        return torch.stack([learner(features_BC, self.adjacency) for learner in self.learners.values()]).sum(0)


class VisualTokens(nn.Module):
    """A modality of `CrossHead` whose actions all start from the video's own feature."""

    def __init__(self, encoder: ActionEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, features_BC: Tensor, actions: int) -> Tensor:
        """B x N x C."""
        tokens_BNC: Tensor = self.encoder(features_BC[:, None].expand(-1, actions, -1))
        return tokens_BNC


class LexiconTokens(nn.Module):
    """A modality of `CrossHead` whose actions start from their forms; the same for every video."""

    forms: Tensor

    def __init__(self, encoder: ActionEncoder, forms_ND: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("forms", forms_ND)

    def forward(self, features_BC: Tensor, actions: int) -> Tensor:
        """B x N x D."""
        tokens_ND: Tensor = self.encoder(self.forms)
        return tokens_ND.expand(features_BC.shape[0], -1, -1)  # len() would fix the batch in an export


class SoundLayer(nn.Linear):
    """Late fusion: a linear layer from a video's own sound embedding, P, to logits; silence (zeros) adds 0.

    Whitened numbers have deviation 1; `scale` brings them to that of the features beside them, so that one rate suits
    the classifiers of both.
    """

    def __init__(self, sound: int, actions: int, scale: float = 1.0) -> None:
        super().__init__(sound, actions, bias=False)
        nn.init.normal_(self.weight, std=0.01)
        self.scale = scale

    def forward(self, sounds_BP: Tensor) -> Tensor:
        """What it adds to the logits, B x N."""
        return super().forward(sounds_BP if self.scale == 1.0 else sounds_BP * self.scale)


class CrossHead(nn.Module):
    """Fusion by cross-attention (released code): the first modality is the query, the others key and value.

    The output is one classifier for each video, N x C, applied to the video's feature.
    """

    def __init__(self, learners: Mapping[str, VisualTokens | LexiconTokens], fusion: CrossAttention, n: int) -> None:
        super().__init__()
        self.learners = nn.ModuleDict(learners)
        self.fusion = fusion
        self.actions = n

    def forward(self, features_BC: Tensor) -> Tensor:
        """Logits, B x N."""
        return (self.classifiers(features_BC) @ features_BC[:, :, None]).squeeze(2)

    def classifiers(self, features_BC: Tensor) -> Tensor:
        """The classifier of each video, B x N x C."""
        tokens = [learner(features_BC, self.actions) for learner in self.learners.values()]
        classifiers_BNC: Tensor = self.fusion(tokens[0], tokens[1], tokens[-1])
        return classifiers_BNC


Head = FullyConnected | LabelDecoder | JointHead | CrossHead
