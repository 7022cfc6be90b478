"""`m3a graph`: the three layouts, and what it says where it cannot."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

run = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
HEADER = "id,actions\n"
LAYOUTS = {
    "charades": {
        "Charades_v1_classes.txt": "c000 Holding some clothes\nc001 Closing a door\n",
        "Charades_v1_train.csv": HEADER + "A,c000 0 1;c001 0 1;c000 2 3\nB,\n",
        "Charades_v1_test.csv": HEADER + "C,c001 0 1\n",
    },
    "mmit": {
        "moments_categories.txt": "singing,0\nrunning,1\n",
        "trainingSet.txt": "x/a.mp4,0,1\n",
        "validationSet.txt": "x/b.mp4,1\n",
    },
    "csv": {"videos.csv": "path,split,labels\na.mp4,train,singing;running\nb.mp4,val,singing\n"},
}


@pytest.fixture
def folder(tmp_path):
    def write(layout: str) -> Path:
        target = tmp_path / "annotations"
        target.mkdir(exist_ok=True)
        for name, text in LAYOUTS[layout].items():
            (target / name).write_text(text)
        return target

    return write


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_known_by_its_files(folder, layout, tmp_path, root, monkeypatch):
    monkeypatch.chdir(root)
    result = run.invoke(app, ["graph", str(folder(layout)), "--to", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].split() == ["layout", layout]
    assert "edges, train        2 at psi > 0.4; 0 actions have none" in lines
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"index.html", *(f"{t}.parquet" for t in ("videos", "actions", "missing", "adjacency", "text"))}
    assert len(tables.read("text", tmp_path / "out/text.parquet")["form"][0].as_py()) == 100


def test_without_vectors_that_know_the_actions_it_says_so_and_draws_the_rest(folder, tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("singing 1.0 2.0\n")
    result = run.invoke(app, ["graph", str(folder("mmit")), "--to", str(tmp_path / "out"), "--words", str(vectors)])
    assert result.exit_code == 0
    assert "no vector for any word of running" in result.output
    assert not (tmp_path / "out/text.parquet").exists()
    assert "not made: no vectors that know every action" in (tmp_path / "out/index.html").read_text()


def test_a_folder_of_no_layout_or_of_two_is_refused(folder, tmp_path):
    with pytest.raises(PlainError, match=r"found none of them; expected the annotation files of one data set"):
        run.invoke(app, ["graph", str(tmp_path)], catch_exceptions=False)
    folder("csv")
    with pytest.raises(PlainError, match=r"found moments_categories\.txt and videos\.csv"):
        run.invoke(app, ["graph", str(folder("mmit"))], catch_exceptions=False)
