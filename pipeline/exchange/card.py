"""A model card in the hub's format: what, from what, how well, and what for it is not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.model.checkpoint import Description

CARD = """---
license: {licence}
library_name: onnx
pipeline_tag: video-classification
tags: [action-recognition, multi-label, multi-modal, graph-convolutional-network]
{index}---

# Multi-label actions of three-second videos

{backbone} with {heads} ({relation}), after Shi et al., "Multi-Modal Multi-Action Video Recognition",
ICCV 2021. It gives each of {actions} actions a score in [0, 1]; actions do not exclude one another.

## Use

```console
pip install onnxruntime av numpy
python infer.py --check     # the reference video gives its expected scores
python infer.py some.mp4
```

`model.onnx` takes `clips` (batch x 3 x frames x crop x crop, any batch); `preprocess.json` says how they are made.

## Data

{data}

## Measured

{measured}
## Limits

{limits}
- It sees pictures alone: audio and text relations were learnt in training and are part of the weights; it never hears
  the video that it scores.
- Scores are no calibrated probabilities: choose a threshold on videos of your own.
- It knows its {actions} actions and nothing else: something else gets scores, too.

## Licence

{terms}
"""
INDEX = """model-index:
  - name: m3a
    results:
      - task:
          type: video-classification
        dataset:
          type: {source}
          name: {source}
          split: {split}
        metrics:
{results}"""
MEASURED = """On the {split} split, in percent, with 95% bootstrap intervals over videos. It is one training
seed, whose noise is in none of them:

| metric | this model | by training frequency | chance |
|---|---|---|---|
{table}
"""
NOT_MEASURED = "Not evaluated: no run here has scored this very model.\n"
LICENCE = (
    "infer.py is Apache 2.0. The weights were learnt from a data set and pretrained weights with terms of their own; "
    "say here which, before you share them."
)
OURS = "The code, the sample and this model: Apache 2.0."


def card(about: Description, *, data: Mapping[str, Any], metrics: pa.Table | None, split: str) -> str:
    """The hub's metadata as YAML, then the card as Markdown.

    Args:
        about: the model.
        data: section `dataset` of params.yaml.
        metrics: of the run that evaluated this very model; None where none did.
        split: that it was evaluated on.
    """
    sample = data["source"] == "sample"
    rows = {(row["row"], row["metric"]): row for row in metrics.to_pylist()} if metrics else {}
    names = [metric for row, metric in rows if row == "model"]
    results = "".join(
        f"          - type: {name}\n            value: {rows['model', name]['value']:.2f}\n" for name in names
    )
    table = "\n".join(_line(name, rows) for name in names)
    return CARD.format(
        licence="apache-2.0" if sample else "other",
        index=INDEX.format(source=data["source"], split=split, results=results) if results else "",
        backbone=about.design.backbone.name,
        heads=" + ".join(about.design.model.heads),
        relation=about.design.model.relation,
        actions=len(about.actions),
        data=_data(data),
        measured=MEASURED.format(split=split, table=table) if results else NOT_MEASURED,
        limits=_limits(sample),
        terms=OURS if sample else LICENCE,
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
