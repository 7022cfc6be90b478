"""Sentence embeddings. transformers is not installed here: a stand-in with its interface shows what is asked of it."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.lexicon.sentences import embed_names, name_key


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """A transformers whose tokens are letters and whose hidden state of a token is (its code, 1)."""
    asked = SimpleNamespace(texts=[], options=[])

    def tokenizer(text, return_tensors):
        assert return_tensors == "pt"
        asked.texts.append(text)
        return {"input_ids": torch.tensor([[ord(letter) for letter in text]])}

    class Model(torch.nn.Module):
        def forward(self, input_ids):
            state = torch.stack([input_ids.float(), torch.ones_like(input_ids).float()], dim=-1)
            return SimpleNamespace(last_hidden_state=state)

    def loader(made):
        def from_pretrained(path, **options):
            asked.options.append((path, options))
            return made

        return SimpleNamespace(from_pretrained=from_pretrained)

    module = ModuleType("transformers")
    module.AutoTokenizer, module.AutoModel = loader(tokenizer), loader(Model())
    monkeypatch.setitem(sys.modules, "transformers", module)
    return asked


def test_a_name_becomes_the_mean_of_its_tokens(folder, asked):
    vectors = embed_names(folder, ["ab", "hitting/colliding", "playing+music"], 2)
    np.testing.assert_allclose(vectors["name:ab"], [(97 + 98) / 2, 1])
    assert asked.texts == ["ab", "hitting colliding", "playing music"]
    assert vectors.index_to_key == ["name:ab", "name:hitting/colliding", "name:playing+music"]
    assert vectors.vectors.dtype == np.float32


def test_nothing_is_downloaded_and_no_code_or_pickle_is_loaded(folder, asked):
    embed_names(folder, ["ab"], 2)
    assert [path for path, _ in asked.options] == [str(folder)] * 2
    for _, options in asked.options:
        assert options["local_files_only"] is True
        assert options["trust_remote_code"] is False
    assert asked.options[1][1]["use_safetensors"] is True


def test_another_size_is_an_error(folder, asked):
    with pytest.raises(PlainError, match=r"gives 2 dimensions, but words\.size is 768"):
        embed_names(folder, ["ab"], 768)


@pytest.mark.usefixtures("asked")
def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(PlainError, match=r"has no config\.json; name the folder of a transformers model"):
        embed_names(tmp_path, ["ab"], 2)


def test_without_transformers_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)  # makes the import fail, installed or not
    with pytest.raises(PlainError, match=r"needs transformers, which is not installed: make install EXTRAS=sentences$"):
        embed_names(folder, ["ab"], 2)


@pytest.mark.parametrize(
    ("name", "key"), [("playing+music", "name:playing+music"), ("Holding some  food", "name:Holding_some_food")]
)
def test_a_key_holds_no_space(name, key):
    assert name_key(name) == key
