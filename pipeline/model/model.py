"""The joint model J(H, G_v, G_a, G_t): a 3D-CNN and its relation learners (Figure 2, Equation 3)."""

import itertools
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables.manifest import standard_deviation
from pipeline.model.backbones import Backbone, BatchNorm, make_backbone
from pipeline.model.backbones.pooling import Pooling
from pipeline.model.decoder import LabelDecoder, tokens
from pipeline.model.design import Design
from pipeline.model.gcn import Gcn
from pipeline.model.heads import (
    HEADS,
    CrossHead,
    ExclusiveHead,
    FreeMatrix,
    FullyConnected,
    Head,
    JointHead,
    LexiconHead,
    LexiconTokens,
    Relation,
    SoundLayer,
    VisualTokens,
)
from pipeline.model.transformer import ActionEncoder, ActionTransformer, CrossAttention

DECODED_AT_ONCE = 8192
"""Pairs of view and action that a decoder scores at once: its widest layer holds 8 KB of each."""


class MultiActionModel(nn.Module):
    """Clips in, one logit an action out.

        clips -> backbone -> feature map -> pooling -> features (B x C) -> head -> logits (B x N)

    A clip is RGB, normalized, B x 3 x T x Y x X, float. With late fusion, the video's own sound joins at the logits:
    whitened VGGish, B x P, zeros where a video is silent; without `sounds`, all are.
    """

    mixed_precision = False
    """Whether the backbone computes in bfloat16 where that is accurate enough (autocast); all behind it never does."""

    def __init__(self, backbone: Backbone, pooling: Pooling, head: nn.Module, sound: SoundLayer | None = None) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.head = head
        self.sound = sound

    def forward(self, clips: Tensor, sounds: Tensor | None = None) -> Tensor:
        """Logits, B x N."""
        return self.logits(self.seen(self.feature_map(clips)), sounds)

    def logits(self, features_BC: Tensor, sounds_BP: Tensor | None = None) -> Tensor:
        """Logits from backbone features, B x N; or at several pooling positions, B x L x C to B x L x N."""
        return head_logits(self.head, self.sound, features_BC, sounds_BP)

    def seen(self, map_BCTYX: Tensor) -> Tensor:
        """The head's input from a feature map: pooled features, B x C; for a decoder, every place, B x L x C."""
        if isinstance(self.head, LabelDecoder):
            return tokens(map_BCTYX)
        features_BC: Tensor = self.pooling(map_BCTYX)
        return features_BC

    def features(self, clips: Tensor) -> Tensor:
        """Backbone features X, B x C."""
        features_BC: Tensor = self.pooling(self.feature_map(clips))
        return features_BC

    def feature_map(self, clips: Tensor) -> Tensor:
        """The output of the backbone's last layer, B x C x T' x Y' x X'; float32 also with mixed precision."""
        with torch.autocast(clips.device.type, torch.bfloat16) if self.mixed_precision else nullcontext():
            map_BCTYX: Tensor = self.backbone(clips)
        return map_BCTYX.float() if self.mixed_precision else map_BCTYX

    def scores(self, clips: Tensor, sounds: Tensor | None = None) -> Tensor:
        """Scores in [0, 1], B x N."""
        map_BCTYX = self.feature_map(clips)
        if isinstance(self.head, LabelDecoder):
            return self.logits(tokens(map_BCTYX), sounds).sigmoid()
        return self.scores_at(self.pooling.positions(map_BCTYX), sounds)

    def scores_at(self, positions_BLC: Tensor, sounds: Tensor | None = None) -> Tensor:
        """Scores in [0, 1], B x N, from backbone features at L pooling positions.

        The sigmoids of the logits; for the fully connected baseline, the mean of the sigmoids at each pooling
        position (released code), which differs only where `released` pooling has several.
        """
        if isinstance(self.head, LabelDecoder):
            at_once = max(1, DECODED_AT_ONCE // len(self.head.weight))
            heard = itertools.repeat(None) if sounds is None else torch.split(sounds, at_once)
            parts = zip(torch.split(positions_BLC, at_once), heard, strict=False)
            return torch.cat([self.logits(part_BLC, own) for part_BLC, own in parts]).sigmoid()
        if isinstance(self.head, FullyConnected):
            return self.logits(positions_BLC, sounds).sigmoid().mean(1)
        return self.logits(positions_BLC.mean(1), sounds).sigmoid()

    @torch.no_grad()
    def set_forms(self, *, audio: Tensor | None, text: Tensor | None) -> None:
        """Put other lexicon forms into the learners that use them (a new draw, each epoch).

        Args:
            audio: N x (P x forms), or None where no learner hears.
            text: N x Q, or None where no learner reads.

        Raises:
            PlainError: a learner's forms are missing, or of another shape than those it was built with.
        """
        learners = self.head.learners.items() if isinstance(self.head, JointHead | CrossHead) else ()
        for name, learner in learners:
            if isinstance(learner, LexiconHead | LexiconTokens):
                forms_ND = _forms(name, audio, text)
                if forms_ND.shape != learner.forms.shape:
                    found, expected = tuple(forms_ND.shape), tuple(learner.forms.shape)
                    raise PlainError(f"{name} forms: found {found}, expected {expected} as the model was built")
                learner.forms.copy_(forms_ND)

    @property
    def batch_norm(self) -> BatchNorm:
        """Settings of the backbone's batch norms, which the weights depend on."""
        return self.backbone.batch_norm

    @batch_norm.setter
    def batch_norm(self, settings: BatchNorm) -> None:
        self.backbone.batch_norm = settings


class HeadModel(nn.Module):
    """A model without its backbone, whose head and late fusion it shares: backbone features in, logits out."""

    def __init__(self, model: MultiActionModel) -> None:
        super().__init__()
        self.head = model.head
        self.sound = model.sound

    def forward(self, features_BC: Tensor, sounds_BP: Tensor | None = None) -> Tensor:
        """Logits, B x N."""
        return head_logits(self.head, self.sound, features_BC, sounds_BP)


def head_logits(head: nn.Module, sound: SoundLayer | None, features_BC: Tensor, sounds_BP: Tensor | None) -> Tensor:
    """Logits from backbone features, B x N; or at several pooling positions, B x L x C to B x L x N."""
    logits_BN: Tensor = head(features_BC)
    if sound is None or sounds_BP is None:
        return logits_BN
    heard_BN: Tensor = sound(sounds_BP)
    return logits_BN + heard_BN.reshape(len(heard_BN), *[1] * (logits_BN.ndim - 2), -1)


def build_model(
    design: Design,
    *,
    actions: int,
    adjacency: Tensor,
    audio_forms: Tensor | None,
    text_forms: Tensor | None,
    features: int | None = None,
    sound: int | None = None,
) -> MultiActionModel:
    """The model of a design, its weights drawn from torch's current random state.

    The normalized adjacency and the forms become buffers: they are saved and loaded with the weights.

    Args:
        design: which 3D-CNN, how its last map is pooled, and which relation learners are summed. Weights to start from
            are not read here (`pipeline.model.weights`).
        actions: N.
        adjacency: normalized, N x N (`pipeline.graph.normalize.normalize`).
        audio_forms: N x (P x forms), or None where no learner hears.
        text_forms: N x Q, or None where no learner reads.
        features: C, where they are imported; a 3D-CNN knows its own.
        sound: P, numbers of a video's own sound; None where no late fusion hears it.

    Raises:
        PlainError: a learner's forms are missing, or the parameters do not fit one another.
    """
    if len(adjacency) != actions:
        raise PlainError(f"adjacency: found {len(adjacency)} actions, expected the vocabulary's {actions}")
    network, late_fusion = make_backbone(design.backbone.name, features), design.model.late_fusion
    head = build_head(
        design, features=network.features, adjacency=adjacency, audio_forms=audio_forms, text_forms=text_forms
    )
    if late_fusion and sound is None:
        raise PlainError("model.late_fusion: how wide a video's own sound is was not given; train again")
    scale = 1.0 if features is None else standard_deviation(features)
    heard = SoundLayer(sound, actions, scale) if late_fusion and sound else None
    return MultiActionModel(network, Pooling(design.backbone.pooling), head, heard)


def build_head(
    design: Design,
    *,
    features: int,
    adjacency: Tensor,
    audio_forms: Tensor | None,
    text_forms: Tensor | None,
) -> Head:
    """The model's head alone, for `features` backbone features C; the rest as `build_model`.

    Raises:
        PlainError: as `build_model`.
    """
    model = design.model
    if "fc" in model.heads:
        return FullyConnected(features, len(adjacency))
    if "softmax" in model.heads:
        return ExclusiveHead(features, len(adjacency))
    if "decoder" in model.heads:
        return LabelDecoder(features, len(adjacency))
    lexical = [name for name in model.heads if HEADS[name].lexicons]
    forms: dict[str, Tensor] = {name: _forms(name, audio_forms, text_forms) for name in lexical}
    for name, matrix in forms.items():
        if len(matrix) != len(adjacency):
            raise PlainError(f"{name} forms: found {len(matrix)} actions, expected the adjacency's {len(adjacency)}")
    if "decoder_text" in model.heads:
        return LabelDecoder(features, len(adjacency), forms["decoder_text"])
    crossed = model.relation == "transformer" and design.transformer.fusion == "cross_attention"
    if model.control == "free_matrix" and (crossed or not forms):
        raise PlainError(
            f"model.control: free_matrix replaces audio and text learners; found heads {list(model.heads)}, "
            f"relation {model.relation}, fusion {design.transformer.fusion}"
        )
    if crossed:
        return _cross_head(design, features, len(adjacency), forms)
    return _joint_head(design, features, adjacency.float().clone(), forms)


def _joint_head(design: Design, C: int, adjacency_NN: Tensor, forms: dict[str, Tensor]) -> JointHead:
    model, gcn = design.model, design.gcn

    def relation(inputs: int, outputs: int, *, lexical: bool) -> Relation | FreeMatrix:
        if lexical and model.control == "free_matrix":
            return FreeMatrix(len(adjacency_NN), outputs)
        if model.relation == "transformer":
            return ActionTransformer(inputs, outputs, design.transformer)
        sizes = [inputs, *[gcn.hidden] * (gcn.layers - 1), outputs]
        return Gcn(sizes, slope=gcn.slope, bias=gcn.bias, last_activation=gcn.last_activation)

    learners: dict[str, nn.Module] = {
        name: HEADS[name].build(relation, C, len(adjacency_NN), forms.get(name)) for name in model.heads
    }
    return JointHead(learners, adjacency_NN)


def _cross_head(design: Design, C: int, N: int, forms: dict[str, Tensor]) -> CrossHead:
    model, transformer = design.model, design.transformer
    if len(model.heads) not in (2, 3):
        raise PlainError(f"model.heads: found {list(model.heads)}; cross-attention joins two or three of them")
    sizes = [forms[name].shape[1] if name in forms else C for name in model.heads]
    learners: dict[str, VisualTokens | LexiconTokens] = {}
    for name, size in zip(model.heads, sizes, strict=True):
        encoder = ActionEncoder(size, transformer)
        learners[name] = LexiconTokens(encoder, forms[name]) if name in forms else VisualTokens(encoder)
    fusion = CrossAttention(sizes[0], sizes[1], sizes[-1], C, transformer)
    return CrossHead(learners, fusion, N)


def _forms(name: str, audio: Tensor | None, text: Tensor | None) -> Tensor:
    """The forms that learner `name` uses, N x D."""
    parts = [{"audio": audio, "text": text}[lexicon] for lexicon in HEADS[name].lexicons]
    present = [part.float() for part in parts if part is not None]
    if len(present) < len(parts):
        raise PlainError(f"model.heads: {name} needs lexicon forms that were not given")
    return present[0] if len(present) == 1 else torch.cat(present, dim=1)
