"""Grad-CAM over a video: where, and when, the 3D-CNN finds evidence for an action (Figure 3).

Selvaraju et al. 2017, with time as one more axis: with A_k the k-th feature map of a layer and z the logit of an
action, the heat is ReLU(sum_k alpha_k A_k), alpha_k being the mean of dz / dA_k over the map.

A clip is the whole frame here, not a square crop of it: the network is convolutional, and an action may be anywhere.

Shapes: L frames of a video, K of them shown, F frames of a clip, Y x X pixels, T' x Y' x X' cells of a layer's map.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.foundations.params import Frames
from pipeline.model.model import MultiActionModel
from pipeline.model.normalize import as_clips
from pipeline.model.positions import positions, segment_views

STRIDES = (1, 2, 4, 8, 16, 32)


class Heat(NamedTuple):
    """The Grad-CAM heat of one action in a video, 0 or more."""

    ticks: np.ndarray
    """K: the frames of the time line that were shown to the network, rising."""
    values: np.ndarray
    """K x Y x X: at each pixel of them; in the same unit throughout a video."""


def video_heat(
    network: MultiActionModel,
    pixels_LYXC: np.ndarray,
    actions: Sequence[int],
    layers: Sequence[str],
    frames: Frames,
    *,
    clips: int,
) -> dict[str, list[Heat]]:
    """The heat of each action, at each layer, over clips that are evenly spread from a video's start to its end.

    A frame that several clips show gets the mean of theirs.
    """
    length = len(pixels_LYXC)
    device = next(network.parameters()).device
    shown = clips_of(length, frames, clips)
    ticks_K, places, times_K = np.unique(shown, return_inverse=True, return_counts=True)
    sums = {layer: np.zeros((len(actions), len(ticks_K), *pixels_LYXC.shape[1:3])) for layer in layers}
    for ticks_F, places_F in zip(shown, places.reshape(len(shown), -1), strict=True):
        clip = as_clips(torch.from_numpy(pixels_LYXC[ticks_F][None]).to(device), frames)
        for layer, cells in grad_cam(network, clip, actions, layers).items():
            centres = network.backbone.first_centres(layer, clip.shape[2:])
            found = to_pixels(cells[:, 0].cpu().numpy(), clip.shape[2:], centres)
            for frame, place in enumerate(places_F):
                sums[layer][:, place] += found[:, frame]
    return {layer: [Heat(ticks_K, heat_KYX / times_K[:, None, None]) for heat_KYX in sums[layer]] for layer in layers}


def clips_of(length: int, frames: Frames, count: int) -> np.ndarray:
    """The frames of `count` clips, count x F, evenly spread over a video, or over each of its segments."""
    if frames.positions == "segments":
        return segment_views(length, frames.count, count)
    starts = clip_starts(length, frames.span, count)
    return np.asarray(np.minimum(starts[:, None] + positions(frames), length - 1))


def clip_starts(length: int, span: float, count: int) -> np.ndarray:
    """Where each of `count` clips begins, the first at a video's first frame, the last ending with its last one."""
    return np.linspace(0, max(length - span, 0), count).round().astype(np.int64)


def grad_cam(
    network: MultiActionModel, clips_BCTYX: Tensor, actions: Sequence[int], layers: Sequence[str]
) -> dict[str, Tensor]:
    """The heat of each action in each clip, actions x B x T' x Y' x X', at each of some layers of the backbone.

    Cheapest where the network's parameters need no gradient: then nothing before the first of the layers is kept.
    """
    maps: dict[str, Tensor] = {}

    def hold(layer: str) -> torch.utils.hooks.RemovableHandle:
        def keep(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            maps[layer] = output if output.requires_grad else output.requires_grad_()

        return network.backbone.get_submodule(layer).register_forward_hook(keep)

    hooks = [hold(layer) for layer in layers]
    try:
        logits_BN = network(clips_BCTYX)
    finally:
        for hook in hooks:
            hook.remove()
    heat: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for action in actions:
        gradients = torch.autograd.grad(logits_BN[:, action].sum(), list(maps.values()), retain_graph=True)
        for (layer, map_BCTYX), gradient in zip(maps.items(), gradients, strict=True):
            alpha_BC = gradient.mean((2, 3, 4), keepdim=True)
            heat[layer].append(F.relu((alpha_BC * map_BCTYX).sum(1)).detach())
    return {layer: torch.stack(found) for layer, found in heat.items()}


def to_pixels(cells: np.ndarray, shape: Sequence[int], first_centres: Sequence[float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """Heat on a layer's cells, ... x T' x Y' x X', at the pixels that a clip of `shape` T x Y x X has.

    Linear between cells. Cell i is the middle of what the network saw around pixel i * stride, where every
    convolution pads by half its kernel, and `first_centres` further on where it does not (`Backbone.first_centres`);
    an ordinary resize would take the cells to divide the picture evenly, and shift the heat by up to half a cell.
    """
    axes = zip(shape, cells.shape[-3:], first_centres, strict=True)
    T, Y, X = (_between(size, count, centre) for size, count, centre in axes)
    return np.asarray(np.einsum("tT,yY,xX,...TYX->...tyx", T, Y, X, cells, optimize=True))


def _between(size: int, cells: int, first: float) -> np.ndarray:
    """What each of `cells` adds to each of `size` pixels, size x cells; beyond the outer cells they alone count."""
    stride = min(STRIDES, key=lambda stride: abs(-(-size // stride) - cells))
    place = np.clip((np.arange(size) - first) / stride, 0, cells - 1)
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(cells)))
