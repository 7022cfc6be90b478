"""A model folder that stands alone: the ONNX file, how a video becomes its input, code that does so, and a check.

model.onnx        clips (batch x 3 x frames x crop x crop) to scores (batch x actions); `batch` is free
preprocess.json   the actions, and how clips are made
infer.py          the same in a hundred lines that need onnxruntime, av and numpy alone
reference.mp4     a short made-up video, and
reference.json    the trained model's scores for it, which infer.py --check holds ONNX Runtime's against
README.md         a model card in the hub's format
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.sample.write import write_video
from pipeline.evaluate.testing import score_video
from pipeline.foundations.media.frames import reader
from pipeline.foundations.media.guard import Guard
from pipeline.foundations.params import Evaluate, Media
from pipeline.foundations.runtime import files
from pipeline.foundations.tables.seeds import generator
from pipeline.model.checkpoint import Description
from pipeline.model.determinism import reproducible
from pipeline.model.model import MultiActionModel
from pipeline.model.positions import counted_at

SIZE, FPS, SECONDS = (160, 120), 30, 3
TESTING = ("temporal_views", "spatial_views", "short_side", "crop", "combine", "batch")


def write_folder(
    folder: Path, model: MultiActionModel, about: Description, *, evaluate: Evaluate, media: Media, card: str
) -> None:
    """Write all but `model.onnx` into `folder`, which `pipeline.exchange.export` has written.

    Raises:
        PlainError: a file cannot be written.
    """
    how = preprocess(about, evaluate)
    _write_json(folder / "preprocess.json", how)
    with files.atomic_write(folder / "infer.py") as draft:
        shutil.copyfile(Path(__file__).with_name("infer.py"), draft)
    _write_reference(folder / "reference.mp4")
    frames = about.design.frames
    with reproducible(threads=1), Guard(media) as guard:
        video = guard.call(reader(frames, evaluate.short_side), folder / "reference.mp4", media)
        scores_N = score_video(model, video.pixels, counted_at(frames, video.fps), evaluate)
    _write_json(folder / "reference.json", {"scores": [float(score) for score in scores_N]})
    files.write_text(folder / "README.md", card)


def preprocess(about: Description, evaluate: Evaluate) -> dict[str, Any]:
    """What infer.py has to know: `frames` and `evaluate` of params.yaml, flat, and the actions."""
    return {
        "actions": list(about.actions),
        **about.design.frames.model_dump(),
        **evaluate.model_dump(include=set(TESTING)),
    }


def _write_reference(path: Path) -> None:
    """Bands of colour that drift over noise, from a fixed seed."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    noise = generator(0, "reference").integers(-20, 20, (height, width))
    planes = []
    for tick in range(FPS * SECONDS):
        luma = 128 + 60 * np.sin((x + 3 * tick) / 17) + 40 * np.sin((y - tick) / 11) + noise
        chroma = [128 + 70 * np.sin((x + turn * y + 2 * tick) / 23)[::2, ::2] for turn in (1, -1)]
        planes.append(np.concatenate([plane.clip(16, 235).astype(np.uint8).ravel() for plane in (luma, *chroma)]))
    with files.atomic_write(path) as draft:
        write_video(draft, np.stack(planes), size=SIZE, fps=FPS, sound=None, rate=0)


def _write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    files.write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
