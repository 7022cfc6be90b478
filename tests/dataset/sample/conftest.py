"""Small samples, quick to render, and the committed one's plan."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.dataset.sample.plan import Plan, draw_plans
from pipeline.foundations.params import Params, Render


@pytest.fixture(scope="session")
def render(params: Params) -> Render:
    """The sample's parameters as committed."""
    return params.render


@pytest.fixture(scope="session")
def plans(render: Render) -> list[Plan]:
    """Every video of the sample as committed."""
    return draw_plans(render)


@pytest.fixture(scope="session")
def all_shown(render: Render) -> Render:
    """The committed sample's parameters, but with every action shown and heard."""
    return render.model_copy(update={"hidden": 0.0})


@pytest.fixture(scope="session")
def small(params: Params) -> Render:
    """Six videos of half a second, one of them truncated and one without audio stream."""
    sizes = {"train": 4, "validation": 1, "test": 1, "seconds": 0.5, "height": 64, "width": 80}
    return params.render.model_copy(
        update={**sizes, "no_audio_stream": 1 / 6, "digital_silence": 1 / 6, "below_threshold": 1 / 6, "truncated": 1}
    )


@pytest.fixture
def files_of() -> Callable[[Path], dict[str, bytes]]:
    """Reads a folder: every file's content by its path below."""

    def read(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read
