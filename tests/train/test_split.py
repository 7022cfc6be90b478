"""Splits of imported features: in memory is what grows with the videos alone, and the weights are the same bits."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from pipeline.foundations.tables import tables
from pipeline.train.split import Split, read_split, write_split
from tests.train import one_epoch
from tests.train.one_epoch import ACTIONS, ROOT, SOUND, fit, opened, write

ONE_ARENA = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Memory that was given back is not kept for each thread, which grows with the threads that happen to meet."""


class Dense(Split):
    """All of it in memory, targets as a B x N array."""

    def targets_of(self, rows):
        return torch.from_numpy(self.targets[rows])


def dense(folder, name) -> Dense:
    """A split read by other code."""
    table = tables.read("splits", folder / f"{name}.parquet")
    whitened = tables.read("whitened", folder / "whitened.parquet").to_pylist()
    forms = {row["video_id"]: row["form"] for row in whitened}
    sounds = [forms.get(video_id, [0.0] * SOUND) for video_id in table["video_id"].to_pylist()]
    targets = np.zeros((table.num_rows, ACTIONS), dtype=bool)
    for row, actions in enumerate(table["actions"].to_pylist()):
        targets[row, actions] = True
    return Dense(torch.from_numpy(np.load(folder / name / "views.npy")), targets, torch.tensor(sounds))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    write(tmp_path, train=950, val=40)
    return tmp_path


def test_weights_are_those_of_training_on_arrays_in_memory_to_the_last_bit(folder):
    validation = opened(folder, "val")
    mapped, whole = fit(opened(folder, "train"), validation), fit(dense(folder, "train"), validation)
    assert mapped.weights.keys() == {"head.weight", "head.bias", "sound.weight"}
    for name, weight in mapped.weights.items():
        assert torch.equal(weight, whole.weights[name])
    assert (mapped.losses, mapped.score) == (whole.losses, whole.score)


def test_a_split_is_the_same_after_it_was_written_and_read(folder):
    split = opened(folder, "train")
    write_split(folder / "written", split)
    read, whole = read_split(folder / "written"), dense(folder, "train")
    for one in (split, read):
        assert one.videos == 950
        assert torch.equal(one.views, whole.views)
        assert torch.equal(one.sounds, whole.sounds)
        np.testing.assert_array_equal(one.targets.toarray(), whole.targets)
    rows = np.array([[3, 0], [949, 3]])
    assert torch.equal(read.targets_of(rows), whole.targets_of(rows))


def test_memory_grows_by_few_bytes_a_video_however_wide_targets_and_sounds_are(tmp_path):
    """Dense, 30,000 videos more are 54 MB more: of each, 1,000 bytes of targets, 512 of sound and their copies."""
    grown = []
    for videos in (10_000, 40_000):
        folder = tmp_path / str(videos)
        folder.mkdir()
        write(folder, train=videos, val=40)
        command = [sys.executable, "-m", one_epoch.__name__, str(folder)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder)} | ONE_ARENA
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        grown.append(int(done.stdout))
    assert grown[1] - grown[0] < 30_000 * 400  # measured: nothing, to 2 MB
