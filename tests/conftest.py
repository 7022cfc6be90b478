"""What all tests share: the parameters as committed, and the reference data where they are present.

Floats are compared by equality only where the same operation runs twice on the same shapes with the same threads: in
which order a sum is added up, and so its last bits, is the CPU's choice. Elsewhere float64 is held to 1e-9 or less and
float32 to 1e-5 or so, an order of magnitude above what sums of these sizes round to; any other tolerance has its reason
beside it.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.foundations.params import Params, load_params
from tests.end_to_end.clones import PipelineRun, clone, run_pipeline
from tests.loopback import Loopback, serving

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Let Ctrl-C mean what it says, also where a shell started the tests in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("cuda"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("there is no GPU")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def params() -> Params:
    """params.yaml as committed."""
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def golden_released() -> dict[str, np.ndarray]:
    """What the authors' released code computed: logits of transformer heads, their start, frames of test views."""
    with np.load(ROOT / "tests" / "data" / "golden_released.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The reference data beside the checkout; tests that may not carry them skip where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data absent: {folder}")
    return folder


@pytest.fixture(scope="session")
def real_clips(shared_data: Path) -> Path:
    """Real clips of many formats; rights in the footage are unstated, so they stay outside the project."""
    return shared_data / "clips"


@pytest.fixture(scope="session")
def pipeline_run(tmp_path_factory: pytest.TempPathFactory) -> PipelineRun:
    """The whole pipeline, run once by DVC in a private clone on a small sample, under watch.

    Tests that use it carry `pytest.mark.xdist_group("pipeline_run")`, so that it runs in one process alone; they leave
    it as they found it.
    """
    base = tmp_path_factory.mktemp("pipeline_run")
    return run_pipeline(clone(base / "clone"), base / "watch")


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """A web server on this machine, reached without a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        yield server
