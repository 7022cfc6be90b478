"""Imported features made at random, and an epoch of training on them; as a program, it says what memory that takes."""

import sys
import time
from pathlib import Path
from threading import Event, Thread

import numpy as np
import torch

from pipeline.foundations.params import load_params
from pipeline.foundations.tables import tables
from pipeline.model.backbones import make_backbone
from pipeline.model.backbones.pooling import Pooling
from pipeline.model.heads import FullyConnected, SoundLayer
from pipeline.model.loss import bce
from pipeline.model.model import HeadModel, MultiActionModel
from pipeline.train.heads import Fitted, Setting, Trial, fit_heads
from pipeline.train.split import Split, imported_split

ROOT = Path(__file__).resolve().parents[2]
FEATURES, ACTIONS, SOUND = 16, 1000, 128
MEMORY = "RssAnon:"
"""Of a process, what is in no file; the rest the system may drop and read again."""


def write(folder: Path, **videos: int) -> None:
    """Splits of so many videos: vectors, labels, and sounds of all but every third."""
    random, heard = np.random.default_rng(0), {}
    for name, count in videos.items():
        ids = [f"{name}{number:07d}" for number in range(count)]
        labels = [np.unique(random.integers(0, ACTIONS, 3)).tolist() for _ in ids]
        columns = {"video_id": ids, "actions": labels, "drawn_for": [None] * count}
        tables.write("splits", folder / f"{name}.parquet", tables.from_columns("splits", columns))
        (folder / name).mkdir()
        np.save(folder / name / "views.npy", random.standard_normal((1, count, FEATURES), np.float32))
        heard |= {video_id: number for number, video_id in enumerate(ids) if number % 3}
    sounds = {"video_id": list(heard), "form": random.standard_normal((len(heard), SOUND), np.float32)}
    tables.write("whitened", folder / "whitened.parquet", tables.from_columns("whitened", sounds))


def opened(folder: Path, name: str) -> Split:
    """One of them, as training opens it."""
    paths = {"split": folder / f"{name}.parquet", "whitened": folder / "whitened.parquet"}
    return imported_split(folder, name, actions=ACTIONS, **paths)


def fit(training: Split, validation: Split) -> Fitted:
    """Train a linear layer with late fusion for an epoch."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    params = load_params(ROOT / "params.yaml")
    head, sound = FullyConnected(FEATURES, ACTIONS), SoundLayer(SOUND, ACTIONS)
    model = MultiActionModel(make_backbone("imported", FEATURES), Pooling("average"), head, sound)
    setting = Setting(
        schedule=params.frozen.model_copy(update={"batch": 100, "epochs": 1}),
        train=params.train,
        loss=bce,
        metric=lambda scores_MBN, _: scores_MBN.mean((1, 2)),
        on_epoch_start=lambda *_: False,
        keep=True,
    )
    trial = Trial(seed=7, learning_rate=0.1, weight_decay=1e-4, epochs=1)
    (fitted,) = fit_heads({7: HeadModel(model)}, [trial], training, validation, setting)
    return fitted


def peak_growth(folder: Path) -> int:
    """The memory, in bytes, that opening the splits and an epoch take beyond what the process held before."""
    seen, over = [_memory()], Event()

    def watch() -> None:
        while not over.is_set():
            seen.append(_memory())
            time.sleep(0.001)

    watcher = Thread(target=watch)
    watcher.start()
    fit(opened(folder, "train"), opened(folder, "val"))
    over.set()
    watcher.join()
    return max(seen) - seen[0]


def _memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(MEMORY))


if __name__ == "__main__":
    sys.stdout.write(str(peak_growth(Path(sys.argv[1]))))
