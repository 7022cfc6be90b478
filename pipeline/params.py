"""params.yaml as typed, frozen sections: read once at the edge, passed on as values.

Every knob stands in params.yaml, with a comment; nothing has a default here, so that a file and what ran are
the same. An unknown key, a wrong type or a value out of range is an error that names the key.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import PlainError

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Decibels = Annotated[float, Field(le=0.0)]
Head = Literal["visual", "audio", "text", "audio_text", "fc"]
Scope = Literal["mini", "full"]
Layer = Literal["layer1", "layer2", "layer3", "layer4"]


class Section(BaseModel):
    """A group of parameters; immutable, strict about types, closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Dataset(Section):
    """Where the videos and their labels are."""

    source: Literal["sample", "mmit", "charades"]
    """Whose layout of annotation files is read; `sample` is written in M-MiT's."""
    annotations: str
    """Folder of the annotation files."""
    videos: str
    """Folder that the paths in the annotations start from; may lie outside the project, read-only."""
    watch: str
    """What DVC hashes to learn that the data changed: the annotations' folder; for the sample, all of it."""


class Execution(Section):
    """How the work is done, never what: no stage declares this section, and no byte depends on it."""

    engine: Literal["local", "dask"]
    address: str | None
    """Dask scheduler to join, as tcp://host:port; null starts one on this machine."""
    workers: Count
    """Processes that work on shards side by side."""
    device: Literal["auto", "cpu", "cuda"]
    checkpoint_minutes: Positive
    """Between two states of a training run that are kept within an epoch."""


class Media(Section):
    """Bounds on what a video file may ask of us (DESIGN.md, invariant 7)."""

    max_pixels: Count
    """Largest width x height, acting before the first frame is allocated."""
    max_seconds: Positive
    """Decoding stops here, whatever the header says."""
    timeout_seconds: Positive
    """Wall-clock limit for one video; past it the decoder is replaced and the video is undecodable."""
    memory_mb: Count
    """Address space that decoding one video may take; a quarter of it bounds the pictures that come out."""


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


class Index(Section):
    """Parsing the annotations and hashing the files."""

    max_missing_rate: Rate
    """Part of the annotated videos that may be absent on disk before the stage fails."""


class FilterSilent(Section):
    """Which videos have a sound worth describing."""

    rule: Literal["loudness", "released"]
    """`released`: silent where any two of the first three log-mel patches are equal."""
    peak_dbfs: Decibels
    rms_dbfs: Decibels
    """A sound track below either threshold is `below_threshold` (decibels to full scale)."""
    max_failure_rate: Rate
    shard_size: Count
    """Videos a shard."""


class Vggish(Section):
    """VGGish, the audio network."""

    source: Literal["hub", "seeded"]
    """`seeded`: the same architecture with untrained weights from the seed, where the real ones cannot be had."""
    handle: str
    """TF-Hub handle, or the local path of its SavedModel."""
    short: Literal["pad", "drop"]
    """What a clip under 46,320 samples gets: zeros at its end, or no embedding (counted and named)."""
    max_failure_rate: Rate
    shard_size: Count


class Words(Section):
    """Word vectors for the text lexicon."""

    source: Literal["file", "gensim", "sentences"]
    """A local GloVe or word2vec file; a model of gensim's downloader; a local transformers folder."""
    name: str
    """The file's path, the downloader's model name, or the folder."""
    size: Count
    """Expected dimensions Q."""


class Whitening(Section):
    """PCA whitening of 128-d VGGish embeddings."""

    method: Literal["fit", "released"]
    path: str
    """The released AudioSet parameters."""


class AudioLexicon(Section):
    """Which training videos lend their sound."""

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


class Clips(Section):
    """Training copies of videos."""

    short_side: Count
    """Pixels; the largest scale that training needs."""
    quality: Annotated[int, Field(ge=1, le=100)]
    """JPEG quality of a stored frame."""
    max_failure_rate: Rate
    shard_size: Count
    """Videos a pack file."""


class Frames(Section):
    """What one clip is, for training and testing alike."""

    fps: Positive
    """The time line that frames are taken on, whatever the file's own rate."""
    span: Count
    """Consecutive frames a clip covers."""
    count: Count
    """Frames taken from the span."""
    positions: Literal["linspace", "stride"]
    """linspace(0, span - 1, count) cut to integers (released), or every span / count-th."""
    mean: Rate
    std: Positive

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.count > self.span:
            raise ValueError(f"count {self.count} is more than the span's {self.span} frames")
        return self


class Backbone(Section):
    """The 3D-CNN."""

    name: Literal["r2plus1d_34", "r2plus1d_18", "r3d_18", "i3d_50", "r3d_tiny", "r2plus1d_tiny"]
    weights: str | None
    """A converted safetensors file to start from (`m3a convert-weights`); null starts from the seed."""
    pooling: Literal["global", "released"]
    """`released`: a 7 x 7 window slid over the last feature map, then the mean."""


class Lexicon(Section):
    """How a lexicon is queried for an action's forms (Section 3.2, Table 2)."""

    draw: Literal["fixed", "mean", "resample"]
    """One draw for good, the mean of all forms, or a new draw each epoch."""
    forms: Annotated[int, Field(ge=1, le=3)]
    combine: Literal["concat", "mean", "one"]


class Gcn(Section):
    """Equation 1."""

    layers: Count
    hidden: Count
    bias: bool
    last_activation: bool
    slope: NotNegative
    """Of Leaky ReLU."""


