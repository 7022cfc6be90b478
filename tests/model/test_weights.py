"""Published checkpoints to safetensors and into a model."""

import hashlib
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.backbones import BatchNorm
from pipeline.model.published import AUTHORS, backbone_tensors, our_names
from pipeline.model.weights import convert, load, read_checkpoint, read_origin


@pytest.fixture
def authors_state(published):
    """A small model's tensors by the authors' names; what they have no name for (graph, forms) is not in it."""

    def make(model):
        names = our_names(published["r3d18_graph_audio_text"]["tensors"], AUTHORS)
        state = model.state_dict()
        return {theirs: state[ours] for theirs, ours in names.items() if ours in state}

    return make


@pytest.fixture
def trained(make_model):
    """A model whose batch norms have seen something."""
    model = make_model(("audio", "text"))
    model(torch.randn(4, 3, 8, 56, 56))
    return model.eval()


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("bare", [True, False])
def test_there_and_back(tmp_path, authors_state, trained, make_model, bare, prefix):
    """Head included, a converted checkpoint gives the scores it gave, with its own graph and lexicon forms."""
    state = {prefix + name: tensor for name, tensor in authors_state(trained).items()}
    training = {"epoch": 3, "model_state": state, "optimizer_state": {"state": {}, "lr": 0.1}, "cfg": "MODEL: x"}
    source = save(tmp_path / "checkpoint.pyth", state if bare else training)
    conversion = convert(source, tmp_path / "out" / "weights.safetensors")
    assert len(conversion.mapped) == len(state)
    assert conversion.left_over == {}

    other = make_model(("audio", "text"))
    other.head.adjacency.copy_(trained.head.adjacency)
    other.set_forms(audio=trained.head.learners["audio"].forms, text=trained.head.learners["text"].forms)
    load(tmp_path / "out" / "weights.safetensors", other, head=True)
    clips = torch.randn(2, 3, 8, 56, 56)
    assert torch.equal(other.eval().scores(clips), trained.scores(clips))


def test_the_header_says_where_weights_come_from(tmp_path, authors_state, trained):
    source = save(tmp_path / "checkpoint_epoch_00030.pyth", {"model_state": authors_state(trained)})
    origin = convert(source, tmp_path / "w.safetensors").origin
    assert read_origin(tmp_path / "w.safetensors") == origin
    assert origin.source == "checkpoint_epoch_00030.pyth"
    assert origin.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (origin.publisher, origin.backbone) == ("multi-action-video", "r3d_tiny")
    assert origin.batch_norm == BatchNorm(eps=1e-5, momentum=0.1)
    assert origin.parameters["model.heads"] == ["audio", "text"]
    assert origin.parameters["gcn.hidden"] == 1024


def test_ig65m_whole(tmp_path, published):
    """All 63.6 million, each tensor its own constant: every one arrives, and the batch norm settings with them."""
    shapes = published["r2plus1d_34_kinetics"]["tensors"]
    state = {
        name: torch.full((), i / 64, dtype=torch.half).expand(shape) for i, (name, shape) in enumerate(shapes.items())
    }
    conversion = convert(save(tmp_path / "ig65m.pth", state), tmp_path / "w.safetensors")
    assert conversion.left_over == {"fc.weight": (400, 512), "fc.bias": (400,)}
    assert conversion.origin.backbone == "r2plus1d_34"
    assert conversion.origin.batch_norm == BatchNorm(eps=1e-3, momentum=0.9)
    assert conversion.origin.parameters == {}
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        assert len(file.keys()) == len(shapes) - 2
        for theirs, ours in conversion.mapped.items():
            tensor = file.get_slice(ours)
            assert tensor.get_shape() == shapes[theirs]
        last = file.get_tensor("backbone.layer4.2.body.norm2.bias")
    assert torch.equal(last, state["layer4.2.conv2.1.bias"])


def moments_names() -> dict[str, str]:
    """Every name of the published ResNet3D-50, and what it is here, written out from its layout."""
    names = {"conv1.weight": "stem.conv.weight"} | _norm("bn1", "stem.norm")
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            here = f"layer{layer}.{block}"
            for number in (1, 2, 3):
                names[f"{here}.conv{number}.weight"] = f"{here}.body.conv{number}.weight"
                names |= _norm(f"{here}.bn{number}", f"{here}.body.norm{number}")
            if block == 0:
                names[f"{here}.downsample.0.weight"] = f"{here}.shortcut.conv.weight"
                names |= _norm(f"{here}.downsample.1", f"{here}.shortcut.norm")
    return names


def _norm(theirs: str, ours: str) -> dict[str, str]:
    leaves = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {f"{theirs}.{leaf}": f"{ours}.{leaf}" for leaf in leaves}


