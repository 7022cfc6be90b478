"""What a file or folder of the pipeline is, in a few words."""

from pathlib import Path

from pipeline.lineage.consistency import TABLES
from pipeline.report.dag import is_code

KINDS = {
    "data/raw/sample": "the rendered sample: videos and annotations",
    "data/index/videos.parquet": "every video: its split, actions and SHA-256",
    "data/index/actions.parquet": "the vocabulary of actions",
    "data/index/missing.parquet": "annotated videos that are left out",
    "data/audible/verdicts.parquet": "each sound track's verdict",
    "data/splits/train.parquet": "the training videos that were drawn",
    "data/splits/val.parquet": "the validation videos",
    "data/splits/test.parquet": "the test videos",
    "models/pretrained": "pretrained weights, with where they come from",
    "models/pretrained/vggish.safetensors": "VGGish's weights",
    "models/pretrained/words.bin": "word vectors",
    "models/pretrained/weights.json": "where each file of weights comes from",
    "data/features/vggish.parquet": "VGGish features of every audible video",
    "data/features/excluded.parquet": "videos without VGGish features",
    "data/features/whitened.parquet": "whitened VGGish features",
    "data/features/whitening.parquet": "the PCA that whitens them",
    "data/lexicons/audio.parquet": "the audio lexicon",
    "data/lexicons/text.parquet": "the text lexicon",
    "data/graph/adjacency.parquet": "the co-occurrence graph",
    "data/clips": "small copies of the videos to train on",
    "models/m3a": "the trained model",
    "data/curves": "learning curves",
    "data/predictions": "scores of every test video, metrics with intervals",
    "data/metrics.json": "the metrics",
    "data/explain": "Grad-CAM, learnt relations, gains over a baseline",
    "data/report/index.html": "the report",
    "data/external": "published facts that git holds",
}
SUFFIXES = {".parquet": "a table", ".json": "JSON", ".html": "a page", ".txt": "text", ".wav": "a sound",
            ".npz": "arrays", ".safetensors": "tensors", ".mp4": "a video", ".yaml": "settings"}  # fmt: skip


def kind_of(root: Path, path: str) -> str:
    """What lies at a path of the pipeline."""
    if path in KINDS:
        return KINDS[path]
    if is_code(path):
        return "a module" if path.endswith(".py") else "code"
    above = next((known for known in KINDS if path.startswith(f"{known}/")), None)
    if path in TABLES:
        return f"a table of {TABLES[path]}"
    kind = "a folder" if (root / path).is_dir() else SUFFIXES.get(Path(path).suffix, "a file")
    return f"{kind} of {KINDS[above]}" if above else kind
