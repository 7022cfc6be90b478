"""The page of `m3a predict --html`: the scores of testing view by view, heat, neighbours, and players that play."""

import numpy as np
import pytest

from pipeline.evaluate.testing import score_video
from pipeline.foundations.media.frames import reader
from pipeline.foundations.tables import tables
from pipeline.model.positions import counted_at
from pipeline.report import predicted
from pipeline.report.run_tables import TABLES
from tests.browser import browsing
from tests.evaluate.miniature import ACTIONS
from tests.report.test_gallery import open_small, write_clip


@pytest.fixture(scope="module")
def recognizer(params, tmp_path_factory):
    return open_small(params, tmp_path_factory, top=4, temporal_views=4, spatial_views=3, batch=5)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "a <clip>.mp4"
    write_clip(path, seed=3)
    return path


@pytest.fixture(scope="module")
def entry(recognizer, params, clip):
    (made,) = predicted.entries([clip], recognizer, params.media, {})
    return made


def test_the_views_combine_to_the_scores_of_testing(recognizer, params, clip, entry):
    seen = reader(recognizer.frames, recognizer.evaluate.short_side)(clip, params.media)
    scores_N = score_video(
        recognizer.network, seen.pixels, counted_at(recognizer.frames, seen.fps), recognizer.evaluate
    )
    order = np.argsort(-scores_N, kind="stable")[:4]
    assert [found.action for found in entry.found] == [recognizer.about.actions[number] for number in order]
    np.testing.assert_allclose([found.score for found in entry.found], scores_N[order], atol=1e-6)
    for found in entry.found:
        assert max(score for look in found.clips for score in look.scores) == pytest.approx(found.score, abs=1e-6)
        assert [len(look.scores) for look in found.clips] == [3] * 4
        starts = [look.start for look in found.clips]
        assert starts == sorted(starts)
        assert found.clips[-1].end <= entry.seconds


def test_the_best_have_their_heat_and_all_their_neighbours(recognizer, params, clip, tmp_path):
    n = len(ACTIONS)
    rows = [(i, j, 4, 2, 0.5 if j == (i + 1) % n else 0.0, j == (i + 1) % n) for i in range(n) for j in range(n)]
    tables.write("adjacency", tmp_path / TABLES["adjacency"][1], tables.from_rows("adjacency", rows))
    write_actions(tmp_path, ACTIONS)
    known = predicted.related(recognizer, tmp_path)
    (made,) = predicted.entries([clip], recognizer, params.media, known)
    assert [bool(found.film) for found in made.found] == [True] * predicted.HEATED + [False]
    for found in made.found:
        number = recognizer.about.actions.index(found.action)
        assert found.neighbours["data"] == [(recognizer.about.actions[(number + 1) % n], 0.5)]
    write_actions(tmp_path, ["another", *ACTIONS[1:]])
    for root in (tmp_path, tmp_path / "nowhere"):  # of other actions, or no run at all
        assert all("data" not in learners for learners in predicted.related(recognizer, root).values())


def write_actions(root, names):
    rows = [(number, name, [name]) for number, name in enumerate(names)]
    tables.write("actions", root / TABLES["actions"][1], tables.from_rows("actions", rows))


def test_a_file_that_is_no_video_has_its_reason(recognizer, params, clip):
    broken = clip.with_name("broken.mp4")
    broken.write_bytes(b"no video")
    first, second = predicted.entries([broken, clip], recognizer, params.media, {})
    assert first.reason
    assert not second.reason
    assert "Cannot be read" in predicted.render([first, second], recognizer)


@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_it_plays_and_nothing_is_fetched(recognizer, entry, tmp_path, width):
    page = tmp_path / "page.html"
    page.write_text(predicted.render([entry], recognizer))
    assert "a &lt;clip&gt;.mp4" in page.read_text()
    with browsing(tmp_path / "profile") as browser:
        browser.open(page, width=width)
        assert (browser.errors, browser.requests) == ([], [page.as_uri()])
        assert browser.sticking_out() == browser.overflowing() == []
        sizes = browser.ask(
            "Promise.all([...document.querySelectorAll('video')].map((v) => new Promise((done, failed) => {"
            " v.addEventListener('canplay', () => done([v.videoWidth, v.duration]), { once: true });"
            " v.addEventListener('error', failed); v.load(); })))"
        )
    assert len(sizes) == 1 + predicted.HEATED
    assert all(width > 0 and 0.9 < seconds < 1.6 for width, seconds in sizes)
