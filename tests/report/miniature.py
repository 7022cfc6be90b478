"""A small finished run on disk, with counts that can be checked by eye."""

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.dataset.sample.write import write_video
from pipeline.evaluate import scoring
from pipeline.foundations.tables import tables
from pipeline.report.bench_rows import Comparison, merged
from pipeline.report.bench_rows import row as measured
from pipeline.report.run_tables import BENCH, CURVES, MODEL, PICTURES, TABLES, WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = ["applauding", "diving", "hitting/colliding", "playing+music", "singing", "swimming"]
TRAIN = {"t0": [0, 3, 4], "t1": [0, 4], "t2": [1, 5], "t3": [5], "t4": [3, 4], "t5": [2], "t6": [1, 5], "t7": [0]}
VAL = {"v0": [0, 4], "v1": [5]}
TEST = {"x0": [0, 4], "x1": [1, 5], "x2": [5], "x3": [3]}
VERDICTS = {"t3": "no_audio_stream", "t6": "undecodable", "v1": "digital_silence", "x2": "below_threshold"}


def _rows(videos: dict[str, list[int]], **columns: object) -> dict[str, object]:
    return {"video_id": list(videos), "actions": list(videos.values()), **columns}


def _write(root: Path, name: str, columns: dict[str, object]) -> None:
    schema, path = TABLES[name]
    tables.write(schema, root / path, tables.from_columns(schema, columns))


def _write_index(root: Path) -> None:
    videos = TRAIN | VAL | TEST
    splits = ["train"] * len(TRAIN) + ["val"] * len(VAL) + ["test"] * len(TEST)
    files = {"path": [f"{name}.mp4" for name in videos], "bytes": [9] * len(videos), "sha256": ["00"] * len(videos)}
    _write(root, "videos", _rows(videos, split=splits, **files))
    words = [name.replace("+", "/").split("/") for name in ACTIONS]
    _write(root, "actions", {"action_id": range(len(ACTIONS)), "action": ACTIONS, "words": words})
    _write(root, "missing", {"video_id": ["gone"], "reason": ["no file"]})
    silent = {name: VERDICTS.get(name, "audible") for name in videos}
    _write(
        root,
        "verdicts",
        {
            "video_id": list(silent),
            "verdict": list(silent.values()),
            "reason": ["" if verdict == "audible" else f"it is <{verdict}>" for verdict in silent.values()],
            **{name: np.ones(len(silent), np.float32) for name in ("seconds", "peak_dbfs", "rms_dbfs")},
        },
    )
    kept = {name: actions for name, actions in TRAIN.items() if name not in ("t3", "t6", "t7")}
    _write(root, "train", _rows(kept, drawn_for=[actions[0] for actions in kept.values()]))
    for name, split in (("val", VAL), ("test", TEST)):
        _write(root, name, _rows(split, drawn_for=[None] * len(split)))


def _write_knowledge(root: Path) -> None:
    rng = np.random.default_rng(0)
    _write(root, "unembedded", {"video_id": ["t7"], "reason": ["shorter than 46,320 samples"]})
    whitening = {"component": range(3), "mean": np.zeros(3), "variance": np.ones(3), "vector": np.eye(3)}
    _write(root, "whitening", whitening)
    pairs = [(0, "t0"), (3, "t0"), (4, "t0"), (0, "t1"), (4, "t1"), (1, "t2"), (5, "t2")]
    ids, names = zip(*pairs, strict=True)
    _write(root, "audio", {"action_id": ids, "video_id": names, "form": rng.normal(size=(7, 384)).astype(np.float32)})
    _write(
        root,
        "text",
        {
            "action_id": range(6),
            "action": ACTIONS,
            "form": rng.normal(size=(6, 8)).astype(np.float32),
            "words": [[name] for name in ACTIONS],
            "missing": [[], [], ["colliding"], [], [], []],
        },
    )
    psi, edge = np.zeros((6, 6)), np.zeros((6, 6), dtype=bool)
    for source, target, value in ((0, 4, 0.67), (4, 0, 0.67), (1, 5, 1.0), (3, 4, 1.0)):
        psi[source, target], edge[source, target] = value, True
    psi[2] = np.nan
    source, target = np.divmod(np.arange(36), 6)
    counts = {"source_count": np.full(36, 3), "pair_count": np.full(36, 1)}
    _write(
        root,
        "adjacency",
        {"source": source, "target": target, "psi": psi.ravel(), "edge": edge.ravel().tolist()} | counts,
    )
    _write(
        root,
        "clips",
        {
            "video_id": ["t0", "t1", "v0"],
            "pack": [0] * 3,
            "width": [96] * 3,
            "height": [72] * 3,
            "fps": [30.0] * 3,
            "offsets": [[0, 5, 9], [9, 12], [12, 13, 14, 15]],
        },
    )
    _write(root, "uncopied", {"video_id": ["t2"], "reason": ["changed since `index`"]})