def test_the_baseline_of_moments_whole(tmp_path):
    """All 46.2 million with the classifier, as published: of a model on several GPUs, under `state_dict`."""
    shapes = backbone_tensors("resnet3d50")
    names = moments_names()
    assert {f"backbone.{ours}" for ours in names.values()} == shapes.keys()
    state = {
        f"module.{theirs}": torch.full((), i / 64, dtype=torch.half).expand(shapes[f"backbone.{ours}"])
        for i, (theirs, ours) in enumerate(names.items())
    }
    state |= {"module.last_linear.weight": torch.zeros(292, 2048), "module.last_linear.bias": torch.zeros(292)}
    conversion = convert(
        save(tmp_path / "multi.pth.tar", {"epoch": 9, "state_dict": state}), tmp_path / "w.safetensors"
    )
    assert conversion.left_over == {}
    assert (conversion.origin.publisher, conversion.origin.backbone) == ("moments_models", "resnet3d50")
    assert conversion.origin.parameters == {"model.heads": ["fc"]}
    assert conversion.mapped == {
        **{theirs: f"backbone.{ours}" for theirs, ours in names.items()},
        "last_linear.weight": "head.weight",
        "last_linear.bias": "head.bias",
    }


def mmaction_names() -> dict[str, str]:
    """Every name of mmaction2's TIN, and what it is here, written out from its layout."""
    names = {"conv1.conv.weight": "stem.conv.weight"} | _norm("conv1.bn", "stem.norm")
    inner = {"offset_net.conv": "offset_conv", "offset_net.fc1": "offset_fc1", "offset_net.fc2": "offset_fc2",
             "weight_net.conv": "weight_conv"}  # fmt: skip
    for layer, blocks in enumerate((3, 4, 6, 3), start=1):
        for block in range(blocks):
            here = f"layer{layer}.{block}"
            names[f"{here}.conv1.conv.net2.weight"] = f"{here}.body.conv1.weight"
            for theirs, ours in inner.items():
                for leaf in ("weight", "bias"):
                    names[f"{here}.conv1.conv.net1.{theirs}.{leaf}"] = f"{here}.body.interlace.{ours}.{leaf}"
            for number in (1, 2, 3):
                names |= _norm(f"{here}.conv{number}.bn", f"{here}.body.norm{number}")
                if number > 1:
                    names[f"{here}.conv{number}.conv.weight"] = f"{here}.body.conv{number}.weight"
            if block == 0:
                names[f"{here}.downsample.conv.weight"] = f"{here}.shortcut.conv.weight"
                names |= _norm(f"{here}.downsample.bn", f"{here}.shortcut.norm")
    return names


def test_tin_whole(tmp_path):
    """All 23.5 million, its convolutions of pictures, as mmaction2 publishes them."""
    shapes, names = backbone_tensors("tin_r50"), mmaction_names()
    assert {f"backbone.{ours}" for ours in names.values()} == shapes.keys()
    state = {}
    for i, (theirs, ours) in enumerate(names.items()):
        shape = shapes[f"backbone.{ours}"]
        picture = (*shape[:2], *shape[3:]) if len(shape) == 5 else shape
        state[f"backbone.{theirs}"] = torch.full((), i / 64, dtype=torch.half).expand(picture)
    state |= {"cls_head.fc_cls.weight": torch.zeros(313, 2048), "cls_head.fc_cls.bias": torch.zeros(313)}
    conversion = convert(
        save(tmp_path / "tin.pth", {"meta": {"epoch": 9}, "state_dict": state}), tmp_path / "w.safetensors"
    )
    assert conversion.left_over == {}
    assert (conversion.origin.publisher, conversion.origin.backbone) == ("mmaction2", "tin_r50")
    assert conversion.mapped["backbone.layer3.5.conv1.conv.net1.offset_net.fc2.bias"] == (
        "backbone.layer3.5.body.interlace.offset_fc2.bias"
    )
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        for theirs, ours in names.items():
            assert torch.equal(file.get_tensor(f"backbone.{ours}").flatten(), state[f"backbone.{theirs}"].flatten()), (
                theirs
            )


def test_the_backbone_alone_leaves_the_head(tmp_path, authors_state, trained, make_model):
    convert(save(tmp_path / "c.pyth", authors_state(trained)), tmp_path / "w.safetensors")
    model = make_model(("visual",), actions=9)
    model.batch_norm = BatchNorm(eps=1e-2, momentum=0.5)
    before = {name: tensor.clone() for name, tensor in model.head.state_dict().items()}
    load(tmp_path / "w.safetensors", model, head=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.head.state_dict().items())
    assert model.batch_norm == BatchNorm(eps=1e-5, momentum=0.1)
    clips = torch.randn(2, 3, 8, 56, 56)
    assert torch.equal(model.eval().features(clips), trained.features(clips))


