"""The page in a real browser, on a desk and on a phone, in light and in dark."""

import csv
import re
import shutil

import numpy as np
import pytest

from pipeline.dataset.sample.write import write_video
from pipeline.foundations.params import load_params
from pipeline.lineage.page import render
from pipeline.lineage.tree import Node
from pipeline.report import page
from tests.browser import LARGEST, browsing

DESK, PHONE = 1280, 390
WINDOWS = [(DESK, False), (DESK, True), (PHONE, False), (PHONE, True)]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def file(beside_baseline, tmp_path_factory):
    made = tmp_path_factory.mktemp("page") / "index.html"
    made.write_text(page.build(beside_baseline, load_params(beside_baseline / "params.yaml")), encoding="utf-8")
    return made


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_it_opens_without_an_error_and_without_asking_for_anything(browser, file, width, dark):
    browser.open(file, width=width, dark=dark)
    assert browser.errors == []
    assert browser.requests == [file.as_uri()]
    assert file.stat().st_size < LARGEST


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_sticks_out_sideways(browser, file, width):
    browser.open(file, width=width)
    assert browser.ask("innerWidth") == width
    assert browser.ask("document.documentElement.scrollWidth") == width
    assert browser.sticking_out() == []


@pytest.mark.parametrize("width", [DESK, 700, PHONE])
def test_what_is_wider_than_its_place_scrolls_and_says_so(browser, file, width):
    browser.open(file, width=width)
    assert browser.overflowing() == []
    browser.ask("document.querySelectorAll('details').forEach((e) => { e.open = true; })")
    assert browser.overflowing() == []


def test_at_the_end_of_its_way_a_table_fades_at_the_other_side(browser, file):
    browser.open(file, width=PHONE)
    table = "document.querySelector('[aria-label=\"Metrics\"]')"
    sides = f"[{table}.hasAttribute('data-left'), {table}.hasAttribute('data-right')]"
    assert browser.ask(sides) == [False, True]
    moved = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    browser.ask(f"{table}.scrollLeft = 1e6, {moved}")
    assert browser.ask(sides) == [True, False]


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_every_table_shows_more_than_its_first_column(browser, file, width):
    browser.open(file, width=width)
    seconds = browser.ask(
        "[...document.querySelectorAll('.scroll > table')].map((t) => [t.parentElement.ariaLabel,"
        " t.rows[0].cells[1].getBoundingClientRect().right - t.parentElement.getBoundingClientRect().right])"
    )
    assert len(seconds) > 8
    assert "Speed on 2 cores" in [name for name, _ in seconds]
    assert [name for name, beyond in seconds if beyond > 0 and name != "Metrics"] == []


def test_names_stay_in_the_frame_of_their_drawing(browser, file):
    browser.open(file, width=DESK)
    out = """[...document.querySelectorAll('#learnt figure svg')].flatMap((svg) => {
      const frame = svg.querySelector('[id$=patch_2]').getBoundingClientRect();
      return [...svg.querySelectorAll('text')].map((e) => [e.textContent, e.getBoundingClientRect()])
        .filter(([_, box]) => box.left < frame.left || box.right > frame.right).map(([name]) => name); })"""
    assert browser.ask("document.querySelectorAll('#learnt figure svg text').length") > 0
    assert browser.ask(out) == []


