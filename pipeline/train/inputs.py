"""The files that training reads."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Paths of the files that training reads; by default, where the stages write them."""

    actions: Path = Path("data/index/actions.parquet")
    adjacency: Path = Path("data/graph/adjacency.parquet")
    audio: Path = Path("data/lexicons/audio.parquet")
    text: Path = Path("data/lexicons/text.parquet")
    backbone: Path | None = Path("models/pretrained/backbone.safetensors")
    """Converted weights to start from; None, or no file there, where it starts from the seed."""
    train: Path = Path("data/splits/train.parquet")
    val: Path = Path("data/splits/val.parquet")
    clips: Path = Path("data/clips")
    """Folder of the training copies."""
    whitened: Path = Path("data/features/whitened.parquet")
    """Table of the videos' own sounds, for late fusion."""
