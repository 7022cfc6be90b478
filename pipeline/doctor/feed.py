"""Whether the loader's processes make clips as quickly as a GPU trains on them."""

import os
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

import torch

from pipeline.doctor.finding import Finding
from pipeline.foundations.params import Params
from pipeline.foundations.params.choices import ClipCodec
from pipeline.model.backbones.imported import NAME as IMPORTED
from pipeline.model.flops import flops_of

SUSTAINED = 183e12
"""FLOP/s of training on an H100: an estimate (R(2+1)D-34, 228.5 GFLOP a clip, 800 clips/s), not measured. Networks that
spend more of their time between convolutions reach less."""
PASSES = 3
"""Forward, and twice as much back."""
SECONDS_A_PIXEL: dict[ClipCodec, float] = {"jpeg": 11.6e-9, "h264": 34.1e-9}
"""Of a stored frame that is shown, to decode, scale and cut it on one core of an Intel Xeon: 4.6 and 13.4 ms for 8
frames of 256 x 192, around which H.264 decodes all 16 of a clip."""
ASPECT = 4 / 3
"""Width of a stored frame over its height."""
OWN_SIDE = 256
"""Short side that is assumed where copies keep the videos' own size: M-MiT's."""


class Feed(NamedTuple):
    """Clips a second."""

    gpu: float
    """That it trains on."""
    worker: float
    """That a loader process makes."""

    @property
    def workers(self) -> int:
        """Processes that make as many as the GPU trains on."""
        return ceil(self.gpu / self.worker)


def feed_of(params: Params) -> Feed:
    """What a GPU needs and what a loader process gives, by arithmetic."""
    frames, side = params.frames.count, params.clips.short_side or OWN_SIDE
    flops = PASSES * flops_of(params.backbone.name, frames, params.train.crop)
    return Feed(SUSTAINED / flops, 1 / (frames * side**2 * ASPECT * SECONDS_A_PIXEL[params.clips.codec]))


def _small(backbone: str) -> bool:
    """Of networks far below the estimate's, or none, nothing useful can be said."""
    return backbone == IMPORTED or backbone.endswith("_tiny")


def feed(params: Params) -> Iterator[Finding]:
    """Nothing where no GPU waits for clips."""
    if not torch.cuda.is_available() or params.execution.device == "cpu" or _small(params.backbone.name):
        return
    found, workers, cores = feed_of(params), params.execution.workers, len(os.sched_getaffinity(0))
    crop = params.train.crop
    line = (
        f"{params.backbone.name} on clips of {params.frames.count} x {crop} x {crop}: an H100 trains on about "
        f"{found.gpu:,.0f} clips/s (estimated), a loader process makes about {found.worker:,.0f}, so "
        f"{found.workers} keep it busy; execution.workers is {workers}, and there are {cores} CPU cores"
    )
    most = min(found.workers, cores)
    if workers < most:
        yield Finding("yellow", "loader", line, f"the GPU waits for clips; set execution.workers: {most}")
    elif cores < found.workers:
        yield Finding("yellow", "loader", line, "the GPU waits for clips; more cores would help")
    else:
        yield Finding("green", "loader", line)