class Transformer(Section):
    """The authors' extension: self-attention over actions."""

    layers: Count
    hidden: Count
    attention_heads: Count
    block: Literal["simplified", "full"]
    positions: bool
    fusion: Literal["sum", "cross_attention"]


class Model(Section):
    """Which relation learners are summed (Equation 3)."""

    heads: Annotated[tuple[Head, ...], Field(strict=False, min_length=1)]
    relation: Literal["gcn", "transformer"]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.heads)) < len(self.heads):
            raise ValueError(f"heads {list(self.heads)} name one twice")
        if "fc" in self.heads and len(self.heads) > 1:
            raise ValueError("fc is the baseline and stands alone")
        return self


class Train(Section):
    """SGD training."""

    epochs: Count
    batch: Count
    learning_rate: Positive
    schedule: Literal["step", "cosine"]
    milestones: Annotated[tuple[int, ...], Field(strict=False)]
    """Epochs from which the rate is 0.1, 0.01, ... of its start (step)."""
    warmup_epochs: Annotated[int, Field(ge=0)]
    warmup_rate: Positive
    momentum: Rate
    nesterov: bool
    weight_decay: NotNegative
    loss: Literal["bce", "wlsep"]
    gradient_clip: Positive | None
    ema: Rate | None
    jitter: Annotated[tuple[int, int], Field(strict=False)]
    """Short side in pixels, drawn uniformly between the two."""
    crop: Count
    flip: Rate
    precise_bn_batches: Annotated[int, Field(ge=0)]
    freeze_batch_norm: bool
    """Its statistics stay as they came with the weights: neither updated nor measured."""
    mixed_precision: bool
    """On CUDA only."""
    threads: Count
    """Of the mathematics; part of the result's last bits."""
    validate_every: Count
    """Epochs between two looks at the validation split."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.crop <= self.jitter[0] <= self.jitter[1]:
            raise ValueError(f"jitter {list(self.jitter)} must rise and start at the crop of {self.crop} or above")
        if sorted(set(self.milestones)) != list(self.milestones):
            raise ValueError(f"milestones {list(self.milestones)} must rise")
        return self


class Evaluate(Section):
    """Multi-view testing."""

    split: Literal["val", "test"]
    temporal_views: Count
    spatial_views: Literal[1, 3]
    short_side: Count
    crop: Count
    combine: Literal["max", "mean"]
    batch: Count
    """Views a batch."""
    bootstrap: Count
    """Resamples for the intervals."""
    max_failure_rate: Rate
    shard_size: Count

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.crop > self.short_side:
            raise ValueError(f"crop {self.crop} is larger than short_side {self.short_side}")
        return self


class Explain(Section):
    """What a trained model looks at, and which actions it relates."""

    videos: Annotated[int, Field(ge=0)] | Annotated[tuple[str, ...], Field(strict=False)]
    """To draw: how many, taken by their scores (by their gain where there is a baseline), or which."""
    actions: Count
    """Of a video that is drawn, at most; its own."""
    layers: Annotated[tuple[Layer, ...], Field(strict=False, min_length=1)]
    """Of the 3D-CNN, which Grad-CAM reads; pictures are drawn from the first of them."""
    clips: Count
    """Along a video, evenly spread."""
    frames: Count
    """In a strip of pictures."""
    short_side: Count
    """Pixels of a picture."""
    neighbours: Count
    """Of an action."""
    perplexity: Annotated[float, Field(ge=1.0)]
    """Of t-SNE; lowered where there are few actions."""
    baseline: str | None
    """Folder of another run, with its models/m3a and data/predictions, to show beside this one."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.layers)) < len(self.layers):
            raise ValueError(f"layers {list(self.layers)} name one twice")
        return self


class Params(Section):
    """The whole of params.yaml."""

    seed: int
    dataset: Dataset
    execution: Execution
    media: Media
    render: Render
    index: Index
    filter_silent: FilterSilent
    vggish: Vggish
    words: Words
    whitening: Whitening
    audio_lexicon: AudioLexicon
    adjacency: Adjacency
    split_mini: SplitMini
    clips: Clips
    frames: Frames
    backbone: Backbone
    lexicon: Lexicon
    gcn: Gcn
    transformer: Transformer
    model: Model
    train: Train
    evaluate: Evaluate
    explain: Explain


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameter file.

    Raises:
        PlainError: the file is absent or not YAML, or a key is unknown, missing, of the wrong type or out of
            range; one line a fault, each naming the key, what was found and what is allowed.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise PlainError(f"{path}: cannot be read: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError, ValueError) as error:
        raise PlainError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise PlainError(f"{path}: not valid YAML: brackets in brackets without end") from error
    if not isinstance(content, dict):
        raise PlainError(f"{path}: found {_short(content)}, expected a mapping of sections")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        faults = "\n".join(f"{path}: {_sentence(fault)}" for fault in error.errors())
        raise PlainError(faults) from error


def _sentence(fault: Any) -> str:
    """One pydantic fault in plain words."""
    key = ".".join(str(part) for part in fault["loc"]) or "the file"
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown parameter"
    if fault["type"] == "missing":
        return f"{key}: missing parameter"
    if fault["type"] == "value_error":  # a rule of ours over a whole section, in our own words
        return f"{key}: {fault['ctx']['error']}"
    return f"{key}: found {_short(fault['input'])}; {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _short(value: object) -> str:
    """A value as found, cut where it is long."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:60]} [...] {text[-15:]}"
