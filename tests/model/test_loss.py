import math

import pytest
import torch

from pipeline.model.loss import LOSSES, asl, balance, bce, focal, wlsep


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


def formula(name, z, positive):
    """One action's loss, from the papers' formulas in plain float64."""
    p = 1 / (1 + math.exp(-z))
    if name == "focal":
        return -0.25 * (1 - p) ** 2 * math.log(p) if positive else -0.75 * p**2 * math.log(1 - p)
    q = max(p - 0.05, 0.0)
    return -(1 - p) * math.log(p) if positive else -(q**4) * math.log(1 - q)


@pytest.mark.parametrize("name", ["focal", "asl"])
def test_focal_and_asymmetric_loss_are_their_formulas(name):
    torch.manual_seed(0)
    logits, targets = 3 * torch.randn(5, 7).double(), torch.rand(5, 7) < 0.4
    pairs = zip(logits.flatten().tolist(), targets.flatten().tolist(), strict=True)
    expected = [formula(name, z, positive) for z, positive in pairs]
    assert LOSSES[name](logits, targets).item() == pytest.approx(sum(expected) / len(expected), abs=1e-12)
    assert torch.autograd.gradcheck(lambda z: LOSSES[name](z, targets), logits.requires_grad_())


@pytest.mark.parametrize(
    ("loss", "z", "positive", "golden"),
    [
        (focal, 0.0, True, 0.25 * 0.25 * math.log(2)),
        (focal, 0.0, False, 0.75 * 0.25 * math.log(2)),
        (focal, math.log(3), False, 0.75 * 0.75**2 * math.log(4)),
        (asl, 0.0, True, 0.5 * math.log(2)),
        (asl, 0.0, False, 0.45**4 * -math.log(0.55)),
        (asl, math.log(0.04 / 0.96), False, 0.0),  # p below the margin: such a negative is not learnt from
    ],
)
def test_focal_and_asymmetric_loss_by_hand(loss, z, positive, golden):
    found = loss(torch.tensor([[z]], dtype=torch.float64), torch.tensor([[positive]]))
    assert found.item() == pytest.approx(golden, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_losses_and_gradients_are_finite_where_scores_are_sure(name, kind):
    logits = torch.tensor([[200.0, -200.0, 200.0, -200.0]], dtype=kind, requires_grad=True)
    loss = LOSSES[name](logits, torch.tensor([[True, True, False, False]]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


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
