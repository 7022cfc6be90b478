"""params.yaml as typed, frozen sections: read once by a stage, passed on as values.

Every parameter stands in params.yaml, with a comment; nothing has a default here, so that the file is what ran. An
unknown key, a wrong type or a value out of range is an error that names the key.
"""

from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator
from ruamel.yaml.error import YAMLError

from pipeline.foundations.params.data import (
    Adjacency,
    AudioLexicon,
    Dataset,
    Execution,
    FilterSilent,
    Index,
    Media,
    Render,
    Scope,
    SplitMini,
    Vggish,
    Whitening,
    Words,
)
from pipeline.foundations.params.learning import (
    Backbone,
    Clips,
    Evaluate,
    Explain,
    Frames,
    Frozen,
    Gcn,
    Layer,
    Lexicon,
    Model,
    Scaling,
    Schedule,
    Train,
    Transformer,
)
from pipeline.foundations.params.reading import parse_yaml, read_yaml
from pipeline.foundations.params.section import Section
from pipeline.foundations.runtime.errors import PlainError
from pipeline.foundations.runtime.numerics import Numerics

__all__ = [
    "Adjacency",
    "AudioLexicon",
    "Backbone",
    "Clips",
    "Dataset",
    "Evaluate",
    "Execution",
    "Explain",
    "FilterSilent",
    "Frames",
    "Frozen",
    "Gcn",
    "Index",
    "Layer",
    "Lexicon",
    "Media",
    "Model",
    "Params",
    "Render",
    "Scaling",
    "Schedule",
    "Scope",
    "Section",
    "SplitMini",
    "Train",
    "Transformer",
    "Vggish",
    "Whitening",
    "Words",
    "load_params",
    "parse_params",
    "read_yaml",
]


class Params(Section):
    """The whole of params.yaml."""

    seed: int
    numerics: Numerics
    """The same bytes on every x86-64 CPU with AVX2, or the fastest that this CPU has."""
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
    frozen: Frozen
    evaluate: Evaluate
    explain: Explain

    @model_validator(mode="after")
    def _copies_are_large_enough(self) -> Self:
        copied, largest = self.clips.short_side, self.train.jitter[1]
        if copied is not None and copied < largest:
            raise ValueError(
                f"clips.short_side is {copied}, but train.jitter goes up to {largest}: training would enlarge its "
                f"copies; set clips.short_side to {-(-largest * 6 // 5)}, a fifth above it, or to null"
            )
        return self

    @model_validator(mode="after")
    def _imported_features_are_whole(self) -> Self:
        """Parameters that belong to `dataset.source: features`."""
        features = self.dataset.source == "features"
        goes_with = {
            "backbone.name": (self.backbone.name, "imported"),
            "vggish.source": (self.vggish.source, "none"),
        }
        for name, (found, imported) in goes_with.items():
            if features != (found == imported):
                meant = imported if features else f"another than {imported}"
                raise ValueError(f"{name} is {found}, and dataset.source {self.dataset.source}: set {name} to {meant}")
        if features and self.explain.videos not in (0, ()):
            raise ValueError("explain.videos asks for pictures, and imported features have none: set it to 0")
        return self


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameter file.

    Raises:
        PlainError: the file is absent or not YAML, or a key is unknown, missing, of the wrong type or out of
            range; one line a fault, each naming the key, what was found and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise PlainError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PlainError(f"{path}: not valid YAML: {error}") from error
    return parse_params(text, path)


def parse_params(text: str, path: Path) -> Params:
    """Check the content of a parameter file; `path` is what errors call it.

    Raises:
        PlainError: as `load_params`.
    """
    try:
        content = parse_yaml(text)
    except (YAMLError, ValueError) as error:
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
    if fault["type"] == "value_error":  # a rule over a whole section, with its own message
        return f"{key}: {fault['ctx']['error']}" if fault["loc"] else str(fault["ctx"]["error"])
    return f"{key}: found {_short(fault['input'])}; {_expected(fault)}"


def _expected(fault: Any) -> str:
    """What was expected, as a sentence."""
    context = fault.get("ctx", {})
    match fault["type"]:
        case "too_short":
            return f"expected {context['min_length']} or more"
        case "too_long":
            return f"expected {context['max_length']} or fewer"
        case "greater_than_equal":
            return f"expected {context['ge']:g} or more"
        case "less_than_equal":
            return f"expected {context['le']:g} or less"
        case "greater_than":
            return f"expected more than {context['gt']:g}"
        case "string_pattern_mismatch":
            return f"expected text of the form {context['pattern']}"
    message: str = fault["msg"].replace("Input should be ", "expected ")
    return f"{message[0].lower()}{message[1:]}"


def _short(value: object) -> str:
    """A value as text, shortened."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:60]} [...] {text[-15:]}"
