"""Folders of annotation files, written by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

CATEGORIES = b"swimming,0\nplaying+music,1\nhitting/colliding,2\n"
TRAINING = b"swimming/a.mp4,0\nplaying+music/b.mp4,1,2\n"
VALIDATION = b"swimming/c.mp4,0,2\n"


@pytest.fixture
def mmit_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes an M-MiT folder; every file can be given, `None` leaves it out."""

    def write(
        *,
        categories: bytes | None = CATEGORIES,
        train: bytes | None = TRAINING,
        val: bytes | None = VALIDATION,
        test: bytes | None = None,
    ) -> Path:
        files = {
            "moments_categories.txt": categories,
            "trainingSet.txt": train,
            "validationSet.txt": val,
            "testSet.txt": test,
        }
        for name, content in files.items():
            if content is not None:
                (tmp_path / name).write_bytes(content)
        return tmp_path

    return write


@pytest.fixture
def charades_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a Charades folder from the rows' `id` and `actions`, in the published columns."""
    header = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"

    def row(video_id: str, actions: str) -> str:
        return f'{video_id},HR43,Kitchen,6,7,Yes,"A person, cooking.",food;stove,"Two\nlines.",{actions},24.83'

    def write(
        train: dict[str, str], val: dict[str, str], *, classes: str = "c000 Holding some clothes\nc001 Running\n"
    ) -> Path:
        (tmp_path / "Charades_v1_classes.txt").write_text(classes)
        for name, rows in (("train", train), ("test", val)):
            lines = [header, *(row(video_id, actions) for video_id, actions in rows.items())]
            (tmp_path / f"Charades_v1_{name}.csv").write_text("\n".join(lines) + "\n")
        return tmp_path

    return write
