import os

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from pipeline.foundations.runtime.errors import PlainError
from pipeline.train.optimizer import make_optimizer
from pipeline.train.state import Learner, Progress, load_state, save_state


@pytest.fixture
def make(params):
    def learner(seed, *, width=3, average=True):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Conv3d(2, width, 1), nn.BatchNorm3d(width)).to(memory_format=torch.channels_last_3d)
        averaged = AveragedModel(model) if average else None
        return Learner(model=model, optimizer=make_optimizer(model, params.train), average=averaged)

    return learner


def learn(learner, seed):
    torch.manual_seed(seed)
    learner.optimizer.zero_grad()
    learner.model(torch.randn(2, 2, 3, 3, 3)).square().sum().backward()
    learner.optimizer.step()
    if learner.average:
        learner.average.update_parameters(learner.model)


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_goes_on_with_the_same_bits(make, tmp_path):
    straight, stopped, resumed = make(0), make(0), make(1)
    for seed in range(4):
        learn(straight, seed)
    for seed in range(2):
        learn(stopped, seed)
    progress = Progress(epoch=3, step=2, loss=0.1 + 0.2, history=({"train/loss": 1 / 3},))
    save_state(tmp_path / "state", stopped, progress)
    assert load_state(tmp_path / "state", resumed) == progress
    for seed in range(2, 4):
        learn(resumed, seed)
    assert same(resumed.model.state_dict(), straight.model.state_dict())
    assert same(resumed.average.state_dict(), straight.average.state_dict())
    for one, other in zip(resumed.model.parameters(), straight.model.parameters(), strict=True):
        momentum = resumed.optimizer.state[one]["momentum_buffer"]
        assert torch.equal(momentum, straight.optimizer.state[other]["momentum_buffer"])
        assert momentum.stride() == one.stride()


def test_the_same_state_has_the_same_bytes(make, tmp_path):
    for name in ("a", "b"):
        learner = make(0)
        learn(learner, 0)
        save_state(tmp_path / name, learner, Progress(step=1))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_without_a_file_a_run_is_at_its_beginning(make, tmp_path):
    assert load_state(tmp_path / "none", make(0)) == Progress()


@pytest.mark.parametrize("change", [{"width": 4}, {"average": False}])
def test_the_state_of_another_model_is_refused(make, tmp_path, change):
    learner = make(0)
    learn(learner, 0)
    save_state(tmp_path / "state", learner, Progress())
    with pytest.raises(PlainError, match="is the state of another model"):
        load_state(tmp_path / "state", make(0, **change))


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", lambda data: b"\x00" * 100])
def test_a_damaged_state_is_named(make, tmp_path, damage):
    save_state(tmp_path / "state", make(0), Progress())
    (tmp_path / "state").write_bytes(damage((tmp_path / "state").read_bytes()))
    with pytest.raises(PlainError, match="cannot be read as a training state"):
        load_state(tmp_path / "state", make(0))


@pytest.mark.parametrize("progress", ["[]", '{"epoch": 1}', '{"history": [], "steps": 2}', '{"history": 3}'])
def test_a_state_that_does_not_say_how_far_it_came_is_named(make, tmp_path, progress):
    save_state(tmp_path / "state", make(0), Progress())
    save_file(load_file(tmp_path / "state"), tmp_path / "state", {"progress": progress})
    with pytest.raises(PlainError, match="cannot be read as a training state"):
        load_state(tmp_path / "state", make(0))


def test_a_state_that_is_not_finite_is_named(make, tmp_path):
    learner = make(0)
    learner.model[0].bias.data[1] = torch.nan
    save_state(tmp_path / "state", learner, Progress())
    with pytest.raises(PlainError, match=r"state: model\.0\.bias: has values that are not finite"):
        load_state(tmp_path / "state", make(0))


def test_a_pickle_in_its_place_is_refused_and_never_run(make, tmp_path):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"model.0.bias": Payload()}, tmp_path / "state")
    with pytest.raises(PlainError, match="cannot be read as a training state"):
        load_state(tmp_path / "state", make(0))
    assert not (tmp_path / "owned").exists()


def test_progress_counts_steps_and_epochs():
    progress = Progress().after_step(0.5).after_step(0.25)
    assert (progress.epoch, progress.step, progress.loss) == (0, 2, 0.75)
    ended = progress.after_epoch({"train/loss": 0.375})
    assert ended == Progress(epoch=1, history=({"train/loss": 0.375},))
