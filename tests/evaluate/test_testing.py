"""Testing on small videos: against views scored one at a time, by workers, and with files that cannot be read."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.evaluate import testing
from pipeline.evaluate.testing import Video, score, score_video, videos_of
from pipeline.evaluate.views import views
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model
from pipeline.model.normalize import as_clips


@pytest.fixture
def run(params, evaluate, execution, model_folder, tmp_path):
    """Score some videos into the folder `predictions`."""
    return partial(
        score,
        tmp_path / "predictions",
        model=model_folder,
        evaluate=evaluate,
        media=params.media,
        execution=execution,
    )


def predictions(folder) -> dict[str, list[float]]:
    table = tables.read("predictions", folder / "predictions" / "predictions.parquet")
    return dict(zip(table["video_id"].to_pylist(), table["scores"].to_pylist(), strict=True))


@pytest.mark.parametrize("how", ["max", "mean"])
def test_a_videos_score_is_that_of_its_views_one_at_a_time(model_folder, evaluate, how):
    network, description = load_model(model_folder)
    pixels = np.random.default_rng(1).integers(0, 256, (20, 24, 36, 3), dtype=np.uint8)
    made = torch.from_numpy(views(pixels, description.design.frames, evaluate))
    with torch.no_grad():
        alone = np.concatenate(
            [network.scores(as_clips(view[None], description.design.frames)).numpy() for view in made]
        )
    expected = alone.max(axis=0) if how == "max" else alone.mean(axis=0)
    found = score_video(network, pixels, description.design.frames, evaluate.model_copy(update={"combine": how}))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_fill_of_the_last_batch_changes_no_score(model_folder, evaluate):
    """A black clip scores higher than every view here in some action, so it would show in the maximum."""
    network, description = load_model(model_folder)
    pixels = np.random.default_rng(1).integers(0, 256, (20, 24, 24, 3), dtype=np.uint8)
    found = [
        score_video(network, pixels, description.design.frames, evaluate.model_copy(update={"batch": batch}))
        for batch in (1, 4, 6, 64)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-6)
    assert (score_video(network, np.zeros_like(pixels), description.design.frames, evaluate) > found[0] + 1e-4).any()


def test_predictions_hold_every_video_its_actions_and_its_scores(
    run, video_of, tmp_path, model_folder, evaluate, params
):
    videos = [video_of(f"video{seed}", seed=seed) for seed in range(4)]
    assert run(videos) == {"excluded": 0, "predictions": 4}
    table = tables.read("predictions", tmp_path / "predictions" / "predictions.parquet")
    assert table["actions"].to_pylist() == [[0], [1], [2], [3]]
    network, description = load_model(model_folder)
    for video, scores in predictions(tmp_path).items():
        pixels = read_frames(tmp_path / f"{video}.avi", params.media, fps=10.0, short_side=24).pixels
        expected = score_video(network, pixels, description.design.frames, evaluate)
        np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_a_video_that_cannot_be_read_is_named_with_its_reason(run, video_of, tmp_path):
    good, bad, changed = video_of("good"), video_of("bad", content=b"no video"), video_of("changed", seed=1)
    with Path(changed.path).open("ab") as file:
        file.write(b"x")
    assert run([bad, changed, good, video_of("last", seed=3)]) == {"excluded": 2, "predictions": 2}
    excluded = tables.read("exclusions", tmp_path / "predictions" / "excluded.parquet").to_pydict()
    assert excluded["video_id"] == ["bad", "changed"]
    assert "changed since `index`" in excluded["reason"][1]
    assert list(predictions(tmp_path)) == ["good", "last"]


def test_a_video_that_cannot_be_read_moves_no_other_videos_score(run, video_of, tmp_path):
    videos = [video_of(f"video{seed}", seed=seed) for seed in range(3)]
    run(videos)
    before = predictions(tmp_path)
    run([videos[0], video_of("video00", content=b"no video"), *videos[1:]])
    assert predictions(tmp_path) == before


def test_too_many_failures_stop_the_stage(run, video_of, evaluate):
    videos = [video_of("bad", content=b"no video"), video_of("good")]
    with pytest.raises(PlainError, match=r"1 of 2 .* evaluate\.max_failure_rate allows 10\.00%[^|]*\n  bad: "):
        run(videos, evaluate=evaluate.model_copy(update={"max_failure_rate": 0.1}))


def test_a_split_without_videos_is_refused(run):
    with pytest.raises(PlainError, match=r"evaluate\.split: found no labelled video in test"):
        run([])


def test_a_missing_model_is_named(run, video_of, tmp_path):
    with pytest.raises(PlainError, match="nowhere: no model is there"):
        run([video_of("video")], model=tmp_path / "nowhere")


@pytest.mark.slow
def test_bytes_are_the_same_for_any_number_of_workers_and_threads(run, video_of, tmp_path, execution):
    videos = [video_of(f"video{seed}", seed=seed, frames=9 + seed) for seed in range(7)]
    videos.insert(1, video_of("video00", content=b"no video"))
    found = []
    for workers, threads in ((1, 1), (2, 1), (1, 3)):
        run(videos, execution=execution.model_copy(update={"workers": workers, "threads": threads}))
        folder = tmp_path / "predictions"
        found.append([(folder / name).read_bytes() for name in ("predictions.parquet", "excluded.parquet")])
    assert found[0] == found[1] == found[2]


def test_a_stopped_run_goes_on_with_the_shards_it_has(run, video_of, tmp_path, monkeypatch):
    videos = [video_of(f"video{seed}", seed=seed) for seed in range(6)]
    scored = []

    def until_the_fifth(network, *rest):
        scored.append(rest)
        if len(scored) == 5:
            raise KeyboardInterrupt
        return score_video(network, *rest)

    monkeypatch.setattr(testing, "score_video", until_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        run(videos)
    assert run(videos) == {"excluded": 0, "predictions": 6}
    assert len(scored) == 5 + 3  # the second shard alone is made again
    assert len(predictions(tmp_path)) == 6


def test_a_diverged_model_is_an_error_and_no_score(model_folder, evaluate):
    network, description = load_model(model_folder)
    with torch.no_grad():
        next(network.head.parameters()).fill_(torch.nan)
    pixels = np.zeros((10, 24, 24, 3), np.uint8)
    with pytest.raises(PlainError, match="diverged"):
        score_video(network, pixels, description.design.frames, evaluate)


def test_the_videos_of_a_split_in_order_with_their_files(tmp_path):
    videos = tables.from_columns(
        "videos",
        {
            "video_id": ["a", "b", "c"],
            "path": ["x/a.mp4", "x/b.mp4", "y/c.mp4"],
            "split": ["test", "train", "test"],
            "actions": [[1], [0], [0, 2]],
            "bytes": [10, 20, 30],
            "sha256": ["aa", "bb", "cc"],
        },
    )
    split = tables.from_columns("splits", {"video_id": ["a", "c"], "actions": [[1], [0, 2]], "drawn_for": [None, None]})
    assert videos_of(split, videos, tmp_path) == [
        Video("a", str(tmp_path / "x/a.mp4"), 10, "aa", (1,)),
        Video("c", str(tmp_path / "y/c.mp4"), 30, "cc", (0, 2)),
    ]