class Payload:
    """Unpickled without care, this creates the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_is_more_than_tensors_is_refused_and_never_run(tmp_path, authors_state, trained):
    for number, content in enumerate(
        [Payload(tmp_path / "owned"), authors_state(trained) | {"conv1.weight": Payload(tmp_path / "owned")}]
    ):
        source = save(tmp_path / f"{number}.pth", content)
        with pytest.raises(PlainError, match="refused: it is no checkpoint, or holds more than tensors") as refused:
            convert(source, tmp_path / "w.safetensors")
        assert str(refused.value).endswith("(it asks for posix.mkdir)")
    assert not (tmp_path / "owned").exists()
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", b"PK\x03\x04" + 60 * b"\0", b"\x80\x02.", b"\x80\x02\x95" + 80 * b"\xff"],
    ids=["empty", "text", "zip", "stop", "noise"],
)
def test_files_that_are_no_checkpoints(tmp_path, content):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(PlainError, match=r"x\.pth: ") as refused:
        read_checkpoint(path)
    assert "weights_only" not in str(refused.value)  # PyTorch's advice: to load it all the same, which runs it


def test_a_checkpoint_cut_off_in_the_middle(tmp_path, authors_state, trained):
    source = save(tmp_path / "c.pyth", authors_state(trained))
    source.write_bytes(source.read_bytes()[:100_000])
    with pytest.raises(PlainError, match="damaged"):
        convert(source, tmp_path / "w.safetensors")


def test_absent_and_unknown_checkpoints(tmp_path):
    with pytest.raises(PlainError, match="cannot be read"):
        convert(tmp_path / "none.pth", tmp_path / "w.safetensors")
    with pytest.raises(PlainError, match=r"not recognized: found names such as features\.0\.weight"):
        convert(save(tmp_path / "vgg.pth", {"features.0.weight": torch.ones(2)}), tmp_path / "w.safetensors")
    with pytest.raises(PlainError, match="expected tensors by name"):
        convert(save(tmp_path / "list.pth", [1, 2]), tmp_path / "w.safetensors")
    with pytest.raises(PlainError, match="expected tensors by name"):
        convert(save(tmp_path / "n.pth", {"model_state": {"conv1.weight": 3}}), tmp_path / "w.safetensors")


def test_missing_tensors_are_named(tmp_path, authors_state, trained):
    state = authors_state(trained)
    del state["layer3.0.block.bn1.running_var"]
    with pytest.raises(PlainError, match=r"1 tensors are missing: backbone\.layer3\.0\.body\.norm1\.running_var"):
        convert(save(tmp_path / "c.pyth", state), tmp_path / "w.safetensors")


def test_positions_are_kept_out_with_the_reason(tmp_path, authors_state, trained):
    name = "m3a_head.m3a_joint_learning.multi_modal.AUDIO.relation_learner.trsfmr_pos_encoder.pe"
    state = authors_state(trained) | {name: torch.ones(5, 1, 384)}
    conversion = convert(save(tmp_path / "c.pyth", state), tmp_path / "w.safetensors")
    assert conversion.left_over == {name: (5, 1, 384)}
    assert "computed here" in conversion.reasons[name]


def test_nan_is_named(tmp_path, authors_state, trained):
    state = authors_state(trained)
    state["layer2.0.block.bn1.weight"][5] = float("nan")
    with pytest.raises(PlainError, match=r"backbone\.layer2\.0\.body\.norm1\.weight: has values that are not finite"):
        convert(save(tmp_path / "c.pyth", state), tmp_path / "w.safetensors")


def test_another_vocabulary_is_named(tmp_path, authors_state, make_model):
    model = make_model(("fc",), actions=7)
    state = authors_state(model) | {"projection.weight": model.head.weight, "projection.bias": model.head.bias}
    convert(save(tmp_path / "c.pyth", state), tmp_path / "w.safetensors")
    load(tmp_path / "w.safetensors", make_model(("fc",), actions=7), head=True)
    with pytest.raises(PlainError, match=r"found \(7, 128\), expected \(9, 128\); its vocabulary has another number"):
        load(tmp_path / "w.safetensors", make_model(("fc",), actions=9), head=True)


@pytest.mark.parametrize(
    ("heads", "changes", "message"),
    [
        (("audio", "text"), {"gcn__hidden": 512}, r"weights\.0: found \(384, 1024\), expected \(384, 512\)"),
        (("audio", "text"), {"gcn__layers": 3}, r"missing: head\.learners\.audio\.relation\.weights\.2"),
        (("audio",), {}, r"holds head\.learners\.text\.relation\.\w+\.0, which the model lacks"),
        (("audio", "text"), {"text": 50}, r"text\.relation\.weights\.0: found \(100, 1024\), expected \(50, 1024\)"),
        (("audio", "text"), {"backbone__name": "r2plus1d_tiny"}, r"missing: backbone\.stem\.conv\.spatial\.weight"),
    ],
)
def test_weights_of_another_model_are_refused(tmp_path, authors_state, trained, make_model, heads, changes, message):
    convert(save(tmp_path / "c.pyth", authors_state(trained)), tmp_path / "w.safetensors")
    with pytest.raises(PlainError, match=message):
        load(tmp_path / "w.safetensors", make_model(heads, **changes), head=True)


def test_loading_wants_a_converted_file(tmp_path, make_model):
    """A pickle, a safetensors file without our header, nothing at all: each says how to convert."""
    save(tmp_path / "c.pth", {"conv1.weight": torch.ones(2)})
    save_file({"x": torch.ones(2)}, tmp_path / "plain.safetensors")
    for name in ("c.pth", "plain.safetensors", "absent.safetensors"):
        with pytest.raises(PlainError, match=f"{name}: not a file of converted weights.*m3a convert-weights"):
            load(tmp_path / name, make_model(("fc",)), head=False)
