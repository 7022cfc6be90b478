"""The manifest of a folder of imported features: manifest.json.

    FOLDER/annotations/manifest.json     origin, licence, models, widths, and the digest of every file below
    FOLDER/annotations/actions.txt       the vocabulary, a name a line, in the order of action ids
    FOLDER/annotations/activities.txt    those of them that are activities, where somebody has said so
    FOLDER/annotations/labels.parquet    video_id, split (train | val | test), labels (names)
    FOLDER/features/visual-00000.parquet ...   video_id, view, vector
    FOLDER/features/sound-00000.parquet ...    video_id, form

Rows rise by their key from file to file. `vector` and `form` have any width: fixed-size lists of float16 or float32; or
bytes of fixed length, each of which stands for byte x scale + offset. A video may have no sound; every one has all the
views of its split.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.foundations.runtime.errors import PlainError

MANIFEST, ACTIONS, LABELS = "manifest.json", "actions.txt", "labels.parquet"
ACTIVITIES = "activities.txt"
LAYOUT: Literal[1] = 1
"""Of this description; another number is another layout."""
MOST_BYTES = 64 * 2**20
WIDEST = 65_536
"""Numbers of a vector or a form."""
FILE_NAME = re.compile(r"(visual|sound)-[0-9]{5}\.parquet")
Kind = Literal["visual", "sound"]
Text = Annotated[str, Field(max_length=10_000)]
Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Views = Annotated[int, Field(ge=1, le=1000)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Quantization(_Entry):
    """Value of a stored uint8: stored x scale + offset."""

    scale: float
    offset: float


class Vectors(_Entry):
    """Where some vectors come from."""

    model: Text
    revision: Text
    preprocessing: Text
    size: Annotated[int, Field(ge=1, le=WIDEST)]
    """Numbers of each."""
    quantization: Quantization | None
    """None where they are floats."""


def standard_deviation(size: int) -> float:
    """Of each of C standardized features: C^(-1/4), so that the squares of a vector add up to sqrt(C).

    Chosen on YouTube-8M's validation videos, between two that do not serve all heads: with deviation 1 those of audio
    and text start with scores too far from 0 to learn, and with C^(-1/2) the linear classifier is worse.
    """
    return float(size**-0.25)


class Standard(_Entry):
    """Makes X (x - mean) x factor, feature by feature: mean 0 and the same deviation, C^(-1/4)."""

    mean: Annotated[tuple[float, ...], Field(strict=False)]
    factor: Annotated[tuple[float, ...], Field(strict=False)]
    """C^(-1/4) / deviation, of the training videos; 0 for a feature that does not vary."""


class Visual(Vectors):
    """What replaces the 3D-CNN's features X."""

    views: Views | dict[Split, Views]
    """Of every video; or of each split's, all three."""
    standard: Standard | None
    """Applied after it is read; None: X is what was imported."""
    constant: float | None
    """Appended to each vector: whitened features have mean 0, and the heads of audio and text no bias, so that without
    it no score can say how frequent an action is. A 3D-CNN's features are means of ReLUs, which need none."""
    of_sound: bool
    """Whether they describe the video's sound instead of its pictures."""

    @field_validator("views")
    @classmethod
    def _of_every_split(cls, views: int | dict[str, int]) -> int | dict[str, int]:
        if isinstance(views, dict) and (missing := [split for split in SPLITS if split not in views]):
            raise ValueError(f"found no number for {', '.join(missing)}: give one for each of {', '.join(SPLITS)}")
        return views

    def views_of(self, split: str) -> int:
        """The views of a split's videos."""
        return self.views if isinstance(self.views, int) else self.views[split]  # type: ignore[index]


class Sound(Vectors):
    """What replaces VGGish embeddings."""

    whitened: bool
    """Whether they are whitened already."""
    silence: Annotated[tuple[float, ...], Field(strict=False)] | None
    """The stored form of digital silence, where it is known: one that many videos share to the last bit."""


class Part(_Entry):
    """A file of vectors."""

    rows: Annotated[int, Field(ge=0)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(_Entry):
    """All of it."""

    layout: Literal[1]
    title: Text
    origin: Text
    licence: Text
    visual: Visual
    sound: Sound | None
    files: dict[str, Part]

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        for name in self.files:
            found = FILE_NAME.fullmatch(name)
            if not found:
                raise ValueError(f"the file {name!r} is not named visual-00000.parquet or sound-00000.parquet")
            if found[1] == "sound" and self.sound is None:
                raise ValueError(f"{name} is there, but sound is null")
        standard = self.visual.standard
        if standard and {len(standard.mean), len(standard.factor)} != {self.visual.size}:
            raise ValueError(f"visual.standard has not the {self.visual.size} numbers of a vector")
        if self.sound and self.sound.silence is not None and len(self.sound.silence) != self.sound.size:
            raise ValueError(f"silence has {len(self.sound.silence)} numbers, and a form {self.sound.size}")
        return self

    @property
    def features(self) -> int:
        """C: the numbers of a vector, and the constant where there is one."""
        return self.visual.size + (self.visual.constant is not None)

    def parts(self, kind: Kind) -> list[str]:
        """The files of a kind, in their order."""
        return sorted(name for name in self.files if name.startswith(f"{kind}-"))


def read_manifest(annotations: Path) -> Manifest:
    """The manifest in a folder of annotations.

    Raises:
        PlainError: it is absent, or not one; the sentence names the entry.
    """
    path = annotations / MANIFEST
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PlainError(f"{path}: larger than {MOST_BYTES // 2**20} MB: not a manifest of features")
        content = json.loads(path.read_text(encoding="utf-8"))
        return Manifest.model_validate(content)
    except OSError as error:
        raise PlainError(
            f"{path}: cannot be read: {error.strerror}; `m3a import-features` writes such a folder"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise PlainError(f"{path}: {key}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise PlainError(f"{path}: not valid JSON: {error}") from error


def write_manifest(annotations: Path, manifest: Manifest) -> None:
    """Write it."""
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (annotations / MANIFEST).write_text(text + "\n", encoding="utf-8")
