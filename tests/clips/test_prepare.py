from functools import partial

import numpy as np
import pytest

from pipeline.clips.packs import EXCLUDED, TABLE, Packs
from pipeline.clips.prepare import check_file_count, prepare, sources_of
from pipeline.foundations.media.frames import read_frames
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project's root for all tests of this module, with its own `.cache`."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("project")
        patch.chdir(root)
        yield root / "clips"


def _prepare(sources, *, target, **how):
    return prepare(target, sources, **how)


@pytest.fixture(scope="module")
def make(params, folder):
    """`prepare` with the sample's bounds, copies of short side 24, two videos a pack."""
    clips = params.clips.model_copy(update={"short_side": 24, "shard_size": 2, "max_failure_rate": 0.2})
    execution = params.execution.model_copy(update={"workers": 1})
    frames = params.frames.model_copy(update={"fps": 30.0})
    return partial(_prepare, target=folder, clips=clips, frames=frames, media=params.media, execution=execution)


@pytest.fixture(scope="module")
def made(make, sources):
    return make(sources)


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def packs_in_progress(folder):
    return (folder.parent / ".cache" / "prepare_clips").glob("*/000/*.bin")


def test_copies_hold_every_frame_of_the_time_line(made, params, sources, folder):
    assert (made.videos, made.excluded, made.frames, made.packs) == (5, 1, 100, 3)
    by_name = {source.video_id: source.path for source in sources}
    with Packs(folder) as packs:
        assert packs.video_ids.to_pylist() == ["v0", "v1", "v2", "v3", "v4"]
        assert packs.sizes.tolist() == [[32, 24], [24, 32], [32, 24], [24, 32], [32, 24]]
        for number, name in enumerate(packs.video_ids.to_pylist()):
            stored = packs.pictures(number, range(packs.frames(number)))
            source = read_frames(by_name[name], params.media, fps=30.0, short_side=24, scaling="sharp").pixels
            assert stored.shape == source.shape
            assert np.abs(stored.astype(float) - source).mean() < 1.5  # JPEG at quality 95


def test_a_broken_video_is_left_out_by_name_and_nothing_takes_its_place(made, folder):
    excluded = tables.read("exclusions", folder / EXCLUDED)
    assert excluded["video_id"].to_pylist() == ["v2b"]
    assert excluded["reason"].to_pylist()[0]
    assert tables.read("clips", folder / TABLE).num_rows == 5


def test_a_changed_or_absent_video_is_left_out(make, sources, tmp_path):
    changed = [source._replace(sha256="0" * 64) if source.video_id == "v4" else source for source in sources[:3]]
    absent = sources[4]._replace(path=tmp_path / "nowhere.mp4")
    gone = sources[5]._replace(sha256="0" * 64)
    with pytest.raises(
        PlainError, match=r"2 of 5 videos failed .* clips\.max_failure_rate allows 20\.00%[^|]*v4: changed"
    ):
        make([*changed, absent, gone])


def test_a_failure_leaves_the_old_folder_and_keeps_the_finished_packs(made, make, params, sources, folder):
    before, earlier = contents(folder), set(packs_in_progress(folder))
    strict = params.clips.model_copy(update={"short_side": 20, "shard_size": 3, "max_failure_rate": 0.0})
    with pytest.raises(PlainError, match="1 of 6 videos failed"):
        make(sources, clips=strict)
    assert contents(folder) == before
    assert len(set(packs_in_progress(folder)) - earlier) == 2


@pytest.mark.parametrize(("workers", "threads"), [(2, 1), (1, 3)])
def test_two_workers_threads_and_another_order_leave_the_same_bytes(
    made, make, params, sources, folder, workers, threads
):
    one = {name: data for name, (data, _) in contents(folder).items()}
    execution = params.execution.model_copy(update={"workers": workers, "threads": threads})
    make(list(reversed(sources)), execution=execution)
    assert {name: data for name, (data, _) in contents(folder).items()} == one


def test_h264_copies_hold_the_same_frames_in_fewer_bytes(made, make, params, sources, folder, tmp_path):
    """Encoded in the sandboxed process; the same bytes for any number of workers."""
    clips = params.clips.model_copy(
        update={"short_side": 24, "shard_size": 2, "max_failure_rate": 0.2, "codec": "h264", "crf": 12}
    )
    with Packs(folder) as packs:
        jpegs = [packs.pictures(number, range(packs.frames(number))) for number in range(len(packs))]
    found = []
    for workers in (1, 2):
        execution = params.execution.model_copy(update={"workers": workers})
        target = tmp_path / str(workers)
        again = make(sources, target=target, clips=clips, execution=execution)
        assert again[:4] == made[:4]
        assert again.bytes < made.bytes
        found.append({path.name: path.read_bytes() for path in target.iterdir()})
    assert found[0] == found[1]
    assert sorted(found[0])[2:] == ["pack-000000.h264", "pack-000001.h264", "pack-000002.h264"]
    with Packs(tmp_path / "1") as packs:
        for number, expected in enumerate(jpegs):
            pictures = packs.pictures(number, range(packs.frames(number)))
            assert np.abs(pictures.astype(float) - expected).mean() < 4
            assert (packs.pictures(number, [17, 3]) == pictures[[17, 3]]).all()


def test_too_many_files_are_refused_with_the_size_that_is_enough():
    check_file_count(1_000_000, 101)
    with pytest.raises(PlainError, match=r"clips\.shard_size: 64 makes 15,625 pack files .* raise it to 101 or more"):
        check_file_count(1_000_000, 64)


def test_sources_are_the_videos_of_the_splits_alone(tmp_path):
    ids = ["a", "b", "c"]
    videos = tables.from_columns(
        "videos",
        {"video_id": ids, "path": ["x/a.mp4", "x/b.mp4", "y/c.mp4"], "split": ["train", "train", "val"],
         "actions": [[0]] * 3, "bytes": [1, 2, 3], "sha256": ["s", "t", "u"]},
    )  # fmt: skip
    splits = [
        tables.from_columns("splits", {"video_id": [name], "actions": [[0]], "drawn_for": [None]}) for name in "ac"
    ]
    found = sources_of(videos, splits, tmp_path)
    assert found == [("a", tmp_path / "x/a.mp4", 1, "s"), ("c", tmp_path / "y/c.mp4", 3, "u")]
