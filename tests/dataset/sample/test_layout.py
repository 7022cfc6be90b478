"""The files beside the videos are M-MiT's, and the same on every machine."""

import csv
from hashlib import sha256

import pytest

from pipeline.dataset import mmit
from pipeline.dataset.sample.cooccurrence import ACTIONS
from pipeline.dataset.sample.layout import PLACE_EVERY, write_annotations, write_places
from pipeline.dataset.sample.plan import draw_plans

GOLDEN = {
    "moments_categories.txt": "6089115b60b30c269ff6d9d0cf2661401471861e67cffac382e2b87b60c37de5",
    "places.csv": "e87deda5fceda978c9a72a873dcb94ea44902a18a4589ef9e5bfe616bef22823",
    "testSet.txt": "88b411c606e423c843347a04b641e74c47653985b239138f2178202f1caa184d",
    "trainingSet.txt": "9e7ccbc6b7807d27f18344f2208042e407371882271006ab6697d1d567b37343",
    "validationSet.txt": "34219413e0cf17f1dd2c2c82043d63e2a218caa214dd3503d8c66c06bdd18050",
}
PLACES_HIDDEN = "8012e8bc6fd25df1550a2e51c0ae753db0e2445ee796c8865765c1accee9fabf"


def test_the_mmit_reader_reads_back_what_was_planned(tmp_path, plans):
    write_annotations(tmp_path, plans)
    found = mmit.read(tmp_path)
    assert found.actions == ACTIONS
    assert found.merged_labels == 0
    expected = {plan.path: (plan.split, set(plan.actions)) for plan in plans}
    names = {"train": "train", "val": "validation", "test": "test"}
    assert {
        video.path: (names[video.split], {ACTIONS[index] for index in video.actions}) for video in found.videos
    } == expected


def test_lines_are_as_mmit_writes_them(tmp_path, plans):
    write_annotations(tmp_path, plans)
    assert (tmp_path / "moments_categories.txt").read_bytes().startswith(b"applauding,0\ncheering,1\n")
    first = plans[0]
    indices = ",".join(str(index) for index, action in enumerate(ACTIONS) if action in first.actions)
    assert (tmp_path / "trainingSet.txt").read_text().split("\n")[0] == f"{first.path},{indices}"


def test_every_shown_action_of_every_video_has_its_places(tmp_path, plans, render):
    few = plans[:12]
    write_places(tmp_path, few, render)
    with (tmp_path / "places.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    moments = range(0, 45, PLACE_EVERY)
    assert [(row["video"], row["action"], int(row["frame"])) for row in rows] == [
        (plan.path, action, frame) for plan in few for action in plan.shown for frame in moments
    ]
    for row in rows:
        x, y, width, height = (int(row[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0 <= y
        assert x + width <= render.width
        assert y + height <= render.height


@pytest.mark.parametrize(("hidden", "places"), [(0.0, GOLDEN["places.csv"]), (0.35, PLACES_HIDDEN)])
def test_the_committed_sample_has_these_very_bytes(tmp_path, render, hidden, places):
    """Labels are the same whatever is hidden; places are of what is shown."""
    render = render.model_copy(update={"hidden": hidden})
    plans = draw_plans(render)
    write_annotations(tmp_path, plans)
    write_places(tmp_path, plans, render)
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert found == GOLDEN | {"places.csv": places}
