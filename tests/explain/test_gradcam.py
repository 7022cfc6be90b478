"""Grad-CAM against the formula written out, on planted networks, and where a cell of a map lies."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pipeline.explain.gradcam import clip_starts, grad_cam, to_pixels, video_heat
from pipeline.model.normalize import as_clips
from pipeline.model.positions import positions


def test_of_a_linear_head_by_hand(make_network):
    """Z = W mean(A) + b, so alpha_k = W_k / cells, and the heat is ReLU(sum_k W_k A_k) / cells."""
    network = make_network("fc")
    clips = torch.randn(2, 3, 4, 24, 32)
    A = network.feature_map(clips)
    cells = A[0, 0].numel()
    found = grad_cam(network, clips, [3, 0], ["layer4"])["layer4"]
    for number, action in enumerate([3, 0]):
        for clip in range(2):
            summed = sum(network.head.weight[action, k] * A[clip, k] for k in range(128))
            assert found[number, clip] == pytest.approx(F.relu(summed).detach() / cells, abs=1e-7)


@pytest.mark.parametrize("layer", ["layer4", "layer3"])
def test_of_any_head_and_layer_by_finite_differences(make_network, layer):
    """alpha_k times the number of cells is what the logit gains where the whole of A_k rises."""
    network, clip = make_network("visual", "audio", "text").double(), torch.randn(1, 3, 4, 24, 32).double()
    network.requires_grad_(requires_grad=False)
    stages = [network.backbone.stem, *(getattr(network.backbone, f"layer{number}") for number in range(1, 5))]
    last = int(layer[-1])
    A = torch.nn.Sequential(*stages[: last + 1])(clip)

    def logit(A: torch.Tensor) -> torch.Tensor:
        return network.head(network.pooling(torch.nn.Sequential(*stages[last + 1 :])(A)))[0, 1]

    alpha = torch.zeros(A.shape[1]).double()
    for k in range(A.shape[1]):
        raised = A.clone()
        raised[:, k] += 1e-7
        alpha[k] = (logit(raised) - logit(A)) / 1e-7 / A[0, 0].numel()
    expected = F.relu((alpha[:, None, None, None] * A[0]).sum(0))
    assert expected.max() > 0.01  # where there is heat, agreeing means something
    assert grad_cam(network, clip, [1], [layer])[layer][0, 0] == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_of_two_layers_at_once_is_that_of_each(make_network):
    network, clip = make_network("visual", "text"), torch.randn(1, 3, 4, 24, 32)
    both = grad_cam(network, clip, [1], ["layer4", "layer3"])
    for layer in ("layer3", "layer4"):
        assert torch.equal(both[layer], grad_cam(network, clip, [1], [layer])[layer])


def test_a_frozen_network_gives_the_same(make_network):
    network, clip = make_network("visual", "text"), torch.randn(1, 3, 4, 24, 32)
    live = grad_cam(network, clip, [1], ["layer3"])["layer3"]
    frozen = grad_cam(network.requires_grad_(requires_grad=False), clip, [1], ["layer3"])["layer3"]
    assert torch.equal(live, frozen)
    assert not frozen.requires_grad


def test_the_network_is_left_as_it_was(make_network):
    network = make_network("fc")
    with pytest.raises(RuntimeError):
        grad_cam(network, torch.zeros(1, 4, 4, 24, 32), [0], ["layer4"])
    assert not network.backbone.layer4._forward_hooks
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_network_that_attends_to_a_corner_points_to_it(bright_network, small, top, left):
    pixels = np.full((8, 32, 48, 3), 60, dtype=np.uint8)
    pixels[:, top * 24 :][:, :8, left * 40 :][:, :, :8] = 250
    heat = video_heat(bright_network, pixels, [0, 1], ["layer3"], small.frames, clips=1)["layer3"]
    for frame in heat[0].values:
        y, x = np.unravel_index(frame.argmax(), frame.shape)
        assert top * 24 - 4 <= y < top * 24 + 8
        assert left * 40 - 4 <= x < left * 40 + 8
    assert (heat[1].values == 0).all()  # what speaks against an action is no heat of it


def test_heat_follows_what_moves(bright_network, small):
    pixels = np.full((8, 16, 64, 3), 60, dtype=np.uint8)
    for frame in range(8):
        pixels[frame, :, frame * 8 : frame * 8 + 8] = 250
    (heat,) = video_heat(bright_network, pixels, [0], ["layer3"], small.frames, clips=1)["layer3"]
    assert heat.ticks.tolist() == positions(small.frames).tolist() == [0, 2, 4, 7]
    assert [frame.max(0).argmax() // 8 for frame in heat.values] == heat.ticks.tolist()


def test_frames_that_two_clips_show_get_the_mean_of_both(make_network, small):
    network = make_network("fc")
    pixels = np.random.default_rng(0).integers(0, 256, (11, 24, 32, 3), dtype=np.uint8)
    (heat,) = video_heat(network, pixels, [4], ["layer4"], small.frames, clips=3)["layer4"]
    found: dict[int, list[np.ndarray]] = {}
    for start in (0, 2, 3):  # of 11 frames, a clip leaves 3 over: starts 0, 1.5, 3
        shown = start + np.array([0, 2, 4, 7])
        clip = as_clips(torch.from_numpy(pixels[shown][None]), small.frames)
        cells = grad_cam(network, clip, [4], ["layer4"])["layer4"][0, 0]
        for frame, values in zip(shown, to_pixels(cells.numpy(), (4, 24, 32)), strict=True):
            found.setdefault(int(frame), []).append(values)
    assert heat.ticks.tolist() == sorted(found)
    assert [len(found[tick]) for tick in (0, 2, 4)] == [1, 2, 2]
    expected = np.stack([np.mean(found[tick], axis=0) for tick in heat.ticks])
    assert heat.values == pytest.approx(expected, abs=1e-9)


def test_clips_reach_from_the_first_frame_to_the_last(small):
    starts = clip_starts(90, 16, 6)
    assert starts.tolist() == [0, 15, 30, 44, 59, 74]
    assert clip_starts(90, 16, 1).tolist() == [0]


def test_a_video_shorter_than_a_clip_stands_still(bright_network, small):
    pixels = np.full((3, 16, 16, 3), 200, dtype=np.uint8)
    (heat,) = video_heat(bright_network, pixels, [0], ["layer3"], small.frames, clips=4)["layer3"]
    assert heat.ticks.tolist() == [0, 2]
    assert heat.values.shape == (2, 16, 16)


def test_between_cells_heat_is_linear_by_hand():
    line = to_pixels(np.array([[[0.0, 1.0, 0.0]]]), (1, 1, 12))[0, 0]  # of 12 pixels, 3 cells: one at 0, 4 and 8
    assert line.tolist() == [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0, 0, 0]


def test_heat_stands_where_cells_look():
    """With padding that is uneven: of 12 pixels, 3 cells, at 1, 5 and 9."""
    line = to_pixels(np.array([[[0.0, 1.0, 0.0]]]), (1, 1, 12), (0.0, 0.0, 1.0))[0, 0]
    assert line.tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0, 0, 0]


def test_between_cells_heat_is_what_torch_makes_of_corners_that_meet():
    cells = np.random.default_rng(0).random((2, 3, 5))
    expected = F.interpolate(torch.from_numpy(cells)[None, None], (9, 33, 65), mode="trilinear", align_corners=True)
    assert to_pixels(cells, (9, 33, 65)) == pytest.approx(expected[0, 0].numpy())


def test_one_cell_counts_for_all_frames():
    assert (to_pixels(np.full((1, 2, 2), 3.0), (8, 16, 16)) == 3.0).all()


@pytest.mark.parametrize(("layer", "stride"), [("layer3", 8), ("layer4", 16)])
def test_a_cell_is_the_middle_of_what_the_network_sees(make_network, layer, stride):
    """The pixels that a cell depends on reach as far to its left as to its right."""
    network = make_network("fc")
    clip = torch.randn(1, 3, 2, 16, 208, requires_grad=True)
    held = {}
    getattr(network.backbone, layer).register_forward_hook(lambda _, __, output: held.update(map=output))
    network(clip)
    cell = 112 // stride
    held["map"][..., cell].sum().backward()
    seen = torch.nonzero(clip.grad.abs().sum((0, 1, 2, 3))).flatten()
    assert (seen.min() + seen.max()) / 2 == cell * stride
    spread = to_pixels(np.eye(held["map"].shape[-1])[cell][None, None], (1, 1, 208))[0, 0]
    assert spread.argmax() == cell * stride
