import pickle
from collections import Counter
from io import FileIO

import numpy as np
import pytest

from pipeline.clips import packs
from pipeline.clips.codecs import CODECS
from pipeline.clips.packs import Copy, Exclusion, Packs, PackWriter, pack_name, read_contents
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables

VIDEOS = {"a": [b"one", b"two!", b"three"], "b": [b"4"], "c": [b"", b"six"]}


@pytest.fixture
def folder(tmp_path):
    """Three videos in two packs, of bytes that need not be JPEG to be told apart."""
    rows = []
    for number, names in enumerate((("a", "b"), ("c",))):
        with (tmp_path / pack_name(number)).open("wb") as file:
            writer = PackWriter(file)
            for name in names:
                writer.add(name, width=4, height=3, fps=30.0, stored=VIDEOS[name])
            rows += [(copy, number) for copy in writer.close().copies]
    columns = {name: [getattr(copy, name) for copy, _ in rows] for name in Copy._fields}
    table = tables.from_columns("clips", columns | {"pack": [number for _, number in rows]})
    tables.write("clips", tmp_path / packs.TABLE, table)
    return tmp_path


def test_packs_of_different_codecs_have_different_names():
    assert len({codec.suffix for codec in CODECS.values()}) == len(CODECS)


def test_what_was_written_is_read_back(folder):
    with Packs(folder) as opened:
        assert opened.video_ids.to_pylist() == ["a", "b", "c"]
        assert opened.sizes.tolist() == [[4, 3]] * 3
        assert opened.fps.tolist() == [30.0] * 3
        for number, stored in enumerate(VIDEOS.values()):
            assert opened.frames(number) == len(stored)
            assert opened.stored(number, range(len(stored))) == stored


def test_frames_come_in_the_order_asked_and_as_often(folder):
    with Packs(folder) as opened:
        assert opened.stored(0, [2, 0, 2]) == [b"three", b"one", b"three"]


@pytest.mark.parametrize(("codec", "decoded"), [("h264", 1 + 9 + 11), ("jpeg", 3)])
def test_frames_far_apart_are_decoded_without_most_between_them(tmp_path, monkeypatch, params, codec, decoded):
    """Of H.264 from each one's key frame; each is the picture that it is by itself."""
    reel = np.random.default_rng(0).integers(0, 256, (100, 16, 24, 3), dtype=np.uint8)
    with (tmp_path / pack_name(0, codec)).open("wb") as file:
        writer = PackWriter(file)
        stored = list(CODECS[codec].encode(((picture, 1) for picture in reel), params.clips))
        writer.add("a", width=24, height=16, fps=30.0, stored=stored)
        (copy,) = writer.close().copies
    columns = {name: [getattr(copy, name)] for name in ("video_id", "width", "height", "fps", "offsets")}
    tables.write("clips", tmp_path / packs.TABLE, tables.from_columns("clips", columns | {"pack": [0]}))
    with Packs(tmp_path) as opened:
        alone = {frame: opened.pictures(0, [frame])[0] for frame in (90, 0, 40)}
        read, whole = [], opened.stored
        monkeypatch.setattr(opened, "stored", lambda video, frames: read.append(len(frames)) or whole(video, frames))
        together = opened.pictures(0, [90, 0, 40, 0])
        assert sum(read) == decoded
        assert np.array_equal(together, [alone[frame] for frame in (90, 0, 40, 0)])
        read.clear()
        assert len(opened.pictures(0, range(8, 24, 2))) == 8
        assert read == [23 if codec == "h264" else 15]


def test_a_pack_describes_itself(tmp_path):
    with (tmp_path / "pack").open("wb") as file:
        writer = PackWriter(file)
        writer.add("ä/1", width=5, height=6, fps=29.97, stored=[b"12", b"345"])
        writer.exclude("broken", "no picture")
        closed = writer.close()
    assert closed == read_contents(tmp_path / "pack")
    assert closed.copies == (Copy("ä/1", 5, 6, 29.97, (0, 2, 5)),)
    assert closed.excluded == (Exclusion("broken", "no picture"),)


def test_an_empty_pack_describes_itself_too(tmp_path):
    with (tmp_path / "pack").open("wb") as file:
        PackWriter(file).close()
    assert read_contents(tmp_path / "pack") == ((), ())


def test_a_pack_is_opened_once_and_kept(folder, monkeypatch):
    opens = Counter()
    monkeypatch.setattr(packs.io, "FileIO", lambda path: opens.update([path.name]) or FileIO(path))
    with Packs(folder) as opened:
        for _ in range(3):
            assert opened.stored(0, [0]) == [b"one"]
            assert opened.stored(2, [1]) == [b"six"]
    assert opens == {pack_name(0): 1, pack_name(1): 1}


def test_where_a_process_may_keep_few_files_open_the_least_used_are_closed(folder, monkeypatch):
    monkeypatch.setattr(packs, "room_for_open_files", lambda wanted: wanted - 1)
    with Packs(folder) as opened:
        for _ in range(2):
            assert opened.stored(0, [0]) == [b"one"]
            assert opened.stored(2, [1]) == [b"six"]
            assert len(opened._open) == 1


def test_packs_travel_to_another_process_without_open_files(folder):
    with Packs(folder) as opened:
        opened.stored(0, [0])
        with pickle.loads(pickle.dumps(opened)) as travelled:
            assert travelled._open == {}
            assert travelled.stored(0, [1]) == [b"two!"]


def test_a_pack_cut_short_is_named(folder):
    (folder / pack_name(0)).write_bytes(b"onetw")
    with Packs(folder) as opened, pytest.raises(PlainError, match=r"pack-000000\.bin: ends before the frames of a"):
        opened.stored(0, [0, 1])


def test_an_absent_pack_is_named(folder):
    (folder / pack_name(1)).unlink()
    with Packs(folder) as opened, pytest.raises(PlainError, match=r"pack-000001\.bin: cannot be read"):
        opened.stored(2, [0])
