"""Map tensor names of published checkpoints to ours.

Four publishers are known: the authors' repository (zhenglab/multi-action-video); ig65m-pytorch
(moabitcoin/ig65m-pytorch), whose R(2+1)D-34 is the backbone that the authors started from; the data set's authors
(zhoubolei/moments_models), whose ResNet3D-50 is the baseline of Multi-Moments in Time; and mmaction2
(open-mmlab/mmaction2), whose TIN on ResNet-50 is the paper's other rival.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.model.backbones import BACKBONES, BatchNorm

Rules = list[tuple[str, str]]
"""Patterns of a whole name and what they become; #n is n - 1 (the authors count layers from 1)."""

MODALITIES = {"RGB": "visual", "AUDIO": "audio", "TEXT": "text", "AUDIOTEXT": "audio_text", "AUDIO_TEXT": "audio_text"}


class Publisher(NamedTuple):
    """The publisher of a checkpoint."""

    name: str
    batch_norm: BatchNorm
    """Settings that the weights were trained under; the files do not hold them."""
    pictures: bool = False
    """Whether its convolutions are 2-D, without an axis of time."""


AUTHORS = Publisher("multi-action-video", BatchNorm(eps=1e-5, momentum=0.1))
MOMENTS = Publisher("moments_models", BatchNorm(eps=1e-5, momentum=0.1))
MMACTION = Publisher("mmaction2", BatchNorm(eps=1e-5, momentum=0.1), pictures=True)
IG65M = Publisher("ig65m-pytorch", BatchNorm(eps=1e-3, momentum=0.9))

