"""Embedding shards of videos: what each video gets, and the same bytes however the work is done."""

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from pipeline.audio.embedders import CLIP_SAMPLES, EMBEDDERS, clip_patches, embedder_of
from pipeline.audio.extraction import Network, digest_of, embed, extract, outcome_of
from pipeline.audio.logmel import log_mel, log_mel_patches
from pipeline.audio.silence import filter_silent
from pipeline.audio.soundnet import NETWORK, SoundNet, load_soundnet
from pipeline.audio.vggish import load_vggish, seeded_weights
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from tests.audio.test_vggish import ROUNDING


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "vggish.safetensors"
    save_file(seeded_weights(7), path)
    return path


@pytest.fixture
def network(weights) -> Network:
    return Network(weights, digest_of(weights), "cpu")


@pytest.fixture
def settings(params):
    return params.vggish.model_copy(update={"short": "pad", "shard_size": 2, "max_failure_rate": 0.0})


def noise(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, count).astype(np.float32)


@pytest.fixture
def sounds(tone) -> dict[str, np.ndarray | None]:
    return {
        "a": tone(300),
        "b": np.zeros(48_000, np.float32),
        "c": noise(48_000),
        "d": None,
        "e": tone(900, seconds=1.5),
        "f": noise(64_000, seed=2),
    }


@pytest.fixture
def verdicts(params, on_one_worker, videos_of, sounds, tmp_path):
    """The folder of six indexed and judged videos, of which a, c, e and f are audible."""
    videos = videos_of(sounds)
    rules = params.filter_silent.model_copy(update={"rule": "loudness"})
    target = tmp_path / "verdicts.parquet"
    filter_silent(videos, target, root=tmp_path, rules=rules, media=params.media, execution=on_one_worker)
    return target


@pytest.fixture
def run(params, settings, on_one_worker, verdicts, weights, tmp_path):
    """Run the extraction with some settings changed; returns its counts and both tables."""

    def call(workers: int = 1, threads: int = 1, **changes):
        target, excluded = tmp_path / "vggish.parquet", tmp_path / "excluded.parquet"
        counts = extract(
            tmp_path / "videos.parquet",
            verdicts,
            weights,
            target,
            excluded,
            root=tmp_path,
            vggish=settings.model_copy(update=changes),
            media=params.media,
            execution=on_one_worker.model_copy(update={"workers": workers, "threads": threads}),
        )
        return counts, tables.read("vggish", target), tables.read("exclusions", excluded)

    return call


def test_a_clip_is_its_first_46320_samples():
    sound = noise(60_000)
    assert np.array_equal(clip_patches(sound), log_mel_patches(sound[:46_320]))
    assert clip_patches(sound).shape == (3, 96, 64)


def test_a_short_clip_is_padded_with_zeros_at_its_end():
    """Within rounding: two sounds of different length are products of different shape.

    A mel value adds up 257 products, none negative, so that any order of them is within 257 x 2^-53 = 3e-14 of the
    sum, and as far off is its logarithm.
    """
    sound = noise(20_000)
    patches = clip_patches(sound).reshape(-1, 64)
    heard = log_mel(sound)
    np.testing.assert_allclose(patches[: len(heard)], heard, rtol=0, atol=1e-12)
    np.testing.assert_allclose(patches[len(heard) + 3 :], np.log(0.01), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("samples", "short", "outcome"),
    [
        (46_320, "drop", "embedded"),
        (46_320, "pad", "embedded"),
        (46_319, "pad", "padded"),
        (46_319, "drop", "dropped"),
        (0, "pad", "padded"),
    ],
)
def test_what_becomes_of_a_clip(samples, short, outcome):
    found, reason = outcome_of(samples, short, EMBEDDERS["vggish"])
    assert found == outcome
    assert bool(reason) == (outcome == "dropped")


def test_a_batch_is_the_network_on_its_patches(network, weights):
    patches = np.stack([log_mel_patches(noise(CLIP_SAMPLES, seed)) for seed in range(2)]).reshape(6, 96, 64)
    batch = patches.astype(np.float32)
    with torch.inference_mode():
        expected = load_vggish(weights)(torch.from_numpy(batch[3:4])).numpy()
    np.testing.assert_allclose(embed(batch, network)[3:4], expected, **ROUNDING)


def test_bfloat16_moves_embeddings_by_its_rounding_alone(network):
    """Six convolutions and three products, each rounded to 8 bits: hundredths of the largest value."""
    patches = clip_patches(noise(CLIP_SAMPLES)).astype(np.float32)
    exact, found = embed(patches, network), embed(patches, network._replace(mixed_precision=True))
    assert found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


def test_every_audible_video_gets_its_own_embedding(run, sounds, network):
    """Whatever stands beside it in the batch, and in whatever place."""
    counts, table, excluded = run()
    assert counts == {"embedded": 3, "padded": 1, "dropped": 0, "failed": 0}
    assert table["video_id"].to_pylist() == ["a", "c", "e", "f"]
    assert excluded.num_rows == 0
    found = tables.vectors(table["embedding"])
    for row, name in enumerate("acef"):
        written = np.round(sounds[name] * 32768).clip(-32768, 32767) / 32768  # as 16-bit PCM holds it
        alone = embed(clip_patches(written).astype(np.float32), network)
        np.testing.assert_allclose(found[row], alone.reshape(-1), **ROUNDING)


