import pytest

from pipeline.dataset.dataset import read_annotations


@pytest.mark.parametrize("source", ["sample", "mmit"])
def test_the_sample_is_read_as_mmit(params, mmit_folder, source):
    dataset = params.dataset.model_copy(update={"source": source, "annotations": str(mmit_folder())})
    assert read_annotations(dataset).actions == ("swimming", "playing+music", "hitting/colliding")


def test_charades_has_its_own_reader(params, charades_folder):
    folder = charades_folder({"A": "c000 0 1"}, {"B": "c000 0 1"})
    dataset = params.dataset.model_copy(update={"source": "charades", "annotations": str(folder)})
    assert read_annotations(dataset).actions == ("Holding some clothes", "Running")
