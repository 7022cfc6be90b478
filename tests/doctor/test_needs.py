"""Estimates, against arithmetic by hand and against what PyTorch holds in fact."""

import shutil
from collections import namedtuple

import pytest
import torch

from pipeline.dataset.annotations import Annotations, Video
from pipeline.doctor import needs
from pipeline.doctor.data import Seen
from pipeline.doctor.needs import disk, free_memory, held_for_backward, memory, outputs, parameters, training
from pipeline.doctor.probe import Probe
from pipeline.model.backbones.resnet3d import ARCHITECTURES, ResNet3d


@pytest.fixture
def seen():
    """Ten training videos of two labels, four of validation and five of test; half of them with sound."""
    splits = ["train"] * 10 + ["val"] * 4 + ["test"] * 5
    videos = [Video(f"x/{n}", f"x/{n}.mp4", split, (0, 1)) for n, split in enumerate(splits)]
    probes = (
        Probe(1_000_000, 6_000_000, sound=True, audible=True),
        Probe(3_000_000, 2_000_000, sound=False, audible=False),
    )
    return Seen(Annotations(("a", "b", "c"), tuple(videos)), (), probes)


def test_outputs_are_reckoned_from_what_was_counted_and_measured(seen, params):
    params = params.model_copy(update={"split_mini": params.split_mini.model_copy(update={"per_action": 6})})
    copies, sound, predictions, networks = outputs(seen, params)
    assert copies.bytes == (6 + 4) * 2_000_000
    assert sound.bytes == 0.5 * (2 * 19 + 6 * 2) * 384 * 4
    assert predictions.bytes == 5 * 3 * 4
    backbone = parameters(ResNet3d(ARCHITECTURES["r3d_tiny"]))
    assert networks.bytes == 4 * 72_141_184 + 4 * 4 * backbone
    assert "10 x 2.0 MB, measured on 2" in copies.what


def test_disk_is_needed_twice_less_what_is_there(seen, params, tmp_path, monkeypatch):
    Usage = namedtuple("Usage", "total used free")
    once = sum(need.bytes for need in outputs(seen, params))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/x").write_bytes(bytes(1_000_000))
    needed = 2 * once - 1_000_000
    for free, colour in ((needed * 0.99, "red"), (needed * 1.1, "yellow"), (needed * 1.3, "green")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(0, 0, free))
        finding = disk(seen, params, tmp_path)
        assert finding.colour == colour
        assert finding.found.endswith("1.0 MB are there")


def test_memory_is_that_of_the_workers_or_of_training_whichever_is_more(seen, params, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(needs, "free_memory", lambda: 1e9)
    assert "for 2 workers" in memory(seen, params).found
    fed = params.model_copy(update={"execution": params.execution.model_copy(update={"threads": 4})})
    assert "one decoded video and 4 at work)" in memory(seen, fed).found
    assert memory(seen, params).colour == "red"  # each takes VGGish's 289 MB, PyTorch and a video
    large = params.model_copy(update={"train": params.train.model_copy(update={"batch": 10_000})})
    assert "to train on the CPU" in memory(seen, large).found
    assert "activations, 6 batches of 376.4 MB)" in memory(seen, large).found


def test_what_a_step_takes_is_reckoned_on_shapes_as_it_is_held_in_fact(params):
    frames = params.frames.model_copy(update={"count": 2})
    network = ResNet3d(ARCHITECTURES["r2plus1d_tiny"])
    with torch.device("meta"):
        shapes = ResNet3d(ARCHITECTURES["r2plus1d_tiny"])
    assert held_for_backward(shapes, frames, 16) == held_for_backward(network, frames, 16) > 0
    assert held_for_backward(shapes, frames, 32) > 3 * held_for_backward(shapes, frames, 16)


def test_a_step_of_the_paper_takes_three_numbers_a_weight_and_one_more_with_averages(params):
    averaged = params.model_copy(update={"train": params.train.model_copy(update={"ema": 0.99})})
    assert training(averaged) - training(params) == 4 * parameters(ResNet3d(ARCHITECTURES["r3d_tiny"]))


def test_free_memory_is_no_more_than_the_systems():
    import psutil

    assert 0 < free_memory() <= psutil.virtual_memory().total
