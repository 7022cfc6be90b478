import pytest
import torch
from torch import nn

from pipeline.foundations.params import load_params
from pipeline.foundations.runtime.errors import PlainError
from pipeline.train.optimizer import make_optimizer
from pipeline.train.stack import StackedAdam, StackedSgd, stacked_optimizer
from tests.presets import ROOT

RATES, DECAYS = (0.1, 0.003), (0.0, 0.2)


def test_each_head_takes_the_steps_of_pytorchs_adamw_alone():
    torch.manual_seed(0)
    start, slopes = torch.randn(2, 3, 4), torch.randn(5, 2, 3, 4)
    weights = nn.ParameterList([start.clone()])
    optimizer = StackedAdam(weights, DECAYS)
    optimizer.set_rates(RATES)
    for slope in slopes:
        weights[0].grad = slope.clone()
        optimizer.step()
    for head, (rate, decay) in enumerate(zip(RATES, DECAYS, strict=True)):
        alone = nn.Parameter(start[head].clone())
        theirs = torch.optim.AdamW([alone], lr=rate, weight_decay=decay)
        for slope in slopes:
            alone.grad = slope[head].clone()
            theirs.step()
        torch.testing.assert_close(weights[0][head], alone, rtol=1e-5, atol=1e-7)  # theirs is not fused


def test_the_parameters_name_the_optimizer():
    train = load_params(ROOT / "params.yaml").train
    weights = nn.ParameterList([torch.zeros(1, 2)])
    assert isinstance(stacked_optimizer(weights, [0.0], train), StackedSgd)
    adam = train.model_copy(update={"optimizer": "adam"})
    assert isinstance(stacked_optimizer(weights, [0.0], adam), StackedAdam)
    with pytest.raises(PlainError, match="heads on fixed features alone"):
        make_optimizer(nn.Linear(2, 2), adam)
