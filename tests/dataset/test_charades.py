import pytest

from pipeline.dataset import charades
from pipeline.dataset.annotations import Video
from pipeline.foundations.runtime.errors import PlainError


def test_reads_the_published_layout(charades_folder):
    folder = charades_folder({"46GP8": "c001 11.90 21.20;c000 0.00 12.60;c001 25.00 30.00"}, {"YSKX3": "c000 0.00 7"})
    found = charades.read(folder)
    assert found.actions == ("Holding some clothes", "Running")
    assert found.videos == (
        Video("46GP8", "46GP8.mp4", "train", (0, 1)),
        Video("YSKX3", "YSKX3.mp4", "val", (0,)),
    )
    assert found.merged_labels == 1


def test_a_video_without_an_action_is_named_and_not_kept(charades_folder):
    found = charades.read(charades_folder({"A": "c000 0 1", "B": ""}, {"C": "c001 0 1"}))
    assert found.unlabelled == ("B",)
    assert [video.video_id for video in found.videos] == ["A", "C"]


@pytest.mark.parametrize(
    ("actions", "sentence"),
    [
        ("c002 0.0 1.0", "found the action c002, expected c000 to c001"),
        ("c000 0.0", "found the action 'c000 0.0', expected index, start and end"),
        ("000 0.0 1.0", "found the action '000 0.0 1.0', expected"),
        ("c000 0.0 1.0,c001 0.0 1.0", "found a row of another width, expected 11 columns"),
        ('"c000', "not valid CSV"),
    ],
)
def test_a_malformed_row_is_named(charades_folder, actions, sentence):
    with pytest.raises(PlainError) as caught:
        charades.read(charades_folder({"A": actions}, {"B": "c000 0 1"}))
    assert "Charades_v1_train.csv: line 3: " in str(caught.value)  # a row's text goes over two lines
    assert sentence in str(caught.value)


@pytest.mark.parametrize("video_id", ["", "../a", "/a", "a\tb"])
def test_an_id_must_be_a_name(charades_folder, video_id):
    with pytest.raises(PlainError, match=r"Charades_v1_train\.csv: line 3: found"):
        charades.read(charades_folder({video_id: "c000 0 1"}, {"B": "c000 0 1"}))


def test_a_video_in_both_files_is_named(charades_folder):
    with pytest.raises(PlainError, match=r"test\.csv: line 3: .* first on line 3 of Charades_v1_train\.csv"):
        charades.read(charades_folder({"A": "c000 0 1"}, {"A": "c000 0 1"}))


@pytest.mark.parametrize("classes", ["c000 Holding\nc002 Running\n", "Holding\n", "", "c000 Holding\nc001 Holding\n"])
def test_a_wrong_vocabulary_is_named(charades_folder, classes):
    with pytest.raises(PlainError, match=r"Charades_v1_classes\.txt: line \d: found"):
        charades.read(charades_folder({"A": "c000 0 1"}, {"B": "c000 0 1"}, classes=classes))


def test_columns_are_found_by_name(charades_folder):
    folder = charades_folder({"A": "c000 0 1"}, {"B": "c000 0 1"})
    (folder / "Charades_v1_test.csv").write_bytes(b"\xef\xbb\xbfactions,id\r\nc001 0 1,B\r\n")
    assert charades.read(folder).videos[1] == Video("B", "B.mp4", "val", (1,))
    (folder / "Charades_v1_test.csv").write_text("id,labels\nB,c001\n")
    with pytest.raises(PlainError, match=r"line 1: found the columns .* expected id and actions"):
        charades.read(folder)
