"""`m3a import-features` and `m3a export-features`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import DATA, app
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.progress import say

if TYPE_CHECKING:
    from pipeline.foundations.tables.manifest import Manifest


class Vector(StrEnum):
    """What stands in the 3D-CNN's place."""

    visual = "visual"
    sound = "sound"


Files = Annotated[list[Path] | None, typer.Option(help="Files of the split; may be repeated.")]
Target = Annotated[Path, typer.Argument(help="Folder to write: annotations/ and features/.")]
LabelFile = Annotated[Path, typer.Option(help="Label names: CSV or TSV with a header, or a name a line.")]
Licence = Annotated[str, typer.Option(help="Of the data.")]
Title = Annotated[str, typer.Option(help="What the data are.")]
From = Annotated[str, typer.Option(help="Where they come from.")]
Model = Annotated[str, typer.Option(help="What made the vectors X.")]
SoundModel = Annotated[str, typer.Option(help="What made the sound embeddings.")]
Revision = Annotated[str, typer.Option(help="Of the models or of the release.")]
Preprocessing = Annotated[str, typer.Option(help="What the models were given, what became of X.")]
SoundPreprocessing = Annotated[str, typer.Option(help="Likewise of the sound.")]
WhichVector = Annotated[Vector, typer.Option(help="What X is; of the sound: mean, deviation, maximum.")]
Patches = Annotated[int, typer.Option(min=1, help="Embeddings, from the first, that are an audio form.")]
Most = Annotated[int | None, typer.Option(min=1, help="Keep so many labels, the commonest in training.")]
OneIn = Annotated[
    int | None, typer.Option(min=2, help="Make one training video in so many a validation video, by its key.")
]
Whitened = Annotated[bool, typer.Option("--whitened", help="The sound embeddings arrive whitened.")]
Bytes = Annotated[tuple[float, float], typer.Option(help="What the bytes 0 and 255 stand for, where values are bytes.")]
Standardize = Annotated[bool, typer.Option(help="Read X with mean 0 and equal deviations over the training videos.")]
Constant = Annotated[float, typer.Option(help="Appended to X, where its features have mean 0; 0 appends none.")]
Seed = Annotated[int, typer.Option(help="Of the choice of validation videos.")]


@app.command(
    rich_help_panel=DATA,
    epilog="Example: m3a import-features /data/yt8m --labels vocabulary.csv --most 300 --train train00.tfrecord"
    " --val validate00.tfrecord --test validate01.tfrecord --licence CC-BY-4.0 --whitened",
)
def import_features(
    target: Target,
    labels: LabelFile,
    licence: Licence,
    train: Files = None,
    val: Files = None,
    test: Files = None,
    title: Title = "imported features",
    origin: From = "not stated",
    model: Model = "not stated",
    sound_model: SoundModel = "not stated",
    revision: Revision = "not stated",
    preprocessing: Preprocessing = "not stated",
    sound_preprocessing: SoundPreprocessing = "not stated",
    vector: WhichVector = Vector.visual,
    patches: Patches = 1,
    most: Most = None,
    validate_one_in: OneIn = None,
    whitened: Whitened = False,
    byte_range: Bytes = (-2.0, 2.0),
    standardize: Standardize = True,
    constant: Constant = 1.0,
    seed: Seed = 2021,
) -> None:
    """Turn published features into a folder that the pipeline trains on, of any width and vocabulary.

    Reads TFRecords of YouTube-8M and AudioSet (no TensorFlow), NumPy's .npz (nothing is unpickled) and safetensors;
    what arrays they hold: `pipeline/exchange/README.md`. Memory stays flat, however many videos there are. Then, in
    params.yaml: dataset.source: features, and dataset.folder (see `m3a preset youtube8m`).
    """
    from pipeline.exchange.feature_folder import Origin
    from pipeline.exchange.import_features import Choice
    from pipeline.exchange.import_features import import_features as run
    from pipeline.foundations.tables.manifest import Quantization

    sources = {split: paths for split, paths in (("train", train), ("val", val), ("test", test)) if paths}
    if "train" not in sources:
        raise PlainError("name at least one file of training videos: --train FILE")
    low, high = byte_range
    bytes_are = Quantization(scale=(high - low) / 255, offset=low)
    texts = (title, origin, licence, model, sound_model, revision, preprocessing, sound_preprocessing)
    of_sound = vector is Vector.sound
    about = Origin(*texts, standardize, constant or None, of_sound, whitened, bytes_are, bytes_are)
    choice = Choice("sound" if of_sound else "visual", patches, most, validate_one_in, seed)
    made = run(target, sources, labels, choice, about)
    _say_made(target, made)


@app.command(rich_help_panel=DATA, epilog="Example: m3a export-features /data/mine --licence CC-BY-4.0")
def export_features(
    target: Annotated[Path, typer.Argument(help="Folder to write: annotations/ and features/.")],
    licence: Annotated[str, typer.Option(help="Of the data.")],
) -> None:
    """Write the features of the frozen backbone as a folder that `dataset.source: features` reads, here or elsewhere.

    All views of every video, its labels and its whitened sound. The features are those of `m3a ablate --mode frozen`:
    set `runs: [ablate]` in data/frozen/params.yaml, then `dvc repro data/frozen/dvc.yaml:freeze@ablate`.
    """
    from pipeline.exchange.export_features import export_features as run
    from pipeline.foundations.params import load_params

    _say_made(target, run(target, Path(), load_params(), licence=licence))


def _say_made(target: Path, made: "Manifest") -> None:
    from pyarrow.parquet import read_metadata

    from pipeline.foundations.tables.manifest import LABELS

    videos = read_metadata(target / "annotations" / LABELS).num_rows
    sound = f"sounds of {made.sound.size}" if made.sound else "no sound"
    say(f"{target}: {videos:,} videos, vectors of {made.visual.size}, {sound}")
