"""Peak memory of every stage at two data set sizes, each stage in a process of its own.

The larger project has the smaller one's videos four times over, under other names.
"""

import csv
import os
import shutil
import subprocess
import sys
from io import StringIO
from math import nan
from pathlib import Path

from ruamel.yaml import YAML

from pipeline.bench.corpus import Corpus, on_cores
from pipeline.dataset.sample.layout import CATEGORIES, PLACES, SPLIT_FILES
from pipeline.dataset.sample.render import render_sample
from pipeline.foundations.params import Params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.report.bench_rows import Comparison, Row, row

PROJECT = Path(__file__).resolve().parents[2]
STAGES = (
    "index", "filter_silent", "split_mini", "fetch_weights", "extract_vggish", "whiten", "build_audio_lexicon",
    "build_text_lexicon", "build_adjacency", "prepare_clips", "train", "evaluate", "explain", "report",
)  # fmt: skip
RENDERED = {"train": 84, "validation": 24, "test": 24}
TIMES = 4
QUICK = {
    "train": {"epochs": 1, "precise_bn_batches": 2, "warmup_epochs": 0},
    "evaluate": {"temporal_views": 1, "spatial_views": 1, "bootstrap": 50, "batch": 2},
    "explain": {"videos": 1, "clips": 1, "frames": 1},
}
"""What is repeated without need of other memory is done once."""
CODE = """
import resource, runpy, sys
runpy.run_module(f"stages.{sys.argv[1]}", run_name="__main__")
from joblib.externals.loky import get_reusable_executor
get_reusable_executor().shutdown(wait=True)
print(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""

FORK = '"$0" "$@"; exit $?'
"""A shell in between: a process starts with the peak of the one that forked it, and this one's is hundreds of MB."""


def memory(corpus: Corpus) -> list[Row]:
    """The most memory that a process of each stage takes, with four times as many videos and with as many."""
    small, large = corpus.folder / "small", corpus.folder / "large"
    render = corpus.params.render.model_copy(update=RENDERED)
    for project, times in ((small, 1), (large, TIMES)):
        make_project(project, corpus.params)
        sample = project / "data" / "raw" / "sample"
        if times == 1:
            render_sample(sample, render, corpus.params.execution)
        else:
            repeat_sample(small / "data" / "raw" / "sample", sample, times)
    videos = sum(RENDERED.values())
    return [_row(stage, peak(large, stage), peak(small, stage), videos) for stage in STAGES]


def _row(stage: str, large: float, small: float, videos: int) -> Row:
    per_video = (large - small) * 1e3 / (videos * (TIMES - 1))
    return row(
        f"memory, {stage}",
        Comparison(large, small, large / small, nan, nan, 1),
        device=on_cores(os.cpu_count() or 1),
        what=f"largest process of stage {stage}, {videos * TIMES} videos",
        peer=f"{videos} videos",
        unit="MB",
        bound="at most",
        target=1.1,
        note=f"{per_video:,.1f} kB for each video more",
    )


def make_project(folder: Path, params: Params) -> None:
    """A project to run stages in: parameters, facts, and the pipeline's description, which the report draws."""
    for name in ("data/raw", "data/external"):
        (folder / name).mkdir(parents=True)
    shutil.copytree(PROJECT / "data" / "external", folder / "data" / "external", dirs_exist_ok=True)
    for name in ("dvc.yaml", "data/raw/dvc.yaml"):
        shutil.copyfile(PROJECT / name, folder / name)
    content = params.model_dump(mode="json")
    for section, values in QUICK.items():
        content[section] |= values
    text = StringIO()
    YAML(typ="safe", pure=True).dump(content, text)
    (folder / "params.yaml").write_text(text.getvalue(), encoding="utf-8")


def repeat_sample(source: Path, target: Path, times: int) -> None:
    """The sample with each of its videos under `times` names."""
    target.mkdir(parents=True)
    shutil.copyfile(source / CATEGORIES, target / CATEGORIES)
    for name in SPLIT_FILES.values():
        lines = (source / name).read_text(encoding="utf-8").splitlines()
        made = [line.replace(".mp4", f"-{n}.mp4", 1) for line in lines for n in range(times)]
        (target / name).write_text("".join(f"{line}\n" for line in made), encoding="utf-8")
    with (source / PLACES).open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    with (target / PLACES).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([row[0].replace(".mp4", f"-{n}.mp4"), *row[1:]] for n in range(times) for row in rows)
    for video in (source / "videos").rglob("*.mp4"):
        for n in range(times):
            copy = target / video.relative_to(source).with_stem(f"{video.stem}-{n}")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(video, copy)


def peak(project: Path, stage: str) -> float:
    """Run a stage; the most memory that it or a process of it held, MB.

    Raises:
        PlainError: the stage fails; its last words.
    """
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "DVC_ROOT": str(project), "NO_COLOR": "1"}
    done = subprocess.run(
        ["/bin/sh", "-c", FORK, sys.executable, "-c", CODE, stage],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PlainError(f"bench memory: stage {stage} fails: {done.stderr.strip().splitlines()[-1:]}")
    return int(done.stdout.split()[-1]) / 1e3
