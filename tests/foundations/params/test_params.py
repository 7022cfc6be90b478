"""params.yaml: every knob typed, explained, and refused in plain words where it is wrong."""

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from ruamel.yaml import YAML

from pipeline.foundations.params import Params, Section, load_params, parse_params
from pipeline.foundations.params.editing import edited
from pipeline.foundations.runtime.errors import PlainError

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")

HEADS, MILESTONES, JITTER = (
    re.search(rf"{key}: .*\n(  - .*\n)+", TEXT)[0] for key in ("heads", "milestones", "jitter")
)


@pytest.fixture
def load(tmp_path):
    """Loads params.yaml with some text put in another's place."""

    def load(old: str = "", new: str = "") -> Params:
        assert old in TEXT
        (tmp_path / "params.yaml").write_text(TEXT.replace(old, new, 1), encoding="utf-8")
        return load_params(tmp_path / "params.yaml")

    return load


def test_the_committed_file_is_read(params):
    assert params.adjacency.threshold == 0.4
    assert params.model.heads == ("visual", "audio", "text")
    assert params.backbone.weights is None
    assert params.train.jitter == (56, 72)


def test_sections_are_frozen(params):
    with pytest.raises(ValueError, match="frozen"):
        params.train.epochs = 1


def test_the_file_has_every_key_in_the_order_of_the_sections(params):
    content = YAML(typ="safe").load(TEXT)
    assert list(content) == list(Params.model_fields)
    for name, section in Params.model_fields.items():
        if isinstance(section.annotation, type) and issubclass(section.annotation, BaseModel):
            assert list(content[name]) == list(section.annotation.model_fields), name


def test_no_parameter_has_a_default():
    sections = [Params, *(field.annotation for field in Params.model_fields.values())]
    for section in sections:
        if isinstance(section, type) and issubclass(section, Section):
            assert all(field.is_required() for field in section.model_fields.values()), section.__name__


def test_every_key_has_a_comment():
    keys = [line for line in TEXT.splitlines() if re.match(r" +\w+:", line)]
    assert len(keys) > 100
    assert [line for line in keys if " # " not in line] == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("seed: 2021", "sead: 2021", "sead: unknown parameter"),
        ("seed: 2021", "sead: 2021", "seed: missing parameter"),
        ("  epochs: 24", "  epoks: 24", "train.epoks: unknown parameter"),
        ("  epochs: 24", "  epochs: 0", "train.epochs: found 0; expected 1 or more"),
        ("  epochs: 24", "  epochs: '30'", "train.epochs: found '30'; expected a valid integer"),
        ("  epochs: 24", "  epochs: 30.5", "train.epochs: found 30.5; expected a valid integer"),
        ("  epochs: 24", "  epochs: true", "train.epochs: found True; expected a valid integer"),
        ("  epochs: 24", "  epochs: null", "train.epochs: found nothing; expected a valid integer"),
        ("  epochs: 24", "  epochs: [30]", "train.epochs: found [30]; expected a valid integer"),
        (HEADS, "heads: []\n", "model.heads: found []; expected 1 or more"),
        ("  momentum: 0.9", "  momentum: 1.1", "train.momentum: found 1.1; expected 1 or less"),
        ("  momentum: 0.9", "  momentum: .nan", "train.momentum: found nan; expected "),
        ("  learning_rate: 0.05", "  learning_rate: .inf", "train.learning_rate: found inf; expected a finite"),
        ("  learning_rate: 0.05", "  learning_rate: 0", "train.learning_rate: found 0"),
        ("engine: local ", "engine: spark ", "execution.engine: found 'spark'; expected 'local' or 'dask'"),
        ("nesterov: true", "nesterov: 1", "train.nesterov: found 1; expected a valid boolean"),
        (HEADS, "heads: []\n", "model.heads: found []; "),
        (HEADS, "heads: [visual, smell]\n", "model.heads.1: found 'smell'; expected "),
        (HEADS, "heads: [audio, audio]\n", "model: heads ['audio', 'audio'] name one twice"),
        (HEADS, "heads: [fc, text]\n", "model: fc is the baseline and stands alone"),
        (HEADS, "heads: [decoder, text]\n", "model: decoder is a classifier of its own and stands alone"),
        (HEADS, "heads: [text, softmax]\n", "model: softmax is a classifier of its own and stands alone"),
        (JITTER, "jitter: [72, 56]\n", "train: jitter [72, 56] must rise"),
        (JITTER, "jitter: [56]\n", "train.jitter"),
        (MILESTONES, "milestones: [20, 12]\n", "train: milestones [20, 12] must rise"),
        ("  count: 4 ", "  count: 9 ", "frames: count 9 is more than the span's 8 frames"),
        (
            "  short_side: 96 ",
            "  short_side: 70 ",
            "clips.short_side is 70, but train.jitter goes up to 72: training would enlarge its copies; set "
            "clips.short_side to 87, a fifth above it, or to null",
        ),
        ("adjacency:\n", "adjacency: 3\nold:\n", "adjacency: found 3; expected a valid dictionary"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found_and_what_is_allowed(load, old, new, sentence):
    with pytest.raises(PlainError) as caught:
        load(old, new)
    assert f"params.yaml: {sentence}" in str(caught.value)


def test_all_faults_come_together(load):
    with pytest.raises(PlainError) as caught:
        load("seed: 2021", "seed: x\nmore: 1")
    assert len(str(caught.value).splitlines()) == 2


def test_a_fault_is_one_short_line(load):
    with pytest.raises(PlainError) as caught:
        load(JITTER, "jitter: [72, 56]\n")
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "found nothing, expected a mapping of sections"),
        (b"# only a comment\n", "found nothing, expected a mapping of sections"),
        (b"- a\n- b\n", "found ['a', 'b'], expected a mapping of sections"),
        (b"just text", "found 'just text', expected a mapping of sections"),
        (b"seed: 1\n  bad: indent\n", "not valid YAML: "),
        (b"seed: 1\nseed: 2\n", "not valid YAML: "),
        (b"seed: [1, 2\n", "not valid YAML: "),
        (b"seed: \xff\xfe\n", "not valid YAML: "),
        (b"seed: !!python/object/apply:os.system ['true']\n", "not valid YAML: "),
        (b"seed: 1\n---\nseed: 2\n", "not valid YAML: "),
        (b"seed: " + b"[" * 300, "not valid YAML: "),
        (b"seed: *nowhere\n", "not valid YAML: "),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path, content, sentence):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(PlainError) as caught:
        load_params(tmp_path / "params.yaml")
    assert f"params.yaml: {sentence}" in str(caught.value)


