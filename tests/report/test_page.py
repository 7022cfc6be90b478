"""The whole page: valid, self-contained, the same bytes each time, and true to the run."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset.sample.looks import looks
from pipeline.dataset.sample.sounds import voices
from pipeline.foundations.params import load_params
from pipeline.report import page
from pipeline.report.run_tables import TABLES

VOID = {"meta", "link", "br", "img", "input", "hr", "line", "circle", "rect", "path", "use", "image"}


class Reader(HTMLParser):
    """Collects what a test asks about, and fails where elements are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href") and value]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def html(finished: Path) -> str:
    return page.build(finished, load_params(finished / "params.yaml"))


@pytest.fixture(scope="module")
def values(finished: Path) -> dict[str, Any]:
    """The parameters, by section."""
    return load_params(finished / "params.yaml").model_dump(mode="json")


@pytest.fixture(scope="module")
def reader(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def words(reader: Reader) -> str:
    return " ".join(" ".join(reader.text).split())


def test_elements_are_closed_in_order(reader):
    assert reader.open == []


def test_no_id_is_used_twice(reader):
    assert len(reader.ids) == len(set(reader.ids))


def test_links_within_the_page_lead_somewhere(reader):
    inner = {link[1:] for link in reader.links if link.startswith("#")}
    assert inner
    assert inner <= set(reader.ids)
    assert {
        "result",
        "actions",
        "sight",
        "learnt",
        "pipeline",
        "data",
        "training",
        "graph",
        "lexicons",
        "model",
    } <= inner


def test_nothing_is_fetched_from_anywhere(html, reader):
    beside = [link for link in reader.links if not link.startswith(("#", "data:"))]
    lineage, records = sorted(set(beside), reverse=True)
    assert re.fullmatch(r"trace\.html#[0-9a-f]{12}", lineage), "the lineage, which is opened by a click"
    assert records == "../runs/", "likewise"
    assert not re.search(r"@import|url\((?!#)", html)
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", html)


def test_every_marker_and_clip_that_is_used_is_on_the_page(html, reader):
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(reader.ids)


def test_the_same_run_gives_the_same_bytes(html, finished):
    assert page.build(finished, load_params(finished / "params.yaml")) == html


def test_no_stand_in_colour_is_left(html):
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]\b", html)


def test_untrained_weights_are_said_plainly(run_tables, stages, values, html):
    assert "Untrained weights." in html
    trained = {name: {**weight, "trained": True} for name, weight in run_tables.weights.items()}
    real = page.render(
        _with(run_tables, weights=trained), stages, values | {"dataset": values["dataset"] | {"source": "mmit"}}
    )
    assert "ntrained" not in real


def test_a_model_that_hears_its_videos_is_said_to(run_tables, stages, values, html):
    assert "late fusion" not in html
    learners = {"heads": ["fc"], "relation": "gcn", "control": "none", "late_fusion": True}
    heard = page.render(_with(run_tables, model=run_tables.model | {"design": {"model": learners}}), stages, values)
    assert "this model's\n  late fusion rests on them" in heard
    assert "the video's own sound adds (late fusion), of which no heat is shown" in heard
    assert "<p>fc + late fusion; of" in heard


def test_free_matrices_rest_on_no_form_and_have_no_layers(run_tables, stages, values):
    learners = {"heads": ["audio"], "relation": "gcn", "control": "free_matrix", "late_fusion": False}
    none = {name: getattr(run_tables, name).slice(0, 0) for name in ("embedding", "clustering")}
    free = page.render(
        _with(run_tables, model=run_tables.model | {"design": {"model": learners}}, **none), stages, values
    )
    assert "rests on them" not in free
    assert "<p>This model has no GCN over a lexicon, so there are no layers to show.</p>" in free
    assert "<p>audio (control: free_matrix); of" in free


def test_what_the_data_say_is_escaped(html):
    assert "cut &lt;off&gt;" in html
    assert "cut <off>" not in html


def test_the_actions_stand_in_the_data_sets_own_words(words):
    assert all(name in words for name in ("hitting/colliding", "playing+music"))


def test_every_file_that_was_read_is_named(words):
    assert all(path in words for _, path in TABLES.values())


@pytest.mark.parametrize("run", ["finished", "beside_baseline"])
def test_every_picture_has_a_caption_that_names_a_file(run, request):
    root = request.getfixturevalue(run)
    html = page.build(root, load_params(root / "params.yaml"))
    outside = re.sub(r"<figure.*?</figure>", "", html, flags=re.DOTALL)
    assert "<img" not in outside
    assert 'role="img"' not in outside
    figures = re.findall(r"<figure.*?</figure>", html, flags=re.DOTALL)
    assert len(figures) > 10
    assert [figure for figure in figures if not re.search(r"<figcaption>.*<code>\S+</code>", figure, re.DOTALL)] == []


def test_beside_a_baseline_the_page_holds_both(beside_baseline):
    html = page.build(beside_baseline, load_params(beside_baseline / "params.yaml"))
    assert "Absent: no baseline" not in html
    assert "the videos that gain most over the baseline" in html
    assert "under the baseline's heat of singing, moving" in html
    assert html.count('aria-label="Boosts of each action"') == 1
    assert "baseline, layer4" in html


def test_every_stage_is_in_the_drawing_and_in_the_counts(html, words, stages):
    for stage in stages:
        assert f"{stage.name}</text>" in html
        assert f"<code>{stage.name}</code>" in html
        assert stage.desc in words


def test_exclusions_beyond_the_first_are_counted_not_shown(run_tables, stages, values, monkeypatch):
    monkeypatch.setattr(page, "EXCLUSIONS_SHOWN", 2)
    html = page.render(run_tables, stages, values)
    assert "The first 2 of 5." in html
    assert "cut &lt;off&gt;</td>" not in html


def test_a_run_without_any_loss_says_so(run_tables, stages, values):
    none = {name: getattr(run_tables, name).slice(0, 0) for name in ("missing", "unembedded", "uncopied", "unscored")}
    import pyarrow.compute as pc

    good = run_tables.verdicts.filter(pc.not_equal(run_tables.verdicts["verdict"], "undecodable"))
    html = page.render(_with(run_tables, verdicts=good, **none), stages, values)
    assert "<p>No video.</p>" in html


def _with(run_tables, **changes):
    return type(run_tables)(**(vars(run_tables) | changes))


def test_what_is_said_of_the_samples_actions_is_so(words, run_tables, stages, values):
    look, voice = looks(values["render"]["seed"])["raining"], voices(values["render"]["seed"])["raining"]
    assert (look.shape, look.motion, voice.timbre) == ("square", "swell", "organ")
    assert "raining , for one, is no rain but a square that swells to an organ's tone" in words
    real = page.render(run_tables, stages, values | {"dataset": values["dataset"] | {"source": "mmit"}})
    assert "organ" not in real
