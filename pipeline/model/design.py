"""The design of a model: its 3D-CNN, heads, clips, graph and forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pipeline.foundations.params import Backbone, Frames, Gcn, Lexicon, Model, Params, Section, Transformer
from pipeline.model.heads import uses

Normalization = Literal["paper", "released"]
SECTIONS: dict[str, type[Section]] = {
    "frames": Frames,
    "backbone": Backbone,
    "lexicon": Lexicon,
    "gcn": Gcn,
    "transformer": Transformer,
    "model": Model,
}


@dataclass(frozen=True, kw_only=True)
class Design:
    """The parameters that shape a model, and go with its weights."""

    frames: Frames
    """What a clip is."""
    backbone: Backbone
    """Without `weights`: the initial weights are not part of the design."""
    lexicon: Lexicon
    """How the audio forms are drawn."""
    gcn: Gcn
    transformer: Transformer
    model: Model
    normalization: Normalization
    """Of the adjacency."""

    @classmethod
    def of(cls, params: Params) -> Self:
        """The design in params.yaml."""
        return cls(
            frames=params.frames,
            backbone=params.backbone.model_copy(update={"weights": None}),
            lexicon=params.lexicon,
            gcn=params.gcn,
            transformer=params.transformer,
            model=params.model,
            normalization=params.adjacency.normalization,
        )

    @property
    def uses_audio_lexicon(self) -> bool:
        """Whether a learner starts from the audio lexicon."""
        return uses(self.model.heads, "audio")

    @property
    def uses_text_lexicon(self) -> bool:
        """Whether a learner starts from the text lexicon."""
        return uses(self.model.heads, "text")

    def to_json(self) -> dict[str, Any]:
        """The design in JSON's types."""
        sections = {name: getattr(self, name).model_dump() for name in SECTIONS if name != "backbone"}
        return {
            **sections,
            "backbone": self.backbone.model_dump(exclude={"weights"}),
            "normalization": self.normalization,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """A design from the values of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: it is not a design.
        """
        whole = {**content, "backbone": {**content["backbone"], "weights": None}}
        sections: dict[str, Any] = {name: kind.model_validate(whole[name]) for name, kind in SECTIONS.items()}
        return cls(**whole | sections)
