import math

import pytest
import torch

from pipeline.model.loss import balance, bce, wlsep


def literal_wlsep(logits, targets, weights):
    """Positive by positive, negative by negative."""
    terms = []
    for scores, actions in zip(logits.tolist(), targets.tolist(), strict=True):
        for p, is_positive in enumerate(actions):
            if is_positive:
                negatives = [scores[n] for n, other in enumerate(actions) if not other]
                terms.append(weights[p].item() * math.log(1 + sum(math.exp(s - scores[p]) for s in negatives)))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("seed", range(8))
def test_wlsep_is_the_sum_over_pairs(seed):
    torch.manual_seed(seed)
    logits, targets, weights = 3 * torch.randn(6, 9).double(), torch.rand(6, 9) < 0.3, torch.rand(9).double()
    targets[0, 0] = True
    assert wlsep(logits, targets, weights).item() == pytest.approx(literal_wlsep(logits, targets, weights), abs=1e-12)


def test_wlsep_by_hand():
    """One positive at 0, negatives at 0 and ln 2: log(1 + 1 + 2), halved."""
    loss = wlsep(
        torch.tensor([[0.0, 0.0, math.log(2)]]), torch.tensor([[True, False, False]]), torch.tensor([0.5, 9, 9])
    )
    assert loss.item() == pytest.approx(math.log(4) / 2)


def test_wlsep_gradient_is_finite_where_a_video_has_no_negatives_or_no_positives():
    logits = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    loss = wlsep(logits, torch.tensor([[True, True], [False, False]]), torch.ones(2))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros(2, 2))


def test_wlsep_survives_scores_that_exp_does_not():
    """exp(500) overflows; the loss is about the difference."""
    loss = wlsep(torch.tensor([[0.0, 500.0]]), torch.tensor([[True, False]]), torch.ones(2))
    assert loss.item() == pytest.approx(500.0)


def test_wlsep_gradcheck():
    logits = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    targets = torch.rand(4, 6) < 0.4
    assert torch.autograd.gradcheck(lambda s: wlsep(s, targets, torch.rand(6, generator=torch.manual_seed(1))), logits)


def test_balance_by_hand():
    weights = balance(torch.tensor([10, 40, 0, 20]))
    assert weights.tolist() == [1.0, 0.25, 0.0, 0.5]
    assert balance(torch.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_bce_by_hand():
    logits, targets = torch.tensor([[0.0, math.log(3)]]), torch.tensor([[True, False]])
    assert bce(logits, targets).item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_wlsep_of_shares_averages_to_that_of_the_batch():
    """Two processes, one with three positives, one with one: neither divides by its own."""
    torch.manual_seed(0)
    logits, weights = torch.randn(4, 5).double(), torch.rand(5).double()
    targets = torch.zeros(4, 5, dtype=torch.bool)
    targets[0, :2] = targets[2, 1] = targets[1, 4] = True
    shares = [(logits[part::2], targets[part::2]) for part in range(2)]
    parts = [wlsep(*share, weights, torch.tensor(4 / 2).double()) for share in shares]
    assert sum(parts).item() / 2 == pytest.approx(wlsep(logits, targets, weights).item(), abs=1e-12)
    alone = [wlsep(*share, weights) for share in shares]
    assert sum(alone).item() / 2 != pytest.approx(wlsep(logits, targets, weights).item(), abs=1e-3)
