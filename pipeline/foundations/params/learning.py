"""The sections from training copies to explanations."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.foundations.params.choices import BackboneName, ClipCodec, HeadName
from pipeline.foundations.params.section import Count, NotNegative, Positive, Rate, Section

Layer = Literal["layer1", "layer2", "layer3", "layer4"]
Scaling = Literal["antialiased", "released"]


class Clips(Section):
    """Training copies of videos."""

    short_side: Count | None
    """Pixels, best a fifth above the upper end of `train.jitter` and never below it; null: the video's own size."""
    codec: ClipCodec
    """Each frame by itself as JPEG, or H.264 in groups of 16: a tenth of the bytes, some milliseconds more a clip."""
    quality: Annotated[int, Field(ge=1, le=100)]
    """JPEG quality of a stored frame."""
    crf: Annotated[int, Field(ge=0, le=51)]
    """Constant rate factor of H.264: 0 is lossless, 51 the worst."""
    max_failure_rate: Rate
    shard_size: Count
    """Videos a pack file."""


class Frames(Section):
    """The clip, for training and testing."""

    fps: Positive
    """Frames a second that videos are sampled at, whatever the file's own rate."""
    timeline: Literal["constant", "native"]
    """`native`: the file's own frames, of which a clip covers as many as last as long as `span` does (released)."""
    span: Positive
    """Consecutive frames a clip covers, at `fps`."""
    count: Count
    """Frames taken from the span."""
    positions: Literal["linspace", "stride", "segments"]
    """linspace(0, span - 1, count) cut to integers (released), or every span / count-th. `segments`: no span, but a
    frame of each of `count` equal segments of the whole video, as TSN and TIN take them."""
    scaling: Scaling
    """Bilinear with antialiasing; or without, and the long side cut to whole pixels (released)."""
    mean: Rate | Annotated[tuple[Rate, Rate, Rate], Field(strict=False)]
    std: Positive | Annotated[tuple[Positive, Positive, Positive], Field(strict=False)]
    """Of pixels in [0, 1]: subtracted, and divided by; one for all channels, or one each for red, green and blue."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.positions != "segments" and self.count > self.span:
            raise ValueError(f"count {self.count} is more than the span's {self.span:g} frames")
        return self


class Backbone(Section):
    """The 3D-CNN."""

    name: BackboneName
    weights: str | None
    """A published checkpoint, or the safetensors that `m3a convert-weights` makes of it; a file or an https address."""
    pooling: Literal["global", "released"]
    """`released`: a 7 x 7 window slid over the last feature map, then the mean."""


class Lexicon(Section):
    """How a lexicon is queried for an action's forms (Section 3.2, Table 2)."""

    draw: Literal["fixed", "mean", "resample"]
    """One form drawn once, the mean of all forms, or a new draw each epoch."""
    forms: Annotated[int, Field(ge=1, le=3)]
    combine: Literal["concat", "mean", "one"]
    """Several drawn forms concatenated, averaged, or one of them, another each epoch."""


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
    slope: NotNegative
    """Of Leaky ReLU, between the layers and before the output layer."""
    block: Literal["simplified", "full"]
    positions: bool
    fusion: Literal["sum", "cross_attention"]


