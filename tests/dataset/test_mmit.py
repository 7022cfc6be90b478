import pytest

from pipeline.dataset import mmit
from pipeline.dataset.annotations import FAULTS_SHOWN, Video
from pipeline.foundations.runtime.errors import PlainError

BOM = b"\xef\xbb\xbf"


def test_reads_the_published_layout(mmit_folder):
    found = mmit.read(mmit_folder(test=b"swimming/d.mp4,1\n"))
    assert found.actions == ("swimming", "playing+music", "hitting/colliding")
    assert found.videos == (
        Video("swimming/a", "swimming/a.mp4", "train", (0,)),
        Video("playing+music/b", "playing+music/b.mp4", "train", (1, 2)),
        Video("swimming/c", "swimming/c.mp4", "val", (0, 2)),
        Video("swimming/d", "swimming/d.mp4", "test", (1,)),
    )
    assert found.merged_labels == 0


def test_a_test_file_is_read_only_where_it_is_there(mmit_folder):
    assert {video.split for video in mmit.read(mmit_folder()).videos} == {"train", "val"}


def test_a_test_file_without_labels_says_what_to_do(mmit_folder):
    with pytest.raises(PlainError, match=r"testSet\.txt: line 1: found no label behind 'a/b\.mp4'.*: leave it out"):
        mmit.read(mmit_folder(test=b"a/b.mp4\n"))


@pytest.mark.parametrize(
    ("line", "video_id", "path", "actions"),
    [
        (b"a/b.mp4,0,2\r\n", "a/b", "a/b.mp4", (0, 2)),
        (BOM + b"a/b.mp4,0", "a/b", "a/b.mp4", (0,)),
        (b"\n\r\n  \na/b.mp4,0\n\n", "a/b", "a/b.mp4", (0,)),
        (b"a/two words.mp4, 1 , 0\n", "a/two words", "a/two words.mp4", (0, 1)),
        (b"a/b.MP4,0\n", "a/b", "a/b.MP4", (0,)),
        (b"a/b.c.d.mp4,0\n", "a/b.c.d", "a/b.c.d.mp4", (0,)),
        (b"a.b/c,0\n", "a.b/c", "a.b/c", (0,)),
        (b"a/.mp4,0\n", "a/.mp4", "a/.mp4", (0,)),
        ("a/naïve 日本\u00a0.mp4,0\n".encode(), "a/naïve 日本\u00a0", "a/naïve 日本\u00a0.mp4", (0,)),
        (b"deep/er/b.mp4,002\n", "deep/er/b", "deep/er/b.mp4", (2,)),
    ],
    ids=["CRLF", "BOM", "blank lines", "spaces", "upper case", "dots", "no suffix", "dot file", "Unicode", "zeros"],
)
def test_lines_as_they_are_in_life(mmit_folder, line, video_id, path, actions):
    videos = mmit.read(mmit_folder(train=line)).videos
    assert videos[0] == Video(video_id, path, "train", actions)


def test_labels_repeated_on_a_line_are_merged_and_counted(mmit_folder):
    found = mmit.read(mmit_folder(train=b"a/b.mp4,2,0,2,2\na/c.mp4,2,0,2,2\na/d.mp4,1,1\n"))
    assert [video.actions for video in found.videos[:3]] == [(0, 2), (0, 2), (1,)]
    assert found.merged_labels == 2 + 2 + 1


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"a/b.mp4,3", "found the label '3', expected an index from 0 to 2"),
        (
            b"a/b.mp4,99999999999999999999999",
            "found the label '99999999999999999999999', expected an index from 0 to 2",
        ),
        (b"a/b.mp4,-1", "found the label '-1', expected an index"),
        (b"a/b.mp4,1.0", "found the label '1.0', expected"),
        (b"a/b.mp4,1_0", "found the label '1_0', expected"),
        ("a/b.mp4,²".encode(), "found the label '²', expected"),
        (b"a/b.mp4,swimming", "found the label 'swimming', expected"),
        (b"a/b.mp4,0,", "found an empty label"),
        (b"a/b.mp4,", "found an empty label"),
        (b"a/b.mp4", "found no label behind 'a/b.mp4'"),
        (b",0", "found no path"),
        (b"../b.mp4,0", "leaves the videos' folder"),
        (b"a/../../b.mp4,0", "leaves the videos' folder"),
        (b"/etc/passwd,0", "leaves the videos' folder"),
        (b"a//b.mp4,0", "expected names between single slashes"),
        (b"./b.mp4,0", "expected names between single slashes"),
        (b"a/,0", "expected names between single slashes"),
        (b"a/b\x00.mp4,0", "control character '\\x00'"),
        (b"a/b\rc.mp4,0", "control character '\\r'"),
        (b"a/b\xff.mp4,0", "found the byte 0xff, expected UTF-8 text"),
    ],
)
def test_a_malformed_line_is_named(mmit_folder, line, sentence):
    with pytest.raises(PlainError) as caught:
        mmit.read(mmit_folder(train=b"a/first.mp4,0\n" + line + b"\n"))
    assert "trainingSet.txt: line 2: " in str(caught.value)
    assert sentence in str(caught.value)