_AUTHORS_PLAIN: Rules = [
    (r"conv1\.(.+)", r"stem.conv.\1"),
    (r"(layer\d\.\d+)\.block\.(conv\d)\.(.+)", r"\1.body.\2.\3"),
]
_AUTHORS_FACTORED: Rules = [
    (r"conv1_middle\.(.+)", r"stem.conv.spatial.\1"),
    (r"bn1_middle\.(.+)", r"stem.conv.norm.\1"),
    (r"conv1\.(.+)", r"stem.conv.temporal.\1"),
    (r"(layer\d\.\d+)\.block\.(conv\d)_middle\.(.+)", r"\1.body.\2.spatial.\3"),
    (r"(layer\d\.\d+)\.block\.bn(\d)_middle\.(.+)", r"\1.body.conv\2.norm.\3"),
    (r"(layer\d\.\d+)\.block\.(conv\d)\.(.+)", r"\1.body.\2.temporal.\3"),
]
_AUTHORS_BACKBONE: Rules = [
    (r"bn1\.(.+)", r"stem.norm.\1"),
    (r"(layer\d\.\d+)\.block\.bn(\d)\.(.+)", r"\1.body.norm\2.\3"),
    (r"(layer\d\.\d+)\.block\.shortcut\.(.+)", r"\1.shortcut.conv.\2"),
    (r"(layer\d\.\d+)\.block\.shortcut_bn\.(.+)", r"\1.shortcut.norm.\2"),
]
_LEARNER = r"m3a_head\.m3a_joint_learning\.multi_modal\.(RGB|AUDIO|TEXT|AUDIOTEXT)\.relation_learner\."
_FUSION = r"m3a_head\.m3a_joint_learning\.multi_modal\.CROSS_FUSION\.relation_x_fusion\."
_AUTHORS_HEAD: Rules = [
    (r"projection\.(.+)", r"head.\1"),
    (_LEARNER + r"graph_(\d+)\.weight", r"head.learners.\1.relation.weights.#\2"),
    (_LEARNER + r"graph_(\d+)\.bias", r"head.learners.\1.relation.biases.#\2"),
    (_LEARNER + r"trsfmr_decoder_\d+_fc\.(.+)", r"head.learners.\1.relation.fc.\2"),
    (_FUSION + r"trsfmr_decoder_cross_fc\.(.+)", r"head.fusion.fc.\1"),
    (_FUSION + r"trsfmr_decoder_cross\.(.+)", r"head.fusion.\1"),
    # The repository's first version, two layers without bias.
    (
        r"m3a_head\.m3a_graph\.m3a_graph\.(RGB|AUDIO_TEXT|AUDIO|TEXT)_(\d+)\.weight",
        r"head.learners.\1.relation.weights.#\2",
    ),
]
_ENCODER = _LEARNER + r"trsfmr_encoder_(\d+)\.(.+)"
_AUTHORS_SUMMED: Rules = [(_ENCODER, r"head.learners.\1.relation.encoder.layers.#\2.\3")]
_AUTHORS_CROSSED: Rules = [(_ENCODER, r"head.learners.\1.encoder.layers.#\2.\3")]
_SHORTCUT: Rules = [
    (r"(layer\d\.\d+)\.downsample\.0\.(.+)", r"\1.shortcut.conv.\2"),
    (r"(layer\d\.\d+)\.downsample\.1\.(.+)", r"\1.shortcut.norm.\2"),
]
"""As torchvision names it."""
_IG65M: Rules = [
    (r"stem\.0\.(.+)", r"stem.conv.spatial.\1"),
    (r"stem\.1\.(.+)", r"stem.conv.norm.\1"),
    (r"stem\.3\.(.+)", r"stem.conv.temporal.\1"),
    (r"stem\.4\.(.+)", r"stem.norm.\1"),
    (r"(layer\d\.\d+)\.(conv\d)\.0\.0\.(.+)", r"\1.body.\2.spatial.\3"),
    (r"(layer\d\.\d+)\.(conv\d)\.0\.1\.(.+)", r"\1.body.\2.norm.\3"),
    (r"(layer\d\.\d+)\.(conv\d)\.0\.3\.(.+)", r"\1.body.\2.temporal.\3"),
    (r"(layer\d\.\d+)\.conv(\d)\.1\.(.+)", r"\1.body.norm\2.\3"),
    *_SHORTCUT,
]
_MOMENTS: Rules = [
    (r"conv1\.(.+)", r"stem.conv.\1"),
    (r"bn1\.(.+)", r"stem.norm.\1"),
    (r"(layer\d\.\d+)\.(conv\d)\.(.+)", r"\1.body.\2.\3"),
    (r"(layer\d\.\d+)\.bn(\d)\.(.+)", r"\1.body.norm\2.\3"),
    *_SHORTCUT,
]
_INTERLACE = r"backbone\.(layer\d\.\d+)\.conv1\.conv\.net1\."
_MMACTION: Rules = [
    (r"backbone\.conv1\.conv\.(.+)", r"stem.conv.\1"),
    (r"backbone\.conv1\.bn\.(.+)", r"stem.norm.\1"),
    (_INTERLACE + r"offset_net\.(conv|fc1|fc2)\.(.+)", r"\1.body.interlace.offset_\2.\3"),
    (_INTERLACE + r"weight_net\.conv\.(.+)", r"\1.body.interlace.weight_conv.\2"),
    (r"backbone\.(layer\d\.\d+)\.conv1\.conv\.net2\.(.+)", r"\1.body.conv1.\2"),
    (r"backbone\.(layer\d\.\d+)\.(conv[23])\.conv\.(.+)", r"\1.body.\2.\3"),
    (r"backbone\.(layer\d\.\d+)\.conv(\d)\.bn\.(.+)", r"\1.body.norm\2.\3"),
    (r"backbone\.(layer\d\.\d+)\.downsample\.conv\.(.+)", r"\1.shortcut.conv.\2"),
    (r"backbone\.(layer\d\.\d+)\.downsample\.bn\.(.+)", r"\1.shortcut.norm.\2"),
]
_MMACTION_HEAD: Rules = [(r"cls_head\.fc_cls\.(.+)", r"head.\1")]
_MOMENTS_HEAD: Rules = [(r"last_linear\.(.+)", r"head.\1")]


POSITIONS = "trsfmr_pos_encoder.pe"
"""Suffix of the position table in the authors' checkpoints."""
RELEASED_SLOPE = 0.2
"""Of Leaky ReLU, in every released revision that has a transformer; a checkpoint does not tell."""


def publisher_of(names: Iterable[str]) -> Publisher | None:
    """The publisher of a checkpoint with these names; None if it is not known."""
    names = set(names)
    if "stem.0.weight" in names:
        return IG65M
    if "backbone.layer1.0.conv1.conv.net2.weight" in names:
        return MMACTION
    if {"conv1.weight", "layer1.0.conv3.weight"} <= names:
        return MOMENTS
    return AUTHORS if {"conv1.weight", "bn1.weight"} <= names else None


