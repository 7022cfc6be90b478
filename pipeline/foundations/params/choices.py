"""The names that parameters may take, so that params.yaml is checked without importing what they build.

What a name builds stands in one table of its package; a test compares names and tables.

    HeadName         pipeline.model.heads.HEADS
    BackboneName     pipeline.model.backbones.BACKBONES
    WordSource       pipeline.weights.pretrained.VECTORS; here, what stages need not know of it
    DatasetSource    pipeline.dataset.dataset.READERS
    ClipCodec        pipeline.clips.codecs.CODECS
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

HeadName = Literal["visual", "audio", "text", "audio_text", "fc", "softmax", "decoder", "decoder_text"]
BackboneName = Literal[
    "r2plus1d_34",
    "r2plus1d_18",
    "r3d_18",
    "i3d_50",
    "resnet3d50",
    "tin_r50",
    "r3d_tiny",
    "r2plus1d_tiny",
    "inception_i3d",
    "imported",
]
WordSource = Literal["file", "gensim", "sentences"]
DatasetSource = Literal["sample", "mmit", "charades", "csv", "features"]
ClipCodec = Literal["jpeg", "h264"]


class WordKind(NamedTuple):
    """Properties of a source of word vectors that are known before it is loaded."""

    local: bool
    """`words.name` is a path, which must exist."""
    address: str | None = None
    """Where they are downloaded from; None for local files."""
    extra: str | None = None
    """The extra that installs its library (`pipeline.foundations.runtime.extras`)."""


WORD_KINDS: Mapping[WordSource, WordKind] = {
    "file": WordKind(local=True),
    "gensim": WordKind(local=False, address="https://github.com/piskvorky/gensim-data"),
    "sentences": WordKind(local=True, extra="sentences"),
}