def test_an_absent_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(PlainError, match=r"params\.yaml: cannot be read: No such file or directory"):
        load_params(tmp_path / "params.yaml")
    with pytest.raises(PlainError, match="cannot be read: Is a directory"):
        load_params(tmp_path)


PIECES = [b"", b":", b": ", b"\n", b"  ", b"[", b"]", b"{", b"}", b"- ", b"#", b"'", b'"', b"&a", b"*a", b"!!", b"!",
          b"<<: ", b"|", b">", b"%", b"\x00", b"\xff", b"\t", b"null", b"true", b"1e999", b"-1", b"0x", b"0o9", b"0b",
          b"1:2", b"2021-13-41", b"_", b".inf", b"99999999999999999999", b"? ", b"...", b"---", b"@"]  # fmt: skip


@pytest.mark.parametrize("levels", [2, 60])
def test_a_value_that_stands_for_another_is_refused_and_not_unfolded(tmp_path, levels):
    lines = ["a0: &a0 [0, 0]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels))]
    path = tmp_path / "params.yaml"
    path.write_text("\n".join(lines) + "\n" + TEXT, encoding="utf-8")
    with pytest.raises(PlainError, match=r"not valid YAML: line 2: found the alias \*a0; write it out"):
        load_params(path)


def test_an_ampersand_in_a_text_is_no_alias(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("folder: data/raw ", 'folder: "R&D" '), encoding="utf-8")
    assert load_params(path).dataset.folder == "R&D"


def _mutated(edits: list[tuple[float, int, bytes]]) -> bytes:
    content = TEXT.encode()
    for where, gone, put in edits:
        start = round(where * len(content))
        content = content[:start] + put + content[start + gone :]
    return content


def _read_mutated(edits: list[tuple[float, int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_bytes(_mutated(edits))
        try:
            found = load_params(path)
        except PlainError as error:
            message = str(error)
        else:
            message = str(path) if Params.model_validate(found.model_dump()) == found else "not what it says"
    assert message.startswith(str(path))


EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 10), st.sampled_from(PIECES) | st.binary(max_size=6)),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_mutated_files_are_read_or_refused(edits):
    _read_mutated(edits)


@pytest.mark.soak
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_ten_thousand_mutations_are_read_or_refused(edits):
    _read_mutated(edits)


def test_channels_are_normalized_alike_or_each_by_its_own():
    each = edited(TEXT, {"frames.mean": [0.485, 0.456, 0.406], "frames.std": [0.229, 0.224, 0.225]})
    assert parse_params(each, Path("params.yaml")).frames.mean == (0.485, 0.456, 0.406)
    with pytest.raises(PlainError, match=r"frames\.std"):
        parse_params(edited(TEXT, {"frames.std": [0.229, 0.224]}), Path("params.yaml"))
