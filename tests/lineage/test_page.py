"""The page of a lineage."""

import re

import pytest

from pipeline.lineage.page import render, write
from pipeline.lineage.trace import chain
from pipeline.lineage.tree import Node
from tests.browser import browsing

RAN = Node("machine", "a <very> fast one")
CODE = Node("code", "1 file", (Node("stages/evaluate.py", "c0de"),))
DEEP = Node("made by", "train", (Node("parameters", "", (Node("train.epochs", "30"),)),))
MADE = Node(
    "made by", "evaluate", (RAN, CODE, Node("inputs", "", (Node("models/m3a", "the trained model, f0", (DEEP,)),)))
)
TREE = Node("map_sample", "a metric: 67.5", (MADE, Node("went into", "no further stage")))
CHAIN = [Node("evaluate", "the metrics (data/metrics.json)", (Node("from", "the trained model (models/m3a)"), RAN))]


def test_it_opens_on_what_is_asked_for_with_its_chain_in_sight_and_hashes_of_modules_folded():
    html = render(TREE, CHAIN)
    assert html.count("<details") == html.count("</details>") == 6
    opened = re.findall(r"<details open><summary><b>(.*?)</b>", html)
    assert opened == ["made by", "inputs"]
    assert html.index("The chain behind it") < html.index("Everything")
    assert "<b>evaluate</b> wrote the metrics (data/metrics.json)" in html
    lines = ("a metric: 67.5", "<b>machine</b>", "<b>models/m3a</b> ", "<b>went into</b> ", "<b>train.epochs</b>")
    assert all(line in html for line in lines)


def test_long_lists_in_the_chain_are_folded():
    long, short = "train.epochs = 30, " * 20, "seed = 7"
    html = render(TREE, [Node("train", "the model", (Node("parameters", long), Node("code", short)))])
    assert html.count("<details><summary>train.epochs = 30") == 1
    assert f"<dt>code</dt><dd>{short}</dd>" in html


def test_it_is_escaped_and_fetches_nothing():
    html = render(TREE, CHAIN)
    assert "a &lt;very&gt; fast one" in html
    assert not re.search(r"""(src|href)=(?!["']?(data:|#))""", html)


def test_the_chain_goes_from_a_file_to_what_came_from_outside(finished):
    links = chain(finished, "data/lexicons/audio.parquet")
    assert [link.label for link in links] == ["build_audio_lexicon", "split_mini", "index"]
    assert links[0].detail == "the audio lexicon (data/lexicons/audio.parquet)"
    facts = {fact.label: fact.detail for fact in links[1].children}
    assert facts["from"] == "the vocabulary of actions (data/index/actions.parquet)"
    assert facts["parameters"] == 'seed = 7, split_mini = {"per_action": 2}'
    assert facts["code"] == "stages/split_mini.py"
    assert facts["made"] == "2026-01-02 03:01:00 UTC in 30.2 s, run c0ffee00"
    assert facts["machine"] == "vm, AMD EPYC, cpu"
    assert facts["revision"] == "c0ffeec0ffee"


def test_a_link_without_a_record_says_so(finished):
    (finished / "data/runs/split_mini.jsonl").unlink()
    facts = {fact.label: fact.detail for fact in chain(finished, "split_mini")[0].children}
    assert facts["made"] == "made elsewhere; record absent"
    assert "machine" not in facts


def test_what_no_stage_wrote_has_no_chain(finished):
    assert chain(finished, "data/raw/annotations") == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "trace.html"
    path.write_text(render(TREE, CHAIN, of="0123456789ab"))
    return path


def _open(browser):
    return browser.ask("[...document.querySelectorAll('details[open] > summary > b')].map((e) => e.textContent)")


def _seen(browser, word):
    shown = f"(e) => e.checkVisibility() && e.textContent === '{word}'"
    return browser.ask(f"[...document.querySelectorAll('#whole b')].some({shown})")


def _search(browser, words):
    browser.ask(f"document.querySelector('#search').value = '{words}'")
    browser.ask("document.querySelector('#search').dispatchEvent(new Event('input'))")


def test_in_a_browser_all_opens_and_closes(browser, file):
    browser.open(file, width=1280)
    assert browser.errors == []
    assert not _seen(browser, "train.epochs")
    browser.ask("document.querySelector('#open').click()")
    assert _seen(browser, "train.epochs")
    assert len(_open(browser)) == 6
    browser.ask("document.querySelector('#close').click()")
    assert _open(browser) == []


def test_in_a_browser_a_search_shows_what_it_finds_and_the_way_there(browser, file):
    browser.open(file, width=1280)
    _search(browser, "Epochs")
    assert _open(browser) == ["made by", "inputs", "models/m3a", "made by", "parameters"]
    assert _seen(browser, "train.epochs")
    assert not _seen(browser, "machine")
    assert browser.ask("document.querySelector('#found').textContent") == "1 found"
    _search(browser, "")
    assert _open(browser) == ["made by", "inputs"]
    assert _seen(browser, "machine")


@pytest.mark.parametrize(("led", "warned"), [("", False), ("#0123456789ab", False), ("#ba9876543210", True)])
def test_in_a_browser_the_report_of_another_run_is_warned_of(browser, file, led, warned):
    browser.open(file, width=1280, fragment=led)
    assert browser.ask("!document.querySelector('#other').hidden") is warned


def test_on_a_phone_nothing_sticks_out(browser, file):
    browser.open(file, width=390)
    assert browser.ask("document.documentElement.scrollWidth") == 390


def test_the_command_writes_it_for_a_file(finished, tmp_path):
    write(finished, "data/splits/train.parquet", tmp_path / "trace.html")
    html = (tmp_path / "trace.html").read_text()
    assert "<h1>data/splits/train.parquet</h1>" in html
    assert '<p class="lede">the training videos that were drawn</p>' in html
    assert 'data-of=""' in html
