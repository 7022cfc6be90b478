import pytest
import torch

from pipeline.foundations.tables.seeds import seed_of
from pipeline.train.distributed import DistributedContext, init_distributed
from tests.train.two_processes import run_by_two


def test_shares_together_are_the_batch():
    contexts = [DistributedContext(rank=rank, size=3, device=torch.device("cpu")) for rank in range(3)]
    parts = [context.local_shard(list(range(7))) for context in contexts]
    assert parts == [[0, 3, 6], [1, 4], [2, 5]]


def test_alone_there_is_nothing_to_average_or_gather(alone):
    value = torch.tensor([1.0, 2.0])
    assert alone.mean(value) is value
    assert alone.gather("x") == ["x"]
    assert alone.is_main
    model = torch.nn.Linear(1, 1)
    assert alone.wrap_ddp(model) is model


def test_each_process_draws_its_own_and_the_first_as_one_alone():
    contexts = [DistributedContext(rank=rank, size=2, device=torch.device("cpu")) for rank in range(2)]
    alone, first, second = (seed_of(7, "step", 0, 3, *key) for key in ((), contexts[0].key, contexts[1].key))
    assert alone == first != second


def test_losses_are_read_late_on_a_gpu_alone():
    assert DistributedContext(rank=0, size=1, device=torch.device("cuda", 0)).late
    assert not DistributedContext(rank=0, size=1, device=torch.device("cpu")).late


SCRIPT = """
import json, sys, torch
from pathlib import Path
from torch import nn
from pipeline.foundations.tables.seeds import seed_of
from pipeline.train.distributed import init_distributed

with init_distributed("cpu") as context:
    model = nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4), nn.Flatten(), nn.Linear(32, 5))
    wrapped = context.wrap_ddp(model)
    for step in range(3):
        torch.manual_seed(seed_of(7, "step", 0, step, *context.key))
        mask = nn.functional.dropout(torch.ones(64), 0.5)
        model.zero_grad()
        clips = context.rank + torch.randn(2, 3, 2, 2, 2)
        wrapped(clips).square().mean().backward()
    views = [weight.grad._is_view() for weight in model.parameters()]
    own = model[1].running_mean.tolist()
    context.share_buffers(model)
    found = {"mask": mask.tolist(), "own": own, "shared": model[1].running_mean.tolist(), "views": views}
    found |= {"gradient": model[0].weight.grad.flatten().tolist(), "static": wrapped.static_graph}
    parts = context.gather(found)
    if context.is_main:
        Path(sys.argv[1]).write_text(json.dumps(parts))
"""


@pytest.mark.slow
def test_two_processes_share_gradients_and_neither_buffers_nor_dropout(tmp_path):
    first, second = run_by_two(SCRIPT, tmp_path)
    assert first["gradient"] == second["gradient"]
    assert first["static"]
    assert all(first["views"])  # of the memory that is sent: no copy
    assert first["mask"] != second["mask"]
    assert first["own"] != second["own"]
    assert first["shared"] == second["shared"] == first["own"]


def test_without_torchrun_a_process_is_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with init_distributed("cpu") as context:
        assert (context.rank, context.size, context.device.type) == (0, 1, "cpu")
