import torch

from pipeline.train.distributed import DistributedContext, init_distributed


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


def test_without_torchrun_a_process_is_alone(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with init_distributed("cpu") as context:
        assert (context.rank, context.size, context.device.type) == (0, 1, "cpu")
