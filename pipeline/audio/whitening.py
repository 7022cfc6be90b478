"""PCA whitening of sound embeddings ("due to the redundant information in audio data", Section 4.1).

VGGish's forms, 3 x 128, are whitened patch by patch; those of any other width as a whole.

Fitted on the training videos' patches by scikit-learn's IncrementalPCA: it takes them a batch at a time, so memory
stays flat, and as it keeps all components its result is that of the full decomposition, to rounding. Or AudioSet's
released parameters, clipped as AudioSet clips them and not quantized to 8 bits, as the authors' code has it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.decomposition import IncrementalPCA
from threadpoolctl import threadpool_limits

from pipeline.foundations import params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.tables import FORM_SIZE, PATCH_SIZE

RELEASED_LIMIT = 2.0
"""AudioSet clips whitened values to [-2, 2] before it quantizes them."""
BATCH = 8192  # patches a step of the fit


class Whitening(NamedTuple):
    """(patch - mean) times the transposed vectors, clipped to the limit. D numbers a patch, 128 of VGGish."""

    mean: np.ndarray
    """D, float64."""
    variance: np.ndarray
    """D, explained by each component, falling; NaN for the released parameters."""
    vectors: np.ndarray
    """D components x D inputs, float64; a row of zeros for a component without variance."""
    limit: float
    """Infinite for fitted parameters."""
    patches: int
    """Patches that it was fitted on; 0 for the released parameters."""


def whiten(videos: Path, embeddings: Path, target: Path, parameters: Path, settings: params.Whitening) -> str:
    """Write the table `whitened` of all `embeddings` at `target`, and the whitening itself at `parameters`.

    With the method `none` they stay as they come. The training split of `videos` alone is fitted on (DESIGN.md,
    invariant 2).

    Returns:
        What was done, in a line.

    Raises:
        PlainError: there is nothing to fit on, or the released parameters cannot be read or are of another width.
    """
    if settings.method == "none":
        return _as_they_come(embeddings, target, parameters)
    size = patch_size(tables.width("vggish", embeddings, "embedding"))
    with threadpool_limits(limits=1):  # the last bits depend on the number of threads
        if settings.method == "released":
            whitening = released(Path(settings.path))
            if size != PATCH_SIZE:
                raise PlainError(
                    f"whitening.method is released, whose parameters are of VGGish's 128 numbers, but the embeddings "
                    f"have {size}: set it to fit or none"
                )
        else:
            whitening = fit(_training_patches(videos, embeddings, size), size)
        tables.write("whitening", parameters, _table(whitening))
        pieces = (_whitened(table, whitening) for table in tables.read_stream("vggish", embeddings))
        rows = tables.write_stream("whitened", target, pieces)
    if settings.method == "released":
        return f"{rows:,} videos whitened with the released parameters"
    if not whitening.patches:
        return f"{rows:,} videos, all zeros: no training video is audible"
    rank = int(np.count_nonzero(whitening.vectors.any(axis=1)))
    return (
        f"{rows:,} videos whitened; fitted on {whitening.patches:,} training patches, {rank} of {size} components vary"
    )


def patch_size(form: int) -> int:
    """D, the numbers that are whitened together, of a form of so many: a patch of VGGish's, else all of them."""
    return PATCH_SIZE if form == FORM_SIZE else form


def _as_they_come(embeddings: Path, target: Path, parameters: Path) -> str:
    """Embeddings of any width, as they are; the table of parameters has no rows."""
    tables.write("whitening", parameters, tables.empty("whitening"))
    pieces = (
        tables.from_columns("whitened", {"video_id": table["video_id"], "form": table["embedding"]})
        for table in tables.read_stream("vggish", embeddings)
    )
    return f"{tables.write_stream('whitened', target, pieces):,} videos, not whitened here"


