"""A data set in M-MiT's layout: three training videos and one for validation, of two actions."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset.sample.write import write_video
from pipeline.doctor import weights
from pipeline.foundations.params import Params

ANNOTATIONS = {
    "moments_categories.txt": "singing,0\nplaying+music,1\n",
    "trainingSet.txt": "singing/a.mp4,0,1\nsinging/b.mp4,0\nplaying+music/c.mp4,1,0\n",
    "validationSet.txt": "singing/d.mp4,0\n",
}
VIDEOS = ("singing/a.mp4", "singing/b.mp4", "playing+music/c.mp4", "singing/d.mp4")
SOUND = (np.sin(np.arange(8_000) * 0.3) * 9_000).astype(np.int16)


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every host answers, as far as the doctor can tell; no test asks one."""
    monkeypatch.setattr(weights, "unreachable", lambda _: "")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a project whose data set is whole."""
    write_data(tmp_path)
    return tmp_path


def write_data(root: Path) -> None:
    """Annotation files, and half a second of noise for each video, with sound but for the last."""
    (root / "annotations").mkdir()
    for name, content in ANNOTATIONS.items():
        (root / "annotations" / name).write_text(content)
    for number, name in enumerate(VIDEOS):
        path = root / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        planes = np.random.default_rng(number).integers(0, 256, (15, 96 * 64 * 3 // 2), dtype=np.uint8)
        sound = SOUND if number < 3 else None
        write_video(path, planes, size=(96, 64), fps=30, sound=sound, rate=16_000)


@pytest.fixture
def own(params: Params) -> Params:
    """The committed parameters, of a data set of one's own below the project's folder."""
    parts = {"annotations": "annotations", "videos": "videos", "watch": "annotations"}
    dataset = {"source": "mmit", "folder": "."} | parts
    train = params.train.model_copy(update={"batch": 1, "epochs": 100})  # for three training videos
    return params.model_copy(update={"dataset": params.dataset.model_copy(update=dataset), "train": train})
