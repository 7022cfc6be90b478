"""Whitening, against what defines it, against Mahalanobis, and the released parameters against a literal loop."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from pipeline.audio.whitening import apply, batches, fit, released, whiten
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

PARAMETERS = Path(__file__).resolve().parents[2] / "data/external/vggish_pca_params.npz"


def patches(count: int, seed: int = 0) -> np.ndarray:
    """Correlated float32 patches off the origin, of very different variances."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).standard_normal((128, 128)) * np.geomspace(10, 0.01, 128)[:, None]
    return (random.standard_normal((count, 128)) @ mixing + 5).astype(np.float32)


def test_whitened_training_patches_have_mean_0_and_covariance_1():
    data = patches(3000)
    white = apply(data, fit([data])).astype(np.float64)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(128), atol=1e-4)


def test_whitened_distance_is_the_mahalanobis_distance():
    data, others = patches(3000), patches(4, seed=1)
    white = apply(others, fit([data])).astype(np.float64)
    precision = np.linalg.inv(np.cov(data.astype(np.float64), rowvar=False))
    for first in range(4):
        for second in range(first):
            step = others[first].astype(np.float64) - others[second]
            expected = np.sqrt(step @ precision @ step)
            assert np.linalg.norm(white[first] - white[second]) == pytest.approx(expected, rel=1e-4)


