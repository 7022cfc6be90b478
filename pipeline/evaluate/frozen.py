"""Test heads on frozen features, which the fixed 3D-CNN extracts once from every test view.

Scores are those of stage `evaluate` with the whole model: the same views, combined alike. Shapes: V views, L pooling
positions, C backbone features, N actions.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from pipeline.evaluate.testing import Video, digests
from pipeline.evaluate.views import batches, view_reader, views
from pipeline.foundations.media.decoding import decoded
from pipeline.foundations.media.faults import Finding
from pipeline.foundations.media.frames import Chosen
from pipeline.foundations.params import Evaluate, Execution, Frames, Media
from pipeline.foundations.runtime.devices import Devices, devices_of
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.map_videos import Failures, map_videos
from pipeline.foundations.runtime.shards import input_key
from pipeline.foundations.tables import tables
from pipeline.metrics.metrics import METRICS
from pipeline.model.checkpoint import load_model
from pipeline.model.determinism import reproducible
from pipeline.model.fold import fold
from pipeline.model.model import MultiActionModel
from pipeline.model.normalize import as_clips
from pipeline.model.place import place
from pipeline.model.positions import counted_at
from pipeline.model.sounds import sounds_of

DECIMALS = 4
"""Of the means of metrics, in percent."""


def extract_view_features(
    target: Path, videos: Sequence[Video], model: Path, *, evaluate: Evaluate, media: Media, execution: Execution
) -> int:
    """Write table `view_features` at `target`: the fixed model's features of every view; returns how many videos.

    Raises:
        PlainError: there is no model, or more videos failed than `evaluate.max_failure_rate` allows.
    """
    devices = devices_of(execution)
    what = evaluate.model_dump(exclude={"bootstrap", "max_failure_rate", "combine"})
    with map_videos(
        partial(extract_shard, model=model, devices=devices, evaluate=evaluate, media=media, threads=execution.threads),
        videos,
        stage="freeze",
        key=input_key(videos, digests(model), devices.compute, what, media, tables.SCHEMAS["view_features"]),
        size=evaluate.shard_size,
        suffix=".parquet",
        execution=devices.shared_by(execution),
        label="looking",
        failed=Failures("excluded", _unread, evaluate.max_failure_rate, "evaluate.max_failure_rate"),
    ) as done:
        return tables.write_stream(
            "view_features", target, (tables.read("view_features", shard.path) for shard in done)
        )


def extract_shard(
    videos: Sequence[Video],
    target: Path,
    *,
    model: Path,
    devices: Devices,
    evaluate: Evaluate,
    media: Media,
    threads: int,
) -> dict[str, int]:
    """The task of one shard: write the `view_features` rows of some videos at `target`."""
    network, description = load_model(model)
    place(network, devices.own(), mixed_precision=evaluate.mixed_precision)
    read = view_reader(description.design.frames, evaluate)
    made: list[np.ndarray] = []
    shapes: list[list[int]] = []
    reasons: list[str] = []
    decoding = decoded(videos, read, media, threads=threads)
    kernels = reproducible(threads=1, deterministic=devices.deterministic)
    with kernels, decoding as found, torch.inference_mode():
        for pictures in found:
            if isinstance(pictures, Finding):
                features_VLC = np.empty(0, np.float32)
            else:
                frames = counted_at(description.design.frames, pictures.fps)
                features_VLC = features_of(network, pictures, frames, evaluate)
            made.append(features_VLC.ravel())
            shapes.append([*features_VLC.shape] if features_VLC.size else [])
            reasons.append(str(pictures) if isinstance(pictures, Finding) else "")
    columns = {
        "video_id": [video.video_id for video in videos],
        "actions": [list(video.actions) for video in videos],
        "features": tables.lists(made, np.float32),
        "shape": shapes,
        "reason": reasons,
    }
    tables.write("view_features", target, tables.from_columns("view_features", columns))
    return {"excluded": sum(map(bool, reasons))}


def features_of(network: MultiActionModel, pictures: Chosen, frames: Frames, evaluate: Evaluate) -> np.ndarray:
    """The features of every view of a decoded video, V x L x C, float32; as `score_video` makes its views."""
    device = next(network.parameters()).device
    made = []
    for batch, real in batches(views(pictures.pixels, frames, evaluate, pictures.places), evaluate.batch):
        clips = as_clips(torch.from_numpy(batch).to(device), frames)
        made.append(network.pooling.positions(network.feature_map(clips))[:real])
    return np.asarray(torch.cat(made).cpu().numpy())


def _unread(shard: Path) -> Iterator[tuple[str, str]]:
    """Video id and reason of each that could not be read."""
    for seen in tables.read_stream("view_features", shard, ["video_id", "reason"]):
        columns = (seen[name].to_pylist() for name in seen.column_names)
        yield from ((video_id, reason) for video_id, reason in zip(*columns, strict=True) if reason)


@torch.inference_mode()
def predict(view_features: Path, model: MultiActionModel, whitened: Path, evaluate: Evaluate) -> pa.Table:
    """Table `predictions` of a model whose backbone is the fixed one; excluded videos are left out.

    The features are read a row group at a time: memory holds those of a few hundred videos, however many there are.

    Raises:
        PlainError: `view_features` is no such table.
    """
    folded = fold(model)  # what does not depend on the video is computed once
    looked = pa.concat_tables(tables.read_stream("view_features", view_features, ["video_id", "reason"]))
    kept = looked.filter(pc.equal(looked["reason"], ""))["video_id"].combine_chunks()
    heard_BP, begun = sounds_of(kept, whitened) if model.sound is not None else None, 0
    parts = [tables.empty("predictions")]
    for seen in tables.read_stream("view_features", view_features):
        group = seen.filter(pc.equal(seen["reason"], ""))
        if not group.num_rows:
            continue
        ids = group["video_id"]
        sounds_BP = None if heard_BP is None else heard_BP[begun : begun + len(ids)]
        begun += len(ids)
        found: dict[int, np.ndarray] = {}
        for shape, rows in _by_shape(group).items():
            features = tables.vectors(group["features"].take(pa.array(rows))).reshape(len(rows), *shape)
            some = scores_of(folded, features, None if sounds_BP is None else sounds_BP[rows], evaluate)
            found |= dict(zip(rows.tolist(), some, strict=True))
        scores_BN = np.stack([found[row] for row in range(len(ids))])
        parts.append(
            tables.from_columns("predictions", {"video_id": ids, "actions": group["actions"], "scores": scores_BN})
        )
    return pa.concat_tables(parts).combine_chunks()


def _by_shape(group: pa.Table) -> dict[tuple[int, ...], np.ndarray]:
    """Rows of a table `view_features` by the shape of their features, V x L x C."""
    shapes = [tuple(shape) for shape in group["shape"].to_pylist()]
    return {shape: np.flatnonzero([other == shape for other in shapes]) for shape in dict.fromkeys(shapes)}


@torch.inference_mode()
def scores_of(
    model: MultiActionModel, features_BVLC: np.ndarray, sounds_BP: np.ndarray | None, evaluate: Evaluate
) -> np.ndarray:
    """Each video's scores from the features of its views, combined over them; B x N, float32."""
    videos, views = features_BVLC.shape[:2]
    flat = torch.from_numpy(np.array(features_BVLC, np.float32)).flatten(0, 1)
    heard = None if sounds_BP is None else torch.from_numpy(sounds_BP).repeat_interleave(views, dim=0)
    scores_BVN = model.scores_at(flat, heard).reshape(videos, views, -1).numpy()
    return np.asarray(scores_BVN.max(axis=1) if evaluate.combine == "max" else scores_BVN.mean(axis=1))


def score_each(
    folder: Path, models: Iterable[MultiActionModel], view_features: Path, whitened: Path, *, evaluate: Evaluate
) -> dict[str, float]:
    """Write each model's scores as a table `predictions` below `folder`; returns the means of the metrics.

    Raises:
        PlainError: a score is not a finite number.
    """
    folder.mkdir()
    found = []
    with reproducible(threads=1):
        for number, model in enumerate(models):
            path = folder / f"{number:03d}.parquet"
            scored = predict(view_features, model, whitened, evaluate)
            scores_BN = tables.vectors(scored["scores"])
            if not np.isfinite(scores_BN).all():
                raise PlainError(f"{path}: a score is not a finite number; lower frozen.learning_rate")
            tables.write("predictions", path, scored)
            targets_BN = tables.multi_hot(scored["actions"], scores_BN.shape[1])
            found.append({name: metric(scores_BN, targets_BN) for name, metric in METRICS.items()})
    means = {name: round(float(np.mean([one[name] for one in found])), DECIMALS) for name in METRICS}
    return means | {"seeds": len(found)}
