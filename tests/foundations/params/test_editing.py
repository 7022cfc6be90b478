"""params.yaml changes where it is asked to and nowhere else, by us and by `dvc exp run --set-param`."""

import difflib
from io import StringIO
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.foundations.params.editing import edited, flat
from pipeline.foundations.runtime.errors import PlainError

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
CHANGES = {
    "seed": 7,
    "words.name": "/a folder/with blanks/" * 6 + "vectors.txt",
    "clips.short_side": None,
    "backbone.weights": f"https://example.org/{'0123456789' * 12}.pth",
    "model.heads": ["visual", "text"],
    "train.milestones": [],
    "train.warmup_rate": 1e-4,
    "train.nesterov": False,
    "frozen.milestones": [4],
    "explain.baseline": "data/baselines/fc",
}


def loaded(text: str) -> dict:
    return flat(YAML(typ="safe", pure=True).load(text))


def through_ruamel(text: str) -> str:
    yaml, written = YAML(), StringIO()
    yaml.dump(yaml.load(text), written)
    return written.getvalue()


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]


@pytest.mark.parametrize(
    ("override", "gone", "come"),
    [
        ("evaluate.batch=31", ["  batch: 30                       # "], ["  batch: 31                       # "]),
        ("explain.baseline=x", ["  baseline:                       # "], ["  baseline: x                     # "]),
        ("model.heads=[visual,text]", ["  - audio"], []),
        ("train.jitter=[64,72]", ["  - 56"], ["  - 64"]),
    ],
)
def test_dvc_changes_the_line_it_should_and_no_other(tmp_path, override, gone, come):
    path = tmp_path / "params.yaml"
    path.write_bytes(TEXT.encode())
    apply_overrides(path, [override])  # what `dvc exp run --set-param` does
    found = lines_changed(TEXT, path.read_bytes().decode())
    for lines, starts in zip(found, (gone, come), strict=True):
        assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts


def test_dvc_and_we_leave_the_same_text(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    apply_overrides(path, ["train.epochs=3", "clips.short_side=null", "model.heads=[fc]", "frozen.milestones=[4]"])
    changes = {"train.epochs": 3, "clips.short_side": None, "model.heads": ["fc"], "frozen.milestones": [4]}
    assert path.read_text(encoding="utf-8") == edited(TEXT, changes)


@pytest.mark.parametrize("key", CHANGES)
def test_one_change_keeps_every_other_line_and_its_own_comment(key):
    after = edited(TEXT, {key: CHANGES[key]})
    assert loaded(after) == loaded(TEXT) | {key: CHANGES[key]}
    assert through_ruamel(after) == after or key == "words.name"  # ruamel folds a long line anew each time
    gone, come = lines_changed(TEXT, after)
    assert len(gone) <= 3
    assert len(come) <= 2
    assert comments(after) == comments(TEXT)


def comments(text: str) -> list[str]:
    return [line.partition(" # ")[2] for line in text.splitlines() if " # " in line]


def test_changing_back_gives_the_same_bytes():
    before = loaded(TEXT)
    there = edited(TEXT, CHANGES)
    assert loaded(there) == before | CHANGES
    assert edited(there, {key: before[key] for key in CHANGES}) == TEXT


def test_the_same_value_keeps_its_text():
    text = "a:\n  x: 1.0e-3   # one\n  y: [1, 2] # two\n  z: null\n"
    assert edited(text, {"a.x": 0.001, "a.y": [1, 2], "a.z": None}) == text


def test_what_belongs_to_the_value_goes_and_what_stands_beside_it_stays():
    text = (
        "# head\n\na:   # first\n  x:  # the x\n  - 1\n  - 2\n  # of y\n  y: 'a # b'   # the y\n# on b\n\nb:\n"
        "  x: 3\n\nz:  # last\n- 1\n"
    )
    after = edited(text, {"a.x": 5, "a.y": "c", "b.x": [4], "z": 6})
    assert loaded(after) == {"a.x": 5, "a.y": "c", "b.x": [4], "z": 6}
    for words in (
        "# head\n\na:   # first\n",
        "# the x\n  # of y\n",
        "# the y\n# on b\n\nb:\n",
        "- 4\n\nz: 6",
        "# last\n",
    ):
        assert words in after


@pytest.mark.parametrize("key", ["train.epoks", "sead", "train", "train.epochs.x", "training.epochs"])
def test_a_key_that_is_not_there_is_named(key):
    with pytest.raises(PlainError, match=f"^{key}: unknown parameter$"):
        edited(TEXT, {"seed": 7, key: 3})


def test_a_layout_that_cannot_be_changed_is_told_and_not_guessed_at():
    with pytest.raises(PlainError, match=r"^a\.x: cannot be changed in this layout"):
        edited("a: {x: 1, y: 2}\n", {"a.x": 3})
