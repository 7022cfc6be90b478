import numpy as np
import pytest

from pipeline.train.controls import controlled_edges, controlled_forms, derangement, rewired
from tests.train.test_assemble import redesigned


@pytest.fixture
def controlled(design):
    def of(control):
        return redesigned(design, model={"control": control}).model

    return of


@pytest.mark.parametrize("count", [2, 3, 24, 313])
def test_in_a_mix_up_every_action_gets_anothers_form_and_none_is_lost(count):
    order = derangement(count, seed=5)
    assert sorted(order) == list(range(count))
    assert (order != np.arange(count)).all()


def test_audio_and_text_are_mixed_up_alike(controlled):
    """Else two controls would be one: forms of the wrong action, and learners that disagree about which."""
    forms = np.arange(12.0).reshape(6, 2)
    audio, text = (controlled_forms(forms, controlled("shuffled_forms"), 3, name) for name in ("audio", "text"))
    assert np.array_equal(audio, text)
    assert not np.array_equal(audio, controlled_forms(forms, controlled("shuffled_forms"), 4, "audio"))


def test_random_forms_have_the_forms_own_mean_and_deviation(controlled):
    forms = np.random.default_rng(0).normal([3.0, -1.0], [0.5, 4.0], (4000, 2)).astype(np.float32)
    random = controlled_forms(forms, controlled("random_forms"), 1, "audio")
    assert random.dtype == np.float32
    assert np.allclose(random.mean(axis=0), forms.mean(axis=0), atol=0.2)
    assert np.allclose(random.std(axis=0), forms.std(axis=0), rtol=0.05)
    assert abs(np.corrcoef(random[:, 0], forms[:, 0])[0, 1]) < 0.06
    assert not np.array_equal(random, controlled_forms(forms, controlled("random_forms"), 1, "text"))


@pytest.mark.parametrize("control", ["none", "no_edges", "rewired", "free_matrix"])
def test_other_controls_leave_the_forms_alone(controlled, control):
    forms = np.eye(4)
    assert controlled_forms(forms, controlled(control), 1, "audio") is forms


def test_a_rewired_graph_keeps_every_degree_and_little_else(controlled):
    edges = np.random.default_rng(0).random((30, 30)) < 0.15
    np.fill_diagonal(edges, val=False)
    other = controlled_edges(edges, controlled("rewired"), 1)
    assert np.array_equal(other.sum(axis=0), edges.sum(axis=0))
    assert np.array_equal(other.sum(axis=1), edges.sum(axis=1))
    assert not other.diagonal().any()
    assert (other & edges).sum() < 0.4 * edges.sum()  # by chance some 15% stay
    assert np.array_equal(other, rewired(edges, 1))
    assert not np.array_equal(other, rewired(edges, 2))


def test_a_graph_without_another_of_its_degrees_stays(controlled):
    star = np.zeros((5, 5), dtype=bool)
    star[0, 1:] = True
    assert np.array_equal(rewired(star, 1), star)
    assert np.array_equal(rewired(np.zeros((5, 5), dtype=bool), 1), np.zeros((5, 5), dtype=bool))


def test_without_edges_no_action_hears_of_another(controlled):
    edges = ~np.eye(3, dtype=bool)
    assert not controlled_edges(edges, controlled("no_edges"), 1).any()
    assert controlled_edges(edges, controlled("none"), 1) is edges