def test_a_table_is_saved_as_csv_from_the_page_alone(browser, file, tmp_path):
    browser.open(file, width=DESK)
    saved = browser.saved(tmp_path, "document.querySelector('[aria-label=\"Save as CSV: Metrics\"]').click()")
    assert saved.name == "metrics.csv"
    rows = list(csv.reader(saved.read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0][:3] == ["percent", "map_sample", "map_sample, beside it"]
    assert rows[1][0] == "this model"
    shown = browser.ask("document.querySelector('.metric .value').textContent")
    assert rows[1][1] == shown
    assert re.fullmatch(r"[\d.]+ to [\d.]+", rows[1][2])
    assert {len(row) for row in rows} == {len(rows[0])}
    assert browser.errors == []


def test_every_table_has_its_csv(browser, file):
    browser.open(file, width=DESK)
    tables, buttons = browser.ask("['.scroll > table', 'button.csv'].map((e) => document.querySelectorAll(e).length)")
    assert tables == buttons == browser.ask("document.querySelectorAll('table').length")


def test_all_pictures_load(browser, file):
    browser.open(file, width=DESK)
    widths = browser.picture_widths()
    assert len(widths) == 14  # two videos' frames, and three actions under two models' heat, still and moving
    assert all(width == 900 for width in widths)
    drawn = browser.ask("[...document.querySelectorAll('svg[role=img]')].map((e) => e.getBoundingClientRect().width)")
    assert len(drawn) > 8
    assert all(width > 0 for width in drawn)


def column(browser, about, number):
    """What a column of the table of some region holds, from above; a figure's bare value where it has an interval."""
    rows = f"[...document.querySelectorAll('[aria-label=\"{about}\"] tbody tr')]"
    return browser.ask(f"{rows}.map((row) => row.cells[{number}]).map((c) => c.dataset.value ?? c.textContent.trim())")


def head(about, number):
    """The button at the head of a column."""
    return f"document.querySelectorAll('[aria-label=\"{about}\"] thead button')[{number}]"


def test_a_click_on_a_head_sorts_and_another_turns_it_round(browser, file):
    browser.open(file, width=DESK)
    table = "Average precision of each action"
    names = column(browser, table, 0)
    browser.ask(f"{head(table, 0)}.click()")
    assert column(browser, table, 0) == sorted(names)
    browser.ask(f"{head(table, 0)}.click()")
    assert column(browser, table, 0) == sorted(names, reverse=True)
    assert browser.ask(f"{head(table, 0)}.closest('th').ariaSort") == "descending"


def test_figures_sort_as_numbers(browser, file):
    browser.open(file, width=DESK)
    table = "Boosts of each action"
    before = [float(value) for value in column(browser, table, 4)]
    browser.ask(f"{head(table, 4)}.click()")
    after = [float(value) for value in column(browser, table, 4)]
    assert len(before) == 6
    assert before == sorted(before, reverse=True)
    assert after == sorted(before)


def test_a_captions_link_opens_the_lineage_of_its_file(browser, file):
    browser.open(file, width=DESK)
    browser.ask("document.querySelector('#graph figcaption a').click()")
    assert browser.ask("location.hash") == "#trace-data-graph-adjacency-parquet"
    target = "document.querySelector(':target')"
    assert browser.ask(f"{target}.checkVisibility()")
    assert browser.ask(f"{target}.textContent.includes('data/graph/adjacency.parquet')")
    every = (
        "[...document.querySelectorAll('figcaption')].filter((e) => !e.querySelector('a')).map((e) => e.textContent)"
    )
    plain = browser.ask(every)
    assert len(plain) == 1, plain  # the drawing of the pipeline, whose dvc.yaml no stage has made


def test_the_keyboard_reaches_the_skip_link_the_sections_and_the_heads(browser, file):
    browser.open(file, width=DESK)
    browser.press("Tab")
    assert browser.ask("document.activeElement.className") == "skip"
    assert browser.ask("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Tab")
    assert browser.ask("document.activeElement.getAttribute('href')") == "#result"
    browser.ask("document.querySelector('#actions thead button').focus()")
    browser.press("Enter")
    assert browser.ask("document.querySelector('#actions thead th').ariaSort") == "ascending"


def shown(browser):
    """The strip on top, as a reader sees it."""
    parts = "[...document.querySelectorAll('#strip > div')].filter((e) => e.checkVisibility())"
    return browser.ask(f"{parts}.map((e) => e.textContent.replace(/\\s+/g, ' ').trim())")


SPOKEN = """new Promise((done) => {
  addEventListener("message", () => setTimeout(done));
  document.querySelector("iframe").src = "trace.html";
})"""
"""Have the frame speak once more, and wait for it."""
RAN = {"made": "2026-01-02 03:04 UTC", "took": "7 min 1 s, 12 stages", "machine": "<i>CPU</i>", "revision": "c0ffee"}


@pytest.mark.parametrize(("same", "ran", "told"), [
    (True, RAN, ["made2026-01-02 03:04 UTC", "took7 min 1 s, 12 stages", "machine<i>CPU</i>", "revisionc0ffee",
                 "morelineage, records"]),
    (True, {}, ["No record of this run is here: it was made elsewhere."]),
    (False, RAN, ["trace.html beside this page tells of another run."]),
])  # fmt: skip
def test_the_strip_says_what_the_lineage_beside_the_page_knows(browser, file, tmp_path, same, ran, told):
    page = tmp_path / "index.html"
    shutil.copy(file, page)
    of = re.search(r'data-of="([0-9a-f]{12})"', page.read_text())[1]
    trace = render(Node("map_sample", ""), [], of=of if same else "0123456789ab", ran=ran)
    (tmp_path / "trace.html").write_text(trace)
    browser.open(page, width=DESK)
    browser.ask(SPOKEN)
    assert shown(browser)[3:] == told
    assert browser.errors == []


ALONE = [
    "When, where and by which revision it was made is told by trace.html, "
    "which lies beside this page where the run was made."
]


def test_a_page_that_is_mailed_alone_says_where_the_rest_is_told(browser, file):
    browser.open(file, width=DESK)
    data, seed, result, *rest = shown(browser)
    assert (data, seed) == ("data setsample", "seed2021")
    assert re.fullmatch("result[0-9a-f]{12}", result)
    assert rest == ALONE
    assert browser.errors == []


HEARD = """(async () => {
  const picture = document.querySelector("#heard img");
  await picture.decode();
  return picture.naturalWidth;
})()"""
ENDED = """globalThis.ended = new Promise((done) => {
  const video = document.querySelector("#player video");
  const look = () => done([video.error?.message ?? "", video.videoWidth, video.webkitAudioDecodedByteCount > 0]);
  video.addEventListener("ended", look, { once: true });
  video.addEventListener("error", look, { once: true });
  document.querySelector('TABLE button[data-video="NAME"]').focus();
}), 0"""
"""Go to a video's button, and note when the video has ended or failed."""


def played(browser, table, name):
    """Play a video by the keyboard, as a person does (a browser starts no sound by itself)."""
    browser.ask(ENDED.replace("TABLE", table).replace("NAME", name))
    browser.press("Enter")
    return browser.ask("globalThis.ended")


def test_a_clip_on_the_page_plays_with_its_sound(browser, file):
    browser.open(file, width=DESK)
    assert played(browser, ".videos", "x0") == ["", 48, True]
    assert browser.ask(HEARD) == 8
    browser.ask("document.querySelector('#player button').click()")
    assert not browser.ask("document.querySelector('#player').open")
    browser.ask("document.querySelectorAll('.portrait').forEach((e) => { e.open = true; })")
    assert played(browser, ".portrait", "t0") == ["", 48, False]
    assert not browser.ask("document.querySelector('#heard').checkVisibility()")
    assert browser.errors == []
    assert browser.requests == [file.as_uri()]


def test_a_video_beside_the_page_plays_and_one_that_is_not_there_is_told_of(browser, file, tmp_path):
    page = tmp_path / "data/report/index.html"
    page.parent.mkdir(parents=True)
    shutil.copy(file, page)
    beside = tmp_path / "data/raw/sample/videos/x1.mp4"
    beside.parent.mkdir(parents=True)
    frames = np.full((9, 16 * 64 * 3 // 2), 90, np.uint8)
    write_video(beside, frames, size=(64, 16), fps=30, sound=np.zeros(4800, np.int16), rate=16000)
    browser.open(page, width=DESK)
    assert played(browser, ".videos", "x1") == ["", 64, True]
    assert (
        browser.ask("document.querySelector('#told').textContent") == "Played from ../../data/raw/sample/videos/x1.mp4"
    )
    browser.ask("document.querySelector('#player').close()")
    message, width, _ = played(browser, ".videos", "x3")
    assert (bool(message), width) == (True, 0)
    assert "not where the page looks for it" in browser.ask("document.querySelector('#told').textContent")


def test_videos_are_filtered_by_action_and_sorted_by_loss(browser, file):
    browser.open(file, width=DESK)
    rows = "[...document.querySelectorAll('.videos tbody tr')].filter((e) => e.checkVisibility())"
    labelled = browser.ask(f"{rows}.filter((e) => e.dataset.actions.split('|').includes('diving')).length")
    browser.ask("document.querySelector('#wanted').value = 'diving'")
    browser.ask("document.querySelector('#wanted').dispatchEvent(new Event('change'))")
    assert browser.ask(f"{rows}.length") == labelled
    assert browser.ask("document.querySelector('#kept').textContent") == f"{labelled} videos"
    browser.ask("document.querySelector('#wanted').value = ''")
    browser.ask("document.querySelector('#wanted').dispatchEvent(new Event('change'))")
    browser.ask("[...document.querySelectorAll('.videos thead button')].find((e) => e.textContent === 'loss').click()")
    losses = [float(value) for value in column(browser, "Scored videos", 5)]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 3


def test_an_actions_name_leads_to_its_own_page_and_unfolds_it(browser, file):
    browser.open(file, width=DESK)
    browser.ask("[...document.querySelectorAll('#actions a')].find((e) => e.textContent === 'diving').click()")
    unfolded = "document.querySelector('#action-1').open"
    assert browser.ask(f"new Promise((done) => setTimeout(() => done({unfolded})))")
    assert "diving" in browser.ask("document.querySelector(':target summary').textContent")


def test_light_and_dark_are_two_papers(browser, file):
    papers = []
    for dark in (False, True):
        browser.open(file, width=DESK, dark=dark)
        papers.append(browser.ask("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, paper.removeprefix("rgb(").removesuffix(")").split(","))) for paper in papers)
    assert light > 3 * 230
    assert dark < 3 * 40
