"""Our own frozen features as a folder of imported ones: for other heads, other machines, other people.

What stage `freeze` computed of training and validation videos, and of every view of the scored ones, with labels and
whitened sounds; imported again, it is the same to the last bit.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.exchange.feature_folder import Item, Origin, write_folder
from pipeline.foundations.params import Params
from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.manifest import Manifest
from pipeline.model.checkpoint import WEIGHTS
from pipeline.train.frozen import BACKBONE, SPLITS
from pipeline.train.split import read_split

FEATURES, VIEW_FEATURES = Path("data/frozen/features"), Path("data/frozen/view_features.parquet")
Forms = dict[str, np.ndarray]
"""Whitened sounds by video id, P each; a video without one is not there."""


def export_features(target: Path, root: Path, params: Params, *, licence: str) -> Manifest:
    """Write the folder `target` from the frozen features of the project at `root`.

    Raises:
        PlainError: there are none, they are imported ones, or their videos are others than the project's.
    """
    if params.dataset.source == "features":
        raise PlainError(f"dataset.source is features: what you would export is in {params.dataset.folder} already")
    if params.backbone.pooling != "global":
        raise PlainError("backbone.pooling is released, which gives several vectors a view: set it to global")
    names = tables.read("actions", root / "data/index/actions.parquet")["action"].to_pylist()
    weights = root / FEATURES / BACKBONE / WEIGHTS
    if not weights.is_file():
        raise PlainError(
            f"{weights}: there are no frozen features; set `runs: [ablate]` in data/frozen/params.yaml, then "
            "`dvc repro data/frozen/dvc.yaml:freeze@ablate`"
        )
    origin = Origin(
        title=f"features of {params.backbone.name}, {params.dataset.source}",
        origin="m3a export-features",
        licence=licence,
        model=params.backbone.name,
        sound_model=params.vggish.source,
        revision=files.sha256(weights),
        preprocessing=params.frames.model_dump_json(),
        sound_preprocessing=f"whitening {params.whitening.method}",
        standardize=False,
        constant=None,
        of_sound=False,
        whitened=True,
        quantization=None,
        sound_quantization=None,
    )
    return write_folder(target, _items(root, names, params.evaluate.split), names, origin)


def _items(root: Path, names: list[str], tested: str) -> Iterator[Item]:
    forms = _forms(root / "data/features/whitened.parquet")
    copies = tables.read("clips", root / "data/clips/clips.parquet")["video_id"]
    for split in SPLITS:
        if split != tested:
            table = tables.read("splits", root / f"data/splits/{split}.parquet")
            kept = table.filter(pc.is_in(table["video_id"], value_set=copies))
            views_VBC = read_split(root / FEATURES / split).views.numpy()
            if views_VBC.shape[1] != kept.num_rows:
                raise PlainError(
                    f"{FEATURES / split}: found features of {views_VBC.shape[1]:,} videos, {kept.num_rows:,} have a "
                    "copy; run stage freeze again"
                )
            yield from _of(kept, split, views_VBC.swapaxes(0, 1), names, forms)
    for group in tables.read_stream("view_features", root / VIEW_FEATURES):
        seen = group.filter(pc.equal(group["reason"], ""))
        for row, (views, _, size) in enumerate(seen["shape"].to_pylist()):
            views_VC = tables.vectors(seen["features"].slice(row, 1)).reshape(views, size)
            yield from _of(seen.slice(row, 1), tested, views_VC[None], names, forms)


def _of(videos: pa.Table, split: str, views_BVC: np.ndarray, names: list[str], forms: Forms) -> Iterator[Item]:
    rows = zip(videos["video_id"].to_pylist(), videos["actions"].to_pylist(), views_BVC, strict=True)
    for video_id, actions, views_VC in rows:
        yield Item(video_id, split, tuple(names[action] for action in actions), views_VC, forms.get(video_id))


def _forms(whitened: Path) -> Forms:
    table = tables.read("whitened", whitened)
    return dict(zip(table["video_id"].to_pylist(), tables.vectors(table["form"]), strict=True))
