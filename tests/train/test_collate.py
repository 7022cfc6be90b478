import errno
import os
import resource

import pytest
import torch
from torch.utils.data import default_collate

from pipeline.train.batches import in_order, load
from pipeline.train.collate import collate, memory_file
from pipeline.train.data import Batch
from tests.train.memory import held

CPU = torch.device("cpu")


def example(row: int, sounds: int) -> Batch:
    random = torch.Generator().manual_seed(row)
    pictures = torch.randint(0, 256, (2, 4, 5, 3), dtype=torch.uint8, generator=random)
    return Batch(pictures, torch.tensor([True, False]), torch.rand(sounds, generator=random), torch.tensor(row))


class Examples(list):
    """As many as the loader asks for."""


@pytest.mark.parametrize("sounds", [0, 6])
@pytest.mark.parametrize("workers", [0, 1])
def test_it_stacks_as_pytorchs_own_collation_does(sounds, workers):
    examples = Examples(example(row, sounds) for row in range(3))
    expected = default_collate(list(examples))
    made = next(load(examples, [[0, 1, 2]], workers=workers, device=CPU))
    for one, other in zip(made, expected, strict=True):
        assert one.dtype == other.dtype
        assert one.is_contiguous()
        assert torch.equal(one, other)


def test_what_a_loader_process_made_is_let_go_with_the_batch():
    examples = Examples(example(row, 6) for row in range(8))
    made = list(load(examples, [[pick.row for pick in batch] for batch in in_order(8, 2)], workers=1, device=CPU))
    assert len(held()) == 4 * 4
    del made
    assert held() == set()


def test_in_the_training_process_nothing_is_shared():
    batch = collate([example(0, 6), example(1, 6)])
    assert not any(tensor.is_shared() for tensor in batch)


def test_memory_that_the_kernel_refuses_is_an_error():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        with pytest.raises(OSError, match="memfd_create: Too many open files") as refused:
            memory_file(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert refused.value.errno == errno.EMFILE
