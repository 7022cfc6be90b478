"""Pretrained weights as local files with their hashes: models/pretrained.

vggish.safetensors    TensorFlow Hub's, converted; or untrained, from the seed; or SoundNet's in its place
words.bin             vectors of words, or of whole names; word2vec's binary format
backbone.safetensors  where backbone.weights names one
weights.json          of each: file, source, SHA-256, bytes, whether it was trained, a note
"""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from safetensors.numpy import save

from pipeline.audio.soundnet import NETWORK, load_soundnet
from pipeline.audio.vggish import seeded_weights
from pipeline.foundations.params import Backbone, Vggish, Words
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say
from pipeline.lexicon import sentences, text
from pipeline.lexicon import words as word_files
from pipeline.model.weights import convert, read_origin
from pipeline.weights import downloads, gensim_data, vggish_hub

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")
"""Names of torch.hub's published files contain the first digits of their SHA-256."""

NAMED = 5
"""Actions that a warning names."""


class Weight(NamedTuple):
    """One file, as weights.json records it."""

    file: str
    source: str
    sha256: str
    bytes: int
    trained: bool
    note: str


def fetch(
    folder: Path,
    *,
    seed: int,
    vggish: Vggish,
    words: Words,
    backbone: Backbone,
    actions: Mapping[str, Sequence[str]],
    recording: Path,
) -> dict[str, Weight]:
    """Fetch all weights to `folder`, completely or not at all; by name: vggish, words and, if set, backbone.

    Args:
        folder: replaced where it exists.
        seed: of untrained weights.
        vggish: which weights of the audio network.
        words: which vectors for the text lexicon.
        backbone: which weights the 3D-CNN starts from.
        actions: the vocabulary: the words of each name. Whole names are embedded where `words.source` is `sentences`.
        recording: sound that a converted VGGish is compared on.

    Raises:
        PlainError: a file cannot be had, or is not what it should be.
    """
    with files.atomic_write(folder) as draft:
        draft.mkdir()
        weights = {
            "vggish": _vggish(draft / "vggish.safetensors", vggish, seed, recording),
            "words": _words(draft / "words.bin", words, actions),
        }
        if backbone.weights is not None:
            weights["backbone"] = _backbone(draft / "backbone.safetensors", backbone.name, backbone.weights)
        record = {name: weight._asdict() for name, weight in weights.items()}
        files.write_text(draft / "weights.json", json.dumps(record, indent=2, sort_keys=True) + "\n")
    return weights


def summary(weights: Mapping[str, Weight]) -> str:
    """One line: each file, its size, and which of them are untrained."""
    parts = [f"{weight.file} ({weight.bytes / 1e6:,.1f} MB, {weight.note})" for weight in weights.values()]
    return "; ".join(parts)


def _vggish(path: Path, vggish: Vggish, seed: int, recording: Path) -> Weight:
    if vggish.source == "none":
        path.write_bytes(save({}, {"trained": "imported"}))
        return _weight(path, "none", trained=True, note="no network: embeddings are imported")
    if vggish.source == "soundnet":
        tensors = {name: tensor.numpy() for name, tensor in load_soundnet(Path(vggish.handle)).state_dict().items()}
        path.write_bytes(save(tensors, {"trained": "yes", "network": NETWORK}))
        return _weight(path, vggish.handle, trained=True, note="SoundNet-8 up to conv7, in VGGish's place")
    if vggish.source == "seeded":
        path.write_bytes(save(seeded_weights(seed), {"trained": "no"}))  # not save_file, whose full disk is no OSError
        note = "UNTRAINED, random weights that mean nothing; vggish.source: hub brings the real ones"
        return _weight(path, f"seed {seed}", trained=False, note=note)
    difference = vggish_hub.convert(vggish.handle, path, recording=recording)
    note = f"within {difference:.1e} of the SavedModel on {recording.name}"
    return _weight(path, vggish.handle, trained=True, note=note)


def _words(path: Path, words: Words, actions: Mapping[str, Sequence[str]]) -> Weight:
    vectors, source = VECTORS[words.source](words, list(actions))
    if bare := text.lacking(actions, vectors):
        say(
            f"fetch_weights: warning: {words.name} has no vector for any word of {len(bare):,} of {len(actions):,} "
            f"actions, such as {', '.join(bare[:NAMED])}: their text nodes start from zeros; name others in words.name"
        )
    word_files.save(vectors, path)
    return _weight(path, source, trained=True, note=f"{len(vectors):,} vectors of {words.size}")


def _of_file(words: Words, actions: Sequence[str]) -> "tuple[KeyedVectors, str]":
    return word_files.load(Path(words.name), words.size), words.name


def _of_gensim(words: Words, actions: Sequence[str]) -> "tuple[KeyedVectors, str]":
    download = gensim_data.fetch_vectors(words.name)
    return word_files.load(download.path, words.size), download.source


def _of_sentences(words: Words, actions: Sequence[str]) -> "tuple[KeyedVectors, str]":
    return sentences.embed_names(words, actions), words.name


VECTORS: Mapping[str, Callable[[Words, Sequence[str]], "tuple[KeyedVectors, str]"]] = {
    "file": _of_file,
    "gensim": _of_gensim,
    "sentences": _of_sentences,
}
"""The loader of each `words.source`; returns vectors and their source."""


def _backbone(path: Path, name: str, weights: str) -> Weight:
    """Converted weights, or a published checkpoint, which is converted; a local file or an https address."""
    source, local = weights, Path(weights)
    if "://" in weights:
        published = _HASH_IN_NAME.search(weights.partition("#")[0])
        download = downloads.fetch(weights, label="backbone", pin=published and f"sha256={published[1]}")
        source, local = download.source, download.path
    if local.suffix == ".safetensors":
        origin = read_origin(local)
        shutil.copyfile(local, path)
    else:
        origin = convert(local, path).origin
    if origin.backbone != name:
        raise PlainError(f"backbone.weights: {weights} has weights of {origin.backbone}, but backbone.name is {name}")
    return _weight(path, source, trained=True, note=f"{origin.backbone}, {origin.source} of {origin.publisher}")


def _weight(path: Path, source: str, *, trained: bool, note: str) -> Weight:
    return Weight(path.name, source, files.sha256(path), path.stat().st_size, trained, note)
