"""What the stages from index to evaluate take: seconds, disk, memory and what bounds each, from measured unit costs.

    m3a doctor --plan                                     your own data, on this machine
    m3a doctor --plan --videos 1020000 --cores 16 --gpu-clips 800     as many, elsewhere

Seconds are the counts times the costs of `unit_costs`, over the cores; where a GPU trains, over what it does.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.audio.embedders import form_size
from pipeline.audio.vggish import PARAMETERS as VGGISH_PARAMETERS
from pipeline.bench.unit_costs import UnitCosts
from pipeline.dataset.annotations import Annotations
from pipeline.dataset.splits import training_of
from pipeline.doctor.finding import size
from pipeline.doctor.needs import DECODER, FLOAT, PROCESS, parameters, training
from pipeline.doctor.shared import batches
from pipeline.foundations.params import Params
from pipeline.foundations.params.foresight import drawn_at_most
from pipeline.foundations.tables.seeds import generator
from pipeline.model.backbones import BACKBONES

BACKWARD = 3
"""A step costs three forward passes: its own, and two for the gradients."""
ROW = 600.0
"""Bytes that a stage holds of each video while it lists them: 583 measured, with names like those of M-MiT."""
WHOLE = 8
"""Starts that these four take: two of them load SciPy, scikit-learn or gensim."""
LIGHT = 170e6
"""Bytes of a process of a stage without a network: 140 to 175 MB measured."""
EMBEDDED = 8.4e6
"""Bytes that VGGish takes on the way for each video of a shard: 268 MB measured for 32."""
SCORED = 170e6
"""Bytes of a process that scores views, beside those of a worker: 168 MB measured, with the sample's network."""
WEIGHED = 100e6
"""Bytes that the intervals take beside their draws: 54 to 110 MB measured, whatever the number of videos."""
INDEXED = 40.0
"""Bytes of a row of the table of videos: most are its digest, which does not compress."""
DRAWN = 8
"""Bytes of how often a draw of the bootstrap holds a video; as drawn, and as weights."""
SCRATCH, TABLES = 2e9, 60.0
"""Bytes and seconds at most of the stages that work on whole tables, at a million videos (tests/test_million.py)."""


class Counts(NamedTuple):
    """Of videos and actions."""

    videos: int
    copied: int
    """Training and validation videos."""
    trained: int
    tested: int
    actions: int
    lenders: float
    """Rows of the audio lexicon: labels of the videos that lend their sound."""


class Machine(NamedTuple):
    """Where the run is."""

    cores: int
    gpu_clips: float | None
    """Training clips a second of its GPU; None where CPUs train."""


class Planned(NamedTuple):
    """A stage."""

    stage: str
    seconds: float
    core_seconds: float
    disk: float
    """Bytes of its outputs, once."""
    memory: float
    """Bytes of all its processes."""
    bound: str


def counts_of(annotations: Annotations, params: Params, videos: int | None = None) -> Counts:
    """What the annotations give; scaled to another number of videos, where one is given."""
    splits = Counter(video.split for video in annotations.videos)
    _, drawn = drawn_at_most(training_of(annotations), params.split_mini)
    labels = sum(len(video.actions) for video in annotations.videos) / max(1, len(annotations.videos))
    lenders = drawn if params.audio_lexicon.scope == "mini" else splits["train"]
    times = 1.0 if videos is None else videos / len(annotations.videos)
    return Counts(
        videos=round(times * len(annotations.videos)),
        copied=round(times * (drawn + splits["val"])),
        trained=round(times * drawn),
        tested=round(times * splits[params.evaluate.split]),
        actions=len(annotations.actions),
        lenders=times * lenders * labels,
    )


def plan(counts: Counts, costs: UnitCosts, params: Params, machine: Machine) -> Iterator[Planned]:
    """The stages that grow with the videos; those on whole tables are one line."""
    workers = machine.cores
    held = ROW * counts.videos

    def sharded(stage: str, items: float, each: float, disk: float, network: float = 0.0) -> Planned:
        total = items * each + (costs.start_network if network else costs.start) * (1 + workers) + costs.record
        process = PROCESS + network if network else LIGHT
        most = workers * (process + DECODER) + process + held
        return Planned(stage, total / workers, total, disk, most, f"{workers} cores: {each * 1e3:,.1f} ms a video")

    audible, form = costs.audible * counts.videos, form_size(params.vggish.source) * FLOAT
    each = costs.hash + costs.listed
    hashed = counts.videos * each + costs.start + costs.record
    reading = f"the disk, or {each * 1e3:,.1f} ms a file of {size(costs.file_bytes)}"
    yield Planned("index", hashed / workers, hashed, INDEXED * counts.videos, LIGHT + held, reading)
    yield sharded("filter_silent", counts.videos, costs.sound, 40 * counts.videos)
    networks = VGGISH_PARAMETERS * FLOAT + params.vggish.shard_size * EMBEDDED
    yield sharded("extract_vggish", audible, costs.vggish, audible * form, networks)
    tables = audible * form + counts.lenders * costs.audible * form
    minutes = counts.videos * TABLES / 1e6 + WHOLE * costs.start
    yield Planned("whiten to adjacency", minutes, minutes, tables, SCRATCH * counts.videos / 1e6 + PROCESS, "one core")
    yield sharded("prepare_clips", counts.copied, costs.copy, counts.copied * costs.copy_bytes)
    yield _trained(counts, costs, params, machine)
    yield _tested(counts, costs, params, machine)


