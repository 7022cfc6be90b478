"""Converting VGGish from a SavedModel that TensorFlow exported, and refusing what is not it."""

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from pipeline.audio.logmel import log_mel_patches
from pipeline.audio.vggish import load_vggish, seeded_weights
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.extras import installed
from pipeline.weights import hub, vggish_hub
from pipeline.weights.saved_model import Saved, run_saved_model
from tests.extras import WITHOUT
from tests.loopback import serving

EXPORTER = Path(__file__).with_name("export_vggish.py")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with VGGish as TensorFlow Hub has it, `vggish`, and a model that writes to `victim`, `writer`."""
    if not installed("hub"):
        pytest.skip(WITHOUT["hub"])
    folder = tmp_path_factory.mktemp("hub")
    paths = [str(folder / name) for name in ("vggish", "writer", "victim")]
    subprocess.run([sys.executable, str(EXPORTER), *paths], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def recording(root):
    return root / "data/external/speech_16khz.wav"


class Conversion(NamedTuple):
    """One conversion over the network, and what it left."""

    handle: str
    target: Path
    cache: Path
    difference: float
    asked: int


@pytest.fixture(scope="module")
def converted(exported, recording, tmp_path_factory):
    """Fetched by its handle from a server with TensorFlow Hub's interface, and converted."""
    folder = tmp_path_factory.mktemp("converted")
    archive = folder / "archive.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=0) as tar:
        tar.add(exported / "vggish", arcname=".")
    with pytest.MonkeyPatch.context() as patch, serving() as server:
        patch.setenv("no_proxy", "127.0.0.1")
        patch.setenv("DVC_ROOT", str(folder))
        patch.delenv("TFHUB_CACHE_DIR", raising=False)
        handle = server.put("/google/vggish/1?tf-hub-format=compressed", archive.read_bytes()).partition("?")[0]
        difference = vggish_hub.convert(handle, folder / "vggish.safetensors", recording=recording)
        return Conversion(handle, folder / "vggish.safetensors", folder, difference, len(server.asked))


@pytest.mark.slow
def test_a_saved_model_is_a_program_and_can_write_no_file(exported):
    with pytest.raises(PlainError, match=r"writer: cannot be loaded through TensorFlow Hub: .*File too large"):
        run_saved_model(hub.resolve(str(exported / "writer")), np.zeros(10, np.float32))
    assert not (exported / "victim").exists() or (exported / "victim").read_bytes() == b""


@pytest.fixture(scope="module")
def weights():
    return seeded_weights(1)


@pytest.fixture
def variables(weights):
    """The weights in the released names and layout, made without the code under test."""
    scopes = {"conv3_1": "conv3/", "conv3_2": "conv3/", "conv4_1": "conv4/", "conv4_2": "conv4/",
              "fc1_1": "fc1/", "fc1_2": "fc1/"}  # fmt: skip
    variables = {}
    for name, value in weights.items():
        layer, kind = name.split(".")
        moved = np.moveaxis(value, (0, 1), (-1, -2)) if value.ndim == 4 else value.T
        variables[f"vggish/{scopes.get(layer, '')}{layer}/{'weights' if kind == 'weight' else 'biases'}"] = moved
    return variables


@pytest.mark.slow
def test_a_saved_model_is_fetched_by_its_handle_and_converted(converted, recording):
    assert converted.asked == 1
    assert converted.difference <= 1e-4
    network = load_vggish(converted.target)
    assert sum(parameter.numel() for parameter in network.parameters()) == 72_141_184
    patches = log_mel_patches(vggish_hub.read_recording(recording))
    with torch.inference_mode():
        assert network(torch.from_numpy(patches).float()).std(dim=0).mean() > 0.1  # so that equality means something


@pytest.mark.slow
def test_what_is_there_is_used_offline(converted, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(converted.cache))
    assert hub.resolve(converted.handle) == hub.Module(converted.handle, converted.cache / ".cache/tfhub")


def test_variables_are_mapped_by_name_and_turned_to_our_axes(variables, weights):
    renamed = vggish_hub.rename(variables, "vggish")
    assert renamed.keys() == weights.keys()
    assert all(np.array_equal(value, weights[name]) for name, value in renamed.items())


def test_a_missing_and_a_strange_variable_are_named(variables):
    variables["vggish/fc3/weights"] = variables.pop("vggish/fc2/weights")
    with pytest.raises(PlainError, match=r"lack \['vggish/fc2/weights'\] and add \['vggish/fc3/weights'\]"):
        vggish_hub.rename(variables, "vggish")


def test_another_shape_is_named(variables):
    variables["vggish/fc2/weights"] = np.zeros((4096, 64), np.float32)
    with pytest.raises(PlainError, match=r"vggish/fc2/weights: found shape \(4096, 64\)"):
        vggish_hub.rename(variables, "vggish")


def test_a_network_that_says_something_else_is_refused(variables, tmp_path, recording, monkeypatch):
    said = np.zeros((3, 128), np.float32)
    monkeypatch.setattr(vggish_hub, "resolve", lambda handle: handle)
    monkeypatch.setattr(vggish_hub, "run_saved_model", lambda *_: Saved(variables, said))
    with pytest.raises(PlainError, match=r"differs from the SavedModel by .* expected 0.0001 at most"):
        vggish_hub.convert("vggish", tmp_path / "vggish.safetensors", recording=recording)
    assert not (tmp_path / "vggish.safetensors").exists()


def test_the_recording_is_real_and_long_enough_for_three_patches(recording):
    samples = vggish_hub.read_recording(recording)
    assert samples.dtype == np.float32
    assert len(samples) >= 46_320
    assert 0.1 < np.abs(samples).max() < 1