class Model(Section):
    """Which heads are summed (Equation 3)."""

    heads: Annotated[tuple[HeadName, ...], Field(strict=False, min_length=1)]
    relation: Literal["gcn", "transformer"]
    control: Literal["none", "shuffled_forms", "random_forms", "no_edges", "rewired", "free_matrix"]
    """What is taken from the audio and text learners, to ask where a gain comes from (`pipeline.train.controls`)."""
    late_fusion: bool
    """Add a linear layer of each video's own sound, as `whiten` leaves it, to the logits; silence adds nothing."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.heads)) < len(self.heads):
            raise ValueError(f"heads {list(self.heads)} name one twice")
        if "fc" in self.heads and len(self.heads) > 1:
            raise ValueError("fc is the baseline and stands alone")
        alone = [name for name in ("softmax", "decoder", "decoder_text") if name in self.heads]
        if alone and len(self.heads) > 1:
            raise ValueError(f"{alone[0]} is a classifier of its own and stands alone")
        return self


class Schedule(Section):
    """Length of training and learning-rate schedule."""

    epochs: Count
    batch: Count
    learning_rate: Positive
    schedule: Literal["step", "cosine"]
    milestones: Annotated[tuple[int, ...], Field(strict=False)]
    """Epochs from which the rate is 0.1, 0.01, ... of its start (step)."""
    warmup_epochs: Annotated[int, Field(ge=0)]
    warmup_rate: Positive

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if sorted(set(self.milestones)) != list(self.milestones):
            raise ValueError(f"milestones {list(self.milestones)} must rise")
        return self


class Train(Schedule):
    """Training of the whole model."""

    head_rate: Positive
    """Factor on the learning rate of all parameters outside the backbone."""
    optimizer: Literal["sgd", "adam"]
    """`adam` is AdamW with its published constants, for heads on fixed features alone; without momentum."""
    momentum: Rate
    nesterov: bool
    weight_decay: NotNegative
    head_weight_decay: NotNegative | None
    """Of the parameters outside the backbone; None: `weight_decay`."""
    loss: Literal["bce", "wlsep", "asl", "focal"]
    loss_scale: Positive
    """Factor on the loss; 1 for the mean over videos and actions (Section 4.1)."""
    gradient_clip: Positive | None
    ema: Rate | None
    jitter: Annotated[tuple[int, int], Field(strict=False)]
    """Short side in pixels, drawn between the two."""
    augmentation: Literal["uniform", "released"]
    """Every start, short side and place of the crop alike; or as the released code draws them."""
    crop: Count
    flip: Rate
    precise_bn_batches: Annotated[int, Field(ge=0)]
    freeze_backbone: bool
    """The 3D-CNN keeps its initial weights and batch norm statistics; only the heads learn."""
    freeze_batch_norm: bool
    """Its batch norm statistics stay as loaded: neither updated nor measured."""
    sync_batch_norm: bool
    """On several GPUs: statistics over the whole batch, or over each GPU's clips (released: 8 clips on each of 8)."""
    mixed_precision: bool
    """The 3D-CNN in bfloat16, on CUDA only; heads and loss stay in float32."""
    compile: Literal["none", "kernels", "graphs"]
    """Compile a training step by torch.compile; `graphs` also records it as CUDA graphs, for small networks."""
    threads: Count
    """Compute threads; results depend on their number in the last bits."""
    validate_every: Count
    """Epochs between validations."""
    seed_offset: Annotated[int, Field(ge=0)]
    """Added to the seed of training alone: the data and splits stay the same."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.crop <= self.jitter[0] <= self.jitter[1]:
            raise ValueError(f"jitter {list(self.jitter)} must rise and start at the crop of {self.crop} or above")
        return self

    @property
    def head_decay(self) -> float:
        """Weight decay of the parameters outside the backbone."""
        return self.weight_decay if self.head_weight_decay is None else self.head_weight_decay


class Frozen(Schedule):
    """Heads trained on the features of a fixed backbone; momentum, loss, clipping and averaging are `train`'s."""

    weight_decay: NotNegative
    backbone: Literal["start", "fc", "visual"]
    """As training starts (`backbone.weights`, or the seed); or trained jointly first, by a head without a lexicon."""
    head_rate: Positive
    """Takes the place of `train.head_rate` in that training; the head's decay is `train.weight_decay` divided by it, so
    that a step shrinks the head's weights as it shrinks the others. At a factor of 1 a linear head learns too slowly to
    teach the backbone anything."""
    views: Count
    """Random views of each training video; an epoch sees one of them, in turn."""
    repeats: Count
    """Heads trained by stage `heads`, from as many seeds."""
    tune: bool
    """Whether rate, decay and epochs are also chosen on the validation split, from the grid below."""
    tune_learning_rates: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    tune_weight_decays: Annotated[tuple[NotNegative, ...], Field(strict=False, min_length=1)]
    tune_epochs: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    tune_seeds: Count
    """Seeds that every setting of the grid is trained from; none of them is one of the final ones."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for name in ("tune_learning_rates", "tune_weight_decays", "tune_epochs"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} {list(values)} name one twice")
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
    mixed_precision: bool
    """As in training."""
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
    actions: Count | Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    """Of a video that is drawn: how many of its own at most, the best scored; or which, whoever's they are."""
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
