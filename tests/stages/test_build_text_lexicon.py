"""Stage `build_text_lexicon`, as a person would run it."""

import shutil
from pathlib import Path

import pytest

from pipeline.foundations.tables import tables
from pipeline.lexicon import words
from stages import build_text_lexicon

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the bundled vectors, whose vocabulary a test names."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    Path("models/pretrained").mkdir(parents=True)
    vectors = words.load(ROOT / "data/external/glove.6B.100d.mmit.txt", 100)
    words.save(vectors, Path("models/pretrained/words.bin"))

    def write(actions: dict[str, list[str]]) -> None:
        columns = {"action_id": range(len(actions)), "action": list(actions), "words": list(actions.values())}
        tables.write("actions", Path("data/index/actions.parquet"), tables.from_columns("actions", columns))

    return write


def test_the_stage_gives_each_action_a_form_and_names_unknown_words(project, capfd):
    project({"singing": ["singing"], "playing+xyzzy": ["playing", "xyzzy"]})
    build_text_lexicon.main()
    table = tables.read("text", Path("data/lexicons/text.parquet"))
    assert tables.vectors(table["form"]).shape == (2, 100)
    assert "build_text_lexicon: 2 actions x 100; words without a vector: xyzzy" in capfd.readouterr().err


def test_an_action_without_any_vector_is_said_and_stops_no_run_whose_heads_do_not_read(project, capfd):
    project({"singing": ["singing"], "xyzzy": ["xyzzy"]})
    build_text_lexicon.main()
    assert "words without a vector: xyzzy; 1 actions have none and are zeros" in capfd.readouterr().err
    forms = tables.vectors(tables.read("text", Path("data/lexicons/text.parquet"))["form"])
    assert [bool(form.any()) for form in forms] == [True, False]
