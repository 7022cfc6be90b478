from pathlib import Path

import av
import numpy as np

from pipeline.clips.packs import Packs
from pipeline.foundations.runtime.files import sha256
from pipeline.foundations.tables import tables
from stages import prepare_clips

ROOT = Path(__file__).resolve().parents[2]


def test_the_stage_copies_the_videos_of_the_training_and_validation_splits(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    text = (
        (ROOT / "params.yaml")
        .read_text()
        .replace("folder: data/raw ", "folder: . ")
        .replace("sample/videos ", "videos ")
    )
    Path("params.yaml").write_text(text)
    Path("videos").mkdir()
    for name in "abc":
        with av.open(f"videos/{name}.mp4", "w") as container:
            stream = container.add_stream("mpeg4", rate=30)
            stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
            for _ in range(6):
                frame = av.VideoFrame.from_ndarray(np.full((80, 96, 3), 99, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    files = [Path(f"videos/{name}.mp4") for name in "abc"]
    columns = {
        "video_id": list("abc"), "path": [file.name for file in files], "split": ["train", "val", "test"],
        "actions": [[0]] * 3, "bytes": [file.stat().st_size for file in files], "sha256": list(map(sha256, files)),
    }  # fmt: skip
    tables.write("videos", Path("data/index/videos.parquet"), tables.from_columns("videos", columns))
    for split, name in (("train", "a"), ("val", "b")):
        rows = tables.from_columns("splits", {"video_id": [name], "actions": [[0]], "drawn_for": [None]})
        tables.write("splits", Path(f"data/splits/{split}.parquet"), rows)

    prepare_clips.main()

    with Packs(Path("data/clips")) as packs:
        assert packs.video_ids.to_pylist() == ["a", "b"]
        assert packs.sizes.tolist() == [[115, 96]] * 2
    assert "2 videos as 6 frames" in capfd.readouterr().err