def fit(pieces: Iterable[np.ndarray], size: int = PATCH_SIZE) -> Whitening:
    """Fit whitening parameters: afterwards the patches have mean 0 and, over n - 1, covariance 1.

    A component that does not vary beyond rounding becomes 0 for every patch, since its noise would be blown up to
    variance 1 otherwise; with n patches, n <= D, that leaves n - 1 components at most, and without any, as where no
    training video is audible, none. Signs are scikit-learn's: the largest entry of each component is positive.

    Args:
        pieces: patches x D, however cut.
        size: D.

    Raises:
        PlainError: there are patches, but no two different ones.
    """
    model = IncrementalPCA()
    for batch in batches(pieces, BATCH):
        with np.errstate(invalid="ignore"):  # 0/0 where nothing varies, which is found out below
            model.partial_fit(batch.astype(np.float64))
    patches = int(getattr(model, "n_samples_seen_", 0))
    if not patches:
        return Whitening(np.zeros(size), np.zeros(size), np.zeros((size, size)), np.inf, 0)
    if patches < 2 or model.explained_variance_[0] <= 0.0:
        raise PlainError(
            f"whitening.method: fit needs sounds that differ, but audible training videos have {patches} patches "
            "without any variance; look at data/audible/verdicts.parquet, or set whitening.method: released"
        )
    variance, vectors = np.zeros(size), np.zeros((size, size))
    variance[: len(model.explained_variance_)] = model.explained_variance_
    rounding = (size * float(np.finfo(np.float32).eps)) ** 2  # of float32 embeddings, beside the first component
    varies = model.explained_variance_ > rounding * variance[0]
    deviations = np.sqrt(model.explained_variance_[varies])
    vectors[: len(varies)][varies] = model.components_[varies] / deviations[:, None]
    return Whitening(model.mean_, variance, vectors, np.inf, patches)


def released(path: Path) -> Whitening:
    """AudioSet's released parameters.

    Raises:
        PlainError: the file is absent, or not what was released.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            vectors, mean = content["pca_eigen_vectors"], content["pca_means"].reshape(-1)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise PlainError(f"whitening.path: {path}: cannot be read as AudioSet's PCA parameters: {error}") from error
    if vectors.shape != (PATCH_SIZE, PATCH_SIZE) or mean.shape != (PATCH_SIZE,):
        raise PlainError(f"whitening.path: {path} has vectors {vectors.shape} and means {mean.shape}, not 128 each")
    unknown = np.full(PATCH_SIZE, np.nan)
    return Whitening(mean.astype(np.float64), unknown, vectors.astype(np.float64), RELEASED_LIMIT, 0)


def apply(patches: np.ndarray, whitening: Whitening) -> np.ndarray:
    """Whiten patches, n x D; computed in float64, returned as float32."""
    centred = patches.astype(np.float64) - whitening.mean
    white = np.clip(centred @ whitening.vectors.T, -whitening.limit, whitening.limit)
    return np.asarray(white.astype(np.float32))


def batches(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Cut rows that come in pieces into batches of `size`; the last may be smaller, none is empty."""
    held: list[np.ndarray] = []
    for piece in pieces:
        held.append(piece)
        if sum(map(len, held)) >= size:
            joined = np.concatenate(held)
            whole = len(joined) // size * size
            yield from np.split(joined[:whole], whole // size)
            held = [joined[whole:]]
    rest = np.concatenate(held) if held else np.zeros((0, 0))
    if len(rest):
        yield rest


def _training_patches(videos: Path, embeddings: Path, size: int) -> Iterator[np.ndarray]:
    """The training videos' patches, n x D at a time."""
    parts = [part.filter(pc.equal(part["split"], "train"))["video_id"] for part in tables.read_stream("videos", videos)]
    training = pa.concat_arrays([chunk for part in parts for chunk in part.chunks] or [pa.array([], pa.string())])
    for table in tables.read_stream("vggish", embeddings):
        chosen = table.filter(pc.is_in(table["video_id"], value_set=training))
        yield tables.vectors(chosen["embedding"]).reshape(-1, size)


def _whitened(table: pa.Table, whitening: Whitening) -> pa.Table:
    """A piece of the table `vggish` as one of `whitened`."""
    embeddings = tables.vectors(table["embedding"])
    forms = apply(embeddings.reshape(-1, len(whitening.mean)), whitening).reshape(embeddings.shape)
    return tables.from_columns("whitened", {"video_id": table["video_id"], "form": forms})


def _table(whitening: Whitening) -> pa.Table:
    columns: dict[str, object] = {
        "component": np.arange(len(whitening.mean), dtype=np.int16),
        "mean": whitening.mean,
        "variance": whitening.variance,
        "vector": whitening.vectors,
    }
    return tables.from_columns("whitening", columns)
