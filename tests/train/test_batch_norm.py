"""Whose statistics batch norm takes where several processes share a batch."""

import pytest
import torch
from torch import nn

from pipeline.train.distributed import DistributedContext
from pipeline.train.experiment import prepare_batch_norm
from pipeline.train.optimizer import batch_norms
from tests.train.two_processes import run_by_two


@pytest.mark.parametrize(
    ("device", "size", "wanted", "synchronized"),
    [("cuda", 8, True, True), ("cuda", 8, False, False), ("cuda", 1, True, False), ("cpu", 2, True, False)],
)
def test_gpus_share_statistics_where_asked(small, device, size, wanted, synchronized):
    """On the structure of the model alone, which needs no GPU."""
    model = nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4), nn.Sequential(nn.BatchNorm3d(4)))
    train = small.train.model_copy(update={"sync_batch_norm": wanted})
    prepare_batch_norm(model, train, DistributedContext(rank=0, size=size, device=torch.device(device)))
    assert [isinstance(norm, nn.SyncBatchNorm) for norm in batch_norms(model)] == [synchronized] * 2


SCRIPT = """
import json, sys, torch
from pathlib import Path
from torch import nn
from pipeline.train.precise_bn import measure_batch_norm
from pipeline.train.distributed import init_distributed

with init_distributed("cpu") as context:
    norm = nn.BatchNorm3d(2)
    own = torch.arange(24.0).reshape(3, 2, 1, 2, 2) * (1 + context.rank)
    measure_batch_norm(nn.Sequential(norm), [own], context)
    if context.is_main:
        Path(sys.argv[1]).write_text(json.dumps([norm.running_mean.tolist(), norm.running_var.tolist()]))
"""


@pytest.mark.slow
def test_local_statistics_are_of_each_processs_own_clips(tmp_path):
    """Two processes over gloo: what is kept is the mean of both's own, not the variance of all their clips."""
    mean, var = run_by_two(SCRIPT, tmp_path)
    own = torch.arange(24.0).reshape(3, 2, 1, 2, 2)
    parts = [(own * factor).transpose(0, 1).flatten(1) for factor in (1, 2)]
    torch.testing.assert_close(torch.tensor(mean), torch.stack([part.mean(1) for part in parts]).mean(0))
    torch.testing.assert_close(torch.tensor(var), torch.stack([part.var(1) for part in parts]).mean(0))
    assert not torch.allclose(torch.tensor(var), torch.cat(parts, 1).var(1))
