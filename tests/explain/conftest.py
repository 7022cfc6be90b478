"""Networks whose heat is known beforehand, and a small run that can be explained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.dataset.sample.places import Place
from pipeline.evaluate.testing import Video
from pipeline.explain.models import FOLDER, PREDICTIONS, Explained, explained
from pipeline.foundations.params import Params
from pipeline.foundations.runtime import files
from pipeline.foundations.tables import tables
from pipeline.foundations.tables.schemas import FORM_SIZE
from pipeline.graph.normalize import normalize
from pipeline.model.backbones import Backbone
from pipeline.model.backbones.pooling import Pooling
from pipeline.model.checkpoint import Description, save_model
from pipeline.model.design import Design
from pipeline.model.heads import FullyConnected
from pipeline.model.model import MultiActionModel, build_model
from tests.evaluate.miniature import ACTIONS, write_video
from tests.train.miniature import changed

EDGES = torch.tensor([[0, 1, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 1, 0], [1, 0, 1, 0, 0], [0, 1, 0, 0, 0]]).float()
LABELS = {"a": (0, 3), "b": (1, 4), "c": (2,)}


@pytest.fixture(autouse=True)
def _one_thread_one_seed():
    torch.set_num_threads(1)
    torch.manual_seed(313)


@pytest.fixture(scope="session")
def small(params: Params) -> Params:
    """The committed parameters, made small."""
    return changed(
        params,
        {
            "frames": {"fps": 10.0, "span": 8, "count": 4},
            "backbone": {"name": "r3d_tiny", "weights": None, "pooling": "global"},
            "gcn": {"hidden": 16},
            "evaluate": {"short_side": 24, "crop": 24, "bootstrap": 40, "shard_size": 2},
            "explain": {
                "videos": 2,
                "actions": 2,
                "layers": ("layer4", "layer3"),
                "clips": 2,
                "frames": 3,
                "short_side": 32,
                "neighbours": 2,
                "perplexity": 8.0,
                "baseline": None,
            },
            "execution": {"workers": 1, "device": "cpu"},
        },
    )


@pytest.fixture
def make_network(small: Params) -> Callable[..., MultiActionModel]:
    """A network of five actions on r3d_tiny, in evaluation mode, with random weights and forms."""

    def make(*heads: str, relation: str = "gcn", **changes: object) -> MultiActionModel:
        model = small.model.model_copy(update={"heads": heads, "relation": relation, **changes})
        transformer = small.transformer.model_copy(update={"attention_heads": 1})
        return build_model(
            replace(Design.of(small), model=model, transformer=transformer),
            actions=len(ACTIONS),
            adjacency=normalize(EDGES, "paper"),
            audio_forms=torch.randn(5, 12),
            text_forms=torch.randn(5, 6),
            sound=FORM_SIZE if model.late_fusion else None,
        ).eval()

    return make


class Blocks(Backbone):
    """A backbone of one layer."""

    def __init__(self, see: nn.Module) -> None:
        super().__init__()
        self.features = 1
        self.layer3, self.layer4 = nn.Sequential(see, nn.ReLU()), nn.Identity()

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return self.layer4(self.layer3(clips))


@pytest.fixture
def bright_network() -> MultiActionModel:
    """Sees brightness alone, in blocks of one frame by 8 x 8 pixels; for action 0 it speaks, against action 1."""
    see = nn.Conv3d(3, 1, (1, 8, 8), stride=(1, 8, 8), padding=(0, 3, 3), bias=False)
    nn.init.constant_(see.weight, 1 / 192)
    head = FullyConnected(1, 2)
    head.weight.data = torch.tensor([[2.0], [-2.0]])
    return MultiActionModel(Blocks(see), Pooling("global"), head).eval()


@pytest.fixture
def finished(small: Params, make_network, tmp_path: Path) -> Callable[..., Path]:
    """Write a finished run of three videos below a folder of the given name: its model and its predictions."""

    def make(name: str, *heads: str, actions: tuple[str, ...] = ACTIONS, seed: int = 0, **changes: object) -> Path:
        torch.manual_seed(seed)
        network, root = make_network(*heads, **changes), tmp_path / name
        description = Description(
            actions=actions,
            design=replace(Design.of(changed(small, {"model": {"heads": heads, **changes}})), normalization="paper"),
            audio_size=12 if "audio" in heads else None,
            text_size=6 if "text" in heads else None,
            batch_norm=network.batch_norm,
            sound_size=FORM_SIZE if "late_fusion" in changes else None,
        )
        save_model(root / FOLDER, network, description)
        scores = np.random.default_rng(seed).random((3, 5)).astype(np.float32)
        columns = {"video_id": list(LABELS), "actions": [list(own) for own in LABELS.values()], "scores": scores}
        tables.write("predictions", root / PREDICTIONS, tables.from_columns("predictions", columns))
        return root

    return make


@pytest.fixture
def this_run(finished) -> list[Explained]:
    """A finished run with all relations, alone."""
    return explained(finished("run", "visual", "audio", "text"), None)


@pytest.fixture
def videos(tmp_path: Path) -> list[Video]:
    """The three videos, of moving noise: 48 x 32 pixels, 12 frames at 10 a second."""
    made = []
    for number, (name, actions) in enumerate(LABELS.items()):
        path = tmp_path / f"{name}.avi"
        write_video(path, seed=number)
        made.append(Video(name, str(path), path.stat().st_size, files.sha256(path), actions))
    return made


@pytest.fixture
def places() -> dict[str, dict[int, tuple[Place, ...]]]:
    """Each action stands still: the first of a video in the left half of the frame, the second in the right."""
    halves = ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))
    return {
        name: {
            action: tuple(Place(time, *half) for time in (0.0, 0.4, 0.8))
            for action, half in zip(own, halves, strict=False)
        }
        for name, own in LABELS.items()
    }