def _trained(counts: Counts, costs: UnitCosts, params: Params, machine: Machine) -> Planned:
    train = params.train
    validations = -(-train.epochs // train.validate_every)
    precise = min(train.precise_bn_batches * train.batch, counts.trained) * validations
    seen = train.epochs * counts.trained + precise + validations * (counts.copied - counts.trained)
    steps = train.epochs * counts.trained + (seen - train.epochs * counts.trained) / BACKWARD
    weights = parameters(BACKBONES[params.backbone.name]()) * FLOAT
    at_once, each = batches(params, counts.actions)
    reading = seen * costs.example / machine.cores
    hosts = machine.cores * PROCESS + at_once * each + PROCESS
    if machine.gpu_clips is None:
        core_seconds = steps * costs.step + seen * costs.example + costs.start_network
        wall = steps * costs.step / min(train.threads, machine.cores) + costs.start_network
        bound = f"{train.threads} threads: {costs.step * 1e3:,.0f} ms a clip"
        return Planned("train", max(wall, reading), core_seconds, 5 * weights, hosts + training(params), bound)
    learning = steps / machine.gpu_clips
    feeding = machine.gpu_clips * costs.example
    bound = (
        f"the GPU; {feeding:,.1f} cores feed it"
        if learning >= reading
        else f"the loader: {feeding:,.1f} cores would feed the GPU"
    )
    return Planned("train", max(learning, reading), seen * costs.example, 5 * weights, hosts, bound)


def _tested(counts: Counts, costs: UnitCosts, params: Params, machine: Machine) -> Planned:
    evaluate = params.evaluate
    views = -(-evaluate.temporal_views * evaluate.spatial_views // evaluate.batch) * evaluate.batch
    disk = counts.tested * counts.actions * FLOAT
    draws = 2 * evaluate.bootstrap * counts.tested * DRAWN
    most = machine.cores * (PROCESS + SCORED + DECODER) + PROCESS + draws + WEIGHED + ROW * counts.tested
    decoding = counts.tested * costs.view_video + costs.start_network * (1 + machine.cores)
    if machine.gpu_clips is None:
        total = decoding + counts.tested * views * costs.view
        each = costs.view_video + views * costs.view
        bound = f"{machine.cores} cores: {each * 1e3:,.0f} ms a video of {views} views"
        return Planned("evaluate", total / machine.cores, total, disk, most, bound)
    larger = (evaluate.crop / params.train.crop) ** 2
    scoring = counts.tested * views * larger / (BACKWARD * machine.gpu_clips)
    bound = "the GPU" if scoring >= decoding / machine.cores else f"{machine.cores} cores that decode"
    return Planned("evaluate", max(scoring, decoding / machine.cores), decoding, disk, most, bound)


def markdown(stages: Iterable[Planned]) -> str:
    """The plan as a table."""
    planned = list(stages)
    lines = ["| stage | time | core-hours | disk | memory | bound by |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {each.stage} | {duration(each.seconds)} | {each.core_seconds / 3600:,.2f} | {size(each.disk)} | "
        f"{size(each.memory)} | {each.bound} |"
        for each in planned
    ]
    whole = sum(each.seconds for each in planned), sum(each.core_seconds for each in planned) / 3600
    disk, memory = sum(each.disk for each in planned), max(each.memory for each in planned)
    lines.append(f"| all | {duration(whole[0])} | {whole[1]:,.2f} | {size(disk)} | {size(memory)} | |")
    return "".join(f"{line}\n" for line in lines)


def duration(seconds: float) -> str:
    """A time for people: 45 s, 12 min, 3.4 h, 2.1 days."""
    for unit, least, factor in (("days", 2 * 86_400, 86_400), ("h", 7_200, 3_600), ("min", 120, 60)):
        if seconds >= least:
            return f"{seconds / factor:,.1f} {unit}"
    return f"{seconds:,.0f} s"


def sampled(root: Path, params: Params, annotations: Annotations, count: int) -> list[Path]:
    """Some of the annotated videos that are there, from the seed."""
    folder = root / params.dataset.folder / params.dataset.videos
    order = generator(params.seed, "plan").permutation(len(annotations.videos))
    paths = (folder / annotations.videos[number].path for number in order)
    return [path for path, _ in zip((path for path in paths if path.is_file()), range(count), strict=False)]