def test_a_duplicate_video_names_both_lines(mmit_folder):
    with pytest.raises(PlainError, match=r"line 3: found the video 'a/b\.mp4' again, first on line 1"):
        mmit.read(mmit_folder(train=b"a/b.mp4,0\na/c.mp4,0\na/b.mp4,1\n"))


def test_videos_that_differ_in_their_suffix_alone_are_two_and_the_later_keeps_it(mmit_folder):
    found = mmit.read(mmit_folder(train=b"a/b.mp4,0\na/b.webm,1\n", val=b"a/b.MP4,2\n"))
    assert [video.video_id for video in found.videos] == ["a/b", "a/b.webm", "a/b.MP4"]
    with pytest.raises(PlainError, match=r"line 3: found the video 'a/b\.webm' again, first on line 2"):
        mmit.read(mmit_folder(train=b"a/b.mp4,0\na/b.webm,1\na/b.webm,1\n"))


def test_a_video_in_two_splits_names_both_files(mmit_folder):
    with pytest.raises(PlainError, match=r"validationSet\.txt: line 1: .* trainingSet\.txt has on line 1"):
        mmit.read(mmit_folder(train=b"a/b.mp4,0\n", val=b"a/b.mp4,0\n"))


@pytest.mark.parametrize(
    ("categories", "sentence"),
    [
        (b"a,0\nb,2\n", "line 2: found the index 2, but no action has the index 1"),
        (b"a,0\na,1\n", "line 2: found the action 'a' again, first on line 1"),
        (b"a,0\nb,0\n", "line 2: found the index 0 again, which is 'a'"),
        (b"a,0\nb\n", "line 2: found 'b', expected name,index"),
        (b"a,0\n,1\n", "line 2: found ',1', expected name,index"),
        (b"a,0\n+/,1\n", "line 2: found '+/', expected an action's name"),
        (b"a,40000\n", "line 1: found the index 40000, expected one below 32,768"),
        (b"a," + b"9" * 5000 + b"\n", "line 1: found"),
        (b"", "line 1: found no action"),
        (b"\n \n", "line 1: found no action"),
    ],
)
def test_a_wrong_vocabulary_is_named(mmit_folder, categories, sentence):
    with pytest.raises(PlainError) as caught:
        mmit.read(mmit_folder(categories=categories))
    assert f"moments_categories.txt: {sentence}" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_vocabulary_may_stand_in_any_order(mmit_folder):
    found = mmit.read(mmit_folder(categories=b"c, with a comma,2\r\nb,1\r\na,0\r\n"))
    assert found.actions == ("a", "b", "c, with a comma")


@pytest.mark.parametrize("name", ["categories", "train", "val"])
def test_an_absent_file_is_named(mmit_folder, name):
    with pytest.raises(PlainError, match=r"Set\.txt|categories\.txt"):
        mmit.read(mmit_folder(**{name: None}))


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_a_file_without_videos_is_an_error(mmit_folder, name):
    with pytest.raises(PlainError, match="found no video"):
        mmit.read(mmit_folder(**{name: b"\n"}))


def test_many_faults_come_together(mmit_folder):
    with pytest.raises(PlainError) as caught:
        mmit.read(mmit_folder(train=b"a/b.mp4,x\n" * 30, val=b"c\n" * 5))
    lines = str(caught.value).splitlines()
    assert len(lines) == FAULTS_SHOWN + 1
    assert lines[-1] == "and 15 more"
