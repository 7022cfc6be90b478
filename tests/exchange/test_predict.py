"""Predictions of single files: stage evaluate's scores, whichever form the model has."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from pipeline.evaluate.testing import score
from pipeline.exchange.export import DESCRIPTION, ONNX_NAME, PT2_NAME, ClipShape, export
from pipeline.exchange.predict import Action, best, predict
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from tests.extras import needs

CPU = torch.device("cpu")


@pytest.fixture
def guess(params, evaluate, model_folder):
    """Predict with the small model; all five actions."""

    def run(*videos, **changes):
        arguments = {"top": 5, "evaluate": evaluate, "media": params.media, "device": CPU} | changes
        return list(predict(videos, arguments.pop("model", model_folder), **arguments))

    return run


@pytest.fixture
def exported(model_folder, evaluate, tmp_path):
    """The small model as ONNX and .pt2."""
    model, about = load_model(model_folder)
    views = evaluate.model_dump(include={"temporal_views", "spatial_views", "short_side", "crop", "combine"})
    description = {"actions": list(about.actions), "frames": about.design.frames.model_dump(), "evaluate": views}
    export(model, tmp_path / "out", ClipShape(about.design.frames.count, evaluate.crop, evaluate.crop), description)
    return tmp_path / "out"


def test_a_files_scores_are_those_of_the_stage(guess, video_of, model_folder, evaluate, params, execution, tmp_path):
    video = video_of("video", seed=3)
    settings = {"evaluate": evaluate, "media": params.media, "execution": execution}
    score(tmp_path / "predictions", [video], model_folder, **settings)
    expected = tables.read("predictions", tmp_path / "predictions/predictions.parquet")["scores"][0].as_py()
    (found,) = guess(tmp_path / "video.avi")
    names = load_model(model_folder)[1].actions
    assert dict(found.actions) == dict(zip(names, expected, strict=True))
    assert [action.score for action in found.actions] == sorted(expected, reverse=True)
    assert found.reason == ""


def test_exports_of_the_model_give_its_scores_with_views_of_their_own(guess, video_of, exported, evaluate, tmp_path):
    for seed in range(2):
        video_of(f"v{seed}", seed=seed)
    videos = [tmp_path / "v0.avi", tmp_path / "v1.avi"]
    expected = guess(*videos)
    other = evaluate.model_copy(update={"temporal_views": 1, "short_side": 30, "crop": 28, "combine": "mean"})
    assert [dict(entry.actions) for entry in guess(*videos, evaluate=other)] != [dict(e.actions) for e in expected]
    for name in (ONNX_NAME, PT2_NAME):
        found = guess(*videos, model=exported / name, evaluate=other)
        assert [entry.video for entry in found] == [entry.video for entry in expected]
        for ours, theirs in zip(found, expected, strict=True):
            scores = dict(theirs.actions)
            assert dict(ours.actions) == pytest.approx(scores, abs=1e-5)
            assert len(scores) == 5


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_scored(guess, video_of, tmp_path):
    video_of("good")
    video_of("bad", content=b"no video at all")
    (tmp_path / "link.avi").symlink_to(tmp_path / "good.avi")
    names = ("bad.avi", "absent.mp4", "", "good.avi", "link.avi")
    bad, absent, folder, good, link = guess(*(tmp_path / name for name in names), top=2)
    assert "starts with b'no video" in bad.reason
    assert absent.reason == "cannot be opened: no such file or directory"
    assert "not a regular file but a folder" in folder.reason
    assert bad.actions == absent.actions == folder.actions == ()
    assert good.actions == link.actions
    assert len(good.actions) == 2


def test_the_best_come_first_and_ties_in_the_order_of_the_vocabulary():
    scores = np.array([0.25, 0.5, 0.125, 0.5], np.float32)
    assert best(scores, list("abcd"), 3) == (Action("b", 0.5), Action("d", 0.5), Action("a", 0.25))
    assert len(best(scores, list("abcd"), 9)) == 4


def test_a_model_that_is_not_there_is_named(guess, video_of, tmp_path):
    video_of("good")
    ask = partial(guess, tmp_path / "good.avi")
    with pytest.raises(PlainError, match="absent: no model can be read there"):
        ask(model=tmp_path / "absent")
    with pytest.raises(PlainError, match=r"absent\.onnx: no such file"):
        ask(model=tmp_path / "absent.onnx")


@needs("onnx")
def test_an_export_of_something_else_is_named(guess, tmp_path):
    import onnx
    from onnx import helper

    clips, scores = (helper.make_tensor_value_info(name, 1, [1]) for name in ("clips", "scores"))
    graph = helper.make_graph([helper.make_node("Relu", ["clips"], ["scores"])], "other", [clips], [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for frames, message in (
        ({"frames": {"fps": "ten"}}, r"other\.onnx: .*: frames\.fps: input should be a valid number"),
        ({}, r"other\.onnx: its description lacks 'frames'; expected a model written by `m3a export`"),
    ):
        helper.set_model_props(model, {DESCRIPTION: json.dumps({"actions": ["a"]} | frames)})
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(PlainError, match=message):
            guess(model=tmp_path / "other.onnx")


@pytest.mark.slow
def test_real_clips_of_every_container_are_scored(guess, real_clips):
    clips = sorted(real_clips.iterdir())
    found = guess(*clips)
    assert {clip.suffix for clip in clips} == {".avi", ".mkv", ".mp4"}
    assert [entry.reason for entry in found] == [""] * len(clips)
    assert len({json.dumps(entry.actions) for entry in found}) == len(clips)
