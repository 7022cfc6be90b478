from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.evaluate import frozen, testing
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.checkpoint import load_model, save_model
from pipeline.model.heads import SoundLayer


@pytest.fixture
def videos(video_of):
    return [video_of(name, seed=number) for number, name in enumerate("abc")]


@pytest.fixture
def whitened(tmp_path):
    forms = np.random.default_rng(0).standard_normal((2, tables.FORM_SIZE)).astype(np.float32)
    columns = {"video_id": ["a", "c"], "form": forms}
    tables.write("whitened", tmp_path / "whitened.parquet", tables.from_columns("whitened", columns))
    return tmp_path / "whitened.parquet"


@pytest.mark.parametrize("late_fusion", [False, True])
def test_what_a_head_scores_is_what_evaluate_scores(
    videos, whitened, model_folder, tmp_path, params, evaluate, execution, late_fusion
):
    """The whole point: frozen features change where the work is done, not what comes out."""
    if late_fusion:
        model, about = load_model(model_folder)
        model.sound = SoundLayer(tables.FORM_SIZE, 5)
        fused = about.design.model.model_copy(update={"late_fusion": True})
        save_model(
            model_folder, model, replace(about, sound_size=tables.FORM_SIZE, design=replace(about.design, model=fused))
        )
        videos = testing.with_sounds(videos, whitened)
    how = {"evaluate": evaluate, "media": params.media, "execution": execution}
    testing.score(tmp_path / "scored", videos, model_folder, **how)
    expected = tables.read("predictions", tmp_path / "scored" / "predictions.parquet")
    assert frozen.extract_view_features(tmp_path / "view_features.parquet", videos, model_folder, **how) == 3
    found = frozen.predict(tmp_path / "view_features.parquet", load_model(model_folder)[0], whitened, evaluate)
    assert found["video_id"].to_pylist() == expected["video_id"].to_pylist()
    assert found["actions"].to_pylist() == expected["actions"].to_pylist()
    assert np.allclose(tables.vectors(found["scores"]), tables.vectors(expected["scores"]), atol=1e-5)


def test_a_video_that_cannot_be_read_is_left_out_by_name(
    videos, video_of, whitened, model_folder, tmp_path, params, evaluate, execution
):
    how = {"evaluate": evaluate, "media": params.media, "execution": execution}
    broken = [*videos, video_of("d", content=b"no video")]
    frozen.extract_view_features(tmp_path / "view_features.parquet", broken, model_folder, **how)
    view_features = tables.read("view_features", tmp_path / "view_features.parquet")
    assert [bool(reason) for reason in view_features["reason"].to_pylist()] == [False, False, False, True]
    scored = frozen.predict(tmp_path / "view_features.parquet", load_model(model_folder)[0], whitened, evaluate)
    assert scored["video_id"].to_pylist() == ["a", "b", "c"]
    strict = how | {"evaluate": evaluate.model_copy(update={"max_failure_rate": 0.1})}
    said = r"^1 of 4 videos failed \(25\.00%\); evaluate\.max_failure_rate allows 10\.00%[^|]*\n  d: "
    with pytest.raises(PlainError, match=said):
        frozen.extract_view_features(tmp_path / "view_features.parquet", broken, model_folder, **strict)


def test_features_are_the_same_bytes_for_any_number_of_threads(
    videos, video_of, model_folder, tmp_path, params, evaluate, execution
):
    found = []
    for threads in (1, 3):
        how = execution.model_copy(update={"threads": threads})
        seen = [video_of("0", content=b"no video"), *videos]
        frozen.extract_view_features(
            tmp_path / "view_features.parquet", seen, model_folder, evaluate=evaluate, media=params.media, execution=how
        )
        found.append((tmp_path / "view_features.parquet").read_bytes())
    assert found[0] == found[1]


def test_heads_are_scored_on_one_thread_by_deterministic_kernels(
    videos, whitened, model_folder, tmp_path, params, evaluate, execution
):
    seen = []

    def models():
        seen.append((torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()))
        yield load_model(model_folder)[0]

    view_features, before = tmp_path / "view_features.parquet", torch.get_num_threads()
    frozen.extract_view_features(
        view_features, videos, model_folder, evaluate=evaluate, media=params.media, execution=execution
    )
    torch.set_num_threads(2)
    try:
        means = frozen.score_each(tmp_path / "scored", models(), view_features, whitened, evaluate=evaluate)
    finally:
        torch.set_num_threads(before)
    assert means["seeds"] == 1
    assert seen == [(1, True)]
