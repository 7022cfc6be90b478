"""The sections from videos to lexicons and graph."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.foundations.params.choices import DatasetSource, WordSource
from pipeline.foundations.params.section import Count, Decibels, Positive, Rate, Section

Scope = Literal["mini", "full"]
ACTION = "{action}"
"""Where an action's name goes in a prompt."""
Prompt = Annotated[str, Field(pattern=r"\{action\}")]


class Dataset(Section):
    """Where the videos and their labels are."""

    source: DatasetSource
    """Whose layout of annotation files is read; `sample` is written in M-MiT's; `csv` is one of your own."""
    folder: str
    """Of the data set; the other three paths start from it. It may be read-only and outside the project."""
    annotations: str
    """Folder of the annotation files."""
    videos: str
    """Folder that the paths in the annotations start from; or any other, by its absolute path."""
    stores: Annotated[tuple[str, ...], Field(strict=False)]
    """Folders outside `videos` that links may lead to: a cache of DVC's or git-annex's, other disks."""
    watch: Annotated[str, Field(pattern=r"^[^/]")]
    """What DVC hashes to learn that the data changed: the annotations' folder; for the sample, all of it."""


class Execution(Section):
    """How work runs: no stage declares this section, and no result depends on it, but by `deterministic: false`."""

    engine: Literal["local", "dask"]
    address: str | None
    """Dask scheduler to join, as tcp://host:port; null starts one on this machine."""
    workers: Count
    """Worker processes, each on shards of its own."""
    threads: Count
    """Videos that a worker decodes at the same time, each in a process of its own: more where a GPU waits."""
    gpus: Count
    """GPUs of a machine that stages use where the device is CUDA, one worker each; torchrun counts its own."""
    device: Literal["auto", "cpu", "cuda"]
    deterministic: bool
    """False: a GPU takes its fastest kernels, and results differ in the last bits from run to run."""
    checkpoint_minutes: Positive
    """Between two checkpoints within an epoch."""
    tensorboard: str | None
    """Folder for TensorBoard logs, a folder in it for each training run."""


class Media(Section):
    """Limits for decoding one video, which is untrusted input (DESIGN.md, invariant 7)."""

    max_pixels: Count
    """Largest width x height, checked before the first frame is allocated."""
    max_seconds: Positive
    """Decoding stops here, whatever the header says."""
    timeout_seconds: Positive
    """Wall-clock limit for one video; past it the decoder is replaced and the video is undecodable."""
    memory_mb: Count
    """Address space that decoding one video may take; a quarter of it bounds the pictures that come out."""
    square_pixels: bool
    """Scale pictures whose pixels are not square (DV, DVD) to the aspect ratio that players show."""


class Render(Section):
    """The bundled sample."""

    seed: int
    train: Count
    validation: Count
    test: Count
    seconds: Positive
    height: Annotated[int, Field(ge=64, multiple_of=2)]
    width: Annotated[int, Field(ge=64, multiple_of=2)]
    no_audio_stream: Rate
    digital_silence: Rate
    below_threshold: Rate
    truncated: Annotated[int, Field(ge=0)]
    hidden: Rate
    """Probability that an action is heard but not shown; and, where it is shown, that it is not heard."""

    @property
    def videos(self) -> int:
        """All three splits'."""
        return self.train + self.validation + self.test


class Index(Section):
    """Parsing the annotations and hashing the files."""

    max_missing_rate: Rate
    """Fraction of the annotated videos that may be missing on disk before the stage fails."""


class FilterSilent(Section):
    """Which videos count as audible."""

    rule: Literal["loudness", "released"]
    """`released`: silent where any two of the first three log-mel patches are equal."""
    peak_dbfs: Decibels
    rms_dbfs: Decibels
    """A sound track below either threshold is `below_threshold` (decibels to full scale)."""
    max_failure_rate: Rate
    shard_size: Count
    """Videos a shard."""


class Vggish(Section):
    """VGGish, the audio network, or another in its place."""

    source: Literal["hub", "seeded", "soundnet", "none"]
    """`seeded`: the same architecture with untrained weights from the seed, where the real ones cannot be had.
    `soundnet`: SoundNet-8, the M-MiT baseline's, 1,024 numbers of three seconds. `none`: they are imported."""
    handle: str
    """TF-Hub handle, or the local path of its SavedModel; of SoundNet, the file of `m3a convert-weights`."""
    short: Literal["pad", "drop"]
    """For clips under 46,320 samples (SoundNet: 66,150): padding with zeros, or no embedding (counted and named)."""
    mixed_precision: bool
    """In bfloat16, on CUDA only."""
    max_failure_rate: Rate
    shard_size: Count


class Words(Section):
    """Word vectors for the text lexicon."""

    source: WordSource
    """A local GloVe or word2vec file; a model of gensim's downloader; a local transformers folder."""
    name: str
    """The file's path, the downloader's model name, or the folder."""
    size: Count
    """Expected dimensions Q."""
    prompts: Annotated[tuple[Prompt, ...], Field(strict=False)]
    """Of `sentences`: what each name is put into, as "a video of {action}"; an action gets the mean over them. None:
    its bare name."""
    pooling: Literal["mean", "cls", "last", "own"]
    """Of `sentences`: the mean of the tokens, the first or the last of them; or the model's own embedding (CLIP's and
    SigLIP's, projected; of BERT, its pooler's)."""


class Whitening(Section):
    """PCA whitening of sound embeddings: of VGGish's patches of 128, of others as a whole."""

    method: Literal["fit", "released", "none"]
    """`none`: they stay as they come; imported ones may arrive whitened."""
    path: str
    """The released AudioSet parameters."""


class AudioLexicon(Section):
    """Which training videos' sounds are used."""

    scope: Scope


class Adjacency(Section):
    """The graph of co-occurring actions (Section 3.1)."""

    scope: Scope
    threshold: Rate
    """Edge i -> j where the conditional probability psi_ij passes it."""
    comparison: Literal["above", "at_least"]
    """What passing means: the paper's psi > t, or the released code's psi >= t."""
    symmetrize: Literal["none", "or", "and"]
    normalization: Literal["paper", "released"]


class SplitMini(Section):
    """Mini M-MiT (Section 4.1)."""

    draw: Literal["folder", "label", "all"]
    """A video's category: its folder, each of its labels, or no draw at all (full M-MiT)."""
    per_action: Count
    require_audio_stream: bool
