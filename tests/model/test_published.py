"""Names, against the key lists of the published checkpoints: nothing forgotten, nothing at another's place."""

import pytest
import torch

from pipeline.model.model import build_model
from pipeline.model.published import (
    AUTHORS,
    IG65M,
    backbone_of,
    backbone_tensors,
    head_of,
    our_names,
    publisher_of,
    warnings_of,
)

VARIANTS = {
    "r2plus1d34_fc": ("r2plus1d_34", {"model.heads": ["fc"]}),
    "r2plus1d34_graph_audio": ("r2plus1d_34", {"model.heads": ["audio"]}),
    "r2plus1d34_graph_text": ("r2plus1d_34", {"model.heads": ["text"]}),
    "r2plus1d34_graph_rgb_audio_text": ("r2plus1d_34", {"model.heads": ["visual", "audio", "text"]}),
    "r2plus1d34_graph_audiotext": ("r2plus1d_34", {"model.heads": ["audio_text"]}),
    "r3d18_graph_audio_text": ("r3d_18", {"model.heads": ["audio", "text"]}),
    "i3d50_graph_audio_text": ("i3d_50", {"model.heads": ["audio", "text"]}),
    "r2plus1d34_trsfmr_audiotext": ("r2plus1d_34", {"model.heads": ["audio_text"]}),
    "r2plus1d_34_kinetics": ("r2plus1d_34", {}),
}


def state(published, variant):
    shapes = published[variant]["tensors"]
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def converted(theirs, publisher):
    return {ours: theirs[name] for name, ours in our_names(theirs, publisher).items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_backbone_tensor_has_its_place_in_order(published, variant):
    """Both sides list tensors in the order of the forward pass, so equal lists mean equal places."""
    theirs = state(published, variant)
    ours = our_names(theirs, publisher_of(theirs))
    in_backbone = [name for name in ours.values() if name.startswith("backbone.")]
    expected = backbone_tensors(VARIANTS[variant][0])
    assert in_backbone == list(expected)
    assert all(tuple(theirs[name].shape) == expected[ours[name]] for name in ours if ours[name] in expected)


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_is_left_over_but_the_classifier_of_kinetics(published, variant):
    theirs = state(published, variant)
    left = set(theirs) - our_names(theirs, publisher_of(theirs)).keys()
    assert left == ({"fc.weight", "fc.bias"} if variant == "r2plus1d_34_kinetics" else set())


@pytest.mark.parametrize("variant", VARIANTS)
def test_backbone_and_head_are_read_off_the_shapes(published, variant):
    theirs = state(published, variant)
    ours = converted(theirs, publisher_of(theirs))
    backbone, head = VARIANTS[variant]
    assert backbone_of(ours) == backbone
    assert head.items() <= head_of(ours).items()
    if "graph" in variant:
        assert head_of(ours) == head | {
            "model.relation": "gcn", "gcn.layers": 2, "gcn.hidden": 1024, "gcn.bias": True,
        }  # fmt: skip
    if "trsfmr" in variant:
        assert head_of(ours) == head | {
            "model.relation": "transformer", "transformer.layers": 1, "transformer.block": "simplified",
            "transformer.positions": False, "transformer.slope": 0.2, "transformer.fusion": "sum",
        }  # fmt: skip


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant != "r2plus1d_34_kinetics"])
def test_a_model_built_from_what_was_read_takes_every_tensor(published, design_with, variant):
    """Head names and shapes too: the model that the shapes describe has these tensors and no others."""
    theirs = state(published, variant)
    ours = converted(theirs, AUTHORS)
    read = {key.replace(".", "__"): value for key, value in head_of(ours).items()}
    read |= {"backbone__name": backbone_of(ours), "transformer__attention_heads": 1}
    with torch.device("meta"):
        model = build_model(
            design_with(read.pop("model__heads"), **read),
            actions=313,
            adjacency=torch.empty(313, 313),
            audio_forms=torch.empty(313, 384),
            text_forms=torch.empty(313, 300),
        )
    graph_and_lexicon = {name for name in model.state_dict() if name.endswith((".adjacency", ".forms"))}
    expected = {name: value.shape for name, value in model.state_dict().items() if name not in graph_and_lexicon}
    assert {name: tensor.shape for name, tensor in ours.items()} == expected


