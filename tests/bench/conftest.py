"""Small clips for the benchmarks' own code."""

import pytest

from pipeline.bench import corpus as module
from pipeline.bench.corpus import Corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory, params):
    """Five clips of 340 x 256: one without a sound track, one silent."""
    with pytest.MonkeyPatch.context() as context:
        context.setattr(module, "CLIPS", {"train": 3, "validation": 1, "test": 1})
        context.setattr(module, "SILENT", {"no_audio_stream": 0.2, "digital_silence": 0.2, "below_threshold": 0.0,
                                           "truncated": 0})  # fmt: skip
        made = Corpus(tmp_path_factory.mktemp("corpus"), params)
        assert len(made.clips) == 5
        assert len(made.sounding) == 4
        yield made
