"""Where paper and released code differ: params/README.md, params.yaml and the released preset name the same choices."""

import re
from typing import get_args

import pytest
from pydantic import BaseModel

from pipeline.foundations.params import Params
from tests.presets import preset_params

CHOICES: dict[str, tuple[object, object]] = {
    "adjacency.normalization": ("paper", "released"),
    "adjacency.comparison": ("above", "at_least"),
    "adjacency.symmetrize": ("none", "none"),
    "adjacency.scope": ("full", "full"),
    "gcn.bias": (True, True),
    "gcn.last_activation": (False, False),
    "gcn.layers": (2, 1),
    "gcn.slope": (0.2, 0.2),
    "transformer.slope": (0.2, 0.2),
    "transformer.attention_heads": (1, 1),
    "transformer.block": ("simplified", "simplified"),
    "transformer.positions": (False, False),
    "filter_silent.rule": ("loudness", "released"),
    "vggish.short": ("pad", "drop"),
    "whitening.method": ("fit", "released"),
    "split_mini.draw": ("folder", "folder"),
    "audio_lexicon.scope": ("mini", "mini"),
    "lexicon.draw": ("fixed", "fixed"),
    "lexicon.forms": (1, 1),
    "lexicon.combine": ("concat", "concat"),
    "backbone.pooling": ("global", "released"),
    "frames.positions": ("linspace", "linspace"),
    "frames.timeline": ("constant", "native"),
    "frames.scaling": ("antialiased", "released"),
    "clips.short_side": (192, None),
    "train.augmentation": ("uniform", "released"),
    "train.sync_batch_norm": (True, False),
}
"""By parameter: its value in the presets of the paper, and in the released code's."""


def value(params: Params, key: str) -> object:
    section, name = key.split(".")
    return getattr(getattr(params, section), name)


def table_rows(root) -> list[list[str]]:
    text = (root / "params/README.md").read_text(encoding="utf-8")
    table = text.split("## Where paper and released code differ")[1].split("\n\n")[2]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_table_is_complete_and_has_no_empty_cell(root):
    rows = table_rows(root)
    named = [key for row in rows for key in re.findall(r"`(\w+\.\w+)`", row[3])]
    assert sorted(named) == sorted(CHOICES)
    assert all(len(row) == 4 and all(row) for row in rows)


@pytest.mark.parametrize("name", ["mmit_v1", "mmit_v1_mini", "mmit_v2", "mmit_v2_mini", "charades", "released"])
def test_presets_take_the_side_they_say(name):
    params = preset_params(name)
    expected = {key: values[name == "released"] for key, values in CHOICES.items()}
    mini = name == "released" or name.endswith("_mini")
    full = {} if mini else {"split_mini.draw": "all", "audio_lexicon.scope": "full"}
    assert {key: value(params, key) for key in CHOICES} == expected | full


def test_what_the_parameters_call_released_is_a_choice_of_the_table(root):
    """So that a choice that is added to params.yaml cannot be left out of the table, or of the preset."""
    section, mentioned = "", set()
    for line in (root / "params.yaml").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"(\w+):", line):
            section = found[1]
        elif (found := re.match(r"  (\w+): [^#]*#.*released", line)) is not None:
            mentioned.add(f"{section}.{found[1]}")
    mentioned.discard("whitening.path")  # the file that whitening.method: released reads
    assert mentioned <= set(CHOICES)


def released_options(section: str, model: type[BaseModel]) -> list[str]:
    return [
        f"{section}.{name}" for name, field in model.model_fields.items() if "released" in get_args(field.annotation)
    ]


def test_every_parameter_that_can_be_released_is_in_the_released_preset():
    params = preset_params("released")
    keys = [
        key
        for section, field in Params.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for key in released_options(section, field.annotation)
    ]
    assert len(keys) >= 6
    assert {key: value(params, key) for key in keys} == dict.fromkeys(keys, "released")


def test_the_presets_of_paper_and_released_code_differ_in_the_choices_alone():
    paper, released = (preset_params(name).model_dump() for name in ("mmit_v1_mini", "released"))
    differing = {
        f"{section}.{key}"
        for section, values in released.items()
        if isinstance(values, dict)
        for key, found in values.items()
        if found != paper[section][key]
    }
    assert differing == {key for key, (ours, theirs) in CHOICES.items() if ours != theirs}
