"""Pretrained weights: what lies in models/pretrained, and what its record says of it."""

import gzip
import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from pipeline.audio.embedders import EMBEDDERS, embedder_of
from pipeline.audio.soundnet import SoundNet
from pipeline.audio.vggish import load_vggish
from pipeline.foundations.params import Backbone, Vggish, Words
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.files import sha256
from pipeline.lexicon import words
from pipeline.weights import gensim_data, pretrained
from pipeline.weights.downloads import http

SEEDED = Vggish(source="seeded", handle="", short="pad", mixed_precision=False, max_failure_rate=0.0, shard_size=1)


@pytest.fixture
def weights_of(root, tmp_path, monkeypatch):
    """`fetch` into a folder of this test, on the bundled vectors and a seeded VGGish, but for what a test changes."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(http, "PAUSES", ())

    def fetch(**changes):
        sections = {
            "vggish": SEEDED,
            "words": Words(
                source="file",
                name=str(root / "data/external/glove.6B.100d.mmit.txt"),
                size=100,
                prompts=(),
                pooling="mean",
            ),
            "backbone": Backbone(name="r2plus1d_34", weights=None, pooling="global"),
        } | changes
        recording = root / "data/external/speech_16khz.wav"
        folder = tmp_path / "pretrained"
        return pretrained.fetch(folder, seed=7, actions={"singing": ["singing"]}, recording=recording, **sections)

    return fetch


@pytest.fixture
def _small(monkeypatch):
    """A VGGish of one number, where a test is about other files."""
    monkeypatch.setattr(pretrained, "seeded_weights", lambda seed: {"w": np.full(1, seed, np.float32)})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "pretrained"


def backbone(weights: str, name: str = "r2plus1d_34") -> Backbone:
    return Backbone(name=name, weights=weights, pooling="global")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_soundnet_takes_vggishs_place_and_says_what_it_is(weights_of, folder, tmp_path):
    save_file({name: tensor.numpy() for name, tensor in SoundNet().state_dict().items()}, tmp_path / "soundnet")
    settings = SEEDED.model_copy(update={"source": "soundnet", "handle": str(tmp_path / "soundnet")})
    weight = weights_of(vggish=settings)["vggish"]
    assert (weight.trained, weight.source) == (True, str(tmp_path / "soundnet"))
    assert embedder_of(folder / "vggish.safetensors") is EMBEDDERS["soundnet8"]
    with pytest.raises(PlainError, match=r"absent: not SoundNet's converted weights: .*m3a convert-weights soundnet"):
        weights_of(vggish=settings.model_copy(update={"handle": str(tmp_path / "absent")}))


@pytest.mark.usefixtures("_small")
def test_actions_without_a_word_vector_are_said_when_the_vectors_come(weights_of, tmp_path, capfd):
    (tmp_path / "words.txt").write_text("dancing 1 2\n")
    weights_of(words=Words(source="file", name=str(tmp_path / "words.txt"), size=2, prompts=(), pooling="mean"))
    assert "has no vector for any word of 1 of 1 actions, such as singing: their text nodes" in capfd.readouterr().err


def test_the_sample_gets_untrained_vggish_and_real_word_vectors(weights_of, folder):
    weights = weights_of()
    assert names(folder) == ["vggish.safetensors", "weights.json", "words.bin"]
    parameters = load_vggish(folder / "vggish.safetensors").parameters()
    assert sum(parameter.numel() for parameter in parameters) == 72_141_184
    assert words.load(folder / "words.bin", 100)["singing"].shape == (100,)
    record = json.loads((folder / "weights.json").read_text())
    assert record == {name: weight._asdict() for name, weight in weights.items()}
    assert (record["vggish"]["trained"], record["words"]["trained"]) == (False, True)
    assert record["vggish"]["source"] == "seed 7"
    for weight in record.values():
        path = folder / weight["file"]
        assert (weight["sha256"], weight["bytes"]) == (sha256(path), path.stat().st_size)
    assert "UNTRAINED" in pretrained.summary(weights)


@pytest.mark.usefixtures("_small")
def test_the_same_parameters_give_the_same_bytes(weights_of, folder):
    before = {name: (weights_of(), (folder / name).read_bytes())[1] for name in ("words.bin", "weights.json")}
    weights_of()
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.usefixtures("_small")
def test_a_failure_leaves_what_was_there(weights_of, folder):
    weights_of()
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(PlainError, match=r"absent\.txt: cannot be read"):
        weights_of(words=Words(source="file", name="absent.txt", size=100, prompts=(), pooling="mean"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    assert names(folder.parent) == ["pretrained"]


@pytest.mark.usefixtures("_small")
def test_published_vectors_come_by_name_once_and_then_offline(weights_of, folder, loopback, monkeypatch):
    data = gzip.compress(b"2 3\nsinging 1 2 3\ndancing 4 5 6\n")
    monkeypatch.setattr(gensim_data, "RELEASES", loopback.url)
    monkeypatch.setitem(gensim_data.PINS, "glove-wiki-gigaword-300", "md5=" + hashlib.md5(data).hexdigest())
    loopback.put("/glove-wiki-gigaword-300/glove-wiki-gigaword-300.gz", data)
    source = Words(source="gensim", name="glove-wiki-gigaword-300", size=3, prompts=(), pooling="mean")
    first = weights_of(words=source)
    loopback.resources.clear()
    assert weights_of(words=source) == first
    assert first["words"].source == f"{loopback.url}/glove-wiki-gigaword-300/glove-wiki-gigaword-300.gz"
    np.testing.assert_array_equal(words.load(folder / "words.bin", 3)["dancing"], [4, 5, 6])


def converted(path, name: str = "r2plus1d_34"):
    """A file with the header that m3a convert-weights writes."""
    header = {"source": "published.pth", "sha256": "0" * 64, "publisher": "ig65m-pytorch", "backbone": name,
              "batch_norm_eps": "0.001", "batch_norm_momentum": "0.9", "parameters": "{}"}  # fmt: skip
    save_file({"backbone.stem": np.ones(3, np.float32)}, path, header)
    return path


@pytest.mark.usefixtures("_small")
def test_converted_weights_are_taken_as_they_are(weights_of, folder, tmp_path):
    source = converted(tmp_path / "converted.safetensors")
    weights = weights_of(backbone=backbone(str(source)))
    assert (folder / "backbone.safetensors").read_bytes() == source.read_bytes()
    assert weights["backbone"].note == "r2plus1d_34, published.pth of ig65m-pytorch"


@pytest.mark.usefixtures("_small")
def test_weights_of_another_backbone_are_refused(weights_of, folder, tmp_path):
    source = converted(tmp_path / "converted.safetensors", name="r3d_18")
    with pytest.raises(PlainError, match=r"has weights of r3d_18, but backbone\.name is r2plus1d_34"):
        weights_of(backbone=backbone(str(source)))
    assert not folder.exists()


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("name", ["absent.safetensors", "absent.pth"])
def test_an_absent_backbone_is_named(weights_of, tmp_path, name):
    with pytest.raises(PlainError, match=name):
        weights_of(backbone=backbone(str(tmp_path / name)))


@pytest.fixture
def published(root, tmp_path):
    """A checkpoint with ig65m-pytorch's names and shapes; every tensor one number, repeated, so that it is small."""
    listed = json.loads((root / "tests/data/checkpoints/ig65m_torch_hub.json").read_text())["r2plus1d_34_kinetics"][
        "tensors"
    ]
    state = {name: torch.tensor(0.5).expand(shape) for name, shape in listed.items()}
    torch.save(state, tmp_path / "checkpoint.pth")
    return (tmp_path / "checkpoint.pth").read_bytes()


@pytest.mark.usefixtures("_small")
def test_a_published_checkpoint_is_fetched_checked_by_its_name_and_converted(weights_of, folder, loopback, published):
    digest = hashlib.sha256(published).hexdigest()
    url = loopback.put(f"/v1.0.0/r2plus1d_34_clip8_ft_kinetics_from_ig65m-{digest[:8]}.pth", published)
    weights = weights_of(backbone=backbone(url))
    assert weights["backbone"].source == url
    tensors = load_file(folder / "backbone.safetensors")
    assert sum(tensor.size for name, tensor in tensors.items() if name.startswith("backbone.")) > 63_000_000


@pytest.mark.usefixtures("_small")
def test_a_checkpoint_that_is_not_what_its_name_says_is_refused(weights_of, folder, loopback, published):
    url = loopback.put("/v1.0.0/r2plus1d_34_clip8_ft_kinetics_from_ig65m-0aa0550b.pth", published)
    with pytest.raises(PlainError, match=r"wrong sha256: found .*, expected 0aa0550b"):
        weights_of(backbone=backbone(url))
    assert not folder.exists()
