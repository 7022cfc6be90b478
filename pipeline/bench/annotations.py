"""Annotation files with the statistics of M-MiT V1, for benchmarks: no video, but a million rows.

Published for V1: 1.02 M videos with 2.01 M labels of 313 actions; of the training videos 553,535 have two actions
or more and 257,491 three or more; a long tail. Not published: the tail's form, what co-occurs, and folders. Here
the tail is a power law, an action's partners are drawn once, and a video's folder is its first action.
"""

from pathlib import Path

import numpy as np

from pipeline.dataset.annotations import Split
from pipeline.dataset.mmit import CATEGORIES, SPLIT_FILES
from pipeline.foundations.tables.seeds import generator

VOCABULARY = Path(__file__).resolve().parents[2] / "data" / "external" / "mmit_v1_categories.txt"
SPLITS: dict[Split, float] = {"train": 1.0, "val": 0.01, "test": 0.01}  # videos, as parts of the training split
TWO_OR_MORE = 0.5545  # these three are before repeats merge, and give the published counts after
THREE_OR_MORE = 0.2940
EACH_FURTHER = 0.46  # chance of one label more, from three on
MOST = 12
EXPONENT = 0.6  # of the long tail: the most frequent action is some thirty times the rarest
PARTNERS = 5
FROM_PARTNERS = 0.7  # part of the further labels that come from the first one's partners
PARTNER_WEIGHTS = 2.0 ** -np.arange(1, PARTNERS + 1) / (1 - 2.0**-PARTNERS)  # one is met most


def write_rows(folder: Path, *, videos: int, seed: int = 0) -> None:
    """Write annotation files for `videos` training videos, and a hundredth of that for each other split."""
    actions = VOCABULARY.read_text(encoding="utf-8").split()
    folder.mkdir(parents=True, exist_ok=True)
    categories = "".join(f"{action},{number}\n" for number, action in enumerate(actions))
    (folder / CATEGORIES).write_text(categories, encoding="utf-8")
    for split, part in SPLITS.items():
        rows = _rows(actions, max(1, round(videos * part)), split, seed)
        (folder / SPLIT_FILES[split]).write_text("\n".join(rows) + "\n", encoding="utf-8")


def _rows(actions: list[str], videos: int, split: str, seed: int) -> list[str]:
    labels, present = draw_labels(len(actions), videos, seed=seed, split=split)
    folders = [action.split("/")[0] for action in actions]
    texts = np.char.mod(",%d", np.arange(len(actions))).tolist()
    return [
        f"{folders[row[0]]}/yt-{split}-{number:07d}_1.mp4" + "".join(texts[label] for label in row[:count])
        for number, (row, count) in enumerate(zip(labels.tolist(), present.tolist(), strict=True))
    ]


def draw_labels(n: int, videos: int, *, seed: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels of each video, B x MOST, the first its folder's; and how many of them count. Repeats occur."""
    rng = generator(seed, "rows", "model")  # the same co-occurrence model in every split
    weights = rng.permutation(np.arange(1, n + 1) ** -EXPONENT)
    weights /= weights.sum()
    partners = rng.choice(n, size=(n, PARTNERS), p=weights)
    rng = generator(seed, "rows", split)
    chances = rng.random(videos)
    further = np.minimum(rng.geometric(1 - EACH_FURTHER, videos) + 2, MOST)
    count = np.where(chances < THREE_OR_MORE, further, np.where(chances < TWO_OR_MORE, 2, 1))
    labels = rng.choice(n, size=(videos, MOST), p=weights)
    of_partner = rng.random((videos, MOST)) < FROM_PARTNERS
    of_partner[:, 0] = False
    chosen = partners[labels[:, :1], rng.choice(PARTNERS, size=(videos, MOST), p=PARTNER_WEIGHTS)]
    return np.where(of_partner, chosen, labels), count
