"""Results published in the paper and the authors' model zoo, in percent, by metric (mAP is `map_sample`).

On M-MiT, with R(2+1)D-34 from IG-65M unless a row says otherwise. Every figure names its data set, since figures of
different data sets cannot be compared.
"""

from typing import NamedTuple

PAPER_MINI, PAPER_V1, PAPER_V2 = "paper, Mini M-MiT V1", "paper, M-MiT V1", "paper, M-MiT V2"
ZOO_V1 = "authors' model zoo, M-MiT V1"


class Published(NamedTuple):
    """One published row; None where a figure is not given."""

    source: str
    """Publication and data set."""
    top1: float | None
    top5: float | None
    map_sample: float | None


def _mini(top1: float | None, top5: float | None, map_sample: float) -> Published:
    return Published(PAPER_MINI, top1, top5, map_sample)


PUBLISHED: dict[str, dict[str, tuple[Published, ...]]] = {
    "table1": {
        "fc": (_mini(52.1, 76.0, 54.8), Published(ZOO_V1, 58.7, 83.7, 61.7)),
        "visual": (_mini(53.3, 77.3, 55.0),),
        "audio": (_mini(54.3, 79.0, 58.0), Published(ZOO_V1, 60.4, 85.3, 64.7)),
        "text": (_mini(54.5, 79.7, 58.2), Published(ZOO_V1, 60.5, 85.5, 64.4)),
        "visual-audio": (_mini(54.5, 79.4, 58.2),),
        "visual-text": (_mini(55.1, 79.9, 58.5),),
        "audio-text": (_mini(55.1, 79.8, 58.5), Published(ZOO_V1, 60.7, 85.6, 65.0)),
        "all": (_mini(55.0, 79.8, 58.7),),
    },
    "table2": {
        "audio-1": (_mini(54.3, 79.0, 58.0),),
        "audio-2": (_mini(53.8, 79.1, 57.8),),
        "audio-3": (_mini(53.9, 78.8, 57.4),),
        "text-words": (_mini(54.5, 79.7, 58.2),),
        "text-sentences-cls": (_mini(54.9, 79.5, 58.2),),
        "text-sentences-mean": (_mini(54.9, 79.5, 58.2),),  # which of the two the paper has, it does not say
        "audio_text": (_mini(54.9, 79.7, 58.4),),
    },
    "table3": {
        "v1-visual": (Published(PAPER_V1, 58.6, 83.4, 61.5),),
        "v1-audio": (Published(PAPER_V1, 60.6, 85.3, 64.0),),
        "v1-text": (Published(PAPER_V1, 60.6, 85.5, 64.1),),
        "v1-all": (Published(PAPER_V1, 61.2, 85.8, 64.6),),
        "v1-mmit-visual": (Published(PAPER_V1, 58.5, 81.4, 61.7),),
        "v1-mmit-visual-audio": (Published(PAPER_V1, 59.3, 82.8, 61.8),),
        "v1-tin": (Published(PAPER_V1, None, None, 62.2),),  # Section 4.4, in the text
        "v2-visual": (Published(PAPER_V2, 59.5, 83.8, 62.2),),
        "v2-audio": (Published(PAPER_V2, 61.2, 85.7, 64.4),),
        "v2-text": (Published(PAPER_V2, 61.1, 85.8, 64.5),),
        "v2-all": (Published(PAPER_V2, 61.7, 86.1, 65.2),),
    },
    "backbones": {  # Section 4.2, in the text; mAP alone
        "r3d_18-visual": (_mini(None, None, 45.8),),
        "r3d_18-audio": (_mini(None, None, 49.1),),
        "r3d_18-text": (_mini(None, None, 49.5),),
        "r3d_18-all": (_mini(None, None, 50.7),),
        "i3d_50-visual": (_mini(None, None, 53.1),),
        "i3d_50-audio": (_mini(None, None, 55.6),),
        "i3d_50-text": (_mini(None, None, 55.8),),
        "i3d_50-all": (_mini(None, None, 57.3),),
    },
    "frames": {},
    "relations": {
        "gcn": (_mini(55.1, 79.8, 58.5), Published(ZOO_V1, 60.7, 85.6, 65.0)),
        "gcn-merged": (_mini(54.9, 79.7, 58.4),),
        "transformer-merged": (Published(ZOO_V1, 61.6, 85.5, 65.9),),
    },
    "controls": {},
    "baselines": {},
}
"""By ablation and row."""


def published(ablation: str, row: str) -> dict[str, Published]:
    """Published results of a row, by source."""
    return {entry.source: entry for entry in PUBLISHED.get(ablation, {}).get(row, ())}
