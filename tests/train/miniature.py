"""A training run in miniature: twelve videos of two looks, three actions, a network of a few thousand weights."""

import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from pipeline.clips.packs import EXCLUDED, TABLE, Copy, PackWriter, pack_name
from pipeline.foundations.params import Params
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.tables import FORM_SIZE
from pipeline.train.inputs import Inputs

ACTIONS = ("clapping", "diving", "singing")
LENGTH, WIDTH, HEIGHT = 9, 26, 20
SMALL = {
    "frames": {"span": 4, "count": 2, "positions": "linspace"},
    "backbone": {"name": "r3d_tiny", "weights": None, "pooling": "global"},
    "lexicon": {"draw": "fixed", "forms": 1, "combine": "concat"},
    "gcn": {"layers": 2, "hidden": 8, "bias": True, "last_activation": False},
    "model": {"heads": ("visual", "audio", "text"), "relation": "gcn", "control": "none", "late_fusion": False},
    "train": {
        "epochs": 3, "batch": 4, "learning_rate": 0.01, "schedule": "step", "milestones": (2,), "warmup_epochs": 0,
        "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4, "loss": "bce", "gradient_clip": None, "ema": None,
        "jitter": (16, 20), "crop": 16, "flip": 0.5, "precise_bn_batches": 2, "freeze_batch_norm": False,
        "threads": 1, "sync_batch_norm": True, "validate_every": 2, "seed_offset": 0, "head_rate": 1.0,
        "head_weight_decay": None, "loss_scale": 1.0, "warmup_rate": 1e-3,
    },
    "frozen": {
        "epochs": 3, "batch": 4, "learning_rate": 0.01, "weight_decay": 1e-4, "backbone": "fc", "head_rate": 10.0,
        "views": 2, "repeats": 2, "schedule": "step", "milestones": (2,), "warmup_epochs": 0,
        "tune": False, "tune_learning_rates": (0.01, 0.1), "tune_weight_decays": (1e-4,), "tune_epochs": (2, 3),
        "tune_seeds": 2,
    },
    "execution": {"workers": 1, "device": "cpu", "checkpoint_minutes": 60.0, "tensorboard": None},
}  # fmt: skip


def changed(params: Params, changes: dict[str, dict[str, object]]) -> Params:
    """Other values in some sections."""
    sections = {name: getattr(params, name).model_copy(update=values) for name, values in changes.items()}
    return params.model_copy(update=sections)


class Miniature(NamedTuple):
    """Where everything is."""

    root: Path
    inputs: Inputs


def picture(video: int, frame: int) -> bytes:
    """Stripes whose direction tells the video's action, moving from frame to frame."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    axis = rows if video % 2 else columns
    wave = 128 + 100 * np.sin((axis + frame + video) * 0.8)
    pixels = np.stack([wave, np.roll(wave, video, axis=1), 255 - wave], axis=2).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "JPEG", quality=95)
    return target.getvalue()


def write_clips(folder: Path, video_ids: list[str], excluded: list[str]) -> None:
    """Packs of five videos each, and their tables."""
    folder.mkdir(parents=True)
    copies, packs = [], []
    for number, start in enumerate(range(0, len(video_ids), 5)):
        with (folder / pack_name(number)).open("wb") as file:
            writer = PackWriter(file)
            for video_id in video_ids[start : start + 5]:
                video = int(video_id.removeprefix("v"))
                stored = [picture(video, frame) for frame in range(LENGTH)]
                writer.add(video_id, width=WIDTH, height=HEIGHT, fps=30.0, stored=stored)
            written = writer.close().copies
        copies += written
        packs += [number] * len(written)
    columns = {name: [getattr(copy, name) for copy in copies] for name in Copy._fields}
    tables.write("clips", folder / TABLE, tables.from_columns("clips", columns | {"pack": packs}))
    reasons = {"video_id": excluded, "reason": ["no picture"] * len(excluded)}
    tables.write("exclusions", folder / EXCLUDED, tables.from_columns("exclusions", reasons))


def write_inputs(root: Path) -> Miniature:
    """Everything that stage `train` reads, below `root`, where the stages put it."""
    ids = [f"v{number:02d}" for number in range(20)]
    data = root / "data"
    write_clips(data / "clips", ids[:-1], excluded=ids[-1:])
    for split, rows in (("train", range(12)), ("val", range(12, 20))):
        actions = [[video % 2, 2] if video % 3 == 0 else [video % 2] for video in rows]
        columns = {"video_id": [ids[row] for row in rows], "actions": actions, "drawn_for": [None] * len(rows)}
        tables.write("splits", data / "splits" / f"{split}.parquet", tables.from_columns("splits", columns))
    random = np.random.default_rng(0)
    n = len(ACTIONS)
    actions = {"action_id": range(n), "action": ACTIONS, "words": [[name] for name in ACTIONS]}
    tables.write("actions", data / "index" / "actions.parquet", tables.from_columns("actions", actions))
    source, target = (grid.reshape(-1) for grid in np.indices((n, n)))
    edge = (source == 0) & (target == 2)
    counts = {"source_count": np.full(n * n, 6), "pair_count": np.full(n * n, 3), "psi": np.full(n * n, 0.5)}
    graph = {"source": source, "target": target, **counts, "edge": edge}
    tables.write("adjacency", data / "graph" / "adjacency.parquet", tables.from_columns("adjacency", graph))
    pairs = [(action, ids[video]) for action in range(n) for video in range(4)]
    sounds = {"video_id": ids[::2], "form": random.standard_normal((len(ids[::2]), FORM_SIZE)).astype(np.float32)}
    tables.write("whitened", data / "features" / "whitened.parquet", tables.from_columns("whitened", sounds))
    heard = {"action_id": [pair[0] for pair in pairs], "video_id": [pair[1] for pair in pairs],
             "form": (random.standard_normal((len(pairs), FORM_SIZE)) / 10).astype(np.float32)}  # fmt: skip
    tables.write("audio", data / "lexicons" / "audio.parquet", tables.from_columns("audio", heard))
    read = {**actions, "form": (random.standard_normal((n, 5)) / 10).astype(np.float32), "missing": [[]] * n}
    tables.write("text", data / "lexicons" / "text.parquet", tables.from_columns("text", read))
    paths = {name: root / path for name, path in vars(Inputs()).items()}
    return Miniature(root, Inputs(**paths))


def write_params(root: Path, params: Params) -> None:
    """params.yaml, as a stage run in `root` reads it."""
    content = json.loads(params.model_dump_json())
    YAML().dump(content, root / "params.yaml")
