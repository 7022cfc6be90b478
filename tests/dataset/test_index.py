"""The index over small folders of files, good and bad."""

import hashlib
import os
import random
import unicodedata
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipeline.dataset import index
from pipeline.dataset.annotations import Annotations, Video
from pipeline.foundations.media.faults import Undecodable
from pipeline.foundations.media.unchanged import check
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

ACTIONS = ("swimming", "playing+music")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


@pytest.fixture
def root(tmp_path):
    """A folder with three videos, whose bytes tell their names."""
    folder = tmp_path / "videos"
    for name in ("swimming/a.mp4", "swimming/b c.MP4", "playing+music/d.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def annotations(*paths: str, unlabelled: tuple[str, ...] = ()) -> Annotations:
    videos = tuple(Video(path.rpartition(".")[0], path, "train", (0,)) for path in paths)
    return Annotations(ACTIONS, videos, unlabelled=unlabelled)


GOOD = annotations("swimming/a.mp4", "swimming/b c.MP4", "playing+music/d.mp4")


def build(what: Annotations, root, *, stores=(), most=0.0, workers=2) -> index.Index:
    return index.build_index(what, root, stores=stores, max_missing_rate=most, workers=workers)


def reasons(table) -> dict[str, str]:
    return dict(zip(table["video_id"].to_pylist(), table["reason"].to_pylist(), strict=True))


def test_each_video_has_its_size_and_digest(root):
    videos = build(GOOD, root).videos
    assert videos["path"].to_pylist() == ["swimming/a.mp4", "swimming/b c.MP4", "playing+music/d.mp4"]
    for path, size, digest in zip(*(videos[c].to_pylist() for c in ("path", "bytes", "sha256")), strict=True):
        assert size == len(path)
        assert digest == hashlib.sha256(path.encode()).hexdigest()


def test_actions_come_with_their_words(root):
    assert build(GOOD, root).actions.to_pylist() == [
        {"action_id": 0, "action": "swimming", "words": ["swimming"]},
        {"action_id": 1, "action": "playing+music", "words": ["playing", "music"]},
    ]


def test_a_missing_file_stops_the_stage_and_is_named(root):
    with pytest.raises(PlainError, match="1 of 2 annotated videos cannot be used") as caught:
        build(annotations("swimming/a.mp4", "swimming/gone.mp4"), root)
    assert "max_missing_rate allows 0.00%" in str(caught.value)
    assert "swimming/gone: no such file" in str(caught.value)


def test_many_missing_files_are_counted_and_the_first_are_named(root):
    paths = [f"swimming/{n}.mp4" for n in range(10)]
    with pytest.raises(PlainError) as caught:
        build(annotations("swimming/a.mp4", *paths), root, most=0.5)
    lines = str(caught.value).splitlines()
    assert len(lines) == 1 + 3 + 1
    assert lines[-1] == "  and 7 more"


def test_missing_files_up_to_the_rate_are_left_out_by_name(root):
    found = build(annotations("swimming/a.mp4", "swimming/gone.mp4"), root, most=0.5)
    assert found.videos["video_id"].to_pylist() == ["swimming/a"]
    assert reasons(found.missing) == {"swimming/gone": "no such file"}


def test_nothing_left_is_an_error_at_any_rate(root):
    with pytest.raises(PlainError, match="1 of 1 annotated"):
        build(annotations("swimming/gone.mp4"), root, most=1.0)


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(PlainError, match=r"dataset\.videos: found no folder at .*nowhere"):
        build(GOOD, tmp_path / "nowhere")


def _link_out(root):
    (root.parent / "outside.mp4").write_bytes(b"secret")
    (root / "swimming/x.mp4").symlink_to(root.parent / "outside.mp4")


def _folder_link_out(root):
    (root.parent / "elsewhere").mkdir()
    (root.parent / "elsewhere/x.mp4").write_bytes(b"secret")
    (root / "linked").symlink_to(root.parent / "elsewhere")


@pytest.mark.parametrize(
    ("make", "path", "reason"),
    [
        (_link_out, "swimming/x.mp4", "a link that leads out of the videos' folder"),
        (_folder_link_out, "linked/x.mp4", "a link that leads out of the videos' folder"),
        (lambda root: (root / "swimming/x.mp4").symlink_to("nowhere.mp4"), "swimming/x.mp4", "no such file"),
        (lambda root: (root / "swimming/x.mp4").symlink_to("x.mp4"), "swimming/x.mp4", "cannot be read: "),
        (lambda root: (root / "swimming/x.mp4").mkdir(), "swimming/x.mp4", "not a regular file"),
        (lambda root: os.mkfifo(root / "swimming/x.mp4"), "swimming/x.mp4", "not a regular file"),
        (lambda root: None, "swimming/a.mp4/x.mp4", "cannot be read: Not a directory"),
        (lambda root: None, f"swimming/{'x' * 300}.mp4", "cannot be read: File name too long"),
    ],
    ids=["link", "folder link", "broken link", "link to itself", "folder", "fifo", "below a file", "long name"],
)
def test_what_is_no_file_below_the_folder_is_left_out_with_a_reason(root, make, path, reason):
    make(root)
    found = build(annotations("swimming/a.mp4", path), root, most=0.5)
    assert found.videos["video_id"].to_pylist() == ["swimming/a"]
    assert reasons(found.missing)[path.rpartition(".")[0]].startswith(reason)


def test_a_refused_link_says_where_it_leads_and_which_key_would_allow_it(root):
    _link_out(root)
    found = build(annotations("swimming/a.mp4", "swimming/x.mp4"), root, most=0.5)
    leads = f"to {root.parent.resolve()}/outside.mp4; dataset.stores names where links may lead"
    assert reasons(found.missing)["swimming/x"].endswith(leads)


@pytest.mark.parametrize("make", [_link_out, _folder_link_out], ids=["every video a link", "folders on other disks"])
def test_a_link_may_lead_to_a_store_and_later_stages_open_the_file_there(root, make):
    """As DVC's cache with `cache.type symlink`, git-annex and the caches of hubs keep files."""
    make(root)
    path = "swimming/x.mp4" if make is _link_out else "linked/x.mp4"
    videos = build(annotations("swimming/a.mp4", path), root, stores=[root.parent]).videos
    assert videos["video_id"].to_pylist() == ["swimming/a", path.removesuffix(".mp4")]
    stored = Path(videos["path"][1].as_py())
    assert videos["path"][0].as_py() == "swimming/a.mp4"
    assert root / stored == stored.resolve() == (root / path).resolve()
    assert stored.read_bytes() == b"secret"
    check(root / stored, bytes=6, sha256=videos["sha256"][1].as_py())
    refused = pytest.raises(Undecodable, match="not a regular file but a symbolic link")
    with refused if make is _link_out else nullcontext():
        check(root / path, bytes=6, sha256=videos["sha256"][1].as_py())  # never by the link


def test_a_link_from_one_store_to_elsewhere_is_refused(root):
    _link_out(root)
    (root.parent / "store").mkdir()
    (root.parent / "store/x.mp4").symlink_to(root.parent / "outside.mp4")
    (root / "swimming/y.mp4").symlink_to(root.parent / "store/x.mp4")
    found = build(annotations("swimming/a.mp4", "swimming/y.mp4"), root, stores=[root.parent / "store"], most=0.5)
    assert "outside.mp4; dataset.stores" in reasons(found.missing)["swimming/y"]


def test_a_folder_whose_name_only_begins_as_a_store_is_none(root):
    (root.parent / "store").mkdir()
    (root.parent / "store2").mkdir()
    (root.parent / "store2/x.mp4").write_bytes(b"secret")
    (root / "swimming/y.mp4").symlink_to(root.parent / "store2/x.mp4")
    found = build(annotations("swimming/a.mp4", "swimming/y.mp4"), root, stores=[root.parent / "store"], most=0.5)
    assert list(reasons(found.missing)) == ["swimming/y"]


def test_an_absent_store_is_named(root):
    with pytest.raises(PlainError, match=r"dataset\.stores: found no folder at .*nowhere"):
        build(GOOD, root, stores=[root / "nowhere"])


@pytest.mark.parametrize(("written", "there", "form"), [("NFC", "NFD", "NFD"), ("NFD", "NFC", "NFC")])
def test_a_name_that_differs_in_its_unicode_form_is_told(root, written, there, form):
    name = "swimming/Café.mp4"
    (root / unicodedata.normalize(there, name)).write_bytes(b"x")
    found = build(annotations("swimming/a.mp4", unicodedata.normalize(written, name)), root, most=0.5)
    (reason,) = reasons(found.missing).values()
    assert reason == f"no such file; one whose name is written in Unicode's {form} is there: rename it, or write it so"


def test_links_that_stay_inside_are_followed_and_the_folder_itself_may_be_one(root):
    (root / "swimming/x.mp4").symlink_to("a.mp4")
    (root.parent / "here").symlink_to(root)
    videos = build(annotations("swimming/x.mp4"), root.parent / "here").videos
    assert videos["sha256"].to_pylist() == [hashlib.sha256(b"swimming/a.mp4").hexdigest()]
    assert videos["path"].to_pylist() == ["swimming/a.mp4"]  # the file, which later stages open without a link


def test_unlabelled_videos_are_named_and_do_not_count_as_missing(root):
    found = build(annotations("swimming/a.mp4", unlabelled=("B",)), root)
    assert reasons(found.missing) == {"B": index.UNLABELLED}


def test_the_tables_do_not_depend_on_order_or_workers(root, tmp_path):
    paths = [f"swimming/{n:04d}.mp4" for n in range(1500)]  # several batches
    for path in paths:
        (root / path).write_bytes(path.encode())
    shuffled = random.Random(0).sample(paths, len(paths))
    for name, order, workers in (("one", paths, 1), ("other", shuffled, 8)):
        tables.write("videos", tmp_path / name, build(annotations(*order), root, workers=workers).videos)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_the_closing_line_counts(root):
    what = annotations("swimming/a.mp4", "swimming/gone.mp4")._replace(merged_labels=3)
    line = index.summary(what, build(what, root, most=0.5))
    assert line == (
        "1 videos (1 train, 0 val, 0 test) with 1 labels of 2 actions; 3 labels that their line repeats, merged; "
        "1 left out, with reasons in missing.parquet: swimming/gone"
    )
