"""What it costs that training scales its copies again: beside the pictures that testing sees, scaled once."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from pipeline.clips.codecs import CODECS
from pipeline.clips.prepare import copy_frames, line_of
from pipeline.dataset.sample.plan import draw_plans
from pipeline.dataset.sample.render import render_video
from pipeline.foundations.media.frames import read_frames, reader
from pipeline.foundations.params import Params
from pipeline.train.data import cut
from pipeline.train.views import View
from tests.presets import preset_params

PER_VIDEO = 4
"""Frames that are looked at, evenly spread over a second."""


class Cost(NamedTuple):
    """Of scaling twice."""

    levels: float
    """Mean difference to the picture scaled once; grey levels."""
    gradient: float
    """What is left of its differences between neighbours."""


def cost(path: Path, params: Params, short_side: int) -> Cost:
    once = reader(params.frames, short_side)(path, params.media).pixels
    chosen = np.linspace(0, len(once) - 1, PER_VIDEO).astype(int)
    fps, scaling = line_of(params.frames, params.clips)
    made = copy_frames(path, params.media, fps=fps, scaling=scaling, clips=params.clips)
    height, width = once.shape[1:3]
    side = min(height, width)
    view = View([], height, width, params.frames.scaling, (height - side) // 2, (width - side) // 2, flip=False)
    twice = cut(CODECS[params.clips.codec].decode(made.stored, chosen.tolist()), view, side).numpy().astype(float)
    seen = once[chosen][:, view.top : view.top + side, view.left : view.left + side].astype(float)
    gradients = [np.abs(np.diff(pictures, axis=2)).mean() for pictures in (twice, seen)]
    return Cost(float(np.abs(twice - seen).mean()), float(gradients[0] / gradients[1]))


def preset(name: str) -> Params:
    """A preset whose videos end after a second."""
    params = preset_params(name)
    return params.model_copy(update={"media": params.media.model_copy(update={"max_seconds": 1.0})})


@pytest.fixture(scope="module")
def large_clips(shared_data) -> list[Path]:
    """Real clips at least as large as a copy is: there is nothing to lose in smaller ones."""
    found = sorted([*(shared_data / "clips").iterdir(), *(shared_data / "real" / "clips").iterdir()])
    media = preset("mmit_v1_mini").media.model_copy(update={"max_seconds": 0.1, "memory_mb": 2048})
    sizes = [min(read_frames(path, media, fps=10.0, short_side=None).pixels.shape[1:3]) for path in found]
    large = [path for path, size in zip(found, sizes, strict=True) if size >= 192]
    assert len(large) > 20
    return large


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mmit_v1_mini", "released"])
@pytest.mark.parametrize("short_side", [128, 144, 160])
def test_scaling_real_clips_twice_costs_less_than_one_grey_level(large_clips, name, short_side):
    """At the paper's sizes, the JPEG between them included; and it blurs nothing."""
    costs = np.array([cost(path, preset(name), short_side) for path in large_clips])
    levels, gradient = costs.mean(0)
    assert levels < 1.0
    assert gradient == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("short_side", [56, 64, 72])
def test_scaling_rendered_clips_twice_costs_less_than_one_grey_level(tmp_path, params, short_side):
    """At the sample's sizes."""
    render = params.render.model_copy(update={"seconds": 0.5})
    plans = [plan for plan in draw_plans(render) if not plan.defect][:3]
    for number, plan in enumerate(plans):
        render_video(tmp_path / f"{number}.mp4", plan, render)
    costs = np.array([cost(tmp_path / f"{number}.mp4", params, short_side) for number in range(len(plans))])
    levels, gradient = costs.mean(0)
    assert levels < 1.0
    assert gradient == pytest.approx(1.0, abs=0.05)
