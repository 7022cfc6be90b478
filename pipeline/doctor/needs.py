"""Disk space and memory that a run needs, estimated from counts and measurements, against what is free."""

import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from torch import Tensor

from pipeline.audio.embedders import form_size
from pipeline.audio.vggish import PARAMETERS as VGGISH_PARAMETERS
from pipeline.dataset.splits import training_of
from pipeline.doctor.data import Seen
from pipeline.doctor.finding import Finding, size
from pipeline.doctor.shared import batches
from pipeline.foundations.params import Frames, Params
from pipeline.foundations.params.foresight import drawn_at_most
from pipeline.model.backbones import BACKBONES, Backbone

FLOAT = 4  # bytes
COPIES = 2
"""Of every output: in the working folder and in DVC's cache (where the file system cannot share them)."""
TIGHT = 0.8
"""Fraction of what is free above which an estimate is too close to call."""
PROCESS = 350e6
"""Bytes of a worker with PyTorch and PyArrow: 310 MB measured, and VGGish's activations."""
DECODER = 80e6
"""Bytes of one more decoding process, beside its video: 79 MB measured."""
_MADE = ("data/clips", "data/features", "data/lexicons", "data/predictions", "models", ".dvc/cache")


class Need(NamedTuple):
    """A part of an estimate."""

    bytes: float
    what: str
    """With how it was estimated."""


def disk(seen: Seen, params: Params, root: Path) -> Finding:
    """What the outputs will take, less what is there already, beside the free space."""
    needs = outputs(seen, params)
    there = sum(path.stat().st_size for folder in _MADE for path in (root / folder).rglob("*") if path.is_file())
    needed = max(0.0, COPIES * sum(need.bytes for need in needs) - there)
    parts = "; ".join(f"{size(need.bytes)} {need.what}" for need in needs)
    how = f"{parts}; each twice, since DVC's cache keeps a copy" + (f"; {size(there)} are there" if there else "")
    return _beside("disk", needed, shutil.disk_usage(root).free, how, "free some space, or run on a larger disk")


def outputs(seen: Seen, params: Params) -> list[Need]:
    """The large outputs, each once."""
    splits = Counter(video.split for video in seen.annotations.videos)
    _, drawn = drawn_at_most(training_of(seen.annotations), params.split_mini)
    copied = drawn + splits["val"]
    copy = sum(probe.copy_bytes for probe in seen.probes) / max(1, len(seen.probes))
    heard = sum(probe.sound for probe in seen.probes) / max(1, len(seen.probes))
    form = form_size(params.vggish.source) * FLOAT
    lenders = drawn if params.audio_lexicon.scope == "mini" else splits["train"]
    labels = sum(len(video.actions) for video in seen.annotations.videos) / max(1, len(seen.annotations.videos))
    forms = heard * (2 * len(seen.annotations.videos) + lenders * labels)
    scored = splits[params.evaluate.split] * len(seen.annotations.actions) * FLOAT
    weights = parameters(BACKBONES[params.backbone.name]()) * FLOAT
    return [
        Need(copied * copy, f"training copies ({copied:,} x {size(copy)}, measured on {len(seen.probes)})"),
        Need(forms * form, f"sound ({forms:,.0f} forms of {form:,} bytes: raw, whitened, lexicon)"),
        Need(scored, "predictions"),
        Need(VGGISH_PARAMETERS * FLOAT + 4 * weights, "networks (VGGish; backbone, model, training state)"),
    ]


def memory(seen: Seen, params: Params) -> Finding:
    """The larger of what embedding sounds and what training takes, beside the memory that is free."""
    most_pictures = params.media.memory_mb * 2**20 / 4  # a longer video is decoded in parts
    pictures = min(max((probe.pixel_bytes for probe in seen.probes), default=0), most_pictures)
    workers, threads = params.execution.workers, params.execution.threads
    worker = PROCESS + VGGISH_PARAMETERS * FLOAT + pictures + threads * pictures + (threads - 1) * DECODER
    held = "one decoded video" if threads == 1 else f"one decoded video and {threads} at work"
    needs = [Need(workers * worker, f"for {workers} workers of {size(worker)} (PyTorch, VGGish, {held})")]
    if not torch.cuda.is_available():
        count, each = batches(params, len(seen.annotations.actions))
        what = f"to train on the CPU (weights, gradients, momentum, activations, {count} batches of {size(each)})"
        needs.append(Need(training(params) + count * each, what))
    most = max(needs)
    return _beside(
        "memory", most.bytes, free_memory(), most.what, "fewer execution.workers or threads, or a smaller train.batch"
    )


def free_memory() -> float:
    """Bytes that this process may still take: the system's, or its control group's where that is less."""
    free = float(psutil.virtual_memory().available)
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        texts = [Path(path).read_text(encoding="ascii").strip() for path in (limit, used) if Path(path).is_file()]
        if len(texts) == 2 and texts[0] != "max":
            free = min(free, float(texts[0]) - float(texts[1]))
    return free


def training(params: Params) -> float:
    """Bytes that a training step takes on one device: three numbers a weight, and what a batch leaves for backward."""
    with torch.device("meta"):
        network = BACKBONES[params.backbone.name]()
    clip = held_for_backward(network, params.frames, params.train.crop)
    return (3 + (params.train.ema is not None)) * FLOAT * parameters(network) + params.train.batch * clip


def parameters(network: torch.nn.Module) -> int:
    """The number of weights."""
    return sum(weight.numel() for weight in network.parameters())


def held_for_backward(network: Backbone, frames: Frames, crop: int) -> float:
    """Bytes that one clip leaves in a network between forward and backward: computed by PyTorch from shapes alone.

    Args:
        network: on the `meta` device, where only shapes are computed; or on another, where the same is held in fact.
        frames: of a clip.
        crop: its height and width.
    """
    own = {weight.untyped_storage()._cdata for weight in [*network.parameters(), *network.buffers()]}
    held: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            held[storage._cdata] = storage.nbytes()
        return tensor

    clips = torch.empty(2, 3, frames.count, crop, crop, device=next(network.parameters()).device)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = network.train()(clips)
    del outputs
    return sum(held.values()) / len(clips)


def _beside(subject: str, needed: float, there: float, how: str, advice: str) -> Finding:
    line = f"{f'about {size(needed)}' if needed else 'nothing more'} needed, {size(there)} free\n{how}"
    if needed > there:
        return Finding("red", subject, line, advice)
    if needed > TIGHT * there:
        return Finding("yellow", subject, line, f"tight: {advice}")
    return Finding("green", subject, line)
