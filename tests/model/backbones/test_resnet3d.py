import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pipeline.model.backbones import BatchNorm
from pipeline.model.backbones.resnet3d import ARCHITECTURES, Residual, ResNet3d, middle_width

# Convolution shapes of the published networks, as lists of (output, input, time, height, width).
PUBLISHED = {
    "r2plus1d_34": "r2plus1d34_fc",
    "r3d_18": "r3d18_graph_audio_text",
    "i3d_50": "i3d50_graph_audio_text",
}


def on_meta(name: str) -> ResNet3d:
    with torch.device("meta"):
        return ResNet3d(ARCHITECTURES[name])


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        (64, 64, 144),  # layer 1
        (64, 128, 230), (128, 128, 288),  # layer 2: its first convolution, the others
        (128, 256, 460), (256, 256, 576),
        (256, 512, 921), (512, 512, 1152),
    ],
)  # fmt: skip
def test_caffe2_rule_gives_the_published_middle_widths(inputs, outputs, expected):
    assert middle_width(inputs, outputs) == expected


@pytest.mark.parametrize(("name", "variant"), PUBLISHED.items())
def test_convolutions_are_the_authors_one_by_one(published, name, variant):
    theirs = [
        tuple(shape)
        for key, shape in published[variant]["tensors"].items()
        if "conv" in key and not key.startswith("m3a") and len(shape) == 5 and "shortcut" not in key
    ]
    ours = [
        tuple(module.weight.shape)
        for key, module in on_meta(name).named_modules()
        if isinstance(module, nn.Conv3d) and "shortcut" not in key
    ]
    assert ours == theirs


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("r2plus1d_34", 63_652_544 - 313 * 512 - 313),  # the authors' fc model without its last layer
        ("r3d_18", 33_371_472 - 400 * 512 - 400),  # torchvision's, whose R3D-18 is the same network
        ("resnet3d50", 46_198_976),  # Moments' baseline without its classifier
        ("r3d_tiny", 903_984),
        ("r2plus1d_tiny", 900_624),
    ],
)
def test_parameter_counts(name, expected):
    assert count(on_meta(name)) == expected


def test_factoring_keeps_the_number_of_parameters():
    """What Caffe2's rule is for (Tran et al. 2018): R(2+1)D-18 is as large as R3D-18."""
    assert count(on_meta("r2plus1d_18")) == pytest.approx(count(on_meta("r3d_18")), rel=1e-4)


def test_i3d_has_the_authors_parameters(published):
    parameters = [
        torch.Size(shape).numel()
        for key, shape in published["i3d50_graph_audio_text"]["tensors"].items()
        if not key.startswith("m3a") and not key.endswith(("running_mean", "running_var", "num_batches_tracked"))
    ]
    assert count(on_meta("i3d_50")) == sum(parameters)


def test_stem_of_45_is_published_and_follows_no_rule():
    stem = on_meta("r2plus1d_34").stem
    assert stem.conv.spatial.weight.shape == (45, 3, 1, 7, 7)
    assert middle_width(3, 64) != 45


@pytest.mark.parametrize(
    ("name", "side", "shape"),
    [
        ("r2plus1d_34", 112, (512, 1, 7, 7)),
        ("r2plus1d_34", 128, (512, 1, 8, 8)),  # the released test resolution
        ("r2plus1d_18", 112, (512, 1, 7, 7)),
        ("r3d_18", 112, (512, 1, 7, 7)),
        ("i3d_50", 224, (2048, 4, 7, 7)),  # time is halved once
        ("r3d_tiny", 56, (128, 1, 4, 4)),
        ("r2plus1d_tiny", 56, (128, 1, 4, 4)),
    ],
)
def test_feature_maps_of_eight_frames(name, side, shape):
    network = on_meta(name)
    assert network(torch.empty(2, 3, 8, side, side, device="meta")).shape == (2, *shape)
    assert network.features == shape[0]


def test_resnet3d50_costs_what_the_baseline_costs():
    """39.85 billion multiplications and additions at 16 x 224, as counted by PyTorch; 2,048 x 1 x 7 x 7 come out."""
    network = on_meta("resnet3d50")
    with FlopCounterMode(display=False) as counter:
        found = network(torch.empty(1, 3, 16, 224, 224, device="meta"))
    assert counter.get_total_flops() // 2 == 39_845_363_712
    assert found.shape == (1, 2048, 1, 7, 7)


def test_i3d_inflates_every_other_block():
    network = on_meta("i3d_50")
    frames = [[block.body.conv1.kernel_size[0] for block in getattr(network, f"layer{n}")] for n in (1, 2, 3, 4)]
    assert frames == [[3, 3, 3], [3, 1, 3, 1], [3, 1, 3, 1, 3, 1], [1, 3, 1]]


def test_residual_adds_and_cuts_below_zero():
    block = Residual(nn.Sequential(nn.Flatten(0)), nn.Identity())
    block.body = nn.Sequential(nn.Threshold(0.0, -5.0))
    torch.testing.assert_close(block(torch.tensor([2.0, -1.0])), torch.tensor([4.0, 0.0]))


def test_batch_norm_settings_reach_every_norm():
    network = on_meta("r2plus1d_tiny")
    assert network.batch_norm == BatchNorm(eps=1e-5, momentum=0.1)
    network.batch_norm = BatchNorm(eps=1e-3, momentum=0.9)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm3d)]
    assert len(norms) == 21
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.9)}


def test_the_factored_convolution_is_space_then_time():
    """One pixel lit in one frame: after the spatial half it has spread in space, not in time."""
    conv = ResNet3d(ARCHITECTURES["r2plus1d_tiny"]).layer1[0].body.conv1
    x = torch.zeros(1, 16, 5, 9, 9)
    x[:, :, 2, 4, 4] = 1.0
    spread = conv.spatial(x).abs().sum((0, 1))
    assert spread[2, 3:6, 3:6].count_nonzero() == 9
    assert spread.count_nonzero() == 9
    assert conv.temporal.kernel_size == (3, 1, 1)
