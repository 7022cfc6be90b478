"""The miniature and its parameters, once for all tests."""

import pytest
import torch

from pipeline.foundations.params import Params
from pipeline.model.design import Design
from pipeline.train.distributed import DistributedContext
from tests.train.miniature import SMALL, Miniature, changed, write_inputs


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Networks this small gain nothing from a second thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small(params: Params) -> Params:
    """The committed parameters, made small."""
    return changed(params, SMALL)


@pytest.fixture(scope="session")
def design(small: Params) -> Design:
    return Design.of(small)


@pytest.fixture(scope="session")
def alone() -> DistributedContext:
    return DistributedContext(rank=0, size=1, device=torch.device("cpu"))


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    return write_inputs(tmp_path_factory.mktemp("miniature"))