@pytest.mark.parametrize("name", ["r2plus1d_34", "r2plus1d_18", "r3d_18", "i3d_50"])
def test_depths_are_told_apart(name):
    """A network of 18 layers has no tensor that one of 34 lacks."""
    tensors = {key: torch.empty(shape, device="meta") for key, shape in backbone_tensors(name).items()}
    assert backbone_of(tensors) == name
    tensors.popitem()
    assert backbone_of(tensors) == name


LEARNER = "m3a_head.m3a_joint_learning.multi_modal.{}.relation_learner."


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (LEARNER.format("RGB") + "graph_3.bias", "head.learners.visual.relation.biases.2"),
        (LEARNER.format("TEXT") + "graph_10.weight", "head.learners.text.relation.weights.9"),
        (LEARNER.format("AUDIO") + "trsfmr_encoder_2.linear1.weight",
         "head.learners.audio.relation.encoder.layers.1.linear1.weight"),
        (LEARNER.format("AUDIO") + "trsfmr_decoder_2_fc.bias", "head.learners.audio.relation.fc.bias"),
        ("m3a_head.m3a_graph.m3a_graph.AUDIO_TEXT_2.weight", "head.learners.audio_text.relation.weights.1"),
        (LEARNER.format("AUDIO") + "trsfmr_pos_encoder.pe", None),
        ("layer2.0.block.relu.weight", None),
    ],
)  # fmt: skip
def test_names_beside_the_lists(theirs, ours):
    assert our_names([theirs], AUTHORS).get(theirs) == ours


def test_cross_attention_names_by_the_tensors_of_the_head(make_head):
    """The authors' names of a crossed head, mapped, are exactly our crossed head's."""
    head = make_head(
        ("audio", "text"), torch.eye(5), torch.randn(5, 8), torch.randn(5, 4),
        model__relation="transformer", transformer__fusion="cross_attention",
    )  # fmt: skip
    attention = ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]
    layer = [f"self_attn.{name}" for name in attention] + ["norm.weight", "norm.bias"]
    theirs = [LEARNER.format(m) + f"trsfmr_encoder_1.{name}" for m in ("AUDIO", "TEXT") for name in layer]
    cross = ["cross_attn.q_proj_weight", "cross_attn.k_proj_weight", "cross_attn.v_proj_weight"]
    cross += [f"cross_attn.{name}" for name in attention[1:]] + ["norm.weight", "norm.bias"]
    fusion = "m3a_head.m3a_joint_learning.multi_modal.CROSS_FUSION.relation_x_fusion.trsfmr_decoder_cross"
    theirs += [f"{fusion}.{name}" for name in cross] + [f"{fusion}_fc.weight", f"{fusion}_fc.bias"]
    ours = our_names(theirs, AUTHORS)
    assert {name.removeprefix("head.") for name in ours.values()} == {name for name, _ in head.named_parameters()}
    tensors = {f"head.{name}": tensor for name, tensor in head.named_parameters()}
    assert head_of(tensors)["transformer.fusion"] == "cross_attention"
    assert head_of(tensors)["model.heads"] == ["audio", "text"]


@pytest.mark.parametrize(("positions", "differences"), [(False, 1), (True, 2)])
def test_a_full_block_is_told_and_in_what_ours_differs(positions, differences):
    """Its width is read off its shapes; the released layers let an action attend to itself alone, ours to all."""
    layer = torch.nn.TransformerEncoderLayer(12, 1, 20)
    theirs = {LEARNER.format("TEXT") + f"trsfmr_encoder_1.{name}": tensor for name, tensor in layer.named_parameters()}
    theirs |= {LEARNER.format("TEXT") + "trsfmr_decoder_1_fc.weight": torch.ones(16, 12)}
    read = head_of(converted(theirs, AUTHORS), positions=positions)
    assert (read["transformer.block"], read["transformer.hidden"]) == ("full", 20)
    assert read["transformer.positions"] is positions
    found = warnings_of(read)
    assert len(found) == differences
    assert "attends to itself alone" in found[0]


def test_a_simplified_block_is_the_released_one():
    assert warnings_of({"transformer.block": "simplified", "transformer.positions": False}) == []
    assert warnings_of({"model.heads": ["fc"]}) == []


def test_publishers():
    assert publisher_of(["stem.0.weight", "layer1.0.conv1.0.0.weight"]) is IG65M
    assert publisher_of(["conv1.weight", "bn1.weight"]) is AUTHORS
    assert publisher_of(["features.0.weight"]) is None
    assert IG65M.batch_norm == (1e-3, 0.9)
    assert AUTHORS.batch_norm == (1e-5, 0.1)
