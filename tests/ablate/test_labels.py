"""Parts of a vocabulary, on a hand-made one: Coupe implies Car, Car implies Vehicle, and Cat and Kitten each other."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from pipeline.ablate.labels import Part, implications, parts_of
from pipeline.dataset.annotations import Annotations, Video
from pipeline.foundations.params import Dataset
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import action_precisions, video_precisions
from tests.features import ACTIONS, folder

NAMES = ("Vehicle", "Car", "Coupe", "Cat", "Kitten", "Driving")
VEHICLE, CAR, COUPE, CAT, KITTEN, DRIVING = range(6)
LABELS = ((VEHICLE, CAR, COUPE), (VEHICLE, CAR, DRIVING), (VEHICLE,), (CAT, KITTEN), (CAT, KITTEN, DRIVING))


def annotations() -> Annotations:
    videos = tuple(Video(f"v{number}", f"v{number}", "train", labels) for number, labels in enumerate(LABELS))
    tested = Video("w", "w", "test", (CAR,))  # a car that is no vehicle, outside training
    return Annotations(NAMES, (*videos, tested), merged_labels=0, unlabelled=())


def test_a_label_implies_another_that_nearly_all_of_its_training_videos_have():
    found = {(int(i), int(j)) for i, j in zip(*np.nonzero(implications(annotations())), strict=True)}
    assert found == {(CAR, VEHICLE), (COUPE, CAR), (COUPE, VEHICLE), (KITTEN, CAT)}


@pytest.fixture
def predictions():
    scores = np.random.default_rng(0).random((len(LABELS), len(NAMES))).astype(np.float32)
    columns = {"video_id": [f"v{n}" for n in range(len(LABELS))], "actions": list(LABELS), "scores": scores}
    return tables.from_columns("predictions", columns)


def test_implied_labels_are_neither_found_nor_missed(predictions):
    part = Part("unimplied", np.ones(6, bool), implications(annotations()).astype(np.float32))
    own = part.of(predictions)
    assert own["actions"].to_pylist() == [[COUPE], [CAR, DRIVING], [VEHICLE], [KITTEN], [KITTEN, DRIVING]]
    before, after = (tables.vectors(table["scores"]) for table in (predictions, own))
    targets = tables.multi_hot(own["actions"], 6)
    left_out = tables.multi_hot(predictions["actions"], 6) & ~targets
    found_B, found_N = video_precisions(after, targets), action_precisions(after, targets)
    for video, (ignored, own_labels) in enumerate(zip(left_out, targets, strict=True)):
        counted = ~ignored & targets.any(axis=0)
        expected = average_precision_score(own_labels[counted], before[video, counted])
        assert found_B[video] == pytest.approx(100 * expected)
    for label in np.flatnonzero(targets.any(axis=0)):
        counted = ~left_out[:, label]
        expected = average_precision_score(targets[counted, label], before[counted, label])
        assert found_N[label] == pytest.approx(100 * expected)


def test_of_a_part_alone_only_its_labels_and_their_videos_count(predictions):
    part = Part("activities", np.array([name == "Driving" for name in NAMES]), np.zeros((6, 6), np.float32))
    own = part.of(predictions)
    assert own["video_id"].to_pylist() == ["v1", "v4"]
    assert own["actions"].to_pylist() == [[0], [0]]
    expected = tables.vectors(predictions["scores"])[[1, 4]][:, [DRIVING]]
    np.testing.assert_array_equal(tables.vectors(own["scores"]), expected)


def dataset(root, source="features") -> Dataset:
    return Dataset(
        source=source, folder=str(root), annotations="annotations", videos="features", stores=(), watch="annotations"
    )


def test_activities_are_those_that_the_folder_names(tmp_path):
    folder(tmp_path / "set")
    (tmp_path / "set/annotations/activities.txt").write_text("diving\nrunning\n")
    (*_, part) = parts_of(dataset(tmp_path / "set"))
    assert (part.name, [name for name, kept in zip(ACTIONS, part.kept, strict=True) if kept]) == (
        "activities", ["diving", "running"],
    )  # fmt: skip
    (tmp_path / "set/annotations/activities.txt").write_text("diving\nsitting\n")
    with pytest.raises(PlainError, match=r"activities\.txt: found 'sitting', which is no label"):
        parts_of(dataset(tmp_path / "set"))
    assert parts_of(dataset(tmp_path / "set", source="csv")) == []
