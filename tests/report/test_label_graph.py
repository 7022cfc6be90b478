"""The graph of published labels, counted by hand on a small file with Charades' quirks."""

import re

import pytest

from pipeline.dataset import charades
from pipeline.dataset.index import UNLABELLED
from pipeline.foundations.params import Adjacency
from pipeline.foundations.tables import tables
from pipeline.report import label_graph
from tests.browser import browsing

CLASSES = "c000 Holding some clothes\nc001 Closing a door\nc002 Opening a door\nc003 Running <fast>\n"
TRAIN = {
    "A": "c000 0.00 5.00;c001 1.00 2.00",
    "B": "c001 0.00 5.00;c002 1.00 2.00;c001 6.00 9.00",  # a repeat
    "C": "c001 0.00 5.00;c002 1.00 2.00",
    "D": "",  # no label, as 223 published rows
    "E": "c000 0.00 5.00",
}
TEST = {"F": "c003 0.00 1.00;c000 0.00 1.00", "G": ""}
RULE = Adjacency(scope="full", threshold=0.4, comparison="above", symmetrize="none", normalization="paper")


@pytest.fixture
def annotations(tmp_path):
    folder = tmp_path / "annotations"
    folder.mkdir()
    header = "id,subject,actions,length\n"
    (folder / "Charades_v1_classes.txt").write_text(CLASSES)
    for name, rows in {"train": TRAIN, "test": TEST}.items():
        text = header + "".join(f"{video},HR43,{actions},24.8\n" for video, actions in rows.items())
        (folder / f"Charades_v1_{name}.csv").write_text(text)
    return charades.read(folder)


@pytest.fixture
def made(annotations):
    return label_graph.build(annotations, "charades", RULE, splits=("train",))


def test_labels_are_indexed_without_files(made):
    assert made.labels.videos["video_id"].to_pylist() == ["A", "B", "C", "E", "F"]
    assert set(made.labels.videos["sha256"].to_pylist()) == {""}
    assert made.merged == 1
    assert made.labels.missing.to_pylist() == [{"video_id": name, "reason": UNLABELLED} for name in ("D", "G")]


def test_training_labels_alone_are_counted(made):
    """Clothes 2, closing 3, opening 2: psi is 1/2, 1/3, 2/3 and 1; running stands in the test file alone."""
    found = {(pair.source, pair.target): (pair.both, pair.of) for pair in label_graph.strongest(made)}
    assert found == {
        ("Opening a door", "Closing a door"): (2, 2),
        ("Closing a door", "Opening a door"): (2, 3),
        ("Holding some clothes", "Closing a door"): (1, 2),
        ("Closing a door", "Holding some clothes"): (1, 3),
    }
    assert next(iter(found)) == ("Opening a door", "Closing a door")


def test_edges_and_isolated_actions_by_threshold(made):
    found = {step.threshold: (step.edges, step.isolated) for step in label_graph.by_threshold(made)}
    assert found[0.3] == (4, 1)
    assert found[0.4] == (3, 1)  # psi above it: 1, 2/3 and 1/2
    assert found[0.5] == (2, 2)  # 1/2 is not above 1/2
    assert found[0.95] == (1, 2)


def test_the_whole_data_set_is_told_beside(made):
    """In all splits running is in one video, with clothes: psi 1; clothes is in three, one of them with closing."""
    assert made.everywhere == label_graph.Edges(0.4, 3, 0)
    lines = dict(label_graph.summary(made))
    assert lines["labelled videos"] == "5 (4 train, 1 val, 0 test)"
    assert lines["edges, train"] == "3 at psi > 0.4; 1 actions have none"
    assert lines["edges, all splits"] == "3 at psi > 0.4; 0 actions have none"


def test_an_action_is_told_with_its_companions(made):
    closing = next(one for one in label_graph.companions(made) if one.action == "Closing a door")
    assert closing == label_graph.Companions("Closing a door", 3, 1, 2, "Opening a door", "")
    running = next(one for one in label_graph.companions(made) if one.action == "Running <fast>")
    assert running == label_graph.Companions("Running <fast>", 0, 0, 0, "", "")


def test_the_nearest_by_word_has_the_largest_cosine(annotations):
    forms = [[1.0, 0.0], [0.0, 1.0], [0.2, 1.0], [1.0, 0.1]]
    names = annotations.actions
    columns = {
        "action_id": range(4), "action": names, "form": forms, "words": [[]] * 4, "missing": [[], ["a"], ["a"], []],
    }  # fmt: skip
    text = tables.from_columns("text", columns)
    made = label_graph.build(annotations, "charades", RULE, splits=("train",), text=text)
    assert [one.nearest for one in label_graph.companions(made)] == [names[3], names[2], names[1], names[0]]
    assert "words without a vector: a<" in label_graph.render(made)


def test_the_page_is_whole_escaped_and_the_same_each_time(made, tmp_path):
    page = label_graph.write(made, tmp_path / "out")
    html = page.read_text(encoding="utf-8")
    assert html == label_graph.render(made)
    assert "Running &lt;fast&gt;" in html
    assert "<fast>" not in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert tables.read("adjacency", tmp_path / "out/adjacency.parquet").num_rows == 16


def test_in_a_browser_it_opens_on_a_desk_and_on_a_phone(made, tmp_path):
    page = label_graph.write(made, tmp_path / "out")
    with browsing(tmp_path / "profile") as browser:
        for width in (1280, 390):
            browser.open(page, width=width)
            assert (browser.errors, browser.requests) == ([], [page.as_uri()])
            assert browser.sticking_out() == []