def our_names(names: Iterable[str], publisher: Publisher) -> dict[str, str]:
    """Our names by published name, in the order of `names`; tensors without a counterpart are left out."""
    names = list(names)
    if publisher is IG65M:
        backbone, head = _IG65M, []
    elif publisher is MOMENTS:
        backbone, head = _MOMENTS, _MOMENTS_HEAD
    elif publisher is MMACTION:
        backbone, head = _MMACTION, _MMACTION_HEAD
    else:
        factored = "conv1_middle.weight" in names
        crossed = any("CROSS_FUSION" in name for name in names)
        backbone = (_AUTHORS_FACTORED if factored else _AUTHORS_PLAIN) + _AUTHORS_BACKBONE
        head = _AUTHORS_HEAD + (_AUTHORS_CROSSED if crossed else _AUTHORS_SUMMED)
    rules = [(re.compile(pattern), f"backbone.{ours}") for pattern, ours in backbone]
    rules += [(re.compile(pattern), ours) for pattern, ours in head]
    renamed = ((name, _rename(name, rules)) for name in names)
    return {name: ours for name, ours in renamed if ours is not None}


def _rename(name: str, rules: Iterable[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, ours in rules:
        match = pattern.fullmatch(name)
        if match:
            renamed = re.sub(r"#(\d+)", lambda layer: str(int(layer[1]) - 1), match.expand(ours))
            return re.sub(r"(?<=learners\.)[A-Z_]+", lambda modality: MODALITIES[modality[0]], renamed)
    return None


def backbone_tensors(name: str) -> dict[str, torch.Size]:
    """Names and shapes of a backbone's tensors within the model."""
    with torch.device("meta"):
        state = BACKBONES[name]().state_dict()
    return {f"backbone.{key}": value.shape for key, value in state.items()}


def backbone_of(tensors: Mapping[str, Tensor]) -> str:
    """The backbone of these tensors (by our names): the one with most of its tensors found, then fewest missing."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}

    def fit(name: str) -> tuple[int, int]:
        expected = backbone_tensors(name)
        return len(shapes.items() & expected.items()), -len(expected)

    return max((name for name in BACKBONES if backbone_tensors(name)), key=fit)  # imported features have none


def set_aside(names: Iterable[str]) -> dict[str, str]:
    """Known tensors that our model does not have, with the reason."""
    reason = "positions, which are computed here; the released code adds the first alone, to every action"
    return {name: reason for name in names if name.endswith(POSITIONS)}


def warnings_of(parameters: Mapping[str, object]) -> list[str]:
    """Differences of our model, as `head_of` describes it, from the released one that change its scores."""
    found = []
    if parameters.get("transformer.block") == "full":
        found.append(
            "transformer.block: full: the released layers take the actions for a batch, so that each attends to "
            "itself alone; here each attends to all. Scores differ"
        )
    if parameters.get("transformer.positions"):
        found.append(
            "transformer.positions: true: the released code adds the first position to every action; here each "
            "gets its own. Scores differ"
        )
    return found


def head_of(tensors: Mapping[str, Tensor], *, positions: bool = False) -> dict[str, object]:
    """The parameters, by their keys in params.yaml, that describe the head among these tensors (by our names).

    Depth and width are read off shapes; attention heads, pooling and fusion of two kinds leave no trace.

    Args:
        tensors: the checkpoint's, by our names.
        positions: whether it held a table of positions, which has no name of ours.
    """
    if "head.weight" in tensors:
        return {"model.heads": ["fc"]}
    learners = [match[1] for name in tensors if (match := re.match(r"head\.learners\.(\w+)\.", name))]
    if not learners:
        return {}
    heads = list(dict.fromkeys(learners))
    first = f"head.learners.{heads[0]}.relation."
    weights = [tensors[name] for name in tensors if name.startswith(first + "weights.")]
    if weights:
        return {
            "model.heads": heads,
            "model.relation": "gcn",
            "gcn.layers": len(weights),
            **({"gcn.hidden": weights[0].shape[1]} if len(weights) > 1 else {}),
            "gcn.bias": first + "biases.0" in tensors,
        }
    layer = re.compile(rf"head\.learners\.{heads[0]}\.(?:relation\.)?encoder\.layers\.(\d+)\.(\w+)\.")
    found = [match for name in tensors if (match := layer.match(name))]
    widths = [len(tensors[match.string]) for match in found if match.string.endswith("linear1.weight")]
    return {
        "model.heads": heads,
        "model.relation": "transformer",
        "transformer.layers": len({match[1] for match in found}),
        "transformer.block": "full" if widths else "simplified",
        **({"transformer.hidden": widths[0]} if widths else {}),
        "transformer.positions": positions,
        "transformer.slope": RELEASED_SLOPE,
        "transformer.fusion": "cross_attention" if "head.fusion.fc.weight" in tensors else "sum",
    }