@pytest.mark.parametrize("how", [{"workers": 2}, {"threads": 3}, {"workers": 2, "threads": 3}])
def test_the_same_bytes_whatever_the_number_of_workers_and_threads(run, tmp_path, how):
    (tmp_path / "e.avi").write_bytes(b"another file")
    left = ("vggish.parquet", "excluded.parquet")
    counts, first = run(max_failure_rate=0.25)[0], [(tmp_path / name).read_bytes() for name in left]
    assert run(max_failure_rate=0.25, **how)[0] == counts
    assert [(tmp_path / name).read_bytes() for name in left] == first


def test_short_clips_are_dropped_by_name_where_so_asked(run):
    counts, table, excluded = run(short="drop")
    assert counts == {"embedded": 3, "padded": 0, "dropped": 1, "failed": 0}
    assert table["video_id"].to_pylist() == ["a", "c", "f"]
    assert excluded.to_pylist() == [
        {"video_id": "e", "reason": "short: 24,000 of 46,320 samples at 16 kHz; vggish.short is drop"}
    ]


def test_a_video_that_fails_is_excluded_by_name_and_none_takes_its_place(run, tmp_path):
    (tmp_path / "c.avi").write_bytes(b"another file")
    counts, table, excluded = run(max_failure_rate=0.25)
    assert counts == {"embedded": 2, "padded": 1, "dropped": 0, "failed": 1}
    assert table["video_id"].to_pylist() == ["a", "e", "f"]
    (row,) = excluded.to_pylist()
    assert row["video_id"] == "c"
    assert "changed since `index`" in row["reason"]
    assert np.isfinite(tables.vectors(table["embedding"])).all()


def test_too_many_failures_stop_the_stage(run, tmp_path):
    (tmp_path / "c.avi").unlink()
    with pytest.raises(PlainError, match=r"1 of 4 videos failed.*vggish\.max_failure_rate allows 20\.00%.*\n  c: "):
        run(max_failure_rate=0.2)
    assert not (tmp_path / "vggish.parquet").exists()


def test_a_video_dropped_on_purpose_is_not_named_among_those_that_failed(run, tmp_path):
    (tmp_path / "f.avi").unlink()
    with pytest.raises(PlainError, match=r"1 of 4 videos failed.*The first:\n  f: ") as stopped:
        run(max_failure_rate=0.2, short="drop")
    assert "  e: " not in str(stopped.value)


def test_verdicts_of_other_videos_are_refused(run, tmp_path, videos_of, tone):
    videos_of({"z": tone()})
    with pytest.raises(PlainError, match="found other videos"):
        run()


def test_absent_weights_are_a_plain_error(tmp_path):
    with pytest.raises(PlainError, match="run `dvc repro fetch_weights`"):
        digest_of(tmp_path / "none.safetensors")


@pytest.fixture
def soundnet(tmp_path):
    """A file of SoundNet's weights as stage fetch_weights leaves it, random but for its header."""
    torch.manual_seed(0)
    tensors = {name: tensor.numpy() for name, tensor in SoundNet().state_dict().items()}
    save_file(tensors, tmp_path / "soundnet.safetensors", {"network": NETWORK})
    return tmp_path / "soundnet.safetensors"


def test_soundnet_embeds_three_seconds_at_its_own_rate(params, on_one_worker, verdicts, settings, soundnet, tmp_path):
    paths = [tmp_path / name for name in ("videos.parquet", "verdicts.parquet")]
    how = {"root": tmp_path, "media": params.media, "execution": on_one_worker, "vggish": settings}
    counts = extract(*paths, soundnet, tmp_path / "vggish.parquet", tmp_path / "excluded.parquet", **how)
    table = tables.read("vggish", tmp_path / "vggish.parquet")
    assert counts == {"embedded": 3, "padded": 1, "dropped": 0, "failed": 0}
    assert table["video_id"].to_pylist() == ["a", "c", "e", "f"]
    network = load_soundnet(soundnet)
    for name, found in zip("acef", tables.vectors(table["embedding"]), strict=True):
        samples = read_sound(tmp_path / f"{name}.avi", params.media, rate=22_050).samples[:66_150]
        filled = np.pad(samples, (0, 66_150 - len(samples)))
        with torch.inference_mode():
            expected = network.conv7(torch.from_numpy(filled)[None])[0].numpy().mean(axis=1)
        assert found.shape == (1024,)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_weights_of_a_network_that_embeds_no_sound_are_refused(tmp_path):
    save_file({"w": np.zeros(1, np.float32)}, tmp_path / "other.safetensors", {"network": "r3d_tiny"})
    with pytest.raises(PlainError, match="found weights of r3d_tiny, expected one of vggish, soundnet8"):
        embedder_of(tmp_path / "other.safetensors")
