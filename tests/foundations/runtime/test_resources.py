"""What a run took, where there are GPUs: PyTorch's own figures, here of a stand-in."""

import sys
from types import SimpleNamespace

import pytest

from pipeline.foundations.runtime import resources

MEMORY = {0: 3_000_000_000, 1: 0}


@pytest.fixture
def cuda(monkeypatch):
    """PyTorch as it is with two GPUs, of which this process used the first."""
    made = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        device_count=lambda: 2,
        get_device_name=lambda number: f"GPU {number}",
        get_device_properties=lambda number: SimpleNamespace(total_memory=80_000_000_000),
        max_memory_reserved=MEMORY.get,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=made))
    return made


def test_the_gpus_that_were_used_are_told_with_their_memory(cuda):
    assert resources.gpus() == [{"name": "GPU 0", "memory_mb": 80_000.0, "peak_memory_mb": 3_000.0}]


def test_a_process_that_started_no_gpu_has_none(cuda):
    cuda.is_initialized = lambda: False
    assert resources.gpus() == []


def test_a_process_that_did_not_load_pytorch_is_not_made_to(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert resources.gpus() == []
    assert "torch" not in sys.modules
