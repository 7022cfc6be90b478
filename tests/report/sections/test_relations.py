"""The graph and the lexicons, from tables to pictures."""

import numpy as np

from pipeline.report.sections import relations


def test_the_graph_names_those_without_an_edge(run_tables):
    graph = relations.graph(run_tables)
    assert graph.alone == ["hitting/colliding"]
    assert "4 edges between 6 actions" in graph.heat
    assert "hitting/colliding</text>" not in graph.network
    assert "playing+music</text>" in graph.network


def test_the_lexicons_say_how_many_forms_and_which_words_are_missing(run_tables):
    found = relations.lexicons(run_tables)
    assert (found.audio_forms, found.text_forms, found.missing) == ("7", "6", ["colliding"])
    assert all(svg.startswith("<svg") for svg in (found.plane, found.text_heat, found.audio_heat))


def test_mean_forms_are_the_means_of_each_actions_forms(run_tables):
    means = relations.mean_forms(run_tables)
    forms = np.array(run_tables.audio["form"].to_pylist())
    np.testing.assert_allclose(means[0], (forms[0] + forms[1]) / 2)  # t0 and t1: rows are sorted by action
    assert np.isnan(means[2]).all()
