"""One CSV file, labels by name: what is read, and what is said of each thing that is wrong."""

from pathlib import Path

import pytest

from pipeline.dataset import own
from pipeline.dataset.dataset import read_annotations
from pipeline.foundations.params import Dataset
from pipeline.foundations.runtime.errors import PlainError

HEAD = "path,split,labels\n"


def read(folder: Path, rows: str, *, actions: str | None = None, head: str = HEAD):
    (folder / "videos.csv").write_text(head + rows, encoding="utf-8", newline="")
    if actions is not None:
        (folder / "actions.txt").write_text(actions, encoding="utf-8")
    return own.read(folder)


def test_videos_with_labels_by_name_and_a_vocabulary_by_alphabet(tmp_path):
    found = read(
        tmp_path, "a b/1.mp4,train,running; jumping\nsub/2.MKV,val,Über Wasser\r\n3.webm,test,jumping;jumping\n"
    )
    assert found.actions == ("jumping", "running", "Über Wasser")
    assert [tuple(video) for video in found.videos] == [
        ("a b/1", "a b/1.mp4", "train", (0, 1)),
        ("sub/2", "sub/2.MKV", "val", (2,)),
        ("3", "3.webm", "test", (0,)),
    ]
    assert found.merged_labels == 1


def test_a_vocabulary_that_is_given_keeps_its_order_and_unused_actions(tmp_path):
    found = read(tmp_path, "1.mp4,train,running\n", actions="swimming\n\nrunning\n")
    assert found.actions == ("swimming", "running")
    assert found.videos[0].actions == (1,)


def test_other_columns_and_spaces_do_no_harm(tmp_path):
    found = read(tmp_path, '"who, and when", 1.mp4 , train ,running\n', head="note, path ,split,labels\n")
    assert found.videos[0].path == "1.mp4"


def test_a_label_may_hold_a_comma(tmp_path):
    assert read(tmp_path, '1.mp4,train,"rock, paper;running"\n').actions == ("rock, paper", "running")


def test_a_video_without_labels_is_listed_and_left_out(tmp_path):
    found = read(tmp_path, "1.mp4,train,running\n2.mp4,train,\n3.mp4,train, ; \n")
    assert found.unlabelled == ("2", "3")
    assert len(found.videos) == 1


def test_videos_that_differ_in_their_suffix_alone_are_two(tmp_path):
    found = read(tmp_path, "a.mp4,train,x\na.webm,val,x\n")
    assert [video.video_id for video in found.videos] == ["a", "a.webm"]


@pytest.mark.parametrize(
    ("rows", "actions", "sentence"),
    [
        ("1.mp4,training,x\n", None, "videos.csv: line 2: found the split 'training', expected train, val, test"),
        ("1.mp4,train,x\n1.mp4,train,x\n", None, "line 3: found the video '1.mp4' again, first on line 2"),
        ("1.mp4,train,x\n../1.mp4,train,x\n", None, "line 3: found the path '../1.mp4', which leaves"),
        ("1.mp4,train\n", None, "line 2: found a row of another width, expected 3 columns"),
        ("1.mp4,train,x,y\n", None, "line 2: found a row of another width"),
        ("1.mp4,train,jumping\n", "running\n", "line 2: found the label 'jumping', expected one of "),
        ("1.mp4,train,running\n", "running\nrunning\n", "actions.txt: line 2: found the action 'running' again"),
        ("", None, "line 1: found no action"),
        ("1.mp4,train,\n", None, "line 1: found no action"),
        ('1.mp4,train,"x\n', None, "not valid CSV"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, rows, actions, sentence):
    with pytest.raises(PlainError) as caught:
        read(tmp_path, rows, actions=actions)
    assert sentence in str(caught.value)


def test_a_column_that_lacks_is_named(tmp_path):
    with pytest.raises(
        PlainError, match=r"line 1: found the columns \['file', 'split'\], expected path, split, labels"
    ):
        read(tmp_path, "", head="file,split\n")


def test_the_source_is_chosen_by_the_parameters(tmp_path):
    read(tmp_path, "1.mp4,train,running\n")
    dataset = Dataset(source="csv", folder=str(tmp_path), annotations=".", videos=".", stores=(), watch="videos.csv")
    assert read_annotations(dataset).actions == ("running",)
