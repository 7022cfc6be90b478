"""What all tests share: the parameters as committed, and the reference data where they are present."""

from pathlib import Path

import pytest

from pipeline.params import Params, load_params

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def params() -> Params:
    """params.yaml as committed."""
    return load_params(ROOT / "params.yaml")


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