def _write_result(root: Path) -> None:
    rng = np.random.default_rng(1)
    scored = {name: actions for name, actions in TEST.items() if name != "x2"}
    _write(root, "predictions", _rows(scored, scores=rng.random((len(scored), 6)).astype(np.float32)))
    _write(root, "unscored", {"video_id": ["x2"], "reason": ["cut <off>"]})
    read = {name: tables.read(TABLES[name][0], root / TABLES[name][1]) for name in ("predictions", "train", "actions")}
    figures = scoring.figures(read["predictions"], read["train"], read["actions"], bootstrap=50, seed=0)
    for name, table in (("metrics", figures.metrics), ("per_action", figures.per_action)):
        tables.write(name, root / TABLES[name][1], table)
    learners = {"heads": ["visual", "text"], "relation": "gcn", "control": "none", "late_fusion": False}
    model = {"actions": ACTIONS, "design": {"model": learners, "normalization": "paper"}}
    weights = {
        "vggish": {"file": "vggish.safetensors", "source": "seed 7", "sha256": "5eed", "trained": False},
        "words": {"file": "words.bin", "source": "glove.txt", "sha256": "910e", "trained": True},
    }
    for path, content in ((MODEL, model), (WEIGHTS, weights)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(json.dumps(content))
    curves = {"train/loss": [0.7, 0.4, 0.3], "train/learning_rate": [0.1, 0.1, 0.01], "val/map_sample": [20, 30, 35]}
    for name, values in curves.items():
        path = root / CURVES / "plots" / "metrics" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{step}\t{value}" for step, value in enumerate(values, start=1)]
        path.write_text("\n".join([f"step\t{name}", *lines]) + "\n")


def write_rows(root: Path, name: str, rows: list[tuple]) -> None:
    """One table of the run, from rows."""
    schema, path = TABLES[name]
    tables.write(schema, root / path, tables.from_rows(schema, rows))


def _write_explained(root: Path) -> None:
    """Two videos under the heat of the model alone; text relations of six actions; no baseline."""
    rows = []
    for number, (video, action, hottest) in enumerate((("x0", 0, 1.5), ("x0", 4, 0.5), ("x1", 5, 0.0))):
        files = (f"{video}-frames.webp", f"{number}.webp", f"{number}-moving.webp")
        for color, file in enumerate(files):
            picture = Image.new("RGB", (900, 110), (40 * number, 80 * color, 200))
            (root / PICTURES).mkdir(parents=True, exist_ok=True)
            picture.save(root / PICTURES / file)
        rows.append((int(video[1]), action, "model", video, "by score", "layer4", 0.9 - number / 10, hottest, *files))
    write_rows(root, "drawn", rows)
    figures = {
        "heat": 40,
        "no_heat": 1,
        "chance": 7,
        "centre": 9,
        "lead_chance": 33,
        "other_action": 30,
        "lead_other_action": 6,
    }
    rows = [
        ("model", layer, name, value + extra, value - 2.0, value + 4.0, 3 if "other_action" in name else 5)
        for extra, layer in enumerate(("layer3", "layer4"))
        for name, value in figures.items()
    ]
    write_rows(root, "pointing_scores", rows)
    _write_playable(root)
    places = np.random.default_rng(2).normal(size=(3, 6, 2)).round(3)
    nodes = [(layer, action) for layer in range(3) for action in range(6)]
    write_rows(root, "embedding", [("text", *node, *places[node]) for node in nodes])
    write_rows(root, "clustering", [("text", layer, 8, 60.0 + layer, 50.0 + layer) for layer in range(3)])
    near = [(action, rank, (action + rank) % 6) for action in range(6) for rank in (1, 2)]
    learnt = [("text", action, rank, other, 1 / rank, 0.5) for action, rank, other in near]
    known = [("data", action, rank, (action + 3 - rank) % 6, 1 / rank, 1 / rank) for action, rank, _ in near]
    write_rows(root, "neighbours", learnt + known)
    write_rows(root, "boosts", [])
    write_rows(root, "compared", [(video, "model", TEST[video], [0.1 * n for n in range(6)]) for video in ("x0", "x1")])


def _write_playable(root: Path) -> None:
    """Half a second of a scored video with a tone, and of a training video without sound."""
    tone = (8000 * np.sin(np.arange(8000) * 0.2)).astype(np.int16)
    frames = np.full((15, 32 * 48 * 3 // 2), 90, np.uint8)
    for name, sound in (("x0", tone), ("t0", None)):
        write_video(root / PICTURES / f"{name}.mp4", frames, size=(48, 32), fps=30, sound=sound, rate=16000)
    Image.new("RGB", (8, 6), (200, 40, 80)).save(root / PICTURES / "x0-heard.webp")
    write_rows(root, "playable", [("t0", "t0.mp4", ""), ("x0", "x0.mp4", "x0-heard.webp")])


def _read(root: Path, name: str) -> list[dict]:
    schema, path = TABLES[name]
    return tables.read(schema, root / path).to_pylist()


def write_baseline(root: Path) -> None:
    """The same run beside a baseline: its heat, its pointing game, its scores and the boosts over it."""
    drawn = _read(root, "drawn")
    for row in [dict(row) for row in drawn]:
        stem = Path(row["strip"]).stem
        files = {"strip": f"{stem}-baseline.webp", "moving": f"{stem}-baseline-moving.webp"}
        for kind, file in files.items():
            shutil.copy(root / PICTURES / row[kind], root / PICTURES / file)
        drawn.append(row | files | {"model": "baseline", "score": 0.2})
    drawn = [row | {"chosen": "by gain"} for row in drawn]
    drawn.sort(key=lambda row: (row["number"], row["action_id"], row["model"]))
    write_rows(root, "drawn", [tuple(row.values()) for row in drawn])
    game = [
        tuple(row.values()) for row in tables.read("pointing_scores", root / TABLES["pointing_scores"][1]).to_pylist()
    ]
    write_rows(root, "pointing_scores", [("baseline", *row[1:]) for row in game] + game)
    leads = [(action, 1, 60.0, 40.0 + 10 * action, 20.0 - 10 * action, -5.0, 30.0) for action in range(6)]
    write_rows(root, "boosts", leads)
    scores = {"baseline": [0.5 - 0.1 * n for n in range(6)], "model": [0.1 * n for n in range(6)]}
    write_rows(
        root, "compared", [(video, name, TEST[video], scores[name]) for video in ("x0", "x1") for name in scores]
    )


def write_bench(root: Path) -> None:
    """Measurements on two devices, with words as long as real ones are."""
    found = Comparison(ours=130.0, theirs=10.0, ratio=13.0, low=12.0, high=14.0, repeats=5)
    words = "training examples of 8 x 112 x 112, jittered, cropped, flipped, of a 340 x 256 source"
    rows = [
        measured("loader", found, device=device, what=words, peer="PyAV, decoding the video for each", unit="clips/s")
        for device in ("2 cores", "one GPU")
    ]
    tables.write("bench", root / BENCH, merged(root / BENCH, rows))


def write_run(root: Path) -> None:
    """The whole run, with dvc.yaml and params.yaml as committed."""
    for path in ("dvc.yaml", "data/raw/dvc.yaml", "params.yaml"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, root / path)
    _write_index(root)
    _write_knowledge(root)
    _write_result(root)
    _write_explained(root)
