"""The generator has the statistics that M-MiT V1's authors published."""

from collections import Counter

import numpy as np
import pytest

from pipeline.bench.annotations import VOCABULARY, write_rows
from pipeline.dataset import mmit

PUBLISHED = {"labels": 2.01 / 1.02, "two or more": 0.553535, "three or more": 0.257491}  # a video; of a million


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder, videos=40_000)
    return mmit.read(folder)


def test_the_rows_are_valid_annotations_of_the_real_vocabulary(found):
    assert list(found.actions) == VOCABULARY.read_text().split()
    assert Counter(video.split for video in found.videos) == {"train": 40_000, "val": 400, "test": 400}
    assert found.merged_labels > 0


def test_labels_a_video_are_as_published(found):
    counts = np.array([len(video.actions) for video in found.videos if video.split == "train"])
    assert counts.mean() == pytest.approx(PUBLISHED["labels"], rel=0.02)
    assert np.mean(counts >= 2) == pytest.approx(PUBLISHED["two or more"], abs=0.01)
    assert np.mean(counts >= 3) == pytest.approx(PUBLISHED["three or more"], abs=0.01)


def test_the_tail_is_long(found):
    counts = np.sort(np.bincount([label for video in found.videos for label in video.actions], minlength=313))
    assert counts[0] > 0
    assert counts[-10:].mean() > 10 * counts[:100].mean()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for folder, seed in (("one", 1), ("two", 1), ("three", 2)):
        write_rows(tmp_path / folder, videos=200, seed=seed)
    texts = [(tmp_path / name / "trainingSet.txt").read_bytes() for name in ("one", "two", "three")]
    assert texts[0] == texts[1] != texts[2]
