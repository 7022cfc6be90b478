"""What a table is called: by its data, so that none takes another's place."""

import pytest

from pipeline.ablate.ablate import data_set


@pytest.mark.parametrize(
    ("dataset", "render", "name"),
    [
        ({}, {}, "sample"),
        ({}, {"test": 20}, "sample"),
        ({}, {"train": 2000, "validation": 1000, "test": 7000}, "sample-10000"),
        ({"source": "features", "folder": "data/external/audioset"}, {}, "audioset"),
        ({"source": "mmit"}, {"test": 7000}, "mmit"),
    ],
)
def test_a_table_is_named_by_its_data(params, dataset, render, name):
    changed = {
        "dataset": params.dataset.model_copy(update=dataset), "render": params.render.model_copy(update=render),
    }  # fmt: skip
    assert data_set(params.model_copy(update=changed)) == name