def test_batch_by_batch_gives_the_full_decomposition():
    data = patches(20_000)
    model = PCA(whiten=True, svd_solver="full").fit(data.astype(np.float64))
    found = fit([data[:100], data[100:13_000], data[13_000:]])
    np.testing.assert_allclose(found.mean, model.mean_, atol=1e-10)
    np.testing.assert_allclose(found.variance, model.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(apply(data[:50], found), model.transform(data[:50].astype(np.float64)), atol=1e-5)
    assert found.patches == 20_000


def test_components_fall_in_variance_and_have_settled_signs():
    found = fit([patches(1000)])
    assert (np.diff(found.variance) <= 0).all()
    largest = np.abs(found.vectors).argmax(axis=1)
    assert (found.vectors[np.arange(128), largest] > 0).all()


def test_fewer_patches_than_dimensions_leave_the_other_components_0():
    data = patches(15)
    found = fit([data])
    white = apply(data, found)
    assert np.count_nonzero(found.vectors.any(axis=1)) == 14  # one is spent on the mean
    np.testing.assert_allclose(np.cov(white[:, :14].astype(np.float64), rowvar=False), np.eye(14), atol=1e-4)
    assert not white[:, 14:].any()
    assert not apply(patches(5, seed=2), found)[:, 14:].any()


def test_a_dimension_that_never_changes_is_not_blown_up():
    data = patches(1000)
    data[:, 17] = 3.25
    found = fit([data])
    assert np.count_nonzero(found.vectors.any(axis=1)) == 127
    other = patches(3, seed=4)
    other[:, 17] = 3.2501
    assert np.abs(apply(other, found)).max() < 100


@pytest.mark.parametrize("data", [np.ones((1, 128)), np.full((300, 128), 2.5)])
def test_nothing_to_fit_on_is_a_plain_error(data):
    with pytest.raises(PlainError, match=rf"have {len(data)} patches without any variance"):
        fit([data])


def test_batches_cut_rows_as_asked_and_lose_none():
    pieces = [np.full((count, 2), count) for count in (3, 0, 10, 1, 2)]
    cut = list(batches(pieces, 4))
    assert [len(batch) for batch in cut] == [4, 4, 4, 4]
    assert np.array_equal(np.concatenate(cut), np.concatenate(pieces))
    assert [len(batch) for batch in batches([np.zeros((9, 2))], 4)] == [4, 4, 1]
    assert list(batches([np.zeros((0, 2))], 4)) == []
    assert list(batches([], 4)) == []


def test_released_parameters_are_those_that_audioset_released():
    digest = hashlib.sha256(PARAMETERS.read_bytes()).hexdigest()
    assert digest == "4d878af3e306defbfb37095365aa7e5a6cecb86bad13e859e626151c4e6a8b9d"


def test_released_equals_a_literal_loop():
    with np.load(PARAMETERS, allow_pickle=False) as content:
        vectors, means = content["pca_eigen_vectors"], content["pca_means"]
    data = np.random.default_rng(8).standard_normal((3, 128)).astype(np.float32)
    white = apply(data, released(PARAMETERS))
    for row, patch in enumerate(data):
        for component in range(128):
            total = sum(float(vectors[component, k]) * (float(patch[k]) - float(means[k])) for k in range(128))
            assert white[row, component] == pytest.approx(min(max(total, -2.0), 2.0), abs=1e-6)


def test_released_is_clipped_and_fitted_is_not():
    far = patches(2) * 100
    assert np.abs(apply(far, released(PARAMETERS))).max() == 2.0
    assert np.abs(apply(far, fit([patches(500)]))).max() > 2.0


def test_released_means_whiten_to_0():
    with np.load(PARAMETERS, allow_pickle=False) as content:
        means = content["pca_means"]
    np.testing.assert_allclose(apply(means[None], released(PARAMETERS)), 0, atol=1e-12)


def _save(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("fault", ["absent", "junk", "other arrays", "other shapes", "pickled"])
def test_other_files_are_plain_errors(tmp_path, fault):
    path = tmp_path / "pca.npz"
    square, means = np.eye(128), np.zeros(128)
    if fault == "junk":
        path.write_bytes(b"PK\x03\x04 but no archive")
    elif fault == "other arrays":
        _save(path, vectors=square, means=means)
    elif fault == "other shapes":
        _save(path, pca_eigen_vectors=square[:64], pca_means=means)
    elif fault == "pickled":
        _save(path, pca_eigen_vectors=np.array([{}], dtype=object), pca_means=means)
    with pytest.raises(PlainError, match=r"whitening\.path: .*pca\.npz"):
        released(path)


@pytest.fixture
def stored(tmp_path) -> Path:
    """A folder with 40 indexed videos, 30 of training, and their embeddings."""
    names = [f"v{number:02d}" for number in range(40)]
    splits = ["val" if number % 4 == 3 else "train" for number in range(40)]
    columns = {
        "video_id": names,
        "path": names,
        "split": splits,
        "actions": [[0]] * 40,
        "bytes": [1] * 40,
        "sha256": ["0"] * 40,
    }
    tables.write("videos", tmp_path / "videos.parquet", tables.from_columns("videos", columns))
    _store(tmp_path, names, patches(120).reshape(40, 384))
    return tmp_path


def _store(folder: Path, names: list[str], embeddings: np.ndarray) -> None:
    table = tables.from_columns("vggish", {"video_id": names, "embedding": embeddings})
    tables.write("vggish", folder / "vggish.parquet", table)


def _whiten(folder: Path, settings) -> tuple[str, np.ndarray, np.ndarray]:
    said = whiten(
        folder / "videos.parquet",
        folder / "vggish.parquet",
        folder / "whitened.parquet",
        folder / "whitening.parquet",
        settings,
    )
    forms = tables.read("whitened", folder / "whitened.parquet")
    vectors = tables.vectors(tables.read("whitening", folder / "whitening.parquet")["vector"])
    return said, tables.vectors(forms["form"]), vectors


@pytest.fixture
def fitting(params):
    return params.whitening.model_copy(update={"method": "fit"})


@pytest.fixture
def releasing(params):
    return params.whitening.model_copy(update={"method": "released", "path": str(PARAMETERS)})


def test_training_patches_alone_are_fitted_on(stored, fitting):
    said, _, vectors = _whiten(stored, fitting)
    assert said == "40 videos whitened; fitted on 90 training patches, 89 of 128 components vary"
    embeddings = patches(120).reshape(40, 384)
    embeddings[3::4] *= 1000  # the validation videos'
    _store(stored, [f"v{number:02d}" for number in range(40)], embeddings)
    _, _, after = _whiten(stored, fitting)
    assert np.array_equal(vectors, after)


def test_every_video_is_whitened_patch_by_patch(stored, fitting):
    _, forms, _ = _whiten(stored, fitting)
    data = patches(120)
    training = data.reshape(40, 3, 128)[[number for number in range(40) if number % 4 != 3]].reshape(-1, 128)
    np.testing.assert_allclose(forms.reshape(120, 128), apply(data, fit([training])), atol=1e-6)


def test_released_parameters_need_no_training_video(stored, releasing):
    said, forms, vectors = _whiten(stored, releasing)
    assert said == "40 videos whitened with the released parameters"
    # Float32 of at most 2; how the stage cuts its rows may turn the last bit, 2.4e-7.
    np.testing.assert_allclose(forms.reshape(120, 128), apply(patches(120), released(PARAMETERS)), atol=1e-6)
    with np.load(PARAMETERS, allow_pickle=False) as content:
        assert np.array_equal(vectors, content["pca_eigen_vectors"])
    table = tables.read("whitening", stored / "whitening.parquet")
    assert np.isnan(table["variance"].to_numpy()).all()


def test_the_table_of_parameters_repeats_the_whitening(stored, fitting):
    """Anyone can whiten another sound with what is stored."""
    _, forms, vectors = _whiten(stored, fitting)
    mean = tables.read("whitening", stored / "whitening.parquet")["mean"].to_numpy()
    np.testing.assert_allclose((patches(120) - mean) @ vectors.T, forms.reshape(120, 128), atol=1e-5)


@pytest.mark.parametrize("method", ["fit", "released"])
def test_same_bytes_twice(stored, fitting, method):
    settings = fitting.model_copy(update={"method": method, "path": str(PARAMETERS)})
    _whiten(stored, settings)
    first = [(stored / name).read_bytes() for name in ("whitened.parquet", "whitening.parquet")]
    _whiten(stored, settings)
    assert [(stored / name).read_bytes() for name in ("whitened.parquet", "whitening.parquet")] == first


def test_without_an_audible_training_video_whatever_is_heard_becomes_zeros(stored, fitting):
    _store(stored, ["v03", "v07"], patches(6).reshape(2, 384))
    assert _whiten(stored, fitting)[0] == "2 videos, all zeros: no training video is audible"
    assert not tables.vectors(tables.read("whitened", stored / "whitened.parquet")["form"]).any()
    assert tables.read("whitening", stored / "whitening.parquet").num_rows == 128


@pytest.mark.parametrize("size", [20, 256])
def test_forms_of_another_width_are_whitened_as_a_whole(stored, fitting, size):
    names, random = [f"v{number:02d}" for number in range(40)], np.random.default_rng(3)
    embeddings = (random.standard_normal((40, size)) @ random.standard_normal((size, size)) + 2).astype(np.float32)
    _store(stored, names, embeddings)
    said, forms, vectors = _whiten(stored, fitting)
    training = np.array([number % 4 != 3 for number in range(40)])
    varying = min(size, 29)  # 30 training videos: one is spent on the mean
    assert said == f"40 videos whitened; fitted on 30 training patches, {varying} of {size} components vary"
    assert vectors.shape == (size, size)
    np.testing.assert_allclose(
        np.cov(forms[training].astype(np.float64).T)[:varying, :varying], np.eye(varying), atol=1e-4
    )
    expected = PCA(whiten=True, svd_solver="full").fit(embeddings[training].astype(np.float64)).transform(embeddings)
    np.testing.assert_allclose(forms[:, :varying], expected[:, :varying], atol=1e-4)


def test_released_parameters_are_refused_for_another_width(stored, releasing):
    _store(stored, ["v00"], np.zeros((1, 256), np.float32))
    with pytest.raises(
        PlainError, match=r"of VGGish's 128 numbers, but the embeddings have 256: set it to fit or none"
    ):
        _whiten(stored, releasing)


def test_without_a_method_embeddings_stay_as_they_come(stored, fitting):
    said, forms, _ = _whiten(stored, fitting.model_copy(update={"method": "none"}))
    assert said == "40 videos, not whitened here"
    assert np.array_equal(forms, patches(120).reshape(40, 384))
