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
import pyarrow as pa

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


def card(about: Description, *, data: Mapping[str, Any], metrics: pa.Table | None, split: str) -> str:
    """A model card: the hub's metadata as YAML, then what, from what, how well, and what for it is not.

    Args:
        about: the model.
        data: section `dataset` of params.yaml.
        metrics: of the run that evaluated this very model; None where none did.
        split: that it was evaluated on.
    """
    sample = data["source"] == "sample"
    rows = {(row["row"], row["metric"]): row for row in metrics.to_pylist()} if metrics else {}
    names = [metric for row, metric in rows if row == "model"]
    heads, backbone = " + ".join(about.design.model.heads), about.design.backbone.name
    results = "".join(
        f"          - type: {name}\n            value: {rows['model', name]['value']:.2f}\n" for name in names
    )
    index = (
        "model-index:\n  - name: m3a\n    results:\n      - task:\n          type: video-classification\n"
        f"        dataset:\n          type: {data['source']}\n          name: {data['source']}\n"
        f"          split: {split}\n"
        f"        metrics:\n{results}"
        if results
        else ""
    )
    table = "\n".join(_line(name, rows) for name in names)
    measured = (
        f"On the {split} split, in percent, with 95% bootstrap intervals over videos. It is one training\n"
        f"seed, whose noise is in none of them:\n\n"
        f"| metric | this model | by training frequency | chance |\n|---|---|---|---|\n{table}\n"
        if results
        else "Not evaluated: no run here has scored this very model.\n"
    )
    licence = "apache-2.0" if sample else "other"
    return f"""---
license: {licence}
library_name: onnx
pipeline_tag: video-classification
tags: [action-recognition, multi-label, multi-modal, graph-convolutional-network]
{index}---

# Multi-label actions of three-second videos

{backbone} with {heads} ({about.design.model.relation}), after Shi et al., "Multi-Modal Multi-Action Video Recognition",
ICCV 2021. It gives each of {len(about.actions)} actions a score in [0, 1]; actions do not exclude one another.

## Use

```console
pip install onnxruntime av numpy
python infer.py --check     # the reference video gives its expected scores
python infer.py some.mp4
```

`model.onnx` takes `clips` (batch x 3 x frames x crop x crop, any batch); `preprocess.json` says how they are made.

## Data

{_data(data)}

## Measured

{measured}
## Limits

{_limits(sample)}
- It sees pictures alone: audio and text relations were learnt in training and are part of the weights; it never hears
  the video that it scores.
- Scores are no calibrated probabilities: choose a threshold on videos of your own.
- It knows its {len(about.actions)} actions and nothing else: something else gets scores, too.

## Licence

{"The code, the sample and this model: Apache 2.0." if sample else LICENCE}
"""


LICENCE = (
    "infer.py is Apache 2.0. The weights were learnt from a data set and pretrained weights with terms of their own; "
    "say here which, before you share them."
)


def _line(name: str, rows: Mapping[tuple[str, str], Mapping[str, float]]) -> str:
    model = rows["model", name]
    others = " | ".join(f"{rows[row, name]['value']:.1f}" for row in ("frequency", "chance"))
    return f"| {name} | {model['value']:.1f} ({model['low']:.1f} to {model['high']:.1f}) | {others} |"


def _data(data: Mapping[str, Any]) -> str:
    if data["source"] == "sample":
        return "The project's bundled sample: rendered clips of moving shapes with sounds, under names of actions."
    return f"`{data['source']}`, read from `{Path(data['folder']).name}`."


def _limits(sample: bool) -> str:
    if sample:
        return "- It has seen moving shapes alone, and says nothing about real videos."
    return "- It is as good, and as biased, as the videos and labels that it learnt from."


def _write_json(path: Path, content: Mapping[str, Any] | Sequence[Any]) -> None:
    files.write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
