"""Checks of annotations and videos: present, readable, complete."""

from collections.abc import Generator, Iterator, Sequence
from math import comb
from pathlib import Path
from typing import NamedTuple

from pipeline.dataset.annotations import Annotations
from pipeline.dataset.dataset import read_annotations
from pipeline.dataset.imported import build_feature_index
from pipeline.dataset.index import check_missing, survey
from pipeline.dataset.splits import training_of
from pipeline.doctor.finding import Finding
from pipeline.doctor.probe import Probe, probe
from pipeline.doctor.published import BY_ACTIONS, ROUNDED, Published
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Dataset, Params, SplitMini
from pipeline.foundations.params.foresight import drawn_at_most, foresee
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import track
from pipeline.foundations.tables.features import FeatureFolder
from pipeline.foundations.tables.seeds import generator

RENDERED = Path("data/raw/sample")
"""Where data/raw/dvc.yaml puts the bundled sample."""
SAMPLE = 50
"""Videos that are decoded."""
NAMED = 3
"""Videos that a finding names."""
UNLIKELY = 0.05


class Seen(NamedTuple):
    """Results that later checks use."""

    annotations: Annotations
    present: tuple[Path, ...]
    """The annotated videos that are there."""
    probes: tuple[Probe, ...]
    """Of the sampled videos that can be decoded."""


def examine_data(root: Path, params: Params) -> Generator[Finding, None, Seen | None]:
    """The findings, in the order of the stages; ends early where one prevents the next.

    Returns:
        What was seen, or None where there are no videos to decode.
    """
    dataset = params.dataset
    if dataset.source == "sample" and not (root / dataset.folder / dataset.watch).exists():
        yield _sample(dataset)
        return None
    folders = list(check_folders(root, dataset))
    yield from folders
    if any(finding.colour == "red" for finding in folders):
        return None
    try:
        annotations = read_annotations(dataset.model_copy(update={"folder": str(root / dataset.folder)}))
    except PlainError as error:
        yield Finding("red", "annotations", str(error), "correct the files, or the section dataset")
        return None
    yield from counts(annotations, params.split_mini)
    for foreseen in foresee(training_of(annotations), params):
        yield Finding("red" if foreseen.stops else "yellow", "training", foreseen.sentence, foreseen.advice)
    if dataset.source == "features":
        yield vectors(annotations, root, params)
        return None
    finding, present = presence(annotations, root, params)
    yield finding
    if not present:
        return None
    finding, probes = decodable(present, params)
    yield finding
    yield from silence(probes, params)
    return Seen(annotations, tuple(present), tuple(probes))


def _sample(dataset: Dataset) -> Finding:
    """Whether the bundled sample, which is not there, will be."""
    if Path(dataset.folder, dataset.watch) == RENDERED:
        return Finding("yellow", "sample", "not rendered yet", "nothing: `dvc repro` renders it")
    line = f"dataset.source is sample, which is rendered as {RENDERED} alone; {dataset.folder} holds no {dataset.watch}"
    advice = "for videos of your own: m3a preset own_small --folder FOLDER; for the sample: m3a preset sample"
    return Finding("red", "sample", line, advice)


def check_folders(root: Path, dataset: Dataset) -> Iterator[Finding]:
    """The paths of `dataset`; for a missing one DVC reports only an error number."""
    keys = {"folder": "", "annotations": dataset.annotations, "videos": dataset.videos, "watch": dataset.watch}
    for key, below in keys.items():
        folder = Path(dataset.folder, below)
        if (root / folder).is_dir() or (key == "watch" and (root / folder).exists()):
            yield Finding("green", f"dataset.{key}", f"{folder} is there")
        else:
            what = "is no folder" if (root / folder).exists() else "does not exist"
            advice = f"mount it, or name the right folder in params.yaml, dataset.{key}"
            yield Finding("red", f"dataset.{key}", f"the folder {folder} {what}", advice)
            if key == "folder":  # its content is absent, too; one finding is enough
                return


def counts(annotations: Annotations, split_mini: SplitMini) -> Iterator[Finding]:
    """The counts, and one line for what differs from those published for a vocabulary of this size."""
    training = [video for video in annotations.videos if video.split == "train"]
    labels = sum(len(video.actions) for video in annotations.videos)
    several = [sum(len(video.actions) >= least for video in training) for least in (2, 3)]
    found = {
        "videos": (len(annotations.videos), "videos", f" of {len(annotations.actions)} actions"),
        "labels": (labels, "labels", ""),
        "two actions or more": (several[0], "two_or_more", " training videos"),
        "three or more": (several[1], "three_or_more", " training videos"),
    }
    if split_mini.draw != "all":
        pools, most = drawn_at_most(training_of(annotations), split_mini)
        how = f" at most: up to {split_mini.per_action:,} for each of {pools:,} {split_mini.draw}s"
        found["mini training split"] = most, "mini", how
    for subject, (count, _, unit) in found.items():
        yield Finding("green", subject, f"{count:,}{unit}")
    published = BY_ACTIONS.get(len(annotations.actions))
    if published:
        differ = [
            text for subject, (count, key, _) in found.items() if (text := _differs(subject, count, published, key))
        ]
        advice = (
            "a part of the data set, or another edition? results will not compare with the paper's" if differ else ""
        )
        line = "; ".join(differ) if differ else f"the counts are those of {published.name}"
        yield Finding("yellow" if differ else "green", "published", line, advice)


