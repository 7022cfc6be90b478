"""How many loader processes keep a GPU busy."""

import pytest
import torch

from pipeline.doctor.feed import feed, feed_of
from tests.presets import NAMES, preset_params


def test_r2plus1d_is_fed_by_four_processes_from_jpeg_and_by_eleven_from_h264():
    """800 clips/s against 219 and 75 of a core: 3.7 and 10.7."""
    mini, whole = (feed_of(preset_params(name)) for name in ("mmit_v1_mini", "mmit_v1"))
    assert mini.gpu == whole.gpu == pytest.approx(800, rel=0.01)
    assert mini.worker == pytest.approx(219, rel=0.01)
    assert (mini.workers, whole.workers) == (4, 11)


def test_larger_pictures_take_more_processes():
    params = preset_params("mmit_v1_mini")
    i3d = params.model_copy(
        update={
            "backbone": params.backbone.model_copy(update={"name": "i3d_50"}),
            "train": params.train.model_copy(update={"crop": 224, "jitter": (256, 320)}),
            "clips": params.clips.model_copy(update={"short_side": 384}),
        }
    )
    assert feed_of(i3d).workers > 8


@pytest.mark.parametrize("name", [name for name in NAMES if preset_params(name).backbone.name == "r2plus1d_34"])
def test_a_preset_for_a_gpu_names_enough_processes(name):
    """Those of one's own videos, and the sample's, are for a CPU."""
    params = preset_params(name)
    assert params.execution.workers >= feed_of(params).workers


@pytest.mark.parametrize(("workers", "colour"), [(3, "yellow"), (4, "green")])
def test_doctor_says_so_where_there_is_a_gpu(monkeypatch, workers, colour):
    params = preset_params("mmit_v1_mini")
    params = params.model_copy(update={"execution": params.execution.model_copy(update={"workers": workers})})
    assert list(feed(params)) == []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    (finding,) = feed(params)
    assert (finding.colour, "4 keep it busy" in finding.found) == (colour, True)
    assert ("execution.workers: 4" in finding.advice) == (colour == "yellow")
