"""VGGish benchmark: log-mel and network on batches of clips, against the SavedModel on one clip at a time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from pipeline.audio.embedders import CLIP_SAMPLES, clip_patches
from pipeline.audio.extraction import Network, embed
from pipeline.audio.logmel import BANDS, PATCH_FRAMES
from pipeline.audio.vggish import seeded_weights
from pipeline.bench.corpus import Corpus, on_cores
from pipeline.bench.measure import by_rate, cores, rates
from pipeline.bench.process import ProcessWork, in_a_process
from pipeline.foundations.media.sound import read_sound
from pipeline.foundations.runtime import files
from pipeline.report.bench_rows import Row, row
from pipeline.weights.saved_model import PROJECT, QUIET

CLIPS = 32
"""A shard of stage extract_vggish."""
SINGLE = 8
"""Clips that the peer takes, one after the other."""
REPEATS = 3


def vggish(corpus: Corpus) -> list[Row]:
    """Embeddings from samples on one core, beside the SavedModel and beside the network on ready batches."""
    sounds = samples_of(corpus)
    ready = np.concatenate([clip_patches(sound) for sound in sounds]).astype(np.float32)
    network = seeded_network(corpus)

    def ours() -> int:
        patches = np.zeros((CLIPS, 3, PATCH_FRAMES, BANDS), np.float32)
        for number, sound in enumerate(sounds):
            patches[number] = clip_patches(sound)
        return len(embed(patches.reshape(-1, PATCH_FRAMES, BANDS), network)) // 3

    def bare() -> int:
        return len(embed(ready, network)) // 3

    with cores(1), saved_model(corpus, network.path, sounds[:SINGLE]) as peer:
        found = rates({"ours": ours, "bare": bare, "peer": peer}, repeats=REPEATS)
    what, device = "log-mel and VGGish from samples, 32 clips of 3 patches a batch", on_cores(1)
    return [
        row(
            "vggish",
            by_rate(found),
            device=device,
            what=what,
            peer="one clip at a time through the SavedModel, TensorFlow",
            unit="clips/s",
            bound="at least",
            target=1.5,
        ),
        row(
            "vggish, of the bare network",
            by_rate(found, theirs="bare"),
            device=device,
            what=what,
            peer="the network alone, on ready batches",
            unit="clips/s",
            bound="at least",
            target=0.9,
        ),
    ]


def samples_of(corpus: Corpus) -> list[np.ndarray]:
    """The first 2.895 s of `CLIPS` sound tracks, each float32; a few clips come again."""
    decoded = [read_sound(clip, corpus.params.media).samples for clip in corpus.sounding]
    return [np.resize(decoded[number % len(decoded)], CLIP_SAMPLES) for number in range(CLIPS)]


def seeded_network(corpus: Corpus) -> Network:
    """VGGish with weights from a seed, on the CPU: as fast as with real ones."""
    path = seeded_weights_file(corpus.folder)
    return Network(path, files.sha256(path), "cpu")


def seeded_weights_file(folder: Path) -> Path:
    """A file of VGGish's weights from a seed."""
    path = folder / "vggish.safetensors"
    save_file(seeded_weights(0), path)
    return path


@contextmanager
def saved_model(corpus: Corpus, weights: Path, sounds: list[np.ndarray]) -> Iterator[ProcessWork]:
    """Save VGGish with these weights as a SavedModel, load it in a process of its own, and have it there."""
    waves, outputs = corpus.folder / "sounds.npy", corpus.folder / "embeddings.npy"
    np.save(waves, np.stack(sounds))
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pipeline.bench.vggish_tf",
        weights,
        corpus.folder / "saved",
        waves,
        outputs,
    ]
    with in_a_process(command, name="vggish", items=len(sounds), cwd=PROJECT, env=os.environ | QUIET) as peer:
        yield peer