def _differs(subject: str, found: int, published: Published, key: str) -> str:
    """How a count differs from the published one; nothing where it does not, or none is published."""
    expected = getattr(published, key)
    exact = key in ("two_or_more", "three_or_more")
    if expected is None or (found == expected if exact else abs(found - expected) <= ROUNDED * expected):
        return ""
    return f"{subject}: {found:,}, published for {published.name}: {'' if exact else 'about '}{expected:,.0f}"


def vectors(annotations: Annotations, root: Path, params: Params) -> Finding:
    """Whether every annotated video has its imported vectors, in files that are the manifest's."""
    folder = root / params.dataset.folder
    try:
        features = FeatureFolder.open(folder / params.dataset.annotations, folder / params.dataset.videos)
        index = build_feature_index(annotations, features, max_missing_rate=params.index.max_missing_rate)
    except PlainError as error:
        return Finding("red", "vectors", str(error), "import the features again")
    there, size = index.videos.num_rows, features.manifest.visual.size
    return Finding(
        "green", "vectors", f"{there:,} of {len(annotations.videos):,} annotated videos, {size} numbers each"
    )


def presence(annotations: Annotations, root: Path, params: Params) -> tuple[Finding, list[Path]]:
    """Whether the annotated files are there, and those that are."""
    videos = root / params.dataset.folder / params.dataset.videos
    stores = [root / params.dataset.folder / store for store in params.dataset.stores]
    states, reasons = survey(annotations.videos, videos, stores=stores, workers=params.execution.workers)
    present = sorted(Path(state.path) for state in states.values())
    line = f"{len(present):,} of {len(annotations.videos):,} annotated videos are there"
    try:
        check_missing(reasons, len(annotations.videos), videos, params.index.max_missing_rate)
    except PlainError as error:
        return Finding("red", "files", str(error)), present
    if reasons:
        line += f"; absent: {', '.join(list(reasons)[:NAMED])}"
        return Finding("yellow", "files", line, "they are left out by name, or bring them"), present
    return Finding("green", "files", line), present


def decodable(present: Sequence[Path], params: Params) -> tuple[Finding, list[Probe]]:
    """Decode a random sample, from the seed; returns the sizes of those that can be decoded."""
    chosen = generator(params.seed, "doctor").permutation(len(present))[:SAMPLE]
    probes: list[Probe] = []
    reasons: list[str] = []
    with Guard(params.media) as guard:
        for number in track(sorted(chosen.tolist()), total=len(chosen), label="decoding a sample"):
            path = present[number]
            try:
                found = guard.call(
                    probe, path, params.media, frames=params.frames, clips=params.clips, rules=params.filter_silent
                )
            except Undecodable as error:
                reasons.append(f"{path}: {error}")
            else:
                probes.append(found)
    return _judge(probes, reasons, len(present), params), probes


def silence(probes: Sequence[Probe], params: Params) -> Iterator[Finding]:
    """Say where no sampled video can be heard, and a stage needs some that can."""
    hear = [head for head in params.model.heads if "audio" in head]
    tracks, audible = any(probe.sound for probe in probes), any(probe.audible for probe in probes)
    required = params.split_mini.require_audio_stream and not tracks
    needs = ["split_mini.require_audio_stream removes such training videos"] * required
    needs += [f"model.heads has {' and '.join(hear)}"] * bool(hear and not audible)
    if not probes or not needs:
        return
    what = "is audible (filter_silent)" if tracks else "has a sound track"
    advice = "set split_mini.require_audio_stream: false and model.heads: [visual, text], where none has sound"
    yield Finding("red", "sound", f"none of {len(probes)} sampled videos {what}; {'; '.join(needs)}", advice)


def _judge(probes: Sequence[Probe], reasons: Sequence[str], present: int, params: Params) -> Finding:
    allowed = min(section.max_failure_rate for section in (params.filter_silent, params.clips, params.evaluate))
    tried = len(probes) + len(reasons)
    line = f"{len(probes)} of {tried} sampled videos can be decoded, {sum(probe.sound for probe in probes)} have sound"
    if not reasons:
        return Finding("green", "decoding", line)
    line += f"; not {'; '.join(reasons[:NAMED])}"
    advice = f"the stages leave such files out by name, up to {allowed:.2%} (max_failure_rate)"
    if too_many(len(reasons), tried, allowed, everything=tried == present):
        return Finding("red", "decoding", line, f"{advice}; more would stop them: repair the files")
    return Finding("yellow", "decoding", line, advice)


def too_many(failed: int, tried: int, allowed: float, *, everything: bool) -> bool:
    """Whether more than the fraction `allowed` of all videos fail.

    Certain where everything was tried; else where so many failures in a sample are unlikely (5%) at that part.
    """
    if everything:
        return failed > allowed * tried
    fewer = sum(comb(tried, k) * allowed**k * (1 - allowed) ** (tried - k) for k in range(failed))
    return 1 - fewer < UNLIKELY
