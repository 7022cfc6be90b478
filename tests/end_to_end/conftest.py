"""An ablation run whole, once, for all that ask about it."""

import pytest

from tests.end_to_end.ablated import Ablated, ablate
from tests.end_to_end.clones import PipelineRun, copy_run


@pytest.fixture(scope="session")
def ablated(pipeline_run: PipelineRun, tmp_path_factory: pytest.TempPathFactory) -> Ablated:
    """`m3a ablate` as a person runs it, in a copy of the finished pipeline, its stages under watch.

    Tests that use it leave it as they found it.
    """
    base = tmp_path_factory.mktemp("ablated")
    return ablate(copy_run(pipeline_run, base / "clone"), base / "watch")
