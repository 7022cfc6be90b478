"""What the network's tests share: random graphs, and models from the committed parameters with one thing changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.exchange.export import ClipShape, export
from pipeline.foundations.params import Params
from pipeline.model.backbones.pooling import Pooling
from pipeline.model.backbones.resnet3d import ARCHITECTURES, ResNet3d
from pipeline.model.design import Design
from pipeline.model.heads import FullyConnected, Head
from pipeline.model.model import MultiActionModel, build_head, build_model
from tests.extras import WITHOUT
from tests.train.conftest import design, miniature, small

__all__ = ["design", "miniature", "small"]  # fixtures of others, handed on

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(autouse=True)
def _one_thread_one_seed():
    torch.set_num_threads(1)
    torch.manual_seed(313)


@pytest.fixture
def random_graph() -> Callable[..., Tensor]:
    """A directed graph of n actions: edges with probability `density`, no loops."""

    def make(n: int, density: float = 0.2) -> Tensor:
        return ((torch.rand(n, n) < density) & ~torch.eye(n, dtype=torch.bool)).double()

    return make


@pytest.fixture
def design_with(params: Params) -> Callable[..., Design]:
    """The design of params.yaml, with changes given as `gcn__layers=1`."""

    def make(heads: tuple[str, ...], **changes: object) -> Design:
        changes = {"model__heads": heads, "transformer__attention_heads": 4} | changes
        made = {}
        for name in ("backbone", "model", "gcn", "transformer"):
            section = getattr(params, name)
            chosen = {key.split("__")[1]: value for key, value in changes.items() if key.startswith(f"{name}__")}
            made[name] = type(section).model_validate(section.model_dump() | chosen)
        return replace(Design.of(params), **made)

    return make


@pytest.fixture
def make_model(design_with) -> Callable[..., MultiActionModel]:
    """A model on r3d_tiny, or another backbone, with random forms of the given sizes."""

    def make(
        heads: tuple[str, ...], *, actions: int = 7, audio: int = 384, text: int = 100, **changes: object
    ) -> MultiActionModel:
        return build_model(
            design_with(heads, **changes),
            actions=actions,
            adjacency=torch.eye(actions),
            audio_forms=torch.randn(actions, audio),
            text_forms=torch.randn(actions, text),
        )

    return make


@pytest.fixture
def make_head(design_with) -> Callable[..., Head]:
    """A head alone, for 16 backbone features."""

    def make(
        heads: tuple[str, ...], adjacency: Tensor, audio: Tensor | None, text: Tensor | None, **changes: object
    ) -> Head:
        design = design_with(heads, **changes)
        return build_head(design, features=16, adjacency=adjacency, audio_forms=audio, text_forms=text)

    return make


@pytest.fixture(scope="session")
def golden() -> dict[str, np.ndarray]:
    """Inputs, weights and scores of the authors' released GCN heads."""
    with np.load(DATA / "golden_gcn_heads.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="session")
def published() -> dict[str, dict]:
    """Tensor names, shapes and parameter counts of published checkpoints, by variant."""
    files = [DATA / "checkpoints" / name for name in ("official_repository.json", "ig65m_torch_hub.json")]
    return {variant: content for file in files for variant, content in json.loads(file.read_text()).items()}


@pytest.fixture(scope="session")
def exported_fc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an exported model of three actions; clips of 2 x 16 x 16. Not to be written into."""
    pytest.importorskip("onnx", reason=WITHOUT["onnx"])
    model = MultiActionModel(ResNet3d(ARCHITECTURES["r3d_tiny"]), Pooling("global"), FullyConnected(128, 3))
    folder = tmp_path_factory.mktemp("exported")
    export(model, folder, ClipShape(frames=2, height=16, width=16), {"actions": ["a", "b", "c"]})
    return folder
