"""VGGish against the same network written out in TensorFlow's layout, and its seeded weights against their bytes."""

import hashlib
import math

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from pipeline.audio.logmel import log_mel_patches
from pipeline.audio.vggish import PARAMETERS, Vggish, load_vggish, seeded_weights
from pipeline.foundations.runtime.errors import PlainError

ROUNDING = {"rtol": 1e-4, "atol": 1e-4}
"""Of embeddings up to 10 whose layers add up to 12,288 products in float32, in any order: 2e-5 is common."""


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    return seeded_weights(2021)


@pytest.fixture(scope="module")
def network(weights, tmp_path_factory) -> Vggish:
    path = tmp_path_factory.mktemp("vggish") / "vggish.safetensors"
    save_file(weights, path)
    return load_vggish(path)


def literal(weights: dict[str, np.ndarray], patch: np.ndarray) -> np.ndarray:
    """One patch through the network in height x width x channel arrays, a shifted product at a time."""

    def convolve(x: np.ndarray, name: str) -> np.ndarray:
        kernel, padded = weights[f"{name}.weight"], np.pad(x, ((1, 1), (1, 1), (0, 0)))
        height, width, _ = x.shape
        total = np.zeros((height, width, kernel.shape[0]), np.float32)
        for row in range(3):
            for column in range(3):
                total += padded[row : row + height, column : column + width] @ kernel[:, :, row, column].T
        return np.maximum(total + weights[f"{name}.bias"], 0)

    def pool(x: np.ndarray) -> np.ndarray:
        height, width, channels = x.shape
        return x.reshape(height // 2, 2, width // 2, 2, channels).max(axis=(1, 3))

    x = pool(convolve(patch[:, :, None], "conv1"))
    x = pool(convolve(x, "conv2"))
    x = pool(convolve(convolve(x, "conv3_1"), "conv3_2"))
    x = pool(convolve(convolve(x, "conv4_1"), "conv4_2"))
    assert x.shape == (6, 4, 512)
    x = x.reshape(-1)  # C order: height, width, channel, as TensorFlow flattens
    x = np.maximum(weights["fc1_1.weight"] @ x + weights["fc1_1.bias"], 0)
    x = np.maximum(weights["fc1_2.weight"] @ x + weights["fc1_2.bias"], 0)
    return weights["fc2.weight"] @ x + weights["fc2.bias"]


def sounds(tone) -> torch.Tensor:
    """Three sounds, a patch each."""
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, 15_600)
    waves = [tone(330, 1.0)[:15_600], tone(2000, 1.0)[:15_600], noise]
    return torch.from_numpy(np.concatenate([log_mel_patches(wave) for wave in waves]).astype(np.float32))


def test_has_the_published_number_of_parameters(weights):
    assert sum(array.size for array in weights.values()) == PARAMETERS == 72_141_184


def test_equals_the_network_written_out_in_tensorflow_layout(network, weights, tone):
    with_biases = {
        name: np.linspace(-0.5, 0.5, array.size, dtype=np.float32) if name.endswith("bias") else array
        for name, array in weights.items()
    }
    biased = Vggish().eval()
    biased.load_state_dict({name: torch.from_numpy(array) for name, array in with_biases.items()})
    patches = sounds(tone)[:1]
    with torch.inference_mode():
        np.testing.assert_allclose(biased(patches)[0], literal(with_biases, patches[0].numpy()), **ROUNDING)
        np.testing.assert_allclose(network(patches)[0], literal(weights, patches[0].numpy()), **ROUNDING)


def test_the_embedding_has_no_activation(network, tone):
    embeddings = network(sounds(tone))
    assert embeddings.shape == (3, 128)
    assert (embeddings < 0).float().mean() > 0.2


def test_seeded_embeddings_tell_sounds_apart(network, tone):
    """Neither dead nor blown up, and different for different sounds by far more than rounding."""
    embeddings = network(sounds(tone))
    assert 0.1 < float(embeddings.std()) < 100
    distances = torch.cdist(embeddings, embeddings)
    assert float(distances[~torch.eye(3, dtype=torch.bool)].min()) > 0.05 * float(embeddings.norm(dim=1).mean())


def test_seeded_weights_have_the_same_bytes_everywhere(weights):
    digest = hashlib.sha256()
    for name in sorted(weights):
        assert weights[name].dtype == np.float32
        digest.update(name.encode() + weights[name].astype("<f4").tobytes())
    assert digest.hexdigest() == "0351c8710b8d452a4856e545171fc57d06040501c8bc5e4be3933dfd0ab613dd"


def test_seeded_weights_are_uniform_within_he_bound(weights):
    values = weights["conv4_2.weight"]
    bound = math.sqrt(6 / (512 * 9))
    assert np.abs(values).max() <= bound
    assert float(values.mean()) == pytest.approx(0, abs=bound / 500)
    assert float(values.std()) == pytest.approx(bound / math.sqrt(3), rel=0.005)  # = sqrt(2 / inputs)
    assert not weights["conv4_2.bias"].any()


def test_another_seed_gives_other_weights(weights):
    other = seeded_weights(2022)
    assert all(not np.array_equal(weights[name], other[name]) for name in weights if name.endswith("weight"))


def test_a_file_that_is_absent_or_no_safetensors_is_a_plain_error(tmp_path):
    with pytest.raises(PlainError, match=r"none\.safetensors: cannot be read"):
        load_vggish(tmp_path / "none.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk" * 100)
    with pytest.raises(PlainError, match=r"junk\.safetensors: cannot be read"):
        load_vggish(tmp_path / "junk.safetensors")


def test_a_tensor_of_another_shape_is_named(tmp_path, weights):
    path = tmp_path / "other.safetensors"
    save_file(weights | {"fc2.weight": np.zeros((128, 4095), np.float32)}, path)
    with pytest.raises(PlainError, match=r"1 tensors differ; fc2\.weight: found \(128, 4095\), expected \(128, 4096\)"):
        load_vggish(path)


def test_tensors_of_another_network_are_counted(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"fc2.bias": np.zeros(128, np.float32), "top.bias": np.zeros(3, np.float32)}, path)
    with pytest.raises(PlainError, match=r"18 tensors differ; conv1\.bias: found none, expected \(64,\)"):
        load_vggish(path)


def test_a_tensor_that_is_not_finite_is_named(tmp_path, weights):
    path = tmp_path / "diverged.safetensors"
    save_file(weights | {"fc2.bias": np.full(128, np.nan, np.float32)}, path)
    with pytest.raises(PlainError, match=r"diverged\.safetensors: fc2\.bias: has values that are not finite"):
        load_vggish(path)
