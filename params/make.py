"""Writes the presets beside this file: params.yaml, with the values that a data set and the paper ask for.

    python -m params.make     (or: make presets)

Each preset is a whole params.yaml, comments included, so that a copy of it is all that a run needs. A knob that
is added to params.yaml comes into every preset by running this again; a test fails until then.
"""

from collections.abc import Mapping
from pathlib import Path

from pipeline.foundations.params.editing import Value, edited, flat

FOLDER = Path(__file__).resolve().parent
BASE = FOLDER.parent / "params.yaml"
Changes = Mapping[str, Mapping[str, Value]]

_IG65M = "https://github.com/moabitcoin/ig65m-pytorch/releases/download/v1.0.0"

# Section 4 of the paper, and the released code where the paper is silent.
PAPER: Changes = {
    "vggish": {"source": "hub"},
    "words": {"source": "gensim", "name": "glove-wiki-gigaword-300", "size": 300},
    "clips": {"short_side": 192},
    "backbone": {
        "name": "r2plus1d_34",
        "weights": f"{_IG65M}/r2plus1d_34_clip8_ft_kinetics_from_ig65m-0aa0550b.pth",
    },
    "train": {
        "epochs": 30,
        "batch": 64,
        "learning_rate": 0.01,
        "schedule": "step",
        "milestones": [12, 24],
        "warmup_epochs": 0,
        "warmup_rate": 1e-4,
        "jitter": [128, 160],
        "crop": 112,
    },
    "frozen": {"backbone": "start"},
    "evaluate": {"split": "val", "short_side": 128, "crop": 128},
    "explain": {"layers": ["layer4", "layer3"], "short_side": 160, "perplexity": 30.0},
}

# Of a machine that trains on real data; shards large enough that a million videos are few files.
LARGE: Changes = {
    "execution": {"workers": 8, "threads": 4},
    "filter_silent": {"shard_size": 256},
    "vggish": {"shard_size": 128},
    "clips": {"shard_size": 512},
    "train": {"threads": 8, "validate_every": 1},
    "evaluate": {"shard_size": 200},
}

FULL: Changes = {
    "audio_lexicon": {"scope": "full"},
    "split_mini": {"draw": "all", "require_audio_stream": False},
}

# Section 4.4: sight and words alone; the published test file is the split that papers score. VGGish's weights
# are not worth fetching where no head hears.
CHARADES: Changes = {
    "vggish": {"source": "seeded"},
    "clips": {"shard_size": 64},
    "model": {"heads": ["visual", "text"]},
}

RELEASED: Changes = {
    "filter_silent": {"rule": "released"},
    "vggish": {"short": "drop"},
    "whitening": {"method": "released"},
    "adjacency": {"comparison": "at_least", "normalization": "released"},
    "clips": {"short_side": None},
    "frames": {"timeline": "native", "scaling": "released"},
    "backbone": {"pooling": "released"},
    "gcn": {"layers": 1},
    "train": {"augmentation": "released", "sync_batch_norm": False},
}


def dataset(source: str, folder: str) -> Changes:
    """Annotation files apart from the videos, since DVC hashes the whole folder that it watches."""
    parts = {"annotations": "annotations", "videos": "videos", "watch": "annotations"}
    return {"dataset": {"source": source, "folder": folder} | parts}


PRESETS: dict[str, tuple[str, str, tuple[Changes, ...]]] = {
    "mmit_v1_mini": ("Mini M-MiT V1: 313 actions, the paper's ablations", "/data/mmit_v1", (PAPER, LARGE)),
    "mmit_v1": ("M-MiT V1: 313 actions, 1.02 M videos", "/data/mmit_v1", (PAPER, LARGE, FULL)),
    "mmit_v2_mini": ("Mini M-MiT V2: 292 actions", "/data/mmit_v2", (PAPER, LARGE)),
    "mmit_v2": ("M-MiT V2: 292 actions, 1 M videos", "/data/mmit_v2", (PAPER, LARGE, FULL)),
    "charades": ("Charades: 157 actions, whole videos", "/data/charades", (PAPER, LARGE, FULL, CHARADES)),
    "released": (
        "Mini M-MiT V1 as the authors' released code reads it, where that differs from the paper",
        "/data/mmit_v1",
        (PAPER, LARGE, RELEASED),
    ),
}

HEADER = """\
# {about}.
# Copy it to params.yaml, name your folder in the line dataset.folder, and run `make repro`. The folder holds
# annotations/ (the text files, as published) and videos/, which may be links, and may be read-only.
# Written by params/make.py: change values there, or in your copy.
"""


def preset(base: str, name: str) -> str:
    """The text of a preset."""
    about, folder, changes = PRESETS[name]
    source = "charades" if name == "charades" else "mmit"
    text = base.partition("\n\n")[2]
    for sections in (*changes, dataset(source, folder)):
        text = edited(text, flat(sections))
    return f"{HEADER.format(about=about)}\n{text}"


if __name__ == "__main__":
    for name in PRESETS:
        (FOLDER / f"{name}.yaml").write_text(preset(BASE.read_text(encoding="utf-8"), name), encoding="utf-8")
