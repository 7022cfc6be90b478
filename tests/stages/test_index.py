"""Stage `index` on a folder in M-MiT's layout, as a person would run it."""

import hashlib
from pathlib import Path

import pytest

from pipeline.foundations.runtime.network import ask_aside
from pipeline.foundations.tables import tables
from stages import index

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose data set lies outside it, in three files with life's line endings."""
    data = tmp_path / "elsewhere"
    for name in ("swimming/a b.MP4", "swimming/c.mp4", "playing+music/d.mp4"):
        (data / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (data / "videos" / name).write_bytes(name.encode())
    (data / "moments_categories.txt").write_bytes(b"swimming,0\r\nplaying+music,1\r\n")
    (data / "trainingSet.txt").write_bytes(b"\xef\xbb\xbfswimming/c.mp4,0\r\nswimming/a b.MP4,1,0,1\r\n\r\n")
    (data / "validationSet.txt").write_bytes(b"playing+music/d.mp4,1")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    text = (ROOT / "params.yaml").read_text().replace("source: sample ", "source: mmit ")
    for old, new in (
        ("folder: data/raw ", f"folder: {data} "),
        (": sample/videos ", ": videos "),
        (": sample  ", ": . "),
    ):
        text = text.replace(old, new)
    Path("params.yaml").write_text(text)
    return data


def test_the_stage_writes_its_three_tables(project, capfd):
    index.main()
    videos = tables.read("videos", Path("data/index/videos.parquet")).to_pylist()
    assert [video["video_id"] for video in videos] == ["playing+music/d", "swimming/a b", "swimming/c"]
    assert videos[1] == {
        "video_id": "swimming/a b", "path": "swimming/a b.MP4", "split": "train", "actions": [0, 1], "bytes": 16,
        "sha256": hashlib.sha256(b"swimming/a b.MP4").hexdigest(),
    }  # fmt: skip
    actions = tables.read("actions", Path("data/index/actions.parquet"))
    assert actions["words"].to_pylist() == [["swimming"], ["playing", "music"]]
    assert tables.read("exclusions", Path("data/index/missing.parquet")).num_rows == 0
    assert capfd.readouterr().err.splitlines()[-1] == (
        "index: 3 videos (2 train, 1 val, 0 test) with 4 labels of 2 actions; 1 labels that their line repeats, merged"
    )


def test_a_second_run_gives_the_same_bytes(project):
    index.main()
    first = {path: path.read_bytes() for path in Path("data/index").iterdir()}
    index.main()
    assert {path: path.read_bytes() for path in Path("data/index").iterdir()} == first


def test_a_fault_is_one_plain_line_and_no_table(project, capfd):
    (project / "validationSet.txt").write_bytes(b"playing+music/d.mp4,2")
    with pytest.raises(SystemExit) as caught:
        index.main()
    assert caught.value.code == 1
    error = capfd.readouterr().err
    assert "validationSet.txt: line 1: found the label '2', expected an index from 0 to 1" in error
    assert "Traceback" not in error
    assert not Path("data/index").exists()


def test_a_host_of_weights_that_cannot_be_reached_is_told_by_the_first_stage(project, capfd, monkeypatch):
    monkeypatch.setattr(index, "downloads", lambda params: {"backbone.weights": "http://127.0.0.1:9/a.pth"})
    monkeypatch.setattr(index, "ask_aside", lambda *asked: ask_aside(*asked).join())
    index.main()
    said = capfd.readouterr().err
    assert "index: warning: 127.0.0.1:9 cannot be reached from here, and backbone.weights names weights there" in said
    Path("models/pretrained").mkdir(parents=True)
    Path("models/pretrained/weights.json").touch()
    index.main()
    assert "cannot be reached" not in capfd.readouterr().err
