from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.train.assemble import Forms, assemble, read_graph


def redesigned(design, **sections):
    updates = {name: getattr(design, name).model_copy(update=values) for name, values in sections.items()}
    return replace(design, **updates)


def test_the_graph_is_equation_1s(miniature, design):
    """Three actions, one edge 0 -> 2: A~ = A + I has row sums 2, 1, 1."""
    half, root = 0.5, 0.5**0.5
    expected = torch.tensor([[half, 0.0, root], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(read_graph(miniature.inputs.adjacency, 3, design, seed=0), expected)


def test_a_graph_of_another_vocabulary_is_refused(miniature, design):
    with pytest.raises(PlainError, match=r"has 9 pairs, not 4 x 4: run `dvc repro build_adjacency`"):
        read_graph(miniature.inputs.adjacency, 4, design, seed=0)


def test_a_text_lexicon_of_another_vocabulary_is_refused(miniature, design):
    with pytest.raises(
        PlainError, match=r"has 3 actions, but the vocabulary has 4: run `dvc repro build_text_lexicon`"
    ):
        Forms(miniature.inputs, design, actions=4, seed=0)


@pytest.mark.parametrize("bare", [(1,), (0, 1, 2)])
def test_actions_without_a_word_vector_are_zeros_and_all_of_them_refused(miniature, design, tmp_path, capsys, bare):
    table = tables.read("text", miniature.inputs.text).to_pylist()
    for row in bare:
        table[row]["form"] = [0.0] * 5
    tables.write("text", tmp_path / "text.parquet", tables.from_rows("text", [tuple(row.values()) for row in table]))
    inputs = replace(miniature.inputs, text=tmp_path / "text.parquet")
    if len(bare) == 3:
        with pytest.raises(PlainError, match=r"none of 3 actions has a word with a vector: .*; name vectors that know"):
            Forms(inputs, design, actions=3, seed=0)
    else:
        assert not Forms(inputs, design, actions=3, seed=0).text[1].any()
        assert "1 of 3 actions have no word with a vector; their nodes start from zeros" in capsys.readouterr().err
    assert Forms(inputs, redesigned(design, model={"heads": ("visual",)}), actions=3, seed=0).text is None


def test_an_empty_audio_lexicon_is_refused_where_a_head_hears(miniature, design, tmp_path):
    tables.write("audio", tmp_path / "audio.parquet", tables.empty("audio"))
    inputs = replace(miniature.inputs, audio=tmp_path / "audio.parquet")
    with pytest.raises(PlainError, match="no action has a sound, since no training video is audible"):
        assemble(inputs, design, seed=0)
    assemble(inputs, redesigned(design, model={"heads": ("visual", "text")}), seed=0)


def test_forms_are_the_lexicons(miniature, design):
    forms = Forms(miniature.inputs, design, actions=3, seed=0)
    text = tables.vectors(tables.read("text", miniature.inputs.text)["form"])
    assert np.array_equal(forms.text.numpy(), text)
    audio = tables.vectors(tables.read("audio", miniature.inputs.audio)["form"])
    for action, form in enumerate(forms.audio(0).numpy()):
        assert any(np.array_equal(form, own) for own in audio[4 * action : 4 * action + 4])


def test_forms_vary_only_where_they_are_drawn_again(miniature, design):
    fixed = Forms(miniature.inputs, design, actions=3, seed=0)
    assert not fixed.vary
    again = Forms(miniature.inputs, redesigned(design, lexicon={"draw": "resample"}), actions=3, seed=0)
    assert again.vary
    assert any(not torch.equal(again.audio(0), again.audio(epoch)) for epoch in range(1, 5))


def test_a_lexicon_that_no_learner_uses_is_not_opened(miniature, design, tmp_path):
    inputs = replace(miniature.inputs, audio=tmp_path / "no", text=tmp_path / "no")
    model, _, description = assemble(inputs, redesigned(design, model={"heads": ("visual",)}), seed=0)
    assert (description.audio_size, description.text_size) == (None, None)
    assert model(torch.zeros(2, 3, 2, 16, 16)).shape == (2, 3)


def test_weights_come_from_the_seed_alone(miniature, design):
    torch.manual_seed(99)
    first, _, _ = assemble(miniature.inputs, design, seed=1)
    torch.manual_seed(7)
    again, _, _ = assemble(miniature.inputs, design, seed=1)
    other, _, _ = assemble(miniature.inputs, design, seed=2)
    states = [model.state_dict() for model in (first, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["backbone.stem.conv.weight"], states[2]["backbone.stem.conv.weight"])
